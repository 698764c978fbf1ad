"""Tables in the text that other programs export: HEKA PatchMaster, LabChart, LabVIEW; `text_spike2` has Spike2.

Each of them repeats its header above every sweep. A sweep becomes a table; its columns are the channels. Text of other programs
that repeats its line of names is read likewise, but its columns need not be channels.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from spikefab.errors import FileError

from .text_header import UNITS
from .text_numbers import Rows, cells, delimiter_of, is_data, is_number, parse
from .text_spike2 import spike2
from .text_table import Table, numbered, read_table

HEAD = 4000  # number of characters at the start of a file in which a program is recognised
# the first character of a line that is no data: a letter (but not that of NaN), a quoted letter, an asterisk
HEADER = re.compile(r"\s*(?:[\"']?\s*(?![-+]?(?:nan|inf)\b)[^\W\d_]|\"\"|\*)", re.IGNORECASE)


def exported(path: Path, text: str) -> list[Table]:
    """The tables, one a sweep, of a text that one of the known programs exported; none if it is another text.

    Raises FileError if its numbers cannot be read, with the number of the line.
    """
    head = text[:HEAD]
    for sign, read in PROGRAMS.items():
        if re.search(sign, head, re.MULTILINE):
            if tables := read(path, text):
                return tables
            raise FileError(f"{path} holds no line of numbers.")
    return _repeated(path, text, head)


def _blocks(rows: Rows) -> Iterator[tuple[Rows, Rows]]:
    """The header lines and the lines of data of each block."""
    header: Rows = []
    rows = [row for row in rows if not row[1].startswith("#")]
    for is_header, group in itertools.groupby(rows, key=lambda row: bool(HEADER.match(row[1]))):
        if is_header:
            header = list(group)
        else:
            yield header, list(group)
            header = []


def _table(path: Path, rows: Rows, names: list[str], program: str, step: float | None, skipped: int = 0) -> Table:
    """The table in some lines of data, of which the first columns are skipped; names are made for columns without one."""
    delimiter = delimiter_of(rows[0][1])
    if skipped and delimiter:
        rows = [(k, line.split(delimiter, skipped)[-1]) for k, line in rows]
    if delimiter and rows[0][1].endswith(delimiter):
        rows = [(k, line.removesuffix(delimiter)) for k, line in rows]
    notes: list[str] = []
    values = parse(path, rows, delimiter, notes)
    columns = values.shape[1]
    names = [*names[:columns], *(f"channel {k}" for k in range(len(names), columns))]
    return Table(path, values, names, [k for k, _ in rows], step, program, notes=notes)


def _repeated(path: Path, text: str, head: str) -> list[Table]:
    """The tables of a text whose line of names stands again above each sweep; none if it stands there once."""
    rows = numbered(head)
    first = next((k for k, (_, line) in enumerate(rows) if is_data(line)), 0)
    names = rows[first - 1][1] if first else ""
    if not HEADER.match(names) or text.count(f"\n{names}") + text.startswith(names) < 2:
        return []
    tables = []
    for header, block in _blocks(numbered(text)):
        above = [line for _, line in header[-2:]]
        lines = [*(above if names in above else [names]), *(line for _, line in block)]
        before = max(0, block[-1][0] - len(lines))  # empty lines, so that a message has the line of the file
        tables.append(read_table(path, "\n" * before + "\n".join(lines)))
    return tables


def _heka(path: Path, text: str) -> list[Table]:
    """PatchMaster: lines "Series_1_1 …" and "Sweep_1_1_1 …", a line of quoted names, and the numbers of a sweep."""
    tables: list[Table] = []
    names: list[str] = []
    for header, rows in _blocks(numbered(text)):
        titles = [line for _, line in header if re.search(r"\[\w+\]|Index|Time", line)]
        if titles:
            delimiter = next((d for d in (";", "\t", ",") if d in titles[-1]), None)
            names = cells(titles[-1], delimiter)
        tables.append(_table(path, rows, names, "PatchMaster", None))
    return tables


def _labchart(path: Path, text: str) -> list[Table]:
    """LabChart: lines "Interval=", "ChannelTitle=", "Range=", "UnitName=" … above each block; comments behind the numbers."""
    tables: list[Table] = []
    said: dict[str, list[str]] = {}
    for header, rows in _blocks(numbered(text)):
        fresh = {m[1]: m[2].split("\t") for _, line in header if (m := re.match(r"(\w+)= *\t?(.*)", line))}
        said = fresh if "ChannelTitle" in fresh else {**said, **fresh}
        data = [(k, re.sub(r"\t?#.*$", "", line)) for k, line in rows]
        data = [(k, line) for k, line in data if line.strip()]
        if not data:
            continue
        width = len(cells(data[0][1].removesuffix("\t"), "\t"))
        titles = [cell.strip().strip('"') for cell in said.get("ChannelTitle", [])]
        while titles and not titles[-1]:
            titles.pop()
        titles = titles[:width] or [""] * len([cell for cell in said.get("Range", []) if cell.strip()])
        before = max(0, width - (len(titles) or width - 1))
        timed = before == 1 and is_number(cells(data[0][1], "\t")[0].replace(",", "."))
        names = [_with_unit(title or f"channel {k}", _labchart_unit(said, k)) for k, title in enumerate(titles)]
        step = _interval(" ".join(said.get("Interval", [])))
        tables.append(
            _table(path, data, ["Time (s)", *names] if timed else names, "LabChart", step, 0 if timed else before)
        )
    return tables


def _labchart_unit(said: dict[str, list[str]], k: int) -> str:
    """The unit of channel k: that of UnitName, or of Range where UnitName has only an asterisk."""
    named = said.get("UnitName", [])
    if k < len(named) and named[k].strip() not in ("", "*"):
        return named[k].strip()
    for key in ("Range", "TopValue", "BottomValue"):
        cell = said[key][k].strip() if k < len(said.get(key, [])) else ""
        if unit := re.sub(r"^[-+\d.,\s]+(?:[eE][-+]?\d+)?\s*", "", cell).strip("* "):
            return unit
    return ""


def _interval(text: str) -> float | None:
    """A sample interval such as "1.0000E-04 s" in ms, None if there is none."""
    found = re.match(r"\s*([-+\d.,eE]+)\s*(\S+)", text)
    unit = UNITS.get(found[2].lower(), ("", 0.0)) if found else ("", 0.0)
    number = found[1].replace(",", ".") if found else ""
    return float(number) * unit[1] if is_number(number) and unit[0] == "time" else None


def _labview(path: Path, text: str) -> list[Table]:
    """LabVIEW (.lvm): a header of the file, and one above each segment; a column of times for all, for each, or for none."""
    special = r"^\*\*\*Start_Special\*\*\*.*?^\*\*\*End_Special\*\*\*"
    text = re.sub(special, lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE)
    rows = numbered(text)
    comma = any(re.match(r"Separator[\s,]+Comma", line) for _, line in rows[:20])
    separator = "," if comma else "\t"
    tables: list[Table] = []
    said: dict[str, list[str]] = {}
    names: list[str] = []
    for header, data in _blocks(rows):
        for _, line in header:
            key, *rest = line.split(separator)
            said[key.strip()] = rest
            if key.strip() == "X_Value":
                names = [cell.strip() for cell in line.split(separator)]
        multi = names.count("X_Value") > 1
        units = said.get("Y_Unit_Label", [])[:: 2 if multi else 1]
        steps = [cell.strip().replace(",", ".") for cell in said.get("Delta_X", []) if cell.strip()]
        step = float(steps[0]) * 1e3 if steps and is_number(steps[0]) else None
        titles = [name for name in names if name not in ("X_Value", "Comment")]
        full = [_with_unit(title, units[k].strip() if k < len(units) else "") for k, title in enumerate(titles)]
        width = 2 * len(full) if multi else 1 + len(full)
        data = [(k, separator.join(line.split(separator)[:width])) for k, line in data]
        if not data[0][1].split(separator)[0].strip():  # the column of times is there but empty
            tables.append(_table(path, data, full, "LabVIEW", step, 1))
        elif multi:
            tables.append(_table(path, data, [n for title in full for n in ("Time (s)", title)], "LabVIEW", step))
        else:
            tables.append(_table(path, data, ["Time (s)", *full], "LabVIEW", step))
    return _continued(tables)


def _continued(tables: list[Table]) -> list[Table]:
    """The tables, joined where one goes on with the times of the one before: LabVIEW writes what it reads at once."""
    out: list[Table] = []
    for table in tables:
        before = out[-1] if out else None
        if before is not None and before.names == table.names and table.names[0] == "Time (s)":
            step = table.step or 1e3 * float(np.diff(table.values[:2, 0]).sum())
            gap = 1e3 * float(table.values[0, 0] - before.values[-1, 0])
            if abs(gap - step) <= 0.2 * step:
                values = np.concatenate((before.values, table.values))
                lines = [*before.lines, *table.lines]
                out[-1] = Table(table.path, values, table.names, lines, table.step, table.program, notes=before.notes)
                continue
        out.append(table)
    return out


def _with_unit(name: str, unit: str) -> str:
    """The name of a channel with its unit in brackets, unless the name has them already."""
    return f"{name} ({unit})" if unit and f"({unit})" not in name and f"[{unit}]" not in name else name


# beginning of a line that tells the program -> reader of its text
PROGRAMS: dict[str, Callable[[Path, str], list[Table]]] = {
    r"\ALabVIEW Measurement": _labview,
    r"^(?:Interval|ExcelDateTime|ChannelTitle|TimeFormat)= *\t": _labchart,
    r"^\s*\"(?:INFORMATION|SUMMARY)\"\s*$|^\s*\"CHANNEL\"[\t,]": spike2,
    r"^\s*\"?(?:Series|Sweep|Trace)_\d|^\s*\"Index\"\s*[,;\t]\s*\"Time\s*\[": _heka,
}
