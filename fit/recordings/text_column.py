"""One column of a text file: its values, and what is known of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .text_header import NOTHING, TOKEN, UNITS, WORDS, Meaning

Floats = NDArray[np.float64]

# A number that directly follows one of these words counts cells or channels, and not sweeps.
SITES = re.compile(
    r"cell|neuron|in|ain|input|elec|electrode|pipette|headstage|hs|amp|amplifier|ch|chan|channel|adc|ai|probe|site|roi|patch|unit"
    r"|[vi]?mon|soma|dend|dendrite|axon|apical|basal|comp|compartment"
)
# A letter that directly follows one of these words is that of a sweep.
SWEEPS = re.compile(r"sweep|trial|trace|rep|repeat|repetition|episode|run|segment|step")


@dataclass(eq=False)
class Column:
    """One column of a text file.

    name    header in quotes, or "column N" without a header
    values  (T,) as they are in the file, without padding at the end
    place   number of the column in its table, from 0
    means   what the header tells
    kind    "time", "voltage", "current", "index" or "other"; "" if not known
    factor  converts the values to ms, mV or nA; None if no unit is given
    part    number of the sweep if the sweeps are stacked below each other in the file, else None
    channel whether columns side by side are channels of a program, and not sweeps
    rows    number of rows of its table, with those in which only other columns go on
    """

    name: str
    values: Floats
    place: int
    means: Meaning = NOTHING
    kind: str = field(default="", kw_only=True)
    factor: float | None = field(default=None, kw_only=True)
    part: int | None = field(default=None, kw_only=True)
    channel: bool = field(default=False, kw_only=True)
    rows: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        self.kind = self.kind or self.means.kind
        self.factor = self.means.factor if self.factor is None else self.factor

    @property
    def title(self) -> str:
        """The header without quotes, "" without a header."""
        return self.name[1:-1] if self.name.startswith('"') else ""

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers in the header, which may identify the sweep: 76 in V_76_mV, -100 in V_-100pA."""
        found = [token for token in TOKEN.findall(self.title) if token[-1].isdigit()]
        return (*found, *([] if self.part is None else [str(self.part)]))

    @property
    def site(self) -> tuple[str, ...]:
        """What the header tells of the cell or the place that was recorded: all but the numbers and letters of a sweep.

        Two voltages of different sites are not two sweeps of one cell. The name of a channel is a site as a whole.
        """
        if self.channel:
            return tuple(self.tags)
        found: list[str] = []
        before = ""
        for token in self.means.tokens:
            counts = token[-1].isdigit() or (len(token) == 1 and SWEEPS.fullmatch(before))
            if (not counts or SITES.fullmatch(before)) and WORDS.get(token) != "voltage":
                found.append(token)
            before = token
        return tuple(found)

    @property
    def sweep(self) -> tuple[str, ...]:
        """What the header tells of the sweep: its numbers and letters that do not belong to the site."""
        return tuple(t for t in self.means.tokens if t not in self.site and WORDS.get(t) != "voltage")

    @property
    def tags(self) -> list[str]:
        """The words and numbers of the header that are neither its unit nor a word for voltage or current."""
        return [token for token in self.means.tokens if token not in WORDS]

    @property
    def unit(self) -> str:
        """The unit of the values as they are in the file, "" if it is not known."""
        named = {"voltage": ("V", "mV", "uV"), "current": ("A", "mA", "uA", "nA", "pA")}.get(self.kind, ())
        return next((u for u in named if UNITS[u.lower()][1] == abs(self.factor or 0.0)), "")


def listed(columns: Sequence[Column]) -> str:
    """The names of the columns as text; of more than four, only the first two and the last."""
    names = list(dict.fromkeys(c.name for c in columns))
    return ", ".join(names if len(names) <= 4 else [*names[:2], "…", names[-1]])
