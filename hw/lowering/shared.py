"""Translates a trace to the smallest hardware: one datapath with shared multipliers, which takes several clocks per step.

Each operation except the products has its own logic and register. Its operands do not change from the clock in which they
are ready to the end of the step, so that the register needs no enable. Only a register that reads the product of a shared
multiplier is loaded in a certain clock, by a counter. Tables are block RAMs.

If L is the length of the schedule (`schedule.schedule`), a step takes L + 2 clocks: one to accept the input, L to compute,
one to write states and outputs. The clock that delivers a result also accepts the next input: latency = interval = L + 2.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import reduce
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, signed, unsigned
from amaranth.lib.memory import Memory

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath
from spikefab.hw.fixed import align
from spikefab.hw.proofs import before_saturation, distance_bits, entries_asked, overflows, rounds
from spikefab.hw.trace import Trace

from .schedule import Schedule, follows_product, schedule, source

OVERHEAD = 2  # clocks of a step in addition to the length of the schedule: to accept the input and to write the outputs


def shape_of(interval: tuple[int, int]) -> Shape:
    """The Amaranth shape with the fewest bits that holds all integers of an interval."""
    lo, hi = interval
    return unsigned(max(1, hi.bit_length())) if lo >= 0 else signed(max((~lo).bit_length(), hi.bit_length()) + 1)


def lower(ports: Any, dp: Datapath, reset: Sequence[int], multipliers: int = 1) -> Module:
    """The Amaranth module that computes a neuron: registers, datapath and control, connected to the ports.

    `reset` are the codes of `dp.registers` after a reset.
    """
    plan = schedule(dp.trace, multipliers)
    m = Module()

    writable = [
        Signal(signed(register.format.width), init=code, name=f"{register.kind}_{register.name}")
        for register, code in zip(dp.registers, reset, strict=True)
    ]
    current = Signal(signed(dp.current.width), name="current_i")
    registers = {ops.Input("current", "i"): current}
    registers |= {ops.Input(r.kind, r.name): held for r, held in zip(dp.registers, writable, strict=True)}
    states = {name: registers[ops.Input("state", name)] for name in dp.states}

    clock = Signal(range(plan.length + 1))
    running = Signal()
    last = running & (clock == plan.length)
    outputs = Logic(m, dp.trace, plan, registers, clock).outputs

    m.d.comb += ports.i_ready.eq(~running & (~ports.o_valid | ports.o_ready))
    m.d.comb += ports.cfg_ready.eq(ports.i_ready)
    with m.If(ports.o_ready):
        m.d.sync += ports.o_valid.eq(0)
    chosen = Signal(len(writable))
    with m.If(ports.cfg_valid & ports.cfg_ready), m.Switch(ports.cfg_addr):
        for k, register in enumerate(dp.registers):
            with m.Case(register.address):
                m.d.comb += chosen[k].eq(1)
    for k, (register, held) in enumerate(zip(dp.registers, writable, strict=True)):
        given: Any = ports.cfg_data
        taken: Any = chosen[k]
        if register.kind == "state":
            # one choice and one enable: two assignments would take two look-up tables a bit
            given, taken = Mux(running, outputs[register.name], given), taken | last
        with m.If(taken):
            m.d.sync += held.eq(given)
    with m.If(ports.i_valid & ports.i_ready):
        m.d.sync += [current.eq(ports.i), running.eq(1), clock.eq(0)]
    with m.If(running):
        m.d.sync += clock.eq(clock + 1)
        with m.If(last):
            m.d.sync += [running.eq(0), ports.o_valid.eq(1)]
            m.d.sync += [ports.o_v.eq(outputs[".v"]), ports.o_spike.eq(outputs[".spike"])]
    m.d.comb += [getattr(ports, f"state_{name}").eq(held) for name, held in states.items()]
    return m


class Logic:
    """The logic of all live operations of a trace. `outputs` are the signals of the outputs, by name."""

    def __init__(self, m: Module, trace: Trace, plan: Schedule, registers: dict, clock: Signal):
        self.m, self.trace, self.plan, self.registers, self.clock = m, trace, plan, registers, clock
        self.memories: dict[tuple, Any] = {}
        self.products = {u: self._signal(signed(2 * trace.word), f"product_{u}") for u in set(plan.unit.values())}
        self.values: dict[int, Any] = {}
        for i in trace.live():
            op = trace.nodes[i].op
            self.values[i] = RULES[type(op)](self, op, i)
        for u, product in self.products.items():
            self._multiplier(u, product)
        self.outputs = {name: self.values[i] for name, i in trace.outputs.items()}

    def _multiplier(self, unit: int, product: Signal) -> None:
        """A shared multiplier, whose operand registers are loaded as scheduled."""
        held: list[Any] = [self._signal(signed(self.trace.word), f"factor_{unit}_{side}") for side in "ab"]
        mine = [i for i, u in self.plan.unit.items() if u == unit]
        # A constant factor needs no register, and a block that has one for a few bits of it is slow. One with registers of its own
        # (multiply > 2) has one anyway.
        if len(mine) == 1 and self.plan.timing.multiply == 2:
            args = self.trace.nodes[mine[0]].args
            held = [self.values[x] if self._constant(x) else h for x, h in zip(args, held, strict=True)]
        factors = {self._counted(self.plan.start[i]): self._args(i) for i, u in self.plan.unit.items() if u == unit}
        *others, (end, last) = sorted(factors.items())
        with self.m.Switch(self.clock):
            for clock, (x, y) in others:
                with self.m.Case(clock):
                    self.m.d.sync += [held[0].eq(x), held[1].eq(y)]
            with self._last_factors(end):
                self.m.d.sync += [h.eq(x) for h, x in zip(held, last, strict=True) if h is not x]
        found: Any = held[0] * held[1]
        for k in range(self.plan.timing.multiply - 2):
            more = self._signal(product.shape(), f"product_{unit}_{k}")
            self.m.d.sync += more.eq(found)
            found = more
        self.m.d.sync += product.eq(found)

    def _constant(self, index: int) -> bool:
        """Whether a value is a constant, or wires from one."""
        return isinstance(self.trace.nodes[source(self.trace, index, self.plan.timing)].op, ops.Const)

    def _last_factors(self, clock: int) -> Any:
        """When the operands of the last product in a step are loaded."""
        return self.m.Case(clock)

    def _counted(self, clock: int) -> int:
        """What the counter shows in a clock of the schedule."""
        return clock

    def _load(self, held: Signal, expression: Any, clock: int, once: bool = False) -> None:
        """Let a register hold an expression from the end of a clock of the schedule on. `once`: it has another value later."""
        with self.m.If(self.clock == clock) if once else nullcontext():
            self.m.d.sync += held.eq(expression)

    def _signal(self, shape: Shape, name: str) -> Signal:
        # the registers inside multipliers and memories have no reset, and nothing here needs one
        return Signal(shape, name=name, reset_less=True)

    def _args(self, index: int) -> list:
        return [self._at(a, self.plan.start[index]) for a in self.trace.nodes[index].args]

    def _at(self, index: int, clock: int) -> Any:
        """The value of an operation that is read in a clock: here it stays until the end of the step."""
        return self.values[index]

    def _aligned(self, index: int) -> list:
        """The last two operands of an operation, brought to a common binary point."""
        return align(self._args(index)[-2:], self.trace.formats(index)[-2:])

    def _named(self, index: int, shape: Shape, suffix: str = "") -> Signal:
        """A signal that has the name of the operation."""
        return self._signal(shape, f"{self.trace.nodes[index].op.label}_{index}{suffix}")

    def _clocked(self, index: int, expression) -> Signal:
        """A register that holds the expression."""
        held = self._named(index, shape_of(self.trace.intervals[index]))
        self._load(held, expression, self.plan.ready[index] - 1)
        return held

    def _wired(self, index: int, expression) -> Signal:
        """A wire with the expression, without a register."""
        wire = self._named(index, shape_of(self.trace.intervals[index]))
        self.m.d.comb += wire.eq(expression)
        return wire

    # -- the rules: each returns the signal of one operation

    def _input(self, op: ops.Input, index: int):
        return self.registers[op]

    def _const(self, op: ops.Const, index: int):
        return Const(op.code, shape_of(self.trace.intervals[index]))

    def _point(self, op: ops.Point, index: int):
        return self._args(index)[0]

    def _floor(self, op: ops.Floor, index: int):
        (x,), (source,) = self._args(index), self.trace.formats(index)
        return self._wired(index, x >> source.f_bits)

    def _frac(self, op: ops.Frac, index: int):
        (x,), (source,) = self._args(index), self.trace.formats(index)
        return self._wired(index, x & ((1 << source.f_bits) - 1))

    def _add(self, op: ops.Add, index: int):
        a, b = self._aligned(index)
        return self._clocked(index, a + b)

    def _sub(self, op: ops.Sub, index: int):
        a, b = self._aligned(index)
        return self._clocked(index, a - b)

    def _mul(self, op: ops.Mul, index: int):
        return self.products[self.plan.unit[index]]

    def _ge(self, op: ops.Ge, index: int):
        return self._clocked(index, self._at_least(*self._aligned(index)))

    def _gt(self, op: ops.Gt, index: int):
        return self._clocked(index, self._above(*self._aligned(index)))

    def _at_least(self, a: Any, b: Any) -> Any:
        return a >= b

    def _above(self, a: Any, b: Any) -> Any:
        return a > b

    def _select(self, op: ops.Select, index: int):
        a, b = self._aligned(index)
        return self._chosen(index, Mux(self._args(index)[0], a, b))

    def _chosen(self, index: int, expression) -> Signal:
        """What a select chooses: a wire if only registers of states and outputs read it, at the end of the step."""
        read = {a for i in self.trace.live() for a in self.trace.nodes[i].args}
        return self._clocked(index, expression) if index in read else self._wired(index, expression)

    def _resize(self, op: ops.Resize, index: int):
        value, held = self._rounded(index)
        if not any(overflows(self.trace, index)):
            return self._wired(index, value)
        low = self.trace.nodes[index].q.width - 1
        wide = self._named(index, signed(max(held.width + (not held.signed), low + 2)), "_wide")
        self.m.d.comb += wide.eq(value)
        top = wide[low:]
        inside: Any = ~top.any() | top.all()
        found: Any = Cat(wide[: low + 1], wide[-1])
        if self.plan.timing.saturate == 2:
            clock = self.plan.ready[index] - 2
            inside, found = (self._loaded(index, x, s, clock) for x, s in ((inside, "_inside"), (found, "_narrow")))
        ends = Cat(~found[-1].replicate(low), found[-1]).as_signed()
        return self._clocked(index, Mux(inside, found[:-1].as_signed(), ends))

    def _loaded(self, index: int, expression: Any, suffix: str, clock: int) -> Signal:
        """A register within an operation, that holds the expression from the end of a clock of the schedule on."""
        held = self._named(index, unsigned(len(expression)), suffix)
        self._load(held, expression, clock)
        return held

    def _wrap(self, op: ops.Wrap, index: int):
        value, _ = self._rounded(index)
        if any(overflows(self.trace, index)):
            value = value[: self.trace.nodes[index].q.width].as_signed()
        return self._wired(index, value)

    def _rounded(self, index: int):
        """The rounded operand of a resize, and its shape. It is in a register if it rounds or reads a product."""
        (x,), (source,) = self._args(index), self.trace.formats(index)
        shift = source.f_bits - self.trace.nodes[index].q.f_bits
        shape = shape_of(before_saturation(self.trace, index))
        # round half up: add the highest bit that is dropped; if the shift is wider than the operand, it is the sign bit
        value = (x >> shift) + x.shift_right(shift - 1)[:1] if rounds(self.trace, index) else x << -shift
        product = follows_product(self.trace, index)
        if product or rounds(self.trace, index):
            held = self._named(index, shape, "_product" if product else "_rounded")
            self._load(held, value, self.plan.start[index], once=product)
            return held, shape
        return value, shape

    def _lookup(self, op: ops.Lookup, index: int):
        args = self.trace.nodes[index].args
        if (op.table, args) not in self.memories:
            self.memories[op.table, args] = self._memory(op.table, index)
        columns = op.table.columns
        offset = sum(c.q.width for c in columns[: op.column])
        word = self.memories[op.table, args][offset : offset + columns[op.column].q.width].as_signed()
        return self._wired(index, word)

    def _memory(self, table: ops.Table, index: int):
        """A memory with a table, and the entry (all columns) that a lookup reads from it."""
        rows = [
            reduce(lambda row, c: (row << c[0].width) | (c[1] & ((1 << c[0].width) - 1)), reversed(entry), 0)
            for entry in zip(*[[(c.q, word) for word in c.words] for c in table.columns], strict=True)
        ]
        # without this attribute, synthesis would build a small table from hundreds of logic cells
        memory = Memory(shape=unsigned(table.width), depth=table.entries, init=rows, attrs={"ram_style": "block"})
        self.m.submodules[f"table_{table.name}_{index}"] = memory
        port = memory.read_port()
        lo, hi = entries_asked(self.trace, index)
        z = self._named(index, shape_of((lo, hi)), "_index")
        last = table.entries - 1
        clamped = Mux(z < 0, 0, z) if lo < 0 else z
        clamped = Mux(z > last, last, clamped) if hi > last else clamped
        (x,), (source,) = self._args(index), self.trace.formats(index)
        self.m.d.comb += [z.eq(x >> source.f_bits), port.addr.eq(clamped)]
        self._read(port, self.plan.start[index])
        found: Any = port.data
        for k in range(1, self.plan.timing.read):
            found = self._loaded(index, found, f"_read_{k}", self.plan.start[index] + k)
        return found

    def _read(self, port: Any, clock: int) -> None:
        """Let a port read its memory at the end of a clock of the schedule; here it may read in all of them."""

    def _shift(self, op: ops.Shift, index: int):
        x, _ = self._args(index)
        for k in range(distance_bits(self.trace, index)):
            clock = self.plan.start[index] + k
            distance = Signal(distance_bits(self.trace, index), name=f"distance_{index}_{k}")
            self.m.d.comb += distance.eq(self._at(self.trace.nodes[index].args[1], clock) - op.least)
            widest = shape_of(self.trace.intervals[index])
            grown = Shape(min(widest.width, len(x) + (1 << k)), widest.signed)
            stage = self._named(index, grown, f"_{k}")
            self._load(stage, Mux(distance[k], x << (1 << k), x), clock)
            x = stage
        return x


RULES: dict[type[ops.Operation], Callable[..., Any]] = {
    ops.Input: Logic._input,
    ops.Const: Logic._const,
    ops.Add: Logic._add,
    ops.Sub: Logic._sub,
    ops.Mul: Logic._mul,
    ops.Point: Logic._point,
    ops.Floor: Logic._floor,
    ops.Frac: Logic._frac,
    ops.Resize: Logic._resize,
    ops.Wrap: Logic._wrap,
    ops.Ge: Logic._ge,
    ops.Gt: Logic._gt,
    ops.Select: Logic._select,
    ops.Lookup: Logic._lookup,
    ops.Shift: Logic._shift,
}
