"""Scores against textbook implementations, cases by hand, and probes that they must put in the right order."""

import os
from pathlib import Path

import numpy as np
import pytest

from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.spikes import find_spikes, spike_mask
from spikefab.fit.scoring import scores

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")


def textbook_distance(a, b, q):
    """Victor and Purpura 1996: the full table of shortest paths."""
    table = np.zeros((len(a) + 1, len(b) + 1))
    table[:, 0] = np.arange(len(a) + 1)
    table[0] = np.arange(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            moved = table[i - 1, j - 1] + q * abs(a[i - 1] - b[j - 1])
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, moved)
    return table[-1, -1]


def test_victor_purpura_is_the_textbook_distance():
    rng = np.random.default_rng(1)
    for k in range(500):
        a, b = (np.sort(rng.uniform(0, rng.choice([20, 100, 1000]), rng.integers(0, 25))) for _ in range(2))
        if k % 3 == 0:
            a, b = np.round(a), np.round(b)  # spikes in the same place, and pairs exactly at the edge
        q = float(rng.choice([0, 0.02, 0.2, 1, 5]))
        assert scores.victor_purpura(a, b, q) == pytest.approx(textbook_distance(a, b, q), abs=1e-12)
        assert scores.victor_purpura(a, b, q) == pytest.approx(scores.victor_purpura(b, a, q), abs=1e-12)


def test_timing_error_is_the_mean_shift():
    a = np.arange(10) * 100.0
    assert scores.spike_timing_error(a, a + 3) == pytest.approx(3.0)
    assert scores.spike_timing_error(a, a + 40) == pytest.approx(10.0)  # no partner within tau
    assert scores.spike_timing_error(a, a[:0]) == pytest.approx(10.0)
    assert scores.spike_timing_error(a[:0], a[:0]) == 0.0


def test_timing_window_follows_the_rate():
    assert scores.timing_tau(np.arange(5) * 100.0, noise=False) == 25.0
    assert scores.timing_tau(np.arange(5) * 1.0, noise=False) == 2.0
    assert scores.timing_tau(np.arange(5) * 1e4, noise=False) == 50.0
    assert scores.timing_tau(np.array([3.0]), noise=False) == 50.0
    assert scores.timing_tau(np.arange(5) * 100.0, noise=True) == 10.0


def test_count_error():
    assert scores.count_error(10, 10) == 0.0
    assert scores.count_error(10, 8) == pytest.approx(0.2)
    assert scores.count_error(10, 30) == 1.0
    assert scores.count_error(0, 0) == 0.0
    assert scores.count_error(0, 1) == 1.0


def test_gamma_by_hand():
    a = np.array([100.0, 200.0, 300.0, 400.0])
    # 4 spikes in 1000 ms, +-2 ms: 2*4*2/1000 = 0.016 coincidences by chance for each model spike.
    assert scores.gamma(a, a, 2.0, 1000.0) == pytest.approx(1.0)
    b = np.array([101.0, 250.0])
    assert scores.gamma(a, b, 2.0, 1000.0) == pytest.approx((1 - 0.016 * 2) / (3 * (1 - 0.016)))
    assert scores.gamma(a, a[:0], 2.0, 1000.0) == 0.0
    assert scores.gamma(a[:0], a, 2.0, 1000.0) == 0.0
    assert scores.gamma(a[:0], a[:0], 2.0, 1000.0) == 1.0


def test_gamma_too_fast_is_none():
    assert scores.gamma(np.arange(200) * 5.0, np.arange(200) * 5.0, 2.0, 1000.0) is None
    assert scores.gamma(np.arange(199) * 5.0, np.arange(199) * 5.0, 2.0, 1000.0) is not None


def test_gamma_of_chance_is_zero_even_for_overfiring():
    rng = np.random.default_rng(2)
    values = []
    for _ in range(200):
        a, b = np.sort(rng.uniform(0, 10_000, 100)), np.sort(rng.uniform(0, 10_000, 400))
        values.append(scores.gamma(a, b, 2.0, 10_000.0))
    assert abs(np.mean(values)) < 0.02


