"""A trace as Python statements over float64 lanes, for the batch kernel.

The integers are computed in float64: exact, because the trace proves every intermediate below 2**53, and it vectorises
where int64 multiplies and arithmetic shifts do not. A value is a float that is its number times 2**g, g its own affair. A
power of two is exact, so what only aligns binary points is done to a coefficient, once a candidate, wherever one takes
part: a product with it then comes out in the format that its rounding wants, and rounding is one multiply-add and a floor.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.hw.interval import unsaturated
from spikefab.hw.lowering.schedule import rounds
from spikefab.hw.trace import BOOL

EXACT = 50  # bits of a table's value and slope that share one float64


@dataclass
class Step:
    """One step of a trace: statements, and the constants and tables that they read."""

    once: list[str] = field(default_factory=list)  # what coefficients alone decide: before the first step
    rows: list[str] = field(default_factory=list)  # the names of `once` that a step reads
    lines: list[str] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)  # k0, k1, ...
    tables: list[np.ndarray] = field(default_factory=list)  # T, one behind the other
    outputs: dict[str, str] = field(default_factory=dict)  # codes; ".spike" a truth value

    def constant(self, value: float) -> str:
        """A format-dependent number, by name: never a literal, and never shared, so that the text has no format in it."""
        self.constants.append(float(value))
        return f"k{len(self.constants) - 1}"

    def entry(self, index: str, table: np.ndarray) -> str:
        """One entry of a table. All lie one behind the other in one array: with one each, LLVM would have to check at run
        time that none of them overlaps what the lanes write, and gives up on vectors when there are too many."""
        start = self.constant(sum(map(len, self.tables)))
        self.tables.append(table)
        return f"T[uint32(int32({index} + {start}))]"


def trace_step(dp: Datapath) -> Step:
    """Statements for one step, and the expression of each output by name."""
    writer = _Writer(dp)
    for name, index in dp.trace.outputs.items():
        q = dp.trace.nodes[index].q
        writer.step.outputs[name] = writer.truth(index) if name == ".spike" else writer.at(index, q.f_bits)
    return writer.step


class _Writer:
    """Writes each operation when it is first asked for. `fixed`: nodes that hang on coefficients and constants alone."""

    def __init__(self, dp: Datapath):
        self.trace, self.nodes, self.step = dp.trace, dp.trace.nodes, Step()
        self.fixed: dict[int, bool] = {}
        for index in dp.trace.live():
            node = self.nodes[index]
            moves = node.op == "input" and node.attr[0] != "coefficient"
            self.fixed[index] = not moves and all(self.fixed[a] for a in node.args)
        self.known: dict[tuple, Any] = {}

    def once(self, *key, make: Callable):
        if key not in self.known:
            self.known[key] = make()
        return self.known[key]

    def emit(self, text: str, fixed: bool = False) -> str:
        name = f"n{len(self.step.once) + len(self.step.lines)}"
        (self.step.once if fixed else self.step.lines).append(f"{name} = {text}")
        return name

    def number(self, index: int) -> float | None:
        """What a constant stands for, None for any other node."""
        node = self.nodes[index]
        if node.op == "point" and (inner := self.number(node.args[0])) is not None:
            return inner * 2.0**node.attr
        return node.attr * node.q.lsb if node.op == "const" else None

    # -- a value where it is needed

    def value(self, index: int) -> tuple[str, int]:
        """(name, g) of a node in the statements to which it belongs; no constant."""
        return self.once("value", index, make=lambda: self.write(index))

    def scaled(self, index: int, g: int) -> str:
        """A node that is no constant, in units of 2**-g, in the statements to which it belongs."""
        name, own = self.value(index)
        if own == g:
            return name
        factor = f"{name} * {{}}"
        return self.once(
            "scaled", index, g,
            make=lambda: self.emit(factor.format(self.step.constant(2.0 ** (g - own))), self.fixed[index]),
        )  # fmt: skip

    def row(self, *key, make: Callable[[], str]) -> str:
        """What `make` writes before the first step, for every step to read."""

        def kept() -> str:
            text = make()
            name = text if text.isidentifier() and text[0] == "n" else self.emit(text, True)
            if name not in self.step.rows:
                self.step.rows.append(name)
            return name

        return self.once("row", *key, make=kept)

    def at(self, index: int, g: int, fixed: bool = False) -> str:
        """A node in units of 2**-g, for a step to read, or (`fixed`) for a statement before the first step."""
        number = self.number(index)
        if number is not None:
            return self.once("const", index, g, make=lambda: self.step.constant(number * 2.0**g))
        if fixed:
            return self.scaled(index, g)
        if self.fixed[index]:
            return self.row(index, g, make=lambda: self.scaled(index, g))
        node = self.nodes[index]
        if node.op == "select" and not self.is_truth(index) and all(self.fixed[a] for a in node.args[1:]):
            condition, a, b = self.truth(node.args[0]), *(self.at(k, g) for k in node.args[1:])
            return self.once("at", index, g, make=lambda: self.emit(f"{a} if {condition} else {b}"))
        return self.scaled(index, g)

    def unit(self, args) -> int:
        """The g in which values meet: that of those which move, for the others can be brought there once."""
        moving = [a for a in args if not self.fixed[a]]
        if moving:
            return max(self.value(a)[1] for a in moving)
        return max(self.nodes[a].q.f_bits if self.number(a) is not None else self.value(a)[1] for a in args)

    # -- truth values: combined by & and |, as an expression that is evaluated only sometimes stops vectors

    def is_truth(self, index: int) -> bool:
        node = self.nodes[index]
        if node.op == "select" and node.q == BOOL:
            return all(self.is_truth(a) or self.number(a) in (0, 1) for a in node.args[1:])
        return node.op in ("ge", "gt")

    def truth(self, index: int, fixed: bool = False) -> str:
        """Whether a node is 1, as a boolean; `fixed` as for `at`."""
        number = self.number(index)
        if number is not None:
            return str(bool(number))
        if self.fixed[index] and not fixed:
            return f"({self.at(index, 0)} > 0.0)"  # a row holds floats
        return self.once("truth", index, make=lambda: self.emit(self.condition(index, fixed), fixed))

    def condition(self, index: int, fixed: bool) -> str:
        node = self.nodes[index]
        if not self.is_truth(index):
            return f"{self.at(index, 0, fixed)} == 1.0"
        if node.op == "select":
            c, a, b = (self.truth(k, fixed) for k in node.args)
            short = {(a, "False"): f"{c} & {a}", ("False", b): f"(not {c}) & {b}",
                     (a, "True"): f"(not {c}) | {a}", ("True", b): f"{c} | {b}"}  # fmt: skip
            return short.get((a, b), f"({c} & {a}) | ((not {c}) & {b})")
        g = self.unit(node.args)
        a, b = (self.at(k, g, fixed) for k in node.args)
        return f"{a} {'>=' if node.op == 'ge' else '>'} {b}"

    # -- the operations

    def write(self, index: int) -> tuple[str, int]:
        node, fixed = self.nodes[index], self.fixed[index]
        args, op = node.args, node.op
        if op == "input":
            kind, name = node.attr
            return ("i" if kind == "current" else f"{kind[0]}_{name}"), node.q.f_bits
        if op == "point":
            name, g = self.value(args[0])
            return name, g - node.attr
        if op in ("add", "sub"):
            g = self.unit(args)
            a, b = (self.at(k, g, fixed) for k in args)
            return self.emit(f"{a} {'+' if op == 'add' else '-'} {b}", fixed), g
        if op == "mul":
            gs = [self.unit([a]) for a in args]
            a, b = (self.at(k, g, fixed) for k, g in zip(args, gs, strict=True))
            return self.emit(f"{a} * {b}", fixed), sum(gs)
        if op == "floor":
            return self.whole(args[0], fixed), 0
        if op == "frac":
            return self.emit(f"{self.at(args[0], 0, fixed)} - {self.whole(args[0], fixed)}", fixed), 0
        if op == "resize":
            return self.resize(index)
        if self.is_truth(index):
            return self.emit(f"1.0 if {self.truth(index, fixed)} else 0.0", fixed), 0
        if op == "select":
            g = self.unit(args[1:])
            condition, a, b = self.truth(args[0], fixed), *(self.at(k, g, fixed) for k in args[1:])
            return self.emit(f"{a} if {condition} else {b}", fixed), g
        if op == "table":
            return self.table(index)
        if op == "shift":
            g = self.unit(args[:1])
            return self.emit(f"{self.at(args[0], g, fixed)} * pow2({self.at(args[1], 0, fixed)})", fixed), g
        raise AssertionError(f"no kernel rule for {op}")

    def whole(self, index: int, fixed: bool) -> str:
        return self.once(
            "whole", index, fixed, make=lambda: self.emit(f"floor({self.at(index, 0, fixed)})", fixed)
        )  # fmt: skip

    def resize(self, index: int) -> tuple[str, int]:
        node, fixed, step = self.nodes[index], self.fixed[index], self.step
        q, arg = node.q, node.args[0]
        if rounds(self.trace, index):
            text, g = self.rounded(arg, q.f_bits, fixed), q.f_bits
        else:
            g = self.unit([arg])
            text = self.at(arg, g, fixed)
        lo, hi = unsaturated(q, self.trace.intervals[arg], self.nodes[arg].q)
        scale = 2.0 ** (g - q.f_bits)
        if node.attr == "wrap" and (lo < q.lo or hi > q.hi):
            x = self.emit(text, fixed)
            low, span, each = (step.constant(k) for k in (q.lo * scale, 2.0**q.width * scale, 2.0**-q.width / scale))
            text = f"{x} - floor(({x} - {low}) * {each}) * {span}"
        elif node.attr != "wrap":
            if lo < q.lo:
                text = f"max({text}, {step.constant(q.lo * scale)})"
            if hi > q.hi:
                text = f"min({text}, {step.constant(q.hi * scale)})"
        return text if text.isidentifier() else self.emit(text, fixed), g

    def rounded(self, arg: int, f: int, fixed: bool) -> str:
        """An operand rounded half up to f fraction bits. The factor or summand that is fixed brings what it meets there."""
        power = 0  # of the points moved on the way
        while self.nodes[arg].op == "point":
            power += self.nodes[arg].attr
            arg = self.nodes[arg].args[0]
        f += power
        node = self.nodes[arg]
        still = [a for a in node.args if self.fixed[a]]
        if fixed or node.op not in ("mul", "add", "sub") or len(still) != 1:
            g = self.unit([arg])
            factor = f" * {self.step.constant(2.0 ** (f - g))}" if g != f else ""
            return f"floor({self.at(arg, g, fixed)}{factor} + 0.5)"
        (stands,) = still
        (moves,) = (a for a in node.args if not self.fixed[a])
        name, g = self.value(moves)
        if node.op == "mul":
            return f"floor({name} * {self.at(stands, f - g)} + 0.5)"
        number = self.number(stands)
        sign = "-" if node.op == "sub" and stands == node.args[1] else ""
        if number is not None:
            half = self.step.constant((-number if sign else number) * 2.0**f + 0.5)
        else:
            half = self.row("half", stands, f, sign, make=lambda: f"{sign}{self.at(stands, f, True)} + 0.5")
        moved = f"{name} * {self.step.constant(2.0 ** (f - g))}" if g != f else name
        return f"floor({half} - {moved})" if node.op == "sub" and not sign else f"floor({moved} + {half})"

    def table(self, index: int) -> tuple[str, int]:
        """One column of a table. Where there are two, value and slope, they are read at once: as value + slope / 2**width."""
        node, fixed, (arg,) = self.nodes[index], self.fixed[index], self.nodes[index].args
        table, column = node.attr
        key = (arg, id(table))

        def place() -> str:
            text = self.whole(arg, fixed)
            lo, hi = (x >> self.nodes[arg].q.f_bits for x in self.trace.intervals[arg])
            if lo < 0:
                text = f"max({text}, 0.0)"
            if hi > table.entries - 1:
                text = f"min({text}, {self.step.constant(table.entries - 1)})"
            return text if text.isidentifier() else self.emit(text, fixed)

        z = self.once("place", *key, make=place)
        words = [np.array(c.words, dtype=np.float64) for c in table.columns]
        widths = [c.q.width for c in table.columns]
        if len(words) != 2 or sum(widths) > EXACT:
            return self.emit(self.step.entry(z, words[column]), fixed), table.columns[column].q.f_bits
        both = self.once("both", *key, make=lambda: self.emit(
            self.step.entry(z, words[0] + words[1] * 2.0 ** -widths[1]), fixed))  # fmt: skip
        value = self.once("first", *key, make=lambda: self.emit(f"floor({both} + 0.5)", fixed))
        if column == 0:
            return value, table.columns[0].q.f_bits
        return self.emit(f"{both} - {value}", fixed), table.columns[1].q.f_bits - widths[1]
