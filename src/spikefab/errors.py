"""The errors that a user may see. The text of each is one sentence; each kind has its exit code of the command line.

What a user can do about an error is carried as data (`Advice`), as an option has another name on the command line than in
Python, and the Studio has a field in its place. `str(error)` has Python's words; `worded` gives those of another face.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Any, Self


class Advice(Enum):
    """What a user can do about an error or a note: data, for which each face has its own words.

    The value is what Python and the command line say. `{dt}` stands in it for the name of an option, and `{dt=MS}` for its
    name and what it takes. The Studio's words are in `studio.words`.
    """

    GIVE_DT = "pass {dt=MS}, the time between two samples"
    ADD_CURRENT = "pass the injected current with {current=FILE}"
    ADD_CURRENT_OR_CHANNEL = "pass the injected current with {current=FILE} or {current_channel=N}"
    ONE_CURRENT = "The current comes from {current=FILE} or from {current_channel=N}, not from both"
    CURRENT_TAKES = "{current} takes"
    CHANNEL_IS_FOR_ABF = "{current_channel} is for ABF files"
    ELECTRODE_IS_FOR_NWB = "{electrode} is for NWB files"
    OTHER_ELECTRODE = "; {electrode=NAME} reads another"
    NO_ELECTRODE = "leave out {electrode}"
    OUT_IS_A_FOLDER = "{out} needs a folder"
    OTHER_OUT = "choose another {out}"
    OTHER_PORT = "choose another {port}"

    @property
    def options(self) -> tuple[str, ...]:
        """The options that it is about, by their names in Python."""
        return tuple(re.findall(r"\{(\w+)", self.value))


Words = Callable[[Advice], str]


def in_python(advice: Advice) -> str:
    """The advice to a user of Python: `dt=MS`."""
    return re.sub(r"\{(.*?)\}", r"\1", advice.value)


def on_command_line(advice: Advice) -> str:
    """The advice to a user of the command line: `--dt MS`."""
    return re.sub(r"\{(\w+)=?(\w*)\}", lambda m: f"--{m[1].replace('_', '-')} {m[2]}".rstrip(), advice.value)


class Sentence(str):
    """A text with advice in it. As a text it has Python's words."""

    parts: tuple[str | Advice, ...]

    def __new__(cls, *parts: str | Advice) -> Self:
        flat = [inner for part in parts for inner in (part.parts if isinstance(part, Sentence) else (part,))]
        made = super().__new__(cls, "".join(in_python(x) if isinstance(x, Advice) else str(x) for x in flat))
        made.parts = tuple(x if isinstance(x, Advice) else str(x) for x in flat)
        return made

    def __getnewargs__(self) -> Any:  # its parts, to which `__new__` is given when it is unpickled
        return self.parts

    @property
    def options(self) -> tuple[str, ...]:
        """The options that its advice is about, by their names in Python."""
        return tuple(name for part in self.parts if isinstance(part, Advice) for name in part.options)


def worded(text: object, words: Words) -> str:
    """A text, or that of an error, in the words of a face. A text without advice stays as it is."""
    if isinstance(text, SpikefabError):
        text = text.sentence
    if not isinstance(text, Sentence):
        return str(text)
    return "".join(words(part) if isinstance(part, Advice) else part for part in text.parts)


class SpikefabError(Exception):
    """A mistake or a limit that a user can act on. The text is one plain sentence that says what, where and what to do."""

    exit_code = 1

    def __init__(self, *parts: str | Advice):
        super().__init__(*parts)
        self.sentence = Sentence(*parts)

    def __str__(self) -> str:
        return str(self.sentence)


class UsageError(SpikefabError):
    """An option, model, board or parameter does not exist or makes no sense."""

    exit_code = 2


class FileError(SpikefabError):
    """A file cannot be read, or is of the wrong kind."""

    exit_code = 3


class RecordingError(SpikefabError):
    """A recording can be read but not fitted."""

    exit_code = 4


class ToolError(SpikefabError):
    """An external tool is missing, or it failed."""

    exit_code = 5


class DoesNotFitError(SpikefabError):
    """A design needs more of some resource than the FPGA has."""

    exit_code = 6


class TimingError(SpikefabError):
    """Place and route could not make the design fast enough for the board's clock."""

    exit_code = 7


class MismatchError(SpikefabError):
    """Hardware and reference differ in some step. This is always a defect: no tolerance applies."""

    exit_code = 8
