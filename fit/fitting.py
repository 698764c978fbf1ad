"""The function `fit`: from a recording to ranked models."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spikefab.boards.table import Board
from spikefab.calls import path_of, public
from spikefab.errors import UsageError, shortened
from spikefab.fit.recordings.limits import require_memory_for_fit
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring.certainty import certainty
from spikefab.fit.scoring.split import Part
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.clock import FitClock
from spikefab.fit.search.search import Search
from spikefab.fit.search.searches import Callback, Portion, Progress, Searches, Stopped
from spikefab.hw.datapath import Datapath
from spikefab.interrupts import interruptible
from spikefab.progress import Display, fitting_display
from spikefab.sim.ahead import Ahead
from spikefab.sim.engine import Engine, FixedPoint

from .assess import assess, ideal_engine, ideal_scores
from .options import FitOptions, shows_options
from .results import FitResults
from .target import at_each_word, chosen, suited, taken


@public
@shows_options
def fit(
    recording: Recording | str | Path | None = None,
    *,
    voltage: ArrayLike | None = None,
    current: ArrayLike | None = None,
    dt: float | None = None,
    spike_prominence: float | None = None,
    options: FitOptions | None = None,
    progress: Progress | bool | None = None,
    notice: Callable[[str], None] | None = None,
    callback: Callback | None = None,
    portion: Portion | None = None,
    journal: str | Path | None = None,
    engine: Callable[[Datapath], Engine] = FixedPoint,
    **asked: Any,
) -> FitResults:
    """Fit models in fixed point, and rank them on the held-out part of the recording. The best result is the first.

    recording  a `Recording`, or the path of a file for `read`; or, in its place:
    voltage    (T,) or (sweeps, T) mV, or in a unit that the array carries, see `Recording.from_arrays`
    current    nA, of the same shape
    dt         ms between two samples of these arrays, if they do not carry it (neo); it is also the step of the hardware
               unless `step` is given. With a recording, which has its own sample step, dt is another name of `step`
    spike_prominence
               mV: least prominence of a spike in these arrays or in the file, see `read`
    options    the options of a fit (below) as an object; keywords take precedence over it
    progress   called as progress(model, evaluations, budget, best loss). By default, progress is shown in a notebook and on a
               terminal, with elapsed and remaining time and the notices; False shows none; True shows it as lines on standard
               error if there is neither notebook nor terminal
    notice     called with one sentence at a time: warnings about the recording, or that a kernel is being compiled
    callback   called as callback(model, parameters, loss) when a search has found better parameters; they include the settings
               of the variant and can be passed to `model`. If it returns True, all searches end, and the best results so far
               are returned
    portion    called as portion(model, evaluations, share) when a search begins, and when it changes the part of the training
               data that it uses: from so many evaluations on, losses are over this share, 0 to 1, of the training samples.
               A long recording is searched in a part at first, and then as a whole (share 1); losses on different data
               cannot be compared. With folds, each search without a fold begins anew
    journal    folder in which every loss is kept (8 bytes per evaluation). A fit that was killed and is started again with the
               same arguments does not simulate anything twice and ends with the same result
    engine     what simulates the candidates, see `sim.engine`. `Float64` shows what a search without number formats would
               find; the scores are then not those of the hardware, and codes are the nearest to its real numbers

    Ctrl-C ends the search; the best results so far are returned with `interrupted` set.
    Raises UsageError if the options are wrong, RecordingError if the recording cannot be fitted.
    """
    if (recording is None) == (voltage is None):
        raise UsageError("give fit either a recording, or voltage and current.")
    if recording is None:
        recording = _of_arrays(voltage, current, dt, spike_prominence)
        if options is None and asked.get("step") is None:
            asked["step"] = recording.dt
    elif not isinstance(recording, Recording | str | Path):
        raise UsageError("recording must be what spikefab.read gives, or a path: arrays go to voltage= and current=.")
    elif current is not None:
        raise UsageError("current goes with voltage: the current of a recording is given to spikefab.read.")
    elif dt is not None:
        if asked.get("step") is not None:
            raise UsageError("a recording has a sample step of its own: give step, that of the hardware, and no dt.")
        asked["step"] = dt
    if isinstance(recording, Recording) and voltage is None and spike_prominence is not None:
        raise UsageError("a recording has its spikes already: spike_prominence is given to spikefab.read.")
    for name, given in (("notice", notice), ("callback", callback), ("engine", engine)):
        if given is not None and not callable(given):
            raise UsageError(f"{name} is a function, not {shortened(given)}.")
    refused: list[str] = []
    options = suited(FitOptions.of(options, **asked), refused.append)
    if not isinstance(recording, Recording):
        recording = read(recording, spike_prominence=spike_prominence)
    long = require_memory_for_fit(
        round(sum(len(s.voltage) for s in recording.sweeps) * recording.dt / options.step),
        len(options.models) if options.folds else min(options.top_k, len(options.models)),
    )
    with interruptible():
        task = Task.of(recording, options.step, options.held_out, options.weights, options.folds, options.anyway)
    display, progress = _shown(progress, options)
    with display:
        portion = portion or display.clock.portion
        notice = notice or display.notice
        for text in (*refused, *([f"{long}."] if long else [])):
            notice(text)
        return _fit(task, options, progress, notice, callback, portion, journal, engine)


def _shown(progress: Progress | bool | None, options: FitOptions) -> tuple[Display, Progress | None]:
    """The display of a fit, and what is called with its progress. A caller with a function of its own has a display already."""
    if callable(progress):
        return Display(FitClock(options)), progress
    if not (progress is None or isinstance(progress, bool)):
        raise UsageError(f"progress is True, False or a function, not {progress!r}.")
    if progress is False:
        return Display(FitClock(options)), None
    display = fitting_display(FitClock(options), even_without=progress is True)
    return display, display


def _fit(
    task: Task,
    options: FitOptions,
    progress: Progress | None,
    notice: Callable[[str], None],
    callback: Callback | None,
    portion: Portion | None,
    journal: str | Path | None,
    engine: Callable[[Datapath], Engine],
) -> FitResults:
    """Fit the models to a task, see `fit`."""
    for text in task.notes:
        notice(text)
    results = FitResults(task=task, settings=options.to_dict())
    results.options = options
    searches = Searches(
        options.models, word=options.searched_word, step=options.step, budget=options.budget, top_k=options.top_k,
        seed=options.seed, freedom=options.freedom, searches=1 + len(task.folds), progress=progress, notice=notice,
        callback=callback, portion=portion, journal=None if journal is None else path_of(journal, "journal"), engine=engine,
        whole_budget=options.whole_budget,
    )  # fmt: skip
    found: dict[str, Search] = {}
    try:
        with interruptible():
            results.ended_early = searches.run(task, found)
    except (KeyboardInterrupt, Stopped):
        results.interrupted = True
        notice("interrupted: what was found so far is scored.")
    judged = _score(results, task, found)
    if options.board is not None and not results.interrupted:
        _fit_board(results, task, judged, options.board, notice)
    _rank(results, task, searches, judged)
    results.evaluations = searches.evaluations
    del results[options.top_k :]
    _compare_precision(results, task, found, notice)
    if options.board is not None:
        for result in results:
            result.takes = taken(result, options.board)
    return results


def _fit_board(
    results: FitResults, task: Task, judged: dict[str, list[float]], board: Board, notice: Callable[[str], None]
) -> None:
    """Replace the results that can be returned by those at the words that suit a board, and their scores in `judged`."""
    parts = task.split.held_out or task.split.train
    try:
        with interruptible():
            results.sort(key=lambda r: r.combined_score)
            first = results[: results.options.top_k]
            there = at_each_word(first, task, board, results.options.words, notice)
            engines = [ideal_engine(result.datapath, task) for result in first]
            with Ahead(engines, notice) as ahead:
                for k, (result, words, engine) in enumerate(zip(first, there, engines, strict=True)):
                    ahead.ready(engine)
                    results[k] = better = chosen(result, words, task)
                    judged[result.model_name] = task.each_score(parts, better.voltages, better.spikes)
    except KeyboardInterrupt:  # each result is whole, at the word at which it was searched
        results.interrupted = True


def _of_arrays(
    voltage: ArrayLike | None, current: ArrayLike | None, dt: float | None, spike_prominence: float | None
) -> Recording:
    if current is None:
        raise UsageError("fit needs the injected current (nA) beside the voltage (mV).")
    return Recording.from_arrays(voltage, current, dt, spike_prominence=spike_prominence)  # type: ignore[arg-type]


def _score(results: FitResults, task: Task, found: Mapping[str, Search]) -> dict[str, list[float]]:
    """Score the best candidate of each model, and add it to the results. Returns its scores on the parts that judge it.

    Voltages are kept only of results that can be returned, or are needed to judge folds.
    """
    judged, parts = {}, task.split.held_out or task.split.train
    for search in found.values():
        try:
            with interruptible():
                results.append(assess(search.engine, task, search.codes))
        except KeyboardInterrupt:  # scored all the same, as it takes only a second or two
            results.append(assess(search.engine, task, search.codes))
            results.interrupted = True
        result = results[-1]
        result.searched = search.searched(result.params)
        judged[result.model_name] = task.each_score(parts, result.voltages, result.spikes)
        if not task.folds:
            for worse in sorted(results, key=lambda r: r.combined_score)[results.options.top_k :]:
                worse.voltages, worse.spikes = [], []
    return judged


def _rank(results: FitResults, task: Task, searches: Searches, judged: Mapping[str, list[float]]) -> None:
    """Sort the results, best first. With folds, each model is first fitted again without each fold and judged on it.

    judged: the scores of each model on the parts that judge it, if there are no folds
    """
    try:
        with interruptible():
            if task.folds and not results.interrupted:
                judged = _validate(results, task, searches)
            results.sort(key=lambda r: r.combined_score)
            _compare(results, judged)
    except (KeyboardInterrupt, Stopped):  # Ctrl-C ends only the comparison; the results are valid without it
        results.interrupted = True
        results.sort(key=lambda r: r.combined_score)


def _compare_precision(
    results: FitResults, task: Task, found: Mapping[str, Search], notice: Callable[[str], None]
) -> None:
    """For each result, score the parameters in float64 too, and find how far each parameter can change."""
    engines = [ideal_engine(result.datapath, task) for result in results]
    with Ahead(engines, notice) as ahead:
        for result, engine in zip(results, engines, strict=True):
            search = found[result.model_name]
            try:
                with interruptible():
                    ahead.ready(engine)
                    result.ideal = ideal_scores(result.datapath, task, result.params)
                    if not results.interrupted:
                        result.sensitivity = search.sensitivity()
            except KeyboardInterrupt:  # Ctrl-C ends only this step; the ranking is valid without it
                results.interrupted = True
                return


def _compare(results: FitResults, judged: Mapping[str, list[float]]) -> None:
    """Set for each result how certain its rank is."""
    if not results:
        return
    sure = certainty(np.array([judged[result.model_name] for result in results]))
    if sure is not None and len(results) > 1:
        for result, first, tied in zip(results, *sure, strict=True):
            result.first, result.tied = float(first), bool(tied)


def _validate(results: FitResults, task: Task, searches: Searches) -> dict[str, list[float]]:
    """Cross-validation: fit every model again without each fold, and score it on all folds together and on each part of them.

    Each fold is simulated with the parameters that were fitted without it.
    """
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
    return {r.model_name: task.each_score(parts, voltages[r.model_name], spikes[r.model_name]) for r in results}
