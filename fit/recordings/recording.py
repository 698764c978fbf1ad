"""The class `Recording`: sweeps of voltage (mV) and injected current (nA) with one sample step dt (ms), and their origin.

Sample k of the voltage is the voltage at time k*dt. Sample k of the current flows from k*dt to (k+1)*dt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikefab.errors import RecordingError, UsageError

if TYPE_CHECKING:
    from .spikes import Spikes

Floats = NDArray[np.float64]
# Beginning of a sweep, ms, whose median is the baseline current if the current changes from the start of the sweep on.
START = 10.0
MERGE = 50.0  # ms: a return to the baseline that is shorter than this does not end the stimulus
NEGLIGIBLE = 1e-6  # nA: smaller deviations from the baseline count as zero
SHORTEST = 10.0  # duration, ms, of the shortest recording that can be fitted


@dataclass(frozen=True, eq=False)
class Sweep:
    """One sweep of a recording.

    voltage  (T,) mV
    current  (T,) nA, or None if it is not known
    window   (start, stop) ms of the stimulus, or None if there is none
    name     by which the user knows the sweep
    """

    voltage: Floats
    current: Floats | None
    window: tuple[float, float] | None
    name: str


@dataclass(frozen=True, eq=False)
class Recording:
    """Sweeps with one sample step.

    sweeps          in the order of the file; they may differ in length
    dt              sample step, ms
    source          path of the file, or "arrays"
    sha256          hash of the file, None for arrays
    current_origin  in words, which signal of the file is the current; without a current, why there is none
    notes           notices to the user: what was guessed, left out or resampled while reading
    units           units of the numbers in the file, before they were converted to mV and nA
    """

    sweeps: tuple[Sweep, ...]
    dt: float
    source: str = "arrays"
    sha256: str | None = None
    current_origin: str = "as given"
    notes: tuple[str, ...] = ()
    units: str = "mV, nA"

    @classmethod
    def from_arrays(cls, voltage: ArrayLike, current: ArrayLike | None, dt: float) -> "Recording":
        """A recording from arrays in memory.

        voltage  mV: one sweep (T,), several sweeps (S, T), or a sequence of S arrays that differ in length
        current  nA: of the same shape as the voltage; or one array (T,) that every sweep received; or None, for a recording
                 that can be viewed but not fitted
        dt       sample step, ms

        Raises UsageError if shapes, lengths or dt make no sense, and RecordingError if there are NaNs or no samples.
        """
        if not np.isfinite(dt) or dt <= 0:
            raise UsageError(f"The time step dt must be a positive number of ms, not {dt}.")
        voltages = _sweep_arrays(voltage, "voltage")
        currents: list[Floats | None] = [None] * len(voltages)
        if current is not None:
            given = _sweep_arrays(current, "current")
            if len(given) == 1:
                given *= len(voltages)
            if len(given) != len(voltages):
                raise UsageError(f"There are {len(voltages)} sweeps of voltage but {len(given)} of current.")
            currents = list(given)
        longest = max(map(len, voltages))
        if longest < len(voltages) and longest * dt < SHORTEST:
            raise UsageError(
                f"There are {len(voltages)} sweeps of {longest} samples: the shape is (sweeps, T), so transpose the arrays."
            )
        sweeps = []
        for k, (v, i) in enumerate(zip(voltages, currents, strict=True)):
            if i is not None and len(i) != len(v):
                raise UsageError(f"Sweep {k} has {len(v)} samples of voltage but {len(i)} of current.")
            sweeps.append(make_sweep(v, i, float(dt), str(k)))
        origin = "as given" if current is not None else "none was given"
        return cls(tuple(sweeps), float(dt), current_origin=origin)

    def resample(self, dt: float) -> "Recording":
        """The recording resampled to a sample step of dt ms; if dt is its sample step already, the recording itself.

        For a coarser step, the voltage is filtered by a zero-phase low-pass at the new Nyquist frequency; for a finer one,
        it is interpolated linearly. The total charge of the current stays exactly the same: each new sample is the mean of
        the old current, which is constant over each old step.
        """
        if not np.isfinite(dt) or dt <= 0:
            raise UsageError(f"The time step dt must be a positive number of ms, not {dt}.")
        if np.isclose(dt, self.dt, rtol=1e-9, atol=0):
            return self
        sweeps = []
        for sweep in self.sweeps:
            n = int(np.floor((len(sweep.voltage) - 1) * self.dt / dt + 1e-6)) + 1
            v = _resample_voltage(sweep.voltage, self.dt, dt, n)
            i = None if sweep.current is None else resample_current(sweep.current, self.dt, dt, n)
            sweeps.append(replace(sweep, voltage=v, current=i))
        note = f"resampled from {self.dt:g} to {dt:g} ms"
        return replace(self, sweeps=tuple(sweeps), dt=float(dt), notes=(*self.notes, note))

    def select(self, indices: Sequence[int]) -> "Recording":
        """The recording with only the sweeps at these positions, counted from 0.

        Raises RecordingError if there are no indices, UsageError if there is no sweep at one of them.
        """
        if not indices:
            raise RecordingError(f"No sweep of {self.source} is left after the selection.")
        beyond = [k for k in indices if not 0 <= k < len(self.sweeps)]
        if beyond:
            known = f"its sweeps are 0 to {len(self.sweeps) - 1}" if len(self.sweeps) > 1 else "its only one is sweep 0"
            raise UsageError(f"{self.source} has no sweep {beyond[0]}: {known}, counted in the order of the file.")
        return replace(self, sweeps=tuple(self.sweeps[k] for k in indices))

    def require_fit(self) -> None:
        """Raise RecordingError if the recording cannot be fitted: a current is missing, all are zero, or it is too short."""
        if not self.sweeps:
            raise RecordingError(f"{self.source} holds no sweeps.")
        advice = "pass the injected current with --current FILE"
        if self.source.lower().endswith(".abf"):  # only for abf files can a channel be chosen
            advice += " or --current-channel N"
        if any(sweep.current is None for sweep in self.sweeps):
            raise RecordingError(
                f"{self.source} cannot be fitted without its current ({self.current_origin}): {advice}."
            )
        if not any(np.any(sweep.current) for sweep in self.sweeps):
            raise RecordingError(f"{self.source} cannot be fitted, as its current is zero throughout: {advice}.")
        longest = max(len(sweep.voltage) for sweep in self.sweeps) * self.dt
        if longest < SHORTEST:
            raise RecordingError(f"{self.source} lasts {longest:g} ms: a fit needs {SHORTEST:g} ms or more.")

    def warnings(self, trains: "Sequence[Spikes] | None" = None) -> tuple[str, ...]:
        """What is doubtful about the recording though it can be fitted: one sentence each.

        trains  the spikes of each sweep, where they are known already
        """
        from .quality import doubts

        return doubts(self, trains)


def make_sweep(voltage: Floats, current: Floats | None, dt: float, name: str) -> Sweep:
    """A sweep whose stimulus window is found in its current."""
    return Sweep(voltage, current, None if current is None else stimulus_window(current, dt), name)


def quiet_part(current: Floats, dt: float) -> int:
    """The number of samples at the start of a sweep in which its current (T,) nA stays constant.

    The current counts as constant while it differs from the median of its first millisecond by less than 5 % of its range,
    or less than eight times the recording noise if that is more. For a stimulus that fluctuates from its first sample on,
    this is a few ms at most.
    """
    signal, noise = denoise(current, dt)
    level = np.median(current[: _samples(1.0, dt)])
    away = np.flatnonzero(np.abs(signal - level) > max(0.05 * np.ptp(signal), 8 * noise, NEGLIGIBLE))
    return int(away[0]) if len(away) else len(current)


def baseline_current(sweep: Sweep, dt: float) -> float:
    """The current, nA, that probably flowed before the sweep began; it determines the state of a model at the start.

    It is the median of the part at the start of the sweep in which the current is constant, if this part lasts at least
    1 ms; otherwise the median of the first 10 ms. It is 0 for a sweep whose current is not known.
    """
    if sweep.current is None:
        return 0.0
    quiet = quiet_part(sweep.current, dt)
    if quiet < _samples(1.0, dt):
        quiet = _samples(START, dt)
    return float(np.median(sweep.current[:quiet]))


def stimulus_window(current: Floats, dt: float) -> tuple[float, float] | None:
    """(start, stop) in ms of the stimulus: the longest stretch in which a current (T,) nA is away from its baseline.

    None if the current never leaves the baseline. Stretches less than 50 ms apart count as one, because noise and pulse
    trains cross the baseline again and again. If a sweep has a short test pulse and a step, the stimulus is the step.
    """
    signal, noise = denoise(current, dt)
    away = np.abs(signal - baseline_current(Sweep(current, current, None, ""), dt))
    # The 99th percentile, not the maximum, because spikes leave brief artefacts in a recorded current.
    departed = np.flatnonzero(away > max(0.15 * np.percentile(away, 99), 6 * noise, NEGLIGIBLE))
    if not len(departed):
        return None
    breaks = np.flatnonzero(np.diff(departed) > MERGE / dt)
    starts = departed[np.concatenate(([0], breaks + 1))]
    stops = departed[np.concatenate((breaks, [len(departed) - 1]))] + 1
    longest = int(np.argmax(stops - starts))
    start, stop = int(starts[longest]), int(stops[longest])
    # a ramp begins before it has reached the threshold above: go back and forward to the baseline
    calm = away <= max(0.01 * np.percentile(away, 99), 6 * noise, NEGLIGIBLE)
    before, after = np.flatnonzero(calm[:start]), np.flatnonzero(calm[stop:])
    start, stop = int(before[-1]) + 1 if len(before) else 0, stop + int(after[0]) if len(after) else len(current)
    return round(start * dt, 6), round(stop * dt, 6)


def is_noise(recording: Recording) -> bool:
    """Whether the stimulus fluctuates all the time (noise as in vivo), and is not steps, ramps or slow oscillations.

    True if in at least half of the samples the current differs from its running average by more than 4 % of the range of
    the recording's current. The average is over 20 ms, or over 1/20 of a sweep shorter than 400 ms, so that the edges of a
    single step do not count as noise.
    """
    currents = [sweep.current for sweep in recording.sweeps if sweep.current is not None]
    if not currents:
        return False
    from scipy.ndimage import uniform_filter1d

    away = []
    for i in currents:
        width = min(_samples(20.0, recording.dt), max(1, len(i) // 20))
        away.append(np.abs(i - uniform_filter1d(i, width, mode="nearest")))
    low, high = np.percentile(np.concatenate(currents), [1, 99])
    return bool(high > low and np.median(np.concatenate(away)) > 0.04 * (high - low))


def _sweep_arrays(values: ArrayLike, what: str) -> list[Floats]:
    """One float array per sweep from (T,), (S, T) or a sequence of arrays. Raises an error if one is empty or not finite."""
    try:
        rows = [values] if np.ndim(values[0]) == 0 else list(values)  # type: ignore[index, arg-type]
        arrays = [np.array(row, dtype=np.float64) for row in rows]
    except IndexError:
        raise RecordingError(f"The {what} is empty.") from None
    except (TypeError, ValueError):
        raise UsageError(f"The {what} must be numbers in an array of shape (T,) or (sweeps, T).") from None
    for k, array in enumerate(arrays):
        if array.ndim != 1:
            raise UsageError(f"The {what} must be an array of shape (T,) or (sweeps, T), not {np.shape(values)}.")
        if not len(array):
            raise RecordingError(f"The {what} is empty.")
        bad = np.flatnonzero(~np.isfinite(array))
        if len(bad):
            where = f"sample {bad[0]}" + (f" of sweep {k}" if len(arrays) > 1 else "")
            raise RecordingError(f"The {what} is not a number at {where}: cut or repair it first.")
    return arrays


def _samples(ms: float, dt: float) -> int:
    """The number of samples in a time, at least 1."""
    return max(1, round(ms / dt))


def denoise(current: Floats, dt: float) -> tuple[Floats, float]:
    """The current (T,) nA after a median filter over 1 ms, and the noise that is left in it (nA rms).

    A median filter does not blur the edges of steps.
    """
    from scipy.ndimage import median_filter

    width = 2 * (_samples(1.0, dt) // 2) + 1
    # The median of the differences between samples measures the noise alone: the few edges of a stimulus do not change it.
    noise = 1.4826 * np.median(np.abs(np.diff(current))) / np.sqrt(2 * width) if len(current) > 1 else 0.0
    return median_filter(current, width, mode="nearest"), float(noise)


def _resample_voltage(v: Floats, old: float, new: float, n: int) -> Floats:
    """n samples at steps of `new` ms of a voltage (T,) with steps of `old` ms."""
    if new < old:
        return np.interp(np.arange(n) * new, np.arange(len(v)) * old, v)
    from scipy.signal import resample_poly

    ratio = Fraction(old / new).limit_denominator(1000)
    if abs(float(ratio) / (old / new) - 1) * n > 0.1:  # more than 0.1 samples off at the end of the sweep
        return _resample_slowly(v, old, new, n)
    # The filter's gain for a constant is exact only for whole ratios: the resting voltage is taken off and added again.
    rest = np.median(v)
    out = resample_poly(v - rest, ratio.numerator, ratio.denominator, padtype="edge") + rest
    return np.pad(out, (0, max(0, n - len(out))), mode="edge")[:n]


def _resample_slowly(v: Floats, old: float, new: float, n: int) -> Floats:
    """`_resample_voltage` for a ratio that is no fraction of small numbers: a symmetric low-pass, then a cubic spline."""
    from scipy.interpolate import CubicSpline
    from scipy.signal import fftconvolve, firwin

    half = 10 * int(np.ceil(new / old))
    taps = firwin(2 * half + 1, min(old / new, 0.99), window=("kaiser", 5.0))
    smooth = fftconvolve(np.pad(v, half, mode="edge"), taps, mode="valid")
    return CubicSpline(np.arange(len(v)) * old, smooth)(np.minimum(np.arange(n) * new, (len(v) - 1) * old))


def resample_current(i: Floats, old: float, new: float, n: int) -> Floats:
    """n samples at steps of `new` ms of a current (T,) nA with steps of `old` ms.

    Each is the mean of the current that flowed during its step, so that the total charge stays the same.
    """
    ratio = new / old
    step = round(ratio)
    if step > 1 and abs(ratio - step) < 1e-9 and n * step <= len(i):
        return i[: n * step].reshape(n, step).mean(axis=1)
    edges = np.minimum(np.arange(n + 1) * ratio, len(i))
    charge = np.interp(edges, np.arange(len(i) + 1), np.concatenate(([0.0], np.cumsum(i))))
    # The last step may end after the data: its mean is over the part that has data.
    return np.diff(charge) / np.diff(edges)
