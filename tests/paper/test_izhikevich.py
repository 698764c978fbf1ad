"""Izhikevich 2007, Dynamical Systems in Neuroscience, ch. 8 (p. 274 on): equations 8.5-8.6, two cortical cells."""

import numpy as np
import pytest

from spikefab import IzhikevichNeuron

RS = {"C": 0.100, "k": 0.0007, "v_r": -60, "v_t": -40, "v_peak": 35, "a": 0.03, "b": -0.002, "c": -50, "d": 0.100}
IB = {"C": 0.150, "k": 0.0012, "v_r": -75, "v_t": -45, "v_peak": 50, "a": 0.01, "b": 0.005, "c": -56, "d": 0.130}


def simple_model(p, i_nA):
    """C v' = k (v - v_r)(v - v_t) - u + I;  u' = a (b (v - v_r) - u)"""

    def rhs(y):
        v, u = y
        return [
            (p["k"] * (v - p["v_r"]) * (v - p["v_t"]) - u + i_nA) / p["C"],
            p["a"] * (p["b"] * (v - p["v_r"]) - u),
        ]

    return rhs


def solve(integrate, p, i_nA, duration, start=None):
    start = [p["v_r"], 0.0] if start is None else start
    return integrate(simple_model(p, i_nA), start, duration, p["v_peak"], lambda y: [p["c"], y[1] + p["d"]])


def spikes_of(neuron, i_nA, duration=500.0):
    neuron.reset()
    neuron.run(np.full(round(duration / 0.1), i_nA))
    return neuron.spikes


@pytest.mark.parametrize(("cell", "i_nA"), [(RS, 0.04), (IB, 0.2)])
def test_first_order_below_threshold(integrate, order, cell, i_nA):
    steps, errors = (0.4, 0.2, 0.1, 0.05), []
    for dt in steps:
        ideal = IzhikevichNeuron(**cell, dt=dt).ideal()
        ideal.run(np.full(round(24 / dt), i_nA))
        spikes, end = solve(integrate, ideal.neuron.values, i_nA, 24.0)
        assert not len(spikes)
        errors.append(np.abs([(ideal.state["v"] - end[0]) / 30, ideal.state["u"] - end[1]]).max())
    assert 0.9 < order(steps, errors) < 1.1


@pytest.mark.parametrize(("cell", "i_nA"), [(RS, 0.3), (IB, 0.6)])
def test_spikes_converge_at_first_order(integrate, order, cell, i_nA):
    steps, errors = (0.2, 0.1, 0.05, 0.025), []
    for dt in steps:
        ideal = IzhikevichNeuron(**cell, dt=dt).ideal()
        ideal.run(np.full(round(80 / dt), i_nA))
        exact, _ = solve(integrate, ideal.neuron.values, i_nA, 100.0)
        assert len(ideal.spikes) >= 3
        errors.append(np.abs(ideal.spikes + dt - exact[: len(ideal.spikes)]).max())
    # each spike time is rounded up to its step, which scatters the error by as much as a step
    assert 0.7 < order(steps, errors) < 1.3
    assert errors[-1] < 0.3


@pytest.mark.parametrize("fixed_point", [False, True])
def test_regular_spiking_cell(integrate, fixed_point):
    """Silent at rest and below the rheobase, tonic above; the stronger the step, the more it adapts.

    A resting state exists while k x (x - 20 mV) - b x + I has a root: up to (20 k + b)^2 / 4k = 51.4 pA.
    """
    model = IzhikevichNeuron(**RS)
    neuron = model if fixed_point else model.ideal()
    assert not len(spikes_of(neuron, 0.0))
    assert not len(spikes_of(neuron, 0.050))
    assert len(spikes_of(neuron, 0.070)) >= 3
    counts = []
    for i_nA in (0.1, 0.2, 0.3, 0.4):
        spikes = spikes_of(neuron, i_nA)
        intervals = np.diff(spikes)
        counts.append(len(spikes))
        assert np.ptp(intervals[-3:]) < 0.05 * intervals[-1]  # tonic in the end
        exact, _ = solve(integrate, model.values, i_nA, 500.0)
        assert abs(len(spikes) - len(exact)) <= 1
    assert counts == sorted(set(counts))
    strong = np.diff(spikes_of(neuron, 0.4))
    assert np.all(np.diff(strong[:6]) > 0)  # each interval longer than the one before
    assert strong[-1] > 1.3 * strong[0]


@pytest.mark.parametrize("fixed_point", [False, True])
def test_intrinsically_bursting_cell(integrate, fixed_point):
    """A burst at the onset of a strong step, then single spikes several times as far apart."""
    model = IzhikevichNeuron(**IB)
    neuron = model if fixed_point else model.ideal()
    for i_nA, burst in ((0.5, 2), (0.6, 3), (0.7, 4)):
        exact, _ = solve(integrate, model.values, i_nA, 500.0)
        for spikes in (exact, spikes_of(neuron, i_nA)):
            intervals = np.diff(spikes)
            assert np.all(intervals[: burst - 1] < 25)
            assert np.all(intervals[burst - 1 :] > 38)
            assert len(intervals) >= burst + 3
    assert np.all(np.diff(spikes_of(neuron, 0.4)) > 100)  # a weak step gives no burst


def test_the_bursting_cell_bursts_where_the_regular_one_does_not():
    first = {name: np.diff(spikes_of(IzhikevichNeuron(**cell), 0.6)) for name, cell in (("RS", RS), ("IB", IB))}
    assert first["IB"].max() / first["IB"][0] > 4
    assert first["RS"].max() / first["RS"][0] < 1.6


@pytest.mark.parametrize(("cell", "currents"), [(RS, (0.07, 0.1, 0.3, 0.6)), (IB, (0.4, 0.5, 0.7))])
def test_fixed_point_stays_with_the_ideal(cell, currents):
    model = IzhikevichNeuron(**cell, word=18)
    ideal = model.ideal()
    for i_nA in currents:
        near, wanted = spikes_of(model, i_nA), spikes_of(ideal, i_nA)
        assert len(near) == len(wanted) >= 3
        assert np.abs(near - wanted).max() <= 0.5
