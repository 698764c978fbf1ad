"""How far the searches of a fit are, how long each model took, and how long the rest will take."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from spikefab.fit.options import FitOptions

from .race import FIRST, LAP, PLACES

WARM = 1.0  # s of searching before the remaining time is estimated
TYPICAL = 6500  # evaluations after which a search has converged, about
FAR = 1.5  # a model whose loss is above so many times that of the last place is taken to be stopped at the first comparison
MEMORY = 500  # evaluations over which the speed of a model is averaged: a resumed fit first repeats old ones very fast


@dataclass
class ModelRun:
    """The searches of one model.

    evaluations  so far
    budget       evaluations that it may have, of all folds; those that it had, once its searches have ended
    loss         the lowest so far
    seconds      that its searches took
    share        share of the training data, 0 to 1, that its search uses now
    work         so far; an evaluation on all training data is a work of 1, on a share of them that share
    batches      number of batches of evaluations so far
    speed        seconds for a work of 1
    """

    evaluations: int = 0
    budget: int = 0
    loss: float = math.inf
    seconds: float = 0.0
    share: float = 1.0
    work: float = 0.0
    batches: int = 0
    speed: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether its searches have ended: converged, stopped because others are better, or with the whole budget spent."""
        return 0 < self.budget <= self.evaluations


class FitClock:
    """The time of a fit. `tell` and `portion` are called as the arguments `progress` and `portion` of `fit`.

    now  tells the time in seconds; by default, that of the machine
    """

    def __init__(self, options: FitOptions, now: Callable[[], float] | None = None):
        self._names = [model.__name__ for model in options.models]
        self._places, self._searches = min(PLACES, options.top_k), 1 + (options.folds or 0)
        self._budget = options.budget
        self._typical = options.budget if options.whole_budget else min(options.budget, TYPICAL)
        self.runs: dict[str, ModelRun] = {}
        self._left: float | None = None
        self._now = now or time.monotonic
        self._began = self._last = self._now()

    def portion(self, model: str, evaluations: int, share: float) -> None:
        """The search of a model now uses this share of the training data, 0 to 1."""
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

        A model is taken to need TYPICAL evaluations on all training data, or FIRST if it is far from the last place. One that
        has spent these is taken to need another lap. The speed of a model that has not begun is the mean of the others.
        """
        speeds = {name: run.speed for name, run in self.runs.items() if run.batches}
        if not speeds or sum(self.seconds.values()) < WARM:
            return None
        mean = sum(speeds.values()) / len(speeds)
        losses = sorted(run.loss for run in self.runs.values())
        level = FAR * losses[self._places - 1] if len(losses) >= self._places else math.inf
        left = 0.0
        for name in self._names:
            run = self.runs.get(name, ModelRun())
            if not run.ended:
                wanted = self._searches * (
                    self._typical if run.loss <= level or not run.batches else min(FIRST, self._budget)
                )
                most = run.budget or self._searches * self._budget
                more = max(wanted - run.evaluations, min(LAP, most - run.evaluations))
                left += more * speeds.get(name, mean)
        return left
