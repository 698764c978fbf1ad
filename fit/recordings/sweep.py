"""One sweep of a recording, and what its current shows: the stimulus, the quiet part before it, the baseline."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Beginning of a sweep, ms, whose median is the baseline current if the current changes from the start of the sweep on.
START = 10.0
LARGEST = 1e9  # mV or nA: a larger number is damaged, and products of such numbers are beyond the range of a float
MERGE = 50.0  # ms: a return to the baseline that is shorter than this does not end the stimulus
NEGLIGIBLE = 1e-6  # nA: smaller deviations from the baseline count as zero
PADDING = (
    2.0  # ms: exact zeros at the end of a voltage that last as long were written in place of an aborted sweep's rest
)
QUIET = 10.0  # ms for which the current must be constant at the start of a sweep for a baseline to be measured there


@dataclass(frozen=True, eq=False)
class Sweep:
    """One sweep of a recording.

    voltage   (T,) mV
    current   (T,) nA, or None if it is not known
    window    (start, stop) ms of the stimulus, or None if there is none
    name      by which the user knows the sweep
    recorded  (T,) nA, the current as it was recorded, if `current` was rebuilt without the image of spikes; else None
    """

    voltage: Floats
    current: Floats | None
    window: tuple[float, float] | None
    name: str
    recorded: Floats | None = None


def make_sweep(voltage: Floats, current: Floats | None, dt: float, name: str) -> Sweep:
    """A sweep whose stimulus window is found in its current."""
    return Sweep(voltage, current, None if current is None else stimulus_window(current, dt), name)


def quiet_part(current: Floats, dt: float, denoised: tuple[Floats, float] | None = None) -> int:
    """The number of samples at the start of a sweep in which its current (T,) nA stays constant.

    The current counts as constant while it differs from the median of its first millisecond by less than 5 % of its range,
    or less than eight times the recording noise if that is more. For a stimulus that fluctuates from its first sample on,
    this is a few ms at most. `denoised`: what `denoise` gives for this current, if it is known.
    """
    signal, noise = denoised or denoise(current, dt)
    level = np.median(current[: samples(1.0, dt)])
    away = np.flatnonzero(_distance(signal, level) > max(0.05 * np.ptp(signal), 8 * noise, NEGLIGIBLE))
    return int(away[0]) if len(away) else len(current)


def baseline_current(sweep: Sweep, dt: float) -> float:
    """The current, nA, that probably flowed before the sweep began; it determines the state of a model at the start.

    It is the median of the part at the start of the sweep in which the current is constant, if this part lasts at least
    1 ms; otherwise the median of the first 10 ms. It is 0 for a sweep whose current is not known.
    """
    if sweep.current is None:
        return 0.0
    return _baseline(sweep.current, dt, None)


def _baseline(current: Floats, dt: float, denoised: tuple[Floats, float] | None) -> float:
    quiet = quiet_part(current, dt, denoised)
    if quiet < samples(1.0, dt):
        quiet = samples(START, dt)
    return float(np.median(current[:quiet]))


def _distance(signal: Floats, level: float) -> Floats:
    """The magnitude of the difference, without a second array on the way: a recording can have 10^8 samples."""
    away = signal - level
    return np.abs(away, out=away)


def rest_of(sweep: Sweep, dt: float) -> float:
    """The resting voltage, mV: the median before the stimulus.

    For a sweep whose current is not constant in its first 10 ms, the 20th percentile of the whole sweep.
    """
    quiet = 0 if sweep.current is None else quiet_part(sweep.current, dt)
    if quiet * dt >= QUIET:
        return float(np.median(sweep.voltage[:quiet]))
    return float(np.percentile(sweep.voltage, 20))


def stimulus_window(current: Floats, dt: float) -> tuple[float, float] | None:
    """(start, stop) in ms of the stimulus: the longest stretch in which a current (T,) nA is away from its baseline.

    None if the current never leaves the baseline. Stretches less than 50 ms apart count as one, because noise and pulse
    trains cross the baseline again and again. If a sweep has a short test pulse and a step, the stimulus is the step.
    """
    signal, noise = denoise(current, dt)
    away = _distance(signal, _baseline(current, dt, (signal, noise)))
    # The 99th percentile, not the maximum, because spikes leave brief artefacts in a recorded current.
    far = np.percentile(away, 99)
    departed = np.flatnonzero(away > max(0.15 * far, 6 * noise, NEGLIGIBLE))
    if not len(departed):
        return None
    breaks = np.flatnonzero(np.diff(departed) > MERGE / dt)
    starts = departed[np.concatenate(([0], breaks + 1))]
    stops = departed[np.concatenate((breaks, [len(departed) - 1]))] + 1
    longest = int(np.argmax(stops - starts))
    start, stop = int(starts[longest]), int(stops[longest])
    # a ramp begins before it has reached the threshold above: go back and forward to the baseline
    calm = away <= max(0.01 * far, 6 * noise, NEGLIGIBLE)
    before, after = np.flatnonzero(calm[:start]), np.flatnonzero(calm[stop:])
    start, stop = int(before[-1]) + 1 if len(before) else 0, stop + int(after[0]) if len(after) else len(current)
    return round(start * dt, 6), round(stop * dt, 6)


def denoise(current: Floats, dt: float) -> tuple[Floats, float]:
    """The current (T,) nA after a median filter over 1 ms, and the noise that is left in it (nA rms).

    A median filter does not blur the edges of steps.
    """
    from scipy.ndimage import median_filter

    width = 2 * (samples(1.0, dt) // 2) + 1
    # The median of the differences between samples measures the noise alone: the few edges of a stimulus do not change it.
    noise = 1.4826 * np.median(np.abs(np.diff(current))) / np.sqrt(2 * width) if len(current) > 1 else 0.0
    return median_filter(current, width, mode="nearest"), float(noise)


def samples(ms: float, dt: float) -> int:
    """The number of samples in a time, at least 1."""
    return max(1, round(ms / dt))


def zeros_at_end(v: Floats, dt: float) -> int:
    """The number of samples at the end of a voltage (T,) that are padding: exact zeros, if the cell rests below -20 mV."""
    zeros = len(v) - int(np.flatnonzero(v)[-1]) - 1 if np.any(v) else 0
    return zeros if zeros * dt >= PADDING and np.percentile(v[: len(v) - zeros], 20) < -20 else 0
