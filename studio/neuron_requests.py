"""Checks the fields of requests from the page. A wrong field raises UsageError with one sentence."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from spikefab.boards.table import BOARDS, get_board
from spikefab.errors import UsageError
from spikefab.hw.models import named_model
from spikefab.hw.neuron import Neuron


def text(body: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str):
        raise UsageError(f"{name} must be a text.")
    return value


def number(
    body: Mapping[str, Any], name: str, default: float | None = None, least: float = -1e9, most: float = 1e9
) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UsageError(f"{name} must be a number.")
    if not least <= value <= most:
        raise UsageError(f"{name} must be {least:g} to {most:g}, not {value:g}.")
    return float(value)


def whole(body: Mapping[str, Any], name: str, default: int | None = None, least: int = 0, most: int = 10**9) -> int:
    value = number(body, name, default, least, most)
    if value != int(value):
        raise UsageError(f"{name} must be a whole number.")
    return int(value)


def board(body: Mapping[str, Any], name: str) -> str:
    """The name of a board of the table: no request makes the server read a file."""
    value = text(body, name)
    if value.endswith(".toml"):
        raise UsageError(f"{name} is one of {', '.join(BOARDS)}: a board of your own is for the command line.")
    return get_board(value).name


def choice(body: Mapping[str, Any], name: str, values: Sequence[str], default: str | None = None) -> str:
    value = text(body, name, default)
    if value not in values:
        raise UsageError(f"{name} is one of {', '.join(values)}.")
    return value


def table(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object in the body; empty if it is absent."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"{name} must be an object.")
    return value


def numbers(body: Mapping[str, Any], name: str) -> dict[str, float]:
    found = table(body, name)
    return {key: number(found, key, most=2.0**53, least=-(2.0**53)) for key in found}


def model(body: Mapping[str, Any]) -> type[Neuron]:
    """The variant of a model that the fields `model` and `settings` name."""
    return named_model(text(body, "model")).variant(**table(body, "settings"))


def variant(name: str, query: Mapping[str, Any]) -> tuple[type[Neuron], int, float]:
    """The variant of a model that a query describes, in which all values are texts; and its word and time step (ms)."""
    kind = named_model(name)
    told = {setting: str(query[setting]) for setting in kind.settings if setting in query}
    chosen = {
        setting: next((v for v in kind.settings[setting] if str(v).lower() == given.lower()), given)
        for setting, given in told.items()
    }
    return kind.variant(**chosen), whole(query, "word", 18), number(query, "dt", 0.1, 0.005, 1)


def neuron(body: Mapping[str, Any]) -> Neuron:
    """A neuron with the codes that the page received from `simulate`."""
    given = numbers(body, "codes")
    if any(x != int(x) for x in given.values()):
        raise UsageError("codes must be whole numbers.")
    codes = {name: int(x) for name, x in given.items()}
    word, dt = whole(body, "word", 18), number(body, "dt", 0.1)
    return model(body)(codes=codes, word=word, dt=dt, i_span=number(body, "i_span", least=1e-6))
