"""The cells of the recovery benchmark: recordings that a fit can use, and parameters that mean what the models' mean."""

import numpy as np
import pytest

from benchmarks import recovery, recovery_parameters, synthetic
from spikefab.fit.recordings.spikes import find_spikes
from spikefab.fit.recordings.stimuli import is_noise
from spikefab.fit.scoring.scores import one_to_one
from spikefab.fit.scoring.task import Task
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS, get_model
from spikefab.sim import ideal

pytestmark = pytest.mark.slow  # two recordings of every model are made, and simulated again

UNTIL = 250.0  # ms of each sweep that are compared with the model
FINER = 2  # steps of the model in one of the recording: Euler's spikes of a Morris-Lecar cell are late otherwise
NOISY = {"MorrisLecarNeuron": 5}  # a draw that comes at the first try


@pytest.fixture(autouse=True)
def _without_a_second_run(monkeypatch):
    """Whether a recording is unpredictable takes as long again as to make it."""
    monkeypatch.setattr(synthetic, "unpredictable", lambda *_: False)


def test_there_is_a_cell_of_every_model():
    assert list(recovery.CELLS) == list(MODELS)
    for name, others in recovery.CONTAINS.items():
        assert {name, *others} <= set(MODELS)


def check(made, noisy):
    """A recording that a fit can use, in which every spike of the cell and no other is found."""
    assert made.held_out >= 5
    assert is_noise(made.recording.sweeps, made.recording.dt) == noisy
    assert sum(len(s.voltage) for s in made.recording.sweeps) * made.recording.dt <= 5000
    for sweep, times in zip(made.recording.sweeps, made.spikes, strict=True):
        found = find_spikes(sweep.voltage, made.recording.dt)
        assert len(found) == len(times)
        # a spike is timed on its way up, and a cell's at its peak, or where it passes a level
        assert np.abs(found.time - times).max(initial=0) < 1.5


@pytest.mark.parametrize("name", MODELS)
def test_noise(name):
    check(recovery.recorded(name, NOISY.get(name, 1))[0], noisy=True)


def unmatched(name, params, task):
    """Share of spikes of cell and float64 model, to UNTIL, without a partner within 3 ms."""
    dt = recovery.DT / FINER
    dp = datapath(get_model(name).variant(**recovery_parameters.settings(params)), 24, dt, task.i_span)
    full = recovery_parameters.true_params(dp, params, task)
    coefficients = ideal.real_coefficients(dp, {n: full[n] for n in dp.params})
    steps = round(UNTIL / recovery.DT)
    current = np.repeat(np.stack([s.current[:steps] for s in task.recording.sweeps], axis=1), FINER, axis=0)
    start = {n: np.full(current.shape[1], x) for n, x in ideal.rest(dp, coefficients).items()}
    _, fired, _ = ideal.run(dp, start, coefficients, current)
    alone = total = 0
    for found, column in zip(task.spikes, fired.T, strict=True):
        cell, model = found.time[found.time < UNTIL], np.flatnonzero(column) * dt
        alone += len(cell) + len(model) - 2 * len(one_to_one(cell, model, 3.0)[0])
        total += len(cell) + len(model)
    return alone / total


@pytest.mark.parametrize("name", MODELS)
def test_steps(name):
    """And with the same parameters the model spikes alike, at half the step of a fit; with those of another cell it does not."""
    made, _ = recovery.recorded(name, 0)
    check(made, noisy=False)
    params = get_model(name).variant(**recovery_parameters.settings(made.params)).params()
    assert set(made.params) - {"kinetics"} == set(params) - {"V_spike"}
    task = Task.of(made.recording, recovery.DT)
    assert unmatched(name, made.params, task) <= 0.06
    other = recovery.CELLS[name].draw(np.random.default_rng(100))
    assert unmatched(name, other, task) > 0.25
