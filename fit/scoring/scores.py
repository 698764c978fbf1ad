"""How much a model differs from a recording: every number of the ranking, as a pure function of arrays.

Units are mV and ms. Spike trains are sorted arrays of times in ms. Lower is better, except for gamma, precision and recall.
A number that is not defined for the given data is None, never NaN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from spikefab.fit.recordings.spikes import spike_mask

from .rules import WEIGHTS

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

TAU = 10.0  # time window, ms, of `spike_timing_error`; `timing` uses it too for noise stimuli and repeats
DELTA = 2.0  # coincidence window of `gamma`, ms: two spikes not further apart than this coincide
# Reliability of the recorded cell below which it does not repeat its spikes, so that no model can predict them.
PREDICTABLE = 0.3
# Mean number of the data's spikes within +-DELTA above which `gamma` is None: any two trains would coincide by chance.
TOO_FAST = 0.8
# Voltage, mV, in place of a model voltage that is not a finite number. It is negative, as `v_clip` would cut off a high one.
DIVERGED = -1e4


@dataclass(frozen=True)
class Scores:
    """The scores of a model on some sweeps of a recording. `docs/result.md` explains each (as S of result.json).

    rmse, masked_rmse, flat_rmse and repeat_rmse are in mV, spike_timing_error is in ms; spikes_data and spikes_model are
    numbers of spikes; the others have no unit. reliability, gamma_over_R and repeat_rmse compare with repeats of a stimulus.
    combined_score is the weighted mean of voltage, timing_term and count. The timing term is `timing_weight` x timing, and
    the rest of it pattern. None means that a score is not defined for these sweeps.
    """

    rmse: float
    masked_rmse: float | None
    flat_rmse: float
    spike_timing_error: float
    timing: float
    count: float
    gamma: float | None
    reliability: float | None
    combined_score: float
    spikes_data: int
    spikes_model: int
    gamma_over_R: float | None = None
    repeat_rmse: float | None = None
    voltage: float | None = None
    pattern: float | None = None
    timing_weight: float = 1.0
    timing_term: float = -1.0  # it becomes `timing` if it is not given

    def __post_init__(self) -> None:
        if self.timing_term < 0:
            object.__setattr__(self, "timing_term", self.timing)

    def to_dict(self) -> dict[str, Any]:
        """name -> score, in the order of the fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Scores":
        """Scores from what `to_dict` returns. Raises KeyError if one is missing that has no default."""
        return cls(**{f.name: content[f.name] for f in fields(cls) if f.name in content or f.default is MISSING})


def v_clip(voltages: Sequence[Floats], masks: Sequence[Mask]) -> float:
    """The voltage, mV, at which `masked_rmse` cuts off both traces.

    It is the 99.5th percentile of the data's voltage outside the masks, over all sweeps together (of all samples if the
    masks cover everything).
    """
    outside = np.concatenate([v[~mask] for v, mask in zip(voltages, masks, strict=True)])
    return float(np.percentile(outside if len(outside) else np.concatenate(list(voltages)), 99.5))


def rmse(v_data: Floats, v_model: Floats) -> float:
    """Root mean square, mV, of the difference of two voltages (T,), spikes included."""
    return float(np.sqrt(np.mean(np.square(v_data - v_model))))


def masked_rmse(v_data: Floats, v_model: Floats, mask: Mask, clip: float) -> float | None:
    """Root mean square, mV, of the difference of two voltages (T,) outside the mask, both cut off above `clip` mV.

    None if the mask covers everything. The mask does not cover the model's own spikes. If they were not cut off, they would
    dominate the number, and even a second recording of the same cell would score worse than a flat line.
    """
    outside = ~mask
    if not outside.any():
        return None
    return rmse(np.minimum(v_data[outside], clip), np.minimum(v_model[outside], clip))


def flat_rmse(voltages: Sequence[Floats], masks: Sequence[Mask], clip: float) -> float:
    """The `masked_rmse`, mV, of the best constant voltage for all of these (training) sweeps together; at least 1 mV."""
    outside = np.concatenate([v[~mask] for v, mask in zip(voltages, masks, strict=True)])
    return max(1.0, float(np.std(np.minimum(outside, clip)))) if len(outside) else 1.0


@numba.njit(cache=True)
def _victor_purpura(a: Floats, b: Floats, q: float) -> float:
    """`victor_purpura` for callers that numba compiles; a and b are float64 arrays, which may be slices.

    The distance is len(a) + len(b) minus the weight of the heaviest matching that keeps the order of the spikes; a matched
    pair weighs what it saves, 2 - q times the difference in time. Only pairs closer than 2/q save anything: each row of the
    dynamic programme is a short band. The result is exact. The work space is one row of len(b) + 1 numbers.
    """
    n, m = len(a), len(b)
    if q <= 0.0:
        return float(abs(n - m))
    best = np.empty(m + 1)  # best[j]: weight of the heaviest matching of the spikes of a so far with the first j of b
    best[0] = 0.0
    reach = 2.0 / q
    low = 0
    known = 0  # last valid index of `best`; later spikes of b were not yet in reach, so that best[known] holds for them
    for i in range(n):
        while low < m and b[low] <= a[i] - reach:
            low += 1
        while known < low:
            best[known + 1] = best[known]
            known += 1
        diagonal = best[low]
        j = low
        while j < m and b[j] < a[i] + reach:
            if known == j:
                best[j + 1] = diagonal
                known = j + 1
            above = best[j + 1]
            best[j + 1] = max(above, best[j], diagonal + 2.0 - q * abs(a[i] - b[j]))
            diagonal = above
            j += 1
    return n + m - best[known]


