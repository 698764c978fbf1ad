"""Izhikevich 2007, Dynamical Systems in Neuroscience, ch. 8: equations 8.5-8.6, p. 274 on; 2003, IEEE TNN 14:1569: 1-3."""

from functools import partial

import numpy as np
import pytest

from spikefab import IzhikevichNeuron, SpikefabError
from spikefab.sim import continuous
from spikefab.sim import ideal as in_float

RS = {"C": 0.100, "k": 0.0007, "v_r": -60, "v_t": -40, "v_peak": 35, "a": 0.03, "b": -0.002, "c": -50, "d": 0.100}
IB = {"C": 0.150, "k": 0.0012, "v_r": -75, "v_t": -45, "v_peak": 50, "a": 0.01, "b": 0.005, "c": -56, "d": 0.130}
CH = {"C": 0.050, "k": 0.0015, "v_r": -60, "v_t": -40, "v_peak": 25, "a": 0.03, "b": 0.001, "c": -40, "d": 0.150}

# (a, b, c, d) of the cells of 2003, figure 2
TYPES = {
    "RS": (0.02, 0.2, -65, 8), "IB": (0.02, 0.2, -55, 4), "CH": (0.02, 0.2, -50, 2), "FS": (0.1, 0.2, -65, 2),
    "LTS": (0.02, 0.25, -65, 2), "TC": (0.02, 0.25, -65, 0.05), "RZ": (0.1, 0.26, -65, 2),
}  # fmt: skip
UNIT = 0.05  # nA for one unit of their I


def solve(integrate, p, i_nA, duration, start=None):
    start = [p["v_r"], 0.0] if start is None else start
    return integrate(
        partial(continuous.izhikevich, p, i=i_nA), start, duration, p["v_peak"], lambda y: [p["c"], y[1] + p["d"]]
    )


def spikes_of(neuron, i_nA, duration=500.0):
    neuron.reset()
    neuron.run(np.full(round(duration / 0.1), i_nA))
    return neuron.spikes


def ideals(models, current, steps):
    """Spike times of the ideals of several models side by side, which cost hardly more than one of them alone."""
    each = [model.ideal() for model in models]
    states, coefficients = (
        {name: np.array([getattr(x, part)[name] for x in each]) for name in getattr(each[0], part)}
        for part in ("state", "coefficients")
    )
    dp = models[0].datapath
    _, spikes, _ = in_float.run(dp, states, coefficients, np.broadcast_to(current, (steps, len(each))))
    return [np.flatnonzero(column) * dp.dt for column in spikes.T]


def responses(model, currents, fixed_point, duration=500.0):
    """Spike times under each current."""
    if fixed_point:
        return [spikes_of(model, i_nA, duration) for i_nA in currents]
    return ideals([model] * len(currents), currents, round(duration / 0.1))


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
    rest, below, above, *tonic = responses(model, (0.0, 0.05, 0.07, 0.1, 0.2, 0.3, 0.4), fixed_point)
    assert not len(rest)
    assert not len(below)
    assert len(above) >= 3
    counts = []
    for i_nA, spikes in zip((0.1, 0.2, 0.3, 0.4), tonic, strict=True):
        intervals = np.diff(spikes)
        counts.append(len(spikes))
        assert np.ptp(intervals[-3:]) < 0.05 * intervals[-1]  # tonic in the end
        exact, _ = solve(integrate, model.values, i_nA, 500.0)
        assert abs(len(spikes) - len(exact)) <= 1
    assert counts == sorted(set(counts))
    strong = np.diff(tonic[-1])
    assert np.all(np.diff(strong[:6]) > 0)  # each interval longer than the one before
    assert strong[-1] > 1.3 * strong[0]


@pytest.mark.parametrize("fixed_point", [False, True])
def test_intrinsically_bursting_cell(integrate, fixed_point):
    """A burst at the onset of a strong step, then single spikes several times as far apart."""
    model = IzhikevichNeuron(**IB)
    weak, *strong = responses(model, (0.4, 0.5, 0.6, 0.7), fixed_point)
    for i_nA, burst, found in zip((0.5, 0.6, 0.7), (2, 3, 4), strong, strict=True):
        exact, _ = solve(integrate, model.values, i_nA, 500.0)
        for spikes in (exact, found):
            intervals = np.diff(spikes)
            assert np.all(intervals[: burst - 1] < 25)
            assert np.all(intervals[burst - 1 :] > 38)
            assert len(intervals) >= burst + 3
    assert np.all(np.diff(weak) > 100)  # a weak step gives no burst


@pytest.mark.slow
def test_the_bursting_cell_bursts_where_the_regular_one_does_not():
    first = {name: np.diff(spikes_of(IzhikevichNeuron(**cell), 0.6)) for name, cell in (("RS", RS), ("IB", IB))}
    assert first["IB"].max() / first["IB"][0] > 4
    assert first["RS"].max() / first["RS"][0] < 1.6


