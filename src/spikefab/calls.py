"""Calls of public functions: an argument that a function does not have, or lacks, is a sentence."""

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from spikefab.errors import UsageError

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
    for name in kwargs:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}."
            return f"there is no argument {name!r}: {hint}"
    by_name = [p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    if text.startswith("too many positional") and by_name:
        return f"too many arguments without a name: {', '.join(by_name[:4])} are given by name."
    return f"{text}."
