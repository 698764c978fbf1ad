"""Jobs: begun, followed, paused, cancelled, resumed; and what is left when a worker or the server is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from spikefab import fit, read
from spikefab.fit.results import FitResults
from spikefab.fit.search.journal import Journal
from spikefab.studio import jobs
from spikefab.studio.project import Project
from spikefab.studio.server import Server

from .conftest import Page

MODELS, BUDGET = ["LIFNeuron", "LapicqueNeuron"], 6000


@pytest.fixture(scope="module")
def alone(recording):
    """The same fit without a Studio."""
    return fit(read(recording), models=MODELS, budget=BUDGET)


def begin(studio, recording, budget=BUDGET, **more):
    body = {"kind": "fit", "recording": recording["id"], "models": MODELS, "budget": budget, **more}
    return studio.post("/api/jobs", body)["id"]


def result(studio, job):
    return FitResults.load(studio.folder / "jobs" / job / "out")


def same(found, wanted):
    """Everything but the name of the file, which is in another folder here."""
    a, b = found.to_dict(), wanted.to_dict()
    return a["results"] == b["results"] and a["settings"] == b["settings"]


def started(event):
    return event["type"] == "progress" and event["evaluations"] > 500


def test_a_fit_is_the_fit(studio, imported, alone):
    job = begin(studio, imported)
    numbers, events = zip(*studio.events(job), strict=True)
    assert numbers[:-1] == tuple(range(1, len(numbers))) and events[-1]["state"] == "done"
    assert {e["model"] for e in events if e["type"] == "progress"} == set(MODELS)
    better = [e for e in events if e["type"] == "better"]
    assert better and better[-1]["params"]
    (ranking,) = (e for e in events if e["type"] == "ranking")
    assert [r["combined_score"] for r in ranking["rows"]] == [r.combined_score for r in alone]
    assert [r["codes"] for r in ranking["rows"]] == [r.codes for r in alone]
    assert ranking["validated"] and ranking["how"] == alone.task.split.how
    assert same(result(studio, job), alone)
    described = studio.get(f"/api/jobs/{job}")
    assert described["state"] == "done" and {"report.html", "result.json"} <= {f["name"] for f in described["files"]}
    report = studio.http.get(f"/api/jobs/{job}/files/report.html")
    assert report.status_code == 200 and b"LIF" in report.content
    assert (
        "attachment" in report.headers["content-disposition"] and "sandbox" in report.headers["content-security-policy"]
    )


def test_what_a_worker_writes_at_its_very_end_is_sent(studio, imported, alone, monkeypatch):
    """Events and end of a job, written just after the stream has looked for events."""
    job = begin(studio, imported)
    studio.wait(job, lambda event: event.get("state") == "done")
    log = studio.folder / "jobs" / job / "events.jsonl"
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-3]))
    looked = jobs.Jobs.events

    def events(self, key, after=0):
        found = list(looked(self, key, after))
        if not found:
            log.write_bytes(whole)
        return iter(found)

    # until the rest is written, the worker is at work: here it has ended long ago, and would be taken for one that was killed
    known = jobs.Jobs.state
    monkeypatch.setattr(
        jobs.Jobs, "state", lambda self, key: known(self, key) if log.read_bytes() == whole else {"state": "running"}
    )
    monkeypatch.setattr(jobs.Jobs, "events", events)
    numbers, told = zip(*studio.events(job), strict=True)
    assert numbers == (*range(1, len(lines) + 1), None) and told[-1]["state"] == "done"


@pytest.mark.slow  # a regression, or several fits
def test_the_command_that_is_shown_does_the_same(studio, imported, alone, tmp_path, monkeypatch):
    from spikefab.cli import main

    job = begin(studio, imported, seed=3, held_out="amplitudes", budget=300)
    studio.events(job)
    described = studio.get(f"/api/jobs/{job}")
    monkeypatch.chdir(studio.folder)
    program, *words = described["command"].split()
    assert program == "spikefab" and main([*words[:-1], str(tmp_path / "fit")]) == 0
    assert same(FitResults.load(tmp_path / "fit"), result(studio, job))
    python = described["python"] + f"\nresults.save({str(tmp_path / 'python.json')!r})"
    subprocess.run([sys.executable, "-c", python], cwd=studio.folder, check=True)
    assert same(FitResults.load(tmp_path / "python.json"), result(studio, job))


@pytest.mark.slow  # two processes with kernels to load
def test_paused_and_resumed(studio, imported, alone):
    job = begin(studio, imported)
    studio.wait(job, started)
    assert studio.post(f"/api/jobs/{job}/pause")["state"] == "paused"
    assert studio.post(f"/api/jobs/{job}/pause")["state"] == "paused"
    assert studio.events(job)[-1][1]["state"] == "paused"
    assert studio.post(f"/api/jobs/{job}/resume")["state"] == "running"
    assert studio.events(job)[-1][1]["state"] == "done"
    assert same(result(studio, job), alone)
    assert not (studio.folder / "jobs" / job / "journal").exists()
    assert "nothing to resume" in studio.refused(studio.http.post(f"/api/jobs/{job}/resume"))
    assert "done already" in studio.refused(studio.http.post(f"/api/jobs/{job}/cancel"))


@pytest.mark.slow  # a regression, or several fits
def test_what_was_evaluated_is_not_evaluated_again(studio, imported, recording, tmp_path, monkeypatch):
    """A loss that no simulation gives, put where the search kept it, comes back when it goes on."""
    keep, records = Journal.keep, []

    def wrong(self, codes, found):
        found = found.copy()
        if not records:
            found[0, 0] = -7.0
        records.append(found)
        keep(self, codes, found)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "keep", wrong)
        fit(read(recording), models=MODELS[:1], budget=BUDGET, journal=tmp_path)
    job = begin(studio, imported)
    studio.wait(job, started)
    studio.post(f"/api/jobs/{job}/pause")
    path = next((studio.folder / "jobs" / job / "journal").glob("LIF*"))
    path.write_bytes((tmp_path / path.name).read_bytes())
    studio.post(f"/api/jobs/{job}/resume")
    events = [e for _, e in studio.events(job)]
    assert -7.0 in [e["loss"] for e in events if e["type"] == "progress" and e["model"] == "LIFNeuron"]


@pytest.mark.slow  # two processes with kernels to load
def test_cancelled_it_keeps_the_best_so_far(studio, imported):
    job = begin(studio, imported, budget=200_000, whole_budget=True)
    studio.wait(job, started)
    assert studio.post(f"/api/jobs/{job}/cancel")["state"] == "cancelled"
    (ranking,) = (e for _, e in studio.events(job) if e["type"] == "ranking")
    assert ranking["interrupted"] and ranking["rows"]
    assert result(studio, job).interrupted
    assert "nothing to resume" in studio.refused(studio.http.post(f"/api/jobs/{job}/resume"))


def test_a_paused_fit_can_be_cancelled(studio, imported):
    job = begin(studio, imported, budget=200_000, whole_budget=True)
    studio.wait(job, started)
    studio.post(f"/api/jobs/{job}/pause")
    assert studio.post(f"/api/jobs/{job}/cancel")["state"] == "cancelled"
    assert studio.http.delete(f"/api/jobs/{job}").status_code == 204
    studio.refused(studio.http.get(f"/api/jobs/{job}"), 404)


@pytest.mark.slow  # two processes with kernels to load
def test_a_killed_worker_is_told_and_resumed(studio, imported, alone):
    job = begin(studio, imported)
    studio.wait(job, started)
    os.kill(int((studio.folder / "jobs" / job / "lock").read_text()), signal.SIGKILL)
    number, last = studio.events(job)[-1]
    assert last["state"] == "stopped" and "can be resumed" in last["error"] and number is None
    assert studio.post(f"/api/jobs/{job}/resume")["state"] == "running"
    assert studio.events(job)[-1][1]["state"] == "done"
    assert same(result(studio, job), alone)


@pytest.mark.slow  # two processes with kernels to load
def test_a_stream_goes_on_where_it_was(studio, imported):
    job = begin(studio, imported, budget=300)
    whole = studio.events(job)
    for after in (1, len(whole) // 2, len(whole) - 1):
        assert studio.events(job, after)[: len(whole) - 1 - after] == whole[after : len(whole) - 1]
    assert studio.events(job, 10**9) == studio.events(job, 10**9)


def test_what_cannot_be_fitted_is_one_sentence(studio, imported):
    job = begin(studio, imported, models=["LIF"], folds=99)
    last = studio.events(job)[-1][1]
    assert (last["state"] == "failed" and "folds" in last["error"]) or "parts" in last["error"]
    assert studio.get(f"/api/jobs/{job}")["error"] == last["error"]


@pytest.mark.slow
def test_torn_events_are_no_obstacle(studio, imported):
    job = begin(studio, imported, budget=300)
    studio.events(job)
    path = studio.folder / "jobs" / job / "events.jsonl"
    with path.open("ab") as out:
        out.write(b'{"type": "sta')
    jobs.say(path.parent, {"type": "notice", "text": "after"})
    events = [e for _, e in studio.events(job)]
    assert {"type": "torn"} in events and {"type": "notice", "text": "after"} in events
    assert studio.get(f"/api/jobs/{job}")["state"] == "done"


@pytest.mark.slow  # a regression, or several fits
def test_a_regression_and_verilog_of_a_ranked_model(studio, imported):
    fitted = begin(studio, imported, models=["LIF"], budget=300)
    studio.events(fitted)
    neuron = {"fit": fitted, "rank": 1}
    job = studio.post("/api/jobs", {"kind": "verify", "neuron": neuron, "steps": 500})
    events = [e for _, e in studio.events(job["id"])]
    (checks,) = (e for e in events if e["type"] == "checks")
    assert events[-1]["state"] == "done" and sum(c["steps"] for c in checks["rows"]) >= 500
    assert all(c["mismatches"] == 0 for c in checks["rows"])
    assert {c["stimulus"] for c in checks["rows"]} >= {"recorded", "corners"}
    steps = [e for e in events if e["type"] == "step"]
    assert [s["state"] for s in steps] == ["start", "done"] * (len(steps) // 2)
    assert job["command"] == f"spikefab verify jobs/{fitted}/out --rank 1 --steps 500"
    export = studio.post("/api/jobs", {"kind": "export", "neuron": neuron})
    assert studio.events(export["id"])[-1][1]["state"] == "done"
    names = {f["name"] for f in studio.get(f"/api/jobs/{export['id']}")["files"]}
    assert len(names) == 2 and all(n.endswith(".v") for n in names)
    wrong = {"kind": "export", "neuron": {"fit": fitted, "rank": 2}}
    assert "no result of that rank" in studio.refused(studio.http.post("/api/jobs", json=wrong))


def test_a_neuron_of_the_bench_is_deployed(studio, imported, monkeypatch):
    from spikefab.cli import main

    made = studio.simulate(model="LIF", word=16, recording=imported["id"], sweep=3)
    neuron = {"model": "LIF", "settings": {}, "word": 16, "dt": 0.1, "i_span": made["i_span"], "codes": made["codes"]}
    job = studio.post("/api/jobs", {"kind": "export", "neuron": neuron})
    assert studio.events(job["id"])[-1][1]["state"] == "done"
    monkeypatch.chdir(studio.folder)
    _, *words = job["command"].split()
    assert main([*words, "--out", "again"]) == 0
    for path in (studio.folder / "again").iterdir():
        assert path.read_bytes() == (studio.folder / "jobs" / job["id"] / "out" / path.name).read_bytes()


@pytest.mark.slow
def test_a_killed_server_loses_nothing(tmp_path, recording, alone, served):
    """The worker goes on without it; the next server finds the result."""
    folder = tmp_path / "project"
    with Server(folder) as server:
        page = Page(server)
        imported = page.upload("cell.csv", recording.read_bytes()).json()
    child, http = served(folder)
    body = {"kind": "fit", "recording": imported["id"], "models": MODELS, "budget": BUDGET}
    job = http.post("/api/jobs", json=body).json()["id"]
    child.kill()
    child.wait()
    deadline = time.monotonic() + 120
    with Server(folder) as server:
        page = Page(server)
        assert page.get(f"/api/jobs/{job}")["state"] in ("running", "done")
        while page.get(f"/api/jobs/{job}")["state"] == "running" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert page.get(f"/api/jobs/{job}")["state"] == "done"
        assert same(result(page, job), alone)
        events = page.events(job)
        assert events[0][1]["state"] == "running" and events[-1][1]["state"] == "done"


def test_ctrl_c_ends_the_server(tmp_path, served):
    child, http = served(tmp_path / "project")
    assert http.get("/api/project").status_code == 200
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 0
    Project(tmp_path / "project").close()


def test_a_folder_that_is_no_project(tmp_path, capsys):
    from spikefab.cli import main

    (tmp_path / "file").write_text("")
    assert main(["studio", str(tmp_path / "file")]) == 3
    assert main(["studio", str(tmp_path)]) == 2
    assert "no project of the Studio" in capsys.readouterr().err
    assert [p.name for p in Path(tmp_path).iterdir()] == ["file"]


def test_in_a_notebook(tmp_path):
    from spikefab.studio import server, show

    frame = show(tmp_path / "project", height=500)
    try:
        assert frame.src.startswith("http://127.0.0.1:") and "/?token=" in frame.src and frame.height == 500
        assert show(tmp_path / "project").src == frame.src
        page = httpx.get(frame.src, trust_env=False)  # without a cookie, which a browser may refuse to a frame
        assert page.status_code in (200, 503)
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors http://localhost:* http://127.0.0.1:*" in policy
    finally:
        server._shown.pop((tmp_path / "project").absolute()).__exit__()
