"""Finds the time series in an NWB file that are responses and stimuli, and pairs each response with its stimulus.

In NWB 2, responses (`CurrentClampSeries`) are in /acquisition and stimuli (`CurrentClampStimulusSeries`) in
/stimulus/presentation. They are paired by the table of intracellular recordings, or else by their sweep numbers, or else by
the numbers in their names. In NWB 1, the groups /epochs/Sweep_N pair them. This module reads no samples.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# a unit of voltage or current: prefix, name or symbol
UNIT = re.compile(r"(milli|micro|nano|pico|[mµμunp])?(volts?|v|amperes?|amps?|a)")
# prefix of a unit: its factor
PREFIX = {"milli": 1e-3, "micro": 1e-6, "nano": 1e-9, "pico": 1e-12}
PREFIX |= {"m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12}
ICEPHYS = "general/intracellular_ephys"  # path of the group with the electrodes and the tables that pair series


@dataclass(frozen=True, eq=False)
class Series:
    """One time series: its HDF5 group, type, sweep number (None if not given) and electrode ("" if not known)."""

    group: Any
    kind: str
    number: int | None
    electrode: str

    @property
    def name(self) -> str:
        """The last part of the path of the group."""
        return str(self.group.name).rpartition("/")[2]

    @property
    def unit(self) -> str:
        """The unit as the file writes it, "" if the file has none."""
        data = self.group.get("data")
        return "" if data is None else text(data.attrs.get("unit", "")).strip()

    @property
    def measures(self) -> str:
        """ "V" if the unit is one of voltage, "A" if it is one of current, else ""."""
        return si(self.unit)[0]


@dataclass(frozen=True, eq=False)
class Stretch:
    """A part of a series: `count` samples from `start` on; None means all samples to the end."""

    series: Series
    start: int = 0
    count: int | None = None


@dataclass(frozen=True, eq=False)
class Pair:
    """A response and its stimulus. `how` says in words how they were paired, or why the stimulus is None."""

    response: Stretch
    stimulus: Stretch | None
    how: str


def text(value: Any) -> str:
    """A string attribute or string scalar as str: h5py returns it as bytes, as str or as an array of one of them."""
    if hasattr(value, "ravel"):
        value = value.ravel()[0] if value.size else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def si(unit: str) -> tuple[str, float]:
    """("V" or "A", factor to volts or amperes) of a unit such as mV, volts or picoamperes; ("", 1) for any other."""
    match = UNIT.fullmatch(unit.strip().lower())
    return (match[2][0].upper(), PREFIX.get(match[1] or "", 1.0)) if match else ("", 1.0)


def natural(name: str) -> list[Any]:
    """A sort key that compares the numbers in names as numbers: Sweep_2 comes before Sweep_10."""
    return [int(part) if k % 2 else part for k, part in enumerate(re.split(r"([0-9]+)", name))]


def numbers(name: str) -> tuple[int, ...]:
    """All whole numbers in a name."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", name))


def address(item: Any) -> int:
    """The address of an HDF5 object in the file: an object with several names has only one address."""
    import h5py

    return int(h5py.h5o.get_info(item.id).addr)


def find_series(file: Any) -> tuple[list[Series], list[Series]]:
    """All time series in /acquisition, and all in /stimulus/presentation, each sorted by name."""
    known = {address(g): name for name, g in file.get(ICEPHYS, {}).items() if hasattr(g, "keys")}
    in_table = _sweep_table(file)
    found = []
    for place in ("acquisition", "stimulus/presentation"):
        groups = sorted(_groups(file.get(place)), key=lambda g: natural(g.name))
        found.append([_series(g, known, in_table) for g in groups])
    return found[0], found[1]


def _groups(parent: Any) -> Iterator[Any]:
    """All groups below `parent` that have data."""
    for item in [] if parent is None else parent.values():
        if hasattr(item, "keys"):
            if hasattr(item.get("data"), "shape"):
                yield item
            else:
                yield from _groups(item)


def _series(group: Any, electrodes: dict[int, str], in_table: dict[int, int]) -> Series:
    """The series of a group, given the electrodes' names and the sweep numbers of the sweep table, both by address."""
    ancestry = group.attrs.get("ancestry", ())  # NWB 1 lists the types: TimeSeries, ..., CurrentClampSeries
    kind = text(ancestry[-1]) if len(ancestry) else text(group.attrs.get("neurodata_type", "TimeSeries"))
    number = group.attrs.get("sweep_number", in_table.get(address(group)))
    link = group.get("electrode")
    electrode = "" if link is None else electrodes.get(address(link), str(link.name))
    if "electrode_name" in group:
        electrode = text(group["electrode_name"][()])
    return Series(group, kind, None if number is None else int(number), electrode)


