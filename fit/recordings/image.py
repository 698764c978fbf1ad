"""The image of spikes in a recorded current: found, measured and removed.

The current monitor of some amplifiers follows the cell, so that every spike leaves a transient in the recorded current. A
model that is driven by such a current reads off it when the cell fired, and its score says nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from .spikes import Spikes
from .stimuli import MOST, is_noise, stimuli
from .sweep import Floats, Sweep, samples, stimulus_window

PAST = 2.0  # ms of the current from which its next sample is predicted
TAPS = 40  # number of samples that the prediction uses at most
SEEN = 3.0  # ms after the peak of a spike in which its image is sought
SKIP = 0.2  # ms after the peak in which noise that passes the electrode is not independent of where the peak is
LEAST_SPIKES = 2  # number of spikes that an image must be seen at
SIGNIFICANT = 6.0  # standard errors by which the mean over the spikes must stand out
RELEVANT = 0.01  # share of the span of the current below which an image does not matter
LONGEST = 12.0  # ms after the peak within which an image must have ended
FADED = 0.05  # share of its largest value at which an image counts as ended
PLATEAU = 0.6  # share of a transient that lies within a fifth of its largest value if it is a pulse
EVEN = 0.5  # ms at both ends of an image over which the current around it is averaged
MOST_SPIKES = 5000  # number of spikes that are looked at: of more, one in so many that at most this many are left
FITTED = 30_000  # number of samples from which the prediction is learnt


@dataclass(frozen=True)
class Image:
    """The image of spikes in the current of a recording.

    low, high  nA, the lowest and highest value of the mean over all spikes, relative to the current around them
    start      ms before the peak of a spike at which its image begins
    stop       ms after the peak of a spike at which its image has ended
    scatter    nA rms, the unpredictable part of the current between the spikes
    spikes     number of spikes
    """

    low: float
    high: float
    start: float
    stop: float
    scatter: float
    spikes: int

    def __str__(self) -> str:
        within = f"from {self.start:.1f} ms before to {self.stop:.1f} ms after each peak"
        return f"an image of the {self.spikes} spikes, {self.low:+.2g} to {self.high:+.2g} nA {within}"


def find_image(sweeps: Sequence[Sweep], trains: Sequence[Spikes], dt: float) -> Image | None:
    """The image of spikes (`trains`, one entry per sweep) in the currents of these sweeps, or None if there is none.

    A stimulus may evoke spikes, but what it does after a spike it does independently of the spike. So each sample of the
    current is predicted from those before it, and the error of the prediction is averaged over the time after all spikes.
    If the average stands out from the errors elsewhere, the spikes are seen in the current. Spikes near which the stimulus
    itself has an edge are left out; if the stimulus is no noise, the time from the onset of a spike to its peak counts too.
    """
    pairs = [(s.current, s.voltage, p) for s, p in zip(sweeps, trains, strict=True) if s.current is not None and len(p)]
    if sum(len(p) for _, _, p in pairs) < LEAST_SPIKES:
        return None
    noise = is_noise(sweeps, dt)
    if noise:
        # each about its own mean: the cell fires most where the mean is highest, and a prediction from all is too low there
        pairs = [(i - i.mean(), v, p) for i, v, p in pairs]
    span = _span([s.current for s in sweeps if s.current is not None], dt)
    away = [_away(len(i), p, dt) for i, _, p in pairs]
    prediction = _prediction([i for i, _, _ in pairs], away, noise, dt)
    errors = [prediction.errors(i) for i, _, _ in pairs]
    thin = max(1, sum(map(len, errors)) // MOST)
    outside = np.concatenate([e[::thin][a[::thin]] for e, a in zip(errors, away, strict=True)])
    scatter = _scatter(outside)
    first = samples(SKIP, dt) if noise else -samples(1.0, dt)
    rows, shapes = [], []
    every = _every([p for _, _, p in pairs])
    for (i, v, p), e in zip(pairs, errors, strict=True):
        for onset, peak, following in islice(_spikes(p, len(i)), 0, None, every):
            at = peak + np.arange(first, 2 * samples(SEEN, dt))
            inside = (at >= onset) & (at < following)
            if noise or _is_even(i, e, onset, peak, scatter, dt):
                rows.append(np.where(inside, e[np.clip(at, 0, len(i) - 1)], np.nan))
            around = peak + np.arange(-samples(2.0, dt), samples(SEEN, dt))
            if around[0] >= 0 and around[-1] < following:
                shapes.append(v[around])
    if len(rows) < LEAST_SPIKES or not shapes:
        return None
    repeats = 1
    if noise:  # where a cell fires, noise may be stronger than elsewhere; repeats of one noise hold the same accidents
        around = np.array(rows) - np.nansum(rows, axis=0) / np.maximum(1, np.sum(np.isfinite(rows), axis=0))
        scatter = max(scatter, _scatter(around[np.isfinite(around)]))
        repeats = max(map(len, stimuli(sweeps, dt)))
    seen = _seen(np.array(rows), first, np.median(shapes, axis=0), prediction, scatter * np.sqrt(repeats), noise, dt)
    if seen == 0 or seen < RELEVANT * span:
        return None
    return _measured([(i, p) for i, _, p in pairs], prediction if noise else None, scatter, dt)


def _seen(
    rows: Floats, first: int, shape: Floats, prediction: "_Prediction", scatter: float, noise: bool, dt: float
) -> float:
    """The size, nA, of what the mean error of the prediction shows after spikes; 0 if it does not stand out.

    rows   (spikes, T) nA, the errors from `first` samples after the peak on, NaN where another spike follows
    shape  (T,) mV, the mean spike from 2 ms before its peak on

    It stands out if a single sample does, or if the mean looks like the mean spike or its slope, up to a millisecond later.
    """
    # single accidents are limited, so that they do not make the mean
    limited = np.clip(rows, -6 * scatter, 6 * scatter) if noise else rows
    count = np.sum(np.isfinite(rows), axis=0)
    some = count >= max(LEAST_SPIKES, len(rows) // 4)
    mean = np.zeros(len(some))
    if noise:
        mean[some] = np.nanmean(limited[:, some], axis=0)
        late = some & (np.arange(len(some)) >= samples(SEEN, dt) - first)
        mean -= mean[late].mean() if late.any() else 0.0  # a stimulus that is biased for longer is not an image
    else:
        mean[some] = np.nanmedian(limited[:, some], axis=0)
    error = scatter / np.sqrt(np.maximum(count, 1)) * (1.0 if noise else 1.2533)
    near = some & (np.arange(len(some)) < samples(SEEN, dt) - first)
    if not near.any():
        return 0.0
    size = float(np.abs(mean[near]).max()) if np.abs(mean / error)[near].max() > SIGNIFICANT else 0.0
    times = np.arange(len(shape)) * dt - samples(2.0, dt) * dt
    start = samples(2.0, dt) + first  # the sample of `shape` at which the rows begin
    for form in (np.gradient(shape, dt), shape - shape[: samples(0.5, dt)].mean()):
        for delay in np.arange(0.0, 1.05, max(dt, 0.1)):
            late_form = np.interp(times - delay, times, form, left=0.0)
            template = np.zeros(len(mean))
            shown = prediction.innovations(np.concatenate((np.zeros(_taps(dt)), late_form)))[_taps(dt) + start :]
            template[: len(shown)] = shown[: len(mean)]
            weights = np.where(near, template / error**2, 0.0)
            power = float(weights @ template)
            if power > 0 and abs(float(weights @ mean)) > SIGNIFICANT * np.sqrt(power):
                size = max(size, abs(float(weights @ mean)) / power * float(np.abs(late_form).max()))
    return size


def without_image(sweep: Sweep, spikes: Spikes, image: Image, dt: float) -> Sweep:
    """The sweep with a current from which the image of its spikes is removed; the recorded one is kept as `recorded`.

    The current is held from before to after each image. If it differs there, it goes over in one edge at the time at which
    this fits the recorded current best, or in a straight line if it fluctuates.
    """
    if sweep.current is None or not len(spikes):
        return sweep
    i = sweep.current.copy()
    begin, end = round(image.start / dt), round(image.stop / dt)
    around = samples(EVEN, dt)
    starts, stops = spikes.peak_index - begin, spikes.peak_index + end + 1
    apart = np.flatnonzero(starts[1:] > stops[:-1] + around)  # images that are closer than this are removed as one
    for start, stop in zip(starts[[0, *(apart + 1)]], stops[[*apart, len(stops) - 1]], strict=True):
        start, stop = max(0, start), min(len(i), stop)
        before, after = i[max(0, start - around) : start], i[stop : stop + around]
        if not len(before) and not len(after):
            continue
        left = float(np.median(before if len(before) else after))
        right = float(np.median(after if len(after) else before))
        i[start:stop] = _held(i[start:stop], left, right, image.scatter)
    recorded = sweep.current if sweep.recorded is None else sweep.recorded
    return replace(sweep, current=i, recorded=recorded, window=stimulus_window(i, dt))


def _held(recorded: Floats, left: float, right: float, scatter: float) -> Floats:
    """The current (T,) nA in place of an image, between the levels left and right (nA) of it."""
    n = len(recorded)
    line = left + (right - left) * (np.arange(n) + 0.5) / n
    if abs(right - left) <= 6 * scatter:
        return line
    # the sum of squares of an edge before sample k, for every k
    to_left = np.concatenate(([0.0], np.cumsum((recorded - left) ** 2)))
    to_right = np.concatenate(([0.0], np.cumsum((recorded - right) ** 2)))
    k = int(np.argmin(to_left + to_right[-1] - to_right))
    return np.where(np.arange(n) < k, left, right)


def _span(currents: Sequence[Floats], dt: float) -> float:
    """The span, nA, of the currents, apart from transients that are shorter than a millisecond or rarer than 1 in 100."""
    from scipy.ndimage import median_filter

    every = max(1, sum(map(len, currents)) // MOST)
    smooth = np.concatenate([median_filter(i, 2 * samples(1.0, dt) + 1, mode="nearest")[::every] for i in currents])
    low, high = np.percentile(smooth, [0.5, 99.5])
    return float(high - low)


def _away(n: int, spikes: Spikes, dt: float) -> np.ndarray:
    """(n,) bool: the samples that are far from spikes: not from 1 ms before the onset to LONGEST after the peak."""
    quiet = np.ones(n, dtype=bool)
    for onset, peak in zip(spikes.onset_index, spikes.peak_index, strict=True):
        quiet[max(0, onset - samples(1.0, dt)) : peak + samples(LONGEST, dt)] = False
    return quiet if quiet.mean() > 0.05 else np.ones(n, dtype=bool)


def _taps(dt: float) -> int:
    return int(np.clip(samples(PAST, dt), 2, TAPS))


def _prediction(currents: Sequence[Floats], away: Sequence[np.ndarray], noise: bool, dt: float) -> "_Prediction":
    """What the last samples of a current tell about the next one; unless it is noise, away from spikes and from changes only.

    Noise near spikes counts too, because it evokes them: elsewhere it is weaker than on average.
    """
    taps, rows, targets = _taps(dt), [], []
    each = max(1000, FITTED // len(currents))
    for i, quiet in zip(currents, away, strict=True):
        # of a sample that is far from spikes, so are those before it, as `quiet` begins long after a spike
        at = np.arange(taps, len(i)) if noise else np.flatnonzero(quiet[taps:]) + taps
        at = at[:: max(1, len(at) // each)]
        rows.append(np.lib.stride_tricks.sliding_window_view(i, taps)[at - taps, ::-1])
        targets.append(i[at])
    a, b = np.concatenate(rows), np.concatenate(targets)
    y = b - a[:, 0]
    usual = np.abs(y) <= 8 * _scatter(y)  # without the edges of steps
    if noise:
        x, middle = a[usual] - a[usual].mean(), float(a[usual].mean())
        return _Prediction(_solve(x, b[usual] - middle), middle)
    # changes are predicted from changes, so that a constant current is predicted exactly whatever its level
    slopes = _solve(-np.diff(a[usual], axis=1), y[usual])
    return _Prediction(np.eye(taps)[0] + np.append(slopes, 0.0) - np.insert(slopes, 0, 0.0), 0.0)


def _solve(x: Floats, y: Floats) -> Floats:
    """The coefficients of the regression of y (N,) on x (N, P)."""
    gram = x.T @ x
    ridge = 1e-6 * np.trace(gram) / len(gram) + 1e-18
    return np.linalg.solve(gram + ridge * np.eye(len(gram)), x.T @ y)


@dataclass(frozen=True)
class _Prediction:
    """Predicts a sample of the current from those before it: `coefficients` (P,), latest first, of their distance to `middle`."""

    coefficients: Floats
    middle: float

    def errors(self, i: Floats) -> Floats:
        """The error of the prediction of every sample, (T,) nA; 0 for the first samples, which have too few before them."""
        return self.innovations(i - self.middle)

    def innovations(self, x: Floats) -> Floats:
        """The same of a signal (T,) that is added to the current."""
        from scipy.signal import lfilter

        errors = x - lfilter(np.concatenate(([0.0], self.coefficients)), [1.0], x)
        errors[: len(self.coefficients)] = 0.0
        return errors

    def forward(self, past: Floats, n: int) -> Floats:
        """The n samples that are expected to follow a current (T,) nA."""
        from scipy.signal import lfilter, lfiltic

        ar = np.concatenate(([1.0], -self.coefficients))
        zi = lfiltic([1.0], ar, past[-1 : -len(ar) : -1] - self.middle)
        return self.middle + lfilter([1.0], ar, np.zeros(n), zi=zi)[0]


def _scatter(errors: Floats) -> float:
    """The scatter of errors, nA rms: from their median size, or from their middle 98 % if more than half are the same."""
    from_median = 1.4826 * float(np.median(np.abs(errors)))
    low, high = np.percentile(errors, [1, 99])
    middle = errors[(errors >= low) & (errors <= high)]
    return max(from_median, float(np.sqrt(np.mean(middle**2))), 1e-7)


def _spikes(spikes: Spikes, n: int) -> Iterator[tuple[int, int, int]]:
    """The sample of the onset of each spike, of its peak, and of the next onset or the end of the sweep of n samples."""
    following = [*spikes.onset_index[1:], n]
    for onset, peak, after in zip(spikes.onset_index, spikes.peak_index, following, strict=True):
        yield int(onset), int(peak), int(after)


def _every(trains: Sequence[Spikes]) -> int:
    """1, or more if not every spike is looked at because there are so many."""
    return max(1, -(-sum(map(len, trains)) // MOST_SPIKES))


def _is_even(i: Floats, errors: Floats, onset: int, peak: int, scatter: float, dt: float) -> bool:
    """Whether the stimulus itself has no edge around a spike, as one that evokes a spike or ends with it has.

    The current must not jump in the milliseconds before the onset, what it does at the spike must be over soon after, and it
    must not have been a pulse, which stays at its height and ends.
    """
    near, wide = samples(0.3, dt), samples(1.5, dt)
    before = slice(max(0, onset - wide), max(1, onset - near))
    after = slice(peak + samples(SEEN, dt), peak + samples(SEEN, dt) + wide)
    if np.any(np.abs(errors[max(0, onset - 2 * wide) : before.stop]) > 8 * scatter):
        return False
    level, then = float(np.median(i[before])), i[after]
    moved = np.abs(i[before.stop : after.start] - level)
    transient = float(np.max(moved))
    during = moved[moved > 0.15 * transient]
    if len(during) >= 5 and np.mean(during > 0.8 * transient) > PLATEAU:
        return False
    return not len(then) or abs(float(np.median(then)) - level) <= max(0.5 * transient, 6 * scatter)


def _measured(
    pairs: Sequence[tuple[Floats, Spikes]], prediction: "_Prediction | None", scatter: float, dt: float
) -> Image | None:
    """The image that was found: its size and extent, from the median over the spikes of the current less what was expected.

    That is what the prediction says of noise, and else the level before the spike.
    """
    begin, end = samples(2.0, dt), samples(LONGEST, dt)
    rows = []
    every = _every([p for _, p in pairs])
    for i, p in pairs:
        for onset, peak, following in islice(_spikes(p, len(i)), 0, None, every):
            row = np.full(begin + end, np.nan)
            at = peak + np.arange(-begin, end)
            inside = (at >= 0) & (at < following)
            first = max(onset - samples(0.3, dt), 0)
            if first <= _taps(dt):
                continue
            expected = prediction.forward(i[:first], peak + end - first) if prediction else None
            level = float(np.median(i[max(0, first - samples(1.0, dt)) : first]))
            shown = inside & (at >= first)
            row[shown] = i[at[shown]] - (level if expected is None else expected[at[shown] - first])
            rows.append(row)
    table = np.array(rows)
    count = np.sum(np.isfinite(table), axis=0)
    some = np.flatnonzero(count >= LEAST_SPIKES)
    if not len(some):
        return None
    mean = np.zeros(begin + end)
    mean[some] = np.nanmedian(table[:, some], axis=0)
    spread = np.zeros(begin + end)
    spread[some] = 1.4826 * np.nanmedian(np.abs(table[:, some] - mean[some]), axis=0) / np.sqrt(count[some])
    largest = float(np.abs(mean).max())
    seen = np.flatnonzero(np.abs(mean) > np.maximum(FADED * largest, 4 * spread))
    if prediction is not None or not len(seen):
        # what noise does before a spike is its reason: an image in noise is taken to last as long as it is sought
        rise = samples(float(np.median([np.median(p.peak_index - p.onset_index) for _, p in pairs])) * dt, dt)
        seen = begin + np.arange(-rise, samples(SEEN, dt))
        mean[: begin + 1] = 0.0
    top = int(np.argmax(np.abs(mean)))
    near = seen if prediction is not None else seen[np.abs(seen - top) <= samples(6.0, dt)]
    margin = samples(0.2, dt)
    start, stop = (begin - int(near[0]) + margin) * dt, (int(near[-1]) - begin + margin) * dt
    spikes = sum(len(p) for _, p in pairs)
    return Image(float(mean[near].min()), float(mean[near].max()), start, max(stop, dt), scatter, spikes)
