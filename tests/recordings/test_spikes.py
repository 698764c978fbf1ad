"""The spike rule against counts that were made by hand, and against traces whose spikes are known by construction."""

import os
from pathlib import Path

import numpy as np
import pytest

from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.spikes import find_spikes

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")

COUNTS = {
    "QSNMC2007/challengeA_set00_4reps.csv": [935, 875, 899, 911],
    "QSNMC2007/challengeA_set04_4reps.csv": [606, 656, 631, 624],
    "QSNMC2007/challengeA_set05_4reps.csv": [45, 40, 43, 44],
    "QSNMC2007/challengeA_set12_4reps.csv": [92, 82, 115, 73],
    "QSNMC2007/challengeB_C010302A1_IDRest.csv": [8, 9, 11, 13, 15, 18, 21, 24, 27, 30],
    "QSNMC2007/challengeB_C140201C_IDRest.csv": [0, 14, 22, 29, 33],
    "QSNMC2007/traceascii_C140201C_IDRest_103.asc": [22],
    "neuroptimus/ca3_pc_v2_4_with_current.csv": [0, 2, 5, 17],
    "pyABF/18713001.abf": [0] * 8 + [1, 2, 3, 4, 5, 6, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 9, 9, 9, 9, 10, 9],
    "pyABF/171116sh_0016.abf": [0] * 7 + [1, 2, 3, 4],
    "pyABF/File_axon_5.abf": [0, 0, 0, 0, 0, 0, 2, 2, 3],
    "pyABF/171116sh_0017.abf": [0, 0, 0],
    "pyABF/190619B_0003.abf": [0, 0, 0, 0, 3, 6, 8, 12, 13, 16],
    "NWBShowcase/PYR2.abf": [0, 0, 1, 2, 3, 4, 7, 7, 8, 8, 10, 8, 9],
}


def spiky(times, n, dt, height=80.0, width=0.4, rest=-65.0):
    """A voltage of Gaussian spikes on a flat rest: (n,) mV."""
    t = np.arange(n) * dt
    v = np.full(n, rest)
    for time in times:
        v += height * np.exp(-0.5 * ((t - time) / width) ** 2)
    return v


@real
@pytest.mark.parametrize("name", COUNTS)
def test_labelled_counts(name):
    recording = read(Path(str(DATA)) / name)
    assert [len(find_spikes(s.voltage, recording.dt)) for s in recording.sweeps] == COUNTS[name]


@real
@pytest.mark.parametrize("name", ["pyABF/18713001.abf", "NWBShowcase/PYR2.abf", "pyABF/190619B_0003.abf"])
def test_counts_survive_noise(name):
    recording = read(Path(str(DATA)) / name)
    rng = np.random.default_rng(0)
    noisy = [s.voltage + rng.normal(0, 2, len(s.voltage)) for s in recording.sweeps]
    assert [len(find_spikes(v, recording.dt)) for v in noisy] == COUNTS[name]


@pytest.mark.parametrize("dt", [0.02, 0.05, 0.1, 0.2, 0.25])
def test_known_spikes_at_any_step(dt):
    times = np.array([20.3, 50.7, 53.9, 120.0])
    spikes = find_spikes(spiky(times, round(200 / dt), dt), dt)
    assert len(spikes) == 4
    assert np.all(np.abs(spikes.peak_index * dt - times) <= dt)
    # Halfway up a Gaussian of 0.4 ms: within half a millisecond before its peak.
    assert np.all((times - spikes.time > 0.2) & (times - spikes.time < 0.8))


def test_time_is_the_interpolated_crossing_of_halfway():
    v = np.array([-60.0] * 50 + [-60.0, -20.0, 20.0] + [-60.0] * 50)
    spikes = find_spikes(v, 0.1)
    assert spikes.onset_voltage.tolist() == [-60.0]
    assert spikes.half_voltage.tolist() == [-20.0]
    assert spikes.time == pytest.approx([5.1])


def test_what_is_no_spike():
    dt, n = 0.1, 3000
    t = np.arange(n) * dt
    slow = spiky([150.0], n, dt, width=20.0)  # 80 mV, but at 2 V/s
    small = spiky([150.0], n, dt, height=15.0)
    step = np.where(t > 100, -20.0, -65.0)  # an unbalanced bridge: steep, without a peak
    for v in (slow, small, step, np.full(n, -65.0), np.full(n, np.pi), np.array([]), np.array([1.0])):
        assert len(find_spikes(v, dt)) == 0


def test_depolarisation_block_has_no_spikes():
    v = np.where(np.arange(5000) < 1000, -65.0, -15.0) + np.random.default_rng(0).normal(0, 1, 5000)
    assert len(find_spikes(v, 0.1)) == 0


def test_doublet_onsets_lie_between_the_peaks():
    v = spiky([50.0, 51.6], 2000, 0.05, width=0.25)
    spikes = find_spikes(v, 0.05)
    assert len(spikes) == 2
    assert spikes.peak_index[0] < spikes.onset_index[1] < spikes.peak_index[1]
    assert spikes.time[1] > spikes.peak_index[0] * 0.05


def test_one_sweep_at_a_time():
    with pytest.raises(ValueError, match="one sweep"):
        find_spikes(np.zeros((2, 100)), 0.1)
