"""The times of the series in an NWB file: sample steps, sweeps in one long series, and the current on its response's time.

A series has a starting time and a rate, or a timestamp for each sample, both on the clock of the session. A stimulus may
begin before or after its response, be longer or shorter, and have another rate: the two are laid together by their times.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.errors import FileError

from .nwb_file import load
from .nwb_series import Pair, Series, Stretch, uneven_steps
from .resampling import resample_current
from .sweep import NEGLIGIBLE, Floats, samples

LEVEL = 0.01  # share of the largest current: a smaller difference between two levels counts as none
EDGE = 1.0  # ms at an end of a stimulus whose median is the level there

Values = Callable[[Stretch], Floats]  # the function that reads the samples of a stretch


@dataclass(frozen=True)
class Span:
    """When a stretch of samples was recorded: `count` samples from `begins` s on, every `step` ms."""

    begins: float
    count: int
    step: float

    @property
    def ends(self) -> float:
        """The time, s, at which the step of the last sample ends."""
        return self.begins + self.count * self.step / 1e3

    def misses(self, other: "Span") -> bool:
        """Whether no sample of one lies within the other."""
        half = min(self.step, other.step) / 2e3
        return self.ends <= other.begins + half or other.ends <= self.begins + half


@dataclass
class Laid:
    """What was done to lay the stimuli over their responses, collected over the sweeps, by their names.

    lags     ms by which a stimulus begins after its response
    covers   ms of the response that a stimulus covers, and from where on; the current is 0 outside
    as_long  sweeps whose stimulus is as long as the response, but of another time
    brought  sweeps whose stimulus had another sample step, by (old, new) step in ms
    """

    lags: list[tuple[str, float]] = field(default_factory=list)
    covers: list[tuple[str, float, float]] = field(default_factory=list)
    as_long: list[str] = field(default_factory=list)
    brought: dict[tuple[float, float], list[str]] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """The notices."""
        said = [
            f"the stimulus of {listed_sweeps(names)} brought from steps of {old:g} to {new:g} ms"
            for (old, new), names in self.brought.items()
        ]
        early, late = [row for row in self.lags if row[1] < 0], [row for row in self.lags if row[1] > 0]
        for rows, when in ((early, "before"), (late, "after")):
            if rows:
                names, ms = listed_sweeps([name for name, _ in rows]), _range([abs(ms) for _, ms in rows])
                said.append(
                    f"the stimulus of {names} begins {ms} ms {when} its response: the two are laid together by time"
                )
        if self.covers:
            names = listed_sweeps([name for name, *_ in self.covers])
            ms, begin = _range([ms for _, ms, _ in self.covers]), _range([begin for *_, begin in self.covers])
            said.append(
                f"the stimulus of {names} covers {ms} ms of its response, from {begin} ms on: taken as 0 outside"
            )
        if self.as_long:
            names = listed_sweeps(self.as_long)
            said.append(
                f"the stimulus of {names} is as long as its response but begins at another time: check both times"
            )
        return said


def _range(values: list[float]) -> str:
    low, high = f"{min(values):g}", f"{max(values):g}"
    return low if low == high else f"{low} to {high}"


def listed(names: Sequence[str]) -> str:
    """The names in a list, shortened if they are many."""
    return ", ".join(names if len(names) <= 6 else [*names[:5], "…", names[-1]])


def listed_sweeps(names: Sequence[str]) -> str:
    """The names of sweeps in a list."""
    return f"{'sweep' if len(names) == 1 else 'sweeps'} {listed(names)}"


def span(path: Path, stretch: Stretch) -> Span:
    """When a stretch was recorded. Raises FileError if its time is not even, or the file does not say it."""
    series, start, stop = stretch.series, stretch.start, stretch.stop
    rate, stamps = series.rate, series.timestamps
    if rate is not None:
        step = 1e3 / rate if rate > 0 else np.nan
        begins = series.begins + start / rate if rate > 0 else 0.0
    elif stamps is not None and stop - start > 1:
        t = stamps[start:stop]
        uneven = uneven_steps(t)
        if len(uneven):
            k, typical = int(uneven[0]), float(np.median(np.diff(t))) * 1e3
            ms = t * 1e3
            jump = f"{ms[k]:g} to {ms[k + 1]:g} ms after sample {start + k}, where its step is {typical:g}"
            if stretch.count is None:
                raise FileError(f"{path}: the time of {series.name} goes from {jump}; time steps must be even.")
            raise FileError(
                f"{path}: a sweep in its tables, samples {start} to {stop - 1} of {series.name}, reaches over a gap:"
                f" its time goes from {jump}; the time steps of a sweep must be even."
            )
        begins, step = float(t[0]), _even_step(t)
    else:
        raise FileError(f"{path}: {series.name} has neither a sampling rate nor timestamps.")
    if not 1e-4 < step < 10:
        raise FileError(f"{path}: {series.name} has a time step of {step:g} ms, which no recording of a cell has.")
    return Span(begins, stop - start, float(f"{step:.9g}"))


def _even_step(t: Floats) -> float:
    """The sample step, ms, of even times (T,) s.

    Seconds of a late hour have few digits behind the point: where the step is that of a whole rate but for these digits, it
    is taken as such, so that all sweeps of a file have the same step.
    """
    step = float(t[-1] * 1e3 - t[0] * 1e3) / (len(t) - 1)
    digits = 2e3 * float(np.spacing(np.max(np.abs(t)))) / (len(t) - 1)
    whole = 1e3 / round(1e3 / step) if 1e-4 < step < 1e3 else step
    return whole if abs(step - whole) <= digits else step


def cut(pair: Pair, intervals: Floats | None) -> tuple[list[Pair], str]:
    """(the sweeps in a pair of whole series, a notice): one pair if the series hold one sweep.

    A response whose timestamps have pauses between runs of one length is cut at the pauses; otherwise, a series that covers
    several `intervals` (N, 2) s, the table of sweeps of the file, is cut into these.
    """
    response, stimulus = pair.response, pair.stimulus
    rows = response.series.between_pauses
    why = f"{response.series.name} has {len(rows) - 1} pauses in its timestamps"
    if len(rows) < 2 and intervals is not None:
        rows = _in_intervals(response.series, intervals)
        why = f"the file has a table of {len(rows)} sweeps"
    if len(rows) < 2:
        return [pair], ""
    parts = [Stretch(response.series, start, count) for start, count in rows]
    stimuli: list[Stretch | None] = [stimulus] * len(parts)  # of which `lay` takes the samples at the time of the sweep
    if stimulus is not None:
        theirs = stimulus.series.between_pauses
        if len(theirs) < 2 and stimulus.series.size == response.series.size:
            theirs = rows  # as long as the response: its samples are those of the response
        if len(theirs) == len(rows):
            stimuli = [Stretch(stimulus.series, start, count) for start, count in theirs]
    pairs = [replace(pair, response=r, stimulus=s) for r, s in zip(parts, stimuli, strict=True)]
    return pairs, f"{why}: cut into {len(rows)} sweeps"


def _in_intervals(series: Series, intervals: Floats) -> list[tuple[int, int]]:
    """(start, count) of the samples of a series in each of the intervals (N, 2) s, those without samples left out."""
    if series.timestamps is not None:
        half = float(np.median(np.diff(series.timestamps))) / 2 if series.size > 1 else 0.0
        first = np.searchsorted(series.timestamps, intervals[:, 0] - half)
        last = np.searchsorted(series.timestamps, intervals[:, 1] + half)
    elif series.rate:
        first = np.ceil((intervals[:, 0] - series.begins) * series.rate - 0.5).astype(int)
        last = np.floor((intervals[:, 1] - series.begins) * series.rate + 0.5).astype(int) + 1
    else:
        return []
    first, last = np.clip(first, 0, series.size), np.clip(last, 0, series.size)
    last[:-1] = np.minimum(last[:-1], np.maximum(first[1:], first[:-1]))  # an interval may end where the next begins
    return [(int(a), int(b - a)) for a, b in zip(first, last, strict=True) if b - a > 1]


def intervals_of(file: Any) -> Floats | None:
    """(begin, end) s of each sweep in the table of sweeps, (N, 2) in the order of time, or None if there is no such table."""
    table = file.get("intervals/sweeps")
    if table is None or not {"start_time", "stop_time"} <= set(table):
        return None
    rows = np.stack([np.asarray(load(table[name]), dtype=np.float64) for name in ("start_time", "stop_time")], axis=1)
    return np.unique(rows, axis=0)


def pair_by_time(path: Path, pairs: list[Pair], stimuli: list[Series]) -> list[Pair]:
    """The pairs; one without a stimulus is given the stimulus that was there at its time, if it is the only one of its
    electrode.
    """
    times = [(s, extent(path, Stretch(s))) for s in stimuli if s.size > 1]
    found = []
    for pair in pairs:
        response = pair.response
        if pair.stimulus is None and times and response.stop - response.start > 1:
            there = span(path, response)
            own = [row for row in times if row[0].electrode == response.series.electrode] or times
            least = min(there.count * there.step, *(e.count * e.step for _, e in own)) / 2e3
            during = [s for s, e in own if min(e.ends, there.ends) - max(e.begins, there.begins) > least]
            if len(during) == 1:
                pair = replace(pair, stimulus=Stretch(during[0]), how="paired by time")
        found.append(pair)
    return found


def share_a_clock(pairs: Sequence[tuple[Stretch, Span, Stretch, Span]]) -> bool:
    """Whether the times of responses and stimuli, given as (response, its span, stimulus, its span), are of one clock.

    They are not where most of the stimuli that do not begin with their response do not overlap it at all; where different
    stimuli begin at one time although their responses do not, or the other way round, with stimuli that do not overlap their
    responses; or where both are rows of one long series without pauses that
    differ in length, so that the stimuli move away from their responses from row to row.
    """
    lags = np.array([s.begins - r.begins for _, r, _, s in pairs])
    moved = np.array([abs(lag) > s.step / 2e3 for lag, (_, _, _, s) in zip(lags, pairs, strict=True)])
    apart = np.array([r.misses(s) for _, r, _, s in pairs])
    if not np.any(moved):
        return True
    begins = {(stimulus.series, stimulus.start): (s.begins, r.begins) for _, r, stimulus, s in pairs}
    theirs, ours = (len({round(b[k], 5) for b in begins.values()}) for k in (0, 1))
    together = (theirs == 1 < ours) or (ours == 1 < theirs and bool(np.any(apart)))
    adrift = np.ptp(lags) > pairs[0][1].step / 1e3 and all(
        stretches[0].series.rate is not None
        and all(a.series is b.series and a.stop == b.start for a, b in itertools.pairwise(stretches))
        for stretches in ([r for r, *_ in pairs], [s for _, _, s, _ in pairs])
    )
    return not (2 * np.sum(apart & moved) >= np.sum(moved) or together or adrift)


def lay(
    path: Path, name: str, response: Span, stimulus: Stretch, begins: float | None, values: Values, laid: Laid
) -> Floats:
    """The current (T,) nA of a stimulus on the samples of its response: NaN where it is not known.

    name     of the sweep, for the notices
    begins   the time, s, at which the stimulus begins; None: that of the file
    values   a function that reads a stretch
    laid     where notices are collected
    """
    n, dt = response.count, response.step
    out = np.full(n, np.nan)
    covered = np.zeros(n, dtype=bool)
    parts = [(part, span(path, part)) for part in _parts(stimulus)]
    shift = 0.0 if begins is None else begins - parts[0][1].begins
    for part, time in parts:
        there = replace(time, begins=time.begins + shift)
        if there.misses(response):
            continue
        if abs(there.step / dt - 1) * max(n, 1e4) > 0.5:  # half a sample at the end of the sweep
            at, i = _on_step(part, there, response, values)
            laid.brought.setdefault((there.step, dt), []).append(name)
        else:
            at = round((there.begins - response.begins) * 1e3 / dt)
            first, last = max(0, -at), min(there.count, n - at)
            i = values(Stretch(part.series, part.start + first, last - first))
            at = max(at, 0)
        out[at : at + len(i)] = i
        covered[at : at + len(i)] = True
    known = np.flatnonzero(covered)
    lag = (parts[0][1].begins + shift - response.begins) * 1e3
    if len(known) and abs(lag) > dt / 2 and len(parts) == 1 and abs(parts[0][1].count * parts[0][1].step / dt - n) < 1:
        laid.as_long.append(name)
    if len(known) and len(known) < n and _fill(out, covered, *_levels(parts, values), samples(EDGE, dt)):
        laid.covers.append((name, len(known) * dt, known[0] * dt))
    elif len(known) and abs(lag) > dt / 2:
        laid.lags.append((name, lag))
    return out


def extent(path: Path, stimulus: Stretch) -> Span:
    """The time from the first to the last sample of a stimulus, its pauses included."""
    parts = [span(path, part) for part in _parts(stimulus)]
    first = parts[0]
    return replace(first, count=round((parts[-1].ends - first.begins) * 1e3 / first.step))


def _levels(parts: Sequence[tuple[Stretch, Span]], values: Values) -> tuple[float, float]:
    """The current, nA, at the beginning and at the end of a stimulus that consists of these parts."""
    (head, time), (tail, _) = parts[0], parts[-1]
    edge = samples(EDGE, time.step)
    first = Stretch(head.series, head.start, min(edge, head.stop - head.start))
    last = Stretch(tail.series, max(tail.start, tail.stop - edge), min(edge, tail.stop - tail.start))
    return float(np.median(values(first))), float(np.median(values(last)))


def _fill(i: Floats, covered: Any, head: float, tail: float, edge: int) -> bool:
    """Set a current (T,) nA to 0 where its stimulus does not cover it and is 0 at its ends; whether anything was set.

    head, tail  the current at the beginning and at the end of the stimulus

    A stimulus that is a pulse and nothing else counts as 0 outside of it too: one of constant current, or one that begins and
    ends within the response, on different levels. Otherwise, the current outside is not known: it may be a holding current.
    """
    known = np.flatnonzero(covered)
    first, last = int(known[0]), int(known[-1]) + 1
    level = max(LEVEL * float(np.nanmax(np.abs(i[covered]), initial=0.0)), NEGLIGIBLE)
    inner = first > 0 and last < len(i)
    pulse = np.ptp(i[covered]) <= 2 * level or (inner and abs(head - tail) > level)
    filled = False
    if first and (abs(head) <= level or pulse):
        i[:first], filled = 0.0, True
    if last < len(i) and (abs(tail) <= level or (inner and pulse)):
        i[last:], filled = 0.0, True
    steps = np.flatnonzero(np.diff(known) > 1)
    for a, b in zip(known[steps] + 1, known[steps + 1], strict=True):  # the pauses of the stimulus
        if max(abs(np.median(i[max(0, a - edge) : a])), abs(np.median(i[b : b + edge]))) <= level:
            i[a:b], filled = 0.0, True
    return filled


def _parts(stimulus: Stretch) -> list[Stretch]:
    """The stretch, or its parts if it is a whole series with pauses."""
    rows = stimulus.series.between_pauses if stimulus.count is None and not stimulus.start else []
    return [Stretch(stimulus.series, start, count) for start, count in rows] or [stimulus]


def _on_step(part: Stretch, there: Span, response: Span, values: Values) -> tuple[int, Floats]:
    """(position in the response, current (T,) nA) of the part of a stimulus over its response, with the response's step."""
    old, new = there.step, response.step
    lag = (response.begins - there.begins) * 1e3  # ms from the start of the stimulus to that of the response
    first = max(0, int(np.floor(lag / old + 1e-6)))
    last = min(there.count, int(np.ceil((lag + response.count * new) / old - 1e-6)) + 1)
    i = values(Stretch(part.series, part.start + first, last - first))
    begin = first * old - lag  # ms after the response's start, at which these samples begin
    at = max(0, int(np.ceil(begin / new - 1e-6)))
    n = min(response.count, int((begin + len(i) * old) / new + 1e-6)) - at
    return at, resample_current(i, old, new, max(n, 0), at * new - begin)
