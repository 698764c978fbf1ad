"""Writes the statements of the batch kernel, which computes the integers of a trace exactly.

The kernel computes in float64. That is exact, because the trace proves that all intermediate results are below 2**53, and it
can use vector instructions, which do not exist for int64 products and arithmetic shifts. Products with a power of two are
exact too. Binary points are therefore aligned by scaling a coefficient, once per candidate, if a coefficient takes part: a
product with it then has the binary point that its rounding needs, and rounding takes one multiply-add and a floor.
"""

from collections.abc import Iterable

import numpy as np

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath
from spikefab.hw.proofs import entries_asked, overflows, rounds

from .statements import SHARED, Rule, Step, Writer, Written, constant, input_name

EXACT = 50  # bits, at most, of value and slope of a table for both to be stored in one float64


def trace_step(dp: Datapath) -> Step:
    """The statements of one step of a trace, in exact integers."""
    writer = _Integers(dp)
    for name, index in dp.trace.outputs.items():
        q = dp.trace.nodes[index].q
        writer.step.outputs[name] = writer.truth(index) if name == ".spike" else writer.at(index, q.f_bits)
    return writer.step


def _input(w: Writer, op: ops.Input, index: int) -> Written:
    return input_name(op), w.nodes[index].q.f_bits


def _resize(w: Writer, op: ops.Resize, index: int) -> Written:
    q, (text, g), (low, high) = w.nodes[index].q, _narrowed(w, index), overflows(w.trace, index)
    scale = 2.0 ** (g - q.f_bits)
    if low:
        text = f"max({text}, {w.step.constant(q.lo * scale)})"
    if high:
        text = f"min({text}, {w.step.constant(q.hi * scale)})"
    return _named(w, index, text), g


def _wrap(w: Writer, op: ops.Wrap, index: int) -> Written:
    q, (text, g) = w.nodes[index].q, _narrowed(w, index)
    if any(overflows(w.trace, index)):
        scale = 2.0 ** (g - q.f_bits)
        x = w.emit(text, w.fixed[index])
        low, span, each = (w.step.constant(k) for k in (q.lo * scale, 2.0**q.width * scale, 2.0**-q.width / scale))
        text = f"{x} - floor(({x} - {low}) * {each}) * {span}"
    return _named(w, index, text), g


def _named(w: Writer, index: int, text: str) -> str:
    """The name of an expression, which is written as a statement unless it is a name already."""
    return text if text.isidentifier() else w.emit(text, w.fixed[index])


def _narrowed(w: Writer, index: int) -> Written:
    """The expression of the rounded operand of a resize, before it saturates or wraps."""
    (arg,), fixed, f_bits = w.nodes[index].args, w.fixed[index], w.nodes[index].q.f_bits
    if rounds(w.trace, index):
        return _rounded(w, arg, f_bits, fixed), f_bits
    g = w.unit([arg])
    return w.at(arg, g, fixed), g


def _rounded(w: Writer, arg: int, f: int, fixed: bool) -> str:
    """The expression of an operand rounded half up to f fraction bits.

    If the operand is a product or a sum of a fixed and a moving value, the fixed one is scaled (once per candidate), so that
    the result needs no scaling in the step.
    """
    power = 0  # sum of the powers of two by which binary points were moved before this operand
    while isinstance(op := w.nodes[arg].op, ops.Point):
        power += op.power
        (arg,) = w.nodes[arg].args
    f += power
    args, subtracts = w.nodes[arg].args, isinstance(op, ops.Sub)
    still = [a for a in args if w.fixed[a]]
    if fixed or not isinstance(op, (ops.Mul, ops.Add, ops.Sub)) or len(still) != 1:
        g = w.unit([arg])
        factor = f" * {w.step.constant(2.0 ** (f - g))}" if g != f else ""
        return f"floor({w.at(arg, g, fixed)}{factor} + 0.5)"
    (stands,) = still
    (moves,) = (a for a in args if not w.fixed[a])
    name, g = w.value(moves)
    if isinstance(op, ops.Mul):
        return f"floor({name} * {w.at(stands, f - g)} + 0.5)"
    number = w.number(stands)
    sign = "-" if subtracts and stands == args[1] else ""
    if number is not None:
        half = w.step.constant((-number if sign else number) * 2.0**f + 0.5)
    else:
        half = w.row("half", stands, f, sign, make=lambda: f"{sign}{w.at(stands, f, True)} + 0.5")
    moved = f"{name} * {w.step.constant(2.0 ** (f - g))}" if g != f else name
    return f"floor({half} - {moved})" if subtracts and not sign else f"floor({moved} + {half})"


def _lookup(w: Writer, op: ops.Lookup, index: int) -> Written:
    """One column of a table. If there are two, value and slope, one read gives both: value + slope / 2**width."""
    (arg,), fixed, columns = w.nodes[index].args, w.fixed[index], op.table.columns
    key = (arg, id(op.table))
    z = w.once("place", *key, make=lambda: _place(w, op, index))
    words = [np.array(c.words, dtype=np.float64) for c in columns]
    widths = [c.q.width for c in columns]
    if len(words) != 2 or sum(widths) > EXACT:
        return w.emit(w.step.entry(z, words[op.column]), fixed), columns[op.column].q.f_bits
    both = w.once("both", *key, make=lambda: w.emit(
        w.step.entry(z, words[0] + words[1] * 2.0 ** -widths[1]), fixed))  # fmt: skip
    value = w.once("first", *key, make=lambda: w.emit(f"floor({both} + 0.5)", fixed))
    if op.column == 0:
        return value, columns[0].q.f_bits
    return w.emit(f"{both} - {value}", fixed), columns[1].q.f_bits - widths[1]


def _place(w: Writer, op: ops.Lookup, index: int) -> str:
    """The index of the entry that a lookup reads, clamped if it can be outside the table."""
    text = w.whole(w.nodes[index].args[0], w.fixed[index])
    lo, hi = entries_asked(w.trace, index)
    if lo < 0:
        text = f"max({text}, 0.0)"
    if hi > op.table.entries - 1:
        text = f"min({text}, {w.step.constant(op.table.entries - 1)})"
    return _named(w, index, text)


RULES: dict[type[ops.Operation], Rule] = SHARED | {
    ops.Input: _input,
    ops.Resize: _resize,
    ops.Wrap: _wrap,
    ops.Lookup: _lookup,
}


class _Integers(Writer):
    rules = RULES

    def number(self, index: int) -> float | None:
        return constant(self, index)

    def unit(self, args: Iterable[int]) -> int:
        """The largest g of the operands that change from step to step; the others are scaled to it before the first step."""
        args = list(args)
        moving = [a for a in args if not self.fixed[a]]
        if moving:
            return max(self.value(a)[1] for a in moving)
        return max(self.nodes[a].q.f_bits if self.number(a) is not None else self.value(a)[1] for a in args)
