"""From a recording to ranked models: the whole fit."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spikefab.hw.datapath import Datapath, datapath
from spikefab.hw.errors import UsageError
from spikefab.hw.models import MODELS, get_model
from spikefab.hw.neuron import Neuron
from spikefab.sim import ideal, kernels

from .ranking import certainty
from .recording import Recording
from .results import FitResult, FitResults
from .scores import WEIGHTS
from .search import Search
from .space import Freedom
from .split import RULES
from .task import Task

BUDGET = 20_000  # evaluations a model
EARLY = 0.25  # share of the budget that every model gets
NEAR = 1.3  # times the best model's loss by then: who is worse, and not among the first, ends early

Progress = Callable[[str, int, int, float], None]


def fit(
    recording: Recording | None = None,
    *,
    voltage: ArrayLike | None = None,
    current: ArrayLike | None = None,
    dt: float = 0.1,
    models: Iterable[str] | None = None,
    word: int = 18,
    top_k: int = 5,
    budget: int = BUDGET,
    seed: int = 0,
    held_out: str = "auto",
    weights: Sequence[float] = WEIGHTS,
    free: Iterable[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
) -> FitResults:
    """Fit models in fixed point and rank them on what they have not seen; best first.

    recording  a `Recording`, or instead:
    voltage    (T,) or (sweeps, T) mV, and current, the same shape, nA, both sampled every `dt` ms
    dt         ms, the step of the hardware: a recording on another step is resampled
    models     names; all by default
    word       16, 18 or 24 bits
    top_k      how many results to return, at most one a model
    budget     evaluations a model
    seed       the same seed gives the same result
    held_out   what the ranking is on, `split.RULES`: "auto", "amplitudes", "tail" (the last third of each sweep), "none"
    weights    of voltage, timing and count in the score
    free       parameters that are searched, in models that have them; by default all that a recording does not say
    fixed      parameters and the values at which they are held
    bounds     parameters and (lo, hi) to search between, instead of around what was measured
    progress   called as progress(model, evaluations, budget, best loss)
    notice     called with one sentence at a time: warnings about the recording, a kernel that is being compiled

    Ctrl-C ends the search and returns the best so far, with `interrupted` set.
    Raises UsageError for options, RecordingError for a recording that cannot be fitted.
    """
    if (recording is None) == (voltage is None):
        raise UsageError("give fit either a recording, or voltage and current.")
    if budget < 1 or top_k < 1:
        raise UsageError("budget and top_k must be at least 1.")
    if recording is None:
        if current is None:
            raise UsageError("fit needs the injected current (nA) beside the voltage (mV).")
        recording = Recording.from_arrays(voltage, current, dt)  # type: ignore[arg-type]
    chosen = [get_model(name) for name in models] if models is not None else list(MODELS.values())
    if not chosen:
        raise UsageError(f"no model was named: there are {', '.join(MODELS)}.")
    if held_out not in RULES:
        raise UsageError(f"held_out is one of {', '.join(RULES)}, not {held_out}.")
    if len(weights) != 3 or min(weights) < 0 or not 0 < sum(weights) < math.inf:
        raise UsageError("weights are three numbers of 0 or more, not all 0: of voltage, timing and count.")
    freedom = Freedom(None if free is None else tuple(free), dict(fixed or {}), dict(bounds or {}))
    freedom.check(chosen)
    task = Task.of(recording, dt, held_out, (float(weights[0]), float(weights[1]), float(weights[2])))
    results = FitResults(
        task=task,
        settings={
            "word": word,
            "dt": dt,
            "top_k": top_k,
            "budget": budget,
            "seed": seed,
            "held_out": held_out,
            "weights": list(task.weights),
            "free": None if freedom.free is None else list(freedom.free),
            "fixed": dict(freedom.fixed),
            "bounds": {n: list(ends) for n, ends in freedom.bounds.items()},
            "models": [m.__name__ for m in chosen],
        },
    )
    for text in task.notes:
        if notice is not None:
            notice(text)
    entrants: dict[str, list[Search]] = {}
    try:
        for model in dict.fromkeys(chosen):
            searches = entrants.setdefault(model.__name__, [])
            _enter(searches, model, word, dt, task, budget, seed, freedom, progress, notice)
        for name in _worth_all(entrants, top_k):
            entrants[name][0].run(budget)  # the best variant's
    except KeyboardInterrupt:
        results.interrupted = True
    for name, searches in entrants.items():
        results.evaluations[name] = sum(s.evaluations for s in searches)
        best = min(searches, key=lambda s: s.loss, default=None)
        if best is not None and best.evaluations:
            try:
                results.append(assess(best.dp, task, best.codes))
            except KeyboardInterrupt:  # what was found is kept: scoring it takes a second or two
                results.append(assess(best.dp, task, best.codes))
                results.interrupted = True
    results.sort(key=lambda r: r.combined_score)
    try:
        _compare(results, task)
    except KeyboardInterrupt:  # the ranking stands without
        results.interrupted = True
    del results[top_k:]
    for result in results:
        try:
            result.ideal = ideal_scores(datapath(result.model, word, dt, task.i_span), task, result.params)
        except KeyboardInterrupt:  # seconds for a large model: the ranking stands without
            results.interrupted = True
            break
    return results


def _compare(results: FitResults, task: Task) -> None:
    """Say of each result how sure its rank is."""
    parts = task.split.held_out or task.split.train
    scores = [[task.score([p], r.voltages, r.spikes)["combined_score"] for p in parts] for r in results]  # type: ignore[index]
    sure = certainty(np.array(scores).reshape(len(results), len(parts)))
    if sure is not None and len(results) > 1:
        for result, first, tied in zip(results, *sure, strict=True):
            result.first, result.tied = float(first), bool(tied)


def _enter(
    searches: list[Search],
    model: type[Neuron],
    word: int,
    dt: float,
    task: Task,
    budget: int,
    seed: int,
    freedom: Freedom,
    progress: Progress | None,
    notice: Callable[[str], None] | None,
) -> None:
    """Add the searches of a model's variants and run their first part; the best, which comes first, gets the rest."""
    variants = len(model.tried)
    for k, choice in enumerate(model.tried):
        share = budget * (k + 1) // variants - budget * k // variants
        if not share:
            continue
        dp = datapath(model.variant(**choice), word, dt, task.i_span)
        kernels.announce(dp, notice)
        search = Search(dp, task, budget=share, seed=seed, freedom=freedom)
        searches.append(search)
        if progress is not None:
            search.progress = partial(_tell, progress, model.__name__, budget, searches)
        search.run(math.ceil(EARLY * share))
    searches.sort(key=lambda s: s.loss)
    searches[0].budget = budget - sum(s.evaluations for s in searches[1:])


