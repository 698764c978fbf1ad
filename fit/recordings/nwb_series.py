"""The time series of an NWB file, parts of them, and the pairs of response and stimulus. They read times, but no samples."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spikefab import units
from spikefab.errors import FileError

from .limits import require_memory
from .nwb_file import follow, load
from .sweep import Floats

UNEVEN = 0.2  # share of the sample step by which the time between two samples may differ from it
PAUSE = 5.0  # sample steps: a shorter gap in the timestamps is a loss of samples, not the pause between two sweeps
SAME_LENGTH = 2  # samples by which the lengths of sweeps may differ that are of one length


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

    @property
    def size(self) -> int:
        """The number of samples."""
        return int(self.group["data"].size)

    @property
    def rate(self) -> float | None:
        """Samples in a second, or None if the series has timestamps instead."""
        start = self.group.get("starting_time")
        return float(np.ravel(start.attrs["rate"])[0]) if start is not None and "rate" in start.attrs else None

    @property
    def begins(self) -> float:
        """The time of the first sample, s, if the series has a rate; 0 if the file does not say."""
        start = float(np.ravel(self.group["starting_time"][()])[0])
        return start if np.isfinite(start) else 0.0

    @cached_property
    def timestamps(self) -> Floats | None:
        """The time of each sample, (T,) s, or None if the series has a rate instead, or neither."""
        stamps, why = follow(self.group, "timestamps")
        if self.rate is not None or (stamps is None and not why):
            return None
        if why:
            raise FileError(f"{self.group.file.filename}: {why}.")
        if stamps.size != self.size:
            raise FileError(
                f"{self.group.file.filename}: {self.name} has {self.size} samples but {stamps.size} timestamps."
            )
        require_memory(Path(self.group.file.filename), self.size, self.size)
        return np.asarray(load(stamps), dtype=np.float64)

    @cached_property
    def between_pauses(self) -> list[tuple[int, int]]:
        """(start, count) of the sweeps in a series with pauses in its timestamps; an empty list if it is no such series.

        Every length must occur twice, but for a last sweep that is shorter: a series of which samples were lost has runs of
        all lengths, and is no series of sweeps.
        """
        t = self.timestamps
        if t is None or len(t) < 4:
            return []
        breaks, steps = uneven_steps(t), np.diff(t)
        edges = np.concatenate(([0], breaks + 1, [len(t)]))
        lengths = np.diff(edges)
        if not len(breaks) or not np.all(np.abs(steps[breaks]) >= PAUSE * np.median(steps)):
            return []
        twice = [int(np.sum(np.abs(lengths - n) <= SAME_LENGTH)) > 1 for n in lengths]
        if not all(twice[:-1]) or not (twice[-1] or lengths[-1] <= np.max(lengths)) or np.min(lengths) < 2:
            return []
        return [(int(start), int(n)) for start, n in zip(edges[:-1], lengths, strict=True)]


@dataclass(frozen=True, eq=False)
class Stretch:
    """A part of a series: `count` samples from `start` on; None means all samples to the end."""

    series: Series
    start: int = 0
    count: int | None = None

    @property
    def stop(self) -> int:
        """The position after its last sample."""
        return self.series.size if self.count is None else min(self.series.size, self.start + self.count)


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
    found = units.si(unit.lower())
    return found if found[0] in ("V", "A") else ("", 1.0)


def natural(name: str) -> list[Any]:
    """A sort key that compares the numbers in names as numbers: Sweep_2 comes before Sweep_10."""
    return [int(part) if k % 2 else part for k, part in enumerate(re.split(r"([0-9]+)", name))]


def numbers(name: str) -> tuple[int, ...]:
    """All whole numbers in a name."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", name))


def uneven_steps(t: Floats) -> Any:
    """The samples after which the time (T,) goes on by another step than the usual one."""
    steps = np.diff(t)
    typical = float(np.median(steps))
    return np.flatnonzero(~(np.abs(steps - typical) <= UNEVEN * abs(typical)))
