"""The ranking of a fit as a table: as text, as HTML for notebooks, and as a pandas DataFrame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spikefab.errors import ToolError
from spikefab.markup import table, tag, view

from .board_table import board_sentences, board_table
from .scale_words import levels, scale_sentences
from .views import notices

if TYPE_CHECKING:
    from spikefab.fit.results import FitResults

# columns of the ranking: name of the score, heading, number of decimals
COLUMNS = (
    ("voltage", "voltage", 3),
    ("timing_term", "timing", 3),
    ("count", "count", 3),
    ("masked_rmse", "masked rmse mV", 2),
    ("spike_timing_error", "spike timing ms", 2),
    ("gamma", "gamma", 2),
)
HEADS = ("", "model", "score", "training", "float64", *(heading for _, heading, _ in COLUMNS), "spikes")


def ranking_text(results: "FitResults") -> str:
    """The ranking as text, as `print(results)` shows it: a line per model, what the scores are based on, and the notices."""
    if not results:
        return "<no results>"
    lines = _aligned([HEADS, *_rows(results)])
    board = [] if (found := board_table(results)) is None else ["", *_aligned([found[0], *found[1]])]
    return "\n".join(
        [*lines, *scale_sentences(results), _basis(results), *results.notes, *board, *board_sentences(results)]
    )


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; the first two columns are to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def ranking_html(results: "FitResults") -> str:
    """The ranking as HTML, as a notebook shows it."""
    if not results:
        return "<p>no results</p>"
    marks = len(levels(results.scale))
    said = *scale_sentences(results), _basis(results)
    source = (results.input or {}).get("source", "arrays")
    board = board_table(results)
    return view(
        tag("p", f"Models fitted to {source}", css="title"),
        table(HEADS, _rows(results), 2, limits=marks),
        *(tag("p", text, css="soft" if k else "") for k, text in enumerate(said)),
        *([] if board is None else [table(*board, 2), tag("p", *board_sentences(results), css="soft")]),
        *notices(results.notes),
    )


def ranking_frame(results: "FitResults") -> Any:
    """The ranking as a pandas DataFrame, see `FitResults.to_dataframe`. Raises ToolError without pandas."""
    try:
        import pandas
    except ImportError:
        raise ToolError("to_dataframe needs pandas: pip install pandas.") from None
    rows = []
    for r in results:
        s, ideal = r.judged, r.judged_ideal
        rows.append(
            {
                "model": r.model_name,
                "score": s.combined_score,
                "train_score": r.train.combined_score,
                "ideal_score": None if ideal is None else ideal.combined_score,
                "validated": r.validated,
                "voltage": s.voltage,
                "timing": s.timing,
                "pattern": s.pattern,
                "timing_term": s.timing_term,
                "count": s.count,
                "masked_rmse_mV": s.masked_rmse,
                "rmse_mV": r.rmse,
                "spike_timing_error_ms": s.spike_timing_error,
                "gamma": s.gamma,
                "spikes_model": s.spikes_model,
                "spikes_data": s.spikes_data,
                "evaluations": results.evaluations.get(r.model_name),
                **_of_board(r.takes),
            }
        )
    return pandas.DataFrame(rows, index=pandas.RangeIndex(1, len(rows) + 1, name="rank"))


def _of_board(takes: dict[str, Any] | None) -> dict[str, Any]:
    """Further columns, of a fit with a target."""
    if takes is None:
        return {}
    one: Any = takes["one"] or {}
    most = (takes["many"] or one).get("neurons")
    return {name: one.get(name) for name in ("word", "cells", "multipliers", "block_rams", "mhz")} | {"neurons": most}


def _rows(results: "FitResults") -> list[tuple[str, ...]]:
    rows = []
    for rank, r in enumerate(results, 1):
        s, ideal = r.judged, r.judged_ideal
        scores = (r.combined_score, r.train.combined_score, None if ideal is None else ideal.combined_score)
        values = [*(_text(x, 3) for x in scores), *(_text(getattr(s, name), digits) for name, _, digits in COLUMNS)]
        rows.append((f"{rank}.", r.model_name, *values, f"{s.spikes_model}/{s.spikes_data}"))
    for label, level in levels(results.scale):
        values = [_text(x, 3) for x in (level.score, None, None, level.voltage, level.timing, level.count)]
        rows.append(("", label, *(x.replace("-", "") for x in values), *("" for _ in COLUMNS[3:]), ""))
    return rows


def _basis(results: "FitResults") -> str:
    on = "held-out data" if results.best.validated else "the data they were fitted to (not validated)"
    return f"Scores on {on}: 0 is perfect; spikes are the model's / the recording's."


def _text(x: float | None, digits: int) -> str:
    return "-" if x is None else f"{x:.{digits}f}"
