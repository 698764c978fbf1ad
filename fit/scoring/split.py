"""Which part of a recording a model is fitted to, and which it is judged on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikefab.errors import UsageError
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import Spikes

SHORTEST = 1000.0  # ms: a single sweep below this is not split
FEWEST = 6  # spikes: nor one with fewer


@dataclass(frozen=True)
class Part:
    """Samples start..stop of a sweep."""

    sweep: int
    start: int
    stop: int


@dataclass(frozen=True)
class Split:
    """Training and held-out parts, and in words how they were chosen. Without held-out parts: not validated."""

    train: tuple[Part, ...]
    held_out: tuple[Part, ...]
    how: str


def stimuli(recording: Recording) -> list[list[int]]:
    """Sweeps grouped by stimulus, in order of mean current: those whose currents agree within 1 % of their range.

    Averages over 10 ms are compared, so that the noise of a recorded current does not make repeats differ.
    """
    width = max(1, round(10 / recording.dt))
    coarse = [
        np.array([part.mean() for part in np.array_split(s.current, max(1, len(s.current) // width))])
        for s in recording.sweeps
        if s.current is not None
    ]
    groups: list[list[int]] = []
    for k, current in enumerate(coarse):
        for group in groups:
            other = coarse[group[0]]
            spread = max(np.ptp(current), np.ptp(other), 1e-6)
            if len(other) == len(current) and np.sqrt(np.mean((current - other) ** 2)) < 0.01 * spread:
                group.append(k)
                break
        else:
            groups.append([k])
    return sorted(groups, key=lambda g: float(coarse[g[0]].mean()))


RULES = ("auto", "amplitudes", "tail", "none")


def split(recording: Recording, spikes: Sequence[Spikes], rule: str = "auto") -> Split:
    """Hold out whole stimuli, or the last third of long sweeps; `rule`:

    auto        every third stimulus that evokes spikes where two or more do: the third, the sixth, ..., but not the strongest,
                so that no model is asked to extrapolate; of two or three, the second. Otherwise as `tail`
    amplitudes  every third stimulus, silent ones too, in order of mean current, but not the strongest
    tail        the last third of every sweep that lasts a second and has six spikes; a shorter recording is not split
    none        nothing

    Repeats of one stimulus stay together.
    """
    whole = tuple(Part(k, 0, len(s.voltage)) for k, s in enumerate(recording.sweeps))
    if rule == "none":
        return Split(whole, (), "nothing was held out, as asked: not validated")
    groups = stimuli(recording)
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
    """Sweeps of each of so many folds: the stimuli that evoke spikes, dealt in order of mean current, repeats together.

    Raises UsageError where there are fewer of them than folds.
    """
    groups = [g for g in stimuli(recording) if any(len(spikes[k]) for k in g)]
    if folds < 2:
        raise UsageError("folds must be at least 2.")
    if len(groups) < folds:
        raise UsageError(f"{folds} folds need as many stimuli that evoke spikes: there are {len(groups)}.")
    return tuple(tuple(sorted(k for g in groups[first::folds] for k in g)) for first in range(folds))
