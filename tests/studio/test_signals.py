"""Signals and a full disk in the life of a worker: what it has found is saved, or it can be resumed."""

import os
import signal
import subprocess
import sys

import pytest

from spikefab.fit.results import FitResults
from spikefab.studio import jobs

MODELS = ["LIFNeuron"]


def begin(studio, recording, budget):
    body = {"kind": "fit", "recording": recording["id"], "models": MODELS, "budget": budget}
    return studio.post("/api/jobs", body)["id"]


@pytest.fixture
def paused(studio, imported):
    """The folder of a fit that was paused in its midst."""
    job = begin(studio, imported, 1500)
    studio.wait(job, lambda e: e["type"] == "progress" and e["evaluations"] > 500)
    studio.post(f"/api/jobs/{job}/pause")
    folder = studio.folder / "jobs" / job
    (folder / "stop").unlink()
    return folder


def work(folder, before):
    """Run the worker of a job, after some lines of Python."""
    script = f"""if True:
        import errno, os, pathlib, signal, sys
        from spikefab.fit.report.folder import OutputFolder
        from spikefab.studio import worker
        save, say, folder = OutputFolder.save_fit, worker.say, pathlib.Path(sys.argv[1])
        def kill(number): os.kill(os.getpid(), number)
        {before}
        sys.exit(worker.main(folder))"""
    return subprocess.run([sys.executable, "-c", script, folder], timeout=120, capture_output=True, text=True)


def result(folder):
    return FitResults.load(folder / "out")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_interrupted_by_a_stranger_it_is_resumed(studio, imported, number):
    job = begin(studio, imported, 1500)
    folder = studio.folder / "jobs" / job
    studio.wait(job, lambda e: e["type"] == "progress" and e["evaluations"] > 500)
    os.kill(int((folder / "lock").read_text()), number)
    last = studio.events(job)[-1][1]
    assert (last["state"], last["error"]) == ("stopped", jobs.INTERRUPTED)
    assert list((folder / "journal").iterdir()) and not (folder / "out" / "result.json").exists()
    studio.post(f"/api/jobs/{job}/resume")
    assert studio.events(job)[-1][1]["state"] == "done"
    assert not result(folder).interrupted and not (folder / "journal").exists()


@pytest.mark.slow  # a fit, twice
@pytest.mark.parametrize("asked", ["", pytest.param("pause", marks=pytest.mark.slow), "cancel"])
def test_a_finished_fit_is_saved_whatever_comes(studio, paused, asked):
    before = f"""
        def loud(*given):
            {f"(folder / 'stop').write_text('{asked}')" if asked else "pass"}
            for _ in range(4): kill(signal.SIGTERM); kill(signal.SIGINT)
            save(*given)
            kill(signal.SIGTERM)
        OutputFolder.save_fit = loud"""
    done = work(paused, before)
    assert done.returncode == 0, done.stderr
    assert studio.get(f"/api/jobs/{paused.name}")["state"] == "done"
    assert not result(paused).interrupted and not (paused / "journal").exists()


AT_THE_END = """
        from spikefab.errors import FileError
        def full(*_): raise FileError("the folder cannot be written: No space left on device.")
        OutputFolder.save_fit = full"""
IN_ITS_MIDST = """
        def full(where, event):
            if event["type"] == "progress": raise OSError(errno.ENOSPC, "No space left on device")
            say(where, event)
        worker.say = full"""


@pytest.mark.slow  # a fit, twice
@pytest.mark.parametrize(("before", "then"), [(AT_THE_END, "resume"), (IN_ITS_MIDST, "cancel")])
def test_a_full_disk_costs_nothing(studio, paused, before, then):
    work(paused, before)
    told = studio.get(f"/api/jobs/{paused.name}")
    assert told["state"] == "stopped" and "No space left" in told["error"]
    assert list((paused / "journal").iterdir())
    studio.post(f"/api/jobs/{paused.name}/{then}")
    assert studio.events(paused.name)[-1][1]["state"] == {"resume": "done", "cancel": "cancelled"}[then]
    assert not (paused / "journal").exists()


@pytest.mark.slow  # a fit, twice
def test_killed_before_it_could_delete_its_journal(studio, paused):
    work(paused, "pass")
    (paused / "journal").mkdir()
    jobs.Jobs(studio.server.studio.project)
    assert not (paused / "journal").exists()
