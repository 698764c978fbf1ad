"""Converts values to those that JSON allows."""

import math
from typing import Any

from spikefab.errors import Sentence, Words, in_python, worded


def finite(value: Any, words: Words = in_python) -> Any:
    """The same object with only values that JSON allows: NaN and infinity become None, numpy scalars become Python's.

    Sentences with advice are written in the words of an interface, by default those of Python.
    """
    if isinstance(value, dict):
        return {str(k): finite(v, words) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v, words) for v in value]
    if isinstance(value, Sentence):
        return worded(value, words)
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
