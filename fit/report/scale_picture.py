"""The scale of the scores as a picture for the report: floor, ceiling and the first models on one line for each part."""

from typing import TYPE_CHECKING

from spikefab.fit.scoring.scale import Level
from spikefab.markup import Markup, table, tag

from .html import key

if TYPE_CHECKING:
    from spikefab.fit.results import FitResults

# part of the score: name in the picture
PARTS = (("score", "score"), ("voltage", "voltage"), ("timing", "timing"), ("count", "count"))
COLOURS = ("first", "second", "third")  # variables of the page: colours of the first three models
LONGEST = 1.5  # largest value on a line; a model beyond it is drawn at its end


def scale_picture(results: "FitResults") -> list[Markup]:
    """A table with a line for the score and for each of its parts; nothing for results from a file without a scale."""
    scale = results.scale
    if scale is None:
        return []
    shown = [Level.of(r.judged) for r in results[: len(COLOURS)]]
    names = [r.model_name.removesuffix("Neuron") for r in results[: len(COLOURS)]]
    rows: list[list[object]] = []
    for part, label in PARTS:
        floor, ceiling = getattr(scale.floor, part), None if scale.ceiling is None else getattr(scale.ceiling, part)
        values = [getattr(level, part) for level in shown]
        strong = part == "score"
        rows.append(
            [
                tag("b", label) if strong else label,
                line(values, floor, ceiling),
                _number(ceiling),
                tag("b", _number(values[0])) if strong else _number(values[0]),
                _number(floor),
                _way(values[0], floor, ceiling),
            ]
        )
    marks = [*zip(names, COLOURS, strict=False), ("as good as the cell itself", "ceiling"), ("knows nothing", "floor")]
    return [
        tag("p", key(marks), css="marks"),
        table(["", "0 is perfect", "ceiling", names[0], "floor", "way"], rows, 2, css="scale"),
    ]


def line(values: list[float | None], floor: float | None, ceiling: float | None) -> Markup:
    """One line from 0 to 1 or a bit more, with the floor from its value on, the ceiling up to its value, and the models."""
    known = [x for x in (*values, floor, 1.0) if x is not None]
    full = 1.03 * min(LONGEST, max(known))

    def at(x: float) -> str:
        return f"{100 * min(x, full) / full:.1f}%"

    pieces = []
    if floor is not None:
        pieces.append(f'<i class="floor" style="left:{at(floor)}"></i>')
    if ceiling is not None:
        pieces.append(f'<i class="ceiling" style="width:{at(ceiling)}"></i>')
    # the best model is drawn last, above the others
    for x, colour in reversed([*zip(values, COLOURS, strict=False)]):
        if x is not None:
            pieces.append(f'<b style="left:{at(x)};--c:var(--{colour})"></b>')
    return Markup(f'<div class="line" aria-hidden="true">{"".join(pieces)}</div>')


def _way(value: float | None, floor: float | None, ceiling: float | None) -> str:
    if value is None or floor is None or ceiling is None or floor <= ceiling:
        return "-"
    return f"{100 * (floor - value) / (floor - ceiling):.0f} %"


def _number(x: float | None) -> str:
    return "-" if x is None else f"{x:.3f}"
