"""Jobs that wait for others, their names and notes, and the time for which they have run."""

import os
import signal
import time
from datetime import datetime

import pytest

from spikefab.studio import job_log, jobs
from spikefab.studio.server import Server

from .conftest import Page, neuron

LONG = {"kind": "fit", "models": ["LIFNeuron"], "budget": 10**6, "whole_budget": True}
SHORT = LONG | {"budget": 300}


def begin(studio, imported, body):
    return studio.post("/api/jobs", body | {"recording": imported["id"]})


def state(studio, job):
    return studio.get(f"/api/jobs/{job}")["state"]


def until(studio, job, wanted):
    deadline = time.monotonic() + 120
    while state(studio, job) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    assert state(studio, job) == wanted


def states(studio, job):
    return [e["state"] for _, e in studio.server.studio.jobs.events(job) if e["type"] == "state"]


@pytest.mark.slow  # three fits
def test_a_third_job_waits_and_starts_by_itself(studio, imported):
    running = [begin(studio, imported, LONG)["id"] for _ in range(jobs.AT_ONCE)]
    third, fourth, fifth = (begin(studio, imported, SHORT)["id"] for _ in range(3))
    assert [state(studio, j) for j in (*running, third, fourth, fifth)] == ["running"] * 2 + ["queued"] * 3
    assert "cancel it first" in studio.refused(studio.http.delete(f"/api/jobs/{running[0]}"))
    assert "is queued" in studio.refused(studio.http.delete(f"/api/jobs/{third}"))
    assert studio.post(f"/api/jobs/{fourth}/cancel")["state"] == "cancelled"
    assert studio.post(f"/api/jobs/{fifth}/pause")["state"] == "paused"
    assert studio.post(f"/api/jobs/{fifth}/resume")["state"] == "queued"  # behind the third
    time.sleep(1)
    assert state(studio, third) == "queued"
    studio.post(f"/api/jobs/{running[0]}/cancel")
    until(studio, third, "done")
    until(studio, fifth, "done")
    assert states(studio, third) == ["queued", "running", "done"]
    assert states(studio, fourth) == ["queued", "cancelled"]
    order = [
        next(e["time"] for _, e in studio.server.studio.jobs.events(j) if e.get("state") == "running")
        for j in (third, fifth)
    ]
    assert order == sorted(order)
    studio.post(f"/api/jobs/{running[1]}/cancel")


def test_the_queue_has_an_end(studio, imported, monkeypatch):
    monkeypatch.setattr(jobs, "AT_ONCE", 0)
    monkeypatch.setattr(jobs, "QUEUE", 2)
    waiting = [begin(studio, imported, SHORT)["id"] for _ in range(2)]
    answer = studio.http.post("/api/jobs", json=SHORT | {"recording": imported["id"]})
    assert "2 jobs wait already" in studio.refused(answer)
    for job in waiting:
        assert studio.post(f"/api/jobs/{job}/cancel")["state"] == "cancelled"


@pytest.mark.slow  # two servers, and kernels to load
def test_the_next_server_starts_what_is_queued(tmp_path, recording, monkeypatch):
    folder = tmp_path / "project"
    with monkeypatch.context() as patched, Server(folder) as server:
        patched.setattr(jobs, "AT_ONCE", 0)
        page = Page(server)
        imported = page.upload("cell.csv", recording.read_bytes()).json()
        waiting = [begin(page, imported, SHORT)["id"] for _ in range(3)]
        time.sleep(1)
        assert [state(page, j) for j in waiting] == ["queued"] * 3
    with Server(folder) as server:
        page = Page(server)
        for job in waiting:
            until(page, job, "done")
        started = [
            next(e["time"] for _, e in server.studio.jobs.events(j) if e.get("state") == "running") for j in waiting
        ]
        assert started == sorted(started)


def test_the_time_of_a_job_is_that_of_its_workers(studio, imported):
    begun = time.time()
    job = begin(studio, imported, LONG)["id"]
    studio.wait(job, lambda e: e["type"] == "progress")
    told = studio.get(f"/api/jobs/{job}")
    assert told["spent"] == 0 and begun - 1 < datetime.fromisoformat(told["since"]).timestamp() < time.time()
    studio.post(f"/api/jobs/{job}/pause")
    first = studio.get(f"/api/jobs/{job}")
    assert first["since"] is None and 0 < first["spent"] < time.time() - begun + 1
    time.sleep(1.5)  # a break, which does not count
    studio.post(f"/api/jobs/{job}/resume")
    os.kill(int((studio.folder / "jobs" / job / "lock").read_text()), signal.SIGKILL)
    until(studio, job, "stopped")
    killed = studio.get(f"/api/jobs/{job}")
    assert killed["since"] is None and first["spent"] <= killed["spent"] < time.time() - begun - 1.5
    time.sleep(1.5)  # it was killed before this, and cancelled after it
    studio.post(f"/api/jobs/{job}/cancel")
    # in events, a time has whole milliseconds
    assert studio.get(f"/api/jobs/{job}")["spent"] == pytest.approx(killed["spent"], abs=0.01)


