"""Interval analysis: the least and greatest code that each operation can produce.

The inputs range over *everything their registers can hold*, so what is proved here (no intermediate wraps, which
saturations can happen, how wide a signal must be) holds for any register content, not only for sensible parameters.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .trace import Node, Trace

Interval = tuple[int, int]


def rounded_shift(code: int, shift: int) -> int:
    """`code * 2**-shift` rounded half up; a negative shift is exact."""
    return code << -shift if shift <= 0 else (code + (1 << (shift - 1))) >> shift


def interval_of(node: "Node", args: Sequence[Interval], formats: Sequence) -> Interval:
    """Bounds on the code of one operation, from the bounds and formats of its operands."""
    q = node.q
    if node.op == "const":
        return node.attr, node.attr
    if node.op == "input":
        return q.lo, q.hi
    if node.op == "point":
        return args[0]
    if node.op == "floor":
        return args[0][0] >> formats[0].f_bits, args[0][1] >> formats[0].f_bits
    if node.op == "frac":
        ones = (1 << formats[0].f_bits) - 1
        lo, hi = args[0]
        same = lo >> formats[0].f_bits == hi >> formats[0].f_bits
        return (lo & ones, hi & ones) if same else (0, ones)
    if node.op in ("ge", "gt"):
        return 0, 1
    if node.op == "table":
        table, column = node.attr
        words = table.columns[column].words
        return min(words), max(words)
    if node.op == "shift":
        lo, hi = args[0]
        n_lo, n_hi = args[1]
        ends = [x << (n - n_lo) for x in (lo, hi) for n in (n_lo, n_hi)]
        return min(ends), max(ends)
    # what remains aligns its operands to the finest fraction among them
    if node.op == "resize":
        lo, hi = unsaturated(q, args[0], formats[0])
        if node.attr == "wrap" and (lo < q.lo or hi > q.hi):
            return q.lo, q.hi
        return min(max(lo, q.lo), q.hi), max(min(hi, q.hi), q.lo)  # all of it may lie beyond one end
    if node.op == "mul":
        ends = [a * b for a in args[0] for b in args[1]]
        return min(ends), max(ends)
    values = args[1:] if node.op == "select" else args
    (a_lo, a_hi), (b_lo, b_hi) = [
        (lo << (q.f_bits - f.f_bits), hi << (q.f_bits - f.f_bits))
        for (lo, hi), f in zip(values, formats[-2:], strict=True)
    ]
    if node.op == "add":
        return a_lo + b_lo, a_hi + b_hi
    if node.op == "sub":
        return a_lo - b_hi, a_hi - b_lo
    if node.op == "select":
        return min(a_lo, b_lo), max(a_hi, b_hi)
    raise AssertionError(f"no interval rule for {node.op}")


def unsaturated(q, bounds: Interval, source) -> Interval:
    """What a resize would hold before it saturates."""
    shift = source.f_bits - q.f_bits
    return rounded_shift(bounds[0], shift), rounded_shift(bounds[1], shift)


def saturations(trace: "Trace") -> list[tuple[int, str]]:
    """Every saturation that can happen: (index of the resize, "low" or "high")."""
    found = []
    for index, node in enumerate(trace.nodes):
        if node.op == "resize" and node.attr != "wrap":
            (arg,) = node.args
            lo, hi = unsaturated(node.q, trace.intervals[arg], trace.nodes[arg].q)
            found += [(index, "low")] * (lo < node.q.lo) + [(index, "high")] * (hi > node.q.hi)
    return found
