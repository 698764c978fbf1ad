"""Numbers as text: the delimiter of columns, the decimal sign, thousands separators, empty cells, and lines that are at fault."""

import contextlib
import csv
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import FileError

Rows = Sequence[tuple[int, str]]  # number of each line in the file, and its text

# Numbers of a line that is a sweep, at least; and how many times more than there are lines.
WIDE, WIDER = 100, 5
FIRST = 1000  # number of lines of data that are examined for a decimal comma
# Whole cells with thousands separators, by decimal sign: 1.000,5 and 1'000,5; 1,000.5 and 1'000.5. Spaces may separate too.
GROUPED = {
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(?:(?:\.\d{3})+|(?:['’\u00a0\u202f ]\d{3})+)(?:,\d*)?"),
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(?:(?:,\d{3})+|(?:['’\u00a0\u202f ]\d{3})+)(?:\.\d*)?"),
}
# what other programs write for a number that is not there: R, spreadsheets, data bases
MISSING = frozenset(("", "na", "n/a", "#n/a", "#nv", "null", "none", "--", "-"))
SEPARATORS = re.compile(r"['’\u00a0\u202f ]")


def delimiter_of(line: str) -> str | None:
    """The delimiter in a line of data; None stands for white space."""
    for delimiter in (";", "\t"):
        if delimiter in line:
            return delimiter
    # Commas separate columns only if all the text between them is numbers: in "0,1 -70,052" they are decimal signs.
    found = [cell.replace(",", ".") for cell in cells(line, ",") if cell] if "," in line else []
    return "," if found and all(map(is_number, found)) else None


def cells(line: str, delimiter: str | None) -> list[str]:
    """The fields of a line without quotes and white space around them."""
    found = line.split(delimiter)
    if delimiter and '"' in line:
        with contextlib.suppress(csv.Error):  # raised for a quote that is never closed
            found = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    return [cell.strip().strip('"').strip() for cell in found]


def is_number(cell: str) -> bool:
    """Whether a cell is a number with a decimal point."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def is_data(line: str) -> bool:
    """Whether every field of the line is a number."""
    delimiter = delimiter_of(line)
    comma = _has_decimal_comma([line], delimiter)
    found = [cell for cell in cells(_with_points(line, delimiter) if comma else line, delimiter) if cell]
    return bool(found) and all(is_number(cell) or (bool(delimiter) and _is_grouped(cell)) for cell in found)


def parse(path: Path, rows: Rows, delimiter: str | None, notes: list[str]) -> NDArray[np.float64]:
    """The numbers (T, columns) in lines of data. Empty cells at the end of columns are NaN.

    Raises FileError, with the number of the bad line, if the lines are not a table of numbers.
    """
    comma = _has_decimal_comma([line for _, line in rows[:FIRST]], delimiter)
    data = [_with_points(line, delimiter) if comma else line for _, line in rows]
    # A point where the decimal sign is a comma stands between thousands: loadtxt would take 1.000 for 1.
    pointed = comma and any("." in line for _, line in rows)
    try:
        if pointed:
            raise ValueError
        values = _loaded(data, delimiter)
    except ValueError:
        filled = _filled(data, delimiter) if delimiter and not pointed else None
        values = _unusual(path, rows, delimiter, comma, notes) if filled is None else filled
    finite = np.isfinite(values)
    if not finite.all():
        # What is missing at the end of a column, or of a line that is a sweep, is padding; elsewhere it is a fault.
        axis = int(is_wide(values))
        later = np.flip(np.logical_or.accumulate(np.flip(finite, axis), axis), axis)
        faults = np.argwhere((later & ~finite) | np.isinf(values))
        if len(faults):
            row, column = faults[0]
            number, line = rows[row]
            raise FileError(_gap(path, number, line, int(column), delimiter))
    return values


def is_wide(values: NDArray[np.float64]) -> bool:
    """Whether the lines of a file are signals: a few lines of many numbers each."""
    return values.shape[1] >= max(WIDE, WIDER * len(values))


def _has_decimal_comma(lines: Sequence[str], delimiter: str | None) -> bool:
    """Whether the decimal sign is a comma: there is a comma in some number and a point in none."""
    if any("." in line for line in lines):
        return False
    if delimiter == ",":
        return any("," in quoted for line in lines for quoted in re.findall(r'"[^"]*"', line))
    return any("," in line for line in lines)


def _with_points(line: str, delimiter: str | None) -> str:
    """The line with decimal points in place of decimal commas."""
    if delimiter == ",":
        return re.sub(r'"[^"]*"', lambda quoted: quoted[0].replace(",", "."), line)
    return line.replace(",", ".")


def _is_grouped(cell: str) -> bool:
    """Whether a cell is a number with thousands separators or a decimal comma."""
    return bool(re.fullmatch(r"[+-]?\d+,\d+", cell)) or any(form.fullmatch(cell) for form in GROUPED.values())


def _gap(path: Path, number: int, line: str, column: int, delimiter: str | None) -> str:
    """The message for a value that is missing, though more follow below it."""
    found = cells(line, delimiter)
    if column >= len(found) or not found[column]:
        return f"{path}, line {number}: column {column + 1} is empty (columns must have the same length)."
    return f"{path}, line {number}: the value in column {column + 1} is not a number (NaN or infinite)."


def _loaded(data: list[str], delimiter: str | None) -> NDArray[np.float64]:
    return np.loadtxt(data, delimiter=delimiter, ndmin=2, quotechar='"', comments=None, dtype=np.float64)


def _filled(data: list[str], delimiter: str) -> NDArray[np.float64] | None:
    """The numbers of a table in which only empty cells are unusual, or None: much faster than `_unusual`."""
    empty = re.compile(rf"(?:^|(?<={delimiter}))(?={delimiter}|$)")
    try:
        return _loaded([empty.sub("nan", line) for line in data], delimiter)
    except ValueError:
        return None


def _unusual(path: Path, rows: Rows, delimiter: str | None, comma: bool, notes: list[str]) -> NDArray[np.float64]:
    """The numbers of a table that numpy does not take: with empty cells, lines that end early, or thousands separators.

    Raises FileError if it is none of these.
    """
    table = [cells(line, delimiter) for _, line in rows]
    widths = [len(row) for row in table]
    wide = min(widths) >= max(WIDE, WIDER * len(table))
    width = max(widths) if wide else widths[0]
    # Where columns have ended, lines may be shorter: then at least two are, and none is longer than the one above it.
    short = next((k for k, n in enumerate(widths) if n < width), len(widths))
    ends = wide or (short < len(widths) - 1 and all(a >= b for a, b in pairwise(widths)))
    sign, confirmed = _decimal_sign(table, comma)
    values = np.full((len(table), width), np.nan)
    grouped = ""
    for k, row in enumerate(table):
        if widths[k] > width or (widths[k] < width and not ends):
            raise FileError(f"{path}, line {rows[k][0]}: {widths[k]} values where the lines above have {width}.")
        for c, cell in enumerate(row):
            if cell.lower() in MISSING:
                continue
            plain = cell.replace(",", ".") if sign == "," and "." not in cell else cell
            if GROUPED[sign].fullmatch(cell) and (confirmed or SEPARATORS.search(cell)):
                plain = SEPARATORS.sub("", cell).replace("." if sign == "," else ",", "").replace(",", ".")
                grouped = grouped or f"{cell} is read as {plain}"
            elif sign == "," and "." in cell:
                plain = ""
            try:
                values[k, c] = float(plain)
            except ValueError:
                raise FileError(f"{path}, line {rows[k][0]}: {cell[:40]!r} is not a number.") from None
    if grouped:
        notes.append(f"numbers have thousands separators: {grouped}")
    return values


def _decimal_sign(table: list[list[str]], comma: bool) -> tuple[str, bool]:
    """The decimal sign of a table, and whether a cell with both signs, such as 1.000,5, shows what the other one is for."""
    both = [cell for row in table for cell in row if "," in cell and "." in cell]
    for sign in (",", ".") if both else ():
        if all(GROUPED[sign].fullmatch(cell) for cell in both):
            return sign, True
    return "," if comma or any("," in cell for cell in table[0]) else ".", False
