"""A bank: many neurons of one model in one pipeline, with their states in block RAM."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Elaboratable, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import ArrayLike

from spikefab.calls import whole
from spikefab.errors import UsageError

from . import ops
from .fixed import Q
from .lowering.lifetimes import shortened
from .lowering.pipelined import Pipeline, interval_for
from .lowering.schedule import SHORT, Timing, schedule
from .neuron import Neuron, require_neuron
from .spram import Spram, SpramWords
from .words import Block, Words, levels


class Bank(wiring.Component):
    """`count` neurons of the same model, which take turns in one pipeline: neuron 0 to count - 1, then 0 again.

    | port | dir | shape | meaning |
    |---|---|---|---|
    | `i_valid` `i_ready` | in, out | 1 | a current is taken when both are high |
    | `i` | in | signed | input current, a code of the format `datapath.current`: of the next neuron, or of all of them |
    | `hold` | in | 1 | no further step begins |
    | `o_valid` | out | 1 | the next neuron has computed a step; its results are shown for one clock |
    | `o_neuron` | out | unsigned | which neuron it is |
    | `o_v` `o_spike` `state_NAME` | out | | read-out, spike and states after the step, as those of a neuron |
    | `cfg_valid` `cfg_ready` | in, out | 1 | a register is written when both are high, which is only between sweeps |
    | `cfg_neuron` | in | unsigned | of which neuron, if it is a state or a coefficient in `own` |
    | `cfg_addr` `cfg_data` | in | | address and code, see `datapath.registers` |
    | `kept_NAME` | out | signed | state of `cfg_neuron` between sweeps, `timing.read` + 1 clocks after it was given |

    A sweep computes one step of every neuron. With `broadcast`, one current is taken at the beginning of a sweep, for all; without
    it, one for each neuron. A step can begin every `interval` clocks, and its result comes `latency` clocks after its current.
    A neuron whose last step is not finished waits: that happens only in banks of fewer neurons than the pipeline has room for.
    With memories of one port (`Spram`), the states are written after a reset, in `count` clocks, before the first sweep. If then a
    step begins in each clock and the number of neurons is odd, a sweep takes one clock more.
    """

    _MustUse__silence = True  # no warning of one that is made and not used, as for a neuron

    def __init__(
        self,
        neuron: Neuron,
        count: int,
        *,
        multipliers: int = 1,
        interval: int | None = None,
        timing: Timing = SHORT,
        block: Block | Spram | None = None,
        broadcast: bool = True,
        own: Mapping[str, ArrayLike] | None = None,
        initial: ArrayLike | None = None,
    ):
        """
        neuron       gives the model, the formats, and the codes of all neurons
        count        number of neurons, 2 or more
        multipliers  how many multipliers the pipeline has
        interval     clocks from one step to the next; None: the fewest
        timing       registers inside multipliers, memories and saturations, of which some devices have more
        block        the shape of the block RAMs in which the states are; None: synthesis cuts them; or memories with one port
        broadcast    whether a current is for all neurons
        own          coefficient -> codes (count,), of coefficients that each neuron has for itself
        initial      (count, states) codes at the start; None: those of the neuron. Memories with one port take no others

        Raises UsageError for values that cannot be.
        """
        dp = require_neuron(neuron).datapath
        count, multipliers = whole(count, "count", 2), whole(multipliers, "multipliers", 1)
        self.datapath, self.count, self.broadcast, self.block = dp, count, broadcast, block
        least = interval_for(dp.trace, multipliers)
        interval = least if interval is None else whole(interval, "interval", 1)
        if interval < least:
            raise UsageError(
                f"with {multipliers} multipliers a step can begin every {least} clocks, not every {interval}."
            )
        self.plan = shortened(dp.trace, schedule(dp.trace, multipliers, interval, timing), own or ())
        self.reset_codes = neuron.reset_codes
        self.own = {name: self._codes(name, dp.coefficients.get(name), codes) for name, codes in (own or {}).items()}
        states = np.tile([*neuron.initial.values()], (count, 1)) if initial is None else np.asarray(initial)
        if states.shape != (count, len(dp.states)):
            raise UsageError(f"initial states are of shape {(count, len(dp.states))}, not {states.shape}.")
        self.initial = {n: self._codes(n, q, states[:, k]) for k, (n, q) in enumerate(dp.states.items())}
        if isinstance(block, Spram):
            if initial is not None:
                raise UsageError(
                    "in memories with one port, all neurons begin with the states of the neuron: write others to cfg_data."
                )
            if count > block.most(interval):
                raise UsageError(
                    f"memories with one port hold at most {block.most(interval):,} neurons of a lane, not {count:,}."
                )
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i": In(signed(dp.current.width)),
                "hold": In(1),
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
        return self.lead + self.plan.length + 1

    @property
    def in_flight(self) -> int:
        """The number of steps that are in the pipeline when it is full: with fewer neurons, it is not."""
        return (self.latency + self.late) // self.interval + 1

    @property
    def lead(self) -> int:
        """Clocks from a current to clock 0 of the schedule, in which the state is there as well."""
        return 1 + self.plan.timing.read + self.levels

    def shape(self, width: int) -> Block | None:
        """The shape of the block RAMs in which words of this width are."""
        return self.block.shape(width, self.count) if isinstance(self.block, Spram) else self.block

    def groups(self, width: int) -> int:
        """How many block RAMs a slice of words of this width takes, one behind the other."""
        shape = self.shape(width)
        return 1 if shape is None or width == 0 else shape.groups(self.count)

    @property
    def _groups(self) -> int:
        """The most block RAMs that a slice of a memory takes."""
        states, own = (sum(q.width for q in formats.values()) for formats in (self.datapath.states, self._owned))
        if isinstance(self.block, Spram):
            states -= self.block.bits(states, self.interval)
        return max(self.groups(states), self.groups(own))

    @property
    def _owned(self) -> dict[str, Q]:
        return {name: self.datapath.coefficients[name] for name in self.own}

    @property
    def levels(self) -> int:
        """Clocks in which a word that was read is chosen among those of several memories, or held."""
        found = levels(self._groups)
        if isinstance(self.block, Spram):
            found = max(1, found)
            found += self.block.meets(2 + self.plan.timing.read + found + self.plan.length, self.interval)
        return found

    @property
    def late(self) -> int:
        """Clocks from the one in which a state is shown to the one in which it is written: see `Words` and `SpramWords`."""
        return int(self.block is not None)

    def elaborate(self, platform: Any) -> Elaboratable:
        return _Elaborated(self).m


class _Elaborated:
    """The module of a bank.

    A step begins when its current is taken, `lead` clocks before clock 0. Then the address of the neuron is in a
    register, then its state is read. In the clock `plan.length` the results are ready, in the next one they are at the ports, and
    are written from there. A counter shows the clock modulo the interval. For each interval that a step is in the pipeline there is
    a register that tells whether there is one.
    """

    def __init__(self, bank: Bank):
        self.bank, self.dp, self.m = bank, bank.datapath, Module()
        m, dp, plan, interval = self.m, self.dp, bank.plan, bank.interval
        self.phase = Signal(range(interval))
        if interval > 1:
            m.d.sync += self.phase.eq(self.phase + 1)
            with m.If(self.phase == interval - 1):
                m.d.sync += self.phase.eq(0)
        self.begins = Signal()
        filled = not isinstance(bank.block, Spram)
        self.filling = Signal(
            init=not filled
        )  # each neuron gets its first state, which some memories do not begin with
        self.quiet = Signal(init=filled)  # no step is going on, since the last clock
        self.writes = Signal()  # a register is written, between sweeps
        self.offered = Signal(init=not filled)  # since the last clock, a register is to be written
        self.neuron = Signal(range(bank.count))  # that begins next
        self.address = Signal(range(bank.count))  # of the memory
        m.d.sync += self.address.eq(Mux(self.begins, self.neuron, bank.cfg_neuron))
        self.states = self._words("states", dp.states, bank.initial)
        self.own = self._words("own", bank._owned, bank.own) if bank.own else None
        self.coefficients = [
            (r, Signal(signed(r.format.width), init=code, name=f"coefficient_{r.name}"))
            for r, code in zip(dp.registers, bank.reset_codes, strict=True)
            if r.kind == "coefficient" and r.name not in bank.own
        ]
        outputs = self._pipeline()
        # the step of this clock, and those behind it in the pipeline
        steps = Signal(plan.length // interval + 1)
        begun = self._later(self.begins, "begun", bank.lead - 1)
        with m.If(self._in(-1)):
            m.d.sync += steps.eq(Cat(begun, steps))
        m.d.sync += bank.o_valid.eq(self._in(plan.length) & steps[-1])
        m.d.sync += [bank.o_v.eq(outputs[".v"]), bank.o_spike.eq(outputs[".spike"])]
        m.d.sync += [getattr(bank, f"state_{name}").eq(outputs[name]) for name in dp.states]
        self._sequence()
        self._registers()

    def _in(self, clock: int) -> Any:
        """Whether the phase is that of a clock of the schedule."""
        interval = self.bank.interval
        return Const(1) if interval == 1 else self.phase == clock % interval

    def _later(self, value: Any, name: str, clocks: int) -> Any:
        """A value some clocks later."""
        for clock in range(clocks):
            held = Signal(value.shape(), name=f"{name}_{clock + 1}", reset_less=name == "current")
            self.m.d.sync += held.eq(value)
            value = held
        return value

    def _words(self, name: str, formats: Mapping[str, Q], codes: Mapping[str, np.ndarray]) -> Words | SpramWords:
        """A memory that is read when a step begins, and in each clock between sweeps. What was read stays for an interval."""
        bank, width = self.bank, sum(q.width for q in formats.values())
        enable, clocks = self.quiet | self._in(1 - bank.lead), bank.plan.timing.read - 1 + bank.levels
        words: Words | SpramWords
        if isinstance(bank.block, Spram) and name == "states":
            words = SpramWords(self.m, name, formats, bank.block, bank.count, bank.interval)
            words.reads(self.address, enable, clocks)
        else:
            words = Words(self.m, name, formats, codes, bank.shape(width))
            words.reads(self.address, enable, clocks - levels(len(words.groups)))
        return words

    def _pipeline(self) -> dict[str, Any]:
        bank, m, dp = self.bank, self.m, self.dp
        current = Signal(signed(dp.current.width))
        # one that is not valid is taken too: it is not used, and the register waits for a gate less
        with m.If(bank.i_ready):
            m.d.sync += current.eq(bank.i)
        later = self._later(current, "current", bank.lead - 1)
        registers: dict[ops.Input, Any] = {ops.Input("current", "i"): later}
        registers |= {ops.Input("coefficient", r.name): held for r, held in self.coefficients}
        registers |= {ops.Input("state", name): self.states.fields[name] for name in dp.states}
        if self.own is not None:
            registers |= {ops.Input("coefficient", name): field for name, field in self.own.fields.items()}
        return Pipeline(m, dp.trace, bank.plan, registers, self.phase, frozenset(bank.own)).outputs

    def _sequence(self) -> None:
        """Which neuron comes next, and when."""
        bank, m = self.bank, self.m
        sweeping = Signal()  # a current for all neurons was taken, and not all have begun
        free: Any = self._in(-bank.lead)
        turn = Signal(init=1)  # the clock is even or odd as the neuron is: see `SpramWords`
        alternate = isinstance(bank.block, Spram) and bank.interval == 1
        if alternate:
            m.d.sync += turn.eq(~turn | self.begins)
            free = turn
        free = free & ~bank.hold
        if bank.count < bank.in_flight:  # the last step of the neuron that comes next may still be in the pipeline
            flying = Signal(range(bank.in_flight + 1))
            m.d.sync += flying.eq(flying + self.begins - self._later(bank.o_valid, "written", bank.late))
            free = free & (flying != bank.count)
        # while a write is offered, no sweep begins
        first = Signal(init=1)
        m.d.sync += self.offered.eq(bank.cfg_valid | self.filling)
        held = (
            self.offered if bank.broadcast else first & self.offered
        )  # with one for all, it is the first if not sweeping
        m.d.comb += bank.i_ready.eq(free & ~sweeping & ~held)
        m.d.comb += self.begins.eq((bank.i_valid & bank.i_ready) | (free & sweeping))
        idle = Signal(init=self.quiet.init)  # all steps have been shown
        m.d.sync += self.quiet.eq(idle & ~self.begins)
        ended = bank.o_valid | self.filling
        for begun, neuron, last in ((self.begins, self.neuron, "begun"), (ended, bank.o_neuron, "ended")):
            is_last = Signal(name=f"last_{last}")
            with m.If(begun):
                m.d.sync += [neuron.eq(neuron + 1), is_last.eq(neuron == bank.count - 2)]
                with m.If(is_last):
                    m.d.sync += neuron.eq(0)
                if begun is self.begins:
                    m.d.sync += [first.eq(is_last), sweeping.eq(~is_last & bank.broadcast)]
                    if alternate and bank.count % 2:  # the last neuron is even, and so is the first
                        with m.If(is_last):
                            m.d.sync += turn.eq(0)
                else:
                    with m.If(is_last):
                        m.d.sync += [idle.eq(first), self.filling.eq(0)]
        with m.If(self.begins):
            m.d.sync += idle.eq(0)

    def _registers(self) -> None:
        """Write states after each step; between sweeps, write a register and show the states of a neuron.

        A register in the memory is replaced when the word of its neuron has been read, and changed in the clock after that.
        """
        bank, m, dp = self.bank, self.m, self.dp
        waited = Signal(bank.lead - 1)
        with m.If(self.quiet & self.offered & bank.cfg_valid & ~bank.cfg_ready):
            m.d.sync += [self.writes.eq(1), waited.eq(Cat(self.writes, waited)), bank.cfg_ready.eq(waited[-1])]
        with m.If(bank.cfg_ready):
            m.d.sync += [self.writes.eq(0), waited.eq(0), bank.cfg_ready.eq(0)]
        for words, kind in ((self.states, "state"), (self.own, "coefficient")):
            if words is None:
                continue
            word = []
            for name, field in words.fields.items():
                (address,) = (r.address for r in dp.registers if (r.kind, r.name) == (kind, name))
                changed = Signal.like(field, name=f"changed_{name}")
                m.d.sync += changed.eq(Mux(bank.cfg_addr == address, bank.cfg_data, field))
                word.append(changed)
            address, data, enable = self.address, Cat(word), bank.cfg_ready
            if kind == "state":
                results = Cat(getattr(bank, f"state_{name}") for name in dp.states)
                address, data = Mux(self.writes, address, bank.o_neuron), Mux(self.writes, data, results)
                enable = bank.cfg_ready | bank.o_valid | self.filling
                if isinstance(bank.block, Spram):
                    first = Cat(
                        Const(int(codes[0]), q.width)
                        for codes, q in zip(bank.initial.values(), dp.states.values(), strict=True)
                    )
                    data = Mux(self.filling, first, data)
            words.writes(address, data, enable)
        m.d.comb += [getattr(bank, f"kept_{name}").eq(self.states.fields[name]) for name in dp.states]
        for register, held in self.coefficients:
            addressed = Signal(name=f"addressed_{register.name}")
            m.d.sync += addressed.eq(bank.cfg_addr == register.address)
            with m.If(bank.cfg_ready & addressed):
                m.d.sync += held.eq(bank.cfg_data)