def test_one_to_one_uses_no_spike_twice():
    i, j = scores.one_to_one(np.array([10.0, 11.0]), np.array([10.5]), 2.0)
    assert i.tolist() == [0]
    assert j.tolist() == [0]
    # Nearest-first pairing would find one pair here.
    i, j = scores.one_to_one(np.array([0.0, 2.0]), np.array([1.9, 3.9]), 2.0)
    assert i.tolist() == [0, 1]
    assert j.tolist() == [0, 1]


def test_one_to_one_is_a_largest_matching():
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    rng = np.random.default_rng(3)
    for _ in range(200):
        a, b = (np.sort(rng.uniform(0, 60, rng.integers(1, 20))) for _ in range(2))
        near = csr_array(np.abs(a[:, None] - b[None, :]) <= 2.0)
        assert len(scores.one_to_one(a, b, 2.0)[0]) == np.sum(maximum_bipartite_matching(near) >= 0)


def test_partners():
    found = scores.partners(np.array([10.0, 50.0]), np.array([11.0, 51.5, 90.0]), 2.0)
    assert found == {"precision": pytest.approx(2 / 3), "recall": 1.0, "median_shift": pytest.approx(1.25)}
    assert scores.partners(np.array([]), np.array([]), 2.0) == {"precision": None, "recall": None, "median_shift": None}


def test_mask_by_hand():
    mask, share = spike_mask(np.array([10.0, 15.0]), 400, 0.1)
    # 9..12 (0.4 x 5 ms after the first), 14..20 (5 ms after the last).
    assert np.flatnonzero(np.diff(mask.astype(int))).tolist() == [89, 120, 139, 200]
    assert share == pytest.approx((31 + 61) / 400)
    mask, share = spike_mask(np.array([]), 400, 0.1)
    assert not mask.any()
    assert share == 0.0
    mask, _ = spike_mask(np.array([0.2, 39.8]), 400, 0.1)  # spikes at both ends of the trace
    assert mask[0]
    assert mask[-1]


def test_voltage_errors_by_hand():
    data, model = np.array([-60.0, -60.0, 20.0, -60.0]), np.array([-58.0, -60.0, -60.0, 40.0])
    mask = np.array([False, False, True, False])
    assert scores.rmse(data, model) == pytest.approx(np.sqrt((4 + 6400 + 10_000) / 4))
    assert scores.masked_rmse(data, model, mask, -50.0) == pytest.approx(np.sqrt((4 + 100) / 3))
    assert scores.masked_rmse(data, model, np.ones(4, bool), -50.0) is None
    assert scores.flat_rmse([data], [mask], -50.0) == 1.0  # a flat line is perfect here, but 1 mV is the least
    assert scores.flat_rmse([np.array([-60.0, -40.0])], [np.zeros(2, bool)], 0.0) == pytest.approx(10.0)


def test_no_flat_line_is_better_than_flat_rmse():
    rng = np.random.default_rng(4)
    voltages = [rng.normal(-60, 5, 500), rng.normal(-50, 8, 300)]
    masks = [np.zeros(500, bool), rng.random(300) < 0.2]
    clip = scores.v_clip(voltages, masks)
    pooled = np.minimum(np.concatenate([v[~m] for v, m in zip(voltages, masks, strict=True)]), clip)
    best = min(np.sqrt(np.mean((pooled - c) ** 2)) for c in np.linspace(-70, -40, 3001))
    assert scores.flat_rmse(voltages, masks, clip) == pytest.approx(best, rel=1e-5)


