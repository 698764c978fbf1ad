"""Translates a trace to a pipeline, in which a step of another neuron begins every few clocks.

Every operation has its own logic and register, as in `shared`, and the schedule says in which clock. With an interval of 1, the
registers take a new value in each clock. With a longer one they take it in one clock of each interval, and hold it for an interval:
operations that read a value within that time need no register more. Only for those that read it later is it handed on, from
register to register, one for each interval. What depends on the coefficients alone is the same for all steps and never handed on.

Multipliers are shared by the products of a step, as many as fit the interval.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal

from spikefab.hw import ops
from spikefab.hw.trace import Trace

from .lifetimes import fixed
from .schedule import Schedule, wired
from .shared import RULES, Logic


def products(trace: Trace) -> int:
    """The number of products in a step."""
    return sum(isinstance(trace.nodes[i].op, ops.Mul) for i in trace.live())


def tables_read(trace: Trace) -> list[ops.Table]:
    """The tables of a step, each as often as a memory is made of it: once for each place from which it is read."""
    reads = {
        (node.op.table, node.args): node.op.table
        for i in trace.live()
        if isinstance((node := trace.nodes[i]).op, ops.Lookup)
    }
    return list(reads.values())


def interval_for(trace: Trace, multipliers: int) -> int:
    """The shortest interval, in clocks, with so many multipliers."""
    return max(1, -(-products(trace) // multipliers))


class Pipeline(Logic):
    """The logic of a pipeline. `outputs` are the signals of the outputs, by name, in the clock `plan.length` of their step.

    m          module to which the logic is added
    plan       schedule with an interval
    registers  input operation -> signal: coefficients that do not change while steps are computed; and of the states, the
               current and the coefficients in `own`, what they are in clock 0 of a step and until the next one begins
    phase      clock of the schedule modulo the interval; not read if that is 1
    own        names of the coefficients that each step has for itself
    """

    def __init__(
        self,
        m: Module,
        trace: Trace,
        plan: Schedule,
        registers: Mapping[ops.Input, Any],
        phase: Any,
        own: frozenset[str] = frozenset(),
    ):
        assert plan.interval is not None
        self.interval = plan.interval
        self.fixed = fixed(trace, own)
        self.handed: dict[int, list[Signal]] = {}  # a value and its copies, one interval later each
        self.later: dict[tuple[int, int], Any] = {}  # of wires: by their index and that of the interval
        self.inverses: dict[
            tuple[int, int], Signal
        ] = {}  # of values that are subtracted: by their index and that of the interval
        self.moved: dict[int, int] = {}  # wires that are read later, and when
        super().__init__(m, trace, plan, dict(registers), phase)
        self.outputs = {name: self._at(i, plan.length) for name, i in trace.outputs.items()}

    def _at(self, index: int, clock: int) -> Any:
        if index in self.fixed:
            return self.values[index]
        op = self.trace.nodes[index].op
        late = (clock - self.plan.ready[index]) // self.interval
        if isinstance(op, ops.Mul):
            assert clock == self.plan.ready[index], "a product is read at once"
        if late == 0:
            return self.values[index]
        # a wire is drawn again from what its operand is then
        if wired(self.trace, index, self.plan.timing):
            if (index, late) not in self.later:
                self.moved[index] = clock
                self.later[index, late] = RULES[type(op)](self, op, index)
                del self.moved[index]
            return self.later[index, late]
        chain = self.handed.setdefault(index, [self.values[index]])
        while len(chain) <= late:
            copy = self._named(index, chain[0].shape(), f"_later_{len(chain)}")
            self._load(copy, chain[-1], self.plan.ready[index] - 1)
            chain.append(copy)
        return chain[late]

    def _chosen(self, index: int, expression: Any) -> Signal:
        return self._clocked(index, expression)  # its operands do not wait for the end of the step

    def _args(self, index: int) -> list:
        clock = self.moved.get(index, self.plan.start[index])
        args = self.trace.nodes[index].args
        found = [self._at(a, clock) for a in args]
        if self.plan.timing.inverts and isinstance(self.trace.nodes[index].op, ops.Sub):
            found[1] = self._inverted_twice(args[1], clock, found[1])
        return found

    def _inverted_twice(self, index: int, clock: int, value: Any) -> Any:
        """A value to subtract, as the inverse of a register that holds its inverse, if it was there a clock earlier."""
        late = (clock - self.plan.ready[index]) // self.interval
        still = index in self.fixed and not isinstance(self.trace.nodes[index].op, ops.Const)
        if not still and (index in self.fixed or late == 0 or wired(self.trace, index, self.plan.timing)):
            return value
        key = (index, 0 if still else late)
        if key not in self.inverses:
            inverse = self._named(index, value.shape(), f"_inverse_{key[1]}")
            if still:
                self.m.d.sync += inverse.eq(~value)
            else:
                self._load(inverse, ~self.handed[index][late - 1], self.plan.ready[index] - 1)
            self.inverses[key] = inverse
        return ~self.inverses[key]

    def _last_factors(self, clock: int) -> Any:
        """In all other clocks: registers inside multipliers hold nothing."""
        return self.m.Default()

    # A comparison is the sign of a sum, the last in its chain of carries, where `a >= b` would have gates behind it.
    def _at_least(self, a: Any, b: Any) -> Any:
        wide = a if a.shape().signed else Cat(a, Const(0, 1)).as_signed()
        return (b + ~wide)[-1]  # b - a - 1 < 0

    def _above(self, a: Any, b: Any) -> Any:
        return (b - a)[-1]

    def _counted(self, clock: int) -> int:
        return clock % self.interval

    def _now(self, clock: int) -> AbstractContextManager[None]:
        """The clocks in which the phase is that of a clock of the schedule."""
        return nullcontext() if self.interval == 1 else self.m.If(self.clock == self._counted(clock))

    def _load(self, held: Signal, expression: Any, clock: int, once: bool = False) -> None:
        with self._now(clock):
            self.m.d.sync += held.eq(expression)

    def _read(self, port: Any, clock: int) -> None:
        if self.interval > 1:
            self.m.d.comb += port.en.eq(self.clock == self._counted(clock))
