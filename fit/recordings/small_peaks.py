"""Peaks that recur in a recording without spikes: small spikes, perhaps, of which the user should be asked."""

from collections.abc import Sequence

import numpy as np

from .spikes import find_spikes
from .stimuli import is_noise
from .sweep import Floats, Sweep, denoise, samples

LOWEST = 7.0  # mV: lower peaks are not asked about
FEWEST = 3  # number of peaks that recur
SMOOTH = 0.5  # ms, length of the running median that takes noise off
FOOT = 8.0  # ms before a peak in which its upstroke begins, after the preceding trough
REACH = 4.0  # ms before and after a peak in which its steepest rise and fall are
SLOPE_STEP = 1.0  # ms over which these slopes are measured
UPSTROKE = 0.33  # share of its height that a spike rises by in its steepest ms, at least
# Least ratio of the steepest fall to the steepest rise, each over SLOPE_STEP. Synaptic potentials rise fast too, but fall
# slowly: with a time constant of 3 ms the ratio is .28, with longer ones less.
FALL = 0.4
WIDEST = 6.0  # ms, largest width of a peak at half of its height
DUTY = 0.4  # largest width as a share of the median interval between peaks: for an oscillation it is .5
SMALLER = (0.4, 0.7)  # shares of the median height; noise has many peaks between these two, spikes have few
ARTEFACT = 1.5  # ms after a step of the current in which a peak is an artefact of it
STEP = 0.05  # share of the range of the current by which a step changes it at least


def recurring_peaks(sweeps: Sequence[Sweep], voltages: Sequence[Floats], dt: float) -> tuple[float, int] | None:
    """The median height, mV, and number of peaks that recur and look like small spikes, or None if there are none.

    voltages  (T,) mV of each sweep, without that of an electrode

    They must rise and fall fast, be narrow, and stand apart in height: noise, synaptic potentials, oscillations and artefacts
    of the stimulus do not. A height is counted from the slowest ms before the upstroke.
    """
    from scipy.ndimage import median_filter

    width = 2 * (samples(SMOOTH, dt) // 2) + 1
    smooth = [median_filter(v, width, mode="nearest") for v in voltages]
    noise = is_noise(sweeps, dt)
    steps = [np.empty(0) if noise or s.current is None else _steps(s.current, dt) for s in sweeps]

    def peaks(least: float) -> list[np.ndarray]:
        found = [find_spikes(v, dt, least).peak_index for v in smooth]
        return [_apart(p, at, dt) for p, at in zip(found, steps, strict=True)]

    found = peaks(LOWEST)
    if sum(map(len, found)) < FEWEST:
        return None
    reach, foot, step = samples(REACH, dt), samples(FOOT, dt), samples(SLOPE_STEP, dt)
    shapes, heights = [], []
    for v, at in zip(voltages, found, strict=True):
        for before, k in zip((0, *at)[: len(at)], at, strict=True):
            k = max(0, k - width) + int(
                np.argmax(v[max(0, k - width) : k + width + 1])
            )  # the peak itself, not smoothed
            start = max(k - foot, before + int(np.argmin(v[before : k + 1]))) if before <= k else k
            if start + step < k and reach + step <= k < len(v) - reach - step:
                slopes = v[start + step : k + 1] - v[start : k + 1 - step]
                heights.append(float(v[k] - v[start + step // 2 + int(np.argmin(slopes))]))
                shapes.append(v[k - reach - step : k + reach + step + 1])
    if len(heights) < FEWEST:
        return None
    height = float(np.median(heights))
    few, all_ = (sum(map(len, peaks(share * height))) for share in (SMALLER[1], SMALLER[0]))
    intervals = np.concatenate([np.diff(at) for at in found])
    widest = min(WIDEST, DUTY * float(np.median(intervals)) * dt) if len(intervals) else WIDEST
    looks = height >= LOWEST and _like_a_spike(np.median(shapes, axis=0), height, widest, dt)
    return (height, few) if looks and few >= FEWEST and all_ - few <= few / 2 else None


def _like_a_spike(shape: Floats, height: float, widest: float, dt: float) -> bool:
    """Whether a peak in the middle of a voltage (n,) mV rises and falls like a spike of this height, mV.

    widest  ms, its largest width at half of its height
    """
    step, middle = samples(SLOPE_STEP, dt), len(shape) // 2
    slopes = shape[step:] - shape[:-step]
    rise, fall = float(np.max(slopes[: middle - step + 1])), -float(np.min(slopes[middle:]))
    above = shape > shape[middle] - height / 2
    below = np.flatnonzero(~above)
    left, right = below[below < middle], below[below > middle]
    wide = not len(left) or not len(right) or (right[0] - left[-1]) * dt > widest
    return rise >= UPSTROKE * height and fall >= FALL * rise and not wide


def _steps(current: Floats, dt: float) -> np.ndarray:
    """Samples at which the current (T,) nA jumps."""
    smooth = denoise(current, dt)[0]
    return np.flatnonzero(np.abs(np.diff(smooth)) > max(STEP * float(np.ptp(smooth)), 1e-9))


def _apart(peaks: np.ndarray, steps: np.ndarray, dt: float) -> np.ndarray:
    """The peaks that do not follow, within ARTEFACT, a step of the current."""
    if not len(steps):
        return peaks
    last = np.searchsorted(steps, peaks + samples(SMOOTH, dt)) - 1
    return peaks[(last < 0) | (peaks - steps[np.maximum(last, 0)] > samples(ARTEFACT, dt))]
