"""Finds the sample step of a text table, and splits sweeps that are stacked below each other in its columns."""

from dataclasses import replace

import numpy as np

from spikefab.errors import Advice, FileError, UsageError

from .text_column import Column, Floats
from .text_table import Table

SLOWEST = 10.0  # ms: a longer sample step is not one of a neuron's recording
FASTEST = 1e-4  # ms: the same of a shorter step
MANY = 1e8  # samples: more than this are not interpolated
EVEN = 0.2  # share of the median step by which a step of an even time may differ from it
DIGITS = range(4, 9)  # numbers of significant digits with which programs print times
DIFFERENT = 0.3  # share of times that differ from the one before: of a simulator's variable steps, many are below the last digit
MOST = (
    0.8  # share of even steps above which an uneven time is a fault, and below which it is a simulator's variable step
)


def unstacked(table: Table, columns: list[Column], notes: list[str]) -> list[Column]:
    """The columns with one sweep each: if the time starts again and again, every column is cut there.

    Raises FileError if the time starts again but the sweeps do not all have the same times.
    """
    known = [c for kind in ("time", "index") for c in columns if c.kind == kind]
    if not any(c.kind or increases(c.values) for c in columns):
        # No header and no column that increases evenly: a column that increases evenly several times over is the time.
        known = [c for c in columns if _parts(c.values) > 1] or [c for c in columns[:1] if _is_clock(columns)]
    if not known:
        return columns
    clock = known[0]
    parts = _parts(clock.values)
    if parts < 2:
        again = _restart(clock.values)
        if again is not None and clock.kind != "index":
            raise FileError(
                f"{table.path}: the time starts again at {table.at(again)}: sweeps belong side by side, a column each."
            )
        return columns
    n = len(clock.values) // parts
    notes.append(f"the time starts again at {table.at(n)}: taken as {parts} sweeps of {n} samples")
    cut: list[Column] = []
    for c in columns:
        padding = (0, max(0, parts * n - len(c.values)))
        rows = np.pad(c.values, padding, constant_values=np.nan)[: parts * n].reshape(parts, n)
        if c is clock or c.kind in ("time", "index"):
            cut.append(replace(c, values=rows[0]))
        else:
            cut += [replace(c, values=row[np.isfinite(row)], part=k, rows=n) for k, row in enumerate(rows)]
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
    for k in np.flatnonzero(steps < 0) + 1 if typical > 0 and steps[0] > 0 else ():
        again = abs(values[k] - values[0]) <= 0.5 * typical
        if again and k < len(steps) and min(abs(steps[k] - typical) / typical, abs(steps[k] / steps[0] - 1)) <= 0.2:
            return int(k)
    return None


def time_step(table: Table, columns: list[Column], dt: float | None, notes: list[str]) -> float:
    """The sample step in ms. Sets the kind of the columns that are a time or an index.

    Samples of a simulator with a variable step are interpolated at even steps. Raises FileError if the times are uneven
    otherwise (with the line number), UsageError if there is neither a time nor dt.
    """
    named = [c for c in columns if c.kind == "time"]
    sound = [c for c in named if not c.means.fault]
    if named and not sound:
        raise FileError(f"{table.path}: column {named[0].title} {named[0].means.fault}.")
    for c in [] if sound else columns:
        # If no header names the time, a column that increases evenly is the time, or the index if it increases by ones.
        if c.kind in ("", "index") and increases(c.values):
            c.kind = "index" if _counts(c.values) else "time"
            if c.kind == "time":
                sound.append(c)
    rest = [c for c in columns if not _counts(c.values)]
    if not sound and rest and rest[0].kind in ("", "index") and _is_clock(rest):
        rest[0].kind = "time"
        sound.append(rest[0])
    hint = table.step if table.step is not None and FASTEST < table.step < SLOWEST else None
    if not sound:
        if dt is None and hint is None:
            counted = any(c.kind == "index" for c in columns)
            why = "only counts its samples" if counted else "has no time column"
            why = "seems to have a sweep in each line, and no times" if table.across else why
            raise UsageError(f"{table.path} {why}: ", Advice.GIVE_DT, ".")
        step = float(dt if hint is None else hint)  # type: ignore[arg-type]
    else:
        steps = {_step_of(table, c, columns, dt if dt is not None else hint, notes) for c in sound}
        if len(steps) > 1:
            raise FileError(
                f"{table.path} has sweeps of different time steps: {', '.join(f'{s:g} ms' for s in sorted(steps))}."
            )
        step = steps.pop()
        if hint is not None and not np.isclose(step, hint, rtol=0.02):
            raise FileError(
                f"{table.path}: its times go on by {step:g} ms, but its header gives a sample step of {hint:g} ms."
            )
    if dt is not None and not np.isclose(dt, step, rtol=1e-3):
        notes.append(f"{step:g} ms is the time step of the file itself")
    return step


