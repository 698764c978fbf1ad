"""A network in hardware: a bank of neurons whose spikes return to it as current, through a table of synapses."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Elaboratable, EnableInserter, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spikefab.errors import UsageError

from . import ops
from .bank import Bank
from .fixed import Q
from .lowering.lifetimes import shortened
from .lowering.pipelined import Pipeline
from .lowering.schedule import schedule
from .synapses import Synapses
from .trace import Trace
from .words import Block, Words, levels

BLOCK = {"ram_style": "block"}


def synaptic_trace(synapses: Synapses) -> Trace:
    """The arithmetic of a step of a synaptic current: see `sim.network`. Its outputs are `s` and the input current `i`."""
    trace = Trace(synapses.datapath.word)
    s = trace.input("state", "s", synapses.synaptic)
    k = trace.input("coefficient", "k", synapses.k)
    a = trace.input("current", "arrivals", synapses.arrivals)
    i = trace.input("current", "i", synapses.current)
    decayed = (k * s.resize(synapses.current)).like(s)
    s = ((s - decayed) + a).like(s)
    trace.outputs = {"s": s.index, "i": (i + s).resize(synapses.current).index}
    return trace


class Network(wiring.Component):
    """A bank, and synapses between its neurons. `sim.network` defines what it computes.

    | port | dir | shape | meaning |
    |---|---|---|---|
    | `i_valid` `i_ready` | in, out | 1 | an external current is taken when both are high |
    | `i` | in | signed | external current, a code of the format `datapath.current`: of the next neuron, or of all of them |
    | `s_valid` | out | 1 | the next neuron gets its input current; its synaptic current is shown for one clock |
    | `s` | out | signed | synaptic current, a code of the format `synapses.synaptic` |
    | `o_…` `state_NAME` `cfg_…` `kept_NAME` | | | those of the bank |

    A step is a sweep of the bank, after which its spikes are gone through one after the other, each with all of its synapses. A
    spike waits in a list with a place for each neuron: as a neuron spikes at most once in a sweep, there is always room.
    """

    _MustUse__silence = True  # no warning of one that is made and not used, as for a neuron

    def __init__(self, bank: Bank, synapses: Synapses, *, broadcast: bool = False):
        """
        bank       with a current for each neuron (`broadcast=False`)
        synapses   between the neurons of this bank
        broadcast  whether an external current is for all neurons

        Raises UsageError if bank and synapses do not belong together.
        """
        if bank.broadcast:
            raise UsageError("the neurons of a network have currents of their own: make its bank with broadcast=False.")
        if bank.count != synapses.count or bank.datapath is not synapses.datapath:
            raise UsageError(
                f"the synapses are of {synapses.count} neurons of {synapses.datapath}, the bank is of {bank.count} of "
                f"{bank.datapath}."
            )
        self.bank, self.synapses, self.broadcast = bank, synapses, broadcast
        trace = synaptic_trace(synapses)
        self.plan = shortened(trace, schedule(trace, 1, 1, bank.plan.timing))
        self.trace = trace
        self.shared = {name: port for name, port in bank.signature.members.items() if not name.startswith("i")}
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i": In(signed(synapses.current.width)),
                "s_valid": Out(1),
                "s": Out(signed(synapses.synaptic.width)),
                **self.shared,
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from an external current to the result of the neuron's step."""
        return self.bank.plan.timing.read + self.plan.length + self.bank.latency

    @property
    def lookup(self) -> int:
        """Clocks in which a synapse is read from the table, which has several block RAMs one behind the other."""
        block, entries = self.block, max(2, len(self.synapses))
        return self.bank.plan.timing.read + (0 if block is None else levels(block.groups(entries)))

    @property
    def block(self) -> Block | None:
        """The shape of the block RAMs of the table; None: synthesis cuts them."""
        return self.bank.block if isinstance(self.bank.block, Block) else None

    def clocks(self, spikes: Sequence[int]) -> int:
        """Clocks of a step, if the bank has an interval of 1 and external currents are always offered.

        spikes  the numbers of synapses of the neurons that spike in it, in the order of the neurons
        """
        read = self.bank.plan.timing.read
        quiet = self.bank.count + self.latency + 2 * read + 1
        rows = [int(synapses) for synapses in spikes if synapses]
        if not rows:
            return quiet
        # the next row is read meanwhile
        return quiet + self.lookup + 3 + sum(max(row, read + 1) for row in rows[:-1]) + rows[-1]

    def elaborate(self, platform: Any) -> Elaboratable:
        m, bank = Module(), self.bank
        m.submodules.bank = bank
        for name, member in self.shared.items():
            mine, its = getattr(self, name), getattr(bank, name)
            m.d.comb += its.eq(mine) if member.flow is In else mine.eq(its)
        q = self.synapses.arrivals
        memory = Memory(shape=signed(q.width), depth=bank.count, init=[], attrs=BLOCK)
        m.submodules.arrivals = memory
        read, write = memory.read_port(), memory.write_port()
        sweep, routes = _Sweep(self, m, read.data), _Router(self, m, read.data)
        with m.If(routes.ended):
            m.d.sync += sweep.going.eq(1)
        # neurons read and clear their arrivals in the sweep, spikes add to them after it
        m.d.comb += [
            read.en.eq(sweep.moves),
            read.addr.eq(Mux(sweep.going, sweep.neuron, routes.target)),
            write.en.eq(self.s_valid | routes.adds),
            write.addr.eq(Mux(routes.adds, routes.added_to, sweep.taken)),
            write.data.eq(Mux(routes.adds, routes.sum, 0)),
        ]
        return m


