"""A recording as the fit sees it: sweeps of voltage (mV) and current (nA) on one time step (ms), and where they came
from.

Sample k of a voltage is at time k*dt; current k flows from k*dt to (k+1)*dt.
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
START = 10.0  # ms: without a quiet part, the current before a sweep is taken to be like its first 10 ms
MERGE = 50.0  # ms: shorter returns to the baseline do not end a stimulus
NEGLIGIBLE = 1e-6  # nA
SHORTEST = 10.0  # ms: less says nothing of a cell


@dataclass(frozen=True, eq=False)
class Sweep:
    """One sweep: voltage (T,) mV, current (T,) nA or None, stimulus window (start, stop) ms or None, and name."""

    voltage: Floats
    current: Floats | None
    window: tuple[float, float] | None
    name: str


@dataclass(frozen=True, eq=False)
class Recording:
    """Sweeps on one time step.

    sweeps          in the order of the file; they may differ in length
    dt              ms
    source          path of the file, or "arrays"
    sha256          of the file, None for arrays
    current_origin  which signal the current is, in words; without a current, why there is none
    notes           notices: what was guessed, left out or resampled while reading
    units           what the file's numbers were in, before they became mV and nA
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
        """A recording from memory: voltage (T,), (S, T) or S arrays of their own length, mV; dt in ms.

        current, nA, is shaped like the voltage, or is one (T,) that every sweep received, or None (to view, not to
        fit). Raises UsageError for shapes, lengths or steps that do not make sense, RecordingError for NaN and for no
        samples.
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
        """The same recording on a step of dt ms; itself, if that is its step already.

        To a coarser step the voltage passes a zero-phase low-pass at the new Nyquist frequency; to a finer one it is
        interpolated linearly. The current keeps its charge exactly: each new step carries the mean of the old,
        piecewise constant current over it.
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
        """The same recording with some of its sweeps, by position.

        Raises RecordingError if none is left, UsageError for a sweep that is not there.
        """
        if not indices:
            raise RecordingError(f"No sweep of {self.source} is left after the selection.")
        beyond = [k for k in indices if not 0 <= k < len(self.sweeps)]
        if beyond:
            known = f"its sweeps are 0 to {len(self.sweeps) - 1}" if len(self.sweeps) > 1 else "its only one is sweep 0"
            raise UsageError(f"{self.source} has no sweep {beyond[0]}: {known}, counted in the order of the file.")
        return replace(self, sweeps=tuple(self.sweeps[k] for k in indices))

    def require_fit(self) -> None:
        """Raise RecordingError unless every sweep has a current and some sweep has one other than zero."""
        if not self.sweeps:
            raise RecordingError(f"{self.source} holds no sweeps.")
        advice = "pass the injected current with --current FILE"
        if self.source.lower().endswith(".abf"):  # the only files with channels to choose from
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
    """A sweep with its stimulus window found from the current."""
    return Sweep(voltage, current, None if current is None else stimulus_window(current, dt), name)


def quiet_part(current: Floats, dt: float) -> int:
    """How many samples of a current (T,) nA stay constant from the start of the sweep on, within the noise of its
    recording.

    Constant means: within 5 % of the sweep's range (or eight times the noise of the signal, if that is more) of its
    first millisecond. A stimulus that fluctuates from its first sample on has at most a few ms of it.
    """
    signal, noise = denoise(current, dt)
    level = np.median(current[: _samples(1.0, dt)])
    away = np.flatnonzero(np.abs(signal - level) > max(0.05 * np.ptp(signal), 8 * noise, NEGLIGIBLE))
    return int(away[0]) if len(away) else len(current)


def baseline_current(sweep: Sweep, dt: float) -> float:
    """The current, nA, that flows before a sweep begins: the median of its quiet part, from which its initial state
    follows.

    The quiet part begins with the sweep and lasts 1 ms or more (a later one says nothing about the state at the start);
    a sweep without one gives the median of its first 10 ms, one without a current 0.
    """
    if sweep.current is None:
        return 0.0
    quiet = quiet_part(sweep.current, dt)
    if quiet < _samples(1.0, dt):
        quiet = _samples(START, dt)
    return float(np.median(sweep.current[:quiet]))


