"""JSON that is kept: what a request cannot put into it, and what a project does with any that is damaged."""

import json
import random

import pytest

from spikefab.shapes import conforms
from spikefab.studio.job_events import BuildReport
from spikefab.studio.server import Server

from .conftest import Page, neuron

ODD = [
    b'{"x": NaN}', b'{"x": -Infinity}', b'{"x": 1e999}', b'{"x": 1%s}' % (b"0" * 400), b'{"x": "\\ud800"}', b'{"\\udfff": 1}',
    b'{"x": "\\udc80"}', b'{"x": %s}' % (b"[" * 900 + b"]" * 900), b'{"x": {"y": ["\\ud83d"]}}',
]  # fmt: skip
VALUES = [
    None, True, 0, -1, 1e300, 1e400, 10**400, float("nan"), "", "../../x", "\ud800", "\0", [], {}, [None], {"a": {}}, [[1]], "1",
]  # fmt: skip
RANKING = {"type": "ranking", "how": "", "tie": None, "outcome": "", "ended_early": [], "validated": True, "rows": [{
    "rank": 1, "model": "LIFNeuron", "settings": {}, "combined_score": 0.5, "training": 0.5, "float64": None, "timing": None,
    "count": None, "masked_rmse": 1.0, "gamma": None, "spikes_model": 1, "spikes_data": 1, "tied": None, "word": 18, "dt": 0.1,
    "i_span": 1.0, "codes": {"a": 1}, "params": []}]}  # fmt: skip
REPORT = {
    "type": "report", "board": "icebreaker", "model": "LIFNeuron", "word": 18, "mhz": 12.0, "interval": 1, "latency": 9,
    "neurons": 1, "baud": 1_000_000, "steps_per_second": 22_000, "times_real_time": 2.2, "possible_neurons": 9, "pll": False,
    "free_run": 1.0,
    "clock_mhz": 12.0, "floorplan": None, "bitstream": "x.bin", "cells": [1, 2], "multipliers": [1, 2],
    "block_rams": [1, 2],
}  # fmt: skip


@pytest.mark.parametrize("body", ODD)
def test_what_no_json_can_hold_is_refused(studio, imported, body):
    before = studio.get("/api/project")
    window = f"/api/recordings/{imported['id']}/window"
    for method, path in (
        ("PUT", "/api/session"), ("POST", "/api/simulate"), ("POST", "/api/jobs"), ("PUT", window)
    ):  # fmt: skip
        assert "JSON" in studio.refused(studio.http.request(method, path, content=body), 400)
    assert studio.get("/api/project") == before


def test_what_json_can_hold_is_kept(studio):
    held = {"x": [1e299, -0.5, "\U0001f9e0 é \0", None, True, {"y": {}}], "": ""}
    assert studio.http.put("/api/session", json=held).status_code == 204
    assert studio.get("/api/project")["session"] == held
    studio.http.put("/api/session", json={})


def test_numbers_of_a_request_that_are_none(studio, imported):
    trace = f"/api/recordings/{imported['id']}/trace"
    for text in ("nan", "inf", "1e999", "9" * 5000, "-1", "0.5"):
        assert studio.http.get(trace, params={"sweep": text}).status_code == 422
        assert studio.http.get(trace, params={"from": text}).status_code in (200, 422)
    made = studio.post("/api/jobs", {"kind": "export", "neuron": neuron()})["id"]
    for text in ("9" * 5000, "-1", "x"):
        assert studio.events(made, after=text)


@pytest.mark.parametrize(
    "lacking", [(), ("pll", "free_run"), ("pll", "free_run", "baud", "steps_per_second", "times_real_time", "possible_neurons")]
)  # fmt: skip
def test_reports_of_earlier_versions_are_known(lacking):
    assert conforms({name: value for name, value in REPORT.items() if name not in lacking}, BuildReport)
    assert not conforms({**REPORT, "pll": "no"}, BuildReport) and not conforms(
        {**REPORT, "free_run": None}, BuildReport
    )


