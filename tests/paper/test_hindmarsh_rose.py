"""Hindmarsh & Rose 1984, Proc. R. Soc. Lond. B 221:87: a = c = 1, b = 3, d = 5, s = 4, x_R = -1.6, r = 0.0015 to 0.006."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from spikefab import HindmarshRoseNeuron
from spikefab.sim import continuous

pytestmark = pytest.mark.slow  # long integrations of stiff equations

CELL = {
    "b": 3.0, "d": 5.0, "r": 0.006, "s": 4.0, "tau": 2.0, "k_I": 1.0, "I_0": 0.0, "x_R": -1.6,
    "V_0": -30.0, "S": 25.0, "V_spike": -5.0,
}  # fmt: skip


def fixed_points(p, current):
    """Real x with y = 1 - d x^2, z = s (x - x_R) and x' = 0."""
    roots = np.roots([-1, p["b"] - p["d"], -p["s"], 1 + p["s"] * p["x_R"] + current])
    return np.sort(roots[np.abs(roots.imag) < 1e-9].real)


def at(p, x):
    return [x, 1 - p["d"] * x**2, p["s"] * (x - p["x_R"])]


def solve(integrate, p, i_nA, duration):
    start = at(p, fixed_points(p, p["I_0"])[0])
    level = (p["V_spike"] - p["V_0"]) / p["S"]
    # nothing happens at a spike: a nudge takes the solver past its level
    return integrate(
        partial(continuous.hindmarsh_rose, p, i=i_nA), start, duration, level, lambda u: [u[0] + 1e-9, *u[1:]]
    )


def spikes_of(neuron, i_nA, duration, dt=0.1):
    neuron.reset()
    neuron.run(np.full(round(duration / dt), i_nA))
    return neuron.spikes


def bursts(spikes):
    """Spikes in each burst and ms from burst to burst, after the first burst: a pause is the longest interval, or half."""
    intervals = np.diff(spikes)
    pauses = np.flatnonzero(intervals > intervals.max() / 2)
    return np.diff(pauses), np.diff(spikes[pauses + 1])


@pytest.mark.parametrize("i_nA", [-1.0, 1.0])
def test_first_order_without_spikes(integrate, order, i_nA):
    steps, errors = (0.2, 0.1, 0.05, 0.025), []
    for dt in steps:
        ideal = HindmarshRoseNeuron(**CELL, dt=dt, word=24).ideal()
        ideal.run(np.full(round(16 / dt), i_nA))
        spikes, end = solve(integrate, ideal.neuron.values, i_nA, 16.0)
        assert not len(spikes)
        errors.append(np.abs(np.subtract([ideal.state[n] for n in "xyz"], end)).max())
    assert 0.9 < order(steps, errors) < 1.1


@pytest.mark.parametrize("current", [2.0, 3.0, 5.0])
def test_spikes_converge_at_first_order(integrate, order, current):
    steps, errors = (0.1, 0.05, 0.025, 0.0125), []
    for dt in steps:
        ideal = HindmarshRoseNeuron(**CELL, dt=dt, word=24, i_span=8.0).ideal()
        ideal.run(np.full(round(60 / dt), current))
        exact, _ = solve(integrate, ideal.neuron.values, current, 75.0)
        assert len(ideal.spikes) >= 5
        errors.append(np.abs(ideal.spikes + dt - exact[: len(ideal.spikes)]).max())
    # each spike time is rounded up to its step, which scatters the error by as much as a step
    assert 0.7 < order(steps, errors) < 1.3
    assert errors[-1] < 0.3