def stimulus_window(current: Floats, dt: float) -> tuple[float, float] | None:
    """(start, stop) in ms of the longest departure of a current (T,) nA from its baseline; None if it never departs.

    Departures less than 50 ms apart are one: noise and pulse trains cross their baseline. Of a test pulse and a step,
    the longer one is the stimulus.
    """
    signal, noise = denoise(current, dt)
    away = np.abs(signal - baseline_current(Sweep(current, current, None, ""), dt))
    # The percentile, not the maximum: spikes leave brief artefacts in a recorded current.
    departed = np.flatnonzero(away > max(0.15 * np.percentile(away, 99), 6 * noise, NEGLIGIBLE))
    if not len(departed):
        return None
    breaks = np.flatnonzero(np.diff(departed) > MERGE / dt)
    starts = departed[np.concatenate(([0], breaks + 1))]
    stops = departed[np.concatenate((breaks, [len(departed) - 1]))] + 1
    longest = int(np.argmax(stops - starts))
    start, stop = int(starts[longest]), int(stops[longest])
    # a ramp begins before it has come so far
    calm = away <= max(0.01 * np.percentile(away, 99), 6 * noise, NEGLIGIBLE)
    before, after = np.flatnonzero(calm[:start]), np.flatnonzero(calm[stop:])
    start, stop = int(before[-1]) + 1 if len(before) else 0, stop + int(after[0]) if len(after) else len(current)
    return round(start * dt, 6), round(stop * dt, 6)


def is_noise(recording: Recording) -> bool:
    """Whether the stimulus fluctuates all along (in-vivo-like noise) instead of stepping, ramping or swinging slowly.

    True if, in half of the samples or more, the current is over 4 % of the recording's range away from its own average
    over 20 ms, or over a twentieth of a sweep that is shorter than 400 ms: the edges of one step are no noise.
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
    """One float array a sweep from (T,), (S, T) or a sequence of arrays; finite and not empty."""
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
    return max(1, round(ms / dt))


def denoise(current: Floats, dt: float) -> tuple[Floats, float]:
    """The current through a median filter of 1 ms, which leaves steps where they are, and the noise that is left (nA
    rms).
    """
    from scipy.ndimage import median_filter

    width = 2 * (_samples(1.0, dt) // 2) + 1
    # The median of all differences is recording noise: the few steps of a stimulus do not move it.
    noise = 1.4826 * np.median(np.abs(np.diff(current))) / np.sqrt(2 * width) if len(current) > 1 else 0.0
    return median_filter(current, width, mode="nearest"), float(noise)


def _resample_voltage(v: Floats, old: float, new: float, n: int) -> Floats:
    if new < old:
        return np.interp(np.arange(n) * new, np.arange(len(v)) * old, v)
    from scipy.signal import resample_poly

    ratio = Fraction(old / new).limit_denominator(1000)
    if abs(float(ratio) / (old / new) - 1) * n > 0.1:  # 0.1 samples late at the end of the sweep
        return _resample_slowly(v, old, new, n)
    # The filter's gain at rest is exact for whole ratios only: it should work on deviations from rest.
    rest = np.median(v)
    out = resample_poly(v - rest, ratio.numerator, ratio.denominator, padtype="edge") + rest
    return np.pad(out, (0, max(0, n - len(out))), mode="edge")[:n]


def _resample_slowly(v: Floats, old: float, new: float, n: int) -> Floats:
    """The same for steps in no ratio of small numbers: a symmetric low-pass, then a spline at the exact times."""
    from scipy.interpolate import CubicSpline
    from scipy.signal import fftconvolve, firwin

    half = 10 * int(np.ceil(new / old))
    taps = firwin(2 * half + 1, min(old / new, 0.99), window=("kaiser", 5.0))
    smooth = fftconvolve(np.pad(v, half, mode="edge"), taps, mode="valid")
    return CubicSpline(np.arange(len(v)) * old, smooth)(np.minimum(np.arange(n) * new, (len(v) - 1) * old))


def resample_current(i: Floats, old: float, new: float, n: int) -> Floats:
    """A current (T,) nA of step `old` on n steps of `new` ms, each the mean of what flowed in it: the charge stays."""
    ratio = new / old
    step = round(ratio)
    if step > 1 and abs(ratio - step) < 1e-9 and n * step <= len(i):
        return i[: n * step].reshape(n, step).mean(axis=1)
    edges = np.minimum(np.arange(n + 1) * ratio, len(i))
    charge = np.interp(edges, np.arange(len(i) + 1), np.concatenate(([0.0], np.cumsum(i))))
    # The last step may reach beyond the data: its mean is over what there is.
    return np.diff(charge) / np.diff(edges)
