"""Interval analysis: the smallest and the largest code that each operation of a trace can produce.

The analysis assumes that each register may hold *every code of its format*. Its results (no intermediate wraps, which
saturations can happen, how wide a signal must be) therefore hold for any register content, not only for sensible parameters.
"""

from collections.abc import Callable, Sequence

from . import ops
from .fixed import Q, align, rounded_shift

Interval = tuple[int, int]
INT64_BITS = 62  # bits of the largest intermediate number: int64 less the sign, and less one bit for rounding's half


def interval_of(node: ops.Node, formats: Sequence[Q], bounds: Sequence[Interval]) -> Interval:
    """The smallest and the largest code of one operation, given the formats and the bounds of its operands."""
    return RULES[type(node.op)](node.op, node.q, formats, *bounds)


def unsaturated(q: Q, source: Q, bounds: Interval) -> Interval:
    """Bounds of codes of the format `source` after rounding to the format `q`, before saturation."""
    shift = source.f_bits - q.f_bits
    return _in_int64((rounded_shift(bounds[0], shift), rounded_shift(bounds[1], shift)))


def _in_int64(bounds: Interval) -> Interval:
    """Return the bounds of an intermediate number, or raise AssertionError if the int64 of the reference cannot hold it."""
    if max(-bounds[0], bounds[1]) >> INT64_BITS:
        raise AssertionError(f"{bounds} needs more than {INT64_BITS} bits on the way: resize the operands first")
    return bounds


# -- the rules: each takes an operation, the format of its result, and the formats and bounds of its operands


def _aligned(formats: Sequence[Q], a: Interval, b: Interval) -> tuple[Interval, Interval]:
    (a_lo, b_lo), (a_hi, b_hi) = (align(ends, formats) for ends in zip(a, b, strict=True))
    return _in_int64((a_lo, a_hi)), _in_int64((b_lo, b_hi))


def _sum(op: ops.Operation, q: Q, formats: Sequence[Q], a: Interval, b: Interval) -> Interval:
    (a_lo, a_hi), (b_lo, b_hi) = _aligned(formats, a, b)
    return a_lo + b_lo, a_hi + b_hi


def _difference(op: ops.Operation, q: Q, formats: Sequence[Q], a: Interval, b: Interval) -> Interval:
    (a_lo, a_hi), (b_lo, b_hi) = _aligned(formats, a, b)
    return a_lo - b_hi, a_hi - b_lo


def _product(op: ops.Operation, q: Q, formats: Sequence[Q], a: Interval, b: Interval) -> Interval:
    ends = [x * y for x in a for y in b]
    return min(ends), max(ends)


def _floor(op: ops.Operation, q: Q, formats: Sequence[Q], a: Interval) -> Interval:
    return a[0] >> formats[0].f_bits, a[1] >> formats[0].f_bits


def _frac(op: ops.Operation, q: Q, formats: Sequence[Q], a: Interval) -> Interval:
    ones = (1 << formats[0].f_bits) - 1
    lo, hi = a
    same = lo >> formats[0].f_bits == hi >> formats[0].f_bits
    return (lo & ones, hi & ones) if same else (0, ones)


def _resize(op: ops.Operation, q: Q, formats: Sequence[Q], a: Interval) -> Interval:
    lo, hi = unsaturated(q, formats[0], a)
    # the interval before saturation may lie completely beyond one end
    return min(max(lo, q.lo), q.hi), max(min(hi, q.hi), q.lo)


def _wrap(op: ops.Operation, q: Q, formats: Sequence[Q], a: Interval) -> Interval:
    lo, hi = unsaturated(q, formats[0], a)
    return (lo, hi) if q.lo <= lo and hi <= q.hi else (q.lo, q.hi)


def _compare(op: ops.Operation, q: Q, formats: Sequence[Q], a: Interval, b: Interval) -> Interval:
    _aligned(formats, a, b)
    return 0, 1


def _select(op: ops.Operation, q: Q, formats: Sequence[Q], condition: Interval, a: Interval, b: Interval) -> Interval:
    (a_lo, a_hi), (b_lo, b_hi) = _aligned(formats[1:], a, b)
    return min(a_lo, b_lo), max(a_hi, b_hi)


def _lookup(op: ops.Lookup, q: Q, formats: Sequence[Q], z: Interval) -> Interval:
    words = op.table.columns[op.column].words
    return min(words), max(words)


def _shift(op: ops.Shift, q: Q, formats: Sequence[Q], a: Interval, n: Interval) -> Interval:
    ends = [x << (distance - op.least) for x in a for distance in n]
    return min(ends), max(ends)


RULES: dict[type[ops.Operation], Callable[..., Interval]] = {
    ops.Input: lambda op, q, formats: (q.lo, q.hi),
    ops.Const: lambda op, q, formats: (op.code, op.code),
    ops.Add: _sum,
    ops.Sub: _difference,
    ops.Mul: _product,
    ops.Point: lambda op, q, formats, a: a,
    ops.Floor: _floor,
    ops.Frac: _frac,
    ops.Resize: _resize,
    ops.Wrap: _wrap,
    ops.Ge: _compare,
    ops.Gt: _compare,
    ops.Select: _select,
    ops.Lookup: _lookup,
    ops.Shift: _shift,
}
