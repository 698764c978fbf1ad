"""How far a model is from a recording: every number of the ranking as a pure function over arrays.

Units: mV, ms. Spike trains are sorted arrays of times in ms. Lower is better for all but gamma, precision and recall.
A number that is not defined for its data is None, never NaN.
"""

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

TAU = 10.0  # ms, of spike_timing_error, and of timing for noise stimuli and repeats
DELTA = 2.0  # ms, coincidence window of gamma
PREDICTABLE = 0.3  # reliability: below it the cell does not repeat itself, and no model can predict its spikes
TOO_FAST = 0.8  # expected spikes of the data in +-DELTA: beyond it every train coincides with every other
DIVERGED = -1e4  # mV, in place of a model voltage that is no number: below, as v_clip hides what is above
WEIGHTS = (1.0, 1.0, 1.0)  # of voltage, timing and count in combined_score


def spike_mask(spike_times: Floats, n: int, dt: float) -> tuple[Mask, float]:
    """(n,) bool, True from 1 ms before to min(5, 0.4 x interval to the next spike) ms after each spike; and its
    share, 0..1.

    Around the data's spikes only: around the model's, every extra spike would erase error.
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


def v_clip(voltages: Sequence[Floats], masks: Sequence[Mask]) -> float:
    """mV: the 99.5th percentile of the data's voltages outside their masks, pooled over sweeps; of all if nothing is
    outside.
    """
    outside = np.concatenate([v[~mask] for v, mask in zip(voltages, masks, strict=True)])
    return float(np.percentile(outside if len(outside) else np.concatenate(list(voltages)), 99.5))


def rmse(v_data: Floats, v_model: Floats) -> float:
    """mV: root mean square of the difference of two voltages (T,), spikes and all."""
    return float(np.sqrt(np.mean(np.square(v_data - v_model))))


def masked_rmse(v_data: Floats, v_model: Floats, mask: Mask, clip: float) -> float | None:
    """mV: the same outside the mask, both voltages limited above at `clip`; None if the mask covers all.

    Without the limit the model's own spikes, which no mask covers, swamp the number, and a neuron's repeat scores worse
    than a flat line.
    """
    outside = ~mask
    if not outside.any():
        return None
    return rmse(np.minimum(v_data[outside], clip), np.minimum(v_model[outside], clip))


def flat_rmse(voltages: Sequence[Floats], masks: Sequence[Mask], clip: float) -> float:
    """mV: masked_rmse of the best constant for all of these (training) sweeps together; at least 1 mV."""
    outside = np.concatenate([v[~mask] for v, mask in zip(voltages, masks, strict=True)])
    return max(1.0, float(np.std(np.minimum(outside, clip)))) if len(outside) else 1.0


@numba.njit(cache=True)
def _victor_purpura(a: Floats, b: Floats, q: float) -> float:
    """victor_purpura for callers inside numba: contiguous or sliced float64 arrays, one row of len(b) + 1 as scratch.

    len(a) + len(b) minus the heaviest monotone matching, where a pair weighs what it saves, 2 - q|dt|. Only pairs
    closer than 2/q save anything, so that each row of the dynamic programme is a short band. The result is exact.
    """
    n, m = len(a), len(b)
    if q <= 0.0:
        return float(abs(n - m))
    best = np.empty(m + 1)  # best[j]: heaviest matching of the spikes of a so far with the first j of b
    best[0] = 0.0
    reach = 2.0 / q
    low = 0
    known = 0  # beyond it no spike of b has been in reach yet: best[known] stands for all of them
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
    """The Victor-Purpura distance of two spike trains, (n,) and (m,) ms: the cheapest way from one to the other.

    A spike added or removed costs 1, a spike moved costs q (1/ms) per ms.
    Source: Victor and Purpura 1996, J. Neurophysiol. 76:1310, D^spike[q].
    """
    return float(_victor_purpura(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64), float(q)))


def spike_timing_error(a: Floats, b: Floats, tau: float = TAU) -> float:
    """ms: tau D / (n + m) with q = 2/tau. The mean shift where every spike has its partner, tau where none has; 0 for
    no spikes.
    """
    return tau * timing(a, b, tau)


def timing(a: Floats, b: Floats, tau: float) -> float:
    """0..1: D / (n + m) with q = 2/tau; 0 for two empty trains, 1 where no spike is within tau ms of the other
    train's.
    """
    spikes = len(a) + len(b)
    return victor_purpura(a, b, 2.0 / tau) / spikes if spikes else 0.0


def timing_tau(data_times: Floats, noise: bool) -> float:
    """ms: the window that `timing` gives the spikes of one sweep.

    A quarter of the data's median interval, limited to 2..50 (50 with fewer than two spikes): chance then scores
    about .76 at any rate, where a fixed window gives it .96 at 5 Hz and .20 at 166 Hz. 10 for noise stimuli and
    repeats.
    """
    if noise:
        return TAU
    if len(data_times) < 2:
        return 50.0
    return float(np.clip(np.median(np.diff(data_times)) / 4, 2.0, 50.0))


def count_error(spikes_data: int, spikes_model: int) -> float:
    """0..1: spikes too many or too few, as a share of the data's."""
    return min(1.0, abs(spikes_model - spikes_data) / max(1, spikes_data))


