"""Interval analysis: the smallest and the largest code that each operation of a trace can produce.

The analysis assumes that each register may hold *every code of its format*. Its results (no intermediate wraps, which
saturations can happen, how wide a signal must be) therefore hold for any register content, not only for sensible parameters.
"""

from collections.abc import Callable, Sequence

from .fixed import Q, align, rounded_shift
from .ops import (
    Add,
    Const,
    Floor,
    Frac,
    Ge,
    Gt,
    Input,
    Lookup,
    Mul,
    Node,
    Operation,
    Point,
    Resize,
    Select,
    Shift,
    Sub,
    Wrap,
)

Interval = tuple[int, int]


def interval_of(node: Node, formats: Sequence[Q], bounds: Sequence[Interval]) -> Interval:
    """The smallest and the largest code of one operation, given the formats and the bounds of its operands."""
    return RULES[type(node.op)](node.op, node.q, formats, *bounds)


def unsaturated(q: Q, source: Q, bounds: Interval) -> Interval:
    """Bounds of codes of the format `source` after rounding to the format `q`, before saturation."""
    shift = source.f_bits - q.f_bits
    return rounded_shift(bounds[0], shift), rounded_shift(bounds[1], shift)


# -- the rules: each takes an operation, the format of its result, and the formats and bounds of its operands


def _aligned(formats: Sequence[Q], a: Interval, b: Interval) -> tuple[Interval, Interval]:
    (a_lo, b_lo), (a_hi, b_hi) = (align(ends, formats) for ends in zip(a, b, strict=True))
    return (a_lo, a_hi), (b_lo, b_hi)


def _sum(op: Operation, q: Q, formats: Sequence[Q], a: Interval, b: Interval) -> Interval:
    (a_lo, a_hi), (b_lo, b_hi) = _aligned(formats, a, b)
    return a_lo + b_lo, a_hi + b_hi


def _difference(op: Operation, q: Q, formats: Sequence[Q], a: Interval, b: Interval) -> Interval:
    (a_lo, a_hi), (b_lo, b_hi) = _aligned(formats, a, b)
    return a_lo - b_hi, a_hi - b_lo


def _product(op: Operation, q: Q, formats: Sequence[Q], a: Interval, b: Interval) -> Interval:
    ends = [x * y for x in a for y in b]
    return min(ends), max(ends)


def _floor(op: Operation, q: Q, formats: Sequence[Q], a: Interval) -> Interval:
    return a[0] >> formats[0].f_bits, a[1] >> formats[0].f_bits


def _frac(op: Operation, q: Q, formats: Sequence[Q], a: Interval) -> Interval:
    ones = (1 << formats[0].f_bits) - 1
    lo, hi = a
    same = lo >> formats[0].f_bits == hi >> formats[0].f_bits
    return (lo & ones, hi & ones) if same else (0, ones)


def _resize(op: Operation, q: Q, formats: Sequence[Q], a: Interval) -> Interval:
    lo, hi = unsaturated(q, formats[0], a)
    # the interval before saturation may lie completely beyond one end
    return min(max(lo, q.lo), q.hi), max(min(hi, q.hi), q.lo)


def _wrap(op: Operation, q: Q, formats: Sequence[Q], a: Interval) -> Interval:
    lo, hi = unsaturated(q, formats[0], a)
    return (lo, hi) if q.lo <= lo and hi <= q.hi else (q.lo, q.hi)


def _select(op: Operation, q: Q, formats: Sequence[Q], condition: Interval, a: Interval, b: Interval) -> Interval:
    (a_lo, a_hi), (b_lo, b_hi) = _aligned(formats[1:], a, b)
    return min(a_lo, b_lo), max(a_hi, b_hi)


def _lookup(op: Lookup, q: Q, formats: Sequence[Q], z: Interval) -> Interval:
    words = op.table.columns[op.column].words
    return min(words), max(words)


def _shift(op: Shift, q: Q, formats: Sequence[Q], a: Interval, n: Interval) -> Interval:
    ends = [x << (distance - op.least) for x in a for distance in n]
    return min(ends), max(ends)


RULES: dict[type[Operation], Callable[..., Interval]] = {
    Input: lambda op, q, formats: (q.lo, q.hi),
    Const: lambda op, q, formats: (op.code, op.code),
    Add: _sum,
    Sub: _difference,
    Mul: _product,
    Point: lambda op, q, formats, a: a,
    Floor: _floor,
    Frac: _frac,
    Resize: _resize,
    Wrap: _wrap,
    Ge: lambda op, q, formats, a, b: (0, 1),
    Gt: lambda op, q, formats, a, b: (0, 1),
    Select: _select,
    Lookup: _lookup,
    Shift: _shift,
}
