"""Small spikes of which the user is asked, and what is never taken for them."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from spikefab.cli import main
from spikefab.errors import on_command_line, worded
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording
from spikefab.studio.words import said

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")
DT = 0.1
T = np.arange(6000) * DT
TIMES = np.array([70.0, 158.0, 239.0, 331.0, 404.0, 512.0])


def gauss(u):
    return np.exp(-0.5 * (u / 0.6) ** 2)


def hyperpolarised(u):
    return gauss(u) - 0.3 * np.where(u > 1, np.exp(-(u - 1) / 15), 0)


def exponential(u):
    """Rises ever faster, and is gone at the next sample."""
    return np.where(u <= 0, np.exp(u / 1.5), 0)


def filtered(u):
    return np.where(u > 0, 2.6 * (np.exp(-u / 1.2) - np.exp(-u / 0.42)), 0)


def synaptic(rise, fall):
    def shape(u):
        top = np.log(fall / rise) * rise * fall / (fall - rise)
        curve = np.where(u > 0, np.exp(-u / fall) - np.exp(-u / rise), 0)
        return curve / (np.exp(-top / fall) - np.exp(-top / rise))

    return shape


def voltage(shape, height, noise, spread=0.05, seed=0):
    rng = np.random.default_rng(seed)
    v = -60 + rng.normal(0, noise, len(T))
    for time in TIMES:
        v += height * (1 + spread * rng.normal()) * shape(np.clip(T - time, -100, 100))
    return v


def asked(v, current=None):
    recording = Recording.from_arrays(v, np.zeros_like(v) if current is None else current, DT)
    assert [len(s) for s in recording.spikes()] == [0] * len(recording.sweeps)
    (warning,) = [w for w in recording.warnings() if "no spikes" in w]
    return warning if "recur" in warning else None


@pytest.mark.parametrize("shape", [gauss, hyperpolarised, exponential, filtered])
@pytest.mark.parametrize("height", [10, 13, 17])
@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_small_spikes_are_asked_about_and_then_counted(shape, height, noise):
    v = voltage(shape, height, noise)
    warning = asked(v)
    found = int(warning.split("peaks of ")[1].split()[0])
    assert abs(found - height) <= 0.15 * height
    least = float(warning.rsplit("such as ")[1].rstrip("."))
    (spikes,) = Recording.from_arrays(v, None, DT, spike_prominence=least).spikes()
    assert len(spikes) == 6 and np.all(np.abs(spikes.peak_index * DT - TIMES) < 1)


def test_small_spikes_of_which_only_some_count():
    """Spikes of 18 mV under noise: some are 20 mV high by chance."""
    v = voltage(gauss, 18, 0.8, seed=4)
    recording = Recording.from_arrays(v, None, DT)
    assert 0 < len(recording.spikes()[0]) < 5
    (warning,) = [w for w in recording.warnings() if "are these spikes?" in w]
    assert warning.startswith(f"Of 6 peaks only {len(recording.spikes()[0])} count as spikes")
    large = Recording.from_arrays(voltage(gauss, 60, 0.8), None, DT)
    assert len(large.spikes()[0]) == 6 and not any("spikes?" in w for w in large.warnings())


def test_small_spikes_among_slow_things():
    v = voltage(gauss, 13, 0.3)
    rng = np.random.default_rng(1)
    k = np.exp(-DT / 8)
    assert asked(v + 2 * np.sin(2 * np.pi * T / 25)) is not None
    assert asked(v + lfilter([np.sqrt(1 - k * k)], [1, -k], rng.normal(size=len(T)))) is not None
    step = np.where((T > 40) & (T < 560), 0.1, 0)
    assert asked(v + 10 * (1 - np.exp(-np.maximum(T - 40, 0) / 10)), step) is not None


@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_what_is_never_taken_for_spikes(noise):
    rng = np.random.default_rng(2)
    for rise, fall in ((0.5, 5), (1, 8), (2, 12), (3, 30)):
        for height, spread in ((8, 0.3), (10, 0.05), (14, 0.05)):
            assert asked(voltage(synaptic(rise, fall), height, noise, spread)) is None, (rise, fall, height)
    for frequency in (5, 20, 40, 80, 100):
        for height in (10, 15):
            v = height / 2 * np.sin(2 * np.pi * frequency * T / 1e3) - 60
            assert asked(v + rng.normal(0, noise, len(T))) is None, (frequency, height)
    for size, tau in ((1.5, 2), (2, 5), (3, 20)):
        k = np.exp(-DT / tau)
        v = lfilter([size * np.sqrt(1 - k * k)], [1, -k], rng.normal(size=len(T))) - 60
        assert asked(v + rng.normal(0, noise, len(T))) is None, (size, tau)
    assert asked(rng.normal(-60, 2 + noise, len(T))) is None


def test_artefacts_of_the_stimulus_are_no_spikes():
    """Each pulse of a train ends in a peak; each step leaves a transient."""
    pulses = np.where((T % 60 > 40) & (T % 60 < 42), 0.8, 0.0)
    k = np.exp(-DT / 12)
    v = -60 + 90 * lfilter([0, 1 - k], [1, -k], pulses) + np.random.default_rng(0).normal(0, 0.2, len(T))
    assert asked(v, pulses) is None
    steps = np.where(T % 100 > 50, 0.2, 0.0)
    transients = lfilter([12 / 0.2], [1, -np.exp(-DT / 0.15)], np.diff(steps, prepend=0))
    assert asked(v + transients, steps + pulses) is None


def test_the_words_of_each_face(tmp_path, capsys):
    warning = asked(voltage(gauss, 13, 0.3))
    assert warning.startswith(
        "There are no spikes, but peaks of 13 mV recur: are these spikes? Then pass spike_prominence=MV"
    )
    assert "pass --spike-prominence MV, the least height of a spike, such as 8." in worded(warning, on_command_line)
    assert "give the least height of a spike under “Read it otherwise”, such as 8." in said(warning)
    file = tmp_path / "small.csv"
    np.savetxt(file, np.stack([T, voltage(gauss, 13, 0.3)], axis=1), delimiter=",", header="t_ms,V_mV", comments="")
    assert main(["info", str(file)]) == 0
    out = capsys.readouterr()
    assert "are these spikes? Then pass --spike-prominence MV" in " ".join((out.out + out.err).split())


@real
def test_spikelets_are_asked_about():
    path = Path(str(DATA)) / "strangers/spikelets.csv"
    recording = read(path)
    recording.require_fit()
    assert any("peaks of 13 mV recur: are these spikes?" in w for w in recording.warnings())
    assert not any("no spikes" in w for w in read(path, spike_prominence=8).warnings())


@real
@pytest.mark.parametrize("name", ["171116sh_0017.abf", "2020_03_02_0000.abf"])
def test_passive_recordings_stay_passive(name):
    warnings = read(Path(str(DATA)) / "pyABF" / name).warnings()
    assert any("only the passive membrane" in w for w in warnings)