def test_combined_score_and_weights():
    assert scores.combined_score(2.0, 4.0, 0.25, 0.75) == pytest.approx(0.5)
    assert scores.combined_score(2.0, 4.0, 0.25, 0.75, weights=(1, 0, 0)) == pytest.approx(0.5)
    assert scores.combined_score(2.0, 4.0, 0.2, 0.0, weights=(0, 3, 1)) == pytest.approx(0.15)
    assert scores.combined_score(None, 4.0, 0.25, 0.75) == pytest.approx(0.5)


def test_a_diverged_model_scores_badly_and_in_numbers():
    v, t = np.full(1000, -60.0), np.array([50.0])
    s = scores.score_sweep(v, t, np.full(1000, np.nan), t, 0.1, -50.0, 1.0, False)
    assert all(x is None or np.isfinite(x) for x in s.to_dict().values())
    assert s.combined_score > 10


KEYS = (
    "rmse masked_rmse flat_rmse spike_timing_error timing count gamma reliability combined_score spikes_data"
    " spikes_model gamma_over_R repeat_rmse voltage pattern timing_weight timing_term"
)


def test_sweeps_are_pooled_as_documented():
    dt, rng = 0.1, np.random.default_rng(5)
    data = [rng.normal(-60, 3, 4000), rng.normal(-60, 3, 9000)]
    model = [v + rng.normal(0, k + 1, len(v)) for k, v in enumerate(data)]
    a = [np.arange(5) * 70.0 + 20, np.arange(12) * 60.0 + 20]
    b = [a[0] + 1, a[1][:-2]]
    both = scores.score_sweeps(data, a, model, b, dt, -50.0, 3.0, False)
    each = [scores.score_sweep(v, s, w, t, dt, -50.0, 3.0, False) for v, s, w, t in zip(data, a, model, b, strict=True)]
    assert list(both.to_dict()) == KEYS.split()
    for key in ("spike_timing_error", "timing", "count", "gamma", "combined_score"):
        assert getattr(both, key) == pytest.approx(np.mean([getattr(s, key) for s in each]))
    assert both.rmse == pytest.approx(scores.rmse(np.concatenate(data), np.concatenate(model)))
    assert both.spikes_data == 17
    assert both.spikes_model == 15


# Probes: stand-ins for models whose order is known. Each is (voltages, spike times) for some sweeps.


def graft(times, n, dt, rest, shape):
    """A voltage with the data's own spike shape at other times."""
    v = rest.copy()
    for time in times:
        k = round(time / dt)
        stop = min(n, k + len(shape))
        if 0 <= k < n:
            v[k:stop] = shape[: stop - k]
    return v


def combined(voltages, spikes, probe, dt, noise):
    masks = [spike_mask(s, len(v), dt)[0] for v, s in zip(voltages, spikes, strict=True)]
    clip = scores.v_clip(voltages, masks)
    flat = scores.flat_rmse(voltages, masks, clip)
    return scores.score_sweeps(voltages, spikes, *probe, dt, clip, flat, noise).combined_score


def probes(voltages, spikes, dt, windows):
    """Bad models of some sweeps: each has the data's subthreshold level, and spikes where they should not be."""
    found = [find_spikes(v, dt) for v in voltages]
    n = len(voltages[0])
    first = next(k for k, s in enumerate(found) if len(s))
    onset = found[first].onset_index[0]
    shape = voltages[first][onset : onset + round(3 / dt)]
    flat = [np.full(n, np.median(v)) for v in voltages]

    def fire(trains):
        return [graft(t, n, dt, rest, shape) for t, rest in zip(trains, flat, strict=True)], trains

    def tonic(times, window, factor):
        count = factor * len(times)
        return np.linspace(window[0] + 5, window[1] - 5, count) if count else np.array([])

    trains = list(spikes)
    none = [np.array([])] * len(trains)
    return {
        "silent": (flat, none),
        "depolarisation block": ([v + 40.0 for v in flat], none),
        "fires three times too often": fire([tonic(t, w, 3) for t, w in zip(trains, windows, strict=True)]),
        "burst at onset": fire([w[0] + 5 + 4.0 * np.arange(len(t)) for t, w in zip(trains, windows, strict=True)]),
        "10 % longer period": fire([t[0] + 1.1 * (t - t[0]) if len(t) else t for t in trains]),
        "one spike": fire([t[:1] for t in trains]),
    }


