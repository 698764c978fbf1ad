"""The spike rule against counts that were made by hand, and against traces whose spikes are known by construction."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikefab.cli import main
from spikefab.errors import UsageError
from spikefab.fit import fit
from spikefab.fit.features.extract import extract_features, recording_features
from spikefab.fit.options import FitOptions
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import find_spikes
from spikefab.fit.report.again import fit_python
from spikefab.fit.scoring.task import Task

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
    assert [len(spikes) for spikes in recording.spikes()] == COUNTS[name]


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


# -- the spikes of a recording, and the least height of a spike ----------------------------------------------------------

SMALL = np.array([100.0, 180.0, 240.0, 310.0, 380.0])  # times, ms


def small_spikes(height=13.0, width=0.5, dt=0.1, rest=-60.0, noise=0.3, shape="gauss"):
    """500 ms of a voltage with small spikes at SMALL."""
    t = np.arange(round(500 / dt)) * dt
    v = rest + np.random.default_rng(0).normal(0, noise, len(t))
    for time in SMALL:
        u = np.clip((t - time) / width, -50, 50)
        if shape == "gauss":
            v += height * np.exp(-0.5 * u**2)
        elif shape == "exponential":  # rises ever faster over many ms, and is gone at the next sample
            v += np.where(u <= 0, height * np.exp(u / 2), 0)
        else:  # a spike that came through a filter: a fast rise, a slower fall
            v += np.where(u > 0, height * 2.6 * (np.exp(-u / 2) - np.exp(-u / 0.7)), 0)
    return v


def test_spikes_are_sought_once(monkeypatch):
    v = np.stack([spiky([50.0], 2000, 0.1), spiky([30.0, 60.0], 2000, 0.1)])
    calls = []
    monkeypatch.setattr("spikefab.fit.recordings.recording.find_spikes", lambda *a: calls.append(a) or find_spikes(*a))
    recording = Recording.from_arrays(v, np.zeros_like(v), 0.1)
    assert [len(s) for s in recording.spikes()] == [1, 2]
    assert recording.spikes() is recording.spikes() and len(calls) == 2
    assert replace(recording, notes=("x",)).spikes() is recording.spikes()  # the samples are the same
    renamed = replace(recording, sweeps=tuple(replace(s, window=(1.0, 5.0)) for s in recording.sweeps))
    assert renamed.spikes() is recording.spikes() and len(calls) == 2
    recording.warnings()
    recording_features(recording)
    assert len(calls) == 2
    other = replace(recording, sweeps=(recording.sweeps[0], replace(recording.sweeps[1], voltage=v[0])))
    assert [len(s) for s in other.spikes()] == [1, 1]
    assert [len(s) for s in replace(recording, spike_prominence=90.0).spikes()] == [0, 0]


def test_spikes_of_a_resampled_recording_are_those_of_the_original():
    """With 0.5 ms between samples the rule would not find these spikes."""
    v = spiky([50.0, 80.0, 120.0], 20000, 0.01, width=0.05)
    recording = Recording.from_arrays(np.stack([v, v]), np.zeros((2, 20000)), 0.01)
    coarse = recording.resample(0.5)
    assert [len(s) for s in coarse.spikes()] == [3, 3]
    assert np.array_equal(coarse.spikes()[0].time, recording.spikes()[0].time)
    assert coarse.spikes()[0].peak_index.tolist() == [100, 160, 240]
    (second,) = coarse.select([1]).spikes()
    assert second.peak_index.tolist() == [100, 160, 240]
    assert len(find_spikes(coarse.sweeps[0].voltage, 0.5)) == 0


@pytest.mark.parametrize("shape", ["gauss", "exponential", "filtered"])
@pytest.mark.parametrize(("height", "least"), [(10.0, 6.0), (13.0, 8.0), (13.0, 10.0), (18.0, 10.0)])
@pytest.mark.parametrize("dt", [0.05, 0.1, 0.2])
def test_small_spikes_count_where_asked_for(shape, height, least, dt):
    v = small_spikes(height, dt=dt, shape=shape)
    assert len(find_spikes(v, dt)) == 0
    found = find_spikes(v, dt, least)
    assert len(found) == 5
    assert np.all(np.abs(found.peak_index * dt - SMALL) < 1.5)


def test_what_is_no_spike_is_none_with_a_smaller_prominence():
    dt, n = 0.1, 5000
    t = np.arange(n) * dt
    slow = spiky([150.0, 300.0], n, dt, height=15.0, width=8.0)
    wave = -60 + 8 * np.sin(2 * np.pi * 8 * t / 1e3)
    step = np.where(t > 100, -50.0, -65.0)
    for v in (slow, wave, step):
        assert len(find_spikes(v + np.random.default_rng(0).normal(0, 0.3, n), dt, 10)) == 0


@real
def test_spikelets():
    path = Path(str(DATA)) / "strangers/spikelets.csv"
    assert [len(s) for s in read(path).spikes()] == [0, 0, 0]
    for least in (5, 8, 10, 12):
        assert [len(s) for s in read(path, spike_prominence=least).spikes()] == [2, 5, 10]


@pytest.mark.slow
def test_the_least_height_everywhere(tmp_path, capsys):
    v, dt = small_spikes(), 0.1
    i = np.where((np.arange(len(v)) > 500) & (np.arange(len(v)) < 4500), 0.1, 0.0)
    recording = Recording.from_arrays(v, i, dt, spike_prominence=8)
    assert recording.reading == {"dt": 0.1, "spike_prominence": 8.0}
    assert [len(s) for s in Task.of(recording, 0.1, anyway=True).spikes] == [5]
    assert recording_features(recording)["spike_count"] == 5
    again = fit_python(None, recording.reading, FitOptions())
    assert "fit(voltage=voltage, current=current, dt=0.1, spike_prominence=8.0," in again
    arrays = {"voltage": v, "current": i, "dt": dt, "models": ["LIF"], "budget": 2, "anyway": True}
    assert len(fit(**arrays, spike_prominence=8).task.spikes[0]) == 5
    assert extract_features(v, dt, i, spike_prominence=8)["spike_count"] == 5
    with pytest.raises(UsageError, match="has its spikes already"):
        fit(recording, spike_prominence=8)
    file = tmp_path / "small.csv"
    np.savetxt(
        file, np.stack([np.arange(len(v)) * dt, v, i], axis=1), delimiter=",", header="t_ms,V_mV,I_nA", comments=""
    )
    assert read(file).reading == {}
    assert read(file, spike_prominence=8).reading == {"spike_prominence": 8.0}
    assert main(["info", str(file), "--spike-prominence", "8"]) == 0
    assert ", 5 spikes" in capsys.readouterr().out
    for wrong in (0, -3, np.nan, np.inf, "8", True):
        with pytest.raises(UsageError, match="must be a positive number of mV"):
            read(file, spike_prominence=wrong)
    assert main(["info", str(file), "--spike-prominence", "-1"]) == 2
