"""Which columns of a text file are voltages and currents of the cell, and in which units: from their names, else by guess."""

from pathlib import Path

import numpy as np

from spikefab.errors import FileError

from .channels import Units, factor
from .text_column import Column, Floats, listed
from .text_header import UNITS


def set_aside(path: Path, signals: list[Column], sure: list[Column], units: Units, notes: list[str]) -> list[Column]:
    """The columns without those whose names say that they are no voltage or current of the cell; `sure` are the user's.

    Raises FileError if all the voltages or all the currents have a unit that cannot be.
    """
    kept = signals
    for kind, given in (("voltage", units.voltage), ("current", units.current)):
        of_kind = [c for c in kept if c.kind == kind and c not in sure]
        if any(c.kind == kind for c in sure):
            continue
        faulty = [] if given else [c for c in of_kind if c.means.fault]
        sound = [c for c in of_kind if c not in faulty]
        if faulty and not sound:
            raise FileError(f"{path}: column {faulty[0].title} {faulty[0].means.fault}.")
        notes += [f"left out: {c.name} {c.means.fault}" for c in faulty]
        raw = [c for c in sound if not c.means.derived]
        derived = [c for c in sound if c.means.derived] if raw else []
        if derived:
            notes.append(f"left out, being computed from another trace by the name: {listed(derived)}")
        named = [c for c in raw if c.means.named]
        bare = [c for c in raw if not c.means.named] if named else []
        if bare:
            notes.append(
                f"left out, having the unit but not the name of a {kind}, as {listed(named)} has: {listed(bare)}"
            )
        kept = [c for c in kept if c not in [*faulty, *derived, *bare]]
    others = [c for c in kept if c.kind == "other" and c not in sure]
    measuring = [c for c in others if c.means.measures in ("voltage", "current")]
    if measuring:
        notes.append(f"left out, being no signal of the cell by the name: {listed(measuring)}")
    return [c for c in kept if c not in measuring]


def guess_kinds(signals: list[Column], named: bool, notes: list[str]) -> list[Column]:
    """Decide which columns of unknown kind are voltages and which are currents; return all voltages and currents.

    If the header names a voltage, a column that it does not name is left out: it may be a trigger or a temperature.
    """
    unknown = [c for c in signals if c.kind in ("", "other")]
    if not unknown:
        return signals
    voltages = [c for c in signals if c.kind == "voltage"]
    told = named and len(unknown) < len(signals)
    free = [c for c in unknown if not c.kind]
    # The sweeps that one column holds one below the other are all voltages, or none is.
    alike = _resting(free, 1.0) or _resting(free, 1e3)
    if told and voltages:
        alike = []
    elif not alike and not voltages:
        alike = free[:1]
    for c in free:
        c.kind = "voltage" if c in alike else "" if told else "current"
    for kind in ("voltage", "current"):
        guessed = [c for c in free if c.kind == kind]
        if guessed:
            notes.append(f"no header tells what {listed(guessed)} is: taken as {kind}")
    left = [c for c in unknown if c.kind in ("", "other")]
    if left:
        notes.append(left_out(left))
    return [c for c in signals if c.kind in ("voltage", "current")]


def left_out(columns: list[Column]) -> str:
    """The notice that these columns are not used."""
    return f"left out, having neither the name nor the unit of a voltage or a current: {listed(columns)}"


def _resting(columns: list[Column], to_mv: float) -> list[Column]:
    """The columns that look like membrane voltages, if their values times `to_mv` are mV."""
    rest = {id(c): _rests(c.values, to_mv) for c in columns}
    found = []
    for c in columns:
        sweeps = [other for other in columns if c.part is not None and other.place == c.place] or [c]
        if 2 * sum(rest[id(other)] for other in sweeps) > len(sweeps):
            found.append(c)
    return found


def _rests(values: Floats, to_mv: float) -> bool:
    """Whether a column looks like a membrane voltage, if its values times `to_mv` are mV.

    Its resting value (10th percentile) must lie between -120 and -20 mV and its maximum below 200 mV, and it must have at
    least ten different values: a command current has only few.
    """
    rest = np.percentile(values, 10) * to_mv
    return bool(-120 <= rest <= -20 and values.max() * to_mv < 200 and len(np.unique(values[:100_000])) >= 10)


def set_units(signals: list[Column], units: Units, notes: list[str]) -> None:
    """Set the units that the user gives; guess those that are still missing, from the size of the values."""
    for kind, given in (("voltage", units.voltage), ("current", units.current)):
        of_kind = [c for c in signals if c.kind == kind]
        if given:
            otherwise = [c for c in of_kind if c.factor is not None and (c.factor != factor(given) or c.means.fault)]
            if otherwise:
                notes.append(f"the {kind} is taken as {given}, as asked, whatever the header says: {listed(otherwise)}")
            for c in of_kind:
                c.factor = factor(given)
            continue
        for c in of_kind:
            if c.means.measures not in ("", kind) or c.means.fault:
                c.factor = None
        bare = [c for c in of_kind if c.factor is None]
        if not bare:
            continue
        largest = max(float(np.max(np.abs(c.values))) for c in bare)
        if kind == "voltage":
            unit = "V" if largest < 1 else "mV" if largest < 1000 else "uV"
        else:
            # 10 nA would be far too much for a neuron, but 10 pA is a usual current step
            unit = "A" if 0 < largest < 1e-6 else "nA" if largest < 10 else "pA"
        if wrong := [c for c in bare if c.means.measures or c.means.fault]:
            notes.append(f"{listed(wrong)} has no unit of a {kind}: taken as {unit}")
        if untold := [c for c in bare if c not in wrong]:
            notes.append(f"no unit for the {kind} in {listed(untold)}: taken as {unit}")
        for c in bare:
            c.factor = UNITS[unit.lower()][1]
