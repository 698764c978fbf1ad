"""Text to a table of numbers: delimiter, decimal sign, header, and the line of whatever is no number."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefab.hw.errors import FileError


@dataclass(frozen=True, eq=False)
class Table:
    """values (T, columns); names, one a column, or empty without a header; lines (T,): where each row stands in the
    file.
    """

    path: Path
    values: NDArray[np.float64]
    names: list[str]
    lines: list[int]


def read_table(path: Path) -> Table:
    """The numbers in a text file separated by comma, semicolon, tab or white space; raises FileError naming the bad
    line.
    """
    raw = path.read_bytes()
    if b"\0" in raw:
        raise FileError(f"{path} is not text: it cannot be read as a table of numbers.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    rows = [(k, line.strip(" \r\n")) for k, line in enumerate(text.split("\n"), 1) if line.strip()]
    start = next((k for k, (_, line) in enumerate(rows) if _is_data(line)), None)
    if start is None:
        raise FileError(f"{path} holds no line of numbers.")
    first = rows[start][1]
    delimiter, comma = _layout(first)
    if delimiter and first.endswith(delimiter):
        rows = [(k, line.removesuffix(delimiter)) for k, line in rows]
    data = [line.replace(",", ".") if comma else line for _, line in rows[start:]]
    lines = [k for k, _ in rows[start:]]
    try:
        values = np.loadtxt(data, delimiter=delimiter, ndmin=2, quotechar='"', comments=None, dtype=np.float64)
    except ValueError:
        raise FileError(_first_fault(path, data, lines, delimiter)) from None
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise FileError(
            f"{path}, line {lines[row]}: the value in column {column + 1} is not a number (NaN or infinite)."
        )
    for number, line in rows[:start]:
        cells = _cells(line, delimiter)
        if len(cells) == values.shape[1] and _is_number(cells[0]):
            raise FileError(f"{path}, line {number}: text among numbers ({line[:40]}).")
    names = _names([line for _, line in rows[:start]], delimiter, values.shape[1])
    return Table(path, values, names, lines)


def _layout(line: str) -> tuple[str | None, bool]:
    """The delimiter of a line of data (None: white space), and whether its decimal sign is a comma."""
    for delimiter in (";", "\t"):
        if delimiter in line:
            return delimiter, "," in line and "." not in line
    return ("," if "," in line else None), False


def _cells(line: str, delimiter: str | None) -> list[str]:
    return [cell.strip().strip('"').strip() for cell in line.split(delimiter)]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_data(line: str) -> bool:
    delimiter, comma = _layout(line)
    cells = [cell for cell in _cells(line.replace(",", ".") if comma else line, delimiter) if cell]
    return bool(cells) and all(_is_number(cell) for cell in cells)


def _names(header: list[str], delimiter: str | None, columns: int) -> list[str]:
    """One name a column from the lines above the data: a line of names, more of them (units below), or one name a
    line.
    """
    header = [re.sub(r"^[#%]+\s*", "", line) for line in header]
    found = []
    for line in header:
        cells = _cells(line, delimiter)
        if delimiter is None and len(cells) != columns:
            cells = _cells(re.sub(r"\s+(?=[\[(])", "", line), delimiter)  # "V (mV)" is one name
        if len(cells) == columns:
            found.append(cells)
    if found:
        return [" ".join(cell for cell in cells if cell) for cells in zip(*found, strict=True)]
    if len(header) == columns:
        return [line.strip().strip('"').strip() for line in header]
    return []


def _first_fault(path: Path, data: list[str], lines: list[int], delimiter: str | None) -> str:
    width = len(_cells(data[0], delimiter))
    for number, line in zip(lines, data, strict=True):
        cells = _cells(line, delimiter)
        if len(cells) != width:
            return f"{path}, line {number}: {len(cells)} values where the lines above have {width}."
        for column, cell in enumerate(cells, 1):
            if not cell:
                return f"{path}, line {number}: column {column} is empty (columns must have the same length)."
            if not _is_number(cell):
                return f"{path}, line {number}: {cell[:40]!r} is not a number."
    return f"{path} is not an even table of numbers."
