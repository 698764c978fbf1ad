"""Reads text as a table of numbers: finds its header, and tables whose lines are the sweeps; errors name the line at fault."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import FileError

from .limits import require_memory_for_text
from .text_header import is_unit, meaning
from .text_numbers import Rows, cells, delimiter_of, is_data, is_number, is_wide, parse

# a time of day, with or without a date
CLOCK = re.compile(r"(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T]+)?(?<!\d)(\d{1,2}):(\d{2}):(\d{2}(?:[.,]\d+)?)Z?")


@dataclass(frozen=True, eq=False)
class Table:
    """A table of numbers from a file.

    values   (T, columns); NaN only at the end of columns, where they are padded
    names    one per column; empty if there is no header
    lines    (T,) number of the line in the file, for each row of values
    step     ms between samples, as the header of an exported file says; None if it says nothing
    program  that exported the file, "" if none is known: its columns are channels, and its sweeps are tables of their own
    across   whether each line of the file is a column of the table
    notes    notices of what was guessed
    """

    path: Path
    values: NDArray[np.float64]
    names: list[str]
    lines: Sequence[int]
    step: float | None = None
    program: str = ""
    across: bool = False
    notes: list[str] = field(default_factory=list)

    def at(self, k: int) -> str:
        """The place in the file of row k."""
        return f"number {k + 1} of its lines" if self.across else f"line {self.lines[k]}"


def text_of(path: Path) -> str:
    """The text of a file in UTF-8, in UTF-16 with a byte order mark, or in Latin-1.

    Raises FileError if it is not text, or too long.
    """
    require_memory_for_text(path)
    raw = path.read_bytes()
    marked = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = raw.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0" if marked else raw.decode("latin-1")
    if "\0" in text:
        raise FileError(f"{path} is not text: it cannot be read as a table of numbers.")
    return text if "\n" in text else text.replace("\r", "\n")


def numbered(text: str) -> list[tuple[int, str]]:
    """The lines of a text that are not blank, with their numbers."""
    return [(k, line.strip(" \r\n")) for k, line in enumerate(text.split("\n"), 1) if line and not line.isspace()]


def read_table(path: Path, text: str) -> Table:
    """The numbers in a text, separated by commas, semicolons, tabs or white space.

    Raises FileError, with the number of the bad line, if the text is not a table of numbers.
    """
    rows = _after_atf_header(path, numbered(text))
    start = next((k for k, (_, line) in enumerate(rows) if is_data(line)), None)
    if start is None:
        return _timed(path, rows) or _labelled(path, rows)
    first = rows[start][1]
    delimiter = delimiter_of(first)
    if delimiter and first.endswith(delimiter):
        rows = [(k, line.removesuffix(delimiter)) for k, line in rows]
        first = first.removesuffix(delimiter)
    if "#" in text or "%" in text:
        rows = rows[:start] + [row for row in rows[start:] if not row[1].startswith(("#", "%"))]
    notes: list[str] = []
    columns = len(cells(first, delimiter))
    # A last column that is named but empty has been cut with the delimiters at the ends of the lines.
    names = (
        _names(path, rows[:start], delimiter, columns) or _names(path, rows[:start], delimiter, columns + 1)[:columns]
    )
    # Without names, a first line that counts its own cells is a header: 0,1,2,3 or, above an index, ",0,1,2,3".
    counter = cells(first, delimiter)
    filled = [cell for cell in counter if cell]
    counts = len(filled) > 3 and start + 1 < len(rows) and filled == [str(k) for k in range(len(filled))]
    if counts and not names:
        names, start = counter, start + 1
    values = parse(path, rows[start:], delimiter, notes)
    if is_wide(values):
        return _of_rows(path, values[:, 1:] if counts and not counter[0] else values, [], notes)
    return Table(path, values, names, [k for k, _ in rows[start:]], notes=notes)


def _after_atf_header(path: Path, rows: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Drop the header of an Axon Text File except the titles of its columns, and add to them the names of the signals; rows of
    other files are returned as they are.
    """
    if not rows or not re.match(r"ATF[\s,]+\d", rows[0][1]):
        return rows
    counts = re.findall(r"\d+", rows[1][1]) if len(rows) > 1 else []
    if len(counts) != 2:
        raise FileError(
            f"{path} is no Axon Text File as it should be: its second line is to give two numbers of lines."
        )
    end = rows[1][0] + int(counts[0])
    signals = next((cells(line, "\t")[1:] for k, line in rows if k <= end and line.startswith('"Signals=')), [])
    rows = [row for row in rows if row[0] > end]
    titles = cells(rows[0][1], "\t") if rows else []
    if signals and len(titles) > 1 and (len(titles) - 1) % len(signals) == 0:
        signals *= (len(titles) - 1) // len(signals)
        both = [(f"{name} {title}", title) for name, title in zip(signals, titles[1:], strict=True)]
        rows[0] = (
            rows[0][0],
            "\t".join((titles[0], *(title if meaning(name).fault else name for name, title in both))),
        )
    return rows


def _of_rows(path: Path, values: NDArray[np.float64], names: list[str], notes: list[str]) -> Table:
    """The table in which each line of the file is a column."""
    notes.append(f"each line of the file is taken as a signal: {len(values)} lines of {values.shape[1]} numbers")
    return Table(path, values.T, names, range(values.shape[1]), across=True, notes=notes)


