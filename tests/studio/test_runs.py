"""Runs in a board, on simulated ones: what is refused, what is told and kept, and that the shown commands do the same."""

import csv
import os
import shlex
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from spikefab import interrupts
from spikefab.boards.runs import RunFiles
from spikefab.boards.table import get_board
from spikefab.boards.top import Setup
from spikefab.boards.twin import ReferenceTwin
from spikefab.cli import main, make_parser
from spikefab.errors import DoesNotFitError, MismatchError, TimingError, ToolError
from spikefab.fit.report.folder import fitted_neuron
from spikefab.hw.models import LIFNeuron
from spikefab.shapes import conforms
from spikefab.studio import run_events, worker
from spikefab.studio.job_events import JobEvent
from spikefab.studio.run_events import EVERY, MOST, POINTS, RunEvents, extremes

from .conftest import neuron

STEP = {"current": "step", "step": 0.7, "seconds": 0.2}
ASKED = {"kind": "run", "board": "icebreaker", "port": "sim:reference", **STEP}
CLAIMS = ("real time", "on the board", "verified on hardware")


def begin(studio, **more):
    return studio.post("/api/jobs", {**ASKED, "neuron": neuron(), **more})


def ended(studio, job):
    """The events of a job, until it is over."""
    events = [e for _, e in studio.events(job["id"])]
    assert all(conforms(e, JobEvent) for e in events)
    return events


def expected(seconds=0.2, level=0.7):
    made = LIFNeuron()
    current = np.r_[np.zeros(round(1000 * seconds)), np.full(round(9000 * seconds), level)]
    return made, current, made.run(current)


def test_a_run_is_the_reference(studio):
    job = begin(studio)
    assert job["title"] == "LIF in icebreaker, simulated" and job["kind"] == "run"
    events = ended(studio, job)
    assert events[-1]["state"] == "done", events[-1]
    made, current, voltage = expected()

    samples = [e for e in events if e["type"] == "samples"]
    assert [e["anew"] for e in samples] == [True] + [False] * (len(samples) - 1)
    assert all(len(e["times"]) == len(e["voltage"]) <= MOST for e in samples)
    assert sorted(t for e in samples for t in e["spikes"]) == pytest.approx(list(made.spikes))
    assert (samples[-1]["fired"], samples[-1]["done"], samples[-1]["total"]) == (len(made.spikes), 2000, 2000)
    for e in samples:
        at = np.round(np.array(e["times"]) / 0.1).astype(int)
        assert np.allclose(e["voltage"], voltage[at], rtol=0, atol=5.1e-4)

    (told,) = (e for e in events if e["type"] == "run")
    assert told["simulated"] and told["where"] == "the reference behind the same bytes"
    assert (told["mode"], told["port"], told["board"]) == ("lockstep", "sim:reference", "icebreaker")
    assert (told["steps"], told["samples"], told["spikes"], told["mismatches"]) == (2000, 2000, len(made.spikes), 0)
    assert next(e["name"] for e in events if e["type"] == "step" and e["state"] == "start") == "connecting"
    assert not any(claim in str(events) for claim in CLAIMS)

    out = studio.folder / "jobs" / job["id"] / "out"
    with (out / "run.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["voltage_mV"]) for row in rows] == list(voltage)
    assert [float(row["current_nA"]) for row in rows] == list(current)
    assert [k for k, row in enumerate(rows) if int(row["spike"])] == _steps(made)
    with np.load(out / "run.npz") as kept:
        assert np.array_equal(kept["voltage"], voltage) and np.array_equal(kept["step"], np.arange(2000))
    assert {f["name"] for f in studio.get(f"/api/jobs/{job['id']}")["files"]} == {"run.csv", "run.npz"}


def _steps(made):
    return [round(float(t) / 0.1) for t in made.spikes]


def test_free_run_with_noise_of_spikes_only(studio):
    events = ended(studio, begin(studio, way="free-run", every=32768, noise=0.1))
    assert events[-1]["state"] == "done", events[-1]
    samples = [e for e in events if e["type"] == "samples"]
    assert not any(e["times"] for e in samples) and sum(len(e["spikes"]) for e in samples) == samples[-1]["fired"] > 5
    (told,) = (e for e in events if e["type"] == "run")
    assert (told["mode"], told["mismatches"]) == ("free-run", 0) and told["samples"] < 2000
    notes = [e["text"] for e in events if e["type"] == "step" and e["state"] == "note"]
    assert any(text.startswith("noise: uniform, -0.") for text in notes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"port": "/etc/passwd"}, "a path in /dev"),
        ({"port": "/dev/../etc/passwd"}, "a path in /dev"),
        ({"port": "/dev/tty USB1"}, "a path in /dev"),
        ({"port": 5}, "port must be a text"),
        ({"board": "icebraker"}, "did you mean icebreaker?"),
        ({"way": "fast"}, "way is one of lockstep, free-run"),
        ({"every": 5}, "every 1, 4, 16, 256, 32768 steps, not every 5"),
        ({"current": "noise"}, "current is one of recorded, step"),
        ({"current": "recorded"}, "Only a fit has a recorded current"),
        ({"step": 99}, "beyond the input of this neuron, which takes -4 to 4 nA"),
        ({"step": None}, "step must be a number"),
        ({"seconds": 0}, "seconds must be 0.001 to"),
        ({"seconds": 300}, "at most 200 s"),
        ({"noise": -1}, "noise must be 0 to"),
        ({"noise": 1e-9}, "noise of 1e-09 nA is not within"),
    ],
)
def test_what_makes_no_sense_is_refused(studio, change, says):
    answer = studio.http.post("/api/jobs", json={**ASKED, "neuron": neuron(), **change})
    assert says in studio.refused(answer)
    assert "--" not in answer.json()["error"]


