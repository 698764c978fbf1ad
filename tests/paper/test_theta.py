"""Ermentrout & Kopell 1986, SIAM J. Appl. Math. 46:233; Ermentrout 1996, Neural Comput. 8:979: f = sqrt(drive)/(pi tau)."""

from functools import partial

import numpy as np
import pytest

from spikefab import QuadraticIFNeuron, ThetaNeuron
from spikefab.sim import continuous

CELL = {"tau": 10.0, "eta": -0.25, "k_I": 2.0, "V_0": -64.0, "S": 2.0, "V_peak": 30.0}


def quadratic(p, i_nA):
    """tau y' = y^2 + eta + k_I I"""
    return lambda y: [(y[0] ** 2 + p["eta"] + p["k_I"] * i_nA) / p["tau"]]


def solve(integrate, p, i_nA, duration, start):
    return integrate(partial(continuous.theta, p, i=i_nA), [start], duration, np.pi, lambda y: [-np.pi])


def frequency(p, i_nA):
    """1/ms under a constant current: one over the integral of dtheta/theta' round the circle."""
    return np.sqrt(max(p["eta"] + p["k_I"] * i_nA, 0)) / (np.pi * p["tau"])


def spikes_of(neuron, i_nA, duration, dt=0.1):
    neuron.reset()
    neuron.run(np.full(round(duration / dt), i_nA))
    return neuron.spikes


@pytest.mark.parametrize(("i_nA", "duration", "turns"), [(0.1, 12, 0), (-1.0, 12, 0), (0.3, 100, 2), (1.0, 60, 2)])
def test_first_order(integrate, order, i_nA, duration, turns):
    """The phase, counted on through its turns."""
    steps, errors = (0.4, 0.2, 0.1, 0.05), []
    for dt in steps:
        ideal = ThetaNeuron(**CELL, dt=dt).ideal()
        start = np.pi * ideal.state["phase"]
        ideal.run(np.full(round(duration / dt), i_nA))
        spikes, end = solve(integrate, ideal.neuron.values, i_nA, duration, start)
        assert len(ideal.spikes) == len(spikes) == turns
        errors.append(abs(np.pi * ideal.state["phase"] - end[0]))
    assert 0.9 < order(steps, errors) < 1.1


@pytest.mark.parametrize("fixed_point", [False, True])
def test_frequency_is_the_closed_form(fixed_point):
    model = ThetaNeuron(**CELL, dt=0.05)
    neuron = model if fixed_point else model.ideal()
    for i_nA in (0.3, 1.0, 3.0):
        intervals = np.diff(spikes_of(neuron, i_nA, 300.0, 0.05))
        assert len(intervals) >= 4
        assert np.ptp(intervals) < 0.11  # two steps: the phase goes on beyond pi, so no interval pays for the last
        # over a turn, Euler's errors cancel: what is left is the grid, over all intervals
        assert 1 / intervals.mean() == pytest.approx(frequency(model.values, i_nA), rel=0.001)


@pytest.mark.slow
@pytest.mark.parametrize("word", [18, 24])
def test_onset_is_a_square_root(word):
    """From arbitrarily low rates on, f^2 is a line of the current that is zero at k_I I = -eta, of slope k_I/(pi tau)^2."""
    model = ThetaNeuron(**CELL, word=word)
    p = model.values
    rheobase, slope = -p["eta"] / p["k_I"], p["k_I"] / (np.pi * p["tau"]) ** 2
    # half a code of the input, which spans 4; of k_I I, the drive and the product, which span 16; three of the table; and
    # at theta = 0, where the time is spent, the table is below cos^2(theta/2) by pi^2 h^2/16 at most, as if driven
    table = np.pi**2 / 16 * (2 / {18: 512, 24: 1024}[word]) ** 2
    shift = 4 / 2**word + ((3 * 16 + 3) / 2**word + table) / p["k_I"]
    for above in (0.0005, 0.005, 0.01, 0.02, 0.04):
        intervals = np.diff(spikes_of(model, rheobase + above, 4.5 / np.sqrt(slope * above)))
        assert len(intervals) >= 2
        assert intervals.mean() ** -2 == pytest.approx(slope * above, rel=0.001 + shift / above)
    assert not len(spikes_of(model, rheobase - 0.0005, 3000.0))


@pytest.mark.parametrize("word", [16, 18, 24])
def test_rests_below_threshold(word):
    """At theta = -2 atan(sqrt(-eta - k_I I)): starts there without current, goes there with one."""
    model = ThetaNeuron(**CELL, word=word)
    p = model.values

    def rest(i_nA):
        return -2 * np.arctan(np.sqrt(-p["eta"] - p["k_I"] * i_nA)) / np.pi

    assert model.state["phase"] == pytest.approx(rest(0.0), abs=2.0**-word)
    assert model.v == pytest.approx(p["V_0"] - p["S"] * np.sqrt(-p["eta"]), abs=1e-3)
    chord = np.pi**2 / 16 * (2 / {16: 256, 18: 512, 24: 1024}[word]) ** 2  # the table below cos^2(theta/2), at most
    for neuron in (model, model.ideal()):
        for i_nA in (-2.0, -0.5, 0.0, 0.05):
            assert not len(spikes_of(neuron, i_nA, 300.0))
            # what the codes of the drive, the table and the product make of the speed, over its slope
            drive = p["eta"] + p["k_I"] * i_nA
            code = (p["k_I"] * 4 + 3 * 16) / 2**word + (3 / 2**word + chord) * (1 - drive) if neuron is model else 0.0
            slope = np.sqrt(-drive) * np.pi
            assert neuron.state["phase"] == pytest.approx(rest(i_nA), abs=1e-8 + code / slope)


