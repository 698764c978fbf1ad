"""Finds the spikes in a recorded voltage, by their shape and not by a voltage level. All of spikefab uses this rule."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikefab.errors import UsageError
from spikefab.units import number

PROMINENCE = 20.0  # mV: least height of a peak above the higher of the two lowest voltages left and right of it
PROMINENCE_WINDOW = 20.0  # ms on either side of a peak in which its prominence is measured
RISE = 20.0  # mV: least rise of the voltage within RISE_WINDOW before the peak
RISE_WINDOW = 2.0  # ms before the peak in which the voltage must rise by RISE
SLOPE = 10.0  # V/s (= mV/ms): least slope that the upstroke of a spike must reach; the onset is where it reaches it
SLOPE_STEP = 0.2  # ms over which slopes are measured
TROUGH_WINDOW = 20.0  # ms after the peak in which the trough is searched: later minima are due to the stimulus


@dataclass(frozen=True, eq=False)
class Spikes:
    """The n spikes of one sweep: every array has one entry per spike.

    time            (n,) ms at which the voltage rises through the middle between onset and peak, interpolated between
                    samples; sample k is at time k*dt
    onset_index     (n,) sample at which the slope of the upstroke reaches 10 V/s (less with a smaller prominence)
    onset_voltage   (n,) mV at the onset: the threshold as an experimenter would read it
    peak_index      (n,) sample of the peak
    peak_voltage    (n,) mV
    trough_index    (n,) sample of the lowest voltage between this peak and the next, at most 20 ms after this peak
    trough_voltage  (n,) mV
    """

    time: NDArray[np.float64]
    onset_index: NDArray[np.int64]
    onset_voltage: NDArray[np.float64]
    peak_index: NDArray[np.int64]
    peak_voltage: NDArray[np.float64]
    trough_index: NDArray[np.int64]
    trough_voltage: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def half_voltage(self) -> NDArray[np.float64]:
        """(n,) mV: the middle between onset and peak. The spike's time is when the voltage rises through this level."""
        return (self.onset_voltage + self.peak_voltage) / 2

    def moved(self, old: float, new: float, n: int) -> "Spikes":
        """The same spikes with sample indices of another sample step: from `old` to `new` ms, in a sweep of n samples."""
        if old == new:
            return self
        indices = {
            name: np.minimum((getattr(self, name) * (old / new)).round().astype(np.int64), n - 1)
            for name in ("onset_index", "peak_index", "trough_index")
        }
        return replace(self, **indices)


def prominence_of(given: float | None) -> float:
    """The least prominence of a spike, mV: the value that a user gave, or the default. Raises UsageError if it makes no sense."""
    if given is None:
        return PROMINENCE
    found = number(given, "mV", "The prominence of a spike")
    if found <= 0:
        raise UsageError(f"The prominence of a spike must be a positive number of mV, not {given}.")
    return found


