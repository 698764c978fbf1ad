"""Finds the sample step of a text table, and splits sweeps that are stacked below each other in its columns."""

from dataclasses import replace

import numpy as np

from spikefab.errors import Advice, FileError, UsageError

from .text_header import Column, Floats
from .text_table import Table


def unstacked(table: Table, columns: list[Column], notes: list[str]) -> list[Column]:
    """The columns with one sweep each: if the time starts again and again, every column is cut there.

    Raises FileError if the time starts again but the sweeps do not all have the same times.
    """
    known = [c for kind in ("time", "index") for c in columns if c.kind == kind]
    if not any(c.kind or increases(c.values) for c in columns):
        # No header and no column that increases evenly: a column that increases evenly several times over is the time.
        known = [c for c in columns if _parts(c.values) > 1]
    if not known:
        return columns
    clock = known[0]
    parts = _parts(clock.values)
    if parts < 2:
        again = _restart(clock.values)
        if again is not None and clock.kind == "time":
            raise FileError(
                f"{table.path}: the time starts again at line {table.lines[again]}: sweeps belong side by side, a column"
                " each."
            )
        return columns
    n = len(clock.values) // parts
    notes.append(f"the time starts again at line {table.lines[n]}: taken as {parts} sweeps of {n} samples")
    cut: list[Column] = []
    for c in columns:
        rows = c.values.reshape(parts, n)
        if c is clock or c.kind in ("time", "index"):
            cut.append(replace(c, values=rows[0]))
        else:
            cut += [replace(c, values=row, part=k) for k, row in enumerate(rows)]
    return cut


def _parts(values: Floats) -> int:
    """How many times a column repeats the same even increase; 1 if it does not repeat one."""
    back = np.flatnonzero(np.diff(values) < 0) + 1
    n = int(back[0]) if len(back) else len(values)
    if n < 3 or len(values) % n or not increases(values[:n]):
        return 1
    rows = values.reshape(-1, n)
    return len(rows) if np.allclose(rows, rows[0], rtol=0, atol=0.2 * (values[1] - values[0])) else 1


def _restart(values: Floats) -> int | None:
    """The index at which the time first jumps back to its start and goes on with the same step; None if it never does."""
    steps = np.diff(values)
    typical = np.median(steps) if len(steps) else 0.0
    for k in np.flatnonzero(steps < 0) + 1:
        again = abs(values[k] - values[0]) <= 0.5 * typical
        if again and k < len(steps) and abs(steps[k] - typical) <= 0.2 * typical:
            return int(k)
    return None


def time_step(table: Table, columns: list[Column], dt: float | None, notes: list[str]) -> float:
    """The sample step in ms. Sets the kind of the columns that are a time or an index.

    Raises FileError if the times are uneven (with the line number), UsageError if there is neither a time nor dt.
    """
    named = [c for c in columns if c.kind == "time"]
    for c in [] if named else columns:
        # If no header names the time, a column that increases evenly is the time, or the index if it increases by ones.
        if c.kind in ("", "index") and increases(c.values):
            counts = np.all(np.diff(c.values) == 1)
            c.kind = "index" if counts else "time"
            if not counts:
                named.append(c)
    if not named:
        if dt is None:
            counted = any(c.kind == "index" for c in columns)
            why = "only counts its samples" if counted else "has no time column"
            raise UsageError(f"{table.path} {why}: ", Advice.GIVE_DT, ".")
        return float(dt)
    steps = {_even_step(table, c, dt, notes) for c in named}
    if len(steps) > 1:
        raise FileError(
            f"{table.path} has sweeps of different time steps: {', '.join(f'{s:g} ms' for s in sorted(steps))}."
        )
    step = steps.pop()
    if dt is not None and not np.isclose(dt, step, rtol=1e-3):
        notes.append(f"{step:g} ms is the time step of the file itself")
    return step


def _even_step(table: Table, column: Column, dt: float | None, notes: list[str]) -> float:
    """The step, ms, of a time column. Raises FileError, with the line number, if the times do not increase evenly."""
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
        if _coarse(t):
            return _given_step(table, column, dt, notes)
        k = int(uneven[0])
        where = f"where its step is {typical:g}; time steps must be even" if typical > 0 else "and does not increase"
        raise FileError(
            f"{table.path}, line {table.lines[k + 1]}: the time goes from {t[k]:g} to {t[k + 1]:g} {where}."
        )
    step = (t[-1] - t[0]) / (len(t) - 1)
    factor = column.factor
    if factor is None:
        # the unit with which the step is plausible: neurons are recorded at 1-200 kHz, steps of 0.005-1 ms
        factor = 1e3 if step < 1.5e-3 else 1.0 if step <= 1.0 else 1e-3
        unit = {1e3: "s", 1.0: "ms", 1e-3: "µs"}[factor]
        notes.append(f"{column.name} has no unit: taken as time in {unit}, a step of {step * factor:g} ms")
    if not 1e-4 < step * factor < 10:
        raise FileError(
            f"{table.path} has a time step of {step * factor:g} ms: the unit of {column.name} must be wrong."
        )
    # The mean step is more exact than a single printed time, but not to the 16 digits of a float: keep six.
    return float(f"{step * factor:.6g}")


def _coarse(t: Floats) -> bool:
    """Whether the times are even, but printed with too few digits to show it.

    Then all steps are one of two neighbouring multiples of the last digit, both occur often, and the times stay within
    about one such digit of evenly spaced times.
    """
    steps = np.diff(t)
    few, many = float(steps.min()), float(steps.max())
    digit = many - few
    if few < 0 or digit <= 0:
        return False
    share = np.mean(steps > few + 0.5 * digit)
    only_two = np.all(np.minimum(steps - few, many - steps) < 0.01 * digit)
    strays = np.abs(t - t[0] - np.arange(len(t)) * (t[-1] - t[0]) / (len(t) - 1))
    # A gap, one missing sample, gives two sizes of steps as rounded times do; but of a gap one size occurs once, hence `share`.
    return bool(only_two and 0.02 < share < 0.98 and strays.max() < 1.5 * digit)


def _given_step(table: Table, column: Column, dt: float | None, notes: list[str]) -> float:
    """The given dt, in ms, for times that are printed with too few digits to show their step.

    Raises UsageError if no dt is given, or if it contradicts the times.
    """
    t = column.values
    if dt is None:
        raise UsageError(
            f"{table.path}: {column.name} is printed with too few digits to show the time step (it goes on by"
            f" {np.diff(t).min():.3g} or {np.diff(t).max():.3g}): ",
            Advice.GIVE_DT,
            ".",
        )
    covered, expected = (t[-1] - t[0]) * (column.factor or 0.0), dt * (len(t) - 1)
    digit = np.ptp(np.diff(t)) * (column.factor or 0.0)
    if column.factor is not None and abs(covered - expected) > max(2 * digit, 1e-3 * expected):
        raise UsageError(
            f"{table.path} does not have a time step of {dt:g} ms: its {len(t)} samples cover {covered:g} ms, not"
            f" {expected:g}."
        )
    notes.append(f"{column.name} is printed with too few digits: the time step is the given one, {dt:g} ms")
    return float(dt)


def increases(values: Floats) -> bool:
    """Whether a column may be a time: every step is within 20 % of a positive median step, as in no recorded signal."""
    steps = np.diff(values)
    return len(steps) > 1 and bool(np.all(np.abs(steps - np.median(steps)) <= 0.2 * np.median(steps)) and steps[0] > 0)
