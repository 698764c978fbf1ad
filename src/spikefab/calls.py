"""Arguments of public functions: one that a function does not have, lacks, or cannot use is a sentence. Units are in `units`.

The help of the command line imports this file, and so it does without numpy.
"""

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from spikefab.errors import FileError, UsageError, shortened

P = ParamSpec("P")
T = TypeVar("T")


def public(function: Callable[P, T]) -> Callable[P, T]:
    """The function; a call that does not suit its signature raises UsageError instead of TypeError.

    Its signature and help stay those of the function. A TypeError from within the function is passed on as it is.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except TypeError:
            if (wrong := _misfit(signature, args, kwargs)) is not None:
                raise UsageError(f"{function.__qualname__}: {wrong}") from None
            raise

    return call


def _misfit(signature: inspect.Signature, args: tuple, kwargs: dict) -> str | None:
    """In words, what of a call does not suit a signature; None if it does."""
    try:
        signature.bind(*args, **kwargs)
        return None
    except TypeError as error:
        text = str(error)
    known = [name for name in signature.parameters if name not in ("self", "cls")]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    for name in kwargs:
        if name not in known and not takes_any:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}."
            return f"there is no argument {name!r}: {hint}"
    by_name = [p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    if text.startswith("too many positional") and by_name:
        return f"too many arguments without a name: {', '.join(by_name[:4])} are given by name."
    return f"{text}."


def whole(value: Any, what: str, lowest: int = 0) -> int:
    """One whole number of at least `lowest`."""
    if not is_whole(value) or value < lowest:
        raise UsageError(f"{what} is a whole number of {lowest} or more, not {shortened(value)}.")
    return int(value)


def is_whole(value: Any) -> bool:
    """Whether this is a whole number, of whatever type: 5.0 too, but not True."""
    if isinstance(value, bool | str | bytes) or hasattr(value, "dimensionality"):
        return False
    if getattr(getattr(value, "dtype", None), "kind", "i") not in "iuf":
        return False
    try:
        return bool(int(value) == value)
    except Exception:  # whatever an object raises that is no number
        return False


def listed(values: Any, what: str) -> list[Any]:
    """The elements of anything that has some, other than a text."""
    try:
        if isinstance(values, str | bytes | Mapping):
            raise TypeError
        return list(values)
    except Exception:  # whatever an object raises that has no elements
        raise UsageError(f"{what} in a list, not {shortened(values)}.") from None


def path_of(value: Any, what: str) -> Path:
    """A path from a text or an object that is one."""
    try:
        if isinstance(value, str) and (not value or "\0" in value):
            raise ValueError
        path = Path(value)
        path.is_dir()
        return path
    except OSError as error:  # it is too long, or leads through a folder that may not be read
        raise FileError(f"{shortened(str(value))} cannot be opened: {error.strerror}.") from None
    except (TypeError, ValueError):
        raise UsageError(f"{what} takes the path of a file or folder, not {shortened(value)}.") from None
