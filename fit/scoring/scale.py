"""The scale on which to read the scores of a fit: a floor that knows nothing of the cell, and the cell itself as ceiling."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import scores
from .oracle import interpolated, predicted
from .split import Part

if TYPE_CHECKING:
    from .task import Task


@dataclass(frozen=True)
class Level:
    """A mark on the scale: a combined score and the three parts whose weighted mean it is. 0 is perfect.

    voltage is None if the mask of the spikes covers everything. timing is the timing term, see `scores.timing_term`.
    """

    score: float
    voltage: float | None
    timing: float
    count: float

    @classmethod
    def of(cls, s: scores.Scores) -> "Level":
        """The level of a model with these scores."""
        return cls(s.combined_score, s.voltage, s.timing_term, s.count)


@dataclass(frozen=True)
class Scale:
    """Floor and ceiling of the scores on the data on which models are judged.

    floor             the best constant voltage, spikes at random times, no spike counted
    ceiling           how well the cell predicts itself; None if neither a stimulus nor a neighbouring amplitude tells
    ceiling_from      "neighbours": each sweep is predicted from the next smaller and the next larger amplitude, the k-th
                      spike (or the number of spikes so far, if this is better), the count and the voltage as means of
                      theirs; "repeats": from another repeat; None
    chance_timing     `timing` of as many spikes at random times
    neighbour_timing  `timing` of the neighbour oracle (k-th spikes) over the whole recording; None without enough amplitudes
    interpolated_timing  the same, where it predicts from the mean number of spikes so far, see `oracle.interpolated`
    repeat_timing     `timing` between repeats over the whole recording; None without enough repeats
    timing_weight     weight of `timing` in the timing term; the rest is `pattern`
    """

    floor: Level
    ceiling: Level | None
    ceiling_from: str | None
    chance_timing: float
    neighbour_timing: float | None
    interpolated_timing: float | None
    repeat_timing: float | None
    timing_weight: float

    def reached(self, score: float) -> float | None:
        """How far a score is on the way from the floor (0) to the ceiling (1); None without a ceiling better than the floor."""
        if self.ceiling is None or self.ceiling.score >= self.floor.score:
            return None
        return (self.floor.score - score) / (self.floor.score - self.ceiling.score)

    def to_dict(self) -> dict[str, Any]:
        """The entry `scale` of `result.json`."""
        return asdict(self)

    def marks(self) -> dict[str, Any]:
        """Floor and ceiling of `to_dict`."""
        return {name: x for name, x in self.to_dict().items() if name in ("floor", "ceiling")}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Scale":
        """A scale from what `to_dict` returns. Raises KeyError or TypeError if it is none."""
        above = content["ceiling"]
        marks = {"floor": Level(**content["floor"]), "ceiling": None if above is None else Level(**above)}
        return cls(**{**content, **marks})


def timing_sentence(scale: Scale) -> str:
    """How far single spikes can be predicted, and what they therefore count; "" without neighbours or repeats of steps."""
    told = []
    if scale.neighbour_timing is not None:
        smooth = scale.interpolated_timing
        better = f", interpolated {smooth:.2f}" if smooth is not None and smooth < scale.neighbour_timing else ""
        told.append(
            f"neighbouring amplitudes predict the spike times with a timing of {scale.neighbour_timing:.2f}{better}"
        )
    if scale.repeat_timing is not None:
        told.append(f"repeats with {scale.repeat_timing:.2f}")
    if not told:
        return ""
    known = f"{' and '.join(told)} (0 is exact, {scale.chance_timing:.2f} is chance)"
    known = known[0].upper() + known[1:]
    if scale.timing_weight == 1:
        return f"{known}."
    share = 100 * scale.timing_weight
    return (
        f"{known}: {share:.0f} % of the timing term is of spike times, {100 - share:.0f} % of the firing pattern"
        " (latency, f-I slope, rate profile, adaptation)."
    )


def scale(task: "Task", parts: Sequence[Part] | None = None) -> Scale:
    """The scale for some parts of a task; if they are not given, for those on which models are judged."""
    if parts is None:
        whole = [Part(k, 0, len(s.voltage)) for k, s in enumerate(task.recording.sweeps)]
        parts = task.split.held_out or [whole[k] for fold in task.folds for k in fold] or task.split.train
    told = {kind: None if found is None else found[0] for kind, found in task.predictability.items()}
    kind = next((kind for kind in ("repeats", "neighbours") if any(p.sweep in task.sources[kind] for p in parts)), None)
    return Scale(
        floor=_floor(task, parts),
        ceiling=None if kind is None else _ceiling(task, [p for p in parts if p.sweep in task.sources[kind]], kind),
        ceiling_from=kind,
        chance_timing=task.chance,
        neighbour_timing=told["neighbours"],
        interpolated_timing=told["interpolated"],
        repeat_timing=told["repeats"],
        timing_weight=task.timing_weight,
    )


def _floor(task: "Task", parts: Sequence[Part]) -> Level:
    """What takes no notice of the cell. A sweep without spikes is right without any."""
    outside = [np.minimum(task.part_voltage(p)[~task.part_mask(p)], task.clip) for p in task.split.train]
    pooled = np.concatenate(outside)
    line = float(np.mean(pooled)) if len(pooled) else task.clip
    volts = []
    for p in parts:
        v = task.part_voltage(p)
        volts.append(scores.masked_rmse(v, np.full(len(v), line), task.part_mask(p), task.clip))
    fired = float(np.mean([len(task.part_spikes(p)) > 0 for p in parts]))
    term = scores.timing_term(task.chance, 1.0, task.timing_weight)
    return _mean(task, [(v, fired * term, fired) for v in volts])


def _ceiling(task: "Task", parts: Sequence[Part], kind: str) -> Level:
    """The mean level of the predictions of these parts. Where a sweep has several, each is compared.

    Of the two predictions from neighbours, it is the one with the better timing over the whole recording.
    """
    sources, marks = task.sources[kind], []
    kth, smooth = (found and found[0] for found in (task.predictability[k] for k in ("neighbours", "interpolated")))
    smoothly = kind == "neighbours" and kth is not None and smooth is not None and smooth < kth
    for turn in range(max(len(sources[p.sweep]) for p in parts)):
        chosen = [sources[p.sweep][turn % len(sources[p.sweep])] for p in parts]
        trains = [[task.within(p, task.spikes[j].time) for j in c] for p, c in zip(parts, chosen, strict=True)]
        counts = [float(np.mean([len(t) for t in each])) for each in trains]
        guesses = [
            interpolated(each, s.start - p.start * task.dt)
            if smoothly and s and all(map(len, each))
            else predicted(each)
            for each, p, s in zip(trains, parts, (task.steps[p.sweep] for p in parts), strict=True)
        ]
        patterns = task.patterns(parts, guesses, counts)
        for p, c, guess, count, wrong in zip(parts, chosen, guesses, counts, patterns, strict=True):
            own = task.part_spikes(p)
            term = scores.timing_term(
                scores.timing(own, guess, scores.timing_tau(own, task.noise)), wrong, task.timing_weight
            )
            marks.append((_apart(task, p, c), term, scores.count_error(len(own), count)))
    return _mean(task, marks)


def _apart(task: "Task", part: Part, others: Sequence[int]) -> float | None:
    """The `masked_rmse`, mV, of the mean voltage of other sweeps in this part."""
    voltages = [task.recording.sweeps[j].voltage[part.start : part.stop] for j in others]
    n = min(part.stop - part.start, *map(len, voltages))
    guess = np.mean([np.minimum(v[:n], task.clip) for v in voltages], axis=0)
    return scores.masked_rmse(task.part_voltage(part)[:n], guess, task.part_mask(part)[:n], task.clip)


def _mean(task: "Task", marks: Sequence[tuple[float | None, float, float]]) -> Level:
    """The mean level of sweeps, each with masked rmse (mV), timing term and count error."""
    score = np.mean([scores.combined_score(v, task.flat, t, c, task.weights) for v, t, c in marks])
    volts = [v / task.flat for v, _, _ in marks if v is not None]
    return Level(
        score=float(score),
        voltage=float(np.mean(volts)) if volts else None,
        timing=float(np.mean([t for _, t, _ in marks])),
        count=float(np.mean([c for _, _, c in marks])),
    )
