"""What the commands write, and the shapes of their JSON."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from spikefab.boards.estimates import population
from spikefab.boards.population import Crowd
from spikefab.boards.table import get_board
from spikefab.hw.models import MODELS, LIFNeuron

SCORES = {"rmse", "masked_rmse", "flat_rmse", "spike_timing_error", "timing", "count", "gamma", "reliability"}
SCORES |= {"gamma_over_R", "repeat_rmse", "combined_score", "spikes_data", "spikes_model"}
SCORES |= {"voltage", "pattern", "timing_weight", "timing_term"}
FILES = {"result.json", "timings.json", "traces.npz", "ranking.png", "best.png", "report.html"}


def test_fit_writes_its_folder_and_shows_the_ranking(spikefab, recording, tmp_path):
    out = tmp_path / "a" / "fit"
    ran = spikefab("fit", recording, "--models", "LIF,lifneuron", "--budget", "96", "--out", out)
    assert ran.code == 0
    assert {p.name for p in out.iterdir()} == FILES
    assert not [p for p in out.parent.iterdir() if p != out]
    assert "ranked on held-out data" in ran.out
    assert "tau_m" in ran.out
    assert f"spikefab verify {out}" in ran.out
    assert f"spikefab build {out} --board" in ran.out
    assert "LIFNeuron: 96 evaluations, best loss" in ran.err
    timings = json.loads((out / "timings.json").read_text())
    assert 0 < timings["models"]["LIFNeuron"] <= timings["total"]


@pytest.mark.slow
def test_a_rerun_is_byte_identical_and_leaves_other_files_alone(spikefab, recording, fitted, tmp_path):
    out = tmp_path / "fit"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    args = ("fit", recording, "--models", "lif", "--budget", "96", "--out", out)
    for _ in range(2):
        assert spikefab(*args).code == 0
        for name in ("result.json", "traces.npz"):
            assert (out / name).read_bytes() == (fitted / name).read_bytes()
    assert (out / "notes.txt").read_text() == "mine"
    assert {p.name for p in out.iterdir()} == FILES | {"notes.txt"}


def test_json_of_fit(spikefab, recording, fitted):
    ran = spikefab("fit", recording, "--models", "lif", "--budget", "96", "--json")
    content = ran.json
    assert content == json.loads((fitted / "result.json").read_text())
    assert {"schema", "results", "input", "settings", "scale"} <= set(content)
    (result,) = content["results"]
    assert {"model_name", "params", "codes", "formats", "rmse", "combined_score", "ideal"} <= set(result)
    assert set(result["train"]) == set(result["held_out"]) == SCORES
    assert "add --out DIR" in ran.err


def test_traces_hold_what_was_scored(fitted):
    from spikefab.fit.results import FitResults

    (result,) = FitResults.load(fitted)
    with np.load(fitted / "traces.npz") as traces:
        assert int(traces["sweeps"]) == 5
        for k in range(5):
            model = result.create_model(k)
            np.testing.assert_array_equal(model.run(traces[f"current_{k}"]), traces[f"LIFNeuron_voltage_{k}"])


def test_a_short_recording_is_not_validated(spikefab, cell, csv, tmp_path):
    (tmp_path / "short.csv").write_text(csv([cell(0.26)]))
    ran = spikefab("fit", tmp_path / "short.csv", "--models", "lif", "--budget", "64", "--out", tmp_path / "fit")
    assert ran.code == 0
    assert "not validated" in ran.out
    assert "not validated" in ran.err
    assert (tmp_path / "fit" / "best.png").exists()


@pytest.mark.slow
def test_a_recording_without_spikes_is_fitted_with_a_notice(spikefab, cell, csv, tmp_path):
    (tmp_path / "quiet.csv").write_text(csv([cell(0.1), cell(-0.1)]))
    ran = spikefab("fit", tmp_path / "quiet.csv", "--models", "lif", "--budget", "64", "--json")
    assert ran.code == 0
    assert "no spikes" in ran.err
    assert ran.json["results"][0]["held_out"] is None


@pytest.mark.parametrize("evaluations", [0, 300])
def test_interrupted(spikefab, recording, tmp_path, monkeypatch, evaluations):
    from spikefab.fit.search.loss import Loss

    call, spent = Loss.each, 0

    def stop(self, codes):
        nonlocal spent
        if spent >= evaluations:
            raise KeyboardInterrupt
        spent += len(codes)
        return call(self, codes)

    monkeypatch.setattr(Loss, "each", stop)
    out = tmp_path / "fit"
    ran = spikefab("fit", recording, "--models", "lif", "--budget", "2000", "--out", out)
    assert ran.code == 130
    if evaluations:
        assert f"interrupted; the best so far is in {out}." in ran.err
        assert json.loads((out / "result.json").read_text())["interrupted"] is True
    else:
        assert ran.sentence == "interrupted; nothing was saved."
        assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_interrupted_again_and_again(spikefab, recording, tmp_path):
    """Whoever presses Ctrl-C three times still gets what was found."""
    out = tmp_path / "fit"
    words = ["fit", recording, "--models", "lif", "--budget", "10000000", "--whole-budget", "--out", out]
    child = subprocess.Popen([sys.executable, "-m", "spikefab", *map(str, words)], stderr=subprocess.PIPE, text=True)
    for line in child.stderr:
        if "features point at" in line:
            break
    time.sleep(8)  # the kernel is compiled, and the search runs
    for _ in range(3):
        child.send_signal(signal.SIGINT)
        time.sleep(0.15)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 130 and "what was found so far is scored" in err and "Traceback" not in err
    assert json.loads((out / "result.json").read_text())["interrupted"] is True
    assert (out / "report.html").is_file()


def test_the_step_of_the_hardware_is_not_that_of_the_file(spikefab, tmp_path, cell):
    voltage, current = cell(0.3)
    text = "\n".join(["V_mV,I_nA", *(f"{v:.4f},{i}" for v, i in zip(voltage, current, strict=True))])
    (tmp_path / "timeless.csv").write_text(text)
    words = ("fit", tmp_path / "timeless.csv", "--dt", "0.1", "--models", "lif", "--budget", "64", "--json")
    assert spikefab(*words).json["settings"]["dt"] == 0.1
    ran = spikefab(*words, "--step", "0.2")
    assert ran.json["settings"]["dt"] == 0.2 and "resampled from 0.1 to 0.2 ms" in ran.err


def test_a_journal_lets_a_fit_go_on(spikefab, recording, tmp_path):
    command = ("fit", recording, "--models", "lif", "--budget", "300", "--journal", tmp_path / "kept", "--json")
    assert spikefab(*command).json == spikefab(*command).json
    assert len([*(tmp_path / "kept").iterdir()]) == 1


def test_info(spikefab, recording):
    content = spikefab("info", recording, "--json").json
    assert [s["spikes"] > 0 for s in content["sweeps"]] == [False, True, True, True, True]
    assert content["sweeps"][1]["window"] == [50.0, 450.0]
    assert content["dt"] == 0.1
    assert content["cannot_be_fitted"] is None
    text = spikefab("info", recording).out
    assert "5 sweeps, dt 0.1 ms" in text
    assert "50.0 .. 450.0" in text


def test_features(spikefab, cell, recording, tmp_path):
    content = spikefab("features", recording, "--json").json
    assert content["features"]["spike_count"] > 10
    assert content["features"]["v_rest"] == pytest.approx(-70, abs=0.5)
    assert "input_resistance   MOhm" in spikefab("features", recording).out
    (tmp_path / "v.csv").write_text("\n".join(f"{v:.3f}" for v in cell(0.26)[0]))
    alone = spikefab("features", tmp_path / "v.csv", "--dt", "0.1", "--json")
    assert alone.json["features"]["rheobase"] is None
    assert "the current is unknown" in alone.err


def test_models(spikefab):
    from spikefab.hw.models import MODELS

    found = spikefab("models", "--json").json["models"]
    assert [m["name"] for m in found] == list(MODELS)
    for m in found:
        assert {"name", "unit", "bounds", "default"} <= set(m["free"][0])
        assert m["measured"]
        assert m["source"]
    assert all(name in spikefab("models").out for name in MODELS)


def test_one_model(spikefab):
    (model,) = spikefab("models", "adex", "--json").json["models"]
    assert model["formats"]["18"]["V"].startswith("Q(")
    assert model["cost"]["18"]["multiplies"] == 6
    assert model["cost"]["16"]["table_bits"] == 32 * 2 * 16
    assert model["cost"]["24"]["interval"] == model["cost"]["24"]["latency"] > 0
    text = spikefab("models", "AdExNeuron").out
    assert "tau_w w' = a (V - E_L) - w" in text
    assert "table bits" in text


def test_boards(spikefab):
    found = {b["name"]: b for b in spikefab("boards", "--json").json["boards"]}
    assert found["icebreaker"]["multipliers"] == 8
    assert found["ulx3s-25f"]["clock_mhz"] == 25
    assert "iCE40UP5K" in spikefab("boards").out
    assert found["icebreaker"]["fits"]["16"] == list(MODELS) and found["icebreaker"]["spram"] == 4
    assert found["tinyfpga_bx"]["usb"] is None and not found["tang_nano_9k"]["pll"]


def test_boards_of_a_model(spikefab):
    """One neuron and a population for each board that builds tell of, at the word that suits it or the one that was asked for."""
    ran = spikefab("boards", "HodgkinHuxley", "--json")
    found = {(e["board"], e["form"]): e for e in ran.json["estimates"]}
    single = found["icebreaker", "shared"]
    assert (single["word"], single["neurons"], single["interval"], single["refused"]) == (16, 1, 63, "")
    assert found["ulx3s-25f", "shared"]["word"] == 18
    assert found["ulx3s-25f", "pipelined"]["neurons"] > 1000
    assert found["ulx3s-85f", "pipelined"]["multipliers"] == 32
    wide = spikefab("boards", "HodgkinHuxley", "--word", "24")
    assert wide.code == 0 and "of 30 block RAMs" in " ".join(wide.out.split())
    assert "may be off by" in wide.out
    for words, said in (("Nobody", "there is no model"), ("--word=16", "--word needs the name of a model")):
        ran = spikefab("boards", words)
        assert (ran.code, said in ran.sentence) == (2, True)


def test_doctor(spikefab):
    ran = spikefab("doctor", "--json")
    content = ran.json
    assert ran.code == (5 if content["missing"] else 0)
    assert {t["name"] for t in content["tools"]} >= {"yosys", "nextpnr-ice40", "verilator", "g++", "make", "perl"}
    assert {p["name"] for p in content["packages"]} >= {"numpy", "amaranth", "numba"}
    assert {c["name"] for c in content["caches"]} >= {"kernels", "sim", "logs"}
    assert "Caches" in spikefab("doctor").out


def test_verify_plays_the_recorded_current_to_the_fitted_neuron(spikefab, fitted, monkeypatch):
    from spikefab.sim import verify

    seen = {}

    def fake(neuron, *, progress, **options):
        seen.update(options, neuron=neuron)
        progress("simulating")
        head = {"model": "LIFNeuron", "word": neuron.word, "level": "rtl", "simulator": options["simulator"]}
        return [head | {"stimulus": "noise", "steps": 1500, "spikes": 60, "saturations": 3, "mismatches": 0}]

    monkeypatch.setattr(verify, "verify", fake)
    ran = spikefab("verify", fitted / "result.json", "--steps", "1500")
    assert ran.code == 0
    assert "bit-exact over 1,500 steps: LIFNeuron at word 18" in ran.out
    assert "  simulating (done, " in ran.err
    assert seen["steps"] == 1500
    assert seen["current"].max() == pytest.approx(0.37)
    assert seen["neuron"].codes == json.loads((fitted / "result.json").read_text())["results"][0]["codes"]
    checks = spikefab("verify", "LIF", "--word", "16", "--json").json["checks"]
    assert checks[0]["word"] == 16
    assert seen["current"] is None


def test_build_reports(spikefab, fitted, monkeypatch, tmp_path, build_report):
    from spikefab.boards import build

    asked = []

    def fake(neuron, board, out, *, progress, **more):
        asked.append(more)
        progress("pack", "start", "icepack")
        progress("pack", "done", "9 bytes")
        return build_report(board, "LIFNeuron", neuron.word, out)

    monkeypatch.setattr(build, "build", fake)
    args = ("build", fitted, "--board", "icebreaker", "--out", tmp_path / "build")
    ran = spikefab(*args)
    assert ran.code == 0
    assert "from timing, not from a board" in ran.out
    assert "pack (icepack): 9 bytes (done, " in ran.err
    assert set(spikefab(*args, "--json").json) == {
        "board", "model", "word", "cells", "multipliers", "block_rams", "mhz", "clock_mhz", "interval", "latency",
        "neurons", "baud", "steps_per_second", "times_real_time", "possible_neurons", "bitstream", "pll", "free_run",
        "form", "lanes", "occupancy", "mhz_median", "mhz_least",
    }  # fmt: skip
    assert asked == [{"seed": 1, "seeds": 1, "clock_mhz": None, "baud": None, "crowd": None}] * 2
    several = ("build", "lif", "--word", 16, "--board", "icebreaker", "--seeds", 3, "--baud", 9600)
    ran = spikefab(*several, "--neurons", 12, "--lanes", 2, "--multipliers", 1, "--per-neuron", "V_th, E_L")
    assert "spikefab run lif --board icebreaker --word 16 --baud 9600\n" in ran.out
    assert asked[-1]["seeds"] == 3 and asked[-1]["crowd"] == Crowd(12, 2, 1, ("V_th", "E_L"))
    for given in (("--neurons", "max"), ("--form", "pipelined")):
        assert spikefab(*several, *given).code == 0
        largest = population(LIFNeuron(word=16), get_board("icebreaker"))
        assert not largest.refused and asked[-1]["crowd"] == Crowd(largest.neurons, multipliers=largest.each)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--form", "shared", "--neurons", 2), "--neurons is for populations: take --form pipelined"),
        (("--lanes", 2), "--lanes is for populations"),
        (("--per-neuron", "V_th"), "--per-neuron is for populations"),
        (("--form", "shared", "--multipliers", 2), "--multipliers is for populations"),
        (("--form", "pipelined", "--neurons", 1), "a pipeline serves two neurons or more"),
        (("--neurons", "many"), "many is not a number of 1 or more"),
        (("--neurons", 9, "--lanes", 2), "9 neurons cannot be in 2 lanes"),
        (("--neurons", 9, "--per-neuron", "V_T"), "LIFNeuron has no coefficient V_T"),
        (("--neurons", 99_999), "hold at most 32,768 neurons of a lane"),
        (("--form", "pipelined", "--lanes", 99), "has no room for 198 neurons"),
        (("--seeds", 0), "0 is not a number of 1 or more"),
    ],
)
def test_populations_that_cannot_be_built(spikefab, options, words, tmp_path):
    ran = spikefab("build", "lif", "--word", 16, "--board", "icebreaker", "--out", tmp_path, *options)
    assert (ran.code, words in ran.err) == (2, True), ran.err


def test_export(spikefab, fitted, tmp_path):
    for what in (fitted, "lif"):
        ran = spikefab("export", what, "--to", "verilog", "--out", tmp_path / "rtl", "--json")
        assert ran.code == 0
        design, bench = ran.json["files"]
        with open(design) as source, open(bench) as test:
            assert "module" in source.read()
            assert "module" in test.read()


@pytest.fixture
def atlas(tmp_path):
    """A GLIF1 in the layout of the Allen Cell Types Database."""
    rules = {
        "voltage_dynamics_method": "linear_forward_euler", "voltage_reset_method": "zero", "threshold_dynamics_method": "inf",
        "threshold_reset_method": "inf", "AScurrent_dynamics_method": "none", "AScurrent_reset_method": "none",
    }  # fmt: skip
    config = {
        "El": 0.0, "El_reference": -0.07, "C": 1e-10, "R_input": 1.5e8, "th_inf": 0.02, "dt": 5e-05, "spike_cut_length": 41,
        "coeffs": {}, **{rule: {"name": name, "params": {}} for rule, name in rules.items()},
    }  # fmt: skip
    path = tmp_path / "glif.json"
    path.write_text(json.dumps({"486557295": config}))
    return path


def test_a_file_of_the_atlas_is_a_neuron(spikefab, atlas, monkeypatch, tmp_path):
    from spikefab.sim import verify

    seen = {}

    def fake(neuron, **options):
        seen["neuron"] = neuron
        head = {"model": "GLIFNeuron", "word": neuron.word, "level": "rtl", "simulator": "verilator"}
        return [head | {"stimulus": "noise", "steps": 1500, "spikes": 60, "saturations": 3, "mismatches": 0}]

    monkeypatch.setattr(verify, "verify", fake)
    assert spikefab("verify", atlas, "--word", "24").code == 0
    assert (type(seen["neuron"]).__name__, seen["neuron"].word) == ("GLIFNeuron", 24)
    assert seen["neuron"].values["tau_m"] == pytest.approx(15, rel=1e-4)
    assert spikefab("export", atlas, "--to", "verilog", "--out", tmp_path / "rtl").code == 0
    ran = spikefab("verify", atlas, "--rank", "1")
    assert ran.code == 2
    assert (
        ran.sentence
        == f"--rank, --models and --sweep do not go with {atlas}, which is one neuron of the Allen Institute."
    )
    atlas.write_text(atlas.read_text().replace("1e-10", '"a"'))
    ran = spikefab("verify", atlas)
    assert ran.code == 3
    assert ran.sentence == f"{atlas} has 'a' for C, which is a number."


def test_features_of_each_sweep_and_the_models_that_they_point_at(spikefab, recording):
    ran = spikefab("features", recording, "--json")
    content = ran.json
    assert [s["spike_count"] > 0 for s in content["per_sweep"]] == [False, True, True, True, True]
    assert content["per_sweep"][0]["rheobase"] is None
    assert content["f_i"]["current"] == pytest.approx([0.1, 0.22, 0.26, 0.31, 0.37])
    assert content["f_i"]["rate"] == sorted(content["f_i"]["rate"])
    assert "LIFNeuron" in [m["model"] for m in content["recommended"]]
    text = spikefab("features", recording).out
    assert "each sweep" in text
    assert "LIFNeuron: The firing is regular" in text


def test_fit_recommends_before_and_checks_after(spikefab, recording, fitted):
    ran = spikefab("fit", recording, "--models", "lif", "--budget", "96")
    lines = ran.err.splitlines()
    (hint,) = [k for k, line in enumerate(lines) if "the features point at" in line]
    assert hint < next(k for k, line in enumerate(lines) if "evaluations" in line)
    assert "LIF came 1st" in ran.out
    assert "LIF came 1st" in json.loads((fitted / "result.json").read_text())["recommended"]["outcome"]
    page = (fitted / "report.html").read_text()
    assert "cell.csv" in page
    assert "LIF came 1st" in page
    assert str(fitted) not in page


def test_a_search_as_the_user_wants_it(spikefab, recording, tmp_path):
    ran = spikefab(
        "fit", recording, "--models", "lif", "--budget", "96", "--fix", "t_ref=3", "--bounds", "R_m=100:150",
        "--free", "V_th,R_m", "--weights", "1,2,0", "--held-out", "none", "--json",
    )  # fmt: skip
    assert ran.code == 0
    (result,) = ran.json["results"]
    assert result["params"]["t_ref"] == 3.0
    assert 100 <= result["params"]["R_m"] <= 150
    assert result["held_out"] is None
    assert ran.json["settings"]["weights"] == [1.0, 2.0, 0.0]