@pytest.mark.parametrize("fixed_point", [False, True])
def test_chattering_cell(integrate, fixed_point):
    """Bursts that come again and again, and faster under a stronger current."""
    model = IzhikevichNeuron(**CH)
    currents, gaps = (0.2, 0.3, 0.6), []
    for i_nA, burst, found in zip(currents, (2, 2, 3), responses(model, currents, fixed_point, 300.0), strict=True):
        exact, _ = solve(integrate, model.values, i_nA, 300.0)
        for spikes in (exact, found):
            intervals = np.diff(spikes)
            between = np.flatnonzero(intervals > 20)
            assert np.all(intervals[np.setdiff1d(np.arange(len(intervals)), between)] < 7)
            assert len(between) >= 2
            assert np.all(np.diff(between[-5:]) == burst)
            gaps.append(intervals[between[-1]])
    # of ODE and model by turns. A burst ends where u wins, so that a spike a tenth of a ms late hardly moves the next
    np.testing.assert_allclose(gaps[1::2], gaps[::2], rtol=0.01)
    assert np.all(np.diff(gaps[::2]) < -20)


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "currents"), [(RS, (0.07, 0.1, 0.3, 0.6)), (IB, (0.4, 0.5, 0.7))])
def test_fixed_point_stays_with_the_ideal(cell, currents):
    model = IzhikevichNeuron(**cell, word=18)
    for near, wanted in zip(responses(model, currents, True), responses(model, currents, False), strict=True):
        assert len(near) == len(wanted) >= 3
        assert np.abs(near - wanted).max() <= 0.5


# -- the form of 2003 --------------------------------------------------------------------------------------------


def solve_2003(integrate, name, *pieces):
    """Spike times of v' = .04 v^2 + 5 v + 140 - u + I, u' = a (b v - u), from rest through (I, ms) of each piece."""
    a, b, c, d = TYPES[name]
    v = ((b - 5) - np.sqrt((5 - b) ** 2 - 4 * 0.04 * 140)) / (2 * 0.04)
    state, start, every = [v, b * v], 0.0, []
    for current, duration in pieces:

        def rhs(y, current=current):
            return [0.04 * y[0] ** 2 + 5 * y[0] + 140 - y[1] + current, a * (b * y[0] - y[1])]

        spikes, state = integrate(rhs, state, duration, 30.0, lambda y: [c, y[1] + d])
        every.append(spikes + start)
        start += duration
    return np.concatenate(every)


def spikes_2003(name, *pieces):
    neuron = IzhikevichNeuron.from_2003(*TYPES[name])
    neuron.run(np.concatenate([np.full(round(duration / 0.1), current * UNIT) for current, duration in pieces]))
    return neuron.spikes


@pytest.mark.parametrize("name", TYPES)
def test_the_equations_of_2003(name):
    """A forward Euler step moves by dt times the right-hand sides of 2003, wherever it starts."""
    a, b, c, d = TYPES[name]
    model = IzhikevichNeuron.from_2003(a, b, c, d, word=24)
    ideal, v_r = model.ideal(), model.values["v_r"]
    assert 0.04 * v_r**2 + 5 * v_r + 140 - b * v_r == pytest.approx(0, abs=1e-5)
    for v, u, current in ((-80, -10, 0), (-65, -20, 7), (-40, -12, -5), (0, 3, 20), (20, -17, 0)):
        ideal.state = {"v": float(v), "u": UNIT * (u - b * v_r)}
        ideal.step(current * UNIT)
        v_next = v + 0.1 * (0.04 * v**2 + 5 * v + 140 - u + current)
        u_next = u + 0.1 * a * (b * v - u)
        if v_next >= 30:
            v_next, u_next = c, u_next + d
        # coefficients are rounded at the 24th bit, and then multiplied by up to 100^2 mV^2
        assert ideal.state["v"] == pytest.approx(v_next, abs=2e-3)
        assert ideal.state["u"] / UNIT + b * v_r == pytest.approx(u_next, abs=1e-3)


def test_without_a_resting_potential():
    with pytest.raises(SpikefabError, match=r"no resting potential with b = 0.27: take b <= 0.267"):
        IzhikevichNeuron.from_2003(0.02, 0.27, -65, 2)


def test_2003_converges_at_first_order(integrate, order):
    """All seven cells at I = 10; 24-bit words, because the ODE has the published values and not those of codes."""
    exact = {name: solve_2003(integrate, name, (10, 60)) for name in TYPES}
    steps, errors = (0.2, 0.1, 0.05, 0.025), []
    for dt in steps:
        models = [IzhikevichNeuron.from_2003(*TYPES[name], dt=dt, word=24) for name in TYPES]
        found = ideals(models, 10 * UNIT, round(50 / dt))
        first = [min(len(spikes), 5) for spikes in found]
        assert min(first) >= 2
        errors.append([np.abs(f[:n] + dt - e[:n]).max() for f, e, n in zip(found, exact.values(), first, strict=True)])
    for name, error in zip(TYPES, np.transpose(errors), strict=True):
        # each spike time is rounded up to its step, which scatters the error by as much as a step
        assert 0.7 < order(steps, error) < 1.3, name
        assert error[-1] < 0.5, name


