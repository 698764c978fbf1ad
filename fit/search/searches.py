"""The searches of all models of a fit: a race in laps, in which models that cannot come among the first are stopped."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.fit.freedom import Freedom
from spikefab.fit.scoring.task import Task
from spikefab.hw.datapath import Datapath, datapath
from spikefab.hw.neuron import Neuron
from spikefab.sim.ahead import Ahead
from spikefab.sim.engine import Engine, FixedPoint

from .race import FIRST, LAP, PLACES, VARIANT, hopeful
from .search import Search

Progress = Callable[[str, int, int, float], None]
Callback = Callable[[str, dict[str, Any], float], object]
Portion = Callable[[str, int, float], None]


class Stopped(Exception):
    """Raised when a callback ends the fit."""


class Searches:
    """The searches of all models, on a task or on its folds.

    models       classes of models; all variants that a model names in `tried` are searched
    word         word length of the hardware, bits
    step         time step of the hardware, ms
    searches     how often each model will be searched, for `progress`: once, and once more for each fold
    engine       what simulates the candidates, see `sim.engine`
    whole_budget whether each search that is not stopped spends its whole budget, even if it has converged
    evaluations  model -> number of evaluations so far
    """

    def __init__(
        self,
        models: tuple[type[Neuron], ...],
        *,
        word: int,
        step: float,
        budget: int,
        top_k: int,
        seed: int,
        freedom: Freedom,
        searches: int = 1,
        progress: Progress | None = None,
        notice: Callable[[str], None] | None = None,
        callback: Callback | None = None,
        portion: Portion | None = None,
        journal: Path | None = None,
        engine: Callable[[Datapath], Engine] = FixedPoint,
        whole_budget: bool = False,
    ):
        self.models, self.word, self.step = models, word, step
        self.budget, self.top_k, self.seed, self.freedom, self.searches = budget, top_k, seed, freedom, searches
        self.progress, self.notice, self.callback, self.journal = progress, notice, callback, journal
        self.portion, self.engine, self.whole_budget = portion, engine, whole_budget
        self.evaluations: dict[str, int] = {}
        # model -> part of its budget that those of its searches which have ended did not spend
        self._unspent: dict[str, int] = {}
        self._shares: dict[str, float] = {}  # model -> share of the training data that `portion` was told last

    def run(self, task: Task, found: dict[str, Search]) -> list[str]:
        """Search for the parameters of all models on a task. The best variant of each is put into `found`, also after Ctrl-C.

        Returns the names of the models that were stopped early. Raises Stopped if the callback ends the fit.
        """
        spent = dict(self.evaluations)
        self._shares.clear()  # each task has training data of its own
        entrants: dict[str, list[Search]] = {}
        try:
            needed = (self._engine(model, choice, task) for model in self.models for choice, _ in self._variants(model))
            with Ahead(needed, self.notice) as ahead:
                for model in self.models:
                    searches = entrants.setdefault(model.__name__, [])
                    self._enter(searches, model, task, spent.get(model.__name__, 0), ahead)
            best = {name: searches[0] for name, searches in entrants.items()}
            running, early, before = [*best], list[str](), dict[str, float]()
            while running:
                hope = hopeful(best, min(PLACES, self.top_k), before)
                early += [name for name in running if name not in hope and not best[name].over]
                for name in running:
                    if name in early or best[name].over:
                        self._ended(name, best[name], sum(s.evaluations for s in entrants[name]))
                running = [name for name in running if name not in early and not best[name].over]
                for name in running:
                    before[name] = best[name].loss
                    best[name].run(best[name].evaluations + LAP)
            return early
        finally:
            for name, searches in entrants.items():
                self.evaluations[name] = spent.get(name, 0) + sum(s.evaluations for s in searches)
                chosen = min(searches, key=lambda s: s.loss, default=None)
                if chosen is not None and chosen.evaluations:
                    found[name] = chosen

    def _variants(self, model: type[Neuron]) -> list[tuple[Mapping[str, Any], int]]:
        """The settings of each variant of a model that is searched, and its share of the model's evaluations."""
        n = len(model.tried)
        shares = [self.budget * (k + 1) // n - self.budget * k // n for k in range(n)]
        return [(choice, share) for choice, share in zip(model.tried, shares, strict=True) if share]

    def _engine(self, model: type[Neuron], choice: Mapping[str, Any], task: Task) -> Engine:
        return self.engine(datapath(model.variant(**choice), self.word, self.step, task.i_span))

    def _enter(self, searches: list[Search], model: type[Neuron], task: Task, spent: int, ahead: Ahead) -> None:
        """Start the searches of all variants of a model, and run their first part. Afterwards, the best one is the first."""
        variants = len(model.tried)
        for choice, share in self._variants(model):
            engine = self._engine(model, choice, task)
            ahead.ready(engine)
            search = Search(
                engine, task, budget=share, seed=self.seed, freedom=self.freedom, journal=self.journal,
                whole_budget=self.whole_budget,
            )  # fmt: skip
            searches.append(search)
            search.progress = self._telling(model.__name__, searches, spent)
            search.run(FIRST if variants == 1 else VARIANT)
        searches.sort(key=lambda s: s.loss)
        others = sum(s.evaluations for s in searches[1:])
        searches[0].budget = self.budget - others
        searches[0].progress = self._telling(model.__name__, searches[:1], spent + others)

    def _ended(self, name: str, search: Search, evaluations: int) -> None:
        """Report that the search of a model on this task has ended: it will not spend the rest of its budget."""
        self._unspent[name] = self._unspent.get(name, 0) + self.budget - evaluations
        if self.progress is not None and evaluations < self.budget:
            self.progress(name, self.evaluations.get(name, 0) + evaluations, self._budget(name), search.lowest)

    def _budget(self, name: str) -> int:
        """Evaluations of a model that may still be spent or have been, in all of its searches."""
        return self.searches * self.budget - self._unspent.get(name, 0)

    def _telling(self, name: str, searches: list[Search], spent: int) -> Callable[[int, float], None]:
        """A function that reports the state of a model's searches to `progress` and `callback`."""
        told = np.inf

        def tell(*_: object) -> None:
            nonlocal told
            best = min(searches, key=lambda s: s.lowest)
            done = spent + sum(s.evaluations for s in searches)
            if self.portion is not None and best.share != self._shares.get(name):
                self._shares[name] = best.share
                self.portion(name, done, best.share)
            if self.progress is not None:
                self.progress(name, done, self._budget(name), best.lowest)
            # tell a changed loss, also a higher one: it rises when a search changes from a part to all training data
            if self.callback is not None and best.lowest != told:
                told = best.lowest
                values = best.engine.dequantise(best.codes).items()
                params = {**best.engine.dp.model.chosen, **{n: float(v) for n, v in values}}
                if self.callback(name, params, told) is True:
                    raise Stopped

        return tell
