"""What a recording predicts of itself, and the score of a cell whose single spikes it does not determine."""

import os
from pathlib import Path

import numpy as np
import pytest

from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring import oracle, pattern, scores
from spikefab.fit.scoring.pattern import Step
from spikefab.fit.scoring.scale import Scale, scale
from spikefab.fit.scoring.split import Part
from spikefab.fit.scoring.task import Task

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")
DT, START, STOP, TOTAL = 0.1, 50.0, 550.0, 600.0


def trace(times, rng):
    """A voltage (mV) with a 10 mV charging curve, 0.3 mV of noise, and spikes at these times (ms)."""
    t = np.arange(round(TOTAL / DT)) * DT
    v = -70 + np.where((t > START) & (t < STOP), 10 * (1 - np.exp(-(t - START) / 20)), 0.0)
    for time in times:
        v += 90 * np.exp(-0.5 * ((t - time - 0.5) / 0.3) ** 2)
    return v + rng.normal(0, 0.3, len(v))


def train(rate, rng, cv=0.0, latency=None):
    """Spike times (ms) under a step: a first latency, then intervals of mean 1/rate (kHz) and this variation."""
    times, last = [], START + (0.5 / rate if latency is None else latency)
    while last < STOP - 3:
        times.append(last)
        last += max(4.0, rng.normal(1 / rate, cv / rate))
    return np.array(times)


def made(trains, amplitudes, seed=0):
    rng = np.random.default_rng(seed)
    current = np.zeros((len(amplitudes), round(TOTAL / DT)))
    current[:, round(START / DT) : round(STOP / DT)] = np.asarray(amplitudes)[:, None]
    return Recording.from_arrays([trace(t, rng) for t in trains], current, DT)


def cell(cv, seed=0, repeats=1):
    """A cell that fires 20 to 90 Hz under twelve amplitudes, with intervals of this variation."""
    rng = np.random.default_rng(seed)
    amplitudes = np.repeat(np.linspace(0.1, 0.65, 12), repeats)
    return made([train(0.13 * a + 0.007, rng, cv) for a in amplitudes], amplitudes)


# The oracle.


def test_the_kth_spike_is_the_mean_of_the_kth_spikes():
    assert oracle.predicted([np.array([10.0, 20.0, 30.0]), np.array([14.0, 30.0])]).tolist() == [12.0, 25.0]
    assert oracle.predicted([np.array([10.0]), np.array([])]).tolist() == []


def test_the_number_of_spikes_so_far_is_the_mean_of_the_neighbours():
    # clockwork at 20, 30 and 40 Hz from the onset at 100 ms: exact, where the mean of the k-th spikes is late
    trains = [100 + np.arange(1, n + 1) * 1000 / n for n in (20, 30, 40)]
    assert oracle.interpolated([trains[0], trains[2]], 100.0) == pytest.approx(trains[1])
    assert oracle.predicted([trains[0], trains[2]])[-1] > trains[1][19] + 60
    # 1 is reached in between 0.7 at 120 ms and 1.4 at 140 ms
    found = oracle.interpolated([np.array([150.0]), np.array([120.0, 140.0])], 100.0)
    assert found == pytest.approx([120 + 20 * 0.3 / 0.7])
    same = np.array([130.0, 150.0, 210.0])
    assert oracle.interpolated([same, same], 100.0) == pytest.approx(same)


def test_neighbours_are_of_one_family_of_steps():
    given = [Step(50, 550, a) for a in (0.3, 0.1, 0.2, 0.2)] + [Step(50, 250, 0.15), None]
    found = oracle.neighbours([[5], [4], [1], [2, 3], [0]], given)
    # of repeats of one amplitude each; none of the ends, of another length, of no step
    assert found == {2: [(1, 0)], 3: [(1, 0)]}
    assert oracle.repeated([[0], [1, 2, 3]]) == {1: [(2,), (3,)], 2: [(1,), (3,)], 3: [(1,), (2,)]}


def test_oracle_timing_is_of_sweeps_strictly_inside_those_that_spike():
    spikes = [np.array(t, dtype=float) for t in ([], [100], [100, 200], [100, 200], [100, 200], [100, 200], [])]
    sources = oracle.neighbours([[k] for k in range(7)], [Step(50, 550, k / 10) for k in range(7)])
    # 1 has a silent neighbour, so has 5; 2 is predicted as [100] and is [100, 200]; 3 and 4 are exact
    value, sweeps = oracle.oracle_timing(sources, spikes)
    assert sweeps == 3
    assert value == pytest.approx((1 / 3 + 0 + 0) / 3)
    assert oracle.oracle_timing({k: sources[k] for k in (2, 3)}, spikes) is None  # two sweeps say too little


