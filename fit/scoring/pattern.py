"""What a cell determines even where it does not determine single spikes: latency, rate profile, adaptation, f-I slope.

Each error is 0..1, and 0 for the cell's own spikes. Spike trains are sorted arrays of times in ms; `pattern` is their mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SMOOTH = 0.25  # width of the sliding window of the rate profile, as a share of the length of the stimulus
ENOUGH = 3  # least number of spikes, that is two intervals, from which adaptation is known


@dataclass(frozen=True)
class Step:
    """A current step: it lasts from `start` to `stop` (ms in the sweep), `amplitude` nA above the baseline."""

    start: float
    stop: float
    amplitude: float

    @property
    def length(self) -> float:
        """Length of the step, ms."""
        return self.stop - self.start


def latency_error(data: Floats, model: Floats, start: float, tau: float) -> float:
    """Error of the latency of the first spike after `start` (ms), relative to the longer of the two latencies.

    Latencies below tau (ms, the window of `timing`) count as tau. It is 1 if only one of the trains has a spike.
    """
    a, b = data[data >= start], model[model >= start]
    if not len(a) or not len(b):
        return float(len(a) != len(b))
    return float(abs(b[0] - a[0]) / max(a[0] - start, b[0] - start, tau))


def profile_error(data: Floats, model: Floats, width: float) -> float:
    """Error of the instantaneous rate: the area between both rates, divided by the sum of the areas below them.

    The rate is the number of spikes in a sliding window of `width` ms. A spike that is shifted by s ms costs s/width, at
    most 1; a model that fires twice as often has an error of about a third. 0 for two empty trains. The area is exact.
    """
    if not len(data) + len(model):
        return 0.0
    # the number in the window rises by one at each spike and falls by one `width` later
    at = np.concatenate([data, data + width, model, model + width])
    change = np.repeat([1.0, -1.0, -1.0, 1.0], [len(data), len(data), len(model), len(model)])
    order = np.argsort(at, kind="stable")
    between = np.abs(np.cumsum(change[order])[:-1])
    return float(min(1.0, between @ np.diff(at[order]) / (width * (len(data) + len(model)))))


def adaptation(times: Floats) -> float | None:
    """How much the intervals grow: (late - early) / (late + early), of the mean intervals of both halves of the train.

    0 without adaptation, near 1 for a burst that slows down. The middle one of an odd number of intervals belongs to both
    halves. None with fewer than three spikes.
    """
    if len(times) < ENOUGH:
        return None
    intervals = np.diff(times)
    half = (len(intervals) + 1) // 2
    early, late = float(np.mean(intervals[:half])), float(np.mean(intervals[-half:]))
    return (late - early) / (late + early) if late + early else 0.0


def adaptation_error(data: Floats, model: Floats) -> float | None:
    """The difference of the `adaptation` of two trains, at most 1; 1 if the model's is not known; None if the data's is not."""
    wanted, found = adaptation(data), adaptation(model)
    if wanted is None:
        return None
    return 1.0 if found is None else min(1.0, abs(found - wanted))


def slope(amplitudes: Floats, rates: Floats) -> float:
    """The slope of the straight line (least squares) through rates (n,) over step amplitudes (n,), not all equal."""
    x = amplitudes - amplitudes.mean()
    return float(x @ rates / (x @ x))


def slope_error(steps: Sequence[Step], data: Sequence[float], model: Sequence[float]) -> float | None:
    """Error of the slope of the f-I curve over some sweeps with numbers of spikes `data` and `model`, at most 1.

    It is the difference of the two slopes, divided by the larger of them, or by one spike over the range of the
    amplitudes if that is more. None unless there are two different amplitudes.
    """
    amplitudes, lengths = np.array([s.amplitude for s in steps]), np.array([s.length for s in steps])
    if not len(steps) or np.ptp(amplitudes) <= 1e-6:
        return None
    wanted, found = (slope(amplitudes, np.asarray(counts) / lengths) for counts in (data, model))
    least = 1 / (float(np.mean(lengths)) * float(np.ptp(amplitudes)))
    return float(min(1.0, abs(found - wanted) / max(abs(wanted), abs(found), least)))


def pattern(
    steps: Sequence[Step | None],
    data: Sequence[Floats],
    model: Sequence[Floats],
    taus: Sequence[float],
    counts: Sequence[float] | None = None,
) -> list[float | None]:
    """The error of the firing pattern in each sweep: the mean of its latency, profile, adaptation and slope errors.

    steps   the step of each sweep; None, if the stimulus is another: its pattern is None too
    data    spike times (n,) ms of the recording in each sweep
    model   spike times of the model
    taus    windows of `timing`, ms
    counts  numbers of spikes of the model where they are not those of `model`

    The slope of the f-I curve is one for all these sweeps. An error that is not defined is left out of the mean.
    """
    fired = [float(len(b)) for b in model] if counts is None else counts
    known = [k for k, s in enumerate(steps) if s is not None]
    slopes = slope_error(
        [s for s in steps if s is not None], [float(len(data[k])) for k in known], [fired[k] for k in known]
    )
    found: list[float | None] = []
    for s, a, b, tau in zip(steps, data, model, taus, strict=True):
        if s is None:
            found.append(None)
            continue
        errors = [
            latency_error(a, b, s.start, tau),
            profile_error(a, b, SMOOTH * s.length),
            adaptation_error(a, b),
            slopes,
        ]
        found.append(float(np.mean([e for e in errors if e is not None])))
    return found