def _step_of(table: Table, column: Column, columns: list[Column], dt: float | None, notes: list[str]) -> float:
    """The step, ms, of a time column; if its steps vary, that to which all columns are resampled here.

    Raises FileError, with the line number, if the times do not increase.
    """
    t = column.values
    if len(t) < 2:
        raise FileError(f"{table.path} holds a single sample.")
    steps = np.diff(t)
    typical = float(np.median(steps))
    uneven = np.flatnonzero(np.abs(steps - typical) > EVEN * abs(typical)) if typical > 0 else np.array([0])
    rounded = len(uneven) > 0 and typical > 0 and _rounded(t, t[0] + np.arange(len(t)) * typical)
    if rounded:
        notes.append(f"{column.name} has too few digits for its larger times: taken as even")
        uneven = uneven[:0]
    if len(uneven) and _varies(t):
        return _resampled(table, column, columns, dt, notes)
    if not len(uneven):
        drift = np.abs(t - t[0] - np.arange(len(t)) * (t[-1] - t[0]) / (len(t) - 1))
        uneven = np.flatnonzero(drift[1:] > 0.5 * typical)
    if len(uneven):
        if _coarse(t):
            return _given_step(table, column, dt, notes)
        k = int(uneven[0])
        where = f"where its step is {typical:g}; time steps must be even" if typical > 0 else "and does not increase"
        raise FileError(f"{table.path}, {table.at(k + 1)}: the time goes from {t[k]:g} to {t[k + 1]:g} {where}.")
    step = typical if rounded else (t[-1] - t[0]) / (len(t) - 1)
    factor = column.factor
    if factor is None:
        # the unit with which the step is plausible: neurons are recorded at 1-200 kHz, steps of 0.005-1 ms
        factor = 1e3 if step < 1.5e-3 else 1.0 if step <= 1.0 else 1e-3
        unit = {1e3: "s", 1.0: "ms", 1e-3: "µs"}[factor]
        notes.append(f"{column.name} has no unit: taken as time in {unit}, a step of {step * factor:g} ms")
    if not FASTEST < step * factor < SLOWEST:
        raise FileError(
            f"{table.path} has a time step of {step * factor:g} ms: the unit of {column.name} must be wrong."
        )
    # The mean step is more exact than a single printed time, but not to the 16 digits of a float: keep six.
    return float(f"{step * factor:.6g}")


def is_time(columns: list[Column]) -> bool:
    """Whether the first of several columns may be a time without a name, even or not."""
    return increases(columns[0].values) or _is_clock(columns)


