"""Brette & Gerstner 2005, J. Neurophysiol. 94:3637: equations 1-3, its regular-spiking cell and the bursting variant."""

import numpy as np
import pytest

from spikefab import AdExNeuron

REGULAR = {
    "C": 0.281, "g_L": 0.030, "E_L": -70.6, "V_T": -50.4, "Delta_T": 2.0, "tau_w": 144.0, "a": 0.004, "b": 0.0805,
    "V_reset": -70.6, "V_peak": 20.0, "t_ref": 0.0,
}  # fmt: skip
BURSTING = {**REGULAR, "tau_w": 20.0, "b": 0.5, "V_reset": REGULAR["V_T"] + 5}


def adex(p, i_nA):
    """C V' = -g_L (V - E_L) + g_L Delta_T exp((V - V_T)/Delta_T) - w + I;  tau_w w' = a (V - E_L) - w"""

    def rhs(y):
        v, w = y
        upstroke = p["g_L"] * p["Delta_T"] * np.exp((v - p["V_T"]) / p["Delta_T"])
        return [
            (-p["g_L"] * (v - p["E_L"]) + upstroke - w + i_nA) / p["C"],
            (p["a"] * (v - p["E_L"]) - w) / p["tau_w"],
        ]

    return rhs


def solve(integrate, p, i_nA, duration):
    # from 15 Delta_T above V_T on infinity is less than a microsecond away: no solver needs to follow
    level = min(p["V_peak"], p["V_T"] + 15 * p["Delta_T"])
    return integrate(
        adex(p, i_nA), [p["E_L"], 0.0], duration, level, lambda y: [p["V_reset"], y[1] + p["b"]], p["t_ref"]
    )


def spikes_of(neuron, i_nA, duration=500.0):
    neuron.reset()
    neuron.run(np.full(round(duration / 0.1), i_nA))
    return neuron.spikes


@pytest.mark.parametrize("i_nA", [0.4, -1.0])
def test_first_order_below_threshold(integrate, order, i_nA):
    steps, errors = (0.4, 0.2, 0.1, 0.05), []
    for dt in steps:
        ideal = AdExNeuron(**REGULAR, dt=dt).ideal()
        ideal.run(np.full(round(24 / dt), i_nA))
        spikes, end = solve(integrate, ideal.neuron.values, i_nA, 24.0)
        assert not len(spikes)
        errors.append(np.abs([(ideal.state["V"] - end[0]) / 10, ideal.state["w"] - end[1]]).max())
    assert 0.9 < order(steps, errors) < 1.1


@pytest.mark.parametrize(("cell", "t_ref"), [(REGULAR, 0.0), (REGULAR, 2.0), (BURSTING, 0.0)])
def test_spikes_converge_at_first_order(integrate, order, cell, t_ref):
    steps, errors = (0.2, 0.1, 0.05, 0.025), []
    for dt in steps:
        ideal = AdExNeuron(**{**cell, "t_ref": t_ref}, dt=dt).ideal()
        ideal.run(np.full(round(60 / dt), 1.0))
        exact, _ = solve(integrate, ideal.neuron.values, 1.0, 80.0)
        assert len(ideal.spikes) >= 3
        errors.append(np.abs(ideal.spikes + dt - exact[: len(ideal.spikes)]).max())
    # each spike time is rounded up to its step, which scatters the error by as much as a step
    assert 0.7 < order(steps, errors) < 1.3
    assert errors[-1] < 1.0


@pytest.mark.parametrize("fixed_point", [False, True])
def test_regular_spiking_adapts(integrate, fixed_point):
    """Intervals grow from spike to spike towards a steady value, in the paper's regular-spiking cell."""
    model = AdExNeuron(**REGULAR)
    exact, _ = solve(integrate, model.values, 1.0, 500.0)
    for spikes in (exact, spikes_of(model if fixed_point else model.ideal(), 1.0)):
        intervals = np.diff(spikes)
        assert len(intervals) >= 12
        assert np.all(np.diff(intervals[:6]) > 1)
        assert np.all(np.diff(intervals) > -0.15)  # and never shrink, but for the grid of steps
        assert intervals[-1] > 2 * intervals[0]
        assert np.ptp(intervals[-3:]) < 0.3


@pytest.mark.parametrize("fixed_point", [False, True])
def test_fires_from_the_hopf_current_on(fixed_point):
    """Rest loses its stability where g_L (exp((V - V_T)/Delta_T) - 1)/C = 1/tau_w, as a/g_L > C/(g_L tau_w).

    The current that holds V there is (g_L + a)(V - E_L) - g_L Delta_T exp(...). A step reaches threshold a little
    before, as w lags behind V.
    """
    p = REGULAR
    slope = 1 + p["C"] / p["g_L"] / p["tau_w"]
    v = p["V_T"] + p["Delta_T"] * np.log(slope)
    hopf = (p["g_L"] + p["a"]) * (v - p["E_L"]) - p["g_L"] * p["Delta_T"] * slope
    model = AdExNeuron(**REGULAR)
    neuron = model if fixed_point else model.ideal()
    assert len(spikes_of(neuron, 1.1 * hopf)) >= 1
    assert not len(spikes_of(neuron, 0.8 * hopf))


@pytest.mark.parametrize("fixed_point", [False, True])
def test_bursting_variant_bursts(integrate, fixed_point):
    """V_reset = V_T + 5 mV, tau_w = 20 ms, b = 0.5 nA: spikes in groups, where the regular cell fires one by one."""
    model = AdExNeuron(**BURSTING)
    exact, _ = solve(integrate, model.values, 0.8, 500.0)
    for spikes in (exact, spikes_of(model if fixed_point else model.ideal(), 0.8)):
        intervals = np.diff(spikes)
        short, long = intervals[intervals < 10], intervals[intervals >= 10]
        assert len(short) >= 6
        assert len(long) >= 6
        assert np.all(long > 10 * short.max())
        # a group has two spikes or more: no long interval follows a long one
        assert not np.any((intervals[1:] >= 10) & (intervals[:-1] >= 10))


@pytest.mark.parametrize(("cell", "currents"), [(REGULAR, (0.8, 1.0)), (BURSTING, (0.7, 0.8, 1.5))])
def test_fixed_point_stays_with_the_ideal(cell, currents):
    model = AdExNeuron(**cell, word=18)
    ideal = model.ideal()
    for i_nA in currents:
        near, wanted = spikes_of(model, i_nA), spikes_of(ideal, i_nA)
        assert len(near) == len(wanted) >= 9
        assert np.abs(near - wanted).max() <= 0.5
