"""Function tables: their words, which all interpreters and the hardware share, and linear interpolation between entries."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from .fixed import Q, rounded_shift
from .ops import Add, Column, Lookup, Table
from .trace import Value


def linear(name: str, function: Callable, entries: int, word: int, span: float | None = None) -> Table:
    """A table of `function(z)` for z = 0..entries. Each entry has two words, value and slope: enough to interpolate.

    If `span` is given, the values have the range -span..span, and a value at the upper end is stored as one code less.
    Otherwise, the range is the smallest that holds the values.
    """
    ends = np.array([function(float(z)) for z in range(entries + 1)])
    value, slope = ends[:-1], np.diff(ends)
    columns = []
    for values, limit in ((value, span), (slope, None)):
        largest = float(np.max(np.abs(values))) or 2.0**-word  # not 0, even if all slopes are (a constant function)
        q = Q.covering(limit or largest * (1 + 2.0 ** (1 - word)), word)
        columns.append(Column(q, tuple(int(c) for c in q.encode(values))))
    return Table(name, function, tuple(columns))


def interpolate(table: Table, z: Value) -> Value:
    """The table at z, interpolated: value + slope * frac(z), in the format of the value with one more integer bit.

    The argument z counts entries.
    """
    value, slope = (z.trace.add(Lookup(table, k), (z,), column.q) for k, column in enumerate(table.columns))
    rise = (slope * z.frac()).resize(value.q)
    # tighter bounds than from values and slopes separately: the largest value need not have the largest slope
    (heights, slopes), f_bits = (c.words for c in table.columns), z.q.f_bits + slope.q.f_bits - value.q.f_bits
    ends = [v + rounded_shift(s * ((1 << z.q.f_bits) - 1), f_bits) for v, s in zip(heights, slopes, strict=True)]
    q = Q(value.q.i_bits + 1, value.q.f_bits)
    return z.trace.add(Add(), (value, rise), q, known=(min(*heights, *ends), max(*heights, *ends)))


# Entries of the table of 2**x, by word length. 32 entries with linear interpolation are exact to 15 bits; the error falls
# with the square of their number.
EXP2_ENTRIES = {16: 32, 18: 64, 24: 512}


@cache
def exp2_table(word: int) -> Table:
    """Table of 2**(z/entries) - 1 for z = 0..entries. One is subtracted because values 1..2 would need a bit more than a word."""
    entries = EXP2_ENTRIES[word]

    def exp2_minus_1(z):
        return np.exp2(z / entries) - 1

    return linear("exp2", exp2_minus_1, entries, word)


def exp2(y: Value) -> Value:
    """2**y: the table gives 2**frac(y), which is shifted by floor(y). The table need not cover the range of y.

    The range of y must not be larger than 32. The format of the result has room for every shift: resize it.
    """
    word = y.trace.word
    table = exp2_table(word)
    mantissa = interpolate(table, y.frac().times2(int(math.log2(table.entries)))) + 1
    # 21 bits are more exact than the table, and few enough for the shifted value to stay below 2**53
    return mantissa.resize(Q(2, min(word - 2, 19))).shift(y.floor())