@real
def test_the_oracle_of_a_recorded_cell():
    recording = read(Path(str(DATA)) / "pyABF/18713001.abf")
    task = Task.of(recording, recording.dt)
    value, sweeps = task.predictability["neighbours"]
    assert value == pytest.approx(0.35, abs=0.02)
    assert sweeps == 20
    assert task.timing_weight == 1.0


def test_the_weight_falls_continuously_from_half_of_chance_to_chance():
    readings = np.linspace(0, 1, 2001)
    weights = np.array([oracle.timing_weight(r) for r in readings])
    assert weights[readings <= oracle.CHANCE / 2].min() == 1.0
    assert weights[readings >= oracle.CHANCE].max() == 0.0
    steps = -np.diff(weights)
    assert steps.min() >= 0
    assert steps.max() < 0.002
    assert oracle.timing_weight(None, None) == 1.0
    assert oracle.timing_weight(0.7, 0.0) == 1.0  # the better prediction counts
    assert oracle.timing_weight(0.3, chance=0.4) == pytest.approx(0.5)


def test_chance_is_what_random_spikes_have():
    rng = np.random.default_rng(1)
    for interval in (20, 50, 150):
        trains = [np.cumsum(rng.normal(interval, interval / 5, 40)) for _ in range(10)]
        drawn = [np.sort(rng.uniform(0, t[-1], len(t))) for t in trains]
        found = [scores.timing(a, b, scores.timing_tau(a, False)) for a, b in zip(trains, drawn, strict=True)]
        assert np.mean(found) == pytest.approx(oracle.CHANCE, abs=0.04)
        assert oracle.chance_timing(trains, [(0.0, t[-1]) for t in trains]) == pytest.approx(oracle.CHANCE, abs=0.02)
    fast = [np.arange(0, 500, 3.0)]  # the window is 2 ms, of an interval of 3
    assert oracle.chance_timing(fast, [(0.0, 500.0)]) < 0.6
    assert oracle.chance_timing([np.array([])], [(0.0, 500.0)]) == oracle.CHANCE


# The errors of the firing pattern.


def test_latency_error_by_hand():
    a = np.array([120.0, 200.0])
    assert pattern.latency_error(a, a, 100.0, 5.0) == 0.0
    assert pattern.latency_error(a, np.array([130.0]), 100.0, 5.0) == pytest.approx(1 / 3)
    assert pattern.latency_error(a, np.array([110.0]), 100.0, 5.0) == pytest.approx(0.5)
    assert pattern.latency_error(a, np.array([110.0]), 100.0, 50.0) == pytest.approx(0.2)
    assert pattern.latency_error(a, np.array([50.0, 120.0]), 100.0, 5.0) == 0.0  # a spike before the step
    assert pattern.latency_error(a, np.array([]), 100.0, 5.0) == 1.0
    assert pattern.latency_error(np.array([]), np.array([]), 100.0, 5.0) == 0.0


def test_profile_error_is_the_area_between_the_rates():
    rng = np.random.default_rng(3)
    grid = np.arange(-200, 1200, 0.02)
    for _ in range(20):
        a, b = (np.sort(rng.uniform(0, 1000, rng.integers(0, 30))) for _ in range(2))
        rates = [np.searchsorted(t, grid, "right") - np.searchsorted(t, grid - 125, "right") for t in (a, b)]
        area = np.abs(rates[0] - rates[1]).sum() / max(1, (rates[0] + rates[1]).sum())
        assert pattern.profile_error(a, b, 125.0) == pytest.approx(area, abs=2e-3)
        assert pattern.profile_error(a, a, 125.0) == 0.0
    assert pattern.profile_error(a, np.array([]), 125.0) == pytest.approx(1.0)
    assert pattern.profile_error(np.array([10.0]), np.array([60.0]), 125.0) == pytest.approx(0.4)


def test_adaptation_by_hand():
    assert pattern.adaptation(np.array([0.0, 10, 20, 30, 40])) == 0.0
    assert pattern.adaptation(np.array([0.0, 10, 40])) == pytest.approx(0.5)
    assert pattern.adaptation(np.array([0.0, 10, 30, 70])) == pytest.approx((30 - 15) / 45)
    assert pattern.adaptation(np.array([0.0, 10])) is None
    assert pattern.adaptation_error(np.array([0.0, 10, 40]), np.array([0.0, 10])) == 1.0
    assert pattern.adaptation_error(np.array([0.0, 10]), np.array([0.0, 10, 40])) is None


