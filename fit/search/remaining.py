"""Estimates how long the searches of a fit will still take, from the speed of the evaluations so far."""

import math
from collections.abc import Sequence

from .search import REFINE
from .searches import EARLY, LEAST, NEAR

MEMORY = 500  # evaluations over which the speed of a model is averaged: a resumed fit first repeats old ones very fast


class Remaining:
    """Follows the searches of a fit; `seconds` is an estimate of the time that they still need.

    models  names of the models
    budget  evaluations of each model
    top_k   number of models that are searched to the end at least, see `Searches`
    folds   number of further searches of each model, one without each fold

    The cost of an evaluation grows with the share of the training data that it uses: its work is 1 on all of the data.
    """

    def __init__(self, models: Sequence[str], budget: int, top_k: int, folds: int = 0):
        self.models, self.budget, self.top_k, self.passes = tuple(models), budget, top_k, 1 + folds
        self._evaluations = dict.fromkeys(self.models, 0)
        self._done = dict.fromkeys(self.models, 0.0)  # work so far
        self._shares: dict[str, float] = {}
        self._losses: dict[str, float] = {}
        self._speed: dict[str, float] = {}  # seconds for a work of 1
        self._first = 1.0  # share of the training data with which a search begins

    def portion(self, model: str, evaluations: int, share: float) -> None:
        """Take note of a change of the training data; see `portion` of `fit`."""
        if not self._shares:
            self._first = share
        self._shares[model] = share

    def progress(self, model: str, evaluations: int, loss: float, seconds: float) -> None:
        """Take note of evaluations that have taken `seconds`."""
        more = evaluations - self._evaluations[model]
        if more <= 0:
            return
        work = more * self._shares.get(model, 1.0)
        self._evaluations[model], self._losses[model] = evaluations, loss
        self._done[model] += work
        kept = math.exp(-more / MEMORY)
        now = seconds / work
        self._speed[model] = kept * self._speed.get(model, now) + (1 - kept) * now

    @property
    def seconds(self) -> float | None:
        """Seconds until the last evaluation, about; None before the first one. The scoring after it is not counted."""
        if not self._speed:
            return None
        usual = sum(self._speed.values()) / len(self._speed)
        to_the_end, early = self._work(self.budget), self._work(max(math.ceil(EARLY * self.budget), LEAST))
        order = sorted(self.models, key=lambda m: self._losses.get(m, math.inf))
        best = min(self._losses.values())
        total = 0.0
        for rank, model in enumerate(order):
            worth = rank < self.top_k or self._losses.get(model, math.inf) <= NEAR * best
            work = self.passes * (to_the_end if worth else early) - self._done[model]
            total += max(0.0, work) * self._speed.get(model, usual)
        return total

    def _work(self, evaluations: int) -> float:
        """The work of the first so many evaluations of a search."""
        count = min(evaluations, self.budget)
        part = min(count, REFINE * self.budget) if self._first < 1 else 0.0
        return part * self._first + count - part
