"""What a cell's repeats say of the best that any model could do."""

import numpy as np
import pytest

from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring import scores
from spikefab.fit.scoring.split import Part
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import Loss
from spikefab.hw.datapath import datapath
from spikefab.hw.models import LIFNeuron
from spikefab.sim import beginnings
from spikefab.sim.engine import FixedPoint

DT = 0.1


def trace(times, noise=0.0, seed=0):
    v = np.random.default_rng(seed).normal(-65, noise, 20000)
    for t in times:
        v[round(t / DT)] = 20.0
    return v


def task_of(trains, rng, noise=0.0):
    current = rng.normal(0.2, 0.1, 20000)
    return Task.of(
        Recording.from_arrays([trace(t, noise, k) for k, t in enumerate(trains)], current, DT), DT, "tail", anyway=True
    )


def whole(task):
    return [Part(k, 0, len(s.voltage)) for k, s in enumerate(task.recording.sweeps)]


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_repeats_that_agree(rng):
    times = np.sort(rng.choice(np.arange(50, 1950, 12), 40, replace=False)).astype(float)
    jittered = [times + rng.uniform(-0.5, 0.5, len(times)) for _ in range(3)]
    task = task_of(jittered, rng, noise=0.4)
    same = task.against_repeats(whole(task), [times] * 3)
    assert same["reliability"] == pytest.approx(1.0)
    assert same["gamma_over_R"] == pytest.approx(1.0)
    assert same["repeat_rmse"] == pytest.approx(0.4 * 2**0.5, rel=0.05)
    assert not any(note.startswith(("Too fast", "Unpredictable")) for note in task.notes)
    half = task.against_repeats(whole(task), [times[::2]] * 3)
    assert 0.4 < half["gamma_over_R"] < 0.75


def test_repeats_that_share_nothing_are_unpredictable(rng):
    task = task_of([np.sort(rng.uniform(50, 1950, 40)).round(1) for _ in range(4)], rng)
    found = task.against_repeats(whole(task), [task.part_spikes(p) for p in whole(task)])
    assert found["reliability"] < scores.PREDICTABLE
    assert found["gamma_over_R"] is None  # though each train is hit by its own
    assert any(note.startswith("Unpredictable") for note in task.notes)


def test_too_fast_for_gamma(rng):
    fast = np.arange(50, 1950, 4.0)
    task = task_of([fast, fast], rng)
    assert task.against_repeats(whole(task), [fast, fast])["reliability"] is None
    assert any(note.startswith("Too fast: in 2 of 2") for note in task.notes)


def test_different_currents_are_no_repeats(rng):
    currents = rng.normal(0.2, 0.1, (2, 20000))
    recording = Recording.from_arrays([trace([100.0, 200.0])] * 2, currents, DT)
    task = Task.of(recording, DT, anyway=True)
    assert task.repeats == []
    assert set(task.against_repeats(whole(task), [np.array([100.0])] * 2).values()) == {None}


def test_a_current_that_came_several_times_is_simulated_once(membrane, steps, monkeypatch):
    """The loss is the one of sweeps that are each simulated by itself, in whatever order the file has them."""
    sweeps = [(0.3, 1), (0.22, 2), (0.3, 3), (0.37, 4), (0.22, 5), (0.3, 6)]
    dp = datapath(LIFNeuron, 18, 0.1, 1.0)
    codes = dp.quantise({**LIFNeuron.defaults(), "R_m": np.linspace(40, 250, 30), "tau_m": np.linspace(5, 40, 30)})
    currents = steps([a for a, _ in sweeps], DT)
    voltages = [membrane(i, DT, 0.3, k) for i, (_, k) in zip(currents, sweeps, strict=True)]
    loss = Loss(FixedPoint(dp), Task.of(Recording.from_arrays(voltages, currents, DT), 0.1, "none"))

    def losses(levels):
        simulated = []

        def noted(current, length, alike):
            found = levels(current, length, alike)
            simulated.append([(s.until - s.since, s.sweeps) for level in found for s in level])
            return found

        monkeypatch.setattr(beginnings, "levels", noted)
        return loss.each(codes), simulated[-1]

    def apart(current, length, alike):
        return [[beginnings.Stretch(0, int(n), (k,)) for k, n in enumerate(length)]]

    together, simulated = losses(beginnings.levels)
    alone, _ = losses(apart)
    assert np.array_equal(together, alone)
    assert len(np.unique(together)) > 100
    alike = int(np.argmax(currents[0] != currents[1]))  # all begin with the same rest
    assert sum(steps for steps, _ in simulated) == alike + 3 * (len(currents[0]) - alike)
    assert {k for _, k in simulated} == {(0, 1, 2, 3, 4, 5), (0, 2, 5), (1, 4), (3,)}
