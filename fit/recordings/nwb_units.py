"""The samples of a series in an NWB file in mV or nA, and whether a cell can have such a voltage or current.

The schema wants data x conversion in volts or amperes. Many files give the unit of the numbers instead ("mV"), with or
without the conversion to SI beside it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikefab.errors import Advice, FileError, RecordingError

from .channels import factor
from .nwb_file import load
from .nwb_series import Series, Stretch, si
from .sweep import Floats

# mV and nA: if no sample is as large as the first, or one is as large as the second, the unit in the file must be wrong
CELL = {"V": (1.0, 1000.0), "A": (1e-3, 1e4)}
# mV and nA: range in which the largest sample must be for the unit or conversion of a file to be corrected
CORRECTED = {"V": (20.0, 250.0), "A": (2e-3, 50.0)}
WORD, SI, OURS = {"V": "voltage", "A": "current"}, {"V": "volts", "A": "amperes"}, {"V": "mV", "A": "nA"}


def values(path: Path, stretch: Stretch, kind: str, told: str = "") -> Floats:
    """The samples of a stretch, (T,) in mV (`kind` "V") or nA ("A"): data x conversion + offset, converted from its unit.

    told  the unit that the user says its numbers have, which overrules that of the file, and a conversion that is no more
          than a change of unit
    """
    series = stretch.series
    data = series.group["data"]
    if sum(n > 1 for n in data.shape) > 1:
        raise FileError(f"{path}: {series.name} has the shape {data.shape}, where a sweep is one row of samples.")
    numbers = load(data, stretch.start, stretch.stop).astype(np.float64)
    conversion, offset = attribute(series, "conversion", 1.0), attribute(series, "offset", 0.0)
    if not np.isfinite(conversion) or conversion == 0 or not np.isfinite(offset):
        raise FileError(f"{path}: {series.name} has a conversion of {conversion:g} and an offset of {offset:g}.")
    if told and _changes_unit(conversion):
        conversion, offset = 1.0, offset / conversion
    # a series without a unit is in that of the schema, volts or amperes; in place, as a sweep may be long
    numbers *= conversion
    numbers += offset
    for scale in (factor(told),) if told else (si(series.unit)[1], 1e3 if kind == "V" else 1e9):
        numbers *= scale
    return numbers


def attribute(series: Series, name: str, otherwise: float) -> float:
    """A number among the attributes of the data of a series; `otherwise` if it is absent."""
    return float(np.ravel(series.group["data"].attrs.get(name, otherwise))[0])


def in_words(series: Series, kind: str) -> str:
    """The unit of the numbers of a series, such as "mV", or "steps of 0.03125 mV" if they are a converter's.

    kind  "V" or "A": what the series measures
    """
    conversion, (measures, scale) = attribute(series, "conversion", 1.0), si(series.unit)
    scale = scale if measures else 1.0  # without a unit, it is that of the schema
    named = {1.0: "", 1e-3: "m", 1e-6: "u", 1e-9: "n", 1e-12: "p"}
    if scale == 1 and (
        found := [p for size, p in named.items() if np.isclose(abs(conversion), size, rtol=1e-6, atol=0)]
    ):
        return f"{found[0]}{kind}"
    # a unit with its conversion to SI beside it: the notes say how it is read
    if conversion == 1 or _changes_unit(conversion):
        return series.unit or kind
    return f"steps of {abs(conversion) * scale * (1e3 if kind == 'V' else 1e9):.6g} {OURS[kind]}"


def _changes_unit(conversion: float) -> bool:
    """Whether a conversion is a power of 1000, as from mV to V, and so not the gain of a converter."""
    return bool(abs(np.log10(abs(conversion)) / 3 % 1 - 0.5) > 0.499)


def plausible(
    path: Path, signals: Sequence[Floats], series: Sequence[Series], kind: str, notes: list[str]
) -> list[Floats]:
    """The signals, (T,) each in mV (`kind` "V") or nA ("A"), on a scale that a cell can have.

    series  that each of the signals is of

    The signals whose series have the same unit and conversion are judged together. If these make them too large or too small
    for any cell, another reading of the file is taken, with a notice. Raises RecordingError if none is plausible.
    """
    scaled = list(signals)
    groups: dict[tuple[str, float], list[int]] = {}
    for k, s in enumerate(series):
        groups.setdefault((s.unit, attribute(s, "conversion", 1.0)), []).append(k)
    low, high = CELL[kind]
    for members in groups.values():
        largest = max(float(np.max(np.abs(signals[k]))) for k in members)
        if 0 < largest < low or largest >= high:
            scale = _scale(path, series[members[0]], kind, largest, notes)
            for k in members:
                scaled[k] = signals[k] * scale
    return scaled


def _scale(path: Path, series: Series, kind: str, largest: float, notes: list[str]) -> float:
    """The factor for signals of which the largest sample, in mV or nA, is none that a cell can have; with a notice.

    A current that is too small is left as it is if no other reading of the file is plausible: it may be no stimulus at all.
    """
    conversion = attribute(series, "conversion", 1.0)
    raw = largest / si(series.unit)[1] / (1e3 if kind == "V" else 1e9)  # the largest number x conversion
    if largest >= CELL[kind][1]:
        name, scale = _usual(raw, series.unit, kind)
        if largest * scale < CELL[kind][1]:
            notes.append(f"the {WORD[kind]} would reach {raw:g} {series.unit or 'in SI'}: taken as {name}")
            return scale
    by = f"by its unit ({series.unit or 'none'}) and conversion ({conversion:g})"
    low, high = CORRECTED[kind]
    fitting = {s: how for s, how in _readings(series.unit, conversion, raw, kind).items() if low <= largest * s <= high}
    if len(fitting) == 1:
        ((scale, how),) = fitting.items()
        notes.append(f"the {WORD[kind]} would reach {largest:g} {OURS[kind]} {by}: {how}")
        return scale
    if not fitting and kind == "A" and largest < CELL[kind][0]:
        notes.append(f"the {WORD[kind]} reaches {largest:g} {OURS[kind]} {by}")
        return 1.0
    doubt = f"either {' or '.join(fitting.values())}" if fitting else "no other reading of the file is plausible"
    raise RecordingError(
        f"{path}: the {WORD[kind]} of {series.name} reaches {largest:g} {OURS[kind]} {by}, which no cell does ({doubt})",
        Advice.UNITS,
        ".",
    )


def _usual(raw: float, unit: str, kind: str) -> tuple[str, float]:
    """(unit, factor) for numbers up to `raw` that are in the usual unit of a rig, although the file has another unit."""
    # 10 nA would be far too much for a neuron, but 10 pA is a usual current step
    name = "mV" if kind == "V" else "nA" if raw < 10 else "pA"
    return name, si(name)[1] / si(unit)[1]


def _readings(unit: str, conversion: float, raw: float, kind: str) -> dict[float, str]:
    """Factor and notice of each other way in which the numbers of a file may be meant, given their unit and conversion.

    raw  the largest number x conversion

    The conversion may have been meant to give SI from numbers in the unit, as the schema has it; or it should not have been
    applied, if it is a power of 1000 and so no gain.
    """
    prefix = si(unit)[1]
    readings = {prefix: f"data x conversion taken as {SI[kind]}"}
    if conversion != 1 and _changes_unit(conversion):
        readings.setdefault(conversion, f"the data taken as {unit or SI[kind]}, without the conversion")
        readings.setdefault(conversion * prefix, f"the data taken as {SI[kind]}, without the conversion")
        name, scale = _usual(raw / abs(conversion), unit, kind)
        readings.setdefault(conversion / scale, f"the data taken as {name}, without the conversion")
    scales: dict[float, str] = {}
    for divisor, how in readings.items():
        scales.setdefault(1 / float(f"{divisor:.6g}"), how)  # those that differ by rounding only are one
    return scales
