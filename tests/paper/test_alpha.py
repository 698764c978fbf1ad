"""Rall 1967, J. Neurophysiol. 30:1138: the alpha function; Gerstner et al. 2014, Neuronal Dynamics, eqs. 1.5-1.9: the
membrane behind it."""

from functools import partial

import numpy as np
import pytest
from scipy.optimize import brentq

from spikefab import AlphaNeuron
from spikefab.sim import continuous

CELL = {
    "tau_m": 15.0, "R_m": 120.0, "tau_s": 3.0, "V_th": -48.0, "E_L": -71.0, "V_reset": -62.0, "t_ref": 3.0,
    "V_peak": 20.0,
}  # fmt: skip


def solve(integrate, p, i_nA, duration, start=None):
    start = [p["E_L"], 0.0, 0.0] if start is None else start
    return integrate(
        partial(continuous.alpha, p, i=i_nA), start, duration, p["V_th"], lambda y: [p["V_reset"], *y[1:]], p["t_ref"]
    )


def alpha(p, t):
    """1/ms: the synaptic current of a pulse of area 1 at t = 0."""
    return t / p["tau_s"] ** 2 * np.exp(-t / p["tau_s"])


def potential(p, t):
    """1/ms: (V - E_L) / R_m after the same pulse, the alpha function behind exp(-t/tau_m)/tau_m."""
    a, b = 1 / p["tau_s"], 1 / p["tau_m"]
    return a**2 * b * ((np.exp(-b * t) - np.exp(-a * t)) / (a - b) ** 2 - t * np.exp(-a * t) / (a - b))


def test_second_order_below_threshold(integrate, order):
    """y1 is exact; what drives y2 and V is not constant over a step, but its mean is known to second order."""
    steps, errors = (0.8, 0.4, 0.2, 0.1), []
    for dt in steps:
        ideal = AlphaNeuron(**{**CELL, "t_ref": 0.0}, dt=dt).ideal()
        state = None
        for i_nA, milliseconds in ((0.17, 8.0), (-0.4, 4.0)):
            ideal.run(np.full(round(milliseconds / dt), i_nA))
            spikes, state = solve(integrate, ideal.neuron.values, i_nA, milliseconds, state)
            assert not len(spikes)
        assert ideal.state["y1"] == pytest.approx(state[1], abs=1e-9)
        errors.append([abs(ideal.state["V"] - state[0]) / 10, abs(ideal.state["y2"] - state[2])])
    for error in np.transpose(errors):
        assert 1.95 < order(steps, error) < 2.05


@pytest.mark.parametrize("fixed_point", [False, True])
@pytest.mark.parametrize("tau_s", [1.0, 3.0, 8.0])
def test_a_pulse_makes_an_alpha_function(fixed_point, tau_s):
    """The synaptic current peaks tau_s after a brief pulse, the membrane later still, both as in closed form."""
    dt, i_nA = 0.05, 2.0
    model = AlphaNeuron(**{**CELL, "tau_s": tau_s}, dt=dt, i_span=2.0)
    p, current = model.values, model.datapath.current.decode(model.datapath.current.encode(i_nA))
    neuron = model if fixed_point else model.ideal()
    pulse = np.concatenate([[current], np.zeros(600)])
    v, y2 = [], []
    for sample in pulse:
        v.append(neuron.step(sample))
        y2.append(neuron.state["y2"])
    area = current * dt
    v, y2 = np.array(v), np.array(y2)
    t = np.arange(len(pulse)) * dt + dt / 2  # from the middle of the pulse to the end of each step
    second = (dt / p["tau_s"]) ** 2  # of the peak
    # y1 and y2 stand still within half a code of their difference, whose word spans twice the input: one code of the
    # input each. y2 loses half a code more before R_m, then there are words of 512 mV for E_L - V and R_m y2, 128 to show
    lsb = model.datapath.current.lsb * fixed_point
    wanted = area * alpha(p, t)
    np.testing.assert_allclose(y2, wanted, rtol=0, atol=second * wanted.max() + 2 * lsb)
    rounding = p["R_m"] * 2.5 * lsb + (512 / 2**17 + 128 / 2**18) * fixed_point
    wanted = p["R_m"] * area * potential(p, t)
    np.testing.assert_allclose(v - p["E_L"], wanted, rtol=0, atol=second * wanted.max() + rounding)
    if not fixed_point:  # a peak is flat: its place is a matter of the last codes
        assert abs(t[np.argmax(y2)] - p["tau_s"]) <= dt / 2 + dt**2
        h = 1e-4
        peak = brentq(lambda x: potential(p, x + h) - potential(p, x - h), 0.5 * tau_s, 6 * tau_s)
        assert peak > 1.5 * tau_s
        assert abs(t[np.argmax(v)] - peak) <= dt / 2 + dt**2


