"""Tells the page of a run in a board while it goes on: few events, in which spikes stay visible."""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from spikefab.boards.link import DECIMATIONS

EVERY = 0.25  # s between two events, at least
POINTS = 20_000  # of all events of a run, about, so that a page can hold and draw them
MOST = 400  # points and spikes of one event, at most


class RunEvents:
    """Sends what a run tells to `say`, as events of the type "samples".

    total  steps of the run
    dt     ms, a step
    every  steps between two samples of the voltage; where only spikes are told, no voltage is sent
    """

    def __init__(self, say: Callable[..., None], total: int, dt: float, every: int):
        self.say, self.total, self.dt = say, total, dt
        self.drawn = every != DECIMATIONS[-1]
        self.share = POINTS * every / total  # points for each sample
        self._new: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._anew, self._fired, self._told = True, 0, float("-inf")

    def take(self, steps: np.ndarray, voltage: np.ndarray, fired: np.ndarray) -> None:
        """New samples, as `Board.run` passes them to `watch`."""
        if len(steps) and steps[0] == 0:  # the run begins, perhaps for the second time
            self._new.clear()
            self._anew, self._fired = True, 0
        ours = steps < self.total
        self._new.append((steps[ours], voltage[ours], fired[ours]))
        if time.monotonic() - self._told >= EVERY:
            self.flush()

    def flush(self) -> None:
        """Tell what has not been told yet."""
        if not any(len(steps) for steps, _, _ in self._new):
            return
        steps, voltage, fired = (np.concatenate(part) for part in zip(*self._new, strict=True))
        self._new.clear()
        self._told = time.monotonic()
        spikes = steps[fired]
        self._fired += len(spikes)
        shown = extremes(voltage, self._points(len(steps))) if self.drawn else np.zeros(0, dtype=int)
        self.say(
            "samples",
            anew=self._anew,
            times=self._ms(steps[shown]),
            voltage=np.round(voltage[shown], 3).tolist(),
            spikes=self._ms(spikes[:: -(-len(spikes) // MOST) or 1]),
            fired=self._fired,
            done=int(steps[-1]) + 1,
            total=self.total,
            dt=self.dt,
        )
        self._anew = False

    def _points(self, samples: int) -> int:
        return int(min(MOST, max(2, self.share * samples)))

    def _ms(self, steps: np.ndarray) -> list[Any]:
        return np.round(steps * self.dt, 4).tolist()


def extremes(values: np.ndarray, most: int) -> np.ndarray:
    """The indices (K,), K <= most, of values (T,) that show their course: the least and the greatest of each part, in order."""
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), most // 2 + 1).astype(int)
    parts = [(start, values[start:end]) for start, end in pairwise(edges)]
    found = {start + pick(part) for start, part in parts for pick in (np.argmin, np.argmax)}
    return np.array(sorted(map(int, found)))