def victor_purpura(a: Floats, b: Floats, q: float) -> float:
    """The Victor-Purpura distance of two spike trains, (n,) and (m,) ms: the least cost of turning one into the other.

    To add or remove a spike costs 1; to move a spike costs q (1/ms) per ms.
    Source: Victor and Purpura 1996, J. Neurophysiol. 76:1310, D^spike[q].
    """
    return float(_victor_purpura(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64), float(q)))


def spike_timing_error(a: Floats, b: Floats, tau: float = TAU) -> float:
    """Error of spike times, ms: tau D / (n + m), where D is the Victor-Purpura distance for q = 2/tau.

    If every spike has a partner in the other train, it is the mean shift; if none has, it is tau; without spikes, 0.
    """
    return tau * timing(a, b, tau)


def timing(a: Floats, b: Floats, tau: float) -> float:
    """Error of spike times, 0..1: D / (n + m), where D is the Victor-Purpura distance for q = 2/tau.

    It is 1 if no spike is within tau ms of a spike of the other train, and 0 for two empty trains.
    """
    spikes = len(a) + len(b)
    return victor_purpura(a, b, 2.0 / tau) / spikes if spikes else 0.0


def timing_tau(data_times: Floats, noise: bool) -> float:
    """The window tau, ms, that `timing` uses for one sweep.

    For steps and the like, it is a quarter of the data's median interspike interval, limited to 2..50 ms (50 ms with fewer
    than two spikes). A random spike train then scores about 0.76 at any firing rate; with a fixed window, it would score
    0.96 at 5 Hz and 0.20 at 166 Hz. For noise stimuli and repeats, the window is 10 ms.
    """
    if noise:
        return TAU
    if len(data_times) < 2:
        return 50.0
    return float(np.clip(np.median(np.diff(data_times)) / 4, 2.0, 50.0))


def count_error(spikes_data: int, spikes_model: float) -> float:
    """Error of the spike count, 0..1: the number of spikes too many or too few, divided by the number in the data."""
    return min(1.0, abs(spikes_model - spikes_data) / max(1, spikes_data))


@numba.njit(cache=True)
def _one_to_one(a: Floats, b: Floats, delta: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`one_to_one` for callers that numba compiles."""
    first = np.empty(min(len(a), len(b)), dtype=np.int64)
    second = np.empty_like(first)
    found = i = j = 0
    while i < len(a) and j < len(b):
        # The first two spikes that coincide can always be paired: no set of pairs without this pair is larger.
        if abs(a[i] - b[j]) <= delta + 1e-9:
            first[found], second[found] = i, j
            found += 1
            i += 1
            j += 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return first[:found], second[:found]


def one_to_one(a: Floats, b: Floats, delta: float = DELTA) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair spikes of a and b that are at most delta ms apart, as many pairs as possible, no spike in two pairs.

    Returns the indices (k,) into a and (k,) into b, in order of time.
    """
    return _one_to_one(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64), float(delta))


def gamma(a: Floats, b: Floats, delta: float, duration: float) -> float | None:
    """The coincidence factor of model spikes b with data spikes a over `duration` ms: 1 is perfect, 0 is chance.

    (N - 2 n_a n_b delta/T) / ((n_a + n_b)/2 (1 - 2 n_a delta/T)), where N is the number of pairs of `one_to_one`, so that
    no spike counts twice. The chance term has the model's own number of spikes, so that a model gains nothing by firing
    more. The factor is 1 for two empty trains, and None ("too fast") if 2 delta n_a/T >= 0.8. Source: after Kistler,
    Gerstner and van Hemmen 1997, Neural Comput. 9:1015; Jolivet et al. 2008, J. Neurosci. Methods 169:417.
    """
    if not len(a) and not len(b):
        return 1.0
    chance = 2 * delta * len(a) / duration
    if chance >= TOO_FAST:
        return None
    coincidences = len(one_to_one(a, b, delta)[0])
    return float((coincidences - chance * len(b)) / (0.5 * (len(a) + len(b)) * (1 - chance)))


def partners(a: Floats, b: Floats, delta: float = DELTA) -> dict[str, float | None]:
    """How many spikes of model (b) and data (a) have a partner in the other train, within delta ms.

    precision: share of the model's spikes that have a partner; recall: share of the data's spikes that have one;
    median_shift: ms, median over the pairs of the model's time minus the data's. Each is None if it is not defined.
    """
    i, j = one_to_one(a, b, delta)
    return {
        "precision": len(j) / len(b) if len(b) else None,
        "recall": len(i) / len(a) if len(a) else None,
        "median_shift": float(np.median(np.asarray(b)[j] - np.asarray(a)[i])) if len(i) else None,
    }