def test_spikes_converge_with_the_step(integrate):
    """A spike is seen at the end of its step, so the n-th is late by at most n steps: first order."""
    current, duration = 0.31, 150.0
    for dt in (0.4, 0.1, 0.025):
        ideal = AlphaNeuron(**{**CELL, "t_ref": 2.0}, dt=dt).ideal()
        ideal.run(np.full(round(duration / dt), current))
        exact, _ = solve(integrate, ideal.neuron.values, current, duration)
        late = ideal.spikes + dt - exact[: len(ideal.spikes)]  # step k ends at (k + 1) dt
        assert len(exact) - len(ideal.spikes) in (0, 1)
        assert len(ideal.spikes) >= 8
        second = (dt / CELL["tau_s"]) ** 2 * CELL["tau_s"]
        assert np.all(late >= -second)
        assert np.all(late <= np.arange(1, len(late) + 1) * dt + second)


@pytest.mark.parametrize("fixed_point", [False, True])
def test_a_settled_synapse_leaves_a_leaky_membrane(fixed_point):
    """Under a constant current y2 = I, and the intervals are t_ref + tau_m ln((V_inf - V_reset) / (V_inf - V_th))."""
    dt = 0.1
    model = AlphaNeuron(**CELL, dt=dt, i_span=1.0)
    p = model.values
    neuron = model if fixed_point else model.ideal()
    # what the words lose, as above: the tail of the synaptic current is below 1e-5 mV
    lsb = model.datapath.current.lsb
    rounding = 512 / 2**17 + p["R_m"] * (2 * lsb + lsb / 2) if fixed_point else 1e-5
    for i_nA in (0.21, 0.25, 0.5, 0.9):
        neuron.reset()
        neuron.run(np.full(2500, i_nA))
        spikes = neuron.spikes[neuron.spikes > 20 * p["tau_s"]]
        intervals = np.diff(spikes)
        assert len(intervals) >= 2
        low, high = (
            p["t_ref"] + p["tau_m"] * np.log((v - p["V_reset"]) / (v - p["V_th"]))
            for v in (p["E_L"] + p["R_m"] * i_nA + rounding, p["E_L"] + p["R_m"] * i_nA - rounding)
        )
        assert intervals.min() >= low
        assert intervals.max() < high + dt


@pytest.mark.slow
def test_fixed_point_stays_with_the_ideal():
    rng = np.random.default_rng(1)
    steady = np.full(5000, 0.25)
    noise = 0.3 + 0.4 * np.repeat(rng.normal(size=500), 10)
    for current in (steady, noise):
        model = AlphaNeuron(**CELL, word=18)
        ideal = model.ideal()
        shown, wanted = model.run(current), ideal.run(current)
        assert len(model.spikes) == len(ideal.spikes) > 10
        assert np.abs(model.spikes - ideal.spikes).max() < 0.11  # one step: a crossing at its very end
        before = slice(0, round(ideal.spikes[0] / 0.1) - 1)
        assert np.abs(shown - wanted)[before].max() < 0.01