def test_a_board_that_is_not_there_is_a_sentence(studio):
    events = ended(studio, begin(studio, port="/dev/none"))
    assert events[-1]["state"] == "failed" and "there is no port /dev/none" in events[-1]["error"]


def test_a_pseudo_terminal_is_no_board(studio):
    """A twin of the user's own: its port says nothing of it, but that no board is behind it."""
    with ReferenceTwin(Setup(LIFNeuron(), get_board("icebreaker"))) as twin:
        events = ended(studio, begin(studio, port=twin.path))
    (told,) = (e for e in events if e["type"] == "run")
    assert told["simulated"] and told["where"] == f"a simulated icebreaker at {twin.path}" and not told["mismatches"]


def test_cancelled_it_keeps_what_came(studio):
    job = begin(studio, seconds=100)
    studio.wait(job["id"], lambda e: e["type"] == "samples" and e["done"] > 1000)
    assert studio.post(f"/api/jobs/{job['id']}/cancel")["state"] == "cancelled"
    events = ended(studio, job)
    assert events[-1]["state"] == "cancelled" and not any(e["type"] == "run" for e in events)
    told = [e for e in events if e["type"] == "samples"]
    assert 1000 < told[-1]["done"] < told[-1]["total"] == 1_000_000
    assert "Only a fit can be paused" in studio.refused(studio.http.post(f"/api/jobs/{job['id']}/pause"))
    with np.load(studio.folder / "jobs" / job["id"] / "out" / "run.npz") as kept:
        assert len(kept["step"]) == told[-1]["done"]
        assert np.array_equal(kept["voltage"], LIFNeuron().run(kept["current"][: len(kept["step"])]))


def in_process(tmp_path, monkeypatch, **settings):
    """The work of a run, without a process of its own, and the events that it tells."""
    said = []
    work = worker._Work.__new__(worker._Work)
    work.folder, work.out, work.saving = tmp_path, tmp_path / "out", False
    usual = {"board": "icebreaker", "port": "sim:reference", "way": "lockstep", "every": 1, "noise": 0.0}
    work.settings = usual | STEP | settings
    monkeypatch.setattr(work, "_neuron", lambda: (LIFNeuron(), None))
    monkeypatch.setattr(work, "say", lambda kind, **content: said.append({"type": kind, **content}))
    return work, said


