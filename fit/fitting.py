"""From a recording to ranked models: the whole fit."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spikefab.errors import UsageError
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring.certainty import certainty
from spikefab.fit.scoring.scores import WEIGHTS
from spikefab.fit.scoring.split import RULES, Part
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.search import Search
from spikefab.fit.search.space import Freedom
from spikefab.hw.datapath import Datapath, datapath
from spikefab.hw.models import MODELS, get_model
from spikefab.hw.neuron import Neuron
from spikefab.sim.engine import Engine, FixedPoint

from .assess import assess, ideal_scores
from .results import FitResults

DT = 0.1  # ms
BUDGET = 20_000  # evaluations a model
EARLY = 0.25  # share of the budget that every model gets, and
LEAST = 2000  # evaluations if there are so many: fewer say nothing of a model with ten parameters
NEAR = 1.3  # times the best model's loss by then: who is worse, and not among the first, ends early

Progress = Callable[[str, int, int, float], None]
Callback = Callable[[str, dict[str, Any], float], object]


def fit(
    recording: Recording | str | Path | None = None,
    *,
    voltage: ArrayLike | None = None,
    current: ArrayLike | None = None,
    dt: float | None = None,
    models: Iterable[str] | str | None = None,
    word: int = 18,
    top_k: int = 5,
    budget: int = BUDGET,
    seed: int = 0,
    held_out: str = "auto",
    folds: int | None = None,
    weights: Sequence[float] = WEIGHTS,
    free: Iterable[str] | Mapping[str, Iterable[str]] | None = None,
    fixed: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
    callback: Callback | None = None,
    journal: str | Path | None = None,
    engine: Callable[[Datapath], Engine] = FixedPoint,
) -> FitResults:
    """Fit models in fixed point and rank them on what they have not seen; best first.

    recording  a `Recording`, or the path of one for `read`; or instead:
    voltage    (T,) or (sweeps, T) mV, and current, the same shape, nA, both sampled every `dt` ms
    dt         ms, the step of the hardware, .1 by default: a recording on another step is resampled; arrays need it
    models     names; all by default
    word       16, 18 or 24 bits
    top_k      how many results to return, at most one a model
    budget     evaluations a model
    seed       the same seed gives the same result
    held_out   what the ranking is on, `split.RULES`: "auto", "amplitudes", "tail" (the last third of each sweep), "none"
    folds      instead of `held_out`: the stimuli that evoke spikes are dealt into so many parts, each is held out from a
               search of its own (so much longer it takes), and the ranking is on all of them; the parameters returned are
               of one more search, on everything
    weights    of voltage, timing and count in the score
    free       parameters that are searched, in models that have them; by default all that a recording does not say. Or, by
               model, those that are searched in it besides: {"AdEx": ["V_peak"]}
    fixed      parameters and the values at which they are held
    bounds     parameters and (lo, hi) to search between, instead of around what was measured
    progress   called as progress(model, evaluations, budget, best loss)
    notice     called with one sentence at a time: warnings about the recording, a kernel that is being compiled
    callback   called as callback(model, parameters, loss) when a search has found better ones, which `model` takes (the
               settings of its variant are among them); where it returns True, all searches end, and the best so far is returned
    journal    a folder, in which every loss is kept as it is found (8 bytes an evaluation): a fit that was killed and is begun
               again with the same arguments simulates nothing twice, and ends with the same result
    engine     what simulates candidates, of `sim.engine`: `Float64` says what a search without formats would have found. Its
               scores are not the hardware's; codes and initial states are then the nearest to its real numbers

    Ctrl-C ends the search and returns the best so far, with `interrupted` set.
    Raises UsageError for options, RecordingError for a recording that cannot be fitted.
    """
    if (recording is None) == (voltage is None):
        raise UsageError("give fit either a recording, or voltage and current.")
    if isinstance(recording, (str, Path)):
        recording = read(recording)
    if recording is not None and not isinstance(recording, Recording):
        raise UsageError("recording must be what spikefab.read gives, or a path: arrays go to voltage= and current=.")
    if not (isinstance(budget, Integral) and isinstance(top_k, Integral) and budget >= 1 and top_k >= 1):
        raise UsageError("budget and top_k must be whole numbers of at least 1.")
    if recording is None:
        if current is None:
            raise UsageError("fit needs the injected current (nA) beside the voltage (mV).")
        if dt is None:
            raise UsageError("fit needs dt, the ms between two samples, beside voltage and current.")
        recording = Recording.from_arrays(voltage, current, dt)  # type: ignore[arg-type]
    names = [models] if isinstance(models, str) else models
    chosen = [get_model(name) for name in names] if names is not None else list(MODELS.values())
    if not chosen:
        raise UsageError(f"no model was named: there are {', '.join(MODELS)}.")
    if held_out not in RULES:
        raise UsageError(f"held_out is one of {', '.join(RULES)}, not {held_out}.")
    if len(weights) != 3 or min(weights) < 0 or not 0 < sum(weights) < math.inf:
        raise UsageError("weights are three numbers of 0 or more, not all 0: of voltage, timing and count.")
    freedom = Freedom.of(free, fixed, bounds)
    freedom.check(chosen)
    if folds is not None and held_out != "auto":
        raise UsageError("give either held_out or folds.")
    dt = DT if dt is None else dt
    task = Task.of(recording, dt, held_out, (float(weights[0]), float(weights[1]), float(weights[2])), folds)
    results = FitResults(
        task=task,
        settings={
            "word": word,
            "dt": dt,
            "top_k": top_k,
            "budget": budget,
            "seed": seed,
            "held_out": held_out,
            "folds": folds,
            "weights": list(task.weights),
            "free": freedom.told,
            "fixed": dict(freedom.fixed),
            "bounds": {n: list(ends) for n, ends in freedom.bounds.items()},
            "models": [m.__name__ for m in chosen],
        },
    )
    for text in task.notes:
        if notice is not None:
            notice(text)
    sweep = _Sweep([*dict.fromkeys(chosen)], word, dt, budget, top_k, seed, freedom, progress, notice, callback,
                   None if journal is None else Path(journal))  # fmt: skip
    sweep.searches += len(task.folds)
    sweep.engine = engine
    found: dict[str, Search] = {}
    try:
        results.ended_early = sweep.run(task, found)
    except (KeyboardInterrupt, _Stop):
        results.interrupted = True
        if notice is not None:
            notice("interrupted: what was found so far is scored.")
    for search in found.values():
        try:
            results.append(assess(search.engine, task, search.codes))
        except KeyboardInterrupt:  # what was found is kept: scoring it takes a second or two
            results.append(assess(search.engine, task, search.codes))
            results.interrupted = True
        results[-1].searched = search.searched(results[-1].params)
    judged = {r.model_name: _Judged(task.split.held_out or task.split.train, r.voltages, r.spikes) for r in results}
    try:
        if task.folds and not results.interrupted:
            judged = _validate(results, task, sweep)
        results.sort(key=lambda r: r.combined_score)
        _compare(results, task, judged)
    except (KeyboardInterrupt, _Stop):  # the models stand without
        results.interrupted = True
        results.sort(key=lambda r: r.combined_score)
    results.evaluations = sweep.evaluations
    del results[top_k:]
    for result in results:
        search = found[result.model_name]
        try:
            result.ideal = ideal_scores(search.engine.dp, task, result.params, notice)
            if not results.interrupted:
                result.sensitivity = search.sensitivity()
        except KeyboardInterrupt:  # seconds for a large model: the ranking stands without
            results.interrupted = True
            break
    return results


@dataclass(frozen=True)
class _Judged:
    """Parts that a model is judged on, and what it did in every sweep."""

    parts: Sequence[Part]
    voltages: Sequence[np.ndarray]
    spikes: Sequence[np.ndarray]


def _compare(results: FitResults, task: Task, judged: Mapping[str, _Judged]) -> None:
    """Say of each result how sure its rank is."""
    if not results:
        return
    scores = []
    for result in results:
        j = judged[result.model_name]
        scores.append([task.score([p], j.voltages, j.spikes)["combined_score"] for p in j.parts])  # type: ignore[index]
    sure = certainty(np.array(scores).reshape(len(results), -1))
    if sure is not None and len(results) > 1:
        for result, first, tied in zip(results, *sure, strict=True):
            result.first, result.tied = float(first), bool(tied)


class _Stop(Exception):
    """A callback has had enough."""


@dataclass
class _Sweep:
    """Searches of all models over a task, and over each of its folds."""

    models: Sequence[type[Neuron]]
    word: int
    dt: float
    budget: int
    top_k: int
    seed: int
    freedom: Freedom
    progress: Progress | None
    notice: Callable[[str], None] | None
    callback: Callback | None
    journal: Path | None = None
    searches: int = 1  # how often each model is searched in all
    engine: Callable[[Datapath], Engine] = FixedPoint  # what candidates are simulated with

    def __post_init__(self) -> None:
        self.evaluations: dict[str, int] = {}

    def run(self, task: Task, found: dict[str, Search]) -> list[str]:
        """Search; the best variant of each model goes into `found`, also when Ctrl-C ends it. Returns who ended early."""
        spent = dict(self.evaluations)
        entrants: dict[str, list[Search]] = {}
        try:
            for model in self.models:
                self._enter(entrants.setdefault(model.__name__, []), model, task, spent.get(model.__name__, 0))
            worth = _worth_all(entrants, self.top_k)
            for name in worth:
                entrants[name][0].run(self.budget)  # the best variant's
            return [n for n, s in entrants.items() if n not in worth and sum(x.evaluations for x in s) < self.budget]
        finally:
            for name, searches in entrants.items():
                self.evaluations[name] = spent.get(name, 0) + sum(s.evaluations for s in searches)
                best = min(searches, key=lambda s: s.loss, default=None)
                if best is not None and best.evaluations:
                    found[name] = best

    def _enter(self, searches: list[Search], model: type[Neuron], task: Task, spent: int) -> None:
        """Add the searches of a model's variants and run their first part; the best, which comes first, gets the rest."""
        variants = len(model.tried)
        for k, choice in enumerate(model.tried):
            share = self.budget * (k + 1) // variants - self.budget * k // variants
            if not share:
                continue
            engine = self.engine(datapath(model.variant(**choice), self.word, self.dt, task.i_span))
            engine.announce(self.notice)
            search = Search(engine, task, budget=share, seed=self.seed, freedom=self.freedom, journal=self.journal)
            searches.append(search)
            search.progress = self._telling(model.__name__, searches, spent)
            search.run(max(math.ceil(EARLY * share), LEAST // variants))
        searches.sort(key=lambda s: s.loss)
        others = sum(s.evaluations for s in searches[1:])
        searches[0].budget = self.budget - others
        searches[0].progress = self._telling(model.__name__, searches[:1], spent + others)

    def _telling(self, name: str, searches: list[Search], spent: int) -> Callable[[int, float], None]:
        told = np.inf

        def tell(*_: object) -> None:
            nonlocal told
            best = min(searches, key=lambda s: s.lowest)
            if self.progress is not None:
                done = spent + sum(s.evaluations for s in searches)
                self.progress(name, done, self.searches * self.budget, best.lowest)
            if self.callback is not None and best.lowest != told:  # higher: where a search begins to see the whole
                told = best.lowest
                values = best.engine.dequantise(best.codes).items()
                params = {**best.engine.dp.model.chosen, **{n: float(v) for n, v in values}}
                if self.callback(name, params, told) is True:
                    raise _Stop

        return tell


def _worth_all(entrants: Mapping[str, list[Search]], top_k: int) -> list[str]:
    """Models that are searched to the end, after all had their first part: the first `top_k` and whoever is near the best."""
    order = sorted(entrants, key=lambda name: entrants[name][0].loss)
    best = entrants[order[0]][0].loss
    return [name for k, name in enumerate(order) if k < top_k or entrants[name][0].loss <= NEAR * best]


def _validate(results: FitResults, task: Task, sweep: _Sweep) -> dict[str, _Judged]:
    """Search every fold anew and score each model on all of them, each as it was fitted without it."""
    voltages = {r.model_name: list(r.voltages) for r in results}
    spikes = {r.model_name: list(r.spikes) for r in results}
    parts: list[Part] = []
    for held in task.folds:
        fold, found = task.without(held), dict[str, Search]()
        sweep.run(fold, found)
        for name, search in found.items():
            apart = assess(search.engine, fold, search.codes)
            for part in fold.split.held_out:
                voltages[name][part.sweep], spikes[name][part.sweep] = (
                    apart.voltages[part.sweep],
                    apart.spikes[part.sweep],
                )
        parts += fold.split.held_out
    for r in results:
        r.held_out = task.score(parts, voltages[r.model_name], spikes[r.model_name])
    return {r.model_name: _Judged(parts, voltages[r.model_name], spikes[r.model_name]) for r in results}
