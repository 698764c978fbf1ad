"""Writes a trace as Python statements on float64 numbers. The batch kernel and the compiled ideal share this code.

Each value is stored as a float equal to its real value times 2**g; g is chosen per value. Values that depend only on
coefficients are computed once per candidate, before the first step.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath
from spikefab.hw.trace import BOOL

Written = tuple[str, int]  # name of a value in the statements, and g: the value is stored times 2**g
Rule = Callable[..., Written]  # takes a writer, an operation and its index, and writes the operation


@dataclass
class Step:
    """The text of one step of a trace: its statements, and the constants and tables that they read."""

    once: list[str] = field(default_factory=list)  # statements before the first step, on coefficients only
    rows: list[str] = field(default_factory=list)  # names from `once` that a step reads
    lines: list[str] = field(default_factory=list)  # statements of a step
    constants: list[float] = field(default_factory=list)  # values of the names k0, k1, ...
    tables: list[np.ndarray] = field(default_factory=list)  # concatenated, they are the array T
    # name of an output: expression of its code; of ".spike", a truth value
    outputs: dict[str, str] = field(default_factory=dict)

    def constant(self, value: float) -> str:
        """The name of a new constant. Numbers that depend on a format are never written as literals, and equal ones never
        share a name, so that the text is the same for all formats.
        """
        self.constants.append(float(value))
        return f"k{len(self.constants) - 1}"

    def entry(self, index: str, table: np.ndarray) -> str:
        """The expression of one entry of a table.

        All tables are in one array T. With an array for each, LLVM would have to check at run time that none of them overlaps
        the arrays that are written; if there are too many to check, it uses no vector instructions.
        """
        start = self.constant(sum(map(len, self.tables)))
        self.tables.append(table)
        return f"T[uint32(int32({index} + {start}))]"


class Writer(ABC):
    """Writes the statements of a trace. An operation is written when its value is first needed, by its rule in `rules`.

    `fixed` tells for each node whether it depends only on coefficients and constants; such a node is written before the
    first step.
    """

    rules: ClassVar[Mapping[type[ops.Operation], Rule]]

    def __init__(self, dp: Datapath):
        self.trace, self.nodes, self.step = dp.trace, dp.trace.nodes, Step()
        self.fixed: dict[int, bool] = {}
        for index in dp.trace.live():
            node = self.nodes[index]
            moves = isinstance(node.op, ops.Input) and node.op.kind != "coefficient"
            self.fixed[index] = not moves and all(self.fixed[a] for a in node.args)
        self.known: dict[tuple, Any] = {}

    def once(self, *key, make: Callable):
        """The result of `make`, which is called only the first time that this key is used."""
        if key not in self.known:
            self.known[key] = make()
        return self.known[key]

    def emit(self, text: str, fixed: bool = False) -> str:
        """Write a statement that computes an expression, and return the name of the result."""
        name = f"n{len(self.step.once) + len(self.step.lines)}"
        (self.step.once if fixed else self.step.lines).append(f"{name} = {text}")
        return name

    @abstractmethod
    def number(self, index: int) -> float | None:
        """The value of a node that is the same for all candidates at all steps; None for any other node."""

    @abstractmethod
    def unit(self, args: Iterable[int]) -> int:
        """The g to which operands must be brought to be added or compared."""

    # -- a value where it is needed

    def value(self, index: int) -> Written:
        """The value of a node, written before the first step or in the step, where it belongs."""
        op = self.nodes[index].op
        return self.once("value", index, make=lambda: self.rules[type(op)](self, op, index))

    def scaled(self, index: int, g: int) -> str:
        """The value of a node that is no constant, times 2**g, written where it belongs."""
        name, own = self.value(index)
        if own == g:
            return name
        factor = f"{name} * {{}}"
        return self.once(
            "scaled", index, g,
            make=lambda: self.emit(factor.format(self.step.constant(2.0 ** (g - own))), self.fixed[index]),
        )  # fmt: skip

    def row(self, *key, make: Callable[[], str]) -> str:
        """The name of a value that `make` writes before the first step, and that every step can read."""

        def kept() -> str:
            text = make()
            name = text if text.isidentifier() and text[0] == "n" else self.emit(text, True)
            if name not in self.step.rows:
                self.step.rows.append(name)
            return name

        return self.once("row", *key, make=kept)

    def at(self, index: int, g: int, fixed: bool = False) -> str:
        """The value of a node times 2**g, for use in a step or (`fixed`) in a statement before the first step."""
        number = self.number(index)
        if number is not None:
            return self.once("const", index, g, make=lambda: self.step.constant(number * 2.0**g))
        if fixed:
            return self.scaled(index, g)
        if self.fixed[index]:
            return self.row(index, g, make=lambda: self.scaled(index, g))
        node = self.nodes[index]
        if isinstance(node.op, ops.Select) and not self.is_truth(index) and all(self.fixed[a] for a in node.args[1:]):
            condition, a, b = self.truth(node.args[0]), *(self.at(k, g) for k in node.args[1:])
            return self.once("at", index, g, make=lambda: self.emit(f"choose({condition}, {a}, {b})"))
        return self.scaled(index, g)

    # -- truth values: combined by & and |, because `and` and `or` evaluate only when needed, which prevents vector instructions

    def is_truth(self, index: int) -> bool:
        """Whether a node can only be 0 or 1: a comparison, or a select between such nodes."""
        node = self.nodes[index]
        if isinstance(node.op, ops.Select) and node.q == BOOL:
            return all(self.is_truth(a) or self.number(a) in (0, 1) for a in node.args[1:])
        return isinstance(node.op, ops.COMPARISONS)

    def truth(self, index: int, fixed: bool = False) -> str:
        """A boolean expression: whether a node is 1. `fixed` as in `at`."""
        number = self.number(index)
        if number is not None:
            return str(bool(number))
        if self.fixed[index] and not fixed:
            return f"({self.at(index, 0)} > 0.0)"  # values kept from before the first step are floats
        return self.once("truth", index, make=lambda: self.emit(self.condition(index, fixed), fixed))

    def condition(self, index: int, fixed: bool) -> str:
        """The text of the expression for `truth`."""
        node = self.nodes[index]
        if not self.is_truth(index):
            return f"{self.at(index, 0, fixed)} == 1.0"
        if isinstance(node.op, ops.Select):
            c, a, b = (self.truth(k, fixed) for k in node.args)
            short = {(a, "False"): f"{c} & {a}", ("False", b): f"(not {c}) & {b}",
                     (a, "True"): f"(not {c}) | {a}", ("True", b): f"{c} | {b}"}  # fmt: skip
            return short.get((a, b), f"({c} & {a}) | ((not {c}) & {b})")
        g = self.unit(node.args)
        a, b = (self.at(k, g, fixed) for k in node.args)
        return f"{a} {'>=' if isinstance(node.op, ops.Ge) else '>'} {b}"

    # -- used by several rules

    def whole(self, index: int, fixed: bool) -> str:
        """The integer part of a node."""
        return self.once(
            "whole", index, fixed, make=lambda: self.emit(f"floor({self.at(index, 0, fixed)})", fixed)
        )  # fmt: skip


# -- the rules that are the same with and without rounding


def input_name(op: ops.Input) -> str:
    """The name of a register in the statements: i, s_NAME of a state, c_NAME of a coefficient."""
    return "i" if op.kind == "current" else f"{op.kind[0]}_{op.name}"


def constant(w: Writer, index: int) -> float | None:
    """The real value of a constant, even if its binary point was moved; None for any other node."""
    op, args, q = w.nodes[index]
    if isinstance(op, ops.Point):
        inner = w.number(args[0])
        return None if inner is None else inner * 2.0**op.power
    return op.code * q.lsb if isinstance(op, ops.Const) else None


def _const(w: Writer, op: ops.Const, index: int) -> Written:
    g = w.nodes[index].q.f_bits
    return w.at(index, g), g


def _sum(sign: str) -> Rule:
    def rule(w: Writer, op: ops.Add | ops.Sub, index: int) -> Written:
        args, fixed = w.nodes[index].args, w.fixed[index]
        g = w.unit(args)
        a, b = (w.at(k, g, fixed) for k in args)
        return w.emit(f"{a} {sign} {b}", fixed), g

    return rule


def _mul(w: Writer, op: ops.Mul, index: int) -> Written:
    args, fixed = w.nodes[index].args, w.fixed[index]
    gs = [w.unit([a]) for a in args]
    a, b = (w.at(k, g, fixed) for k, g in zip(args, gs, strict=True))
    return w.emit(f"{a} * {b}", fixed), sum(gs)


def _point(w: Writer, op: ops.Point, index: int) -> Written:
    name, g = w.value(w.nodes[index].args[0])
    return name, g - op.power


def _floor(w: Writer, op: ops.Floor, index: int) -> Written:
    return w.whole(w.nodes[index].args[0], w.fixed[index]), 0


def _frac(w: Writer, op: ops.Frac, index: int) -> Written:
    (arg,), fixed = w.nodes[index].args, w.fixed[index]
    return w.emit(f"{w.at(arg, 0, fixed)} - {w.whole(arg, fixed)}", fixed), 0


def _truth(w: Writer, op: ops.Operation, index: int) -> Written:
    return w.emit(f"choose({w.truth(index, w.fixed[index])}, 1.0, 0.0)", w.fixed[index]), 0


def _select(w: Writer, op: ops.Select, index: int) -> Written:
    if w.is_truth(index):
        return _truth(w, op, index)
    (c, *args), fixed = w.nodes[index].args, w.fixed[index]
    g = w.unit(args)
    condition, a, b = w.truth(c, fixed), *(w.at(k, g, fixed) for k in args)
    return w.emit(f"choose({condition}, {a}, {b})", fixed), g


def _shift(w: Writer, op: ops.Shift, index: int) -> Written:
    (arg, n), fixed = w.nodes[index].args, w.fixed[index]
    g = w.unit([arg])
    return w.emit(f"{w.at(arg, g, fixed)} * pow2({w.at(n, 0, fixed)})", fixed), g


SHARED: dict[type[ops.Operation], Rule] = {
    ops.Const: _const,
    ops.Add: _sum("+"),
    ops.Sub: _sum("-"),
    ops.Mul: _mul,
    ops.Point: _point,
    ops.Floor: _floor,
    ops.Frac: _frac,
    ops.Ge: _truth,
    ops.Gt: _truth,
    ops.Select: _select,
    ops.Shift: _shift,
}
