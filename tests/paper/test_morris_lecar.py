"""Morris & Lecar 1981, Biophys. J. 35:193, eqs. 9-10; Rinzel & Ermentrout 1998, Methods in Neuronal Modeling, ch. 7."""

from functools import partial
from math import tanh

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from spikefab import MorrisLecarNeuron
from spikefab.sim import continuous
from spikefab.sim import ideal as in_float

# uF, mS and uA per cm2; mV and ms
SECOND = {
    "C": 20.0, "g_Ca": 4.4, "g_K": 8.0, "g_L": 2.0, "E_Ca": 120.0, "E_K": -84.0, "E_L": -60.0,
    "V_1": -1.2, "V_2": 18.0, "V_3": 2.0, "V_4": 30.0, "phi": 0.04,
}  # fmt: skip
FIRST = SECOND | {"g_Ca": 4.0, "V_3": 12.0, "V_4": 17.4, "phi": 0.0667}


pytestmark = pytest.mark.slow  # long integrations of stiff equations


def model(p, **options):
    """A patch of 1e-5 cm2: 100 uA/cm2 are 1 nA."""
    whole = {name: value / 100 if name in ("C", "g_Ca", "g_K", "g_L") else value for name, value in p.items()}
    return MorrisLecarNeuron(**whole, **options)


def slopes(p, V, w, i=0.0):
    """V' and w'."""
    return continuous.morris_lecar(p, [V, w], i)


def w_inf(p, V):
    return 0.5 * (1 + tanh((V - p["V_3"]) / p["V_4"]))


def rest_of(neuron):
    return [float(neuron.datapath.states[name].decode(neuron.initial[name])) for name in ("V", "w")]


def solve(neuron, i_nA, duration, *, at=None, accuracy=1e-8):
    """Spike times of the published equations with the parameters of a neuron at rest, and V, w at the times `at`."""

    def rises(t, y):
        return y[0] - neuron.values["V_spike"]

    def moving(t, y):
        return slopes(neuron.values, *y.tolist(), i_nA)

    rises.direction = 1
    tight = {"rtol": accuracy, "atol": accuracy / 10, "max_step": 20.0}
    end = solve_ivp(moving, (0, duration), rest_of(neuron), "LSODA", at, events=rises, **tight)
    assert end.success, end.message
    return end.t_events[0], end.y


def steady_current(p, V):
    """Current under which V and its w_inf stand still."""
    return -slopes(p, V, w_inf(p, V))[0] * p["C"]


def hopf(p):
    """Current at which the resting state loses its stability to an oscillation: where the trace of its Jacobian is zero."""

    def trace(V, h=1e-5):
        w, f = w_inf(p, V), partial(slopes, p)
        return (f(V + h, w)[0] - f(V - h, w)[0] + f(V, w + h)[1] - f(V, w - h)[1]) / (2 * h)

    return steady_current(p, brentq(trace, -35, -10))


def saddle_node(p):
    """Current at which the resting state meets a saddle: the highest of the steady currents below its minimum."""
    return max(steady_current(p, V) for V in np.arange(-50, -10, 0.001))


def spikes_of(neuron, current):
    neuron.reset()
    neuron.run(current)
    return neuron.spikes


def held(i_nA, duration):
    return np.full(round(duration / 0.1), i_nA)


@pytest.mark.parametrize(("cell", "i_nA"), [(SECOND, 1.0), (FIRST, 0.5)], ids=["class II", "class I"])
def test_first_order(order, cell, i_nA):
    """m_inf is taken at the V from which a step begins: with no gate of calcium to split off, V is of first order."""
    steps, early, timing, gate = (0.2, 0.1, 0.05), [], [], []
    for dt in steps:
        ideal = model(cell, dt=dt, word=24).ideal()
        spikes, exact = solve(ideal.neuron, i_nA, 180.0, at=[10.0, 180.0], accuracy=1e-10)
        voltage = ideal.run(np.full(round(180 / dt), i_nA))
        k = np.flatnonzero((voltage[:-1] < 0) & (voltage[1:] >= 0))  # sample k is V at (k + 1) dt
        found = (k + 1 - voltage[k] / (voltage[k + 1] - voltage[k])) * dt
        assert len(found) == len(spikes) >= 2
        early.append(abs(voltage[round(10 / dt) - 1] - exact[0, 0]))
        timing.append(np.abs(found - spikes).max())
        gate.append(abs(ideal.state["w"] - exact[1, 1]))
    for errors in (early, timing, gate):
        assert 0.8 < order(steps, errors) < 1.25
    assert timing[1] < 0.015 * spikes[-1]


def test_rest():
    for cell in (SECOND, FIRST):
        neuron = model(cell)
        assert np.abs(slopes(neuron.values, *rest_of(neuron))).max() < 1e-3
        voltage = neuron.run(held(0.0, 300))
        assert np.abs(voltage - rest_of(neuron)[0]).max() < 0.05  # where the tables put it


