"""The compiled batch kernel against the readable reference: the same integers, bit for bit, from any register content."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.sim import beginnings, corners, coverage, kernels, reference
from spikefab.sim.engine import FixedPoint


def ends(formats):
    formats = list(formats.values())
    return np.array([q.lo for q in formats]), np.array([q.hi for q in formats])


def anything(formats, shape, rng):
    """Codes (*shape, formats): uniform over all codes, a quarter of them at an end."""
    lo, hi = ends(formats)
    codes = rng.integers(lo, hi, (*shape, len(lo)), endpoint=True)
    extreme = np.where(rng.random(codes.shape) < 0.5, lo, hi)
    return np.where(rng.random(codes.shape) < 0.25, extreme, codes)


def sensible(dp, n, rng):
    """Codes (n, coefficients) of parameters around the model's defaults."""
    params = {name: np.clip(p.default * rng.uniform(0.7, 1.3, n), *p.bounds) for name, p in dp.params.items()}
    return dp.quantise(params)


def currents(dp, sweeps, steps, rng):
    codes = rng.integers(dp.current.lo, dp.current.hi, (sweeps, steps), endpoint=True)
    codes[0] = np.where(rng.random(steps) < 0.5, dp.current.lo, dp.current.hi)
    codes[-1] = np.abs(codes[-1] + 1)  # most neurons fire on it
    return codes


def expected(dp, codes, states, current):
    """Read-out mV (N, S, T), spikes (N, S, T) and end states by the reference, for codes (N, ...), current (S, T)."""
    every = np.broadcast_to(current.T[:, None], (current.shape[1], len(codes), len(current)))
    v, spikes, path = reference.run(dp, states, codes[:, None], every)
    return dp.readout.decode(v).transpose(1, 2, 0), spikes.transpose(1, 2, 0), path.transpose(1, 2, 0, 3)


def assert_identical(dp, codes, states, current, length=None):
    steps = current.shape[1]
    length = np.full(len(current), steps) if length is None else length
    batch = kernels.simulate(dp, codes, current, initial=states, length=length, max_spikes=steps, trace=True)
    v, spikes, path = expected(dp, codes, states, current)
    for s, n in enumerate(length):
        assert np.array_equal(batch.trace[:, s, :n], v[:, s, :n])
        assert np.array_equal(batch.end[:, s], path[:, s, n - 1])
        assert np.array_equal(batch.count[:, s], spikes[:, s, :n].sum(axis=1))
        for k in range(len(codes)):
            found = batch.spikes[k, s, : batch.count[k, s]]
            assert np.array_equal(found, np.flatnonzero(spikes[k, s, :n]))
    return int(batch.count.sum())


def test_any_register_content(kind, word):
    rng = np.random.default_rng(word)
    dp = datapath(kind, word, 0.1, 1.0)
    codes = anything(dp.coefficients, (37,), rng)  # no multiple of the lanes
    assert_identical(dp, codes, anything(dp.states, (37, 3), rng), currents(dp, 3, 60, rng))


def test_sensible_neurons_and_unequal_sweeps(kind, word):
    rng = np.random.default_rng(word)
    dp = datapath(kind, word, 0.2)
    codes = sensible(dp, 20, rng)
    states = np.repeat(dp.rest(codes)[:, None], 3, axis=1)
    length = np.array([250, 1, 600])
    assert assert_identical(dp, codes, states, currents(dp, 3, 600, rng), length) > 40


def test_saturations(kind, word):
    """The registers that the hardware's regression draws: among them are steps that saturate, at nearly every resize."""
    rng = np.random.default_rng(0)
    dp = datapath(kind, word, 0.1, 1.0)
    states, codes, current = corners.draw(dp, rng, 512)
    wanted = {goal for goal in coverage.goals(dp) if goal.what == "saturate"}
    met = coverage.reached(dp, states, codes, current, wanted)
    assert len(met) >= 0.8 * len(wanted) >= 4
    for part in np.array_split(np.arange(512), 8):  # each candidate under its own current, and under its neighbours'
        start = np.repeat(states[part][:, None], len(part), axis=1)
        assert_identical(dp, codes[part], start, current[part][:, None])