def test_a_job_of_an_earlier_version_has_no_times(tmp_path):
    (tmp_path / "events.jsonl").write_text(
        '{"type": "state", "state": "running"}\n{"type": "state", "state": "done"}\n'
    )
    told = job_log.summary(tmp_path)
    assert (told.state["state"], told.spent, told.since, told.best) == ("done", None, None, None)


def test_names_and_notes(studio, imported):
    first, second = (begin(studio, imported, SHORT) for _ in range(2))
    assert first["title"] == "cell.csv · LIF" or first["title"].startswith("cell.csv · LIF (")
    assert second["title"] != first["title"] and second["title"].startswith("cell.csv · LIF (")
    studio.events(first["id"])
    done = studio.get(f"/api/jobs/{first['id']}")
    (ranking,) = (e for _, e in studio.events(first["id"]) if e["type"] == "ranking")
    assert done["title"] == f"{first['title']} · LIF {ranking['rows'][0]['combined_score']:.3f}"
    path = f"/api/jobs/{first['id']}"
    told = studio.http.put(path, json={"name": " The good\x07 one\n", "note": "membrane\nresistance?\u202e"}).json()
    assert (told["title"], told["name"], told["note"]) == ("The good one",) * 2 + ("membrane\nresistance?",)
    told = studio.http.put(path, json={"name": ""}).json()
    assert told["title"] == done["title"] and told["note"] == "membrane\nresistance?"
    studio.http.put(path, json={"name": "again"})
    listed = {j["id"]: j["title"] for j in studio.get("/api/project")["jobs"]}
    assert listed[first["id"]] == "again"
    made = studio.post("/api/jobs", {"kind": "export", "neuron": {"fit": first["id"], "rank": 1}})
    assert made["title"] == "Verilog of LIF · rank 1 of again"
    for wrong in ({"name": 3}, {"note": ["x"]}, {"name": "x" * 201}, {"note": "x" * 4001}):
        assert "a text of at most" in studio.refused(studio.http.put(path, json=wrong))
    studio.refused(studio.http.put("/api/jobs/j00000000", json={"name": "x"}), 404)
    assert studio.get(path)["title"] == "again"
    (studio.folder / "jobs" / first["id"] / "label.json").write_text('{"name": 7}')
    assert studio.get(path)["title"] == done["title"]


def test_names_of_fits_say_how_many_models(studio, imported):
    body = {"kind": "fit", "recording": imported["id"], "budget": 10**6, "whole_budget": True}
    titles = []
    for models in (None, ["LIF", "AdEx", "ExpIF", "MAT"]):
        made = studio.post("/api/jobs", body | {"models": models})
        studio.post(f"/api/jobs/{made['id']}/cancel")
        titles.append(made["title"])
    assert titles == ["cell.csv · all 15 models", "cell.csv · 4 models"]


def test_a_regression_of_the_bench_has_a_name(studio):
    made = studio.post("/api/jobs", {"kind": "export", "neuron": neuron()})
    assert made["title"] == "Verilog of LIF"


def test_the_same_import_twice_is_told(studio, imported, recording):
    content = recording.read_bytes()
    again = studio.upload("cell.csv", content).json()
    assert again["same_as"] == "cell.csv" and again["name"] == "cell.csv (2)"
    other = studio.upload("other.csv", content).json()
    assert other["same_as"] == "cell.csv" and other["name"] == "other.csv"
    changed = studio.upload("cell.csv", content, spike_prominence=30).json()
    assert "same_as" not in changed and changed["name"] == "cell.csv (3)"
    assert "same_as" not in imported
    for made in (again, other, changed):
        studio.http.delete(f"/api/recordings/{made['id']}")


def test_what_a_fit_holds_out_is_told_before_it_is_over(studio, imported):
    job = begin(studio, imported, LONG)["id"]
    events = studio.wait(job, lambda e: e["type"] == "progress" and e["remaining"])
    split = next(e for e in events if e["type"] == "split")
    ((sweep, start, stop),) = ((p["sweep"], p["start"], p["stop"]) for p in split["held_out"])
    whole = imported["sweeps"][sweep]
    assert start == 0 and stop == pytest.approx(whole["duration"], rel=0.01) and whole["spikes"]
    assert "1 of 5 sweeps" in split["how"]
    assert [e["share"] for e in events if e["type"] == "portion"] == [1.0]
    studio.post(f"/api/jobs/{job}/cancel")
