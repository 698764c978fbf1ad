"""Reads recordings from text files: CSV, TSV, and what rigs and simulators write as .txt, .dat, .asc or .lvm.

Each column is a signal, each line a sample. What a column is follows from its header (`t_ms, V1_mV, I [pA]`, or a header of
one quoted name per line); without a header, it is guessed from the values, and every guess becomes a notice to the user.
`text_exports` knows the texts of some programs, `text_table` splits all others into columns (`text_numbers` their numbers),
`text_header` interprets names, `text_kinds` decides what the columns are, `text_pairs` which of them are the sweeps of one
cell, and `text_time` finds the sample step.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from spikefab.errors import Advice, FileError

from .channels import AS_NAMED, Units
from .recording import Recording
from .sweep import Sweep, make_sweep, zeros_at_end
from .text_column import Column, Floats, listed
from .text_exports import exported
from .text_header import NOTHING, lettered, meaning
from .text_kinds import guess_kinds, left_out, set_aside, set_units
from .text_pairs import Pair, currents_of, names_of, paired, pick, require_one_cell
from .text_table import Table, read_table, text_of
from .text_time import is_time, time_step, unstacked


def read_csv(
    path: Path,
    dt: float | None = None,
    voltage_channel: int | str | None = None,
    current_channel: int | str | None = None,
    units: Units = AS_NAMED,
) -> Recording:
    """The recording in a text file.

    dt               ms, used if the file has no time column, times with too few digits, or a simulator's uneven ones
    voltage_channel  the columns with the voltage: number from 0, name, part of a name, or several of these with commas
    current_channel  the columns with the current, likewise
    units            units of the numbers, whatever the file says

    Raises FileError if the file is not a table of numbers (with the number of the bad line), has no voltage, or names an
    unknown unit; UsageError if there is neither a time column nor dt, if there is no such column, or if several cells stand
    side by side and none is chosen.
    """
    notes: list[str] = []
    tables = _tables(path)
    columns, step = _signals(path, tables, dt, ("voltage", "current"), notes)
    assert step is not None
    sure: list[Column] = []
    for kind, choice in (("voltage", voltage_channel), ("current", current_channel)):
        if choice is not None:
            picked = pick(path, columns, choice, kind)
            for c in picked:
                c.kind = kind
            sure += picked
    signals = [c for c in columns if c.kind not in ("time", "index")]
    if not signals:
        raise FileError(f"{path} holds no voltage, only {listed(columns)}.")
    signals = set_aside(path, signals, sure, units, notes)
    signals = guess_kinds(signals, any(t.names for t in tables), notes)
    voltages, currents = ([c for c in signals if c.kind == kind] for kind in ("voltage", "current"))
    if not voltages:
        others = [c for c in columns if c.kind == "other" and c.means.measures == "voltage"]
        if others:
            why = f"{path} holds no voltage of a cell by the names of its columns ({listed(others)}): "
            raise FileError(why, Advice.CHOOSE_VOLTAGE, ", if one of them is the membrane's.")
        why = ": a current alone (voltage clamp) cannot be fitted" if currents else ""
        raise FileError(f"{path} holds no voltage, only {listed(currents or columns)}{why}.")
    asked = (voltage_channel is not None, current_channel is not None)
    pairs = _chosen(path, voltages, currents, sure, asked, notes)
    used = [c for column in zip(*pairs, strict=True) for c in dict.fromkeys(column) if c is not None]
    set_units(used, units, notes)
    sweeps = _sweeps(pairs, step, notes)
    found = [c for c in used if c.kind == "current"]
    origin = f"{listed(found)} of the file" if found else "the file holds none"
    said = ", ".join(dict.fromkeys(c.unit for c in used))
    return Recording(sweeps, step, str(path), None, origin, tuple(dict.fromkeys(notes)), said)


def read_current(path: Path, dt: float, unit: str = "") -> tuple[list[Floats], float | None, tuple[str, ...]]:
    """The currents in a text file that may have no voltage: (T,) nA each, the sample step in ms (or None), and notices.

    dt, in ms, is the sample step of the recording to which the currents belong; it is used if the file's own times have
    too few digits, or are uneven. `unit`, if given, is that of the currents, whatever the file says.
    """
    notes: list[str] = []
    columns, step = _signals(path, _tables(path), dt, ("current",), notes, timed=False)
    currents = [c for c in columns if c.kind == "current"]
    if currents:
        currents = set_aside(path, currents, [], Units(current=unit), notes)
        if unknown := [c for c in columns if not c.kind or (c.kind == "other" and not c.means.measures)]:
            notes.append(left_out(unknown))
    currents = currents or [c for c in columns if not c.kind]
    if not currents:
        raise FileError(f"{path} holds no current, only {listed(columns)}.")
    for c in currents:
        c.kind = "current"
    set_units(currents, Units(current=unit), notes)
    return [_scaled(c) for c in currents], step, tuple(dict.fromkeys(notes))


def _tables(path: Path) -> list[Table]:
    """The tables in a file: one, or one for each sweep that a program exported."""
    text = text_of(path)
    return exported(path, text) or [read_table(path, text)]


def _columns(table: Table, part: int | None, notes: list[str]) -> list[Column]:
    """The columns of a table without padding, with kind and unit as far as the header tells them."""
    columns: list[Column] = []
    empty: list[Column] = []
    letters = lettered(table.names)
    padded = not np.isfinite(table.values).all()
    for k in range(table.values.shape[1]):
        name = table.names[k] if table.names else ""
        values = table.values[:, k]
        if padded:
            known = np.flatnonzero(np.isfinite(values))
            values = values[: known[-1] + 1 if len(known) else 0]
        means = meaning(name, letters[k]) if table.names else NOTHING
        shown = f'"{name}"' if name else f"{'line' if table.across else 'column'} {k + 1}"
        made = Column(shown, values, k, means, part=part, channel=bool(table.program), rows=len(table.values))
        (columns if len(values) else empty).append(made)
    if named := [c for c in empty if c.title]:
        notes.append(f"left out, being empty: {listed(named)}")
    return columns


def _signals(
    path: Path, tables: list[Table], dt: float | None, kinds: tuple[str, ...], notes: list[str], timed: bool = True
) -> tuple[list[Column], float | None]:
    """The columns of all tables, and their sample step in ms; without `timed`, the step is None if there is no time.

    Of several tables, those are left out that lack signals of one of these kinds, or have another step than most.
    """
    found: list[tuple[list[Column], float | None]] = []
    for k, table in enumerate(tables):
        notes += table.notes
        columns = _columns(table, k if len(tables) > 1 else None, notes)
        if len(tables) == 1:
            columns = unstacked(table, columns, notes)
        clocked = any(c.kind == "time" for c in columns) or (len(columns) > 1 and is_time(columns))
        found.append((columns, time_step(table, columns, dt, notes) if timed or clocked else table.step))
    for kind in kinds:
        having = [item for item in found if any(c.kind == kind for c in item[0])]
        if having and len(having) < len(found):
            notes.append(f"of {len(found)} sweeps, {len(found) - len(having)} left out, having no {kind}")
            found = having
    commonest = Counter(f"{step or 0:.4g}" for _, step in found).most_common(1)[0][0]
    same = [item for item in found if f"{item[1] or 0:.4g}" == commonest]
    if len(same) < len(found):
        notes.append(f"of {len(found)} sweeps, {len(found) - len(same)} left out, as their step is not {commonest} ms")
    return [c for columns, _ in same for c in columns], same[0][1]


def _chosen(
    path: Path,
    voltages: list[Column],
    currents: list[Column],
    sure: list[Column],
    asked: tuple[bool, bool],
    notes: list[str],
) -> list[Pair]:
    """The voltages that are the sweeps of one cell, or that the user asked for, each with its current."""
    chosen = [c for c in voltages if c in sure] if asked[0] else voltages
    if not asked[0]:
        require_one_cell(path, voltages)
    theirs = [c for c in currents if c in sure] if asked[1] else currents
    if not asked[1] and len(chosen) < len(voltages):
        theirs = currents_of(chosen, voltages, currents)
    for kind, used, there in (("voltage", chosen, voltages), ("current", theirs, currents)):
        if len(used) < len(there):
            notes.append(f"of {len(there)} columns of {kind}, {listed(used)} {'is' if len(used) == 1 else 'are'} used")
    return paired(path, chosen, theirs, notes)


def _sweeps(pairs: list[Pair], dt: float, notes: list[str]) -> tuple[Sweep, ...]:
    """The sweeps, each cut where its voltage or its current ends."""
    sweeps, ends = [], []
    for name, (v, i) in zip(names_of([v for v, _ in pairs]), pairs, strict=True):
        voltage, current = _scaled(v), None if i is None else _scaled(i)
        n = min(len(voltage), len(voltage) if current is None else len(current))
        n -= zeros_at_end(voltage[:n], dt)
        if n < max(v.rows, 0 if i is None else i.rows):
            ends.append(f"{name} after {n * dt:g} ms")
        sweeps.append(make_sweep(voltage[:n], None if current is None else current[:n], dt, name))
    if ends:
        shown = ends if len(ends) <= 4 else [*ends[:2], "…", ends[-1]]
        notes.append(f"sweeps that are only filled up (NaN, empty or zero) are cut: {', '.join(shown)}")
    return tuple(sweeps)


def _scaled(column: Column) -> Floats:
    """The values of a column in mV or nA."""
    assert column.factor is not None
    return column.values * column.factor