@pytest.mark.parametrize("current", [0.0, 1.0])
def test_rest_is_silent(current):
    """The fixed point of a weak current is stable: the neuron starts there and stays."""
    neuron = HindmarshRoseNeuron(**{**CELL, "I_0": current})
    (x,) = fixed_points(CELL, current)
    wanted = at(CELL, x)
    assert [neuron.state[n] for n in "xyz"] == pytest.approx(wanted, abs=1e-3)  # codes of the parameters
    assert neuron.v == pytest.approx(-30 + 25 * x, abs=25e-3)
    neuron.run(np.zeros(10000))
    assert not len(neuron.spikes)
    assert [neuron.state[n] for n in "xyz"] == pytest.approx(wanted, abs=2e-3)


def test_rest_is_the_lowest_fixed_point_all_over_the_box():
    rng = np.random.default_rng(0)
    box = {name: rng.uniform(*p.bounds, 500) for name, p in HindmarshRoseNeuron.params().items()}
    box["s"][:250], box["I_0"][:250] = rng.uniform(2, 2.5, 250), rng.uniform(0, 2, 250)  # here some have three
    rest = HindmarshRoseNeuron.resting(SimpleNamespace(**box))
    cells = [dict(zip(box, row, strict=True)) for row in np.array(list(box.values())).T]
    found = [fixed_points(cell, cell["I_0"]) for cell in cells]
    assert {len(points) for points in found} == {1, 3}
    wanted = np.array([at(cell, points[0]) for cell, points in zip(cells, found, strict=True)])
    # a root of a cubic that nearly touches zero is known to the square root of an error in it
    np.testing.assert_allclose(np.stack([rest[n] for n in "xyz"], axis=-1), wanted, atol=1e-6)


@pytest.mark.parametrize("fixed_point", [False, True])
def test_fires_from_the_hopf_current_on(fixed_point):
    """The current at which the Jacobian of the fixed point has eigenvalues on the imaginary axis."""

    def growth(current):
        x = fixed_points(CELL, current)[0]
        b, d, r, s = (CELL[n] for n in ("b", "d", "r", "s"))
        jacobian = [[2 * b * x - 3 * x**2, 1, -1], [-2 * d * x, -1, 0], [r * s, 0, -r]]
        return np.linalg.eigvals(jacobian).real.max()

    low, high = 1.0, 2.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if growth(middle) > 0 else (middle, high)
    model = HindmarshRoseNeuron(**CELL)
    neuron = model if fixed_point else model.ideal()
    # a step of current begins with a burst either way; the cycle is there a few hundredths before the fixed point goes
    assert not np.any(spikes_of(neuron, low - 0.1, 1000.0) > 400)
    assert np.sum(spikes_of(neuron, low + 0.1, 1000.0) > 400) >= 2


@pytest.mark.parametrize(("r", "size"), [(0.006, 2), (0.003, 4), (0.0015, 7)])
def test_bursts_of_the_differential_equation(integrate, r, size):
    """At a current of 2: r sets the period of the bursts, and with it how many spikes a burst has."""
    duration = 6.0 / r + 500  # three bursts or more after the first
    fine, coarse = (HindmarshRoseNeuron(**{**CELL, "r": r}, dt=dt, word=24) for dt in (0.02, 0.1))
    exact = solve(integrate, fine.values, 2.0, duration)[0]
    sizes, periods = bursts(exact)
    assert len(sizes) >= 2
    assert set(sizes) == {size}
    intervals = np.diff(exact)
    pauses = intervals > intervals.max() / 2
    assert intervals[pauses].min() > 3 * intervals[~pauses].max()  # two kinds of intervals and nothing between
    # forward Euler makes the last spikes of a burst easier: at dt = tau/100 it is 6 % of the longest period
    spikes = spikes_of(fine, 2.0, duration, 0.02)
    assert set(bursts(spikes)[0]) == {size}
    assert bursts(spikes)[1].mean() == pytest.approx(periods.mean(), rel=0.06)
    # and at dt = tau/20 the burst may have one more
    spikes = spikes_of(coarse, 2.0, duration)
    assert set(bursts(spikes)[0]) <= {size, size + 1}
    assert bursts(spikes)[1].mean() == pytest.approx(periods.mean(), rel=0.15)


