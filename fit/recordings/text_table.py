"""Reads text as a table of numbers: finds delimiter, decimal sign and header; errors name the line that is at fault."""

import contextlib
import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import FileError

FIRST = 1000  # number of lines of data that are examined for a decimal comma


@dataclass(frozen=True, eq=False)
class Table:
    """A table of numbers from a file.

    values  (T, columns)
    names   one per column; empty if there is no header
    lines   (T,) number of the line in the file, for each row of values
    """

    path: Path
    values: NDArray[np.float64]
    names: list[str]
    lines: list[int]


def read_table(path: Path) -> Table:
    """The numbers in a text file, separated by commas, semicolons, tabs or white space.

    Raises FileError, with the number of the bad line, if the file is not a table of numbers.
    """
    text = _text(path)
    rows = [(k, line.strip(" \r\n")) for k, line in enumerate(text.split("\n"), 1) if line and not line.isspace()]
    rows = _after_atf_header(path, rows)
    start = next((k for k, (_, line) in enumerate(rows) if _is_data(line)), None)
    if start is None:
        raise FileError(f"{path} holds no line of numbers.")
    first = rows[start][1]
    delimiter = _delimiter(first)
    if delimiter and first.endswith(delimiter):
        rows = [(k, line.removesuffix(delimiter)) for k, line in rows]
    if "#" in text or "%" in text:
        rows = rows[:start] + [row for row in rows[start:] if not row[1].startswith(("#", "%"))]
    comma = _has_decimal_comma([line for _, line in rows[start : start + FIRST]], delimiter)
    data = [_with_points(line, delimiter) if comma else line for _, line in rows[start:]]
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


def _text(path: Path) -> str:
    """The text of a file in UTF-8, in UTF-16 with a byte order mark, or in Latin-1. Raises FileError if it is not text."""
    raw = path.read_bytes()
    marked = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = raw.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0" if marked else raw.decode("latin-1")
    if "\0" in text:
        raise FileError(f"{path} is not text: it cannot be read as a table of numbers.")
    return text if "\n" in text else text.replace("\r", "\n")


def _after_atf_header(path: Path, rows: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Drop the header of an Axon Text File except the titles of its columns; rows of other files are returned as they are."""
    if not rows or not re.match(r"ATF[\s,]+\d", rows[0][1]):
        return rows
    counts = re.findall(r"\d+", rows[1][1]) if len(rows) > 1 else []
    if len(counts) != 2:
        raise FileError(
            f"{path} is no Axon Text File as it should be: its second line is to give two numbers of lines."
        )
    return [row for row in rows if row[0] > rows[1][0] + int(counts[0])]


def _delimiter(line: str) -> str | None:
    """The delimiter in a line of data; None stands for white space."""
    for delimiter in (";", "\t"):
        if delimiter in line:
            return delimiter
    # Commas separate columns only if all the text between them is numbers: in "0,1 -70,052" they are decimal signs.
    cells = [cell.replace(",", ".") for cell in _cells(line, ",") if cell] if "," in line else []
    return "," if cells and all(map(_is_number, cells)) else None


def _has_decimal_comma(lines: list[str], delimiter: str | None) -> bool:
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


def _cells(line: str, delimiter: str | None) -> list[str]:
    """The fields of a line without quotes and white space around them."""
    cells = line.split(delimiter)
    if delimiter and '"' in line:
        with contextlib.suppress(csv.Error):  # raised for a quote that is never closed
            cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    return [cell.strip().strip('"').strip() for cell in cells]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_data(line: str) -> bool:
    """Whether every field of the line is a number."""
    delimiter = _delimiter(line)
    if _has_decimal_comma([line], delimiter):
        line = _with_points(line, delimiter)
    cells = [cell for cell in _cells(line, delimiter) if cell]
    return bool(cells) and all(map(_is_number, cells))


def _names(header: list[str], delimiter: str | None, columns: int) -> list[str]:
    """One name per column from the lines above the data; empty if they are no header.

    The names may be on one line, or on several lines that are joined (names, then units), or on a line each.
    """
    header = [re.sub(r"^[#%]+\s*", "", line) for line in header]
    found = []
    for line in header:
        cells = _cells(line, delimiter)
        if delimiter is None and len(cells) != columns:
            cells = _cells(re.sub(r"\s+(?=[\[(])", "", line), delimiter)  # "V (mV)" is a single name
        if len(cells) == columns:
            found.append(cells)
    if found:
        return [" ".join(cell for cell in cells if cell) for cells in zip(*found, strict=True)]
    if len(header) == columns:
        return [line.strip().strip('"').strip() for line in header]
    return []


def _first_fault(path: Path, data: list[str], lines: list[int], delimiter: str | None) -> str:
    """The message that tells the first line which is not like the others, or not of numbers."""
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
