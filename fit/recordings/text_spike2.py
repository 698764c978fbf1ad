"""Tables in the text that Spike2 and Signal export: a list of channels, then the samples of each channel, below each other."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikefab.errors import FileError

from .text_column import Floats
from .text_numbers import cells, is_number
from .text_table import Table, numbered


@dataclass
class _Channel:
    """A channel as the file describes it: kind of data, title, unit, sample step in ms (None if not known)."""

    kind: str = ""
    title: str = ""
    unit: str = ""
    step: float | None = None

    @property
    def sampled(self) -> bool:
        """Whether it is a wave that was sampled, and not events or the shapes of spikes."""
        return bool(re.search(r"wave|adc|real", self.kind, re.IGNORECASE)) and "mark" not in self.kind.lower()

    @property
    def name(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass
class _Stretch:
    """Samples of one channel without a gap: (T,) from `start` ms on, at steps of `step` ms; `line` is that of the first."""

    start: float
    step: float
    values: Floats
    line: int


def spike2(path: Path, text: str) -> list[Table]:
    """The sweeps in a text with lines "SUMMARY", "CHANNEL" and "START": a stretch of each channel without a gap.

    Raises FileError if a channel has no sample rate, or its samples are no numbers.
    """
    channels: dict[str, _Channel] = {}
    stretches: dict[str, list[_Stretch]] = {}
    current = ""
    about: list[list[str]] = []  # lines of the header of the channel that is read
    samples: list[str] = []
    start: tuple[float, float | None, int] | None = None

    def finish() -> None:
        if start is None or not samples:
            return
        channel = channels.setdefault(current, _Channel())
        _describe(channel, about)
        if channel.sampled:
            step = _step(path, channel, start[1])
            stretches.setdefault(current, []).append(
                _Stretch(start[0], step, _numbers(path, samples, start[2]), start[2])
            )

    for number, line in numbered(text):
        if not line.lstrip().startswith('"'):
            samples.append(line)
            continue
        first, *rest = cells(line, "\t" if "\t" in line else ",")
        if first == "CHANNEL" or first == "START":
            finish()
            samples = []
        if first == "CHANNEL":
            current, about, start = (rest or [""])[0], [], None
        elif first == "START":
            given = [float(cell.replace(",", ".")) for cell in rest if is_number(cell.replace(",", "."))]
            start = (given[0] * 1e3 if given else 0.0, given[1] * 1e3 if len(given) > 1 else None, number + 1)
        elif first.isdigit() and len(rest) > 1:
            channels[first] = _of_summary(rest)
        else:
            about.append([first, *rest])
    finish()
    return _tables(path, channels, stretches)


def _of_summary(fields: list[str]) -> _Channel:
    """A channel in the list of channels: kind, title, unit, ideal and true sample rate in Hz, scale, offset."""
    rates = [float(cell.replace(",", ".")) for cell in fields[3:5] if is_number(cell.replace(",", "."))]
    unit = fields[2] if len(fields) > 2 else ""
    return _Channel(fields[0], fields[1], unit, 1e3 / rates[-1] if rates and rates[-1] > 0 else None)


def _describe(channel: _Channel, about: list[list[str]]) -> None:
    """Add to a channel what the lines above its samples say: kind, comment, title, and unit with the sample rate."""
    if about:
        channel.kind = channel.kind or about[0][0]
    for before, line in zip(["", *(fields[0] for fields in about)], about, strict=False):
        if len(line) > 1 and is_number(line[1].replace(",", ".")):
            channel.title = channel.title or before
            channel.unit = channel.unit or line[0]
            rate = float(line[1].replace(",", "."))
            channel.step = channel.step or (1e3 / rate if rate > 0 else None)


def _step(path: Path, channel: _Channel, printed: float | None) -> float:
    """The sample step, ms: that of the rate if it agrees with the one that is printed with fewer digits."""
    if printed and (channel.step is None or abs(channel.step / printed - 1) > 0.03):
        return printed
    if channel.step is None:
        raise FileError(f"{path}: channel {channel.title} has no sample rate.")
    return float(f"{channel.step:.6g}")


def _numbers(path: Path, samples: list[str], line: int) -> Floats:
    """The numbers (T,) of a stretch, one a line."""
    text = [sample.replace(",", ".") for sample in samples]
    try:
        values = np.array(text, dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(values))
    except ValueError:
        bad = np.array([k for k, sample in enumerate(text) if not is_number(sample)][:1])
    if len(bad):
        raise FileError(f"{path}, line {line + bad[0]}: {samples[bad[0]][:40]!r} is not a number.")
    return values


def _tables(path: Path, channels: dict[str, _Channel], stretches: dict[str, list[_Stretch]]) -> list[Table]:
    """A table for each stretch of the channel with the shortest step, with what the others hold at the same times."""
    if not stretches:
        return []
    leader = min(stretches, key=lambda c: (stretches[c][0].step, -len(stretches[c])))
    names = [channels[leader].name, *(channels[c].name for c in stretches if c != leader)]
    notes = [
        f"{channels[c].name} is sampled every {found[0].step:g} ms only: each value is held until the next"
        for c, found in stretches.items()
        if found[0].step > 1.001 * stretches[leader][0].step
    ]
    tables = []
    for k, lead in enumerate(stretches[leader]):
        columns = [lead.values]
        times: Floats = lead.start + np.arange(len(lead.values)) * np.float64(lead.step)
        for channel, found in stretches.items():
            if channel != leader:
                columns.append(_at(times, lead, found, k, len(found) == len(stretches[leader])))
        known = np.all(np.isfinite(columns), axis=0)
        if known.any():
            first, last = np.flatnonzero(known)[[0, -1]]
            values = np.array(columns).T[first : last + 1]
            lines = range(lead.line + int(first), lead.line + int(last) + 1)
            tables.append(Table(path, values, names, lines, lead.step, "Spike2", notes=notes))
    return tables


def _at(times: Floats, lead: _Stretch, found: list[_Stretch], k: int, alike: bool) -> Floats:
    """The samples of another channel at some times, ms, NaN where it has none; stretch k of it, if there are as many."""
    out = np.full(len(times), np.nan)
    for stretch in [found[k]] if alike else found:
        place = (times - stretch.start) / stretch.step
        same = abs(stretch.step / lead.step - 1) < 1e-3
        # Channels that are sampled in turn begin a part of a step after each other.
        index = np.round(place) if same else np.floor(place + 1e-6)
        inside = (index >= 0) & (index < len(stretch.values))
        out[inside] = stretch.values[index[inside].astype(int)]
    return out