def _timed(path: Path, rows: Rows) -> Table | None:
    """The table of a text that has times of day, such as 10:21:17.0001 with or without a date, in seconds; else None."""

    def seconds(match: re.Match[str]) -> str:
        return f"{int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3].replace(',', '.')):.9f}"

    text = [CLOCK.sub(seconds, line) for _, line in rows]
    if not any(map(is_data, text)):
        return None
    before = ["" for _ in range(rows[0][0] - 1)]
    table = read_table(path, "\n".join([*before, *text]))
    table.notes.append("the times of day are read as seconds")
    return table


def _labelled(path: Path, rows: Rows) -> Table:
    """The table of a text whose lines are signals that begin with a name. Raises FileError if there are no numbers."""
    for delimiter in (",", ";", "\t", None):
        split = [line.split(delimiter, 1) for _, line in rows]
        if all(len(parts) == 2 and is_data(parts[1]) for parts in split):
            names = [parts[0].strip().strip('"').strip() for parts in split]
            data = [(k, parts[1]) for (k, _), parts in zip(rows, split, strict=True)]
            notes: list[str] = []
            values = parse(path, data, delimiter_of(data[0][1]), notes)
            if is_wide(values):
                return _of_rows(path, values, names, notes)
    raise FileError(f"{path} holds no line of numbers.")


def _names(path: Path, header: Rows, delimiter: str | None, columns: int) -> list[str]:
    """One name per column from the lines above the data; empty if they are no header.

    The names are on the last line that has as many cells as there are columns, with units from a line beside it; or on a
    line each. What stands above are remarks, unless the names alone do not tell the columns apart.
    """
    found: list[tuple[int, list[str]]] = []
    for number, line in header:
        split = _header_cells(re.sub(r"^[#%]+\s*", "", line), delimiter, columns)
        if split and any(re.search(r"[^\W\d_]", cell) for cell in split):
            found.append((number, split))
    last = [re.sub(r"^[#%]+\s*", "", line).strip().strip('"').strip() for _, line in header[-columns:]]
    alone = not found and len(header) == columns
    if columns > 1 and len(last) == columns and (alone or all(meaning(line).kind for line in last)):
        return last
    if not found:
        _require_text(path, header, delimiter, columns)
        return []
    chosen = _chosen(found, columns)
    _require_text(path, [row for row in header if row[0] > found[chosen][0]], delimiter, columns)
    names = found[chosen][1]
    if chosen and _are_units(names) and _are_names(found[chosen - 1][1], names):
        names = _with_units(found[chosen - 1][1], names)
        chosen -= 1
    elif chosen and _are_units(found[chosen - 1][1]):
        names = _with_units(names, found[chosen - 1][1])
        chosen -= 1
    for above in range(chosen - 1, -1, -1):
        if len(set(names)) == columns:
            break
        joined = [" ".join(pair).strip() for pair in zip(_filled(found[above][1]), names, strict=True)]
        if len(set(joined)) > len(set(names)):
            names = joined
    return names


def _header_cells(line: str, delimiter: str | None, columns: int) -> list[str]:
    """The cells of a line of a header if there is one for each column, else []."""
    tries = [cells(line, delimiter)]
    if delimiter is None:
        tries.append(cells(re.sub(r"\s+(?=[\[(])", "", line), None))  # "V (mV)" is a single name
    for split in tries:
        while len(split) > columns and not split[-1]:
            split = split[:-1]
        if len(split) == columns:
            return split
    others = [cells(line, other) for other in (",", ";", "\t") if other != delimiter and other in line]
    return next((split for split in others if len(split) == columns and all(meaning(cell).kind for cell in split)), [])


def _chosen(found: list[tuple[int, list[str]]], columns: int) -> int:
    """Which line of the header has the names: the last, unless only a line above tells what half of the columns are."""

    def told(k: int) -> int:
        return sum(meaning(cell).kind not in ("", "index") for cell in found[k][1])

    last = len(found) - 1
    if told(last):
        return last
    return next((k for k in range(last, -1, -1) if 2 * told(k) >= columns), last)


def _are_units(split: list[str]) -> bool:
    """Whether a line of a header has only units; a dash stands for none."""
    return all(is_unit(cell) for cell in split if re.search(r"\w", cell))


def _are_names(split: list[str], units: list[str]) -> bool:
    """Whether a line above a line of units has the names, and not a remark: no date, no quantity, no other unit."""
    if any(re.search(r"\d[-/.:]\d|^[-+]?\d+\s*[^\W\d]", cell) for cell in split):
        return False
    return not any(meaning(name).fault for name in _with_units(split, units))


def _with_units(names: list[str], units: list[str]) -> list[str]:
    """The names, each with its unit in brackets."""
    bare = [re.sub(r"^[\[(]\s*|\s*[\])]$", "", unit) for unit in units]
    return [f"{name} ({unit})" if name and unit else name or unit for name, unit in zip(names, bare, strict=True)]


def _filled(group: list[str]) -> list[str]:
    """A line that names groups of columns, with each name repeated over the empty cells that follow it."""
    out: list[str] = []
    for cell in group:
        out.append(cell or (out[-1] if out else ""))
    return out


def _require_text(path: Path, rows: Rows, delimiter: str | None, columns: int) -> None:
    """Raise FileError if a line between the names and the data begins with a number: it is data that is spoilt."""
    for number, line in rows:
        split = cells(line, delimiter)
        if len(split) == columns and is_number(split[0]):
            raise FileError(f"{path}, line {number}: text among numbers ({line[:40]}).")