def regular(period, n=20_000, dt=0.1, seed=0):
    """A synthetic neuron that fires regularly on a 10 mV charging curve, with 0.5 mV noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) * dt
    times = np.arange(200.0, 1700.0, period)
    v = -70 + np.where((t > 200) & (t < 1700), 15 * (1 - np.exp(-(t - 200) / 20)), 0.0)
    for time in times:
        v += 80 * np.exp(-0.5 * ((t - time - 1) / 0.4) ** 2) - 8 * np.where(
            t > time + 2, np.exp(-(t - time - 2) / 15), 0
        )
    v += rng.normal(0, 0.5, n)
    return v, find_spikes(v, dt).time


def test_probes_on_a_synthetic_neuron():
    dt = 0.1
    sweeps = [regular(p) for p in (120.0, 90.0, 70.0)]
    voltages, spikes = [list(x) for x in zip(*sweeps, strict=True)]
    repeat = [list(x) for x in zip(*[regular(p, seed=1) for p in (120.0, 90.0, 70.0)], strict=True)]
    neighbour = [list(x) for x in zip(*[regular(p) for p in (110.0, 84.0, 66.0)], strict=True)]
    bad = probes(voltages, spikes, dt, [(200.0, 1700.0)] * 3)
    score = {name: combined(voltages, spikes, probe, dt, False) for name, probe in bad.items()}
    assert combined(voltages, spikes, (voltages, spikes), dt, False) == 0.0
    good = combined(voltages, spikes, repeat, dt, False)
    assert good < 0.1
    assert good < combined(voltages, spikes, neighbour, dt, False) < min(score.values())
    # The right count with times that drift beats the same count in a burst, or too many, or none.
    assert score["10 % longer period"] < min(s for name, s in score.items() if name != "10 % longer period")
    assert score["depolarisation block"] > score["silent"]


@real
def test_probes_on_steps():
    recording = read(Path(str(DATA)) / "pyABF/18713001.abf")
    dt, chosen = recording.dt, range(9, 29)
    voltages = [recording.sweeps[k].voltage for k in chosen]
    spikes = [find_spikes(v, dt).time for v in voltages]
    after = [recording.sweeps[k + 1].voltage for k in chosen]
    following = (after, [find_spikes(v, dt).time for v in after])
    bad = probes(voltages, spikes, dt, [recording.sweeps[k].window for k in chosen])
    score = {name: combined(voltages, spikes, probe, dt, False) for name, probe in bad.items()}
    assert combined(voltages, spikes, (voltages, spikes), dt, False) == 0.0
    assert combined(voltages, spikes, following, dt, False) < 0.8 * min(score.values())
    assert score["10 % longer period"] < min(s for name, s in score.items() if name != "10 % longer period")
    assert score["depolarisation block"] > score["silent"]


@real
@pytest.mark.parametrize(("name", "most"), [("04", 0.35), ("05", 0.35)])
def test_probes_on_noise(name, most):
    recording = read(Path(str(DATA)) / f"QSNMC2007/challengeA_set{name}_4reps.csv")
    dt = recording.dt
    voltages, repeats = ([s.voltage for s in recording.sweeps[k : k + 2]] for k in (0, 2))
    spikes, partners = ([find_spikes(v, dt).time for v in vs] for vs in (voltages, repeats))
    bad = probes(voltages, spikes, dt, [s.window for s in recording.sweeps[:2]])
    score = {name: combined(voltages, spikes, probe, dt, True) for name, probe in bad.items()}
    repeat = combined(voltages, spikes, (repeats, partners), dt, True)
    assert repeat < most
    assert repeat < 0.7 * min(score.values())
    assert score["depolarisation block"] > score["silent"]