def stretches(dp, steps, rng):
    """Codes (steps,) of a current that stays at each of its levels for 1 to 150 steps, and now and then for long."""
    levels = [0.0] * 300
    while len(levels) < steps:
        level = rng.choice([0.0, 0.0, 0.01, 0.3, -0.2, levels[-1]])
        levels += [level] * int(rng.integers(1, 150) if rng.random() < 0.9 else 300)
    return dp.current.encode(levels[:steps])


def test_rests(kind):
    """The kernel does not compute steps in which no lane changes: whenever a rest begins or ends, and if only one lane moves."""
    rng, steps = np.random.default_rng(8), 1200
    dp = datapath(kind, 18, 0.5, 1.0)
    still = np.repeat(dp.quantise(kind.defaults()), 3, axis=0)
    current = np.stack(
        [stretches(dp, steps, rng), np.roll(stretches(dp, steps, rng), 13), np.zeros(steps, dtype=np.int64)]
    )
    data, outside = rng.normal(-60, 10, current.shape), (rng.random(current.shape) < 0.8) * 1.0
    for codes in (still, np.concatenate([still, sensible(dp, 1, rng)])):
        states = np.repeat(dp.rest(codes)[:, None], 3, axis=1)
        settled = kernels.simulate(dp, codes, current[:, :1].repeat(4000, axis=1), initial=states, max_spikes=1).end
        assert_identical(dp, codes, settled, current)
        batch = kernels.simulate(dp, codes, current, data=data, outside=outside, max_spikes=1)
        v, _, _ = expected(dp, codes, states, current)
        assert np.array_equal(batch.masked, added(outside * (v - data) ** 2))


def test_a_neuron_that_fires_in_every_step_does_not_rest():
    """Lapicque without a refractory time: its state after each step is the same, and each step is a spike."""
    dp = datapath(MODELS["LapicqueNeuron"], 18, 0.1, 4.0)
    codes = dp.quantise({**dp.model.defaults(), "tau_m": 2.0, "R_m": 1000.0})
    current = np.full((1, 500), dp.current.hi)
    assert assert_identical(dp, codes, dp.rest(codes)[:, None], current) > 490


def added(terms):
    return np.cumsum(terms, axis=-1)[..., -1]


def test_error_sums(kind):
    rng = np.random.default_rng(5)
    dp = datapath(kind, 18, 0.5)
    codes, current, length = sensible(dp, 5, rng), currents(dp, 2, 300, rng), np.array([300, 200])
    states = np.repeat(dp.rest(codes)[:, None], 2, axis=1)
    data, outside = rng.normal(-60, 10, (2, 300)), (rng.random((2, 300)) < 0.8) * 1.0
    batch = kernels.simulate(
        dp, codes, current, length=length, data=data, outside=outside, clip=-55.0, max_spikes=1, regress=True
    )
    assert batch.trace is None
    v, spikes, _ = expected(dp, codes, states, current)
    assert batch.count.max() > 1  # more spikes than there is room for are still counted
    for s, n in enumerate(length):
        limited = np.minimum(v[:, s, :n], -55.0) - np.minimum(data[s, :n], -55.0)
        # one step after the other, so that they are the same on every machine
        assert np.array_equal(batch.masked[:, s], added(outside[s, :n] * limited**2))
        for k, y in enumerate((v[:, s, :n], v[:, s, :n] ** 2, v[:, s, :n] * data[s, :n])):
            assert np.array_equal(batch.sums[:, s, k], added(outside[s, :n] * y))
        assert np.array_equal(batch.count[:, s], spikes[:, s, :n].sum(axis=1))


