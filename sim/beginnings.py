"""Sweeps whose currents begin alike are simulated once as far as they do.

The steps of a protocol often follow one common test pulse, and repeats have a whole current in common. No model can tell such
sweeps apart before their currents differ, so that one simulation serves all of them, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WORTH = 1000  # steps that sweeps must save together for a stretch of their own


@dataclass(frozen=True)
class Stretch:
    """The steps from `since` to before `until`, which are alike in all of `sweeps` (indices)."""

    since: int
    until: int
    sweeps: tuple[int, ...]


def levels(current: np.ndarray, length: np.ndarray, alike: np.ndarray) -> list[list[Stretch]]:
    """The stretches of sweeps with currents (S, T). Those of a level go on where those of the levels before have ended.

    length (S,) is the number of steps of each sweep. Sweeps with the same number in `alike` (S,) begin in the same states.
    """
    found: list[list[Stretch]] = [[]]
    waiting = [(0, 0, np.flatnonzero(alike == label).tolist()) for label in np.unique(alike)]
    while waiting:
        level, since, sweeps = waiting.pop()
        until, ended, groups = _until(current, length, since, sweeps)
        if not groups or (until - since) * (len(sweeps) - 1) >= WORTH:
            if level == len(found):
                found.append([])
            found[level].append(Stretch(since, until, tuple(sweeps)))
            level, since, ended = level + 1, until, []
        waiting += [(level, since, group) for group in [*groups, ended] if group]
    return found


def _until(
    current: np.ndarray, length: np.ndarray, since: int, sweeps: list[int]
) -> tuple[int, list[int], list[list[int]]]:
    """Up to which step the sweeps are alike, which of them end there, and which of the others are alike in this step."""
    if len(sweeps) == 1:
        return int(length[sweeps[0]]), sweeps, []
    least = int(length[sweeps].min())
    part = current[sweeps, since:least]
    differ = np.flatnonzero((part != part[0]).any(axis=0))
    until = since + int(differ[0]) if len(differ) else least
    groups: dict[float, list[int]] = {}
    for k in sweeps:
        if length[k] > until:
            groups.setdefault(float(current[k, until]), []).append(k)
    return until, [k for k in sweeps if length[k] == until], list(groups.values())


def table(stretches: Sequence[Stretch]) -> tuple[np.ndarray, np.ndarray]:
    """What the kernel needs of the stretches of a level.

    (stretches, 5): the first of its sweeps, since, until, and from where to where all its sweeps are in the second result.
    """
    sweeps = [k for s in stretches for k in s.sweeps]
    ends = np.cumsum([0, *(len(s.sweeps) for s in stretches)])
    lines = [(s.sweeps[0], s.since, s.until, *ends[j : j + 2]) for j, s in enumerate(stretches)]
    return np.array(lines, dtype=np.int64), np.array(sweeps, dtype=np.int64)
