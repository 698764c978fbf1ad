"""What the results of a fit with a target take of the board, as a table: for the command line, as text and as HTML."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikefab.fit.results import FitResults


def board_table(results: "FitResults") -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    """The heads and the rows, in the order of the ranking; None for a fit without a target."""
    shown = [(rank, r) for rank, r in enumerate(results, 1) if r.takes is not None]
    if not shown:
        return None
    words = list(dict.fromkeys(word for _, r in shown for word in r.words))
    words.sort(key=lambda word: (word == "float64", word))
    heads = ("", "model", "word", *words, "cells", "multipliers", "block RAMs", "MHz", "neurons")
    rows = []
    for rank, r in shown:
        costs = [f"{r.words[word]:.3f}" if word in r.words else "-" for word in words]
        one: Any = (r.takes or {}).get("one") or {}
        many: Any = (r.takes or {}).get("many") or one
        taken = [_text(one.get(name)) for name in ("cells", "multipliers", "block_rams", "mhz")]
        rows.append((f"{rank}.", r.model_name, str(r.word), *costs, *taken, _text(many.get("neurons"))))
    return heads, rows


def board_sentences(results: "FitResults") -> list[str]:
    """What the columns of `board_table` are."""
    one: Any = next((r.takes["one"] for r in results if r.takes and r.takes.get("one")), None)
    if one is None:
        return []
    several = any(len(r.words) > 2 for r in results)
    costs = (
        "training score at each word that fits, and in float64; the word is the shortest that costs hardly any. "
        * several
    )
    return [
        f"On {one['board']}: {costs}Cells (may be off by {one['cells_error']:.0%}), multipliers, block RAMs and MHz (by "
        f"{one['mhz_error']:.0%}) of one neuron with its link; neurons: as many as fit and keep up. Estimated, not built."
    ]


def _text(x: float | None) -> str:
    return "-" if x is None else f"{x:,}"