@numba.njit(cache=True)
def _one_to_one(a: Floats, b: Floats, delta: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """one_to_one for callers inside numba."""
    first = np.empty(min(len(a), len(b)), dtype=np.int64)
    second = np.empty_like(first)
    found = i = j = 0
    while i < len(a) and j < len(b):
        # The earliest two that fit can always be paired without losing another pair.
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
    """Indices (k,), (k,) of a largest set of pairs within +-delta ms, no spike in two pairs, in order of time."""
    return _one_to_one(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64), float(delta))


def gamma(a: Floats, b: Floats, delta: float, duration: float) -> float | None:
    """The coincidence factor of model spikes b with data spikes a over `duration` ms: 1 is perfect, 0 is chance.

    (N - 2 n_a n_b delta/T) / ((n_a + n_b)/2 (1 - 2 n_a delta/T)), with N one-to-one coincidences, so that no spike
    counts twice, and with the model's own count in the chance term, so that firing more is not rewarded. 1 for two
    empty trains; None ("too fast") where 2 delta n_a/T >= 0.8. Source: after Kistler, Gerstner and van Hemmen 1997,
    Neural Comput. 9:1015; Jolivet et al. 2008, J. Neurosci. Methods 169:417.
    """
    if not len(a) and not len(b):
        return 1.0
    chance = 2 * delta * len(a) / duration
    if chance >= TOO_FAST:
        return None
    coincidences = len(one_to_one(a, b, delta)[0])
    return float((coincidences - chance * len(b)) / (0.5 * (len(a) + len(b)) * (1 - chance)))


def partners(a: Floats, b: Floats, delta: float = DELTA) -> dict[str, float | None]:
    """precision (share of model spikes b with a partner in a), recall (the reverse), median_shift (ms, model minus
    data).
    """
    i, j = one_to_one(a, b, delta)
    return {
        "precision": len(j) / len(b) if len(b) else None,
        "recall": len(i) / len(a) if len(a) else None,
        "median_shift": float(np.median(np.asarray(b)[j] - np.asarray(a)[i])) if len(i) else None,
    }


def combined_score(
    masked: float | None, flat: float, timing: float, count: float, weights: Sequence[float] = WEIGHTS
) -> float:
    """The ranking's number: weighted mean of masked/flat, timing and count; 0 is perfect. Without a voltage (None),
    of the rest.
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
) -> dict[str, Any]:
    """The scores of one sweep: voltages (T,) mV, spike times ms; see score_sweeps."""
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
) -> dict[str, Any]:
    """The scores of some sweeps (the S of result.json): one entry a sweep in each sequence.

    clip   v_clip of the training sweeps, mV
    flat   flat_rmse of the training sweeps, mV
    noise  whether the stimulus is noise (a fixed timing window) or not (one that follows the rate)

    Numbers are means over sweeps, but spike counts are sums and the two rmse are of all samples together. `gamma` is
    the mean of those sweeps that have one. `reliability` is None: it belongs to the data's repeats and is filled in
    by who has them.
    """
    squares, samples, outside_squares, outside_samples = 0.0, 0, 0.0, 0
    errors, timings, counts, gammas, combined = [], [], [], [], []
    for v, a, raw, b in zip(v_data, spikes_data, v_model, spikes_model, strict=True):
        # A diverged float64 model must score badly, and in numbers that JSON has.
        w = np.nan_to_num(raw, nan=DIVERGED, posinf=DIVERGED, neginf=DIVERGED)
        mask, _ = spike_mask(a, len(v), dt)
        masked = masked_rmse(v, w, mask, clip)
        squares += rmse(v, w) ** 2 * len(v)
        samples += len(v)
        if masked is not None:
            outside = len(v) - int(mask.sum())
            outside_squares += masked**2 * outside
            outside_samples += outside
        errors.append(spike_timing_error(a, b))
        timings.append(timing(a, b, timing_tau(a, noise)))
        counts.append(count_error(len(a), len(b)))
        gammas.append(gamma(a, b, DELTA, len(v) * dt))
        combined.append(combined_score(masked, flat, timings[-1], counts[-1], weights))
    valid = [g for g in gammas if g is not None]
    return {
        "rmse": float(np.sqrt(squares / samples)),
        "masked_rmse": float(np.sqrt(outside_squares / outside_samples)) if outside_samples else None,
        "flat_rmse": float(flat),
        "spike_timing_error": float(np.mean(errors)),
        "timing": float(np.mean(timings)),
        "count": float(np.mean(counts)),
        "gamma": float(np.mean(valid)) if valid else None,
        "reliability": None,
        "combined_score": float(np.mean(combined)),
        "spikes_data": sum(len(a) for a in spikes_data),
        "spikes_model": sum(len(b) for b in spikes_model),
    }