@pytest.mark.parametrize("source", ["ode", "ideal", "fixed point"])
def test_firing_types_of_2003(integrate, source):
    """The step responses of figure 2, at I = 10: intervals of each type."""

    cases = {"RS": 10, "IB": 10, "CH": 10, "FS": 10, "LTS": 10, "LTS, weak": 1, "RS, weak": 1}
    names, duration = [case.removesuffix(", weak") for case in cases], 300.0
    if source == "ode":
        every = [solve_2003(integrate, name, (i, duration)) for name, i in zip(names, cases.values(), strict=True)]
    else:
        models = [IzhikevichNeuron.from_2003(*TYPES[name]) for name in names]
        currents = [i * UNIT for i in cases.values()]
        every = (
            ideals(models, currents, round(duration / 0.1))
            if source == "ideal"
            else [spikes_of(model, i_nA, duration) for model, i_nA in zip(models, currents, strict=True)]
        )
    rs, ib, ch, fs, lts, lts_weak, _ = (np.diff(spikes) for spikes in every)
    assert rs[-1] > 2 * rs[0] and np.ptp(rs[2:]) < 0.5  # adapts, to a steady rate
    assert np.all(ib[:2] < 5) and np.all(ib[2:] > 25)  # a burst of three, then single spikes
    bursts = np.flatnonzero(ch > 30)
    assert len(bursts) >= 4 and np.all(np.delete(ch, bursts) < 8)
    assert np.all(np.diff(bursts) >= 4)  # chatters: every burst has several spikes
    assert fs[-1] < 0.25 * rs[-1]  # fast, and what adaptation there is is over after three spikes
    assert np.ptp(fs[3:]) < 0.4
    assert lts[-1] > 3 * lts[0] and rs[-1] > 2 * lts[-1]  # fast as well, and it adapts
    # the low threshold of LTS: it fires where RS is silent
    assert len(lts_weak) >= 2
    assert not len(every[-1])


@pytest.mark.parametrize("name", ["RS", "IB", "CH", "FS", "LTS"])
def test_intervals_of_2003(integrate, name):
    """At dt = 0.1 ms a spike comes up to a step late by the grid, and twice that again by the upstroke's Euler steps."""
    exact = np.diff(solve_2003(integrate, name, (10, 150)))
    found = np.diff(spikes_2003(name, (10, 150)))
    n = min(len(exact), len(found))
    assert n >= 3
    assert abs(len(exact) - len(found)) <= 1
    late = found[:n] - exact[:n]
    assert np.all(late > -0.1)
    assert np.all(late < 0.8)


def test_rebound_of_the_thalamocortical_cell(integrate):
    """Released from hyperpolarisation, TC fires a burst of fast spikes and RS none; TC at rest, depolarised: tonic."""
    release = (-20, 150), (0, 100)
    for spikes in (solve_2003(integrate, "TC", *release), spikes_2003("TC", *release)):
        assert np.all(spikes > 150)
        assert len(spikes) >= 5
        assert np.all(np.diff(spikes)[:3] < 10)
        assert np.all(np.diff(spikes, n=2) > 0)
    assert not len(spikes_2003("RS", *release))
    for spikes in (solve_2003(integrate, "TC", (2, 300)), spikes_2003("TC", (2, 300))):
        assert len(spikes) >= 15
        assert (
            np.ptp(np.diff(spikes)[-5:]) < 1.5
        )  # near the rheobase an interval magnifies what the grid does to a reset


def test_the_resonator(integrate):
    """RZ at rest is a focus: x'' + a x' + a b x = 0. Two weak pulses fire it if a period lies between them."""
    a, b, _, _ = TYPES["RZ"]
    period = 2 * np.pi / np.sqrt(a * b - a**2 / 4)
    voltage = IzhikevichNeuron.from_2003(*TYPES["RZ"]).ideal().run(np.r_[np.full(20, 0.3 * UNIT), np.zeros(1500)])
    peaks = 1 + np.flatnonzero((np.diff(voltage[:-1]) > 0) & (np.diff(voltage[1:]) <= 0))
    assert np.diff(peaks[1:]) * 0.1 == pytest.approx(period, rel=0.01)  # a grid of steps, and 0.3 % of forward Euler
    for gap, fires in ((20, 0), (30, 0), (40, 1), (50, 1), (60, 0)):
        pulses = (1.2, 2), (0, gap - 2), (1.2, 2), (0, 60)
        assert len(solve_2003(integrate, "RZ", *pulses)) == fires
        assert len(spikes_2003("RZ", *pulses)) == fires