def damaged(content, dice):
    """The text of a JSON object in which something is wrong."""
    if dice.random() < 0.2:
        text = json.dumps(content)
        at = dice.randrange(len(text))
        return text[:at] + dice.choice(["", "\0", "{", '"', "9" * 5000]) + text[at + dice.randrange(9) :]
    content = json.loads(json.dumps(content))
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = dice.choice(keys)
        if isinstance(place[key], dict | list) and place[key] and dice.random() < 0.7:
            place = place[key]
        else:
            break
    if isinstance(place, dict) and dice.random() < 0.3:
        del place[key]
    else:
        place[key] = dice.choice(VALUES)
    return json.dumps(content)


@pytest.fixture(scope="module")
def project(tmp_path_factory, recording):
    """A Studio with a recording and jobs, and texts of its files: {name: content}."""
    with Server(tmp_path_factory.mktemp("stored") / "project") as server:
        page = Page(server)
        made = page.upload("cell.csv", recording.read_bytes()).json()["id"]
        jobs = [page.post("/api/jobs", {"kind": "export", "neuron": neuron()})["id"] for _ in range(2)]
        for job, kind, said in zip(jobs, ("fit", "build"), (RANKING, REPORT), strict=True):
            page.events(job)
            folder = page.folder / "jobs" / job
            (folder / "job.json").write_text((folder / "job.json").read_text().replace('"export"', f'"{kind}"'))
            (folder / "events.jsonl").write_text(
                f"{json.dumps(said)}\n{json.dumps({'type': 'state', 'state': 'done'})}\n"
            )
        page.http.put(
            "/api/session", json={"tab": "fit", "recording": made, "benches": {"LIF": {"params": {"C": 1.0}}}}
        )
        assert any(b["builds"] for b in page.get("/api/boards")["boards"])
        yield page, made, jobs


@pytest.mark.parametrize(
    "name", ["session.json", "recordings/{0}/recording.json", "jobs/{1}/job.json", "jobs/{2}/job.json"]
)
def test_a_damaged_file_costs_only_itself(project, name):
    page, made, jobs = project
    path, dice = page.folder / name.format(made, *jobs), random.Random(name)
    before = path.read_text()
    for _ in range(40):
        path.write_text(damaged(json.loads(before), dice))
        answers_well(page, made, jobs)
    path.write_text(before)
    assert len(page.get("/api/project")["recordings"]) == 1 and len(page.get("/api/project")["jobs"]) == 2


@pytest.mark.parametrize("which", [0, 1])
def test_damaged_events_cost_only_themselves(project, which):
    page, made, jobs = project
    path, dice = page.folder / "jobs" / jobs[which] / "events.jsonl", random.Random(which)
    before = path.read_text()
    lines = before.splitlines()
    for _ in range(40):
        at = max(0, len(lines) - 1 - dice.randrange(3))
        path.write_text("\n".join([*lines[:at], damaged(json.loads(lines[at]), dice), *lines[at + 1 :]]) + "\n")
        answers_well(page, made, jobs)
        assert page.events(jobs[which])
        deployed = {"kind": "export", "neuron": {"fit": jobs[which], "rank": 9}}
        assert page.http.post("/api/jobs", json=deployed).status_code in (404, 422)
    path.write_text(before)


def answers_well(page, made, jobs):
    for path in ("/api/project", "/api/models", "/api/boards"):
        answer = page.http.get(path)
        assert answer.status_code == 200, (path, answer.text)
        json.loads(answer.text.encode(), parse_constant=lambda name: pytest.fail(name))
    for path in (*(f"/api/jobs/{job}" for job in jobs), *(f"/api/recordings/{made}/{x}" for x in ("trace", "spikes"))):
        assert page.http.get(path).status_code in (200, 404, 422), (path, page.http.get(path).text)
    answer = page.http.post("/api/simulate", json={"model": "LIF", "recording": made, "dt": 0.5})
    assert answer.status_code in (200, 404, 422), answer.text


@pytest.mark.parametrize("name", ["voltage", "current", "spikes"])
def test_damaged_samples_are_a_sentence(project, name):
    page, made, _ = project
    path = page.folder / "recordings" / made / f"{name}.npy"
    before = path.read_bytes()
    for text in (b"", b"x" * 200, before[:100], before[:-80], before[:60] + b"\xff" * 9 + before[69:]):
        path.write_bytes(text)
        for what in ("trace", "spikes", "features"):
            answer = page.http.get(f"/api/recordings/{made}/{what}")
            if answer.status_code != 200:
                assert "damaged" in page.refused(answer)
        assert page.get("/api/project")["recordings"]
    path.write_bytes(before)
