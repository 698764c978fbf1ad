"""Splits a recording into a part to which models are fitted and a held-out part on which they are judged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikefab.errors import UsageError
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import Spikes
from spikefab.fit.recordings.stimuli import stimuli

SHORTEST = 1000.0  # length of a sweep, ms, below which its last third is not held out
BEYOND = 0.1  # share of the range of the trained currents by which others may exceed it, as recorded currents are noisy
FEWEST = 6  # number of spikes of a sweep below which its last third is not held out


@dataclass(frozen=True)
class Part:
    """The samples from `start` to before `stop` of the sweep with index `sweep`."""

    sweep: int
    start: int
    stop: int


@dataclass(frozen=True)
class Split:
    """The training parts, the held-out parts, and in words how they were chosen.

    Without held-out parts, the result of a fit is not validated.
    """

    train: tuple[Part, ...]
    held_out: tuple[Part, ...]
    how: str


def split(recording: Recording, spikes: Sequence[Spikes], rule: str = "auto") -> Split:
    """Choose what is held out: whole stimuli or the last third of long sweeps. `rule` is one of `RULES`:

    auto        if at least two stimuli evoke spikes: of these, in order of mean current, the third, the sixth and so on,
                but never the strongest, so that no model has to extrapolate; of two or three, the second. Else as `tail`
    amplitudes  the same, but stimuli that evoke no spikes count too
    tail        the last third of every sweep that lasts at least a second and has at least six spikes; nothing if there
                is no such sweep
    none        nothing

    Repeats of one stimulus are never separated. `spikes` has one entry per sweep.
    """
    whole = tuple(Part(k, 0, len(s.voltage)) for k, s in enumerate(recording.sweeps))
    if rule == "none":
        return Split(whole, (), "nothing was held out, as asked: not validated")
    groups = stimuli(recording.sweeps, recording.dt)
    if rule == "auto":
        groups = [g for g in groups if any(len(spikes[k]) for k in g)]
    if rule != "tail" and len(groups) >= 2:
        held = {k for g in groups[2:-1:3] or groups[1:2] for k in g}
        return Split(
            tuple(p for p in whole if p.sweep not in held),
            tuple(p for p in whole if p.sweep in held),
            f"every third stimulus {'with spikes ' if rule == 'auto' else ''}is held out:"
            f" {len(held)} of {len(whole)} sweeps",
        )
    long = {
        k
        for k, s in enumerate(recording.sweeps)
        if len(s.voltage) * recording.dt >= SHORTEST and len(spikes[k]) >= FEWEST
    }
    if not long:
        return Split(whole, (), "too short or too few spikes to hold anything out: not validated")
    train = tuple(Part(p.sweep, 0, p.stop * 2 // 3) if p.sweep in long else p for p in whole)
    held_out = tuple(Part(p.sweep, p.stop * 2 // 3, p.stop) for p in whole if p.sweep in long)
    return Split(train, held_out, f"the last third of {len(long)} of {len(whole)} sweeps is held out")


def deal(recording: Recording, spikes: Sequence[Spikes], folds: int) -> tuple[tuple[int, ...], ...]:
    """Deal the sweeps into folds for cross-validation: the indices of the sweeps of each fold.

    The stimuli that evoke spikes are dealt like cards, in order of mean current; repeats of one stimulus stay together.
    Raises UsageError if there are fewer such stimuli than folds.
    """
    groups = [g for g in stimuli(recording.sweeps, recording.dt) if any(len(spikes[k]) for k in g)]
    if len(groups) < folds:
        raise UsageError(f"{folds} folds need as many stimuli that evoke spikes: there are {len(groups)}.")
    return tuple(tuple(sorted(k for g in groups[first::folds] for k in g)) for first in range(folds))


def extrapolated(recording: Recording, split: Split, noise: bool) -> list[str]:
    """A notice, one sentence, if held-out currents lie outside the range of the trained ones by more than BEYOND of it."""

    def span(parts: Sequence[Part]) -> tuple[float, float]:
        currents = [np.asarray(recording.sweeps[p.sweep].current)[p.start : p.stop] for p in parts]
        # rare peaks of a noise say nothing of its strength
        ends = [np.percentile(i, [1, 99] if noise else [0, 100]) for i in currents]
        return float(min(lo for lo, _ in ends)), float(max(hi for _, hi in ends))

    if not split.held_out:
        return []
    low, high = span(split.train)
    margin = BEYOND * (high - low)
    spans = [span([p]) for p in split.held_out]
    outside = [(lo, hi) for lo, hi in spans if lo < low - margin or hi > high + margin]
    if not outside:
        return []
    return [
        f"Extrapolated: in {len(outside)} of {len(spans)} held-out sweeps the current is {min(lo for lo, _ in outside):.3g} to"
        f" {max(hi for _, hi in outside):.3g} nA, outside the {low:.3g} to {high:.3g} nA of the training data, where models"
        " come out nearer to each other than they are."
    ]
