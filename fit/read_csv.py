"""Recordings in text: CSV, TSV and what rigs and simulators write as .txt, .dat or .asc.

One column a signal, one line a sample. Columns are told apart by their header (`t_ms, V1_mV, I [pA]`, or one quoted
unit a line), else by what they look like; every guess becomes a notice. The layout of the text itself is
`read_table`'s part.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefab.fit.read_table import Table, read_table
from spikefab.fit.recording import Recording, make_sweep
from spikefab.hw.errors import FileError, UsageError

Floats = NDArray[np.float64]

# unit: (kind, factor to ms, mV or nA)
UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), ("time", 1000.0)),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), ("time", 1.0)),
    **dict.fromkeys(("us", "µs", "μs", "usec"), ("time", 0.001)),
    **dict.fromkeys(("v", "volt", "volts"), ("voltage", 1000.0)),
    **dict.fromkeys(("mv", "millivolt", "millivolts"), ("voltage", 1.0)),
    **dict.fromkeys(("uv", "µv", "μv"), ("voltage", 0.001)),
    **dict.fromkeys(("a", "amp", "ampere"), ("current", 1000000000.0)),
    **dict.fromkeys(("ua", "µa", "μa"), ("current", 1000.0)),
    "na": ("current", 1.0),
    "pa": ("current", 1e-3),
}
WORDS = {
    **dict.fromkeys(("t", "time", "times"), "time"),
    **dict.fromkeys(("v", "vm", "vmem", "vsoma", "voltage", "volt", "potential", "membrane"), "voltage"),
    **dict.fromkeys(("i", "im", "iinj", "inj", "injected", "current", "curr", "stim", "stimulus"), "current"),
    **dict.fromkeys(("stimulation", "command", "cmd", "iclamp"), "current"),
    **dict.fromkeys(("", "n", "index", "idx", "sample", "samples", "unnamed"), "index"),
}


@dataclass
class Column:
    """One column: kind (time, voltage, current, index; "" unknown) and factor to ms, mV or nA (None: no unit was
    given).
    """

    name: str
    values: Floats
    kind: str
    factor: float | None

    @property
    def label(self) -> str:
        """What tells this sweep from the others: 76 in V_76_mV, which pairs it with I_76_pA."""
        return "".join(re.findall(r"\d+", self.name)[:1])

    @property
    def unit(self) -> str:
        """The unit of its values, as they stand in the file."""
        named = {"voltage": ("V", "mV", "uV"), "current": ("A", "uA", "nA", "pA")}.get(self.kind, ())
        return next((u for u in named if UNITS[u.lower()][1] == self.factor), "")


def read_csv(path: Path, dt: float | None) -> Recording:
    """The recording in a text file. dt, ms, serves if the file has no time of its own.

    Raises FileError for what is no even table of numbers (naming the line) or has no voltage, UsageError if there is
    neither a time column nor dt.
    """
    table = read_table(path)
    columns = _columns(table)
    notes: list[str] = []
    step = _time_step(table, columns, dt, notes)
    signals = [c for c in columns if c.kind not in ("time", "index")]
    if not signals:
        raise FileError(f"{path} holds no voltage, only {_list(columns)}.")
    _guess_kinds(signals, notes)
    _guess_units(signals, notes)
    voltages = [c for c in signals if c.kind == "voltage"]
    currents = [c for c in signals if c.kind == "current"]
    if not voltages:
        raise FileError(
            f"{path} holds no voltage, only {_list(signals)}: a current alone (voltage clamp) cannot be fitted."
        )
    sweeps = tuple(
        make_sweep(_scaled(v), None if i is None else _scaled(i), step, v.label or str(k))
        for k, (v, i) in enumerate(_paired(path, voltages, currents))
    )
    origin = f"{_list(currents)} of the file" if currents else "the file holds none"
    units = ", ".join(dict.fromkeys(c.unit for c in (*voltages, *currents)))
    return Recording(sweeps, step, str(path), None, origin, tuple(notes), units)


def read_current(path: Path) -> tuple[list[Floats], float | None, tuple[str, ...]]:
    """The currents, (T,) nA each, of a text file that needs no voltage; its time step (ms, or None) and notices."""
    table = read_table(path)
    columns = _columns(table)
    notes: list[str] = []
    timed = any(c.kind == "time" for c in columns) or (len(columns) > 1 and _increases(columns[0].values))
    step = _time_step(table, columns, None, notes) if timed else None
    currents = [c for c in columns if c.kind in ("current", "")]
    if not currents:
        raise FileError(f"{path} holds no current, only {_list(columns)}.")
    for c in currents:
        c.kind = "current"
    _guess_units(currents, notes)
    return [_scaled(c) for c in currents], step, tuple(notes)


def _columns(table: Table) -> list[Column]:
    columns = []
    for k in range(table.values.shape[1]):
        name = table.names[k] if table.names else ""
        kind, factor = _from_header(table.path, name) if table.names else ("", None)
        columns.append(Column(f'"{name}"' if name else f"column {k + 1}", table.values[:, k], kind, factor))
    return columns


def _from_header(path: Path, name: str) -> tuple[str, float | None]:
    """Kind and factor that a column's name gives: ("", None) if it says nothing."""
    whole = name.strip().lower()
    if whole in WORDS:  # a column called V is a voltage, and need not be in volts
        return WORDS[whole], None
    match = re.search(r"[\[(]\s*([^\W\d]+)\s*[\])]", name) or re.search(r"(?:^|[_/\s.-])([^\W\d_]+)\s*$", name)
    unit = match[1] if match and match[1].lower() in UNITS else ""
    words = re.split(r"[\W_\d]+", whole[: match.start()] if match and unit else whole)
    kind = next((WORDS[w] for w in words if w and w in WORDS), "")
    if not unit:
        return kind, None
    unit_kind, factor = UNITS[unit.lower()]
    if kind in ("", unit_kind):
        return unit_kind, factor
    if len(unit) == 1 or kind == "index":
        return kind, None  # the s of V_s stands for soma
    raise FileError(f"{path}: column {name} is called a {kind} but is in {unit}; correct its header.")


