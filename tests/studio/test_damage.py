"""A project whose files are damaged, and requests that come at the same time."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spikefab.studio.server import Server

from .conftest import Page

FIT = {"kind": "fit", "models": ["LIFNeuron"], "budget": 300}


@pytest.fixture(scope="module")
def whole(studio, imported):
    """A job that is done."""
    job = studio.post("/api/jobs", FIT | {"recording": imported["id"]})["id"]
    studio.events(job)
    while workers(job):
        time.sleep(0.01)
    return job


@pytest.mark.parametrize(
    ("name", "text"),
    [("jobs/{job}/job.json", "{"), ("jobs/{job}/job.json", "{}"), ("jobs/jzzz/job.json", "{}"),
     ("jobs/j0 (copy)/job.json", "{}"), ("recordings/{rec}/recording.json", "{}"),
     ("recordings/{rec}/recording.json", '{"options": null}'), ("recordings/rx/recording.json", "[]")],
)  # fmt: skip
def test_what_is_damaged_costs_only_itself(studio, imported, whole, name, text):
    path = studio.folder / name.format(job=whole, rec=imported["id"])
    before = path.read_bytes() if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    try:
        told = studio.get("/api/project")
        assert [j["id"] for j in told["jobs"]] == ([] if whole in name.format(job=whole, rec="") else [whole])
        assert studio.get("/api/models")["models"] and studio.get("/api/boards")["boards"]
        if "jobs/{job}" in name:
            assert "no job" in studio.refused(studio.http.get(f"/api/jobs/{whole}"), 404)
        if "{rec}" in name:
            assert told["recordings"] == []
            assert "no recording" in studio.refused(studio.http.get(f"/api/recordings/{imported['id']}/trace"), 404)
    finally:
        if before is None:
            path.unlink()
            path.parent.rmdir()
        else:
            path.write_bytes(before)
    assert [r["id"] for r in studio.get("/api/project")["recordings"]] == [imported["id"]]


@pytest.mark.parametrize("line", ["[]", '{"type": "state"}', '{"type": 3}', '{"type": "state", "state": "gone"}', "7"])
def test_events_that_say_nothing(studio, whole, line):
    path = studio.folder / "jobs" / whole / "events.jsonl"
    before = path.read_bytes()
    try:
        path.write_bytes(before + line.encode() + b"\n")
        assert studio.get(f"/api/jobs/{whole}")["state"] == "done"
        path.write_bytes(line.encode() + b"\n")
        assert studio.get(f"/api/jobs/{whole}")["state"] == "stopped"  # nothing tells that it ended
    finally:
        path.write_bytes(before)


def test_links_lead_nowhere(studio, whole, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    link = studio.folder / "jobs" / whole / "out" / "secret.txt"
    link.symlink_to(tmp_path / "secret.txt")
    assert "secret.txt" not in [f["name"] for f in studio.get(f"/api/jobs/{whole}")["files"]]
    studio.refused(studio.http.get(f"/api/jobs/{whole}/files/secret.txt"), 404)
    link.unlink()


def workers(job):
    """Processes that work on a job."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"spikefab.studio.worker" in words and any(w.endswith(job.encode()) for w in words):
            found.append(path)
    return found


@pytest.mark.slow
def test_resumed_twice_at_once_it_has_one_worker(studio, imported):
    job = studio.post("/api/jobs", FIT | {"recording": imported["id"], "budget": 10**6, "whole_budget": True})["id"]
    studio.wait(job, lambda e: e["type"] == "progress")
    for _ in range(2):
        studio.post(f"/api/jobs/{job}/pause")
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: studio.http.post(f"/api/jobs/{job}/resume"), range(6)))
        assert sorted(a.status_code for a in answers) == [200, *[422] * 5]
        assert len(workers(job)) == 1
    studio.post(f"/api/jobs/{job}/pause")
    assert not workers(job)
    said = len(list(studio.server.studio.jobs.events(job)))
    time.sleep(1)
    assert len(list(studio.server.studio.jobs.events(job))) == said
    studio.post(f"/api/jobs/{job}/cancel")
    assert [e["state"] for _, e in studio.events(job) if e["type"] == "state"].count("cancelled") >= 1
    assert not (studio.folder / "jobs" / job / "journal").exists()


def test_begun_at_once_there_are_no_more_than_a_few(studio, imported):
    body = FIT | {"recording": imported["id"], "budget": 10**6, "whole_budget": True}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: studio.http.post("/api/jobs", json=body), range(6)))
    made = [a.json() for a in answers if a.status_code == 201]
    assert len(made) == 6 and sorted(job["state"] for job in made) == ["queued"] * 4 + ["running"] * 2
    assert len({job["title"] for job in made}) == 6
    for job in sorted(made, key=lambda job: job["state"]):  # first those that would start
        studio.post(f"/api/jobs/{job['id']}/cancel")


def test_a_fit_whose_recording_is_gone_is_not_resumed(studio, recording):
    other = studio.upload("other.csv", recording.read_bytes()).json()["id"]
    job = studio.post("/api/jobs", FIT | {"recording": other, "budget": 10**6, "whole_budget": True})["id"]
    studio.wait(job, lambda e: e["type"] == "progress")
    studio.post(f"/api/jobs/{job}/pause")
    studio.http.delete(f"/api/recordings/{other}")
    assert "no recording" in studio.refused(studio.http.post(f"/api/jobs/{job}/resume"), 404)
    assert studio.get(f"/api/jobs/{job}")["state"] == "paused"
    studio.post(f"/api/jobs/{job}/cancel")


def test_killed_while_a_recording_is_replaced_it_has_the_old_one(tmp_path, recording):
    with Server(tmp_path / "p") as server:
        page = Page(server)
        made = page.upload("cell.csv", recording.read_bytes()).json()
    place = tmp_path / "p" / "recordings"
    (place / ".before").mkdir()
    (place / made["id"]).rename(place / ".before" / made["id"])
    with Server(tmp_path / "p") as server:
        assert [r["id"] for r in Page(server).get("/api/project")["recordings"]] == [made["id"]]
        assert [p.name for p in place.iterdir()] == [made["id"]]


def test_a_damaged_session_is_an_empty_one(tmp_path):
    with Server(tmp_path / "p") as server:
        page = Page(server)
        for text in ("{", "[]", "null"):
            (page.folder / "session.json").write_text(text)
            assert page.get("/api/project")["session"] == {}
        assert json.loads((page.folder / "studio.json").read_text())["format"] == 1