def _sweep_table(file: Any) -> dict[int, int]:
    """The sweep number of each series (by address) in the sweep table, which files before NWB 2.4 have."""
    table = file.get(f"{ICEPHYS}/sweep_table")
    if table is None or not {"series", "sweep_number"} <= set(table):
        return {}
    refs, sweeps = table["series"][()], table["sweep_number"][()]
    ends = table["series_index"][()] if "series_index" in table else range(1, len(refs) + 1)
    starts = [0, *ends][:-1]
    return {
        address(file[ref]): int(number)
        for start, end, number in zip(starts, ends, sweeps, strict=False)
        for ref in refs[int(start) : int(end)]
    }


def pair_by_epoch(file: Any) -> list[Pair]:
    """The pairs that the groups /epochs/Sweep_N of NWB 1 name; an empty list if there are no such groups."""
    pairs = []
    epochs = file.get("epochs", {})
    for name in sorted((n for n in epochs if re.fullmatch(r"(?i)sweep_?[0-9]+", n)), key=natural):
        stretches = [_epoch(epochs[name].get(part), numbers(name)[0]) for part in ("response", "stimulus")]
        if stretches[0] is not None:
            why = "paired by the epochs of the file" if stretches[1] else "its epoch names no stimulus"
            pairs.append(Pair(stretches[0], stretches[1], why))
    return pairs


def _epoch(part: Any, number: int) -> Stretch | None:
    """The response or the stimulus that an epoch names, or None."""
    if part is None or part.get("timeseries") is None or "data" not in part["timeseries"]:
        return None
    series = _series(part["timeseries"], {}, {})
    start, count = (int(part[key][()]) if key in part else None for key in ("idx_start", "count"))
    return Stretch(Series(series.group, series.kind, number, series.electrode), start or 0, count)


def pair_by_table(file: Any, responses: list[Series], stimuli: list[Series]) -> list[Pair]:
    """The pairs in the table of intracellular recordings; an empty list if there is no such table."""
    table = file.get(f"{ICEPHYS}/intracellular_recordings")
    if table is None or "responses/response" not in table:
        return []
    by_address = {address(s.group): s for s in (*responses, *stimuli)}

    def stretches(column: str) -> list[Stretch | None]:
        rows = table[column][()] if column in table else []
        found = []
        for row in rows:
            start, count = int(row["idx_start"]), int(row["count"])
            # a row without a series has -1 as start and count, and a reference without meaning
            series = by_address.get(address(file[row["timeseries"]])) if start >= 0 and row["timeseries"] else None
            found.append(None if series is None else Stretch(series, start, count if count >= 0 else None))
        return found

    left, right = stretches("responses/response"), stretches("stimuli/stimulus")
    right += [None] * (len(left) - len(right))
    return [
        Pair(
            r, s, "paired by the intracellular tables of the file" if s else "its intracellular tables name no stimulus"
        )
        for r, s in zip(left, right, strict=False)
        if r is not None and r.series in responses
    ]


def pair_by_number_or_name(responses: list[Series], stimuli: list[Series]) -> list[Pair]:
    """Pair each response with the stimulus of the same sweep number (and electrode), else with the same numbers in the name."""

    def key_of_sweep(s: Series) -> Any:
        return None if s.number is None else (s.number, s.electrode)

    keys = [
        ("sweep number", key_of_sweep),
        ("sweep number", lambda s: s.number),  # the number alone, as stimuli may lack an electrode
        ("name", lambda s: s.name),
        ("name", lambda s: numbers(s.name) or None),
    ]
    if not stimuli:
        return [Pair(Stretch(r), None, "the file holds no stimulus") for r in responses]
    for word, key in keys:
        left, right = Counter(map(key, responses)), Counter(map(key, stimuli))
        # A key that two responses share cannot identify a sweep (if all sweep numbers are 0, say): try the next key.
        if None in left or max(left.values()) > 1 or not any(k in right for k in left):
            continue
        by_key = {key(s): s for s in stimuli}
        return [_keyed(r, by_key.get(key(r)), right[key(r)], word) for r in responses]
    if len(stimuli) == 1:
        return [Pair(Stretch(r), Stretch(stimuli[0]), "the only one of the file") for r in responses]
    return [Pair(Stretch(r), None, "nothing tells which stimulus belongs to which sweep") for r in responses]


def _keyed(response: Series, stimulus: Series | None, count: int, word: str) -> Pair:
    """The pair, if exactly one stimulus (`count`) has the key of the response; `word` names the key."""
    if stimulus is None:
        return Pair(Stretch(response), None, f"no stimulus has its {word}")
    if count > 1:
        return Pair(Stretch(response), None, f"{count} stimuli have its {word}")
    return Pair(Stretch(response), Stretch(stimulus), f"paired by {word}")
