"""Numbers and arrays from users, with or without a unit of any library, as float64 in the units of spikefab.

A unit is converted or refused; it is never dropped. No library of units is imported: each is known by what its objects offer.
The time step that a signal carries (neo) is compared with the one with which it is used. Everything that is wrong is a
UsageError; `what`, an argument of all functions here, begins its sentence.
"""

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import UsageError, shortened

Floats = NDArray[np.float64]

SECONDS = 1.5e-3  # ms: a time step below this is one in seconds, as rigs sample with 1 to 200 kHz
SLOWEST = 10.0  # ms: a time step above this is a sampling rate in Hz or kHz
SHORTEST = 10.0  # ms: rows shorter than this, of which there are more than samples, are columns
# A unit as text: a prefix, and a symbol or name. V and A are in any case, as they are in files.
_UNIT = re.compile(
    r"(?P<small>milli|micro|nano|pico|[munp])?(?P<name>(?i:volts?|v|amperes?|amps?|a)|seconds?|secs?|s|siemens|S|farads?|F)"
    r"|(?P<large>kilo|mega|giga|[kMG])?(?P<other>[oO]hms?|hertz|Hz)"
)
_PREFIX = {"": 1.0, "milli": 1e-3, "micro": 1e-6, "nano": 1e-9, "pico": 1e-12, "kilo": 1e3, "mega": 1e6, "giga": 1e9}
_PREFIX |= {"m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "k": 1e3, "M": 1e6, "G": 1e9}
_MICRO = str.maketrans("µμ", "uu")  # the micro sign and the Greek letter
_CARRIERS = ("unit", "units", "dimensionality", "dim")  # an object that has one of these attributes carries a unit


def number(value: Any, unit: str, what: str) -> float:
    """One finite number in `unit`."""
    if value is None or isinstance(value, str | bytes | bool | np.bool_):
        raise UsageError(f"{what} is one number{_in(unit)}, not {shortened(value)}.")
    if type(value) is not float and type(value) is not int:
        found = array(value, unit, what, gaps=True)
        if found.ndim:
            raise UsageError(f"{what} is one number{_in(unit)}, not an array of shape {found.shape}.")
        value = found[()]
    try:
        made = float(value)
    except OverflowError:  # a whole number of more than 308 digits
        made = math.inf
    if not math.isfinite(made):
        raise UsageError(f"{what} is one number{_in(unit)}, not {made}.")
    return made


def step(value: Any, what: str = "dt") -> float:
    """A time step in ms: one positive number. A plain number that looks like seconds, or like a sampling rate, is refused."""
    found = number(value, "ms", what)
    if found <= 0:
        raise UsageError(f"{what} must be a positive number of ms, not {found:g}.")
    if isinstance(value, float | int | np.number) and found < SECONDS:
        raise UsageError(f"{what} = {found:g} ms looks like seconds: in ms it is {1000 * found:g}.")
    if found > SLOWEST:
        rate, name = (found, "kHz") if found < 1000 else (found / 1000, "Hz")
        raise UsageError(f"{what} = {found:g} ms looks like a rate in {name}: the step is {1 / rate:g} ms.")
    return found


def array(values: Any, unit: str, what: str, *, gaps: bool = False) -> Floats:
    """Numbers of any shape as a new float64 array in `unit`, with time last.

    Signals of neo (T, channels), and arrays of xarray whose first of two dimensions is called time, are transposed.

    gaps  whether a number may be missing: NaN, infinite, or masked, which becomes NaN
    """
    if isinstance(values, list | tuple) and not all(map(_is_plain, values)):
        found = _stacked(values, unit, what)
    elif isinstance(values, np.ndarray) and values.dtype == object and values.ndim:
        found = _stacked(list(values), unit, what)
    else:
        inner, scale = _opened(values, unit, what)
        found = _numbers(inner, unit, what)
        # one rounding, as a power of ten from 1 on is exact
        found = found * scale if scale > 1 else found / _rounded(1 / scale)
        found = found.T if found.ndim == 2 and _time_first(values) else found
    if not gaps and not np.isfinite(found).all():
        *row, sample = np.argwhere(~np.isfinite(np.atleast_1d(found)))[0]
        raise UsageError(f"{what} is not a number at sample {sample}{f' of row {row[-1]}' if row else ''}.")
    return found


def rows(values: Any, unit: str, what: str) -> list[Floats]:
    """The sweeps, (T,) each, of an array (T,) or (sweeps, T), or of a list of arrays, which may differ in length."""
    uneven = isinstance(values, np.ndarray) and values.dtype == object
    parts = list(values) if (uneven and values.ndim) or isinstance(values, list | tuple) else []
    several = any(isinstance(x, list | tuple) or getattr(x, "ndim", 0) for x in parts)
    each = [array(x, unit, what, gaps=True) for x in (parts if several else [values])]
    if several:
        each = [x[0] if x.ndim == 2 and len(x) == 1 else x for x in each]  # the one channel of a signal
    if any(x.ndim != 1 for x in each) and (several or each[0].ndim != 2):
        raise UsageError(f"{what} must be an array of shape (T,) or (sweeps, T), not {_shapes(each)}.")
    return [row for x in each for row in np.atleast_2d(x)]


def currents(values: Any, dt: float, *, several: bool = True) -> Floats:
    """Input currents in nA whose samples are dt ms apart: (T,) or, if there may be several, (N, T)."""
    own = sample_step(None, values)
    if own is not None and not np.isclose(own, dt, rtol=1e-6):
        raise UsageError(f"the current is sampled every {own:g} ms, where a step lasts {dt:g} ms: resample it.")
    found = array(values, "nA", "the current")
    if found.ndim == 2 and len(found) == 1 and (not several or own is not None):
        found = found[0]  # the one channel of a signal
    if found.ndim not in ((1, 2) if several else (1,)) or not found.size:
        raise UsageError(f"the current must be (T,){' or (N, T)' if several else ''} nA, not {found.shape}.")
    require_rows(found.shape, dt, "currents")
    return found


def require_rows(shape: Sequence[int], dt: float, what: str) -> None:
    """Raise UsageError if the rows of an array (rows, T) are so many and so short that they must be its columns."""
    if len(shape) == 2 and shape[1] < shape[0] and shape[1] * dt < SHORTEST:
        raise UsageError(f"There are {shape[0]} {what} of {shape[1]} samples: transpose the array to ({what}, T).")


def sample_step(dt: Any, *signals: Any) -> float | None:
    """The time step of signals, ms: dt or, if that is None, the one that they carry. None if neither is known."""
    found = None if dt is None else step(dt)
    for signal in (x for s in signals for x in (s if isinstance(s, list | tuple) else [s])):
        if getattr(signal, "ndim", 0) != 2:  # of neo, signals are (T, channels)
            continue
        period = getattr(signal, "sampling_period", None)
        if period is None and hasattr(signal, "times") and hasattr(signal, "rescale"):
            raise UsageError("a signal is sampled at irregular times: resample it with one time step.")
        if period is None:
            continue
        own = float(f"{number(period, 'ms', 'the sampling period'):.9g}")
        if found is not None and not np.isclose(own, found, rtol=1e-6):
            raise UsageError(
                f"a signal is sampled every {own:g} ms, not every {found:g} ms: leave out dt, or resample it."
            )
        found = own if found is None else found
    return found


def si(unit: str) -> tuple[str, float]:
    """(V, A, s, S, F, O or H, factor to SI) of a unit such as mV, volts, picoamperes or MOhm; ("", 1) for any other."""
    text = unit.strip("\0 \t").translate(_MICRO)
    match = _UNIT.fullmatch(text) or (_UNIT.fullmatch(text.lower()) if len(text) > 3 else None)
    if match is None:
        return "", 1.0
    name = match["name"] or match["other"]
    return "s" if name == "s" or name.startswith("sec") else name[0].upper(), _PREFIX[
        match["small"] or match["large"] or ""
    ]


def _opened(values: Any, unit: str, what: str) -> tuple[Any, float]:
    """What holds the numbers, and the factor to `unit`, which is 1 if they carry no unit.

    | of | known by |
    |---|---|
    | xarray, pandas, h5py | `attrs["units"]` or `attrs["unit"]`, a text; of pandas also a dict of columns |
    | quantities, neo | `rescale` and `units` |
    | pint | `magnitude` and `units` |
    | astropy | `to_value` and `unit` |
    | numpy, pandas, datetime | a time difference |
    """
    if isinstance(values, str | bytes | float | int | list | tuple | Mapping):
        return values, 1.0
    if isinstance(values, datetime.timedelta):
        return values.total_seconds(), _of_text("s", unit, what)
    if getattr(getattr(values, "dtype", None), "kind", "") == "m":
        return np.asarray(values) / np.timedelta64(1, "ns"), _of_text("ns", unit, what)
    if isinstance(attrs := getattr(values, "attrs", None), Mapping):
        told = attrs.get("units", attrs.get("unit"))
        if isinstance(told, Mapping):
            if getattr(values, "ndim", 1) > 1:
                raise UsageError(f"{what} is a table whose columns have units of their own: choose one of them.")
            told = told.get(getattr(values, "name", None))
        told = told.decode("utf-8", "replace") if isinstance(told, bytes) else told
        if attrs.get("conversion", 1) != 1:
            raise UsageError(f"{what} has a conversion beside its unit: open its file with spikefab.read.")
        if told not in (None, ""):
            return values, _of_text(told, unit, what)
        if hasattr(values, "dims") and hasattr(values, "data"):  # of xarray, which may hold a quantity of pint
            return (values, 1.0) if isinstance(values.data, np.ndarray) else _opened(values.data, unit, what)
    target = unit.replace("MOhm", "Mohm").replace(" ", "*") or "dimensionless"  # as these libraries spell it
    told = getattr(values, "units", getattr(values, "unit", ""))
    try:
        if hasattr(values, "rescale") and hasattr(values, "units"):
            told = values.dimensionality
            return values.magnitude, _rounded(values.units.rescale(target))
        if hasattr(values, "magnitude") and hasattr(values, "units"):
            return values.magnitude, _rounded(type(values)(1.0, values.units).to(target).magnitude)
        if hasattr(values, "to_value") and hasattr(values, "unit"):
            return values.value, _rounded(values.unit.to(target.replace("dimensionless", "")))
    except Exception:  # each library has exceptions of its own for a unit of another kind
        raise UsageError(f"{what} has the unit {told}, {_wanted(unit)}.") from None
    if any(not callable(getattr(x, name, len)) for x in (values, getattr(values, "dtype", None)) for name in _CARRIERS):
        kind = f"{type(values).__module__.partition('.')[0]}.{type(values).__name__}"
        raise UsageError(f"{what} is a {kind}, whose unit is not understood: pass plain numbers{_in(unit)}.")
    return values, 1.0


def _of_text(told: Any, unit: str, what: str) -> float:
    (kind, factor), (wanted, per) = si(told) if isinstance(told, str) else ("", 1.0), si(unit)
    if not kind or kind != wanted:
        raise UsageError(f"{what} has the unit {told}, {_wanted(unit)}.")
    return _rounded(factor / per)


def _rounded(factor: Any) -> float:
    """A factor between units, without the rounding error of floats: 1e-6 / 1e-9 is 1000."""
    return float(f"{float(factor):.12g}")


def _numbers(values: Any, unit: str, what: str) -> Floats:
    """Plain numbers as a new array; NaN where they are masked."""
    mask = getattr(values, "mask", None)  # of numpy.ma or of astropy; a method of pandas
    try:
        found = np.asarray(values)
        if found.dtype == object and found.size and all(isinstance(x, Real | Decimal) for x in found.flat):
            found = found.astype(np.float64)
    except Exception:  # whatever an object raises that is no array, or no number of a float's size
        found = np.array(None)
    if found.dtype.kind not in "iuf":
        what_came = {"b": "True and False", "c": "complex numbers"}.get(found.dtype.kind, shortened(values))
        if found.dtype.names:
            what_came = f"a table: choose a column, {' or '.join(found.dtype.names)}"
        raise UsageError(f"{what} must be numbers{_in(unit)}, not {what_came}.")
    made = np.array(found, dtype=np.float64)
    if mask is not None and not callable(mask):
        made[np.broadcast_to(np.asarray(mask, dtype=bool), made.shape)] = np.nan
    return made


def _stacked(values: Sequence[Any], unit: str, what: str) -> Floats:
    """A sequence as an array; each element may have a unit of its own."""
    each = [array(x, unit, what, gaps=True) for x in values]
    each = [x[0] if x.ndim == 2 and len(x) == 1 and _time_first(v) else x for x, v in zip(each, values, strict=True)]
    if len({x.shape for x in each}) > 1:
        raise UsageError(f"{what} must be one array, not rows of different shapes, {_shapes(each)}.")
    return np.array(each, dtype=np.float64)


def _is_plain(x: Any) -> bool:
    return type(x) in (float, int) or (isinstance(x, np.number) and not isinstance(x, np.timedelta64))


def _time_first(values: Any) -> bool:
    """Whether the first of two axes is time: of neo always, of xarray by its name."""
    dims = getattr(values, "dims", ())
    named = isinstance(dims, tuple) and len(dims) == 2 and str(dims[0]).lower() in ("t", "time")
    return named or hasattr(values, "sampling_period")


def _shapes(each: Sequence[Floats]) -> str:
    return ", ".join(map(str, list(dict.fromkeys(x.shape for x in each))[:4]))


def _in(unit: str) -> str:
    return f" in {unit}" if unit else ""


def _wanted(unit: str) -> str:
    return f"which cannot be converted to {unit}" if unit else "and takes a number without a unit"
