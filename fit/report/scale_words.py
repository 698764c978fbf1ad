"""The scale of the scores (floor, ceiling, and where a model is between them) in words, for terminal, report and Studio."""

from typing import TYPE_CHECKING

from spikefab.fit.scoring import scores
from spikefab.fit.scoring.scale import timing_sentence

if TYPE_CHECKING:
    from spikefab.fit.results import FitResults
    from spikefab.fit.scoring.scale import Level, Scale

# names of floor and ceiling, and where the ceiling is from
FLOOR = "floor (flat line, chance)"
CEILING = {"neighbours": "ceiling (neighbours)", "repeats": "ceiling (repeats)"}


def levels(scale: "Scale | None") -> "list[tuple[str, Level]]":
    """The marks of a scale with their names, for the last lines of a ranking: the ceiling if it is known, and the floor."""
    if scale is None:
        return []
    above = [(CEILING[scale.ceiling_from or ""], scale.ceiling)] if scale.ceiling is not None else []
    return [*above, (FLOOR, scale.floor)]


def scale_sentences(results: "FitResults") -> list[str]:
    """What floor and ceiling are, how far the best model is from one to the other, and what the timing term holds."""
    scale = results.scale
    if scale is None or not results:
        return []
    return [s for s in (_reached(results), _floor(scale), _ceiling(results), timing_sentence(scale)) if s]


def _reached(results: "FitResults") -> str:
    scale, best = results.scale, results.best
    assert scale is not None
    way = scale.reached(best.combined_score)
    if way is None or scale.ceiling is None:
        return ""
    name, score = best.model_name.removesuffix("Neuron"), f"{best.combined_score:.3f}"
    low, high = f"{scale.floor.score:.3f}", f"{scale.ceiling.score:.3f}"
    if way < 0:
        return f"{name} ({score}) is worse than the floor ({low})."
    if way >= 1:
        return f"{name} ({score}) predicts the cell as well as the cell predicts itself ({high})."
    return f"{name} ({score}) is {100 * way:.0f} % of the way from the floor ({low}) to the ceiling ({high})."


def _floor(scale: "Scale") -> str:
    return (
        f"Floor: the best constant voltage, spikes at random times (timing {scale.chance_timing:.2f})"
        " and no spike counted."
    )


def _ceiling(results: "FitResults") -> str:
    scale, s = results.scale, results.best.judged
    assert scale is not None
    if scale.ceiling is None:
        return "Ceiling: unknown, as no stimulus was repeated and no step has a neighbour on either side."
    if scale.ceiling_from == "neighbours":
        return "Ceiling: each sweep as the mean of the two that were recorded with the neighbouring amplitudes."
    found = []
    if s.repeat_rmse is not None:
        found.append(f"repeats of the neuron itself differ by {s.repeat_rmse:.2f} mV outside spikes")
    if s.reliability is not None:
        r = s.reliability
        weak = "" if r >= scores.PREDICTABLE else f", below {scores.PREDICTABLE:g}: its spikes are not predictable"
        found.append(f"its spikes repeat with a reliability R of {r:.2f} (within {scores.DELTA:g} ms){weak}")
    return f"Ceiling: each sweep as another repeat of it{''.join(f'; {text}' for text in found)}."
