"""Checks that JSON from a file has the form that the program which wrote it gave it: types say what is expected."""

import dataclasses
import json
import types
import typing
from pathlib import Path
from typing import Any, NoReturn


def load_json(path: Path) -> Any:
    """The content of a JSON file. Raises OSError, or ValueError if it is no JSON: NaN and infinity are none either."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def conforms(value: Any, form: Any) -> bool:
    """Whether a value from JSON has the form of a type.

    form: None, bool, int, float, str, Any, a Literal of texts, unions of them, `list[T]`, `tuple[T, U]` (a list of just
    these), `dict[str, T]`, a dataclass or a TypedDict (an object with these keys, of which those with a default, or not
    required, may be missing). A float is any finite number, a text one that UTF-8 can hold.
    """
    origin, inner = typing.get_origin(form), typing.get_args(form)
    if form is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(conforms(value, one) for one in inner)
    if origin is typing.Literal:
        return isinstance(value, str) and value in inner
    if origin is typing.NotRequired:
        return conforms(value, inner[0])
    if origin is list:
        return isinstance(value, list) and all(conforms(x, inner[0]) for x in value)
    if origin is tuple:
        return isinstance(value, list) and len(value) == len(inner) and all(map(conforms, value, inner))
    if origin is dict:
        return isinstance(value, dict) and all(conforms(k, str) and conforms(x, inner[1]) for k, x in value.items())
    if form in _SIMPLE:
        return _SIMPLE[form](value)
    if not isinstance(value, dict):
        return False
    hints = typing.get_type_hints(form, include_extras=True)
    if dataclasses.is_dataclass(form):
        needed = {f.name for f in dataclasses.fields(form) if f.default is dataclasses.MISSING}
    else:
        needed = form.__required_keys__
    return needed <= set(value) and all(conforms(value[name], hints[name]) for name in hints if name in value)


def _text(value: Any) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


_SIMPLE: dict[Any, Any] = {
    None: lambda value: value is None,
    type(None): lambda value: value is None,
    bool: lambda value: isinstance(value, bool),
    int: _whole,
    float: _number,
    str: _text,
}


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
