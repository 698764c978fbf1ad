"""Reads recordings from text files: CSV, TSV, and what rigs and simulators write as .txt, .dat or .asc.

Each column is a signal, each line a sample. What a column is follows from its header (`t_ms, V1_mV, I [pA]`, or a header of
one quoted name per line); without a header, it is guessed from the values, and every guess becomes a notice to the user.
`text_table` splits the text into columns, `text_header` interprets their names, `text_time` finds the sample step.
"""

from pathlib import Path

import numpy as np

from spikefab.errors import FileError

from .channels import factor
from .recording import Recording
from .sweep import make_sweep
from .text_header import UNITS, Column, Floats, from_header, listed
from .text_table import Table, read_table
from .text_time import increases, time_step, unstacked


def read_csv(path: Path, dt: float | None = None) -> Recording:
    """The recording in a text file. dt, in ms, is used if the file has no time column, or times with too few digits.

    Raises FileError if the file is not a table of numbers (with the number of the bad line), has no voltage, or names an
    unknown unit; UsageError if there is neither a time column nor dt.
    """
    table = read_table(path)
    notes: list[str] = []
    columns = unstacked(table, _columns(table), notes)
    step = time_step(table, columns, dt, notes)
    signals = [c for c in columns if c.kind not in ("time", "index")]
    if not signals:
        raise FileError(f"{path} holds no voltage, only {listed(columns)}.")
    signals = _guess_kinds(signals, bool(table.names), notes)
    _guess_units(signals, notes)
    voltages = [c for c in signals if c.kind == "voltage"]
    currents = [c for c in signals if c.kind == "current"]
    if not voltages:
        raise FileError(
            f"{path} holds no voltage, only {listed(signals)}: a current alone (voltage clamp) cannot be fitted."
        )
    sweeps = tuple(
        make_sweep(_scaled(v), None if i is None else _scaled(i), step, name)
        for name, (v, i) in zip(_names(voltages), _paired(path, voltages, currents, notes), strict=True)
    )
    origin = f"{listed(currents)} of the file" if currents else "the file holds none"
    units = ", ".join(dict.fromkeys(c.unit for c in (*voltages, *currents)))
    return Recording(sweeps, step, str(path), None, origin, tuple(notes), units)


def read_current(path: Path, dt: float, unit: str = "") -> tuple[list[Floats], float | None, tuple[str, ...]]:
    """The currents in a text file that may have no voltage: (T,) nA each, the sample step in ms (or None), and notices.

    dt, in ms, is the sample step of the recording to which the currents belong; it is used if the file's own times have
    too few digits. `unit`, if given, is that of the currents, whatever the file says.
    """
    table = read_table(path)
    notes: list[str] = []
    columns = unstacked(table, _columns(table), notes)
    timed = any(c.kind == "time" for c in columns) or (len(columns) > 1 and increases(columns[0].values))
    step = time_step(table, columns, dt, []) if timed else None
    unknown = [c for c in columns if not c.kind]
    currents = [c for c in columns if c.kind == "current"]
    if currents and unknown:
        notes.append(_left_out(unknown))
    currents = currents or unknown
    if not currents:
        raise FileError(f"{path} holds no current, only {listed(columns)}.")
    for c in currents:
        c.kind = "current"
        c.factor = factor(unit) if unit else c.factor
    _guess_units(currents, notes)
    return [_scaled(c) for c in currents], step, tuple(notes)


def _columns(table: Table) -> list[Column]:
    """The columns of a table, with kind and unit as far as the header tells them."""
    columns = []
    for k in range(table.values.shape[1]):
        name = table.names[k] if table.names else ""
        kind, factor = from_header(table.path, name) if table.names else ("", None)
        columns.append(Column(f'"{name}"' if name else f"column {k + 1}", table.values[:, k], kind, factor))
    return columns


