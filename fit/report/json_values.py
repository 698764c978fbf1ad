"""Converts values to those that JSON allows."""

import math
from typing import Any

from spikefab.errors import Sentence, Words, in_python, readable, worded


def finite(value: Any, words: Words = in_python) -> Any:
    """The same object with only values that JSON allows: NaN and infinity become None, numpy scalars become Python's,
    bytes of a file name that are no UTF-8 become U+FFFD.

    Sentences with advice are written in the words of an interface, by default those of Python.
    """
    if isinstance(value, dict):
        return {readable(str(k)): finite(v, words) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v, words) for v in value]
    if isinstance(value, Sentence):
        return readable(worded(value, words))
    if isinstance(value, str):
        return readable(value)
    if hasattr(value, "item") and not isinstance(value, bytes):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
