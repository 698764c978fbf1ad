"""Function tables: the words that every interpreter and the block RAM hold, and linear interpolation between them."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from .fixed import Q, rounded_shift
from .ops import Add, Column, Lookup, Table
from .trace import Value


def linear(name: str, function: Callable, entries: int, word: int, span: float | None = None) -> Table:
    """(value, slope) pairs of one word each for `function(z)`, z = 0..entries, so that one read serves an interpolation.

    `span`: the values keep to -span..span, and what is at its upper end is one code less.
    """
    ends = np.array([function(float(z)) for z in range(entries + 1)])
    value, slope = ends[:-1], np.diff(ends)
    columns = []
    for values, limit in ((value, span), (slope, None)):
        largest = float(np.max(np.abs(values))) or 2.0**-word  # a function may be flat, such as a limited rate
        q = Q.covering(limit or largest * (1 + 2.0 ** (1 - word)), word)
        columns.append(Column(q, tuple(int(c) for c in q.encode(values))))
    return Table(name, function, tuple(columns))


def interpolate(table: Table, z: Value) -> Value:
    """table(z) for z in entries: value + slope * frac(z), in the format of the value (one integer bit more)."""
    value, slope = (z.trace.add(Lookup(table, k), (z,), column.q) for k, column in enumerate(table.columns))
    rise = (slope * z.frac()).resize(value.q)
    # each entry's value goes with its own slope: the greatest value never meets the greatest slope
    (heights, slopes), f_bits = (c.words for c in table.columns), z.q.f_bits + slope.q.f_bits - value.q.f_bits
    ends = [v + rounded_shift(s * ((1 << z.q.f_bits) - 1), f_bits) for v, s in zip(heights, slopes, strict=True)]
    q = Q(value.q.i_bits + 1, value.q.f_bits)
    return z.trace.add(Add(), (value, rise), q, known=(min(*heights, *ends), max(*heights, *ends)))


# 32 entries with linear interpolation are good for 15 bits; the error falls with the square of their number.
EXP2_ENTRIES = {16: 32, 18: 64, 24: 512}


@cache
def exp2_table(word: int) -> Table:
    """2**(z/entries) - 1 for z/entries in 0..1: less one, because 1..2 would need a bit more than a word."""
    entries = EXP2_ENTRIES[word]

    def exp2_minus_1(z):
        return np.exp2(z / entries) - 1

    return linear("exp2", exp2_minus_1, entries, word)


def exp2(y: Value) -> Value:
    """2**y: split, table, shift, so that the range of the exponent costs nothing.

    The exponent must not span more than 32 octaves. The result is exact in the shift: resize it.
    """
    word = y.trace.word
    table = exp2_table(word)
    mantissa = interpolate(table, y.frac().times2(int(math.log2(table.entries)))) + 1
    # 20 bits are beyond what the table holds, and keep the shifted value within 53
    return mantissa.resize(Q(2, min(word - 2, 19))).shift(y.floor())
