"""Measured constants against cells that have them by construction."""

import numpy as np
import pytest

from spikefab.fit.features.measured import measure
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import find_spikes
from spikefab.fit.scoring.task import Task

DT = 0.1


def measured(membrane, currents, noise=0.0, before=0.0):
    voltages = [membrane(i, DT, noise, seed, before) for seed, i in enumerate(currents)]
    recording = Recording.from_arrays(voltages, currents, DT)
    return measure(recording, [find_spikes(v, DT) for v in voltages])


def assert_passive(m, cell, strict=0.02):
    assert m.E_L == pytest.approx(cell["E_L"], abs=0.3)
    assert pytest.approx(cell["R"], rel=strict) == m.R
    assert m.tau == pytest.approx(cell["tau"], rel=0.08)  # half the distance of the time constants tried
    assert pytest.approx(m.tau / m.R) == m.C


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_passive_membrane_from_steps(membrane, steps, cell, noise):
    m = measured(membrane, steps([-0.1, -0.05, 0.05, 0.1, 0.13], DT), noise)
    assert_passive(m, cell)
    assert m.drive == pytest.approx(0.13)
    assert (m.onset, m.reset, m.trough, m.peak, m.half, m.t_ref) == (None, None, None, None, None, 0.0)


@pytest.mark.parametrize("before", [-0.08, 0.06])
def test_resting_potential_is_not_the_holding_potential(membrane, steps, cell, before):
    m = measured(membrane, steps([-0.1, 0.05, 0.08], DT, before=before), 0.3, before)
    assert_passive(m, cell)
    assert m.drive == pytest.approx(0.1)


def test_passive_membrane_between_spikes(membrane, steps, cell):
    m = measured(membrane, steps([-0.1, 0.05, 0.1, 0.2, 0.25], DT), 0.3)
    # a cell that has just been reset is colder than its current says
    assert m.E_L == pytest.approx(cell["E_L"], abs=2)
    assert pytest.approx(cell["R"], rel=0.25) == m.R
    assert m.tau == pytest.approx(cell["tau"], rel=0.35)


def test_passive_membrane_from_noise(membrane, cell):
    rng = np.random.default_rng(3)
    current = 0.05 + 0.08 * np.repeat(rng.normal(size=600), 50)
    m = measured(membrane, [current], 0.3)
    assert m.E_L == pytest.approx(cell["E_L"], abs=3)
    assert pytest.approx(cell["R"], rel=0.3) == m.R


def test_constants_of_spikes(membrane, steps, cell):
    m = measured(membrane, steps([0.1, 0.2, 0.25, 0.3], DT))
    assert m.peak == pytest.approx(cell["peak"], abs=1e-6)
    # the onset is where the 0.2 ms that end in the spike begin
    assert cell["threshold"] - 1.5 < m.onset < cell["threshold"]
    assert m.trough == pytest.approx(cell["reset"], abs=1e-6)
    assert m.half == pytest.approx((m.onset + m.peak) / 2)
    # this cell's spike is one sample long: its fall is over at the next, whatever follows
    assert m.reset == pytest.approx(cell["reset"], abs=1e-6)
    assert 0 < m.t_ref < 0.5


def test_refractory_time_is_at_most_half_the_shortest_intervals(membrane, steps):
    m = measured(membrane, steps([0.2, 1.5], DT))
    voltage = membrane(steps([1.5], DT)[0], DT)
    assert 0 <= m.t_ref <= np.diff(find_spikes(voltage, DT).time).min() / 2 + 1e-9


@pytest.mark.parametrize("kind", ["steps", "noise"])
def test_an_electrodes_jump_is_no_membrane(membrane, steps, cell, kind):
    """An electrode of 40 MOhm in series: without it in the regression R would be larger and tau shorter."""
    fluctuating = 0.05 * np.repeat(np.random.default_rng(3).normal(size=400), 80)
    fluctuating[:1000] = 0
    currents = steps([-0.1, 0.05, 0.1], DT) if kind == "steps" else [fluctuating]
    voltages = [membrane(i, DT, 0.3, k) + 40 * i for k, i in enumerate(currents)]
    recording = Recording.from_arrays(voltages, currents, DT)
    m = measure(recording, [find_spikes(v, DT) for v in voltages])
    assert m.jump == pytest.approx(40, abs=3)
    assert pytest.approx(m.R, rel=0.05) == cell["R"]
    assert pytest.approx(m.tau, rel=0.1) == cell["tau"]
    assert pytest.approx(m.E_L, abs=1) == cell["E_L"]
    assert any("at once by 4" in note or "at once by 39" in note for note in Task.of(recording, DT).notes)
    without = [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)]
    assert measure(Recording.from_arrays(without, currents, DT), [find_spikes(v, DT) for v in without]).jump == 0
