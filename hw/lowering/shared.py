"""The smallest hardware of a trace: one datapath, shared multipliers, a few clocks a step.

Every operation but the products has logic and a register of its own. Operands stand still from the clock in which
they are ready until the step ends, so those registers need no enable; only what reads a shared product is timed by
the step counter. Tables are block RAMs.

With L the length of `schedule.schedule`, a step takes L + 2 clocks: one to take the input, L to compute, one to
write states and outputs. The clock that delivers a result also takes the next input: latency = interval = L + 2.
"""

from functools import reduce
from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, signed, unsigned
from amaranth.lib.memory import Memory

from spikefab.hw.interval import unsaturated
from spikefab.hw.trace import Trace

from .schedule import Schedule, distance_bits, rounds, saturates, schedule

if TYPE_CHECKING:
    from spikefab.hw.neuron import Neuron

OVERHEAD = 2  # clocks a step besides the schedule's length


def shape_of(interval: tuple[int, int]) -> Shape:
    """The narrowest shape that holds an interval."""
    lo, hi = interval
    return unsigned(max(1, hi.bit_length())) if lo >= 0 else signed(max((~lo).bit_length(), hi.bit_length()) + 1)


def lower(neuron: "Neuron", multipliers: int = 1) -> Module:
    """The module behind a neuron's ports."""
    dp = neuron.datapath
    plan = schedule(dp.trace, multipliers)
    m = Module()

    registers = {("current", "i"): Signal(signed(dp.current.width), name="current_i")}
    for kind, formats, codes in (
        ("coefficient", dp.coefficients, neuron.codes),
        ("state", dp.states, neuron.initial),
    ):
        for name, q in formats.items():
            registers[kind, name] = Signal(signed(q.width), init=codes[name], name=f"{kind}_{name}")

    clock = Signal(range(plan.length + 1))
    running = Signal()
    outputs = _Operations(m, dp.trace, plan, registers, clock).outputs

    m.d.comb += neuron.i_ready.eq(~running & (~neuron.o_valid | neuron.o_ready))
    m.d.comb += neuron.cfg_ready.eq(neuron.i_ready)
    with m.If(neuron.o_ready):
        m.d.sync += neuron.o_valid.eq(0)
    with m.If(neuron.cfg_valid & neuron.cfg_ready), m.Switch(neuron.cfg_addr):
        for address, (_, register) in enumerate((k, r) for k, r in registers.items() if k[0] != "current"):
            with m.Case(address):
                m.d.sync += register.eq(neuron.cfg_data)
    with m.If(neuron.i_valid & neuron.i_ready):
        m.d.sync += [registers["current", "i"].eq(neuron.i), running.eq(1), clock.eq(0)]
    with m.If(running):
        m.d.sync += clock.eq(clock + 1)
        with m.If(clock == plan.length):
            m.d.sync += [running.eq(0), neuron.o_valid.eq(1)]
            m.d.sync += [neuron.o_v.eq(outputs[".v"]), neuron.o_spike.eq(outputs[".spike"])]
            m.d.sync += [registers["state", name].eq(outputs[name]) for name in dp.states]
    m.d.comb += [getattr(neuron, f"state_{name}").eq(registers["state", name]) for name in dp.states]
    return m