def test_slope_error_by_hand():
    given = [Step(0, 1000, a) for a in (0.1, 0.2, 0.3)]
    assert pattern.slope_error(given, [10, 20, 30], [10, 20, 30]) == 0.0
    assert pattern.slope_error(given, [10, 20, 30], [20, 30, 40]) == pytest.approx(0.0)  # count says that
    assert pattern.slope_error(given, [10, 20, 30], [10, 15, 20]) == pytest.approx(0.5)
    assert pattern.slope_error(given, [10, 20, 30], [20, 20, 20]) == pytest.approx(1.0)
    assert pattern.slope_error(given, [10, 10, 10], [10, 10, 10.5]) == pytest.approx(0.5)  # less than a spike
    assert pattern.slope_error(given[:1], [10], [20]) is None


# The score.


def task_of(recording):
    return Task.of(recording, DT, "none", anyway=True)  # spikes alone


def whole(task):
    return [Part(k, 0, len(s.voltage)) for k, s in enumerate(task.recording.sweeps)]


def as_before(task, voltages, spikes):
    """The combined score without a word on predictability, as it was defined before."""
    parts = whole(task)
    return scores.score_sweeps(
        [task.part_voltage(p) for p in parts], [task.part_spikes(p) for p in parts], voltages, spikes,
        task.dt, task.clip, task.flat, task.noise, task.weights,
    ).combined_score  # fmt: skip


def model(task, seed=5, rate=1.0):
    rng = np.random.default_rng(seed)
    spikes = [train(rate * max(len(s), 1) / 500, rng, 0.1) for s in task.spikes]
    return [trace(t, rng) for t in spikes], spikes


def test_a_cell_that_repeats_itself_is_scored_as_before_to_the_bit():
    rng = np.random.default_rng(1)
    # a cell whose neighbours say nothing, but which repeats every step exactly
    chaotic = [np.sort(rng.choice(np.arange(60, 540, 8), 12, replace=False)).astype(float) for _ in range(6)]
    repeats = made([t for t in chaotic for _ in range(2)], np.repeat(np.linspace(0.1, 0.6, 6), 2))
    # a cell that fires the same whatever the amplitude
    same = made([train(0.03, rng)] * 8, np.linspace(0.1, 0.8, 8))
    for recording in (repeats, same, cell(0.0)):
        task = task_of(recording)
        assert task.timing_weight == 1.0
        volts, spikes = model(task)
        found = task.score(whole(task), volts, spikes)
        assert found.combined_score == as_before(task, volts, spikes)
        assert found.timing_term == found.timing
    assert task_of(repeats).predictability["repeats"][0] < 0.02
    assert task_of(repeats).predictability["neighbours"][0] > 0.6


def test_noise_is_scored_as_before():
    rng = np.random.default_rng(2)
    trains = [np.sort(rng.uniform(20, 580, 12)) for _ in range(4)]
    current = rng.normal(0.2, 0.1, round(TOTAL / DT))
    task = task_of(Recording.from_arrays([trace(t, rng) for t in trains], current, DT))
    assert task.noise
    volts, spikes = model(task)
    found = task.score(whole(task), volts, spikes)
    assert found.combined_score == as_before(task, volts, spikes)
    assert found.pattern is None
    assert scale(task).ceiling_from == "repeats"


def test_jitter_moves_the_weight_from_timing_to_the_pattern():
    weights = [task_of(cell(cv)).timing_weight for cv in (0.0, 0.06, 0.5)]
    assert weights[0] == 1.0
    assert weights[-1] < 0.3
    assert weights == sorted(weights, reverse=True)
    task = task_of(cell(0.6))
    assert any(note.startswith("Single spikes are hard to predict") for note in task.notes)
    volts, spikes = model(task)
    s = task.score(whole(task), volts, spikes)
    w = s.timing_weight
    assert s.timing_term == pytest.approx(w * s.timing + (1 - w) * s.pattern)
    assert s.combined_score == pytest.approx((s.voltage + s.timing_term + s.count) / 3)
    # a run of the same cell, whose single spikes are elsewhere: what the old score calls a bad model
    again = task_of(cell(0.6, seed=9))
    other = task.score(
        whole(task), [sw.voltage for sw in again.recording.sweeps], [found.time for found in again.spikes]
    )
    assert other.timing > 0.5
    assert other.timing_term < 0.6 * other.timing