def test_a_mismatch_fails(tmp_path, monkeypatch):
    from spikefab.boards import playing

    honest = playing.simulated

    def wrong(*args):
        codes, *rest = honest(*args)
        return codes + (np.arange(len(codes)) == 7), *rest

    monkeypatch.setattr(playing, "simulated", wrong)
    work, said = in_process(tmp_path, monkeypatch)
    with pytest.raises(MismatchError, match="reference differ in 1 of 2,000 steps"):
        work._run_board()
    assert said[-1]["type"] == "run" and said[-1]["mismatches"] == 1
    assert (tmp_path / "out" / "run.csv").is_file()


@pytest.mark.parametrize("after", ["kept", "drawn", "told"])
def test_an_interrupt_between_keeping_and_telling(tmp_path, monkeypatch, after):
    work, said = in_process(tmp_path, monkeypatch, seconds=2)
    calls = []

    def interrupted(do):
        def done(*args, **content):
            result = do(*args, **content)
            calls.append(1)
            if len(calls) == 20:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
            return result

        return done

    monkeypatch.setattr(run_events, "EVERY", 0)
    where, name = {"kept": (RunFiles, "take"), "drawn": (run_events, "extremes"), "told": (work, "say")}[after]
    monkeypatch.setattr(where, name, interrupted(getattr(where, name)))
    with interrupts.listening(), interrupts.deferred(), pytest.raises(KeyboardInterrupt):
        work._run_board()
    told = [e["done"] for e in said if e["type"] == "samples"]
    with np.load(tmp_path / "out" / "run.npz") as kept:
        assert 0 < len(kept["step"]) == told[-1] < 20_000


def words_of(job):
    program, *words = shlex.split(job["command"])
    assert program == "spikefab"
    return make_parser().parse_args(words)


def test_the_commands_do_the_same(studio, tmp_path, monkeypatch):
    job = begin(studio, every=4, noise=0.05, way="free-run")
    assert ended(studio, job)[-1]["state"] == "done"
    asked = words_of(job)
    assert (asked.port, asked.board, asked.free, asked.every) == ("sim:reference", "icebreaker", True, 4)
    assert (asked.step, asked.seconds, asked.noise) == (0.7, 0.2, 0.05)
    monkeypatch.chdir(studio.folder)
    _, *words = shlex.split(job["command"])
    assert main([*words[:-1], str(tmp_path / "again")]) == 0
    wanted = (studio.folder / "jobs" / job["id"] / "out" / "run.csv").read_bytes()
    assert (tmp_path / "again" / "run.csv").read_bytes() == wanted
    check = f"import numpy\nnumpy.save({str(tmp_path / 'v.npy')!r}, run.voltage)\nassert run.mismatches == 0"
    subprocess.run([sys.executable, "-c", f"{job['python']}\n{check}"], cwd=studio.folder, check=True)
    with np.load(studio.folder / "jobs" / job["id"] / "out" / "run.npz") as kept:
        assert np.array_equal(np.load(tmp_path / "v.npy"), kept["voltage"])


def test_the_command_for_a_board(studio):
    job = begin(studio, port="", step=-1e-5, seconds=0.05)  # no board is connected here
    asked = words_of(job)
    assert asked.port is None and asked.step == -1e-5 and not asked.free and asked.every == 1 and asked.noise is None
    assert "connect(None, neuron, board='icebreaker')" in job["python"]
    assert job["title"].startswith("LIF in icebreaker")
    last = ended(studio, job)[-1]
    assert last["state"] == "failed" and "connected (USB 0403:6010)" in last["error"]