def test_the_smaller_r_the_longer_the_bursts_and_their_period():
    model = [HindmarshRoseNeuron(**{**CELL, "r": r}) for r in (0.02, 0.006, 0.002, 0.001)]
    found = [bursts(spikes_of(m, 2.0, 4000.0)) for m in model]
    sizes, periods = ([part.mean() for part in parts] for parts in zip(*found, strict=True))
    assert np.all(np.diff(sizes) > 0)
    assert np.all(np.diff(periods) > 50)


@pytest.mark.parametrize("fixed_point", [False, True])
def test_strong_current_is_tonic(integrate, fixed_point):
    """From bursts to single spikes as the current grows; the rate is that of the differential equation."""
    model = HindmarshRoseNeuron(**CELL, i_span=8.0)
    neuron = model if fixed_point else model.ideal()
    for current in (5.0, 6.0):
        exact = np.diff(solve(integrate, model.values, current, 800.0)[0])[-5:]
        found = np.diff(spikes_of(neuron, current, 800.0))[-5:]
        assert np.ptp(found) < 1.0  # and adapts still, by some tenths
        assert found.mean() == pytest.approx(exact.mean(), rel=0.02)
    bursting = np.diff(spikes_of(neuron, 2.0, 600.0))[-5:]
    assert bursting.max() > 4 * bursting.min()


def test_fixed_point_stays_with_the_ideal():
    """At currents where the pattern of bursts repeats, and a tonic one: between patterns no two would agree for long."""
    model = HindmarshRoseNeuron(**CELL, word=18)
    ideal = model.ideal()
    for current in (2.0, 3.0, 4.0):
        near, wanted = spikes_of(model, current, 800.0), spikes_of(ideal, current, 800.0)
        assert len(near) == len(wanted) >= 12
        assert np.abs(near - wanted).max() <= 0.3


@pytest.mark.parametrize("word", [16, 18, 24])
def test_adaptation_of_seconds_moves_at_every_word(word):
    """tau/r = 4 s: z decays for 400 ms as in the ideal, to within a code of the word that its difference is formed in."""
    model = HindmarshRoseNeuron(**{**CELL, "r": 0.0005, "I_0": -1.0}, word=word)
    q = model.datapath.states["z"]
    start = {**model.initial, "z": int(model.initial["z"] + q.encode(0.5))}
    model = HindmarshRoseNeuron(word=word, codes=model.codes, initial=start)
    ideal = model.ideal()
    before = model.state["z"]
    model.run(np.zeros(4000))
    ideal.run(np.zeros(4000))
    assert before - model.state["z"] > 0.04
    assert abs(model.state["z"] - ideal.state["z"]) < 64 / 2**word


def test_read_out_is_a_line_of_x_that_registers_set():
    """V = V_0 + S x of x after the step; V_0 and S change what is shown and nothing else."""
    current = 2.0 + 0.5 * np.random.default_rng(2).normal(size=3000).clip(-4, 4)
    models = [HindmarshRoseNeuron(**{**CELL, **r}) for r in ({}, {"V_0": -50.0, "S": 12.5, "V_spike": -37.5})]
    shown = [model.run(current) for model in models]
    assert models[0].state == models[1].state
    assert len(models[0].spikes) >= 4
    np.testing.assert_array_equal(models[0].spikes, models[1].spikes)
    for model, v in zip(models, shown, strict=True):
        p, x = model.values, model.state["x"]
        # half a code each of x, of S x, which spans 256 mV, and of V, which spans 128
        rounding = p["S"] * 4 / 2**18 + 256 / 2**18 + 128 / 2**18
        assert abs(v[-1] - (p["V_0"] + p["S"] * x)) <= rounding
    p, q = models[0].values, models[1].values
    line = q["V_0"] + (shown[0] - p["V_0"]) * q["S"] / p["S"]
    assert np.abs(shown[1] - line).max() <= (1 + q["S"] / p["S"]) * 384 / 2**18