def _later(m: Module, value: Any, clocks: int) -> Any:
    """A value some clocks later."""
    for _ in range(clocks):
        held = Signal(value.shape())
        m.d.sync += held.eq(value)
        value = held
    return value


class _Sweep:
    """Gives each neuron its current: external and synaptic. All of it moves when the bank takes a current, or none waits for it.

    going   neurons begin
    neuron  that begins next, and whose arrivals are read
    taken   neuron whose input current is offered
    moves   whether this is a clock for all of it
    """

    def __init__(self, network: Network, outside: Module, arrivals: Any):
        bank, synapses = network.bank, network.synapses
        self.going, self.moves = Signal(init=1), Signal()
        self.neuron, self.taken = Signal(range(bank.count)), Signal(range(bank.count))
        m = Module()
        outside.submodules.sweep = EnableInserter(self.moves)(m)
        follows = Const(0)  # it begins with the current of the neuron before
        if network.broadcast:
            follows = self.neuron != 0
        begins = Signal()
        outside.d.comb += [
            begins.eq(self.going & (network.i_valid | follows)),
            network.i_ready.eq(self.going & self.moves & ~follows),
        ]
        read = bank.plan.timing.read
        external = Signal(signed(synapses.current.width))
        with m.If(network.i_valid & ~follows):
            m.d.sync += external.eq(network.i)
        memory = Memory(shape=signed(synapses.synaptic.width), depth=bank.count, init=[], attrs=BLOCK)
        m.submodules.synaptic = memory
        reads, writes = memory.read_port(), memory.write_port()
        m.d.comb += reads.addr.eq(self.neuron)
        registers = {
            ops.Input("current", "i"): _later(m, external, read - 1),
            ops.Input("current", "arrivals"): _later(m, arrivals, read - 1),
            ops.Input("state", "s"): _later(m, reads.data, read - 1),
            ops.Input("coefficient", "k"): Const(synapses.decay, signed(synapses.k.width)),
        }
        found = Pipeline(m, network.trace, network.plan, registers, Const(0)).outputs
        offered = _later(m, begins, read + network.plan.length)
        for counted, neuron in ((begins, self.neuron), (offered, self.taken)):
            with m.If(counted):
                m.d.sync += neuron.eq(Mux(neuron == bank.count - 1, 0, neuron + 1))
        m.d.comb += [writes.addr.eq(self.taken), writes.data.eq(found["s"]), writes.en.eq(offered)]
        outside.d.comb += [
            bank.i_valid.eq(offered),
            bank.i.eq(found["i"]),
            self.moves.eq(~offered | bank.i_ready),
            network.s_valid.eq(offered & bank.i_ready),
            network.s.eq(found["s"]),
        ]
        with outside.If(self.moves & begins & (self.neuron == bank.count - 1)):
            outside.d.sync += self.going.eq(0)