def _guess_kinds(signals: list[Column], named: bool, notes: list[str]) -> list[Column]:
    """Decide which columns of unknown kind are voltages and which are currents; return all voltages and currents.

    If the header names a voltage, a column that it does not name is left out: it may be a trigger or a temperature.
    """
    unknown = [c for c in signals if not c.kind]
    if not unknown:
        return signals
    voltages = [c for c in signals if c.kind == "voltage"]
    told = named and len(unknown) < len(signals)
    alike = [c for c in unknown if _rests(c.values, 1.0)] or [c for c in unknown if _rests(c.values, 1e3)]
    if told and voltages:
        alike = []
    elif not alike and not voltages:
        alike = unknown[:1]
    for c in unknown:
        c.kind = "voltage" if any(c is v for v in alike) else "" if told else "current"
    for kind in ("voltage", "current"):
        guessed = [c for c in unknown if c.kind == kind]
        if guessed:
            notes.append(f"no header tells what {listed(guessed)} is: taken as {kind}")
    left = [c for c in unknown if not c.kind]
    if left:
        notes.append(_left_out(left))
    return [c for c in signals if c.kind]


def _left_out(columns: list[Column]) -> str:
    """The notice that these columns are not used."""
    return f"left out, having neither the name nor the unit of a voltage or a current: {listed(columns)}"


def _rests(values: Floats, to_mv: float) -> bool:
    """Whether a column looks like a membrane voltage, if its values times `to_mv` are mV.

    Its resting value (10th percentile) must lie between -120 and -20 mV and its maximum below 200 mV, and it must have at
    least ten different values: a command current has only few.
    """
    rest = np.percentile(values, 10) * to_mv
    return bool(-120 <= rest <= -20 and values.max() * to_mv < 200 and len(np.unique(values[:100_000])) >= 10)


def _paired(
    path: Path, voltages: list[Column], currents: list[Column], notes: list[str]
) -> list[tuple[Column, Column | None]]:
    """Pair each voltage with a current: the only one, else the one with the same numbers in its name, else by position."""
    if not currents:
        return [(v, None) for v in voltages]
    if len(currents) == 1:
        return [(v, currents[0]) for v in voltages]
    if len(currents) != len(voltages):
        columns = "1 column" if len(voltages) == 1 else f"{len(voltages)} columns"
        raise FileError(
            f"{path} has {columns} of voltage but {len(currents)} of current: keep one current for all, or one for each"
            " voltage."
        )
    # labels are compared as numbers: sweep 03 of the voltage is sweep 3 of the current
    ours, theirs = ([tuple(map(float, label)) for label in _labels(c)] for c in (voltages, currents))
    by_label = dict(zip(theirs, currents, strict=True))
    if len(by_label) == len(currents) and set(ours) == set(theirs):
        return [(v, by_label[label]) for label, v in zip(ours, voltages, strict=True)]
    notes.append(
        "the numbers in the header do not tell which current belongs to which voltage: paired in the order of the columns"
    )
    return list(zip(voltages, currents, strict=True))


def _labels(columns: list[Column]) -> list[tuple[str, ...]]:
    """What distinguishes columns of one kind: the numbers in their names, except those that are the same in all names."""
    found = [c.numbers for c in columns]
    if len({len(numbers) for numbers in found}) > 1:
        return found
    differ = [k for k, values in enumerate(zip(*found, strict=True)) if len(set(values)) > 1]
    return [tuple(numbers[k] for k in differ) for numbers in found]


def _names(voltages: list[Column]) -> list[str]:
    """A name for each sweep: the numbers that distinguish its voltage column, or else its position."""
    labels = [voltages[0].numbers] if len(voltages) == 1 else _labels(voltages)
    names = ["_".join(label) if len(label) < 3 else "" for label in labels]
    return names if all(names) and len(set(names)) == len(names) else [str(k) for k in range(len(names))]


def _guess_units(signals: list[Column], notes: list[str]) -> None:
    """Guess the unit of voltages and currents whose header gives none, from the size of their values."""
    for kind in ("voltage", "current"):
        bare = [c for c in signals if c.kind == kind and c.factor is None]
        if not bare:
            continue
        largest = max(float(np.max(np.abs(c.values))) for c in bare)
        if kind == "voltage":
            unit = "V" if largest < 1 else "mV" if largest < 1000 else "uV"
        else:
            # 10 nA would be far too much for a neuron, but 10 pA is a usual current step
            unit = "A" if 0 < largest < 1e-6 else "nA" if largest < 10 else "pA"
        notes.append(f"no unit for the {kind} in {listed(bare)}: taken as {unit}")
        for c in bare:
            c.factor = UNITS[unit.lower()][1]


def _scaled(column: Column) -> Floats:
    """The values of a column in mV or nA."""
    assert column.factor is not None
    return column.values * column.factor