def timing_term(timing: float, pattern: float | None, weight: float) -> float:
    """The part of the combined score for the spike train: weight x timing + (1 - weight) x pattern; timing alone without one.

    The weight is 1 where the recorded cell determines its spike times, and exactly `timing` is then returned.
    """
    return timing if pattern is None or weight == 1.0 else weight * timing + (1.0 - weight) * pattern


def combined_score(
    masked: float | None, flat: float, timing: float, count: float, weights: Sequence[float] = WEIGHTS
) -> float:
    """The number by which models are ranked: the weighted mean of masked/flat, timing (its term) and count; 0 is perfect.

    If there is no voltage to compare (`masked` is None), it is the weighted mean of timing and count.
    """
    terms = [(weights[1], timing), (weights[2], count)]
    if masked is not None:
        terms.append((weights[0], masked / flat))
    total = sum(weight for weight, _ in terms)
    return sum(weight * term for weight, term in terms) / total if total else 0.0


def score_sweep(
    v_data: Floats,
    spikes_data: Floats,
    v_model: Floats,
    spikes_model: Floats,
    dt: float,
    clip: float,
    flat: float,
    noise: bool,
    weights: Sequence[float] = WEIGHTS,
) -> Scores:
    """The scores of one sweep, from voltages (T,) mV and spike times (n,) ms; see `score_sweeps`."""
    return score_sweeps([v_data], [spikes_data], [v_model], [spikes_model], dt, clip, flat, noise, weights)


def score_sweeps(
    v_data: Sequence[Floats],
    spikes_data: Sequence[Floats],
    v_model: Sequence[Floats],
    spikes_model: Sequence[Floats],
    dt: float,
    clip: float,
    flat: float,
    noise: bool,
    weights: Sequence[float] = WEIGHTS,
    patterns: Sequence[float | None] | None = None,
    timing_weight: float = 1.0,
) -> Scores:
    """The scores of some sweeps. Each sequence has one entry per sweep: voltages (T,) mV, spike times (n,) ms.

    dt       sample step, ms
    clip     v_clip of the training sweeps, mV
    flat     flat_rmse of the training sweeps, mV
    noise    whether the stimulus is noise: the timing window is then fixed; otherwise, it depends on the firing rate
    weights  of voltage, timing and spike count in the combined score
    patterns       error of the firing pattern of each sweep, see `pattern`; None where it is not defined
    timing_weight  weight of `timing` in the timing term; the rest is the pattern, where it is defined

    Scores are means over the sweeps; spike counts are sums, and rmse and masked_rmse are of all samples together. gamma is
    the mean over the sweeps for which it is defined. reliability is None; `Task.score` adds it.
    """
    squares, samples, outside_squares, outside_samples = 0.0, 0, 0.0, 0
    errors, timings, counts, gammas, combined, volts, terms = [], [], [], [], [], [], []
    patterns = [None] * len(v_data) if patterns is None else patterns
    for v, a, raw, b, pattern in zip(v_data, spikes_data, v_model, spikes_model, patterns, strict=True):
        # a float64 model whose voltage became infinite or NaN must score badly, but with finite numbers, for JSON
        w = np.nan_to_num(raw, nan=DIVERGED, posinf=DIVERGED, neginf=DIVERGED)
        mask, _ = spike_mask(a, len(v), dt)
        masked = masked_rmse(v, w, mask, clip)
        squares += rmse(v, w) ** 2 * len(v)
        samples += len(v)
        if masked is not None:
            outside = len(v) - int(mask.sum())
            outside_squares += masked**2 * outside
            outside_samples += outside
            volts.append(masked / flat)
        errors.append(spike_timing_error(a, b))
        timings.append(timing(a, b, timing_tau(a, noise)))
        counts.append(count_error(len(a), len(b)))
        gammas.append(gamma(a, b, DELTA, len(v) * dt))
        terms.append(timing_term(timings[-1], pattern, timing_weight))
        combined.append(combined_score(masked, flat, terms[-1], counts[-1], weights))
    shown = [p for p in patterns if p is not None]
    valid = [g for g in gammas if g is not None]
    return Scores(
        rmse=float(np.sqrt(squares / samples)),
        masked_rmse=float(np.sqrt(outside_squares / outside_samples)) if outside_samples else None,
        flat_rmse=float(flat),
        spike_timing_error=float(np.mean(errors)),
        timing=float(np.mean(timings)),
        count=float(np.mean(counts)),
        gamma=float(np.mean(valid)) if valid else None,
        reliability=None,
        combined_score=float(np.mean(combined)),
        spikes_data=sum(len(a) for a in spikes_data),
        spikes_model=sum(len(b) for b in spikes_model),
        voltage=float(np.mean(volts)) if volts else None,
        pattern=float(np.mean(shown)) if shown else None,
        timing_weight=timing_weight,
        timing_term=float(np.mean(terms)),
    )