def find_spikes(voltage: ArrayLike, dt: float, prominence: float = PROMINENCE) -> Spikes:
    """Spikes of one sweep: voltage (T,) in mV, dt in ms, least prominence of a spike in mV.

    A spike is a peak with a prominence of at least 20 mV (within 20 ms on either side); in the 2 ms before it, the voltage
    must rise by at least 20 mV, somewhere with a slope of at least 10 V/s, measured over 0.2 ms. A fixed level (0 or
    -20 mV) would miscount small spikes, spikes in depolarisation block and recordings with a bad bridge balance; the slope
    alone would count the charging transient of a current step and merge doublets. With slopes of 8-20 V/s or prominences of
    15-25 mV, the counts were the same on all recordings with which the rule was developed.

    With a smaller prominence smaller spikes count. Such spikes are slower too, as they often have come through a filter
    (a dendrite, a gap junction): the least slope is lowered in proportion, and the least rise within 2 ms with the square.
    """
    from scipy.ndimage import minimum_filter1d
    from scipy.signal import find_peaks, peak_prominences

    v = np.asarray(voltage, dtype=np.float64)
    if v.ndim != 1:
        raise ValueError(f"voltage must be one sweep, (T,), not {v.shape}")
    share = min(1.0, prominence / PROMINENCE)
    rise, steep = RISE * share**2, SLOPE * share
    back = max(1, int(np.floor(RISE_WINDOW / dt + 1e-9)))
    peaks = find_peaks(v)[0] if len(v) > 2 else np.empty(0, np.int64)
    if len(peaks):
        # a quick look around each peak, on both sides: most peaks are noise, and their prominences need not be measured
        peaks = peaks[v[peaks] - minimum_filter1d(v, 2 * back + 1)[peaks] >= rise]
    window = 2 * max(1, round(PROMINENCE_WINDOW / dt)) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy warns of peaks without prominence; they are no spikes
        peaks = peaks[peak_prominences(v, peaks, wlen=window)[0] >= prominence]
    # Row j holds the samples from peak j - back to just before peak j; none is before the start of the sweep.
    before = np.maximum(peaks[:, None] + np.arange(-back, 0), 0)
    rises = v[peaks] - v[before].min(axis=1, initial=np.inf) >= rise
    slopes = _slope(v, dt, before)
    keep = rises & (slopes >= steep).any(axis=1)
    peaks, before, slopes = peaks[keep], before[keep], slopes[keep]

    bounds = np.append(peaks, len(v))
    onset, trough, time = np.empty_like(peaks), np.empty_like(peaks), np.empty(len(peaks))
    reach = max(1, round(TROUGH_WINDOW / dt))
    earliest = 0
    for j, peak in enumerate(peaks):
        # Search after the last trough: else, the onset of a doublet's second spike is found on the first spike's upstroke.
        start = max(earliest, before[j][0])
        # Search back from the steepest sample, because before the upstroke noise alone may reach 10 V/s over 0.2 ms.
        slope = slopes[j][start - peak :]  # from start to just before the peak
        steepest = int(np.argmax(slope))
        gentle = np.flatnonzero(slope[:steepest] < steep)
        onset[j] = start + gentle[-1] + 1 if len(gentle) else start
        half = (v[onset[j]] + v[peak]) / 2
        below = onset[j] + np.flatnonzero(v[onset[j] : peak] < half)
        k = below[-1] if len(below) else onset[j]
        time[j] = (k + (half - v[k]) / (v[k + 1] - v[k]) if v[k + 1] != v[k] else k) * dt
        trough[j] = peak + np.argmin(v[peak : min(bounds[j + 1], peak + reach + 1)])
        earliest = peak + np.argmin(v[peak : bounds[j + 1]])
    return Spikes(time, onset, v[onset], peaks, v[peaks], trough, v[trough])


def spike_mask(spike_times: NDArray[np.float64], n: int, dt: float) -> tuple[NDArray[np.bool_], float]:
    """The samples at and around spikes, which `masked_rmse` leaves out: (n,) bool, and their share of all samples, 0..1.

    True from 1 ms before each spike to 5 ms after it, or to 0.4 times the interval to the next spike if that is shorter.
    Pass the spikes of the data: with those of the model, each wrong spike of the model would hide part of its own error.
    """
    times = np.asarray(spike_times, dtype=np.float64)
    after = np.minimum(5.0, 0.4 * np.append(np.diff(times), np.inf))
    start = np.clip(np.ceil((times - 1.0) / dt - 1e-9), 0, n).astype(np.int64)
    stop = np.clip(np.floor((times + after) / dt + 1e-9) + 1, 0, n).astype(np.int64)
    depth = np.zeros(n + 1, dtype=np.int64)
    np.add.at(depth, start, 1)
    np.add.at(depth, stop, -1)
    mask = np.cumsum(depth[:n]) > 0
    return mask, float(mask.mean()) if n else 0.0


def _slope(v: NDArray[np.float64], dt: float, at: NDArray[np.int64]) -> NDArray[np.float64]:
    """The slope (V(t + 0.2 ms) - V(t)) / 0.2 ms at the samples `at`, V/s.

    V(t + 0.2 ms) is interpolated, because 0.2 ms need not be a whole number of samples.
    """
    later = at + SLOPE_STEP / dt
    first = np.minimum(later.astype(np.int64), len(v) - 1)
    second = np.minimum(first + 1, len(v) - 1)
    return (v[first] + (v[second] - v[first]) * (later - first) - v[at]) / SLOPE_STEP
