"""Where a recorded voltage spikes: one rule, found by shape and not by a level, for every count in spikefab."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

PROMINENCE = 20.0  # mV, topographic, of the peak
PROMINENCE_WINDOW = 20.0  # ms to either side of the peak
RISE = 20.0  # mV, within RISE_WINDOW before the peak
RISE_WINDOW = 2.0  # ms
SLOPE = 10.0  # V/s (= mV/ms), over SLOPE_STEP
SLOPE_STEP = 0.2  # ms
TROUGH_WINDOW = 20.0  # ms after the peak: later minima belong to the stimulus, not to the spike


@dataclass(frozen=True, eq=False)
class Spikes:
    """The spikes of one sweep, one entry a spike in every array.

    time            (n,) ms, upward crossing of halfway between onset and peak, interpolated; sample k is at k*dt
    onset_index     (n,) sample where the upstroke first reaches 10 V/s
    onset_voltage   (n,) mV there: the threshold that an experimenter would read
    peak_index      (n,) sample of the peak
    peak_voltage    (n,) mV
    trough_index    (n,) sample of the lowest voltage before the next peak, at most 20 ms after this one
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
        """(n,) mV, halfway between onset and peak: the level whose crossing is the time of the spike."""
        return (self.onset_voltage + self.peak_voltage) / 2


def find_spikes(voltage: ArrayLike, dt: float) -> Spikes:
    """Spikes of one sweep: voltage (T,) in mV, dt in ms.

    A spike is a peak of prominence >= 20 mV (within +-20 ms) that rises >= 20 mV in the 2 ms before it and is as
    steep as 10 V/s, measured over 0.2 ms, on the way. A level (0 or -20 mV) miscounts blocked, tiny or badly bridged
    spikes; a slope alone counts the charging transient of a step and merges doublets. Counts do not change for slopes
    of 8-20 V/s or prominences of 15-25 mV on any recording that the rule was made with.
    """
    from scipy.signal import find_peaks

    v = np.asarray(voltage, dtype=np.float64)
    if v.ndim != 1:
        raise ValueError(f"voltage must be one sweep, (T,), not {v.shape}")
    window = 2 * max(1, round(PROMINENCE_WINDOW / dt)) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a peak without prominence is just what is not meant
        peaks = find_peaks(v, prominence=PROMINENCE, wlen=window)[0] if len(v) > 2 else np.empty(0, np.int64)
    back = max(1, int(np.floor(RISE_WINDOW / dt + 1e-9)))
    # Column c holds sample peak - back + c; clipped at the start of the sweep.
    before = np.maximum(peaks[:, None] + np.arange(-back, 0), 0)
    slope = _slope(v, dt)
    rises = v[peaks] - v[before].min(axis=1, initial=np.inf) >= RISE
    keep = rises & (slope[before] >= SLOPE).any(axis=1)
    peaks, before = peaks[keep], before[keep]

    bounds = np.append(peaks, len(v))
    onset, trough, time = np.empty_like(peaks), np.empty_like(peaks), np.empty(len(peaks))
    reach = max(1, round(TROUGH_WINDOW / dt))
    earliest = 0
    for j, peak in enumerate(peaks):
        # A doublet's second spike: without the trough as bound, its onset would be found on the first one's upstroke.
        start = max(earliest, before[j][0])
        # Back from the steepest sample, not forward from the bound: noise alone reaches 10 V/s over 0.2 ms.
        steepest = start + np.argmax(slope[start:peak])
        gentle = np.flatnonzero(slope[start:steepest] < SLOPE)
        onset[j] = start + gentle[-1] + 1 if len(gentle) else start
        half = (v[onset[j]] + v[peak]) / 2
        below = onset[j] + np.flatnonzero(v[onset[j] : peak] < half)
        k = below[-1] if len(below) else onset[j]
        time[j] = (k + (half - v[k]) / (v[k + 1] - v[k]) if v[k + 1] != v[k] else k) * dt
        trough[j] = peak + np.argmin(v[peak : min(bounds[j + 1], peak + reach + 1)])
        earliest = peak + np.argmin(v[peak : bounds[j + 1]])
    return Spikes(time, onset, v[onset], peaks, v[peaks], trough, v[trough])


def _slope(v: NDArray[np.float64], dt: float) -> NDArray[np.float64]:
    """(V(t + 0.2 ms) - V(t)) / 0.2 ms at every sample, (T,) V/s; interpolated where 0.2 ms is no whole number of
    samples.
    """
    t = np.arange(len(v), dtype=np.float64)
    return (np.interp(t + SLOPE_STEP / dt, t, v) - v) / SLOPE_STEP if len(v) else v
