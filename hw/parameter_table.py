"""The parameters of a neuron as a table: a list of rows for programs, which terminal and notebook show as a table."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from spikefab.markup import Markup, table, tag, view

from .spec import Param

COLUMNS = ("parameter", "value", "unit", "bounds", "can vary within", "", "meaning")


class ParameterTable(list[dict[str, Any]]):
    """One row (a dict) per parameter.

    name      of the parameter
    value     exactly the value that the codes in the hardware stand for
    unit      of the value, the bounds and the range
    meaning   in words
    bounds    (low, high) between which it was searched; of one that was not, those of the hardware
    free      whether a fit searches it by default; the others are measured in the recording first, and refined
    at_bound  whether it was searched and lies within 1 % of the range from one of the bounds, except for the value 0: without a
              refractory time or adaptation, it is rightly 0
    range     (low, high) within which it alone can change before the training loss grows by a tenth; None if unknown
    """

    @classmethod
    def of(
        cls,
        declared: Mapping[str, Param],
        values: Mapping[str, float],
        searched: Mapping[str, tuple[float, float]] | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
    ) -> Self:
        """The table of parameters with these values; of a fit also the bounds of those that were searched, and their ranges."""
        searched, ranges = searched or {}, ranges or {}
        rows = []
        for name, p in declared.items():
            value = values[name]
            lo, hi = searched.get(name, tuple(map(float, p.bounds)))
            ends = np.array([lo, value, hi])
            low, at, high = np.log(ends) if p.log and lo > 0 and value > 0 else ends
            near = name in searched and not 0.01 < (at - low) / (high - low) < 0.99
            rows.append(
                {
                    "name": name,
                    "value": value,
                    "unit": p.unit,
                    "meaning": p.doc,
                    "bounds": (lo, hi),
                    "free": p.free,
                    "at_bound": bool(near and value),
                    "range": ranges.get(name),
                }
            )
        return cls(rows)

    def __repr__(self) -> str:
        rows = [COLUMNS, *self._rows()]
        shown = [k for k in range(len(COLUMNS)) if k == 0 or any(row[k] for row in rows[1:])]
        widths = [max(len(row[k]) for row in rows) for k in range(len(COLUMNS))]
        number = (1, 3, 4)  # columns aligned right
        lines = [
            "  ".join(row[k].rjust(widths[k]) if k in number else row[k].ljust(widths[k]) for k in shown)
            for row in rows
        ]
        return "\n".join(line.rstrip() for line in lines)

    def to_html(self) -> Markup:
        """The table as HTML, without a style."""
        rows = self._rows()
        shown = [k for k in range(len(COLUMNS)) if k == 0 or any(row[k] for row in rows)]
        cells = [[_cell(k, row[k]) for k in shown] for row in rows]
        return table([_cell(k, COLUMNS[k], "th") for k in shown], cells)

    def _repr_html_(self) -> str:
        return view(self.to_html())

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                p["name"],
                f"{p['value']:.5g}",
                p["unit"],
                _ends(p["bounds"]),
                "" if p["range"] is None else _ends(p["range"]),
                "at its bound" if p["at_bound"] else "" if p["free"] else "measured",
                p["meaning"],
            )
            for p in self
        ]


def _ends(ends: tuple[float, float]) -> str:
    return "{:.4g} .. {:.4g}".format(*ends)


def _cell(column: int, content: str, element: str = "td") -> Markup:
    """A cell; the columns of words are aligned left, and the long one is folded."""
    return tag(element, content, css="wrap" if column == len(COLUMNS) - 1 else "left" if column in (2, 5) else "")