def test_the_recorded_current_of_a_fit(studio, imported):
    fitted = studio.post(
        "/api/jobs", {"kind": "fit", "recording": imported["id"], "models": ["LIFNeuron"], "budget": 64}
    )["id"]
    studio.events(fitted)
    which = {"fit": fitted, "rank": 1}
    job = begin(studio, neuron=which, current="recorded")
    assert ended(studio, job)[-1]["state"] == "done"
    assert job["command"] == (
        f"spikefab run jobs/{fitted}/out --rank 1 --port sim:reference --board icebreaker --out run"
    )
    words_of(job)
    made, current = fitted_neuron(studio.folder / "jobs" / fitted / "out")
    with np.load(studio.folder / "jobs" / job["id"] / "out" / "run.npz") as kept:
        assert np.array_equal(kept["voltage"], made.run(current)) and np.array_equal(kept["current"], current)
    assert "no result of that rank" in studio.refused(
        studio.http.post("/api/jobs", json={**ASKED, "neuron": {"fit": fitted, "rank": 2}})
    )
    span = made.datapath.i_span
    answer = studio.http.post("/api/jobs", json={**ASKED, "neuron": which, "step": 2 * span})
    assert "beyond the input of this neuron" in studio.refused(answer)
    os.rename(studio.folder / "jobs" / fitted / "out" / "traces.npz", studio.folder / "elsewhere")
    answer = studio.http.post("/api/jobs", json={**ASKED, "neuron": which, "current": "recorded"})
    assert "kept no recorded current" in studio.refused(answer)


def test_extremes_show_every_spike():
    values = np.random.default_rng(0).normal(size=5000)
    values[1234] = 99
    shown = extremes(values, 100)
    assert len(shown) <= 100 and 1234 in shown and values.argmin() in shown and np.all(np.diff(shown) > 0)
    assert extremes(values[:80], 100).tolist() == list(range(80))


def test_events_are_few_and_a_repeated_run_begins_anew(monkeypatch):
    said, now, total = [], [0.0], 400_000
    monkeypatch.setattr(run_events, "time", SimpleNamespace(monotonic=lambda: now[0]))
    events = RunEvents(lambda kind, **content: said.append(content), total, 0.1, 1)

    def run():
        said.clear()
        for first in range(0, total + 1000, 1000):  # some steps behind the end, as of a board
            steps = np.arange(first, first + 1000)
            events.take(steps, np.sin(steps / 7.0), steps % 500 == 3)
            now[0] += 0.01
        events.flush()
        assert [e["anew"] for e in said] == [True] + [False] * (len(said) - 1)
        assert len(said) <= 4.1 / EVERY + 2
        assert sum(len(e["times"]) for e in said) <= 1.1 * POINTS and all(len(e["times"]) <= MOST for e in said)
        assert said[-1]["done"] == total and said[-1]["fired"] == total // 500

    run()
    run()  # the line lost data
    events.flush()
    assert len(said) <= 4.1 / EVERY + 2


@pytest.mark.parametrize("error", [DoesNotFitError, TimingError, ToolError, None])
def test_a_build_says_whether_the_neuron_fits(tmp_path, monkeypatch, error):
    """What place and route says is an outcome; that a tool is missing says nothing of the neuron."""

    def built(neuron, board, out, **more):
        if error is not None:
            raise error(f"{type(neuron).__name__} has trouble in {out}/place-and-route.log.")
        return SimpleNamespace(cells=1, multipliers=2, block_rams=3, bitstream=str(out / "x.bin"), as_dict=dict)

    monkeypatch.setattr("spikefab.boards.build.build", built)
    said = []
    work = worker._Work.__new__(worker._Work)
    work.folder, work.out = tmp_path / "jobs" / "j", tmp_path / "jobs" / "j" / "out"
    work.folder.mkdir(parents=True)
    work.settings = {"board": "icebreaker", "seed": 1}
    monkeypatch.setattr(work, "_neuron", lambda: (LIFNeuron(word=16, dt=0.05), None))
    monkeypatch.setattr(work, "say", lambda kind, **content: said.append({"type": kind, **content}))
    if error is None:
        assert work._build() == "done"
    else:
        with pytest.raises(error):
            work._build()
    outcomes = [e for e in said if e["type"] == "outcome"]
    assert len(outcomes) == (error is not ToolError)
    for e in outcomes:
        assert conforms(e, JobEvent)
        assert (e["board"], e["model"], e["word"], e["dt"]) == ("icebreaker", "LIFNeuron", 16, 0.05)
        assert e["fits"] == (error is None) and (e["why"] == "") == (error is None)
        assert str(tmp_path) not in e["why"]
