"""From a recording to ranked models: the whole fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spikefab.errors import UsageError
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring.certainty import certainty
from spikefab.fit.scoring.split import Part
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.search import Search
from spikefab.fit.search.searches import Callback, Progress, Searches, Stopped
from spikefab.hw.datapath import Datapath
from spikefab.sim.engine import Engine, FixedPoint

from .assess import assess, ideal_scores
from .options import FitOptions
from .results import FitResults


def fit(
    recording: Recording | str | Path | None = None,
    *,
    voltage: ArrayLike | None = None,
    current: ArrayLike | None = None,
    dt: float | None = None,
    options: FitOptions | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
    callback: Callback | None = None,
    journal: str | Path | None = None,
    engine: Callable[[Datapath], Engine] = FixedPoint,
    **asked: Any,
) -> FitResults:
    """Fit models in fixed point and rank them on what they have not seen; best first.

    recording  a `Recording`, or the path of one for `read`; or instead:
    voltage    (T,) or (sweeps, T) mV, and current, the same shape, nA, both sampled every `dt` ms
    dt         ms between two samples of these arrays, and the step of the hardware, if `step` is not given. Beside a
               recording, which has a sample step of its own, another name of `step`
    models, word, step, top_k, budget, seed, held_out, folds, weights, free, fixed, bounds
               what a fit is asked: see `FitOptions`, which has the defaults
    options    the same as an object; keywords beside it go before what it says
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
    if recording is None:
        recording = _of_arrays(voltage, current, dt)
        if options is None and asked.get("step") is None:
            asked["step"] = dt
    elif not isinstance(recording, Recording | str | Path):
        raise UsageError("recording must be what spikefab.read gives, or a path: arrays go to voltage= and current=.")
    elif current is not None:
        raise UsageError("current goes with voltage: the current of a recording is given to spikefab.read.")
    elif dt is not None:
        if asked.get("step") is not None:
            raise UsageError("a recording has a sample step of its own: give step, that of the hardware, and no dt.")
        asked["step"] = dt
    options = FitOptions.of(options, **asked)
    if not isinstance(recording, Recording):
        recording = read(recording)
    task = Task.of(recording, options.step, options.held_out, options.weights, options.folds)
    for text in task.notes:
        if notice is not None:
            notice(text)
    results = FitResults(task=task, settings=options.to_dict())
    results.options = options
    searches = Searches(
        options.models, word=options.word, step=options.step, budget=options.budget, top_k=options.top_k,
        seed=options.seed, freedom=options.freedom, searches=1 + len(task.folds), progress=progress, notice=notice,
        callback=callback, journal=None if journal is None else Path(journal), engine=engine,
    )  # fmt: skip
    found: dict[str, Search] = {}
    try:
        results.ended_early = searches.run(task, found)
    except (KeyboardInterrupt, Stopped):
        results.interrupted = True
        if notice is not None:
            notice("interrupted: what was found so far is scored.")
    _score(results, task, found)
    _rank(results, task, searches)
    results.evaluations = searches.evaluations
    del results[options.top_k :]
    _compare_precision(results, task, found, notice)
    return results


def _of_arrays(voltage: ArrayLike | None, current: ArrayLike | None, dt: float | None) -> Recording:
    if current is None:
        raise UsageError("fit needs the injected current (nA) beside the voltage (mV).")
    if dt is None:
        raise UsageError("fit needs dt, the ms between two samples, beside voltage and current.")
    return Recording.from_arrays(voltage, current, dt)  # type: ignore[arg-type]


def _score(results: FitResults, task: Task, found: Mapping[str, Search]) -> None:
    """Add a result for each model that was searched."""
    for search in found.values():
        try:
            results.append(assess(search.engine, task, search.codes))
        except KeyboardInterrupt:  # what was found is kept: scoring it takes a second or two
            results.append(assess(search.engine, task, search.codes))
            results.interrupted = True
        results[-1].searched = search.searched(results[-1].params)


def _rank(results: FitResults, task: Task, searches: Searches) -> None:
    """Sort the results, best first; where there are folds, by models that were fitted without what they are judged on."""
    judged = {r.model_name: _Judged(task.split.held_out or task.split.train, r.voltages, r.spikes) for r in results}
    try:
        if task.folds and not results.interrupted:
            judged = _validate(results, task, searches)
        results.sort(key=lambda r: r.combined_score)
        _compare(results, task, judged)
    except (KeyboardInterrupt, Stopped):  # the models stand without
        results.interrupted = True
        results.sort(key=lambda r: r.combined_score)


def _compare_precision(
    results: FitResults, task: Task, found: Mapping[str, Search], notice: Callable[[str], None] | None
) -> None:
    """Score the parameters of each result in float64 too, and tell how far each parameter can move."""
    for result in results:
        search = found[result.model_name]
        try:
            result.ideal = ideal_scores(search.engine.dp, task, result.params, notice)
            if not results.interrupted:
                result.sensitivity = search.sensitivity()
        except KeyboardInterrupt:  # seconds for a large model: the ranking stands without
            results.interrupted = True
            return


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
        each = [task.score([part], j.voltages, j.spikes) for part in j.parts]
        scores.append([s.combined_score for s in each if s is not None])
    sure = certainty(np.array(scores).reshape(len(results), -1))
    if sure is not None and len(results) > 1:
        for result, first, tied in zip(results, *sure, strict=True):
            result.first, result.tied = float(first), bool(tied)


def _validate(results: FitResults, task: Task, searches: Searches) -> dict[str, _Judged]:
    """Search every fold anew and score each model on all of them, each as it was fitted without it."""
    voltages = {r.model_name: list(r.voltages) for r in results}
    spikes = {r.model_name: list(r.spikes) for r in results}
    parts: list[Part] = []
    for held in task.folds:
        fold, found = task.without(held), dict[str, Search]()
        searches.run(fold, found)
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