def test_each_score_has_the_mean_of_the_score():
    task = task_of(cell(0.6))
    volts, spikes = model(task)
    parts = whole(task)[3:8]
    each = task.each_score(parts, volts, spikes)
    assert np.mean(each) == pytest.approx(task.score(parts, volts, spikes).combined_score, abs=1e-12)


def wrong(task):
    """Bad models of a task: voltages without spikes, and spike trains."""
    level = [np.full(len(s.voltage), np.median(s.voltage)) for s in task.recording.sweeps]
    own = [s.time for s in task.spikes]
    none = [np.array([])] * len(own)
    found = {
        "silent": none,
        "fires three times too often": [np.linspace(START + 5, STOP - 5, 3 * len(t)) if len(t) else t for t in own],
        "fires at one rate": [np.linspace(START + 5, STOP - 5, round(np.mean([len(x) for x in own])))] * len(own),
        "burst at onset": [START + 5 + 4.0 * np.arange(len(t)) for t in own],
        "10 % longer period": [t[0] + 1.1 * (t - t[0]) if len(t) else t for t in own],
        "one spike": [t[:1] for t in own],
    }
    block = [v + 40.0 for v in level]
    return {name: (level, trains) for name, trains in found.items()} | {"depolarisation block": (block, none)}


@pytest.mark.parametrize("cv", [0.0, 0.3, 0.6])
def test_probes_are_ordered_whatever_the_timing_term_holds(cv):
    task = task_of(cell(cv))
    again = task_of(cell(cv, seed=9))
    score = {name: task.score(whole(task), *probe) for name, probe in wrong(task).items()}
    total = {name: s.combined_score for name, s in score.items()}
    volts = [s.voltage for s in task.recording.sweeps]
    assert task.score(whole(task), volts, [s.time for s in task.spikes]).combined_score == 0.0
    own = task.score(whole(task), [s.voltage for s in again.recording.sweeps], [s.time for s in again.spikes])
    assert own.combined_score < 0.7 * min(total.values())
    assert total["10 % longer period"] < min(x for name, x in total.items() if name != "10 % longer period")
    assert total["depolarisation block"] > total["silent"]
    # the pattern by itself, without the help of voltage and count
    error = {name: s.pattern for name, s in score.items()}
    assert own.pattern < 0.6 * min(x for name, x in error.items() if name != "10 % longer period")
    assert error["10 % longer period"] < min(x for name, x in error.items() if name != "10 % longer period")


def test_the_next_sweep_is_better_than_a_bad_model():
    task = task_of(cell(0.6))
    parts = whole(task)[:-1]
    volts = [s.voltage for s in task.recording.sweeps]
    trains = [s.time for s in task.spikes]
    following = task.score(parts, [*volts[1:], volts[-1]], [*trains[1:], trains[-1]])
    worst = min(
        task.score(parts, *probe).combined_score
        for name, probe in wrong(task).items()
        if name not in ("10 % longer period", "fires at one rate")
    )
    assert following.combined_score < 0.8 * worst


# Floor and ceiling.


def test_floor_and_ceiling_hold_the_models_between_them():
    task = Task.of(cell(0.2), DT)
    found = scale(task)
    assert found.ceiling_from == "neighbours"
    assert found.floor.voltage == pytest.approx(1.0, abs=0.3)
    assert found.floor.count == 1.0
    w = found.timing_weight
    assert found.floor.timing == pytest.approx(w * task.chance + 1 - w)
    assert found.ceiling.score < 0.5 * found.floor.score
    for level in (found.floor, found.ceiling):
        assert level.score == pytest.approx((level.voltage + level.timing + level.count) / 3)
    assert found.reached(found.ceiling.score) == pytest.approx(1.0)
    assert found.reached(found.floor.score) == pytest.approx(0.0)
    assert Scale.from_dict(found.to_dict()) == found


def test_repeats_are_the_ceiling_where_there_are_some():
    found = scale(task_of(cell(0.1, repeats=3)))
    assert found.ceiling_from == "repeats"
    assert found.repeat_timing is not None
    assert found.neighbour_timing is not None


def test_a_single_sweep_has_no_ceiling():
    found = scale(task_of(made([train(0.03, np.random.default_rng(0))], [0.2])))
    assert found.ceiling is None
    assert found.ceiling_from is None
    assert found.reached(0.5) is None
    assert Scale.from_dict(found.to_dict()) == found
    silent = scale(task_of(made([[], [], []], [0.1, 0.2, 0.3])))
    assert silent.floor.count == 0.0
    assert silent.neighbour_timing is None
