"""How well the recording predicts itself: from neighbouring amplitudes for steps, from repeats where a stimulus has them.

What these predictions do not reach, no model can be expected to reach: they are the ceiling of a ranking.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spikefab.fit.features.observed import Observed

from .pattern import Step
from .scores import timing, timing_tau

Floats = NDArray[np.float64]
# Sweeps (by index) of which each prediction of a sweep is the mean: two neighbours, or one repeat.
Sources = Mapping[int, Sequence[tuple[int, ...]]]

CHANCE = 0.76  # `timing` of spikes at random times, about, at any rate: its window is a quarter of the median interval
SURE = (
    0.5  # share of the `timing` of chance up to which a prediction lets spike times count wholly; beyond, less and less
)
DRAWS = 20  # number of random spike trains for each sweep from which chance is estimated
FEWEST = 3  # least number of predicted sweeps that spike, below which nothing is concluded from them
SAME_WINDOW = 0.02  # steps belong together if their starts and stops differ by no more than this share of their length


def steps(observed: Sequence[Observed]) -> list[Step | None]:
    """The current step of each sweep; None if its stimulus is something else, such as a ramp, or a pulse below 10 ms."""
    return [None if o.step is None or o.pulse or o.sweep.window is None else Step(*o.window, o.step) for o in observed]


def repeated(groups: Iterable[Sequence[int]]) -> Sources:
    """For each sweep of a stimulus that was repeated, the other repeats. `groups`: indices of sweeps, by stimulus."""
    return {k: [(other,) for other in group if other != k] for group in groups if len(group) > 1 for k in group}


def neighbours(groups: Iterable[Sequence[int]], given: Sequence[Step | None]) -> Sources:
    """For each sweep with a step, pairs of a sweep with the next smaller and one with the next larger amplitude.

    groups  indices of sweeps, by stimulus
    given   the step of each sweep

    Only steps of about the same start and stop are neighbours. The smallest and the largest amplitude have none.
    """
    families: list[list[tuple[Step, Sequence[int]]]] = []
    for group in groups:
        step = given[group[0]]
        if step is None:
            continue
        family = next((f for f in families if _alike(f[0][0], step)), None)
        if family is None:
            families.append(family := [])
        family.append((step, group))
    found: dict[int, list[tuple[int, ...]]] = {}
    for family in families:
        family.sort(key=lambda entry: entry[0].amplitude)
        for (_, below), (_, group), (_, above) in zip(family, family[1:], family[2:], strict=False):
            found |= {k: [(i, j) for i in below for j in above] for k in group}
    return found


def _alike(a: Step, b: Step) -> bool:
    return max(abs(a.start - b.start), abs(a.stop - b.stop)) <= SAME_WINDOW * max(a.length, b.length)


def predicted(trains: Sequence[Floats]) -> Floats:
    """The predicted spike times, ms: the k-th spike is the mean of the k-th spikes of the trains, as far as all have one."""
    most = min(map(len, trains))
    return np.mean([t[:most] for t in trains], axis=0)


def interpolated(trains: Sequence[Floats], start: float = 0.0) -> Floats:
    """The spike times, ms, at which the mean of the trains' numbers of spikes so far reaches 1, 2, 3 ...

    These numbers grow in straight lines: from `start` (ms, the onset of the step) to the first spike, from spike to spike,
    and after the last one by one more interval. Where amplitudes are far apart, this is a much better prediction of a
    cell that fires like clockwork than the mean of the k-th spikes, because rates are nearly linear in the current, and
    times are not. As many spikes are predicted as the trains have in the mean, rounded down. Each train needs a spike.
    """
    known = []
    for times in trains:
        step = times[-1] - (times[-2] if len(times) > 1 else min(start, times[0]))
        known.append(np.concatenate([[min(start, times[0])], times, [times[-1] + step]]))
    at = np.unique(np.concatenate(known))
    so_far = np.mean([np.interp(at, x, np.arange(len(x))) for x in known], axis=0)
    return np.interp(np.arange(1, sum(map(len, trains)) // len(trains) + 1), so_far, at)


def oracle_timing(
    sources: Sources, spikes: Sequence[Floats], noise: bool = False, starts: Sequence[float] | None = None
) -> tuple[float, int] | None:
    """`timing` of the predictions, as a mean over the sweeps for which they are made, and the number of these sweeps.

    Predictions are `predicted`; with the onset of the step of each sweep in `starts` (ms), they are `interpolated`.

    These are the sweeps that spike, and whose sources all spike: of steps, those strictly between the smallest and the
    largest amplitude that evoke spikes. Each sweep is the mean over its predictions. None with fewer than FEWEST sweeps.
    """
    found = []
    for k, choices in sources.items():
        trains = [[spikes[j] for j in c] for c in choices if all(len(spikes[j]) for j in c)] if len(spikes[k]) else []
        guesses = [predicted(each) if starts is None else interpolated(each, starts[k]) for each in trains]
        if guesses:
            found.append(float(np.mean([timing(spikes[k], g, timing_tau(spikes[k], noise)) for g in guesses])))
    return (float(np.mean(found)), len(found)) if len(found) >= FEWEST else None


def chance_timing(spikes: Sequence[Floats], spans: Sequence[tuple[float, float]], noise: bool = False) -> float:
    """The mean `timing` of as many spikes at random times within a span (ms) of each sweep, over the sweeps that spike.

    Where the window of `timing` follows the rate, it is CHANCE at most, and less for a cell that fires so fast that the
    window is at its least, 2 ms. For noise, whose window is fixed, it depends on the rate. CHANCE if there are no spikes.
    """
    rng, found = np.random.default_rng(0), []
    for times, (start, stop) in zip(spikes, spans, strict=True):
        tau = timing_tau(times, noise)
        drawn = [np.sort(rng.uniform(start, stop, len(times))) for _ in range(DRAWS if len(times) else 0)]
        if drawn:
            found.append(float(np.mean([timing(times, t, tau) for t in drawn])))
    if not found:
        return CHANCE
    return float(np.mean(found)) if noise else min(CHANCE, float(np.mean(found)))


def timing_weight(*readings: float | None, chance: float = CHANCE) -> float:
    """The weight, 0..1, of single spikes in the timing term, from the `timing` of several predictions: the least counts.

    1 up to half of the `timing` of chance; from there, it falls linearly to 0 at chance. It is 1 too if there is no reading.
    The rest of the timing term is the `pattern` error.
    """
    known = [r for r in readings if r is not None]
    if not known:
        return 1.0
    return float(np.clip((chance - min(known)) / (chance - SURE * chance), 0.0, 1.0))
