"""Which columns of a text file are the sweeps of one cell, and which current belongs to which voltage.

Columns whose names differ in numbers are sweeps; columns whose names differ in words (cell A and cell B, soma and dendrite),
or in the number of a cell or a channel, are not: the user is asked to choose.
"""

from collections.abc import Sequence
from pathlib import Path

from spikefab.errors import Advice, FileError, UsageError

from .text_column import Column, listed
from .text_header import tokens

Pair = tuple[Column, Column | None]  # a voltage and its current, if it is known


def pick(path: Path, columns: Sequence[Column], choice: int | str, kind: str) -> list[Column]:
    """The columns that the user names as voltage or current: by number from 0, by name, or by a part of their names that no
    other kind of signal has; several are separated by commas.

    Raises UsageError if there is no such column, or if it is a time.
    """
    names = [choice] if isinstance(choice, int) or _named(columns, choice, kind) else choice.split(",")
    found: list[Column] = []
    for name in names:
        single = int(name) if isinstance(name, str) and name.strip().isdecimal() else name
        numbered = isinstance(single, int)
        matches = [c for c in columns if c.place == single] if numbered else _named(columns, str(single), kind)
        if not matches:
            places = {c.place: c for c in columns}
            there = ", ".join(f"{place} ({c.title})" if c.title else str(place) for place, c in sorted(places.items()))
            raise UsageError(f"{path} has no column {name!r} that may be a {kind}: its columns are {there}.")
        found += [c for c in matches if c not in found]
    if times := [c for c in found if c.kind == "time"]:
        raise UsageError(f"{path}: {times[0].name} is the time, and not a {kind}.")
    return found


def _named(columns: Sequence[Column], name: str, kind: str) -> list[Column]:
    """The columns with this name; if none has it, those that may be of this kind and have it as a part of their names."""
    sought = name.strip().strip('"').lower()
    exact = [c for c in columns if sought in (c.title.strip().lower(), c.name.lower())]
    possible = [c for c in columns if c.title and c.kind in ("", kind, "other")]
    for among in (possible, columns):  # without the unit
        exact = exact or [c for c in among if c.title and list(c.means.tokens) == tokens(name)]
    return exact or [c for c in possible if sought and sought in c.title.lower()]


def require_one_cell(path: Path, voltages: Sequence[Column]) -> None:
    """Raise UsageError if the voltages are not the sweeps of one cell, with the names to choose from.

    Sweeps have the same name but for the number, and the same unit.
    """
    sites = {(c.site, c.factor): c for c in reversed(voltages)}
    # Two names for the same sweep, such as V and Vm.
    titles = {(c.part, c.sweep, c.means.tokens): c for c in reversed(voltages)}
    alike = len(titles) > len({key[:2] for key in titles})
    if len(sites) > 1 or alike:
        firsts = sorted((sites if len(sites) > 1 else titles).values(), key=lambda c: c.place)
        raise UsageError(
            f"{path} holds {len(firsts)} voltages side by side ({listed(firsts)}) that are not sweeps of one cell by their"
            " names: ",
            Advice.CHOOSE_VOLTAGE,
            ".",
        )


def currents_of(chosen: list[Column], voltages: list[Column], currents: list[Column]) -> list[Column]:
    """The currents that may belong to the chosen ones of all voltages of a file: those of the same cell.

    A current is of the same cell if its name has the words by which the voltage's name differs from the other voltages'.
    """
    same = [i for i in currents if any(i in _alike(v, voltages, currents) for v in chosen)]
    if same:
        return same
    if len(currents) == len(voltages):
        return [i for v, i in zip(voltages, currents, strict=True) if v in chosen]
    return currents


def _alike(voltage: Column, voltages: list[Column], currents: list[Column]) -> list[Column]:
    """The currents whose names have all that distinguishes the name of a voltage from those of the others."""
    apart = {tag for tag in voltage.tags if not all(tag in c.tags for c in voltages)}
    return [i for i in currents if apart and apart <= set(i.tags)]


def paired(path: Path, voltages: list[Column], currents: list[Column], notes: list[str]) -> list[Pair]:
    """Pair each voltage with a current: the only one, else the one with the same numbers in its name, else by position."""
    if not currents:
        return [(v, None) for v in voltages]
    if len(currents) == 1:
        return [(v, currents[0]) for v in voltages]
    if len({v.site for v in voltages}) > 1:
        alike = [_alike(v, voltages, currents) for v in voltages]
        if all(len(found) == 1 for found in alike):
            return [(v, found[0]) for v, found in zip(voltages, alike, strict=True)]
    # labels are compared as numbers: sweep 03 of the voltage is sweep 3 of the current
    ours, theirs = ([tuple(map(float, label)) for label in _labels(c)] for c in (voltages, currents))
    by_label = dict(zip(theirs, currents, strict=True))
    if len(by_label) == len(currents) == len(voltages) and set(ours) == set(theirs):
        return [(v, by_label[label]) for label, v in zip(ours, voltages, strict=True)]
    if len(currents) != len(voltages):
        columns = "1 column" if len(voltages) == 1 else f"{len(voltages)} columns"
        raise FileError(
            f"{path} has {columns} of voltage but {len(currents)} of current: keep one current for all, or one for each"
            " voltage, or ",
            Advice.CHOOSE_CURRENT,
            ".",
        )
    if len({i.site for i in currents}) > 1 and len({v.site for v in voltages}) == 1:
        raise UsageError(f"{path} holds several kinds of current ({listed(currents)}): ", Advice.CHOOSE_CURRENT, ".")
    notes.append(
        "the numbers in the header do not tell which current belongs to which voltage: paired in the order of the columns"
    )
    return list(zip(voltages, currents, strict=True))


def names_of(voltages: list[Column]) -> list[str]:
    """A name for each sweep: the numbers that distinguish its voltage column, or else its position."""
    labels = [voltages[0].numbers] if len(voltages) == 1 else _labels(voltages)
    names = ["_".join(label) if len(label) < 3 else "" for label in labels]
    return names if all(names) and len(set(names)) == len(names) else [str(k) for k in range(len(names))]


def _labels(columns: list[Column]) -> list[tuple[str, ...]]:
    """What distinguishes columns of one kind: the numbers in their names, except those that are the same in all names."""
    found = [c.numbers for c in columns]
    if len({len(numbers) for numbers in found}) > 1:
        return found
    differ = [k for k, values in enumerate(zip(*found, strict=True)) if len(set(values)) > 1]
    return [tuple(numbers[k] for k in differ) for numbers in found]
