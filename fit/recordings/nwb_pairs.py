"""Which series of an NWB file are responses and stimuli, and which of them belong together.

NWB 2 keeps `CurrentClampSeries` in /acquisition and `CurrentClampStimulusSeries` in /stimulus/presentation; the
intracellular tables pair them, else their sweep numbers, else the numbers in their names. NWB 1 pairs them in
/epochs/Sweep_N. Nothing here reads samples.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

UNIT = re.compile(r"(milli|micro|nano|pico|[mµμunp])?(volts?|v|amperes?|amps?|a)")
PREFIX = {"milli": 1e-3, "micro": 1e-6, "nano": 1e-9, "pico": 1e-12}
PREFIX |= {"m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12}
ICEPHYS = "general/intracellular_ephys"


@dataclass(frozen=True, eq=False)
class Series:
    """One time series: its HDF5 group, its type, sweep number (None: none given) and electrode ("" unknown)."""

    group: Any
    kind: str
    number: int | None
    electrode: str

    @property
    def name(self) -> str:
        """The last part of its path."""
        return str(self.group.name).rpartition("/")[2]

    @property
    def unit(self) -> str:
        """As the file writes it, "" if it does not."""
        data = self.group.get("data")
        return "" if data is None else text(data.attrs.get("unit", "")).strip()

    @property
    def measures(self) -> str:
        """ "V" or "A" from its unit, "" if that says nothing."""
        return si(self.unit)[0]


@dataclass(frozen=True, eq=False)
class Stretch:
    """The samples from `start` on, `count` of them (None: to the end), of a series."""

    series: Series
    start: int = 0
    count: int | None = None


@dataclass(frozen=True, eq=False)
class Pair:
    """A response with its stimulus, or None and why; `how` says in words what paired them."""

    response: Stretch
    stimulus: Stretch | None
    how: str


def text(value: Any) -> str:
    """A string attribute or scalar, which h5py gives as bytes, str or an array of one."""
    if hasattr(value, "ravel"):
        value = value.ravel()[0] if value.size else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def si(unit: str) -> tuple[str, float]:
    """("V" or "A", factor to it) for mV, volts, picoamperes ...; ("", 1) for what is neither."""
    match = UNIT.fullmatch(unit.strip().lower())
    return (match[2][0].upper(), PREFIX.get(match[1] or "", 1.0)) if match else ("", 1.0)


def natural(name: str) -> list[Any]:
    """A sort key that takes the numbers in a name as numbers: Sweep_2 comes before Sweep_10."""
    return [int(part) if k % 2 else part for k, part in enumerate(re.split(r"([0-9]+)", name))]


def numbers(name: str) -> tuple[int, ...]:
    """The numbers in a name."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", name))


def address(item: Any) -> int:
    """Where an HDF5 object lies: the same for all of its names."""
    import h5py

    return int(h5py.h5o.get_info(item.id).addr)


def find_series(file: Any) -> tuple[list[Series], list[Series]]:
    """The time series in /acquisition and those in /stimulus/presentation, in the order of their names."""
    known = {address(g): name for name, g in file.get(ICEPHYS, {}).items() if hasattr(g, "keys")}
    in_table = _sweep_table(file)
    found = []
    for place in ("acquisition", "stimulus/presentation"):
        groups = sorted(_groups(file.get(place)), key=lambda g: natural(g.name))
        found.append([_series(g, known, in_table) for g in groups])
    return found[0], found[1]


def _groups(parent: Any) -> Iterator[Any]:
    """Every group below that has data."""
    for item in [] if parent is None else parent.values():
        if hasattr(item, "keys"):
            if hasattr(item.get("data"), "shape"):
                yield item
            else:
                yield from _groups(item)


def _series(group: Any, electrodes: dict[int, str], in_table: dict[int, int]) -> Series:
    ancestry = group.attrs.get("ancestry", ())  # NWB 1: TimeSeries, ..., CurrentClampSeries
    kind = text(ancestry[-1]) if len(ancestry) else text(group.attrs.get("neurodata_type", "TimeSeries"))
    number = group.attrs.get("sweep_number", in_table.get(address(group)))
    link = group.get("electrode")
    electrode = "" if link is None else electrodes.get(address(link), str(link.name))
    if "electrode_name" in group:
        electrode = text(group["electrode_name"][()])
    return Series(group, kind, None if number is None else int(number), electrode)


def _sweep_table(file: Any) -> dict[int, int]:
    """The sweep number of each series, by its address, in the table that files before NWB 2.4 have."""
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
    """The pairs in /epochs/Sweep_N of NWB 1; none if the file has no such groups."""
    pairs = []
    epochs = file.get("epochs", {})
    for name in sorted((n for n in epochs if re.fullmatch(r"(?i)sweep_?[0-9]+", n)), key=natural):
        stretches = [_epoch(epochs[name].get(part), numbers(name)[0]) for part in ("response", "stimulus")]
        if stretches[0] is not None:
            why = "paired by the epochs of the file" if stretches[1] else "its epoch names no stimulus"
            pairs.append(Pair(stretches[0], stretches[1], why))
    return pairs


def _epoch(part: Any, number: int) -> Stretch | None:
    if part is None or part.get("timeseries") is None or "data" not in part["timeseries"]:
        return None
    series = _series(part["timeseries"], {}, {})
    start, count = (int(part[key][()]) if key in part else None for key in ("idx_start", "count"))
    return Stretch(Series(series.group, series.kind, number, series.electrode), start or 0, count)


def pair_by_table(file: Any, responses: list[Series], stimuli: list[Series]) -> list[Pair]:
    """The pairs in the table of intracellular recordings; none if the file has no such table."""
    table = file.get(f"{ICEPHYS}/intracellular_recordings")
    if table is None or "responses/response" not in table:
        return []
    by_address = {address(s.group): s for s in (*responses, *stimuli)}

    def stretches(column: str) -> list[Stretch | None]:
        rows = table[column][()] if column in table else []
        found = []
        for row in rows:
            start, count = int(row["idx_start"]), int(row["count"])
            # A row without one is written as -1, -1 and some reference that means nothing.
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
    """Each response with the stimulus of its sweep number (and electrode), else of the numbers in its name."""

    def key_of_sweep(s: Series) -> Any:
        return None if s.number is None else (s.number, s.electrode)

    keys = [
        ("sweep number", key_of_sweep),
        ("sweep number", lambda s: s.number),  # stimuli may lack an electrode
        ("name", lambda s: s.name),
        ("name", lambda s: numbers(s.name) or None),
    ]
    if not stimuli:
        return [Pair(Stretch(r), None, "the file holds no stimulus") for r in responses]
    for word, key in keys:
        left, right = Counter(map(key, responses)), Counter(map(key, stimuli))
        # A key that two responses share does not tell sweeps apart (all sweep numbers 0, say): another must.
        if None in left or max(left.values()) > 1 or not any(k in right for k in left):
            continue
        by_key = {key(s): s for s in stimuli}
        return [_keyed(r, by_key.get(key(r)), right[key(r)], word) for r in responses]
    if len(stimuli) == 1:
        return [Pair(Stretch(r), Stretch(stimuli[0]), "the only one of the file") for r in responses]
    return [Pair(Stretch(r), None, "nothing tells which stimulus belongs to which sweep") for r in responses]


def _keyed(response: Series, stimulus: Series | None, count: int, word: str) -> Pair:
    if stimulus is None:
        return Pair(Stretch(response), None, f"no stimulus has its {word}")
    if count > 1:
        return Pair(Stretch(response), None, f"{count} stimuli have its {word}")
    return Pair(Stretch(response), Stretch(stimulus), f"paired by {word}")