def family(rng, sweeps, steps, values):
    """Inputs (sweeps, steps) of which many begin as another one does, up to any step; and lengths (sweeps,)."""
    current = rng.choice(values, (sweeps, steps))
    for k in range(1, sweeps):
        alike = rng.choice([0, rng.integers(steps), steps])
        current[k, :alike] = current[rng.integers(k), :alike]
    return current, rng.choice([steps, steps // 2, *range(1, steps)], sweeps)


@pytest.mark.parametrize("worth", [1, 100, 1000])
def test_sweeps_that_begin_alike(kind, worth, monkeypatch):
    """They are simulated once as far as they do: the same results as if each had been simulated by itself."""
    monkeypatch.setattr(beginnings, "WORTH", worth)
    rng = np.random.default_rng(worth)
    dp = datapath(kind, 18, 0.5)
    codes, values = sensible(dp, 35, rng), currents(dp, 1, 5, rng)[0]
    current, length = family(rng, 12, 300, values)
    states = np.repeat(dp.rest(codes)[:, None], 12, axis=1)
    states[:, 7] = states[::-1, 7]  # one sweep begins in other states
    data, outside = rng.normal(-60, 10, (12, 300)), (rng.random((12, 300)) < 0.8) * 1.0
    more = {"clip": -55.0, "max_spikes": 40, "regress": True}
    together = kernels.simulate(
        dp, codes, current, initial=states, length=length, data=data, outside=outside, **more
    )  # fmt: skip
    for s in range(12):
        alone = kernels.simulate(
            dp, codes, current[[s]], initial=states[:, [s]], length=length[[s]], data=data[[s]],
            outside=outside[[s]], **more,
        )  # fmt: skip
        for name in ("masked", "sums", "count", "spikes", "end"):
            assert np.array_equal(getattr(together, name)[:, [s]], getattr(alone, name)), (name, s)


@given(st.randoms(use_true_random=False), st.integers(1, 9), st.integers(1, 40), st.sampled_from([1, 30, 10**6]))
def test_stretches(random, sweeps, steps, worth):
    """Each step of each sweep is in one stretch, in order, and those that share one could not be told apart until then."""
    rng = np.random.default_rng(random.getrandbits(32))
    current, length = (
        family(rng, sweeps, steps, np.arange(3)) if steps > 1 else (np.zeros((sweeps, 1)), np.ones(sweeps, int))
    )
    alike = rng.integers(0, 2, sweeps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beginnings, "WORTH", worth)
        levels = beginnings.levels(current, length, alike)
    done = np.zeros(sweeps, int)
    for level in levels:
        assert level
        for stretch in level:
            first, *others = stretch.sweeps
            for k in stretch.sweeps:
                assert done[k] == stretch.since < stretch.until <= length[k]
                assert (
                    np.array_equal(current[k, : stretch.until], current[first, : stretch.until])
                    and alike[k] == alike[first]
                )
                done[k] = stretch.until
            assert (
                not others or (stretch.until - stretch.since) * len(others) >= worth or stretch.until == length[first]
            )
    assert np.array_equal(done, length)


def test_the_beginning_of_a_protocol_is_simulated_once():
    """Steps after one test pulse, each of them in two repeats: two levels, of one stretch and of one a step."""
    current = np.zeros((6, 5000))
    current[:, 200:1000], current[:, 3000:4000] = -1, np.repeat([[1], [2], [3]], 2, axis=0)
    first, second = beginnings.levels(current, np.full(6, 5000), np.zeros(6))
    assert first == [beginnings.Stretch(0, 3000, (0, 1, 2, 3, 4, 5))]
    assert sorted(s.sweeps for s in second) == [(0, 1), (2, 3), (4, 5)]
    assert {(s.since, s.until) for s in second} == {(3000, 5000)}


def test_settle_is_200_ms_of_the_baseline_from_rest(kind, word):
    rng = np.random.default_rng(word)
    dp = datapath(kind, word, 0.5, 1.0)
    codes = sensible(dp, 6, rng)
    baseline = dp.current.encode(np.array([0.1, 0.0, 0.1, -0.3]))
    states = np.repeat(dp.rest(codes)[:, None], 4, axis=1)
    _, _, path = expected(dp, codes, states, np.repeat(baseline[:, None], 400, axis=1))
    assert np.array_equal(FixedPoint(dp).settle(codes, baseline), path[:, :, -1])


def test_batches_do_not_mix_candidates(kind):
    """A candidate alone, and the same one anywhere in a larger batch."""
    rng = np.random.default_rng(2)
    dp = datapath(kind, 18, 0.1, 1.0)
    codes, current = sensible(dp, 70, rng), currents(dp, 2, 500, rng)
    together = kernels.simulate(dp, codes, current, max_spikes=500, trace=True)
    for k in (0, 15, 63, 64, 69):
        alone = kernels.simulate(dp, codes[k], current, max_spikes=500, trace=True)
        assert np.array_equal(alone.trace[0], together.trace[k])
        assert np.array_equal(alone.spikes[0], together.spikes[k])
        assert np.array_equal(alone.sums[0], together.sums[k])