@pytest.mark.parametrize("i_nA", [-0.4, 0.1, 0.5])
def test_is_the_quadratic_neuron(integrate, order, i_nA):
    """y = tan(theta/2) obeys tau y' = y^2 + eta + k_I I, which reaches infinity where theta reaches pi."""
    steps, errors = (0.2, 0.1, 0.05, 0.025), []
    for dt in steps:
        ideal = ThetaNeuron(**CELL, dt=dt).ideal()
        p = ideal.neuron.values
        start = np.tan(np.pi * ideal.state["phase"] / 2)
        ideal.run(np.full(round(40 / dt), i_nA))
        # beyond 1e6 there are 1e-5 ms to infinity, and as many back
        spikes, end = integrate(quadratic(p, i_nA), [start], 40.0, 1e6, lambda y: [-1e6])
        assert len(ideal.spikes) == len(spikes) == (i_nA == 0.5)
        errors.append(abs(ideal.state["phase"] - 2 / np.pi * np.arctan(end[0])))
    assert 0.85 < order(steps, errors) < 1.15


@pytest.mark.slow
def test_is_the_quadratic_model_of_this_package_between_infinities():
    """C S y' = k S^2 y^2 - k S^2 + I for V = middle + S y with S = (V_c - E_L)/2: tau = C/(k S), eta = -1, k_I = 1/(k S^2).

    That one runs from V_reset to V_peak, this one from and to infinity: what lies beyond takes a time in closed form.
    """
    dt = 0.02
    cell = {"C": 0.1, "k": 0.0007, "E_L": -60.0, "V_c": -40.0, "V_reset": -110.0, "V_peak": 80.0, "t_ref": 0.0}
    quadratic_if = QuadraticIFNeuron(**cell, dt=dt, i_span=1.0, word=24)
    q = quadratic_if.values
    middle, half = (q["E_L"] + q["V_c"]) / 2, (q["V_c"] - q["E_L"]) / 2
    tau, k_I = q["C"] / (q["k"] * half), 1 / (q["k"] * half**2)
    theta = ThetaNeuron(tau=tau, eta=-1.0, k_I=k_I, dt=dt, i_span=1.0, word=24)
    for i_nA in (0.1, 0.2, 0.4):
        root = np.sqrt(k_I * i_nA - 1)
        ends = [abs(q[name] - middle) / half for name in ("V_peak", "V_reset")]
        beyond = tau / root * sum(np.pi / 2 - np.arctan(y / root) for y in ends)
        turn, interval = (np.diff(spikes_of(n, i_nA, 250.0, dt)).mean() for n in (theta, quadratic_if))
        # each spike of the quadratic model is up to a step late, and Euler's parabola lags by some steps on the upstroke
        assert 0 < interval - (turn - beyond) < 4 * dt


def test_inhibition_does_not_turn_the_phase_back_through_pi():
    """As -16 of drive on tau = 1 ms takes it further than a half turn in a step of 0.5 ms: a spike is none of that."""
    for fixed_point in (True, False):
        model = ThetaNeuron(tau=1.0, eta=-0.25, k_I=4.0, dt=0.5)
        neuron = model if fixed_point else model.ideal()
        neuron.step(-4.0)
        assert neuron.state["phase"] == -1
        shown = neuron.run(np.full(50, -4.0))
        assert not len(neuron.spikes)
        assert np.all(shown < -64)
        neuron.run(np.full(50, 1.0))
        assert len(neuron.spikes) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("i_nA", [0.25, 0.5, 1.0, 3.0])
def test_fixed_point_stays_with_the_ideal(i_nA):
    model = ThetaNeuron(word=18)
    near, wanted = spikes_of(model, i_nA, 500.0), spikes_of(model.ideal(), i_nA, 500.0)
    assert len(near) == len(wanted) >= 15
    assert np.abs(near - wanted).max() <= 0.2  # a step, and one for the grid, after 5000


def test_read_out_is_a_line_of_the_limited_tangent():
    """V = V_0 + S tan(theta/2), within 8 S of V_0, and V_peak on the step of a spike; V_0 and S change nothing else."""
    rng = np.random.default_rng(2)
    current = 0.3 + 0.5 * rng.normal(size=1500).clip(-4, 4)
    models = [ThetaNeuron(**{**CELL, **r}) for r in ({}, {"V_0": -40.0, "S": 7.5, "V_peak": 50.0})]
    for model in models:
        p, near = model.values, 0
        rounding = (256 + 128) / 2**18  # half a code each of S y and of V
        for i_nA in current:
            v = model.step(i_nA)
            y = np.tan(np.pi * model.state["phase"] / 2)
            if model.spiked:
                assert v == p["V_peak"]
                continue
            assert abs(v - p["V_0"]) <= 8 * p["S"] + rounding
            if abs(y) < 4:
                near += 1
                # h^2/8 of the tangent's second derivative, with 512 entries of a turn, and its slope times half a code of
                # phase; half a code each of y, which spans 16, and of the table's value and slope, which span 8
                bend = (2 / 512) ** 2 / 8 * np.pi**2 / 2 * (abs(y) + 0.1) * (1 + (abs(y) + 0.1) ** 2)
                codes = np.pi / 2 * (1 + y**2) / 2**18 + (16 + 2 * 8) / 2**18
                assert abs(v - (p["V_0"] + p["S"] * y)) <= p["S"] * (bend + codes) + rounding
            else:
                assert abs(v - p["V_0"]) >= 3.9 * p["S"]
        assert near > 1000
    assert models[0].state == models[1].state
