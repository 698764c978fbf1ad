"""Fits for a board on the command line: what is said, written, and told to be built."""

import json
import re
from pathlib import Path


def test_a_fit_for_a_board_ends_with_how_to_build_it(spikefab, recording, tmp_path):
    out = tmp_path / "fit"
    ran = spikefab("fit", recording, "--models", "lif", "--budget", 96, "--board", "icebreaker", "--out", out)
    assert ran.code == 0 and f"  spikefab build {out} --board icebreaker\n" in ran.out
    assert "On icebreaker" in ran.out and "Estimated, not built." in ran.out
    (result,) = json.loads((out / "result.json").read_text())["results"]
    assert result["word"] == 16 and result["takes"]["one"]["board"] == "icebreaker"
    assert "On the board" in (out / "report.html").read_text()
    refused = spikefab("fit", recording, "--models", "HH", "--word", 24, "--board", "icebreaker")
    assert refused.code == 6 and "HodgkinHuxleyNeuron does not fit icebreaker at word 24" in refused.sentence


def test_pareto_shows_what_scores_cost_and_how_to_build_the_knees(spikefab, recording, tmp_path):
    out = tmp_path / "out"
    given = ("pareto", recording, "--models", "lif,lapicque", "--budget", 96, "--board", "ulx3s-25f", "--out", out)
    ran = spikefab(*given)
    assert ran.code == 0 and "One neuron: the knee is" in ran.out and "As many as fit: the knee is" in ran.out
    one, many = re.findall(r"^  spikefab (build .*)$", ran.out, re.MULTILINE)
    assert " --board ulx3s-25f" in one and " --neurons " in many and " --multipliers " in many
    assert Path(one.split()[1]).is_file() and Path(many.split()[1]).is_file()
    assert (out / "pareto.png").is_file() and (out / "report.html").is_file()
    points = spikefab(*given, "--json").json["points"]
    assert {p["model"] for p in points} == {"LIFNeuron", "LapicqueNeuron"} and {p["word"] for p in points} == {
        16,
        18,
        24,
    }
    missing = spikefab("pareto", recording)
    assert missing.code == 2 and "pass --board NAME" in missing.sentence


def test_pareto_takes_a_finished_fit(spikefab, recording, tmp_path):
    out, front = tmp_path / "fit", tmp_path / "front"
    assert spikefab("fit", recording, "--models", "lif,lapicque", "--budget", 96, "--out", out).code == 0
    before = (out / "result.json").read_bytes()
    given = ("pareto", recording, "--board", "ulx3s-25f", "--result", out)
    ran = spikefab(*given, "--out", front)
    assert ran.code == 0 and "evaluations" not in ran.err and f"  spikefab build {front}/" in ran.out
    assert (front / "pareto.json").is_file() and not (front / "result.json").exists()
    assert (out / "result.json").read_bytes() == before
    shown = spikefab(*given, "--json").json
    assert shown == json.loads((front / "pareto.json").read_text())
    fitted = {r["model_name"]: r["combined_score"] for r in json.loads(before)["results"]}
    assert {p["model"]: p["score"] for p in shown["points"] if p["word"] == 18} == fitted
    for more, text in (
        (("--budget", 5), "--budget is for a fit, and --result has one"),
        (("--models", "lif"), "--models is for a fit"),
        (("--journal", tmp_path), "--journal is for a fit"),
    ):
        refused = spikefab(*given, *more)
        assert refused.code == 2 and text in refused.sentence
    other = tmp_path / "other.csv"
    other.write_text(recording.read_text() + "\n")
    refused = spikefab("pareto", other, "--board", "ulx3s-25f", "--result", out)
    assert refused.code == 2 and "is not the recording of these results" in refused.sentence


def test_an_interrupted_pareto_keeps_the_fit(spikefab, recording, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("spikefab.fit.pareto.pareto", interrupted)
    given = ("pareto", recording, "--models", "lif", "--budget", 96, "--board", "icebreaker")
    kept = spikefab(*given, "--out", tmp_path / "out")
    assert kept.code == 130
    assert kept.err.strip().splitlines()[-1] == f"spikefab: interrupted; the finished fit is in {tmp_path / 'out'}."
    assert (tmp_path / "out" / "result.json").is_file()
    assert "--out was not given" in spikefab(*given).err.strip().splitlines()[-1]
