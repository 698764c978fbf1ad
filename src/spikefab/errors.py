"""The errors that a user may see. The text of each is one sentence; each kind has its exit code of the command line.

What a user can do about an error is kept as data (`Advice`), because the option to use has one name in Python and another
on the command line, and is a field of the page in the Studio. `str(error)` has the words for Python; `worded` returns those
for another interface.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Any, Self


def readable(text: str) -> str:
    """A text as UTF-8 can hold it: the same text, or with U+FFFD for surrogates and for bytes of a file name that are no UTF-8.

    Python keeps bytes that it cannot decode as surrogates. In a locale without UTF-8, most of them are UTF-8 after all.
    """
    if not any("\ud800" <= sign <= "\udfff" for sign in text):
        return text
    halves = re.sub(
        "[\ud800-\udc7f\udd00-\udfff]", "\N{REPLACEMENT CHARACTER}", text
    )  # no byte is kept as one of these
    return halves.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def shortened(value: object) -> str:
    """A value as a message shows it: its `repr`; if that is long, its type."""
    text = repr(value)
    return (
        text if len(text) <= 40 and not re.search(r"\n| at 0x", text) else f"an object of type {type(value).__name__}"
    )


class Advice(Enum):
    """What a user can do about an error or a notice. Each interface (Python, command line, Studio) has its own words for it.

    The value is the text for Python and the command line, in which `{dt}` stands for the name of an option, and `{dt=MS}`
    for the name and the kind of its value; `{anyway!}` stands for an option that is only switched on. The texts of the
    Studio are in `studio.words`.
    """

    GIVE_DT = "pass {dt=MS}, the time between two samples"
    ADD_CURRENT = "pass the injected current with {current=FILE}"
    ADD_CURRENT_OR_CHANNEL = "pass the injected current with {current=FILE} or {current_channel=N}"
    ONE_CURRENT = "The current comes from {current=FILE} or from {current_channel=N}, not from both"
    CURRENT_TAKES = "{current} takes"
    VOLTAGE_CHANNEL_IS_FOR = "{voltage_channel} is for"
    CURRENT_CHANNEL_IS_FOR = "{current_channel} is for"
    CHOOSE_VOLTAGE = "choose with {voltage_channel=NAME}"
    CHOOSE_CURRENT = "choose with {current_channel=NAME}"
    UNITS_IS_FOR = "{units} is for"
    ELECTRODE_IS_FOR = "{electrode} is for"
    RELABEL = "; if one holds the membrane's voltage, say so with {voltage_channel=N} and {units=mV}"
    IN_CURRENT_CLAMP = "; if it is current clamp, choose its channels with {voltage_channel=N} and {current_channel=N}"
    OTHER_VOLTAGE = "; {voltage_channel=N} takes another"
    OTHER_CHANNEL = "; {current_channel=N} takes another"
    OTHER_ELECTRODE = "; {electrode=NAME} reads another"
    NO_ELECTRODE = "leave out {electrode}"
    SOME_SWEEPS = "choose some of them with {sweeps=LIST}"
    SMALLER_SPIKES = "pass {spike_prominence=MV}, the least height of a spike"
    OUT_IS_A_FOLDER = "{out} needs a folder"
    OTHER_OUT = "choose another {out}"
    NAME_THE_MODEL = "give its file and class with {models=SOURCE}"
    OTHER_PORT = "choose another {port}"
    UNITS = ": give the units of the file with {units=UNITS}"
    EXCHANGED = ": give the channel of each with {voltage_channel=N} and {current_channel=N}"
    OTHER_CURRENT = ": choose another with {current=FILE} or {current_channel=N}"
    SIGN = ": turn it around with a minus in {units=UNITS}, such as mV,-nA"
    ANYWAY = "; {anyway!} fits it all the same"

    @property
    def options(self) -> tuple[str, ...]:
        """The options that this advice mentions, by their names in Python."""
        return tuple(re.findall(r"\{(\w+)", self.value))


Words = Callable[[Advice], str]


def in_python(advice: Advice) -> str:
    """The advice in the words of Python: an option is `dt=MS`."""
    return re.sub(r"\{(.*?)\}", r"\1", advice.value.replace("!}", "=True}"))


def on_command_line(advice: Advice) -> str:
    """The advice in the words of the command line: an option is `--dt MS`."""
    return re.sub(r"\{(\w+)[=!]?(\w*)\}", lambda m: f"--{m[1].replace('_', '-')} {m[2]}".rstrip(), advice.value)


class Sentence(str):
    """A sentence that contains advice. As a string, it has the words of Python."""

    parts: tuple[str | Advice, ...]

    def __new__(cls, *parts: str | Advice) -> Self:
        flat = [inner for part in parts for inner in (part.parts if isinstance(part, Sentence) else (part,))]
        made = super().__new__(cls, "".join(in_python(x) if isinstance(x, Advice) else str(x) for x in flat))
        made.parts = tuple(x if isinstance(x, Advice) else str(x) for x in flat)
        return made

    def __getnewargs__(self) -> Any:  # the arguments with which `__new__` is called to unpickle a sentence
        return self.parts

    @property
    def options(self) -> tuple[str, ...]:
        """The options that the advice in this sentence mentions, by their names in Python."""
        return tuple(name for part in self.parts if isinstance(part, Advice) for name in part.options)


def worded(text: object, words: Words) -> str:
    """The text, or the text of the error, in the words of an interface. A text without advice is returned unchanged."""
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


class BoardError(SpikefabError):
    """A board does not answer, cannot be opened, is another one, or could not keep up."""

    exit_code = 9


class MismatchError(SpikefabError):
    """Hardware and reference differ in some step. This is always a defect: no tolerance applies."""

    exit_code = 8
