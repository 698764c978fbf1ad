"""Ermentrout & Kopell 1986, SIAM J. Appl. Math. 46:233; Izhikevich 2007, Dynamical Systems in Neuroscience, ch. 3.3 and
4.1: the quadratic cell near its saddle-node."""

from functools import partial

import numpy as np
import pytest

from spikefab import QuadraticIFNeuron
from spikefab.sim import continuous

CELL = {"C": 0.1, "k": 0.0007, "V_c": -40.0, "V_reset": -50.0, "E_L": -60.0, "V_peak": 35.0, "t_ref": 0.0}


def solve(integrate, p, i_nA, duration):
    return integrate(
        partial(continuous.quadratic, p, i=i_nA),
        [p["E_L"]],
        duration,
        p["V_peak"],
        lambda y: [p["V_reset"]],
        p["t_ref"],
    )


def rheobase(p):
    """nA at which the parabola k (V - E_L)(V - V_c) + I touches zero: k (V_c - E_L)^2 / 4."""
    return p["k"] * (p["V_c"] - p["E_L"]) ** 2 / 4


def period(p, i_nA):
    """ms between spikes: t_ref + integral of dV / V' from V_reset to V_peak, with C V' = k ((V - m)^2 + q^2)."""
    m, q = (p["E_L"] + p["V_c"]) / 2, np.sqrt((i_nA - rheobase(p)) / p["k"])
    return p["t_ref"] + p["C"] / (p["k"] * q) * (np.arctan((p["V_peak"] - m) / q) - np.arctan((p["V_reset"] - m) / q))


def spikes_of(neuron, i_nA, duration, dt=0.1):
    neuron.reset()
    neuron.run(np.full(round(duration / dt), i_nA))
    return neuron.spikes


@pytest.mark.parametrize("i_nA", [0.05, -0.3])
def test_first_order_below_threshold(integrate, order, i_nA):
    steps, errors = (0.4, 0.2, 0.1, 0.05), []
    for dt in steps:
        ideal = QuadraticIFNeuron(**CELL, dt=dt).ideal()
        ideal.run(np.full(round(16 / dt), i_nA))
        spikes, end = solve(integrate, ideal.neuron.values, i_nA, 16.0)
        assert not len(spikes)
        errors.append(abs(ideal.state["V"] - end[0]))
    assert 0.9 < order(steps, errors) < 1.1


@pytest.mark.parametrize("t_ref", [0.0, 2.0])
def test_spikes_converge_at_first_order(integrate, order, t_ref):
    steps, errors = (0.2, 0.1, 0.05, 0.025), []
    for dt in steps:
        ideal = QuadraticIFNeuron(**{**CELL, "t_ref": t_ref}, dt=dt).ideal()
        ideal.run(np.full(round(80 / dt), 0.3))
        exact, _ = solve(integrate, ideal.neuron.values, 0.3, 100.0)
        assert len(ideal.spikes) >= 5
        errors.append(np.abs(ideal.spikes + dt - exact[: len(ideal.spikes)]).max())
    # each spike time is rounded up to its step, which scatters the error by as much as a step
    assert 0.7 < order(steps, errors) < 1.3
    assert errors[-1] < 0.5


@pytest.mark.parametrize("fixed_point", [False, True])
@pytest.mark.parametrize("t_ref", [0.0, 3.0])
def test_frequency_against_current_is_the_closed_form(fixed_point, t_ref):
    """Forward Euler takes dt/2 ln(V'(V_peak) / V'(V_reset)) longer than the equation, to first order in dt (that is the
    integral of its error, -dt/2 V'', over V'^2), and the spike is seen at the end of its step."""
    dt = 0.05
    model = QuadraticIFNeuron(**{**CELL, "t_ref": t_ref}, dt=dt, i_span=1.0)
    p = model.values
    neuron = model if fixed_point else model.ideal()
    assert not len(spikes_of(neuron, 0.99 * rheobase(p), 300, dt))
    for i_nA in (1.05 * rheobase(p), 0.1, 0.2, 0.4, 0.8):
        slopes = [continuous.quadratic(p, [v], i_nA)[0] for v in (p["V_reset"], p["V_peak"])]
        late = dt / 2 * np.log(slopes[1] / slopes[0])
        intervals = np.diff(spikes_of(neuron, i_nA, 5 * period(p, i_nA), dt))
        assert len(intervals) >= 3
        # what is left is of second order, below a tenth: dt V'' / V' is 0.05 at most; near the rheobase the words of the
        # current and of the quadratic hide 1e-5 nA of the 3.5e-3 nA above it, half as much of the period
        slack = 0.1 * late + (0.002 * period(p, i_nA) if fixed_point and i_nA < 0.1 else 0.0)
        assert intervals.min() > period(p, i_nA) + late - slack
        assert intervals.max() < period(p, i_nA) + late + slack + dt


@pytest.mark.parametrize("fixed_point", [False, True])
def test_fires_from_zero_frequency_as_a_square_root(fixed_point):
    """Type I: just above the rheobase the rate is sqrt(k (I - I_rheobase)) / (pi C), whatever V_peak and V_reset are as
    long as they lie far on both sides of the middle of E_L and V_c."""
    model = QuadraticIFNeuron(**{**CELL, "V_reset": -90.0}, i_span=0.25)
    p = model.values
    neuron = model if fixed_point else model.ideal()
    excess = np.array([0.004, 0.008, 0.016]) * rheobase(p)
    rates = []
    for x in excess:
        wanted = np.pi * p["C"] / np.sqrt(p["k"] * x)
        spikes = spikes_of(neuron, rheobase(p) + x, 2.2 * wanted)
        rates.append(1 / np.diff(spikes)[0])
    # q = 1.3 mV at the largest current: the arctan of 85 mV and 40 mV over it are 1.5 % short of pi together
    np.testing.assert_allclose(rates, np.sqrt(p["k"] * excess) / (np.pi * p["C"]), rtol=0.02)
    assert np.polyfit(np.log(excess), np.log(rates), 1)[0] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("fixed_point", [False, True])
def test_threshold_without_input(fixed_point):
    """V_c is unstable: from above it the cell fires, from below it returns to rest."""
    q = QuadraticIFNeuron(**CELL).datapath.states["V"]
    for start, fires in ((-39.9, 1), (-40.1, 0)):
        model = QuadraticIFNeuron(**CELL, initial={"V": int(q.encode(start)), "hold": 0})
        neuron = model if fixed_point else model.ideal()
        neuron.run(np.zeros(1500))
        assert len(neuron.spikes) == fires  # V_reset is below V_c: once
        assert neuron.state["V"] == pytest.approx(-60, abs=0.01)


@pytest.mark.slow
def test_fixed_point_stays_with_the_ideal():
    rng = np.random.default_rng(1)
    steady = np.full(5000, 0.12)
    noise = 0.1 + 0.2 * np.repeat(rng.normal(size=500), 10)
    for current in (steady, noise):
        model = QuadraticIFNeuron(**CELL, word=18)
        ideal = model.ideal()
        model.run(current)
        ideal.run(current)
        assert len(model.spikes) == len(ideal.spikes) > 10
        assert np.abs(model.spikes - ideal.spikes).max() < 0.11  # one step: a crossing at its very end
