"""The image of spikes in a recorded current is found whatever its size and delay, removed, and never invented."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from spikefab import Recording, read

from .made import image_of, neuron, stimulus

DATA = os.environ.get("SPIKEFAB_DATA")
STEP = 0.3  # nA, the middle step


def made(seed: int, kind: str = "steps"):
    """Voltages, currents as injected and as a monitor records them with the image of the spikes, dt, and the image's size."""
    rng = np.random.default_rng(seed)
    dt = (0.05, 0.1, 0.2)[seed % 3]
    injected = [stimulus(kind, rng, amplitude, 300.0, dt) for amplitude in (0.18, 0.3, 0.42)]
    voltages = [neuron(i, dt, rng) for i in injected]
    noise = (0.0, 0.001, 0.005)[seed // 3 % 3] * (kind != "noise")
    clean = [i + noise * rng.normal(size=len(i)) for i in injected]
    size = STEP * 10 ** rng.uniform(-1, np.log10(5)) * rng.choice([-1, 1])
    delay = rng.uniform(0, 1)
    planted = [i + image_of(v, dt, size, delay) for i, v in zip(clean, voltages, strict=True)]
    return voltages, clean, planted, dt, size


@pytest.mark.parametrize(
    "seeds", [range(20), *(pytest.param(range(k, k + 20), marks=pytest.mark.slow) for k in range(20, 100, 20))], ids=str
)
def test_a_planted_image_is_found_and_removed(seeds):
    """10 % to 500 % of the step, 0 to 1 ms late: in 100 of 100; and none in 100 of the same without it."""
    for seed in seeds:
        voltages, clean, planted, dt, size = made(seed)
        without = Recording.from_arrays(voltages, clean, dt)
        assert without.image is None, f"seed {seed}: {without.image}"
        assert all(s.current is i or np.array_equal(s.current, i) for s, i in zip(without.sweeps, clean, strict=True))
        found = Recording.from_arrays(voltages, planted, dt)
        assert found.image is not None, f"seed {seed}: {size:.3f} nA at dt {dt}"
        largest = max(-found.image.low, found.image.high)
        assert largest == pytest.approx(abs(size), rel=0.3, abs=0.01), f"seed {seed}"
        for s, i, raw in zip(found.sweeps, clean, planted, strict=True):
            assert np.abs(s.current - i).max() < 0.2 * abs(size) + 0.05, f"seed {seed}"
            assert s.recorded is None or np.array_equal(s.recorded, raw)
        assert any("image of the" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["noise", "pulses"])
def test_a_stimulus_that_evokes_spikes_is_no_image(kind):
    for seed in range(12):
        voltages, clean, *_, dt, _ = made(seed, kind)
        recording = Recording.from_arrays(voltages, clean, dt)
        assert sum(map(len, recording.spikes())) > 10
        assert recording.image is None, f"seed {seed}: {recording.image}"


@pytest.mark.parametrize("levels", [(0.45, 0.1), (0.6, 0.15)])
def test_noises_of_different_levels_have_no_image(levels):
    """Nearly all spikes are in the sweep whose current is higher: it is not drawn to the mean of both after each of them."""
    for seed in range(3):
        rng, dt, n = np.random.default_rng(seed), 0.1, 100_000
        kept = np.exp(-dt / 1.0)  # noise with a time constant of 1 ms
        fast = [lfilter([0.3 * np.sqrt(1 - kept**2)], [1, -kept], rng.normal(size=n)) for _ in levels]
        currents = [level + i for level, i in zip(levels, fast, strict=True)]
        recording = Recording.from_arrays([neuron(i, dt, rng) for i in currents], currents, dt)
        many, few = map(len, recording.spikes())
        assert many > 5 * few
        assert recording.image is None, f"seed {seed}: {recording.image}"


def test_a_current_of_zero_has_no_image():
    voltages, *_, dt, _ = made(1)
    assert Recording.from_arrays(voltages, [np.zeros_like(v) for v in voltages], dt).image is None


def test_an_image_in_noise():
    """As large as the noise itself: it stands out there too."""
    for seed in range(0, 12, 3):
        voltages, clean, _, dt, _ = made(seed, "noise")
        planted = [i + image_of(v, dt, 0.6, 0.3) for i, v in zip(clean, voltages, strict=True)]
        assert Recording.from_arrays(voltages, planted, dt).image is not None, f"seed {seed}"


def test_resampled_and_selected_sweeps_keep_both_currents():
    voltages, _, planted, dt, _ = made(1)
    recording = Recording.from_arrays(voltages, planted, dt).select([2])
    coarse = recording.resample(4 * dt)
    assert recording.image is coarse.image is not None
    (sweep,) = coarse.sweeps
    assert len(sweep.recorded) == len(sweep.current) == len(sweep.voltage)
    assert np.ptp(sweep.recorded) > np.ptp(sweep.current)


@pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set")
def test_the_monitor_of_pyr2():
    recording = read(Path(DATA) / "NWBShowcase" / "PYR2.abf")
    assert recording.image is not None and recording.image.low < -0.2 and recording.image.high > 0.2
    assert max(np.abs(s.current).max() for s in recording.sweeps) < 0.3  # 0.7 nA as recorded
    assert max(np.ptp(s.recorded) for s in recording.sweeps if s.recorded is not None) > 1.0
