"""A fit for a board: the models that fit it, the word at which each result is built, and what it then takes of the board.

A search runs at one word. Its best parameters are then simulated at every other word at which the model fits the board, and in
float64: the word of the result is the shortest whose training score is at most 2 % (`COST`) above the lowest of these.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from spikefab.boards.estimates import Estimate, estimate, population
from spikefab.boards.table import Board
from spikefab.errors import DoesNotFitError
from spikefab.fit.scoring.task import Task
from spikefab.hw.datapath import datapath
from spikefab.hw.neuron import Neuron
from spikefab.sim.ahead import Ahead
from spikefab.sim.engine import FixedPoint

from .assess import assess, ideal_scores
from .options import FitOptions
from .result import FitResult

COST = 0.02  # of the score, relative: what a shorter word may cost
Model = type[Neuron]


def fitting(models: Sequence[Model], board: Board, word: int, step: float) -> tuple[tuple[Model, ...], list[str]]:
    """Those of the models that are estimated to fit a board at a word, and for each of the others a sentence that says why.

    A model with several variants fits if one of them does. Raises DoesNotFitError if none of the models fits.
    """
    kept, refused = [], []
    for model in models:
        why = [_refusal(model.variant(**choice)(word=word, dt=step), board) for choice in model.tried]
        if all(why):
            refused.append(f"{model.__name__} does not fit {board.name} at word {word}: {why[0]} (estimated).")
        else:
            kept.append(model)
    if not kept:
        raise DoesNotFitError(" ".join(refused))
    return tuple(kept), refused


def suited(options: FitOptions, notice: Callable[[str], None]) -> FitOptions:
    """The options with those of the models that fit the target, if there is one. Calls `notice` for each of the others."""
    if options.board is None:
        return options
    kept, refused = fitting(options.models, options.board, options.searched_word, options.step)
    for text in refused:
        notice(text)
    return options if not refused else replace(options, models=kept)


def _refusal(neuron: Neuron, board: Board) -> str:
    one = estimate(neuron, board)
    assert one is not None, f"there is no estimate for {board.name}"  # FitOptions has looked
    return one.refused


def at_each_word(
    results: Sequence[FitResult], task: Task, board: Board, words: Sequence[int], notice: Callable[[str], None]
) -> list[dict[int, FitResult]]:
    """For each result: the words at which its model fits the board, and the result with the same parameters there."""
    engines = []
    for result in results:
        model, made = result.model, {}
        for word in words:
            if not _refusal(model(word=word, dt=result.dt, i_span=result.i_span), board):
                made[word] = FixedPoint(datapath(model, word, result.dt, result.i_span))
        # if no word fits, it stays as it is, and its estimate says so: only another variant of the model fitted
        engines.append(made or {result.word: FixedPoint(result.datapath)})
    found = []
    with Ahead((engine for made in engines for engine in made.values()), notice) as ahead:
        for result, made in zip(results, engines, strict=True):
            there: dict[int, FitResult] = {}
            for word, engine in made.items():
                there[word] = result
                if word != result.word:
                    ahead.ready(engine)
                    there[word] = assess(engine, task, engine.quantise(result.params)[0])
                    there[word].searched = result.searched
            found.append(there)
    return found


def chosen(result: FitResult, there: dict[int, FitResult], task: Task) -> FitResult:
    """The result at the word that the rule above chooses; `words` of it has the training score at each, and in float64."""
    ideal = ideal_scores(result.datapath, task, result.params)
    assert ideal["train"] is not None
    exact = ideal["train"].combined_score
    scores = {word: one.train.combined_score for word, one in there.items()}
    best = min(*scores.values(), exact)
    good = [word for word, score in scores.items() if score <= (1 + COST) * best]
    best_of_them = there[min(good) if good else min(scores, key=scores.__getitem__)]
    best_of_them.words = {str(word): score for word, score in scores.items()} | {"float64": exact}
    return best_of_them


def taken(result: FitResult, board: Board) -> dict[str, Any]:
    """What a result takes of a board, estimated: one neuron, and as many as the board holds (None if that is less than two)."""
    neuron = result.create_model()
    one, many = estimate(neuron, board), population(neuron, board)
    return {"one": _plain(one), "many": None if many is None or many.refused else _plain(many)}


def _plain(found: Estimate | None) -> dict[str, Any] | None:
    return None if found is None else found.as_dict()