@pytest.mark.parametrize(
    ("cell", "currents"),
    [(SECOND, (0.9, 1.0, 1.5, 2.0)), (FIRST, (0.41, 0.45, 0.6, 1.0))],
    ids=["class II", "class I"],
)
def test_rates_and_rounding(cell, currents):
    """Intervals are 1.5 % longer than those of the ODE at most, at dt = 0.1 ms; word 18 adds next to nothing.

    Next to the onset, 3 % above the saddle-node, a passage past where rest was takes 200 ms: there a code counts.
    """
    neuron = model(cell)
    ideal = neuron.ideal()
    states = {name: np.full(len(currents), value) for name, value in ideal.state.items()}
    _, spikes, _ = in_float.run(neuron.datapath, states, ideal.coefficients, np.tile(currents, (5000, 1)))
    rates = []
    for i_nA, column in zip(currents, spikes.T, strict=True):
        wanted, near = np.flatnonzero(column) * 0.1, spikes_of(neuron, held(i_nA, 500.0))
        exact, _ = solve(neuron, i_nA, 500.0)
        assert len(wanted) == len(near) >= 2
        assert len(exact) - len(near) in (0, 1)
        assert np.abs(near - wanted).max() <= (1.5 if i_nA == currents[0] else 0.3)
        mean = np.diff(exact)[: len(near) - 1].mean()
        assert 0 < np.diff(near).mean() - mean < 0.015 * mean
        rates.append(1000 / np.diff(near)[-1])
    assert rates == sorted(rates)


def test_second_class_of_excitability():
    """Class II fires at 90 uA/cm2 and at 9 Hz from the beginning: no lower rate is to be had; block above 212."""
    neuron = model(SECOND)
    counts = []
    for i_nA in (0.80, 0.87, 0.88, 0.89, 0.90, 2.1, 2.2):
        near, exact = spikes_of(neuron, held(i_nA, 1000.0)), solve(neuron, i_nA, 1000.0)[0]
        assert abs(len(near) - len(exact)) <= 1
        counts.append(len(near))
    assert counts[:3] == [1, 1, 1]
    assert min(counts[3:6]) >= 9
    assert counts[6] == 1
    assert np.ptp(neuron.run(held(2.2, 200.0))[-500:]) < 1


def test_two_states_at_once():
    """Rest is stable up to a Hopf bifurcation at 93.9 uA/cm2, and firing from 88.3 on: in between a pulse switches.

    With g_Ca = 4 the bifurcation is at 101.8: from a current that rises slowly the neuron is silent at 100, and a step
    to 90 fires one spike and no train.
    """
    assert hopf(SECOND) == pytest.approx(93.86, abs=0.01)
    neuron = model(SECOND)

    def slowly(i_nA):
        return np.r_[np.linspace(0, i_nA, 30000), held(i_nA, 1000.0)]

    assert not len(spikes_of(neuron, slowly(0.92)))
    assert len(spikes_of(neuron, np.r_[slowly(0.92), held(1.42, 5.0), held(0.92, 1000.0)])) >= 10
    assert len(spikes_of(neuron, np.r_[slowly(0.86), held(1.36, 5.0), held(0.86, 1000.0)])) == 1
    assert len(spikes_of(neuron, slowly(0.96))) >= 3

    weaker = SECOND | {"g_Ca": 4.0}
    assert hopf(weaker) == pytest.approx(101.8, abs=0.1)
    neuron = model(weaker)
    assert not len(spikes_of(neuron, slowly(1.00)))
    assert len(spikes_of(neuron, slowly(1.04))) >= 3
    assert len(spikes_of(neuron, held(0.9, 1000.0))) == len(solve(neuron, 0.9, 1000.0)[0]) == 1


@pytest.mark.parametrize("word", [18, 24])
def test_first_class_of_excitability(word):
    """Class I begins at a saddle-node, at 39.96 uA/cm2, and at any rate: the interval is as 1/sqrt(I - I_c)."""
    assert saddle_node(FIRST) == pytest.approx(39.96, abs=0.01)
    neuron = model(FIRST, word=word)
    critical = saddle_node(neuron.values)
    assert not len(spikes_of(neuron, held(0.998 * critical, 2000.0)))
    above = critical * np.array([1.005, 1.01, 1.02, 1.05])
    # between a step from rest and the train there may be one spike early: the last interval is of the train
    intervals = [np.diff(spikes_of(neuron, held(i_nA, 1200.0)))[-1] for i_nA in above]
    exact = [np.diff(solve(neuron, i_nA, 1200.0)[0])[-1] for i_nA in above]
    np.testing.assert_allclose(intervals, exact, rtol=0.03 if word == 18 else 0.015)
    assert 1000 / intervals[0] < 3.5
    scaled = np.array(intervals) * np.sqrt(above - critical)
    assert np.ptp(scaled) < 0.2 * scaled.mean()  # the law is the limit: away from it the spike itself takes time