def _time_step(table: Table, columns: list[Column], dt: float | None, notes: list[str]) -> float:
    """The time step in ms; marks the columns that are a time or an index."""
    named = [c for c in columns if c.kind == "time"]
    for c in [] if named else columns:
        # Without a header that says so only an even rise is a time, and one by ones is a count.
        if c.kind in ("", "index") and _increases(c.values):
            counts = np.all(np.diff(c.values) == 1)
            c.kind = "index" if counts else "time"
            if not counts:
                named.append(c)
    if not named:
        if dt is None:
            counted = any(c.kind == "index" for c in columns)
            why = "only counts its samples" if counted else "has no time column"
            raise UsageError(f"{table.path} {why}: pass --dt MS, the time between two samples.")
        return float(dt)
    steps = {_even_step(table, c, notes) for c in named}
    if len(steps) > 1:
        raise FileError(
            f"{table.path} has sweeps of different time steps: {', '.join(f'{s:g} ms' for s in sorted(steps))}."
        )
    step = steps.pop()
    if dt is not None and not np.isclose(dt, step, rtol=1e-3):
        notes.append(f"{step:g} ms is the time step of the file itself")
    return step


def _even_step(table: Table, column: Column, notes: list[str]) -> float:
    """The step, ms, of an evenly increasing time column; raises FileError naming the first line that breaks it."""
    t = column.values
    if len(t) < 2:
        raise FileError(f"{table.path} holds a single sample.")
    steps = np.diff(t)
    typical = float(np.median(steps))
    uneven = np.flatnonzero(np.abs(steps - typical) > 0.2 * abs(typical)) if typical > 0 else np.array([0])
    if not len(uneven):
        drift = np.abs(t - t[0] - np.arange(len(t)) * (t[-1] - t[0]) / (len(t) - 1))
        uneven = np.flatnonzero(drift[1:] > 0.5 * typical)
    if len(uneven):
        k = int(uneven[0])
        raise FileError(
            f"{table.path}, line {table.lines[k + 1]}: the time goes from {t[k]:g} to {t[k + 1]:g} where its step is"
            f" {typical:g}; time steps must be even."
        )
    step = (t[-1] - t[0]) / (len(t) - 1)
    factor = column.factor
    if factor is None:
        # Neurons are recorded at 1-200 kHz: 0.005-1 ms.
        factor = 1e3 if step < 1.5e-3 else 1.0 if step <= 1.0 else 1e-3
        unit = {1e3: "s", 1.0: "ms", 1e-3: "µs"}[factor]
        notes.append(f"{column.name} has no unit: taken as time in {unit}, a step of {step * factor:g} ms")
    if not 1e-4 < step * factor < 10:
        raise FileError(
            f"{table.path} has a time step of {step * factor:g} ms: the unit of {column.name} must be wrong."
        )
    # Printed times are rounded: their mean step is good to more digits than any one, but not to sixteen.
    return float(f"{step * factor:.6g}")