class _Operations:
    """The logic of every live operation; `outputs` are the signals of the trace's outputs by name."""

    def __init__(self, m: Module, trace: Trace, plan: Schedule, registers: dict, clock: Signal):
        self.m, self.trace, self.plan, self.registers, self.clock = m, trace, plan, registers, clock
        self.memories: dict[tuple, Any] = {}
        products = {u: Signal(signed(2 * trace.word), name=f"product_{u}") for u in set(plan.unit.values())}
        self.values = {i: products[u] for i, u in plan.unit.items()}
        for i in trace.live():
            if i not in self.values:
                self.values[i] = getattr(self, "_" + trace.nodes[i].op)(i)
        for u, product in products.items():
            self._multiplier(u, product)
        self.outputs = {name: self.values[i] for name, i in trace.outputs.items()}

    def _multiplier(self, unit: int, product: Signal) -> None:
        a, b = (Signal(signed(self.trace.word), name=f"factor_{unit}_{side}") for side in "ab")
        with self.m.Switch(self.clock):
            for i in sorted(i for i, u in self.plan.unit.items() if u == unit):
                with self.m.Case(self.plan.start[i]):
                    x, y = self._args(i)
                    self.m.d.sync += [a.eq(x), b.eq(y)]
        self.m.d.sync += product.eq(a * b)

    def _args(self, index: int) -> list:
        return [self.values[a] for a in self.trace.nodes[index].args]

    def _aligned(self, index: int) -> list:
        """The last two operands with their points at the finest fraction among them."""
        bits = [self.trace.nodes[a].q.f_bits for a in self.trace.nodes[index].args[-2:]]
        return [v << (max(bits) - f) for v, f in zip(self._args(index)[-2:], bits, strict=True)]

    def _named(self, index: int, shape: Shape, suffix: str = "") -> Signal:
        return Signal(shape, name=f"{self.trace.nodes[index].op}_{index}{suffix}")

    def _clocked(self, index: int, expression, shape: Shape | None = None) -> Signal:
        held = self._named(index, shape or shape_of(self.trace.intervals[index]))
        self.m.d.sync += held.eq(expression)
        return held

    def _wired(self, index: int, expression) -> Signal:
        wire = self._named(index, shape_of(self.trace.intervals[index]))
        self.m.d.comb += wire.eq(expression)
        return wire

    def _input(self, index: int):
        return self.registers[self.trace.nodes[index].attr]

    def _const(self, index: int):
        return Const(self.trace.nodes[index].attr, shape_of(self.trace.intervals[index]))

    def _point(self, index: int):
        return self._args(index)[0]

    def _floor(self, index: int):
        (a,) = self.trace.nodes[index].args
        return self._wired(index, self.values[a] >> self.trace.nodes[a].q.f_bits)

    def _frac(self, index: int):
        (a,) = self.trace.nodes[index].args
        bits = self.trace.nodes[a].q.f_bits
        return self._wired(index, self.values[a] & ((1 << bits) - 1))

    def _add(self, index: int):
        a, b = self._aligned(index)
        return self._clocked(index, a + b)

    def _sub(self, index: int):
        a, b = self._aligned(index)
        return self._clocked(index, a - b)

    def _ge(self, index: int):
        a, b = self._aligned(index)
        return self._clocked(index, a >= b)

    def _gt(self, index: int):
        a, b = self._aligned(index)
        return self._clocked(index, a > b)

    def _select(self, index: int):
        a, b = self._aligned(index)
        return self._clocked(index, Mux(self._args(index)[0], a, b))

    def _resize(self, index: int):
        node = self.trace.nodes[index]
        (arg,) = node.args
        source, x = self.trace.nodes[arg].q, self.values[arg]
        shift = source.f_bits - node.q.f_bits
        unclamped = shape_of(unsaturated(node.q, self.trace.intervals[arg], source))
        # half up: the first bit that falls away is the carry (beyond the operand, its sign)
        value = (x >> shift) + x.shift_right(shift - 1)[:1] if rounds(self.trace, index) else x << -shift
        if self.trace.nodes[arg].op == "mul":
            held = self._named(index, unclamped, "_product")
            with self.m.If(self.clock == self.plan.start[index]):
                self.m.d.sync += held.eq(value)
            value = held
        elif rounds(self.trace, index):
            held = self._named(index, unclamped, "_rounded")
            self.m.d.sync += held.eq(value)
            value = held
        if not saturates(self.trace, index):
            return self._wired(index, value)
        low = node.q.width - 1
        if node.attr == "wrap":
            return self._wired(index, value[: low + 1].as_signed())
        wide = self._named(index, signed(max(unclamped.width + (not unclamped.signed), low + 2)), "_wide")
        self.m.d.comb += wide.eq(value)
        top = wide[low:]
        inside = ~top.any() | top.all()
        ends = Cat(~wide[-1].replicate(low), wide[-1]).as_signed()
        return self._clocked(index, Mux(inside, wide[: low + 1].as_signed(), ends))

    def _table(self, index: int):
        node = self.trace.nodes[index]
        table, column = node.attr
        if (table, node.args) not in self.memories:
            rows = [
                reduce(lambda row, c: (row << c[0].width) | (c[1] & ((1 << c[0].width) - 1)), reversed(entry), 0)
                for entry in zip(*[[(c.q, word) for word in c.words] for c in table.columns], strict=True)
            ]
            # synthesis would spend hundreds of cells on a small table
            memory = Memory(shape=unsigned(table.width), depth=table.entries, init=rows, attrs={"ram_style": "block"})
            self.m.submodules[f"table_{table.name}_{index}"] = memory
            port = memory.read_port()
            (arg,) = node.args
            lo, hi = (end >> self.trace.nodes[arg].q.f_bits for end in self.trace.intervals[arg])
            z = self._named(index, shape_of((lo, hi)), "_index")
            last = table.entries - 1
            clamped = Mux(z < 0, 0, z) if lo < 0 else z
            clamped = Mux(z > last, last, clamped) if hi > last else clamped
            self.m.d.comb += [z.eq(self.values[arg] >> self.trace.nodes[arg].q.f_bits), port.addr.eq(clamped)]
            self.memories[table, node.args] = port.data
        offset = sum(c.q.width for c in table.columns[:column])
        word = self.memories[table, node.args][offset : offset + node.q.width].as_signed()
        return self._wired(index, word)

    def _shift(self, index: int):
        x, n = self._args(index)
        lo, _ = self.trace.intervals[self.trace.nodes[index].args[1]]
        distance = Signal(distance_bits(self.trace, index), name=f"distance_{index}")
        self.m.d.comb += distance.eq(n - lo)
        for k in range(len(distance)):
            widest = shape_of(self.trace.intervals[index])
            grown = Shape(min(widest.width, len(x) + (1 << k)), widest.signed)
            stage = self._named(index, grown, f"_{k}")
            self.m.d.sync += stage.eq(Mux(distance[k], x << (1 << k), x))
            x = stage
        return x