def _worth_all(entrants: Mapping[str, list[Search]], top_k: int) -> list[str]:
    """Models that are searched to the end, after all had their first part: the first `top_k` and whoever is near the best."""
    order = sorted(entrants, key=lambda name: entrants[name][0].loss)
    best = entrants[order[0]][0].loss
    return [name for k, name in enumerate(order) if k < top_k or entrants[name][0].loss <= NEAR * best]


def _tell(progress: Progress, name: str, budget: int, all_of: list[Search], *_: float) -> None:
    progress(name, sum(s.evaluations for s in all_of), budget, min(s.loss for s in all_of))


def assess(dp: Datapath, task: Task, codes: np.ndarray) -> FitResult:
    """Simulate codes (coefficients,) over every sweep of a task and score them; `ideal_scores` are for those kept."""
    sweeps = task.recording.sweeps
    initial = kernels.settle(dp, codes[None], dp.current.encode(task.baselines))
    voltage, spikes = [], []
    for k, sweep in enumerate(sweeps):
        batch = kernels.simulate(
            dp,
            codes,
            dp.current.encode(sweep.current),
            initial=initial[:, k],
            max_spikes=len(sweep.voltage),
            trace=True,
        )
        assert batch.trace is not None
        voltage.append(batch.trace[0, 0])
        spikes.append(batch.spikes[0, 0, : batch.count[0, 0]] * task.dt)
    train = task.score(task.split.train, voltage, spikes)
    assert train is not None
    exact = {n: float(v) for n, v in dp.dequantise(codes).items()}
    return FitResult(
        model_name=dp.model.__name__,
        settings=dict(dp.model.chosen),
        params=exact,
        codes=dict(zip(dp.coefficients, map(int, codes), strict=True)),
        initial=[dict(zip(dp.states, map(int, row), strict=True)) for row in initial[0]],
        word=dp.word,
        dt=dp.dt,
        i_span=dp.i_span,
        train=train,
        held_out=task.score(task.split.held_out, voltage, spikes),
        ideal={"train": None, "held_out": None},
        currents=[np.asarray(s.current) for s in sweeps],
        voltages=voltage,
        spikes=spikes,
        data=[s.voltage for s in sweeps],
    )


def ideal_scores(dp: Datapath, task: Task, params: Mapping[str, float]) -> dict[str, Any]:
    """The same scores for the same parameters in float64."""
    coefficients = ideal.real_coefficients(dp, dict(params))
    longest = max(len(s.voltage) for s in task.recording.sweeps)
    current = np.zeros((longest, len(task.recording.sweeps)))
    for k, s in enumerate(task.recording.sweeps):
        current[: len(s.voltage), k] = s.current
    rest = {n: np.full(current.shape[1], x) for n, x in ideal.rest(dp, coefficients).items()}
    held = np.broadcast_to(task.baselines, (round(kernels.SETTLE / dp.dt), current.shape[1]))
    _, _, states = ideal.run(dp, rest, coefficients, held)
    v, fired, _ = ideal.run(dp, states, coefficients, current)
    voltage = [v[: len(s.voltage), k] for k, s in enumerate(task.recording.sweeps)]
    spikes = [np.flatnonzero(fired[: len(s.voltage), k]) * dp.dt for k, s in enumerate(task.recording.sweeps)]
    parts = task.split
    return {"train": task.score(parts.train, voltage, spikes), "held_out": task.score(parts.held_out, voltage, spikes)}