class _Router:
    """Goes through the spikes of a sweep when it is over, and adds the weights of their synapses to the arrivals.

    target    neuron whose arrivals are read
    adds      whether `sum` is written, for the neuron `added_to`: two clocks after its arrivals were read
    ended     all of this is done: the next sweep may begin
    """

    def __init__(self, network: Network, m: Module, arrivals: Any):
        self.m, self.network, self.bank, self.synapses = m, network, network.bank, network.synapses
        self.read = self.bank.plan.timing.read
        self.ended = Signal()
        at, reads = self._walk()
        # a synapse is read, is there `lookup` clocks later, then its arrivals are there, then they are in a register
        come, synapse = [reads], self._table(at)
        for _ in range(network.lookup + 2):
            come.append(_later(m, come[-1], 1))
        with_arrivals = _later(m, synapse, 1)
        added = _later(m, with_arrivals, 1)
        self.target, self.added_to, self.adds = synapse.target, added.target, come[-1]
        self.sum = Signal(signed(self.synapses.arrivals.width))
        # the arrivals were read before the last two sums were written: one for the same neuron takes their place
        last = _later(m, self.sum, 1)
        for_last, for_earlier = (
            _later(m, (with_arrivals.target == target) & was_added, 1)
            for target, was_added in (
                (added.target, self.adds),
                (_later(m, added.target, 1), _later(m, self.adds, 1)),
            )
        )
        known = Mux(for_last, last, Mux(for_earlier, _later(m, last, 1), _later(m, arrivals, 1)))
        m.d.comb += [
            self.sum.eq(known + added.weight),
            self.ended.eq(self.all_taken & ~Cat(come).any()),
        ]

    def _table(self, at: Any) -> Any:
        """The synapse at an address, `lookup` clocks later."""
        synapses = self.synapses
        layout = data.StructLayout({"target": range(synapses.count), "weight": signed(synapses.current.width)})
        # as `Words` has signed fields: the bits of a target
        formats = {"target": Q(layout["target"].width, 0), "weight": synapses.current}
        unused = max(0, 2 - len(synapses))  # a memory has two words at least
        codes = {
            "target": np.pad(synapses.targets, (0, unused)),
            "weight": np.pad(synapses.weights, (0, unused)),
        }
        words = Words(self.m, "synapses", formats, codes, self.network.block)
        words.reads(at, Const(1), self.read - 1)
        return layout(words.word)

    def _memory(self, name: str, shape: Any, words: list, depth: int) -> Memory:
        memory = Memory(shape=shape, depth=depth, init=words, attrs=BLOCK)
        self.m.submodules[name] = memory
        return memory

    def _word(self, memory: Memory, address: Any) -> Any:
        """The word at an address, `read` clocks later."""
        port = memory.read_port()
        self.m.d.comb += port.addr.eq(address)
        return _later(self.m, port.data, self.read - 1)

    def _walk(self) -> tuple[Any, Any]:
        """The address of a synapse, and whether it is read."""
        m, bank, synapses = self.m, self.bank, self.synapses
        place = range(len(synapses) + 1)
        # the first of a neuron's synapses, and how many there are
        row = data.StructLayout({"at": place, "left": place})
        first = synapses.first
        words = [{"at": int(a), "left": int(b - a)} for a, b in pairwise(first)]
        rows, pending = self._memory("rows", row, words, bank.count), self._memory("pending", row, [], bank.count)
        # while the bank gives its results, the rows of the neurons that spike are put on the list
        fired = _later(m, bank.o_valid & bank.o_spike, self.read)
        last = _later(m, bank.o_valid & (bank.o_neuron == bank.count - 1), self.read)
        many = range(bank.count + 1)
        listed, done = Signal(many, name="listed"), Signal(many, name="done")
        puts, found = pending.write_port(), self._word(rows, bank.o_neuron)
        m.d.comb += [puts.addr.eq(listed), puts.data.eq(found), puts.en.eq(fired & (found.left != 0))]
        now, waits = Signal(row, name="row"), Signal(range(self.read + 1), name="waits")
        following = self._word(pending, done)  # the row of `done`, when it has not changed for `read` clocks
        routing, takes = Signal(name="routing"), Signal(name="takes")
        m.d.comb += takes.eq(routing & (waits == 0) & (done != listed) & (now.left <= 1))
        with m.If(puts.en):
            m.d.sync += listed.eq(listed + 1)
        with m.If(waits != 0):
            m.d.sync += waits.eq(waits - 1)
        with m.If(now.left != 0):
            m.d.sync += [now.at.eq(now.at + 1), now.left.eq(now.left - 1)]
        with m.If(last):
            m.d.sync += [routing.eq(1), waits.eq(self.read)]
        with m.If(takes):
            m.d.sync += [now.eq(following), done.eq(done + 1), waits.eq(self.read)]
        with m.If(self.ended):
            m.d.sync += [routing.eq(0), listed.eq(0), done.eq(0)]
        self.all_taken = routing & (waits == 0) & (done == listed)
        return now.at, now.left != 0
