"""What is held out: whole stimuli, never the strongest, or the last third of a long sweep."""

import numpy as np
import pytest

from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import find_spikes
from spikefab.fit.recordings.stimuli import stimuli
from spikefab.fit.scoring.split import Part, Split, extrapolated, split
from spikefab.fit.scoring.task import Task

DT = 0.1


def recording_of(currents, counts):
    """Sweeps with so many spikes each; what current evokes them does not matter here."""
    voltages = []
    for current, count in zip(currents, counts, strict=True):
        v = np.full(len(current), -65.0)
        v[np.linspace(100, len(v) - 100, count).astype(int)] = 20.0
        voltages.append(v)
    recording = Recording.from_arrays(voltages, currents, DT)
    spikes = [find_spikes(v, DT) for v in voltages]
    assert [len(s) for s in spikes] == list(counts)
    return recording, spikes


def held(recording, spikes):
    return sorted(p.sweep for p in split(recording, spikes).held_out)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([0, 0, 1, 2], [3]),  # of two that spike, the second
        ([0, 1, 2, 3], [2]),  # of three also
        ([1, 2, 3, 4], [2]),  # the third, and not the strongest
        ([0, 1, 2, 3, 4, 5, 6], [3]),  # the sixth would be the strongest
        ([0, 1, 2, 3, 4, 5, 6, 7], [3, 6]),
        ([1] * 10, [2, 5, 8]),
    ],
)
def test_every_third_stimulus_with_spikes(steps, counts, expected):
    recording, spikes = recording_of(steps(0.05 * np.arange(len(counts)), DT), counts)
    assert held(recording, spikes) == expected
    parts = split(recording, spikes)
    assert sorted(p.sweep for p in (*parts.train, *parts.held_out)) == list(range(len(counts)))
    assert all(p.start == 0 and p.stop == len(recording.sweeps[p.sweep].voltage) for p in parts.train)


def test_rules(steps):
    recording, spikes = recording_of(steps(0.05 * np.arange(7), DT), [0, 0, 0, 1, 2, 3, 4])

    def rule(name):
        return sorted(p.sweep for p in split(recording, spikes, name).held_out)

    assert rule("auto") == [5]  # of the four with spikes, the third
    assert rule("amplitudes") == [2, 5]  # silent ones as well
    assert rule("tail") == rule("none") == []  # the sweeps are too short
    long, fired = recording_of([np.full(15000, 0.2), np.full(15000, 0.3)], [6, 8])
    assert [(p.sweep, p.start) for p in split(long, fired, "tail").held_out] == [(0, 10000), (1, 10000)]
    assert "as asked" in split(long, fired, "none").how


def test_amplitudes_count_and_not_the_order_of_the_file(steps):
    amplitudes = [0.4, 0.1, 0.3, 0.2, 0.5]
    recording, spikes = recording_of(steps(amplitudes, DT), [4, 1, 3, 2, 5])
    assert held(recording, spikes) == [2]  # 0.3 nA


def test_repeats_of_a_stimulus_stay_together(steps):
    rng = np.random.default_rng(0)
    currents = [i + rng.normal(0, 0.002, len(i)) for _ in range(3) for i in steps([0.1, 0.2, 0.3, 0.4], DT)]
    recording, spikes = recording_of(currents, [1, 2, 3, 4, 2, 2, 2, 4, 0, 0, 3, 4])
    assert stimuli(recording.sweeps, recording.dt) == [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]
    assert held(recording, spikes) == [2, 6, 10]


def test_a_stimulus_counts_if_any_repeat_spikes(steps):
    recording, spikes = recording_of(steps([0.1, 0.2, 0.1, 0.2], DT), [0, 1, 1, 2])
    assert held(recording, spikes) == [1, 3]


def test_the_same_step_at_another_time_is_another_stimulus():
    early, late = np.zeros(4000), np.zeros(4000)
    early[500:1500], late[2000:3000] = 0.2, 0.2
    recording, _ = recording_of([early, late], [1, 1])
    assert len(stimuli(recording.sweeps, recording.dt)) == 2


def test_last_third_of_one_long_sweep():
    current = np.concatenate([np.zeros(500), np.full(14500, 0.2)])
    parts = split(*recording_of([current], [6]))
    assert parts.train == (Part(0, 0, 10000),)
    assert parts.held_out == (Part(0, 10000, 15000),)


def test_repeats_alone_lose_their_last_thirds():
    current = np.concatenate([np.zeros(500), np.full(11500, 0.2)])
    parts = split(*recording_of([current, current, current], [8, 5, 9]))
    assert {p.sweep for p in parts.held_out} == {0, 2}  # too few spikes in the other
    assert Part(1, 0, 12000) in parts.train


@pytest.mark.parametrize(("samples", "count"), [(9990, 20), (20000, 5), (20000, 0)])
def test_short_or_nearly_silent_is_not_validated(samples, count):
    parts = split(*recording_of([np.full(samples, 0.1)], [count]))
    assert parts.held_out == ()
    assert "not validated" in parts.how
    assert parts.train == (Part(0, 0, samples),)


def test_held_out_currents_beyond_those_of_the_training_are_told(membrane, steps):
    def told(amplitudes, **more):
        currents = [steps([a], DT)[0] for a in amplitudes]
        voltages = [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)]
        return [
            n for n in Task.of(Recording.from_arrays(voltages, currents, DT), DT, **more).notes if "Extrapolated" in n
        ]

    (note,) = told([0.2, 0.4])  # of two, the second is held out
    assert note.startswith(
        "Extrapolated: in 1 of 1 held-out sweeps the current is 0 to 0.4 nA, outside the 0 to 0.2 nA of the"
    )
    assert not told([0.2, 0.24, 0.28, 0.32])
    assert not told([0.3, 0.32]) and told([0.3, 0.34])  # a little more is what a recorded current's noise does
    assert not told([0.2, 0.4], held_out="none") and not told([0.2, 0.4], folds=2)


@pytest.mark.parametrize(
    ("held", "noise", "said"),
    [
        ((-0.4, 0.3), False, "-0.4 to 0.3 nA, outside the -0.1 to 0.5 nA"),
        ((-0.15, 0.55), False, None),  # within a tenth of the range
        ((0.0, 0.7), False, "0 to 0.7 nA, outside"),
        ((0.0, 0.7), True, None),  # a rare peak of a noise
    ],
)
def test_either_side_of_the_trained_range_and_rare_peaks_of_noise(held, noise, said):
    trained, other = np.full(10_000, 0.2), np.full(10_000, 0.2)
    trained[:2000], trained[2000:4000] = -0.1, 0.5
    other[:50], other[50:100] = held
    recording = Recording.from_arrays([np.full(10_000, -70.0)] * 2, [trained, other], DT)
    found = extrapolated(recording, Split((Part(0, 0, 10_000),), (Part(1, 0, 10_000),), ""), noise)
    assert (said is None and not found) or said in found[0]
