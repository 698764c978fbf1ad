"""How far the searches of a fit are, how long each model took, and how long the rest will take."""

import math
import time
from dataclasses import dataclass

from spikefab.fit.options import FitOptions

from .searches import EARLY, LEAST, NEAR

WARM = 1.0  # s of searching before the remaining time is estimated


@dataclass
class ModelRun:
    """The searches of one model.

    evaluations  so far
    budget       evaluations that it may have, of all folds
    loss         the lowest so far
    seconds      that its searches took
    warm         (evaluations, seconds) without the first batch, in which a kernel may be compiled
    stopped      whether it got no more than its first part, because others are better
    """

    evaluations: int = 0
    budget: int = 0
    loss: float = math.inf
    seconds: float = 0.0
    warm: tuple[int, float] = (0, 0.0)
    stopped: bool = False


class FitClock:
    """The time of a fit. `tell` is called as the argument `progress` of `fit`; models take turns."""

    def __init__(self, options: FitOptions):
        self._names = [model.__name__ for model in options.models]
        self._top_k, self._searches = options.top_k, 1 + (options.folds or 0)
        self._first = min(
            options.budget, max(math.ceil(EARLY * options.budget), LEAST)
        )  # evaluations before the choice
        self._budget = options.budget
        self.runs: dict[str, ModelRun] = {}
        self._left: float | None = None
        self._began = self._last = time.monotonic()

    def tell(self, model: str, evaluations: int, budget: int, loss: float) -> None:
        """A batch of evaluations of this model has ended: the time since the last call was its."""
        now = time.monotonic()
        run = self.runs.setdefault(model, ModelRun())
        if run.evaluations:
            count, seconds = run.warm
            run.warm = count + evaluations - run.evaluations, seconds + now - self._last
        run.seconds += now - self._last
        run.evaluations, run.budget, run.loss, self._last = evaluations, budget, loss, now
        chosen = self._chosen()
        for name, other in self.runs.items():
            other.stopped = self._all_begun() and name not in chosen
        self._left = self._estimate()

    @property
    def seconds(self) -> dict[str, float]:
        """model -> seconds that its searches took."""
        return {name: run.seconds for name, run in self.runs.items()}

    @property
    def elapsed(self) -> float:
        """Seconds since the fit began."""
        return time.monotonic() - self._began

    @property
    def remaining(self) -> float | None:
        """Seconds that the searches will still take; None while that cannot be told.

        It is worked out at each call of `tell`, and runs down between two: a display may ask from another thread.
        """
        if self._left is None or self._left < 1:
            return self._left
        return max(1.0, self._left - (time.monotonic() - self._last))

    def _estimate(self) -> float | None:
        """The remaining time, s.

        A model goes on after its first part if it is among the best `top_k`, or near the best. For a model that has not
        begun, the mean of the others is taken.
        """
        costs = {name: self._cost(run) for name, run in self.runs.items()}
        if sum(self.seconds.values()) < WARM:
            return None
        mean = sum(costs.values()) / len(costs)
        chosen, left = self._chosen(), 0.0
        for name in self._names:
            each = self._budget if name in chosen else self._first
            done = self.runs[name].evaluations if name in self.runs else 0
            left += max(0, self._searches * each - done) * costs.get(name, mean)
        return left

    def _chosen(self) -> set[str]:
        """The models that will be searched to the end, as far as it is known."""
        begun = sorted(self.runs, key=lambda name: self.runs[name].loss)
        best = self.runs[begun[0]].loss if begun else math.inf
        chosen = {name for k, name in enumerate(begun) if k < self._top_k or self.runs[name].loss <= NEAR * best}
        waiting = [name for name in self._names if name not in self.runs]
        return chosen | {*waiting[: max(0, self._top_k - len(chosen))]}

    def _all_begun(self) -> bool:
        """Whether every model has had its first part; with folds, each has several."""
        apart = self._first < self._budget and self._searches == 1
        return (
            apart
            and len(self.runs) == len(self._names)
            and all(r.evaluations >= self._first for r in self.runs.values())
        )

    @staticmethod
    def _cost(run: ModelRun) -> float:
        """Seconds of one evaluation."""
        count, seconds = run.warm
        return seconds / count if count else run.seconds / max(1, run.evaluations)