def _increases(values: Floats) -> bool:
    """Whether a column can be a time: every step within 20 % of a positive median (voltages in columns never are)."""
    steps = np.diff(values)
    return len(steps) > 1 and bool(np.all(np.abs(steps - np.median(steps)) <= 0.2 * np.median(steps)) and steps[0] > 0)


def _guess_kinds(signals: list[Column], notes: list[str]) -> None:
    """Give voltage or current to every column whose header does not tell."""
    unknown = [c for c in signals if not c.kind]
    if not unknown:
        return
    alike = [c for c in unknown if _rests(c.values, 1.0)] or [c for c in unknown if _rests(c.values, 1e3)]
    voltages = [c for c in signals if c.kind == "voltage"]
    if not alike and not voltages:
        alike = unknown[:1]
    for c in unknown:
        c.kind = "voltage" if any(c is v for v in alike) else "current"
    for kind in ("voltage", "current"):
        guessed = [c for c in unknown if c.kind == kind]
        if guessed:
            notes.append(f"no header tells what {_list(guessed)} is: taken as {kind}")


def _rests(values: Floats, to_mv: float) -> bool:
    """Whether a column looks like a membrane voltage: it rests (10th percentile) between -120 and -20 mV, stays below
    200, and
    takes many values, where a command current takes few."""
    rest = np.percentile(values, 10) * to_mv
    return bool(-120 <= rest <= -20 and values.max() * to_mv < 200 and len(np.unique(values[:100_000])) >= 10)


def _paired(path: Path, voltages: list[Column], currents: list[Column]) -> list[tuple[Column, Column | None]]:
    """Each voltage with its current: none, the only one, the one of the same label, or the one in the same place."""
    if not currents:
        return [(v, None) for v in voltages]
    if len(currents) == 1:
        return [(v, currents[0]) for v in voltages]
    if len(currents) != len(voltages):
        raise FileError(f"{path} has {len(voltages)} columns of voltage but {len(currents)} of current.")
    by_label = {c.label: c for c in currents}
    if len(by_label) == len(currents) and {v.label for v in voltages} == set(by_label):
        return [(v, by_label[v.label]) for v in voltages]
    return list(zip(voltages, currents, strict=True))


def _guess_units(signals: list[Column], notes: list[str]) -> None:
    """Give a unit, by magnitude, to the voltages and to the currents whose header has none."""
    for kind in ("voltage", "current"):
        bare = [c for c in signals if c.kind == kind and c.factor is None]
        if not bare:
            continue
        largest = max(float(np.max(np.abs(c.values))) for c in bare)
        if kind == "voltage":
            unit = "V" if largest < 1 else "mV" if largest < 1000 else "uV"
        else:
            # Ten nA would be a lot for a neuron, 10 pA is a usual step.
            unit = "A" if 0 < largest < 1e-6 else "nA" if largest < 10 else "pA"
        notes.append(f"no unit for the {kind} in {_list(bare)}: taken as {unit}")
        for c in bare:
            c.factor = UNITS[unit.lower()][1]


def _scaled(column: Column) -> Floats:
    assert column.factor is not None
    return column.values * column.factor


def _list(columns: list[Column]) -> str:
    names = [c.name for c in columns]
    return ", ".join(names if len(names) <= 4 else [*names[:2], "…", names[-1]])
