"""Brette & Gerstner 2005, J. Neurophysiol. 94:3637: eqs. 1-3, two cells; Naud et al. 2008, Biol. Cybern. 99:335: table 1."""

from functools import cache, partial

import numpy as np
import pytest

from spikefab import AdExNeuron
from spikefab.sim import continuous
from spikefab.sim import ideal as in_float

REGULAR = {
    "C": 0.281, "g_L": 0.030, "E_L": -70.6, "V_T": -50.4, "Delta_T": 2.0, "tau_w": 144.0, "a": 0.004, "b": 0.0805,
    "V_reset": -70.6, "V_peak": 20.0, "t_ref": 0.0,
}  # fmt: skip
BURSTING = {**REGULAR, "tau_w": 20.0, "b": 0.5, "V_reset": REGULAR["V_T"] + 5}

# C pF, g_L nS, E_L mV, a nS, tau_w ms, b pA, V_reset mV and the step of current, pA; V_T -50 mV, Delta_T 2 mV
PATTERNS = {
    "tonic": (200, 10, -70, 2, 30, 0, -58, 500),
    "adapting": (200, 12, -70, 2, 300, 60, -58, 500),
    "initial burst": (130, 18, -58, 4, 150, 120, -50, 400),
    "bursting": (200, 10, -58, 2, 120, 100, -46, 210),
    "delayed accelerating": (200, 12, -70, -10, 300, 0, -58, 300),
    "delayed bursting": (100, 10, -65, -10, 90, 30, -47, 110),
    "transient": (100, 10, -65, 10, 90, 100, -47, 180),
    "irregular": (100, 12, -60, -11, 130, 30, -48, 160),
}


def solve(integrate, p, i_nA, duration):
    # from 15 Delta_T above V_T on infinity is less than a microsecond away: no solver needs to follow
    level = min(p["V_peak"], p["V_T"] + 15 * p["Delta_T"])
    return integrate(
        partial(continuous.adex, p, i=i_nA),
        [p["E_L"], 0.0],
        duration,
        level,
        lambda y: [p["V_reset"], y[1] + p["b"]],
        p["t_ref"],
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


# -- the eight patterns of 2008 ------------------------------------------------------------------------------------


def pattern(name):
    """Parameters, and the step of current (nA), of a row of the table."""
    C, g_L, E_L, a, tau_w, b, V_reset, step = PATTERNS[name]
    small = {"C": C / 1000, "g_L": g_L / 1000, "a": a / 1000, "b": b / 1000}
    large = {"E_L": E_L, "V_T": -50.0, "Delta_T": 2.0, "tau_w": tau_w, "V_reset": V_reset, "V_peak": 0.0, "t_ref": 0.0}
    return small | large, step / 1000


@cache
def ideal_patterns():
    """Spike times of all eight ideals over 500 ms, side by side: hardly slower than one of them."""
    cells, currents = zip(*map(pattern, PATTERNS), strict=True)
    ideals = [AdExNeuron(**cell).ideal() for cell in cells]
    states, coefficients = (
        {key: np.array([getattr(ideal, part)[key] for ideal in ideals]) for key in getattr(ideals[0], part)}
        for part in ("state", "coefficients")
    )
    _, spikes, _ = in_float.run(ideals[0].dp, states, coefficients, np.tile(currents, (5000, 1)))
    return {name: np.flatnonzero(column) * 0.1 for name, column in zip(PATTERNS, spikes.T, strict=True)}


@pytest.fixture(params=["ode", "ideal", "fixed point"])
def firing(request, integrate):
    """Spike times of a pattern over 500 ms."""

    def spikes(name):
        cell, i_nA = pattern(name)
        if request.param == "ode":
            return solve(integrate, cell, i_nA, 500.0)[0]
        return ideal_patterns()[name] if request.param == "ideal" else spikes_of(AdExNeuron(**cell), i_nA)

    return spikes


def bursts(intervals, apart):
    """Spikes in each burst between intervals longer than `apart`, without the last one, which may be cut off."""
    return np.diff(np.flatnonzero(np.r_[apart + 1, intervals] > apart))


def test_tonic(firing):
    """Even intervals from the first on, as b = 0 and w is fast: at dt = 0.1 ms 0.3 ms longer than in the ODE."""
    intervals = np.diff(firing("tonic"))
    assert len(intervals) > 45
    assert np.ptp(intervals[5:]) < 0.25
    assert intervals[0] > 0.9 * intervals[-1]
    assert intervals[-1] == pytest.approx(9.64, abs=0.4)


def test_adapting(firing):
    intervals = np.diff(firing("adapting"))
    assert len(intervals) == 9
    assert np.all(np.diff(intervals) > -0.1)
    assert np.all(np.diff(intervals[:6]) > 2)
    assert intervals[-1] > 6 * intervals[0]
    assert np.ptp(intervals[-2:]) < 0.3


def test_initial_burst(firing):
    """Three spikes within 12 ms, then one at a time."""
    intervals = np.diff(firing("initial burst"))
    assert np.all(intervals[:2] < 9)
    assert np.all(intervals[2:] > 50)
    assert len(intervals) == 9
    assert np.ptp(intervals[3:]) < 0.5


def test_bursting(firing):
    """A burst of three at first, then of two again and again."""
    intervals = np.diff(firing("bursting"))
    assert np.all((intervals < 7) | (intervals > 120))
    assert list(bursts(intervals, 100)) == [3, 2, 2]


def test_delayed_accelerating(firing):
    """The first spike takes longer than any interval, and each interval is shorter than the one before: a < 0 and b = 0."""
    spikes = firing("delayed accelerating")
    intervals = np.diff(spikes)
    assert len(intervals) > 30
    assert spikes[0] > 1.5 * intervals[0]
    assert np.all(np.diff(intervals) < 0.15)
    assert intervals[-1] < 0.6 * intervals[0]


def test_delayed_bursting(firing):
    """The first spike late, then bursts of four."""
    spikes = firing("delayed bursting")
    intervals = np.diff(spikes)
    assert spikes[0] > 50
    assert np.all((intervals < 9) | (intervals > 50))
    assert set(bursts(intervals, 40)) == {4}
    assert len(bursts(intervals, 40)) >= 5


def test_transient(firing):
    """A spike at the onset and none thereafter, though the current lasts: w has grown by b and a (V - E_L) holds it up."""
    spikes = firing("transient")
    assert 1 <= len(spikes) <= 3
    assert spikes[-1] < 60


def test_irregular(firing):
    """No interval and no group of up to six comes again: chaos, in which ODE, ideal and fixed point soon part."""

    def repeats(intervals):
        """ms by which the best period, of one to six intervals, misses."""
        lags = range(1, min(7, len(intervals)))
        return min(np.abs(intervals[lag:] - intervals[:-lag]).max() for lag in lags)

    intervals = np.diff(firing("irregular"))[4:]
    assert len(intervals) >= 20
    assert intervals.std() > 0.3 * intervals.mean()
    assert repeats(intervals) > 3
    assert repeats(np.diff(firing("bursting"))[3:]) < 0.3


def test_patterns_keep_their_spikes_in_fixed_point():
    """Word 18: spike by spike with the ideal, but for the chaotic cell."""
    for name in PATTERNS:
        cell, i_nA = pattern(name)
        near, wanted = spikes_of(AdExNeuron(**cell), i_nA), ideal_patterns()[name]
        assert len(near) == len(wanted)
        if name != "irregular":
            assert np.abs(near - wanted).max() <= (2.0 if name == "delayed bursting" else 0.3), name
