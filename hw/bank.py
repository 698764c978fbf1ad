"""A bank: many neurons of one model in one pipeline, with their states in block RAM."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Elaboratable, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from numpy.typing import ArrayLike

from spikefab.errors import UsageError

from . import ops
from .fixed import Q
from .lowering.pipelined import Pipeline, interval_for
from .lowering.schedule import schedule
from .neuron import Neuron


class Bank(wiring.Component):
    """`count` neurons of the same model, which take turns in one pipeline: neuron 0 to count - 1, then 0 again.

    | port | dir | shape | meaning |
    |---|---|---|---|
    | `i_valid` `i_ready` | in, out | 1 | a current is taken when both are high |
    | `i` | in | signed | input current, a code of the format `datapath.current`: of the next neuron, or of all of them |
    | `o_valid` | out | 1 | the next neuron has computed a step; its results are shown for one clock |
    | `o_neuron` | out | unsigned | which neuron it is |
    | `o_v` `o_spike` `state_NAME` | out | | read-out, spike and states after the step, as those of a neuron |
    | `cfg_valid` `cfg_ready` | in, out | 1 | a register is written when both are high, which is only between sweeps |
    | `cfg_neuron` | in | unsigned | of which neuron, if it is a state or a coefficient in `own` |
    | `cfg_addr` `cfg_data` | in | | address and code, see `datapath.registers` |
    | `kept_NAME` | out | signed | state of `cfg_neuron` between sweeps, two clocks after it was given |

    A sweep computes one step of every neuron. With `broadcast`, one current is taken at the beginning of a sweep, for all; without
    it, one for each neuron. A step can begin every `interval` clocks, and its result comes `latency` clocks after its current.
    A neuron whose last step is not finished waits: that happens only in banks of fewer neurons than the pipeline has room for.
    """

    _MustUse__silence = True  # no warning of one that is made and not used, as for a neuron

    def __init__(
        self,
        neuron: Neuron,
        count: int,
        *,
        multipliers: int = 1,
        interval: int | None = None,
        broadcast: bool = True,
        own: Mapping[str, ArrayLike] | None = None,
        initial: ArrayLike | None = None,
    ):
        """
        neuron       gives the model, the formats, and the codes of all neurons
        count        number of neurons, 2 or more
        multipliers  how many multipliers the pipeline has
        interval     clocks from one step to the next; None: the fewest
        broadcast    whether a current is for all neurons
        own          coefficient -> codes (count,), of coefficients that each neuron has for itself
        initial      (count, states) codes at the start; None: those of the neuron

        Raises UsageError for values that cannot be.
        """
        dp = neuron.datapath
        self.datapath, self.count, self.broadcast = dp, count, broadcast
        if isinstance(count, bool) or not isinstance(count, int) or count < 2:
            raise UsageError(f"a bank has 2 neurons or more, not {count}.")
        least = interval_for(dp.trace, multipliers)
        if interval is not None and interval < least:
            raise UsageError(
                f"with {multipliers} multipliers a step can begin every {least} clocks, not every {interval}."
            )
        self.plan = schedule(dp.trace, multipliers, interval or least)
        self.reset_codes = neuron.reset_codes
        self.own = {name: self._codes(name, dp.coefficients.get(name), codes) for name, codes in (own or {}).items()}
        states = np.tile([*neuron.initial.values()], (count, 1)) if initial is None else np.asarray(initial)
        if states.shape != (count, len(dp.states)):
            raise UsageError(f"initial states are of shape {(count, len(dp.states))}, not {states.shape}.")
        self.initial = {n: self._codes(n, q, states[:, k]) for k, (n, q) in enumerate(dp.states.items())}
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i": In(signed(dp.current.width)),
                "o_valid": Out(1),
                "o_neuron": Out(range(count)),
                "o_v": Out(signed(dp.readout.width)),
                "o_spike": Out(1),
                **{f"state_{name}": Out(signed(q.width)) for name, q in dp.states.items()},
                "cfg_valid": In(1),
                "cfg_ready": Out(1),
                "cfg_neuron": In(range(count)),
                "cfg_addr": In(dp.address_bits),
                "cfg_data": In(signed(dp.code_bits)),
                **{f"kept_{name}": Out(signed(q.width)) for name, q in dp.states.items()},
            }
        )

    def _codes(self, name: str, q: Q | None, codes: ArrayLike) -> np.ndarray:
        """The codes (count,) of a register of each neuron. Raises UsageError if there is none such, or they do not fit it."""
        if q is None:
            raise UsageError(
                f"{self.datapath.model.__name__} has no coefficient {name}: {', '.join(self.datapath.coefficients)}."
            )
        found = np.asarray(codes)
        if (
            found.shape != (self.count,)
            or found.dtype.kind not in "iu"
            or not ((q.lo <= found) & (found <= q.hi)).all()
        ):
            raise UsageError(f"{name} takes {self.count} whole numbers from {q.lo} to {q.hi}, one for each neuron.")
        return found

    @property
    def interval(self) -> int:
        """Clocks from one step to the next."""
        assert self.plan.interval is not None
        return self.plan.interval

    @property
    def latency(self) -> int:
        """Clocks from a current to the result of its step."""
        return self.plan.length + 2

    @property
    def in_flight(self) -> int:
        """The number of steps that are in the pipeline when it is full: with fewer neurons, it is not."""
        return (self.plan.length + 1) // self.interval + 1

    def elaborate(self, platform: Any) -> Elaboratable:
        return _Elaborated(self).m


class _Words:
    """A memory with a word for each neuron: fields, one after the other, and its two ports."""

    def __init__(self, m: Module, name: str, formats: Mapping[str, Q], codes: Mapping[str, np.ndarray]):
        rows, at = np.zeros(len(next(iter(codes.values()))), dtype=object), 0
        for field, q in formats.items():
            rows += np.array([(int(code) & ((1 << q.width) - 1)) << at for code in codes[field]], dtype=object)
            at += q.width
        memory = Memory(shape=unsigned(at), depth=len(rows), init=[*rows], attrs={"ram_style": "block"})
        m.submodules[name] = memory
        self.reads, self.writes = memory.read_port(), memory.write_port()
        self.fields, at = {}, 0
        for field, q in formats.items():
            self.fields[field] = Signal(signed(q.width), name=f"{name}_{field}")
            m.d.comb += self.fields[field].eq(self.reads.data[at : at + q.width])
            at += q.width


class _Elaborated:
    """The module of a bank.

    Clock 0 of a step is the one after its current was taken. In the clock before it, the state is read; the result is written in
    the clock `plan.length`. A counter shows the clock modulo the interval. For each interval that a step is in the pipeline there
    is a register that tells whether there is one.
    """

    def __init__(self, bank: Bank):
        self.bank, self.dp, self.m = bank, bank.datapath, Module()
        m, dp, plan, interval = self.m, self.dp, bank.plan, bank.interval
        self.phase = Signal(range(interval))
        if interval > 1:
            m.d.sync += self.phase.eq(self.phase + 1)
            with m.If(self.phase == interval - 1):
                m.d.sync += self.phase.eq(0)
        self.begins = Signal()  # a step begins in the next clock
        self.reading, self.writing = Signal(range(bank.count)), Signal(range(bank.count))  # neurons
        self.states = _Words(m, "states", dp.states, bank.initial)
        owned = {name: dp.coefficients[name] for name in bank.own}
        self.own = _Words(m, "own", owned, bank.own) if owned else None
        self.coefficients = [
            (r, Signal(signed(r.format.width), init=code, name=f"coefficient_{r.name}"))
            for r, code in zip(dp.registers, bank.reset_codes, strict=True)
            if r.kind == "coefficient" and r.name not in bank.own
        ]
        outputs = self._pipeline()
        done = Signal()
        # in each interval of the pipeline: whether there is a step
        steps = Signal(plan.length // interval + 1)
        m.d.comb += done.eq(self._in(plan.length) & steps[-1])
        with m.If(self._in(-1)):
            m.d.sync += steps.eq(Cat(self.begins, steps))
        self._memory(outputs, done, self._sequence(done))
        m.d.sync += [bank.o_valid.eq(done), bank.o_neuron.eq(self.writing)]
        m.d.sync += [bank.o_v.eq(outputs[".v"]), bank.o_spike.eq(outputs[".spike"])]
        m.d.sync += [getattr(bank, f"state_{name}").eq(outputs[name]) for name in dp.states]

    def _in(self, clock: int) -> Any:
        """Whether the phase is that of a clock of the schedule."""
        interval = self.bank.interval
        return Const(1) if interval == 1 else self.phase == clock % interval

    def _pipeline(self) -> dict[str, Any]:
        bank, m, dp = self.bank, self.m, self.dp
        current = Signal(signed(dp.current.width))
        with m.If(bank.i_valid & bank.i_ready):
            m.d.sync += current.eq(bank.i)
        registers: dict[ops.Input, Any] = {ops.Input("current", "i"): current}
        registers |= {ops.Input("coefficient", r.name): held for r, held in self.coefficients}
        registers |= {ops.Input("state", name): self.states.fields[name] for name in dp.states}
        if self.own is not None:
            registers |= {ops.Input("coefficient", name): field for name, field in self.own.fields.items()}
        return Pipeline(m, dp.trace, bank.plan, registers, self.phase, frozenset(bank.own)).outputs

    def _sequence(self, done: Signal) -> Signal:
        """Which neuron comes next, and when. Returns whether a sweep is not finished."""
        bank, m = self.bank, self.m
        sweeping = Signal()  # a current for all neurons was taken, and not all have begun
        flying = Signal(range(bank.in_flight + 1))
        m.d.sync += flying.eq(flying + self.begins - done)
        free = self._in(-1)
        if bank.count < bank.in_flight:  # the last step of the neuron that comes next may still be in the pipeline
            free = free & (flying != bank.count)
        busy = Signal()
        m.d.comb += busy.eq((flying != 0) | (self.reading != 0))
        m.d.comb += bank.i_ready.eq(free & ~sweeping & (busy | ~bank.cfg_valid))
        m.d.comb += self.begins.eq((bank.i_valid & bank.i_ready) | (free & sweeping))
        with m.If(self.begins):
            m.d.sync += [self.reading.eq(self.reading + 1), sweeping.eq(bank.broadcast)]
            with m.If(self.reading == bank.count - 1):
                m.d.sync += [self.reading.eq(0), sweeping.eq(0)]
        with m.If(done):
            m.d.sync += self.writing.eq(self.writing + 1)
            with m.If(self.writing == bank.count - 1):
                m.d.sync += self.writing.eq(0)
        return busy

    def _memory(self, outputs: Mapping[str, Any], done: Any, busy: Any) -> None:
        """Write states after each step; between sweeps, write a register and show the states of a neuron."""
        bank, m, dp = self.bank, self.m, self.dp
        # the states of a neuron are shown one clock after it was given: only then is one of them replaced
        shown = Signal()
        idle = ~busy & ~self.begins
        m.d.sync += shown.eq(bank.cfg_valid & idle & ~shown)
        m.d.comb += bank.cfg_ready.eq(shown & idle)
        ready = bank.cfg_valid & bank.cfg_ready
        for words, names, results in ((self.states, [*dp.states], outputs), (self.own, [*bank.own], None)):
            if words is None:
                continue
            reads, writes = words.reads, words.writes
            m.d.comb += reads.addr.eq(Mux(idle, bank.cfg_neuron, self.reading))
            m.d.comb += reads.en.eq(idle | self.begins)
            changed = {name: Signal(words.fields[name].shape(), name=f"changed_{name}") for name in names}
            for name, field in changed.items():
                (address,) = (
                    r.address for r in dp.registers if r.name == name and (r.kind == "state") == bool(results)
                )
                chosen = bank.cfg_addr == address
                m.d.comb += field.eq(Mux(chosen, bank.cfg_data, words.fields[name]))
            m.d.comb += [writes.addr.eq(bank.cfg_neuron), writes.data.eq(Cat(changed.values())), writes.en.eq(ready)]
            if results is not None:
                # the interval of a result may need fewer bits than its format
                after = {name: Signal(signed(q.width), name=f"next_{name}") for name, q in dp.states.items()}
                m.d.comb += [after[name].eq(results[name]) for name in after]
                with m.If(busy):
                    m.d.comb += [writes.addr.eq(self.writing), writes.en.eq(done)]
                    m.d.comb += writes.data.eq(Cat(after.values()))
        m.d.comb += [getattr(bank, f"kept_{name}").eq(self.states.fields[name]) for name in dp.states]
        with m.If(ready), m.Switch(bank.cfg_addr):
            for register, held in self.coefficients:
                with m.Case(register.address):
                    m.d.sync += held.eq(bank.cfg_data)
