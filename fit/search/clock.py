"""How far the searches of a fit are, how long each model took, and how long the rest will take."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from spikefab.fit.options import FitOptions

from .search import REFINE
from .searches import EARLY, LEAST, NEAR

WARM = 1.0  # s of searching before the remaining time is estimated
MEMORY = 500  # evaluations over which the speed of a model is averaged: a resumed fit first repeats old ones very fast


@dataclass
class ModelRun:
    """The searches of one model.

    evaluations  so far
    budget       evaluations that it may have, of all folds
    loss         the lowest so far
    seconds      that its searches took
    share        share of the training data, 0 to 1, that its search uses now
    work         so far; an evaluation on all training data is a work of 1, on a share of them that share
    batches      number of batches of evaluations so far
    speed        seconds for a work of 1
    stopped      whether it got no more than its first part, because others are better
    """

    evaluations: int = 0
    budget: int = 0
    loss: float = math.inf
    seconds: float = 0.0
    share: float = 1.0
    work: float = 0.0
    batches: int = 0
    speed: float = 0.0
    stopped: bool = False


class FitClock:
    """The time of a fit. `tell` and `portion` are called as the arguments `progress` and `portion` of `fit`.

    now  tells the time in seconds; by default, that of the machine
    """

    def __init__(self, options: FitOptions, now: Callable[[], float] | None = None):
        self._names = [model.__name__ for model in options.models]
        self._top_k, self._searches, self._budget = options.top_k, 1 + (options.folds or 0), options.budget
        # evaluations of a model before the better ones are chosen
        self._first = min(options.budget, max(math.ceil(EARLY * options.budget), LEAST))
        self._part = 1.0  # share of the training data with which a search begins
        self.runs: dict[str, ModelRun] = {}
        self._left: float | None = None
        self._now = now or time.monotonic
        self._began = self._last = self._now()

    def portion(self, model: str, evaluations: int, share: float) -> None:
        """The search of a model now uses this share of the training data, 0 to 1."""
        if not self.runs:
            self._part = share
        self.runs.setdefault(model, ModelRun()).share = share

    def tell(self, model: str, evaluations: int, budget: int, loss: float) -> None:
        """A batch of evaluations of this model has ended: the time since the last call was its."""
        now = self._now()
        run, seconds = self.runs.setdefault(model, ModelRun()), now - self._last
        more = evaluations - run.evaluations
        if more > 0:
            work = more * run.share
            run.work += work
            # the speed of the first batch, in which a kernel may be compiled, holds only until the second one has ended
            kept = math.exp(-more / MEMORY) if run.batches > 1 else 0.0
            run.speed = kept * run.speed + (1 - kept) * seconds / work
            run.batches += 1
        run.seconds += seconds
        run.evaluations, run.budget, run.loss, self._last = evaluations, budget, loss, now
        chosen, choice = self._chosen(), self._choice_is_made()
        for name, other in self.runs.items():
            other.stopped = choice and name not in chosen
        self._left = self._estimate()

    @property
    def seconds(self) -> dict[str, float]:
        """model -> seconds that its searches took."""
        return {name: run.seconds for name, run in self.runs.items()}

    @property
    def elapsed(self) -> float:
        """Seconds since the fit began."""
        return self._now() - self._began

    @property
    def remaining(self) -> float | None:
        """Seconds that the searches will still take; None while that cannot be told. The scoring after it is not counted.

        It is worked out at each call of `tell`, and runs down between two: a display may ask from another thread.
        """
        if self._left is None or self._left < 1:
            return self._left
        return max(1.0, self._left - (self._now() - self._last))

    def _estimate(self) -> float | None:
        """The remaining time, s.

        A model goes on after its first part if it is among the best `top_k`, or near the best. The speed of a model that has
        not begun is taken to be the mean of the others.
        """
        speeds = {name: run.speed for name, run in self.runs.items() if run.batches}
        if not speeds or sum(self.seconds.values()) < WARM:
            return None
        mean = sum(speeds.values()) / len(speeds)
        chosen, left = self._chosen(), 0.0
        for name in self._names:
            each = self._work(self._budget if name in chosen else self._first)
            done = self.runs[name].work if name in self.runs else 0.0
            left += max(0.0, self._searches * each - done) * speeds.get(name, mean)
        return left

    def _work(self, evaluations: int) -> float:
        """The work of the first so many evaluations of a search."""
        part = min(evaluations, REFINE * self._budget) if self._part < 1 else 0.0
        return part * self._part + evaluations - part

    def _chosen(self) -> set[str]:
        """The models that will be searched to the end, as far as it is known."""
        begun = sorted(self.runs, key=lambda name: self.runs[name].loss)
        best = self.runs[begun[0]].loss if begun else math.inf
        chosen = {name for k, name in enumerate(begun) if k < self._top_k or self.runs[name].loss <= NEAR * best}
        waiting = [name for name in self._names if name not in self.runs]
        return chosen | {*waiting[: max(0, self._top_k - len(chosen))]}

    def _choice_is_made(self) -> bool:
        """Whether every model has had its first part; with folds, each has several, and none is told."""
        ended = [run.evaluations >= self._first for run in self.runs.values()]
        return self._first < self._budget and self._searches == 1 and len(ended) == len(self._names) and all(ended)
