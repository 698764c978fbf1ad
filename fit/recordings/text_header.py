"""Interprets the name of a column in a text file: kind and unit of the signal, and the numbers that identify its sweep."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import FileError

Floats = NDArray[np.float64]

# unit in lower case: (kind of signal, factor that converts to ms, mV or nA)
UNITS = {
    **dict.fromkeys(("min", "minute", "minutes"), ("time", 60_000.0)),
    **dict.fromkeys(("s", "sec", "second", "seconds"), ("time", 1000.0)),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), ("time", 1.0)),
    **dict.fromkeys(("us", "µs", "μs", "usec"), ("time", 0.001)),
    **dict.fromkeys(("v", "volt", "volts"), ("voltage", 1000.0)),
    **dict.fromkeys(("mv", "millivolt", "millivolts"), ("voltage", 1.0)),
    **dict.fromkeys(("uv", "µv", "μv"), ("voltage", 0.001)),
    **dict.fromkeys(("a", "amp", "ampere"), ("current", 1e9)),
    "ma": ("current", 1e6),
    **dict.fromkeys(("ua", "µa", "μa"), ("current", 1000.0)),
    "na": ("current", 1.0),
    "pa": ("current", 1e-3),
}
# kind of signal: its units, for messages to the user
ACCEPTED = {"time": "s, ms, us or min", "voltage": "V, mV or uV", "current": "A, mA, uA, nA or pA"}
# Words that, outside brackets, are units only after a word of these kinds: V_min is a minimum, V_ma a moving average.
WORDY = {"min": ("time",), "ma": ("", "current")}
# word in a name, in lower case: kind of signal that it stands for
WORDS = {
    **dict.fromkeys(("t", "time", "times", "zeit"), "time"),
    **dict.fromkeys(("v", "vm", "vmem", "vsoma", "voltage", "volt", "potential", "membrane", "spannung"), "voltage"),
    **dict.fromkeys(("i", "im", "iinj", "inj", "injected", "current", "curr", "stim", "stimulus", "strom"), "current"),
    **dict.fromkeys(("stimulation", "command", "cmd", "iclamp", "iapp", "iext", "istim", "icmd", "imon"), "current"),
    **dict.fromkeys(("", "n", "index", "idx", "sample", "samples", "unnamed"), "index"),
}
PREFIX = "[fpnuµμmkMG]?"  # regular expression of a prefix of a unit, such as the k of kHz
# Text in brackets that is a unit, but not one of UNITS: kHz, nS, uA/cm2, pA pF-1. It must not match (raw), (soma), (1/3).
UNIT_LIKE = re.compile(rf"{PREFIX}(?:V|A|s|Hz|C|S|F|[Oo]hms?|Ω)(?:[\s.·*]+\S*[-−⁻]\S+)?|.*[^\W\d][\d²^]*\s*/.+")
# A unit of current per area or per capacitance (uA/cm2, pA pF) at the end of a column's name that has no brackets. In such a
# name a slash need not belong to the unit: "stim/nA" is a name, a slash and nA.
DENSITY = re.compile(rf"(?<![^\W_]){PREFIX}A[\s_]*(?:/|per|[\s_])[\s_]*(?:[pnuµμ]F|[cmuµμ]?m\^?[2²])\s*$")
# a pair of round or square brackets and the text in it
BRACKETS = re.compile(r"[\[(]\s*([^\[\]()]*?)\s*[\])]")


@dataclass
class Column:
    """One column of a text file.

    name    header in quotes, or "column N" without a header
    values  (T,) as they are in the file
    kind    "time", "voltage", "current" or "index"; "" if not known
    factor  converts the values to ms, mV or nA; None if no unit is given
    part    number of the sweep if the sweeps are stacked below each other in the file, else None
    """

    name: str
    values: Floats
    kind: str
    factor: float | None
    part: int | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers in the header, which may identify the sweep: 76 in V_76_mV, -100 in V_-100pA."""
        found = re.findall(r"(?:(?<=[_\s(\[])-)?\d+(?:\.\d+)?", self.name) if self.name.startswith('"') else []
        return (*found, *([] if self.part is None else [str(self.part)]))

    @property
    def unit(self) -> str:
        """The unit of the values as they are in the file, "" if it is not known."""
        named = {"voltage": ("V", "mV", "uV"), "current": ("A", "mA", "uA", "nA", "pA")}.get(self.kind, ())
        return next((u for u in named if UNITS[u.lower()][1] == self.factor), "")


def listed(columns: list[Column]) -> str:
    """The names of the columns as text; of more than four, only the first two and the last."""
    names = list(dict.fromkeys(c.name for c in columns))
    return ", ".join(names if len(names) <= 4 else [*names[:2], "…", names[-1]])


def from_header(path: Path, name: str) -> tuple[str, float | None]:
    """Kind of a column and factor to ms, mV or nA, from the name of the column; ("", None) if the name tells nothing.

    Raises FileError if a time, voltage or current has an unknown unit or one of another kind: a guess might scale the
    values wrongly.
    """
    whole = name.strip().lower()
    if whole in WORDS:  # a column called V is a voltage, but not necessarily in volts
        return WORDS[whole], None
    if re.match(r"d[vi][\s/_]*dt", whole):
        return "", None
    unit, rest, bracketed = _unit(name)
    kind = next((WORDS[w] for w in re.split(r"[\W_\d]+", rest.lower()) if w and w in WORDS), "")
    if not unit or kind == "index":
        return kind, None
    if unit.lower() not in UNITS:
        if not kind:
            return "", None
        raise FileError(
            f"{path}: column {name} is in {unit}: the {kind} must be in {ACCEPTED[kind]}; convert it and correct its"
            " header."
        )
    unit_kind, factor = UNITS[unit.lower()]
    if not bracketed and kind not in WORDY.get(unit.lower(), (kind,)):
        return kind, None
    if not kind and unit.lower() in ("v", "a") and not bracketed:
        return unit_kind, None  # soma.V is a voltage; its unit is not known
    if kind in ("", unit_kind):
        return unit_kind, factor
    if len(unit) == 1 and not bracketed:
        return kind, None  # the s of V_s stands for soma, not for seconds
    raise FileError(f"{path}: column {name} is called a {kind} but is in {unit}; correct its header.")


def _unit(name: str) -> tuple[str, str, bool]:
    """The unit in a name ("" if there is none), the rest of the name, and whether the unit is in brackets."""
    for match in reversed(list(BRACKETS.finditer(name))):
        if match[1].lower() in UNITS or UNIT_LIKE.fullmatch(match[1]):
            return match[1], name[: match.start()] + " " + name[match.end() :], True
    density = DENSITY.search(name)
    if density:
        return density[0].strip(), name[: density.start()], False
    # The unit in V_mV (raw) is mV; Soma.V(0.5), without a space, is a voltage at a location and has no unit.
    last = re.search(r"(?:^|[_/\s.-])([^\W\d_]+)\s*$", re.sub(r"\s+[\[(][^\[\]()]*[\])]\s*$", "", name))
    if last and last[1].lower() in UNITS:
        return last[1], name[: last.start()], False
    return "", name, False
