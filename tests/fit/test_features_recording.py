"""Features of whole recordings and of each sweep, the f-I curve, and signs, on cells made to show them."""

import math

import numpy as np
import pytest

from spikefab.fit.features.extract import extract_features, f_i_curve, recording_features, sweep_features
from spikefab.fit.recordings.recording import Recording

DT = 0.1


def of(membrane, currents, noise=0.2):
    return Recording.from_arrays([membrane(i, DT, noise, k) for k, i in enumerate(currents)], currents, DT)


def spiking(times, n=6000, level=-60.0):
    """Voltage (n,) mV with a spike at each time (ms)."""
    t = np.arange(n) * DT
    v = np.full(n, level)
    for time in times:
        v += 80 * np.exp(-0.5 * ((t - time) / 0.5) ** 2)
    return v


def step(n=6000, amplitude=0.2, start=100.0, stop=500.0):
    t = np.arange(n) * DT
    return np.where((t >= start) & (t < stop), amplitude, 0.0)


def train(times, **options):
    return recording_features(Recording.from_arrays(spiking(times, **options), step(), DT))


def test_a_recording_has_the_features_of_its_arrays_and_more(membrane, steps):
    currents = steps([-0.1, 0.1, 0.2, 0.3], DT)
    recording = of(membrane, currents)
    found = recording_features(recording)
    arrays = extract_features([s.voltage for s in recording.sweeps], DT, currents)
    assert {name: found[name] for name in arrays} == pytest.approx(arrays, nan_ok=True)
    assert all(type(x) is float for x in found.values())
    assert found["noise"] == 0
    assert found["peak_rate"] == max(s["firing_rate"] for s in sweep_features(recording))


def test_each_sweep(membrane, steps):
    recording = of(membrane, steps([0.1, 0.2, 0.3], DT))
    silent, weak, strong = sweep_features(recording)
    assert (silent["spike_count"], silent["firing_rate"]) == (0, 0)
    assert all(math.isnan(s["rheobase"]) for s in (silent, weak, strong))
    assert [s["step"] for s in (silent, weak, strong)] == pytest.approx([0.1, 0.2, 0.3])
    assert strong["firing_rate"] > weak["firing_rate"] > 0
    assert recording_features(recording)["rheobase"] == pytest.approx(0.2)


def test_one_sweep_without_current_has_no_rheobase():
    recording = Recording.from_arrays(spiking([150, 200, 250]), None, DT)
    found = recording_features(recording)
    assert math.isnan(found["rheobase"])
    assert math.isnan(found["fi_slope"])
    assert [len(x) for x in f_i_curve(recording)] == [0, 0]
    assert math.isnan(sweep_features(recording)[0]["step"])


def test_f_i_curve(membrane, steps):
    recording = of(membrane, steps([0.3, 0.1, 0.2], DT))
    current, rate = f_i_curve(recording)
    np.testing.assert_allclose(current, [0.1, 0.2, 0.3])  # in order of current
    counts = [s["spike_count"] for s in sweep_features(recording)]
    np.testing.assert_allclose(rate, np.array([counts[1], counts[2], counts[0]]) / 0.25)
    assert recording_features(recording)["fi_slope"] == pytest.approx((rate[2] - rate[1]) / 0.1)
    # another's spikes: one inside the window of the first sweep, one before it
    _, other = f_i_curve(recording, [[100.0, 20.0], [], []])
    np.testing.assert_allclose(other, [0, 0, 4])


def test_bursts():
    doublets = [t for k in range(8) for t in (110 + 45 * k, 116 + 45 * k)]
    assert train(doublets)["bursts"] == pytest.approx(0.5, abs=0.05)
    assert train(np.arange(110, 490, 20))["bursts"] == 0
    assert train(110 + np.cumsum(np.arange(10, 30, 2)))["bursts"] == 0  # adaptation is no burst


def test_block():
    times, i = np.arange(110, 200, 15), step(amplitude=0.5)
    plateau = spiking(times) + np.where((np.arange(6000) * DT > 200) & (i > 0), 35.0, 0.0)
    blocked = recording_features(Recording.from_arrays(plateau, i, DT))
    assert blocked["block"] == 1
    assert train(times)["block"] == 0  # silent, but far below threshold: it only stopped


def test_rebound():
    after = Recording.from_arrays(spiking([530.0]), step(amplitude=-0.2), DT)
    assert recording_features(after)["rebound"] == 1
    assert recording_features(Recording.from_arrays(spiking([]), step(amplitude=-0.2), DT))["rebound"] == 0
    by_itself = Recording.from_arrays(spiking([50.0, 530.0]), step(amplitude=-0.2), DT)
    assert recording_features(by_itself)["rebound"] == 0


def filtered(omega, damping, n=100_000):
    """Noise through a membrane of second order: voltage and current."""
    rng = np.random.default_rng(0)
    i = np.repeat(rng.normal(0, 0.1, n // 10), 10)
    v, w, out = 0.0, 0.0, np.empty(n)
    for k in range(n):
        out[k] = v
        v += DT * w
        w += DT * (omega**2 * (30 * i[k] - v) - 2 * damping * omega * w)
    return out - 65 + rng.normal(0, 0.02, n), i


def test_resonance_and_noise():
    resonant = recording_features(Recording.from_arrays(*filtered(2 * np.pi * 0.008, 0.2), DT))
    assert resonant["noise"] == 1
    assert 1.8 < resonant["resonance"] < 3.5  # 1 / (2 damping sqrt(1 - damping^2)) = 2.55
    passive = recording_features(Recording.from_arrays(*filtered(2 * np.pi * 0.02, 2.0), DT))
    assert passive["resonance"] < 1.2


def test_oscillation():
    rng = np.random.default_rng(1)
    i = step(n=15_000, amplitude=0.1, start=100, stop=1400)
    t = np.arange(15_000) * DT
    rhythm = -60 + 2 * np.sin(2 * np.pi * 0.01 * t) + rng.normal(0, 0.2, len(t))
    assert recording_features(Recording.from_arrays(rhythm, i, DT))["oscillation"] == pytest.approx(2**0.5, rel=0.15)
    # noise that a membrane of 20 ms has filtered
    x = np.zeros(len(t))
    for k, kick in enumerate(rng.normal(0, 0.3, len(t) - 1)):
        x[k + 1] = x[k] * (1 - DT / 20) + kick
    assert recording_features(Recording.from_arrays(x - 60, i, DT))["oscillation"] == 0


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_a_few_samples_are_no_error(n):
    for i in (None, np.zeros(n), np.arange(n) * 0.1):
        found = recording_features(Recording.from_arrays(np.full(n, -65.0), i, DT))
        assert found["spike_count"] == 0