def _is_clock(columns: list[Column]) -> bool:
    """Whether the first of several columns may be an uneven time without a name: it increases nearly everywhere.

    No signal does. The time may start again: a sweep that follows below the other. If it never goes back, it may stand still
    often, as printed times of a simulator do.
    """
    values = columns[0].values
    steps = np.diff(values)
    if len(columns) < 2 or len(steps) < 10 or values[0] < 0:
        return False
    back = np.flatnonzero(steps < 0)
    again = np.all(values[back + 1] <= values[0] + 0.01 * np.ptp(values))
    climbs = np.mean(steps > 0) > (0.9 if len(back) else DIFFERENT) or _coarse(values)
    return bool(again and climbs and len(back) < 0.1 * len(steps))


def _counts(values: Floats) -> bool:
    """Whether a column only counts its samples."""
    return bool(np.all(np.diff(values) == 1))


def _varies(t: Floats) -> bool:
    """Whether times are those of a simulator with a variable step: they never go back, and few of their steps are alike."""
    steps = np.diff(t)
    even = np.mean(np.abs(steps - np.median(steps)) <= EVEN * np.median(steps))
    return (
        len(steps) > 10
        and bool(np.all(steps >= 0) and np.mean(steps > 0) > DIFFERENT and even < MOST)
        and not _coarse(t)
    )


def _resampled(table: Table, column: Column, columns: list[Column], dt: float | None, notes: list[str]) -> float:
    """Interpolate all columns of a table at even times; the new step in ms, which is dt if it is given."""
    t, factor = column.values, column.factor
    said = ""
    if factor is None:
        # a simulation lasts from some 50 ms to 20 s
        factor = 1e3 if t[-1] - t[0] < 20 else 1.0
        said = f" (taken as {'s' if factor > 1 else 'ms'})"
    steps = np.diff(t) * factor
    times = [c for c in columns if c.kind == "time"]
    # the shortest steps are those of the spikes: one in ten of the positive steps is shorter
    fine = min(float(np.percentile(d[d > 0], 10)) * factor for c in times if (d := np.diff(c.values)).max() > 0)
    step = dt if dt is not None else next((s for s in (0.1, 0.05, 0.025) if s <= fine), 0.02)
    if (t[-1] - t[0]) * factor / step > MANY:
        raise FileError(f"{table.path} covers {(t[-1] - t[0]) * factor:g} ms: the unit of {column.name} must be wrong.")
    # Of two samples at one time, the second is what holds from then on.
    last = np.append(np.diff(t) > 0, True)
    even = t[0] + np.arange(int((t[-1] - t[0]) * factor / step + 1e-6) + 1) * step / factor
    # Of several times, each is that of the columns between it and the next one.
    end = min((c.place for c in times if c.place > column.place), default=len(columns) + 1)
    for c in columns:
        if c.kind != "time" and (len(times) == 1 or column.place < c.place < end):
            n = min(len(c.values), len(t))
            c.values = np.interp(even[even <= t[n - 1]], t[:n][last[:n]], c.values[:n][last[:n]])
            c.rows = len(even)
    notes.append(
        f"{column.name} is a time{said} with steps of {steps.min():.3g} to {steps.max():.3g} ms: resampled to steps of"
        f" {step:g} ms"
    )
    return float(step)


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


def _rounded(t: Floats, even: Floats) -> bool:
    """Whether times are the even ones, rounded to a number of significant digits."""
    size = np.floor(np.log10(np.maximum(np.abs(t), 1e-12)))
    for digits in DIGITS:
        last = 10.0 ** (size - digits + 1)
        if np.all(np.abs(np.round(t / last) * last - t) < 1e-3 * last):
            return bool(np.all(np.abs(t - even) < 0.75 * last))
    return False


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
    whose = "that of the header" if dt == table.step else "the given one"
    notes.append(f"{column.name} is printed with too few digits: the time step is {whose}, {dt:g} ms")
    return float(dt)


def increases(values: Floats) -> bool:
    """Whether a column may be a time: every step is within 20 % of a positive median step, as in no recorded signal."""
    steps = np.diff(values)
    return len(steps) > 1 and bool(np.all(np.abs(steps - np.median(steps)) <= 0.2 * np.median(steps)) and steps[0] > 0)
