"""What the scores of a fit cost on a board: asked of the Studio, and what its command line and Python code give."""

import json
import shutil
import subprocess
import sys

import pytest

from spikefab.fit.report.folder import described_neuron

MODELS = ["LIFNeuron", "LapicqueNeuron"]
BUILD = {"kind": "build", "neuron": {"model": "LIFNeuron", "codes": {}}}


@pytest.fixture
def fitted(studio, imported):
    job = studio.post("/api/jobs", {"kind": "fit", "recording": imported["id"], "models": MODELS, "budget": 96})["id"]
    assert studio.events(job)[-1][1]["state"] == "done"
    return job


def begun(studio, fit, board="ulx3s-25f"):
    return studio.post("/api/jobs", {"kind": "pareto", "fit": fit, "board": board})


def test_a_front_is_that_of_the_fit(studio, fitted, tmp_path, monkeypatch):
    from spikefab.cli import main

    job = begun(studio, fitted)
    assert job["title"].startswith("What accuracy costs on ulx3s-25f")
    events = [e for _, e in studio.events(job["id"])]
    assert events[-1]["state"] == "done"
    (front,) = [e for e in events if e["type"] == "front"]
    out = studio.folder / "jobs" / job["id"] / "out"
    content = json.loads((out / "pareto.json").read_text())
    assert front["sentences"] == content["sentences"] and front["validated"]
    expected = [p for p in content["points"] if p["front"]]
    for name in ("form", "score", "cells", "multipliers", "block_rams", "mhz", "neurons", "knee"):
        assert [p[name] for p in front["points"]] == [p[name] for p in expected]
    assert sum(p["knee"] for p in front["points"]) == 2
    for p in front["points"]:
        program, what, file, *more = p["command"].split()
        assert (program, what) == ("spikefab", "build") and ("--neurons" in more) == (p["form"] == "pipelined")
        neuron, told = described_neuron(studio.folder / file), p["neuron"]
        assert (type(neuron).__name__, neuron.word, neuron.codes) == (told["model"], told["word"], told["codes"])
    picture = studio.http.get(f"/api/jobs/{job['id']}/files/{front['picture']}")
    assert picture.headers["content-type"] == "image/png" and picture.content.startswith(b"\x89PNG")
    monkeypatch.chdir(studio.folder)
    described = studio.get(f"/api/jobs/{job['id']}")
    program, *words = described["command"].split()
    assert program == "spikefab" and main([*words[:-1], str(tmp_path)]) == 0
    assert json.loads((tmp_path / "pareto.json").read_text()) == content
    python = described["python"] + f"\nfront.save({str(tmp_path / 'python')!r})"
    subprocess.run([sys.executable, "-c", python], cwd=studio.folder, check=True)
    assert json.loads((tmp_path / "python" / "pareto.json").read_text()) == content


def test_what_has_no_front_is_refused(studio, fitted, imported):
    def refused(status=422, **asked):
        return studio.refused(studio.http.post("/api/jobs", json={"kind": "pareto", **asked}), status)

    assert "must be a text" in refused(board="icebreaker")
    assert "There is no job" in refused(404, fit="j0", board="icebreaker")
    assert "did you mean icebreaker" in refused(fit=fitted, board="icebraker")
    own = studio.folder / "mine.toml"
    own.write_text("name = 1\n")
    asked = {"kind": "fit", "recording": imported["id"], "models": MODELS, "target": str(own)}
    for sentence in (
        refused(fit=fitted, board=str(own)),
        studio.refused(studio.http.post("/api/jobs", json=asked)),
        studio.refused(studio.http.post("/api/jobs", json={**BUILD, "board": str(own)})),
    ):
        assert "a board of your own is for the command line" in sentence
    front = begun(studio, fitted)["id"]
    studio.events(front)
    assert "no results" in refused(fit=front, board="icebreaker")


def test_a_recording_that_is_gone_or_was_read_otherwise(studio, fitted, imported):
    """Each is one sentence, when it is asked or when it is done."""
    key = imported["id"]
    result = studio.folder / "jobs" / fitted / "out" / "result.json"
    before = result.read_text()
    content = json.loads(before)
    content["input"]["sha256"] = "0" * 64
    result.write_text(json.dumps(content))
    end = studio.events(begun(studio, fitted)["id"])[-1][1]
    assert end["state"] == "failed" and "is not the recording of these results" in end["error"]
    assert str(studio.folder) not in end["error"]
    result.write_text(before)
    shutil.rmtree(studio.folder / "recordings" / key)
    asked = {"kind": "pareto", "fit": fitted, "board": "icebreaker"}
    assert "no recording" in studio.refused(studio.http.post("/api/jobs", json=asked), 404)
