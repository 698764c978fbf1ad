"""Which channels of a file are voltage and current, and in which units their numbers are, as a user says it to `read`."""

import re
from collections.abc import Container
from typing import NamedTuple

from spikefab.calls import whole
from spikefab.errors import UsageError, shortened

VOLTS = {"V": 1e3, "mV": 1.0, "uV": 1e-3}  # unit of a voltage: factor to mV
AMPS = {"A": 1e9, "mA": 1e6, "uA": 1e3, "nA": 1.0, "pA": 1e-3}  # unit of a current: factor to nA
SCALED = re.compile(r"(-?(?:\d+\.?\d*(?:e-?\d+)?|\.\d+)?)\s*([a-zA-Z]+)")  # a unit, and what it is multiplied by
MICRO = str.maketrans("µμ", "uu")  # the micro sign and the Greek letter


class Units(NamedTuple):
    """Units of the numbers in a file, which overrule those that the file names; "" where the file's own holds.

    A minus in front (-nA) turns the sign of the numbers around, a number scales them (0.05mV: in twentieths of a mV).
    """

    voltage: str = ""
    current: str = ""


AS_NAMED = Units()  # those that the file names


def parse_units(text: str) -> Units:
    """The units in a text such as "mV,pA" (voltage, then current), "mV" or ",-pA". Raises UsageError for any other text."""
    voltage, _, current = (plain(part) for part in str(text).partition(","))
    known = (not voltage or is_unit(voltage, VOLTS)) and (not current or is_unit(current, AMPS))
    if not known or not voltage + current:
        raise UsageError(
            f"units are those of voltage and current, such as mV,pA or ,nA, not {text!r}:"
            f" a voltage is in {', '.join(VOLTS)}, a current in {', '.join(AMPS)}."
        )
    return Units(voltage, current)


def is_unit(unit: str, known: Container[str]) -> bool:
    """Whether this is one of the known units, with or without a number or a minus in front of it."""
    scaled = SCALED.fullmatch(unit)
    return scaled is not None and scaled[2] in known and 0 < abs(factor(unit)) < float("inf")


def factor(unit: str) -> float:
    """What converts numbers in a unit of voltage or current to mV or nA."""
    scaled = SCALED.fullmatch(unit)
    assert scaled is not None
    scale = {"": 1.0, "-": -1.0}.get(scaled[1])
    return (VOLTS | AMPS)[scaled[2]] * (float(scaled[1]) if scale is None else scale)


def parse_channel(given: int | str, what: str = "channel") -> int | str:
    """A channel as the user gave it: its number from 0 on, also as a text, or its name."""
    if isinstance(given, str):
        text = given.strip()
        if not text:
            raise UsageError(f"The {what} is a number from 0 on, or a name, not an empty text.")
        return int(text) if text.isdecimal() and len(text) < 9 else text
    try:
        return whole(given, what)
    except UsageError:
        raise UsageError(f"The {what} is a number from 0 on, or a name, not {shortened(given)}.") from None


def plain(unit: str) -> str:
    """A unit without blanks around it, and with u for micro."""
    return unit.strip("\0 \t").translate(MICRO)
