"""Many neurons behind the ports of one: what a board plays a stimulus to, if its bitstream holds a population."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spikefab.calls import whole
from spikefab.errors import UsageError
from spikefab.hw.lanes import Lanes
from spikefab.hw.lowering.pipelined import products
from spikefab.hw.neuron import Neuron

from .table import Board

SEQUENCE = 12  # clocks of a step that the player and the queues take, besides those of the noise


@dataclass(frozen=True)
class Crowd:
    """Of how many neurons a population is, and how they are computed.

    neurons      all of them
    lanes        pipelines side by side
    multipliers  of each lane; None: one for each product of a step, as far as the board has them
    per_neuron   names of the coefficients that each neuron has for itself
    """

    neurons: int
    lanes: int = 1
    multipliers: int | None = None
    per_neuron: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises UsageError for numbers that cannot be."""
        whole(self.neurons, "neurons", 2)
        whole(self.lanes, "lanes", 1)
        if self.multipliers is not None:
            whole(self.multipliers, "multipliers", 1)
        names = (self.per_neuron,) if isinstance(self.per_neuron, str) else self.per_neuron
        object.__setattr__(self, "per_neuron", tuple(dict.fromkeys(names)))

    @property
    def each(self) -> int:
        """Neurons of a lane."""
        return self.neurons // self.lanes

    @property
    def index_bits(self) -> int:
        return (self.each - 1).bit_length()

    @property
    def number_bits(self) -> int:
        return self.index_bits + (self.lanes - 1).bit_length()

    @property
    def everyone(self) -> int:
        """The number that selects all neurons."""
        return 1 << self.number_bits

    def number(self, neuron: int) -> int:
        """How a neuron is named on the line: its lane, and its place in that lane in the low bits."""
        lane, index = divmod(neuron, self.each)
        return lane << self.index_bits | index

    def neuron(self, number: int) -> int:
        """The neuron with a number."""
        return (number >> self.index_bits) * self.each + (number & (1 << self.index_bits) - 1)

    def lanes_of(self, neuron: Neuron, board: Board) -> Lanes:
        """The lanes, in which all neurons are as `neuron`. Raises UsageError for values that cannot be."""
        dp, lanes = neuron.datapath, self.lanes
        unknown = [name for name in self.per_neuron if name not in dp.coefficients]
        if unknown:
            raise UsageError(f"{type(neuron).__name__} has no coefficient {unknown[0]}: {', '.join(dp.coefficients)}.")
        each = board.multipliers // (lanes * max(1, board.multipliers_each(neuron.word)))
        multipliers = max(1, min(products(dp.trace), each)) if self.multipliers is None else self.multipliers
        own = {name: np.full(self.neurons, neuron.codes[name]) for name in self.per_neuron}
        return Lanes(
            neuron,
            self.neurons,
            lanes,
            own=own,
            multipliers=multipliers,
            timing=board.family.timing,
            block=board.storage(lanes),
        )


class EventQueue(wiring.Component):
    """Holds up to `depth` numbers, a power of two, and gives out one every four clocks.

    | port | dir | meaning |
    |---|---|---|
    | `write` `number` | in | store a number; not if there is no room |
    | `level` | out | how many there are, or were a clock before |
    | `empty` | out | there is none |
    | `events` | out | numbers |

    What is read of the memory is in a register that some devices have inside of it, and settles while it is waited for.
    """

    def __init__(self, bits: int, depth: int) -> None:
        self.bits, self.depth = bits, depth
        super().__init__(
            {
                "write": In(1), "number": In(bits), "level": Out(range(2 * depth)), "empty": Out(1),
                "events": Out(stream.Signature(unsigned(bits))),
            }
        )  # fmt: skip

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=unsigned(self.bits), depth=self.depth, init=[], attrs={"ram_style": "block"}
        )
        write, read = memory.write_port(), memory.read_port()
        stored, sent = Signal(range(2 * self.depth)), Signal(range(2 * self.depth))
        word, age = Signal(self.bits, reset_less=True), Signal(2)
        m.d.comb += [
            write.addr.eq(stored),
            write.data.eq(self.number),
            write.en.eq(self.write),
            read.addr.eq(sent),
            self.empty.eq(stored == sent),
            self.events.payload.eq(word),
            self.events.valid.eq(age.all()),
        ]
        m.d.sync += [word.eq(read.data), self.level.eq(stored - sent)]
        with m.If(self.write):
            m.d.sync += stored.eq(stored + 1)
        with m.If(self.events.valid & self.events.ready):
            m.d.sync += [age.eq(0), sent.eq(sent + 1)]
        with m.Elif(~self.empty & ~age.all()):
            m.d.sync += age.eq(age + 1)
        return m


class Population(wiring.Component):
    """Lanes of neurons as a `Player` takes them: one step is a step of all neurons, with the same current.

    | port | dir | meaning |
    |---|---|---|
    | `i_valid` `i_ready` `i` | | as of a neuron |
    | `o_valid` `o_ready` | out, in | all neurons have computed the step, and each event of it was taken |
    | `o_v` | out | read-out of the selected neuron |
    | `o_spike` | out | 0: spikes are events |
    | `events` | out | numbers of the neurons that spiked, in any order |
    | `cfg_valid` `cfg_ready` `cfg_addr` `cfg_data` | | as of a neuron, for the selected one |

    The address behind that of the last register selects a neuron, by its `Crowd.number`, or all of them: then a write goes to each,
    one after the other, and the first is the one that is shown.
    """

    _MustUse__silence = True  # no warning of one that is made and not used, as for a neuron

    def __init__(self, lanes: Lanes) -> None:
        self.lanes, self.datapath = lanes, lanes.banks[0].datapath
        dp = self.datapath
        crowd = Crowd(lanes.count, len(lanes.banks))
        self.index_bits, self.number_bits = crowd.index_bits, crowd.number_bits
        self.addresses = len(dp.registers) + 1
        super().__init__(
            {
                "i_valid": In(1), "i_ready": Out(1), "i": In(signed(dp.current.width)),
                "o_valid": Out(1), "o_ready": In(1), "o_v": Out(signed(dp.readout.width)), "o_spike": Out(1),
                "events": Out(stream.Signature(unsigned(self.number_bits))),
                "cfg_valid": In(1), "cfg_ready": Out(1), "cfg_addr": In(range(self.addresses)),
                "cfg_data": In(signed(max(dp.code_bits, self.number_bits + 1))),
            }
        )  # fmt: skip

    @property
    def interval(self) -> int:
        """Clocks from one neuron of a lane to the next."""
        return self.lanes.banks[0].interval

    @property
    def latency(self) -> int:
        """Clocks from a current to the result of its first neuron."""
        return self.lanes.banks[0].latency

    @property
    def clocks(self) -> int:
        """Clocks from a current to the last result of its step, at most, if no spike has to wait."""
        bank = self.lanes.banks[0]
        return bank.count * bank.interval + bank.latency

    @property
    def queue_room(self) -> int:
        """Results of steps that have begun when a queue is seen to be filling, at most."""
        return self.lanes.banks[0].in_flight + 6

    @property
    def queue_depth(self) -> int:
        """Numbers that the queue of a lane holds."""
        return 1 << (2 * self.queue_room).bit_length()

    @property
    def between(self) -> int:
        """Clocks of the link from one step to the next, besides."""
        return self.datapath.current.width + SEQUENCE

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        m.submodules.lanes = self.lanes
        self._writes(m)
        self._steps(m)
        return m

    def _writes(self, m: Module) -> None:
        """Select neurons, and write a register of the selected ones."""
        lanes, each = self.lanes, self.lanes.banks[0].count
        self.lane, self.index = Signal.like(lanes.cfg_lane), Signal.like(lanes.cfg_neuron)  # that are selected
        every, begun = Signal(), Signal()  # all are selected; a register is being written
        end, last = Signal(), Signal()  # of a lane, and of all: known before the write of that neuron is done
        m.d.sync += [end.eq(lanes.cfg_neuron == each - 1), last.eq(end & (lanes.cfg_lane == len(lanes.banks) - 1))]
        m.d.comb += lanes.cfg_valid.eq(begun)
        with m.If(~begun & self.cfg_valid):
            with m.If(self.cfg_addr == self.addresses - 1):
                m.d.comb += self.cfg_ready.eq(1)
                m.d.sync += Cat(self.index, self.lane, every).eq(self.cfg_data)
            with m.Else():
                m.d.sync += [begun.eq(1), lanes.cfg_neuron.eq(self.index), lanes.cfg_lane.eq(self.lane)]
                # this may take as long as a sweep, and the line brings other bytes meanwhile
                m.d.sync += [lanes.cfg_addr.eq(self.cfg_addr), lanes.cfg_data.eq(self.cfg_data)]
        with m.If(lanes.cfg_ready):
            with m.If(every & ~last):
                m.d.sync += lanes.cfg_neuron.eq(lanes.cfg_neuron + 1)
                with m.If(end):
                    m.d.sync += [lanes.cfg_neuron.eq(0), lanes.cfg_lane.eq(lanes.cfg_lane + 1)]
            with m.Else():
                m.d.comb += self.cfg_ready.eq(1)
                m.d.sync += begun.eq(0)

    def _steps(self, m: Module) -> None:
        """One sweep at a time. Its spikes wait in a queue of each lane: before one is full, no more neurons begin.

        What is found of results and queues is in registers: with many neurons, this is what bounds the clock.
        """
        lanes, banks = self.lanes, self.lanes.banks
        room, depth = self.queue_room, self.queue_depth
        busy, last, ended = Signal(), Signal(), Signal(4)
        filling, waiting = Signal(len(banks)), Signal(len(banks))
        queues = []
        for k in range(len(banks)):
            m.submodules[f"queue_{k}"] = queue = EventQueue(self.index_bits, depth)
            m.d.comb += [queue.number.eq(lanes.o_neuron[k]), queue.write.eq(lanes.o_valid[k] & lanes.o_spike[k])]
            m.d.sync += [filling[k].eq(queue.level > depth - room), waiting[k].eq(~queue.empty)]
            queues.append(queue)
            shown, v = Signal(name=f"shown_{k}"), Signal.like(self.o_v, name=f"v_{k}")
            found = lanes.o_valid[k] & (self.lane == k) & (lanes.o_neuron[k] == self.index)
            m.d.sync += [shown.eq(found), v.eq(lanes.o_v[k])]
            with m.If(shown):
                m.d.sync += self.o_v.eq(v)
        m.d.sync += lanes.hold.eq(filling.any())
        m.d.sync += last.eq(lanes.o_valid[0] & (lanes.o_neuron[0] == banks[0].count - 1))
        m.d.comb += [
            lanes.i.eq(self.i),
            lanes.i_valid.eq(self.i_valid & ~busy),
            self.i_ready.eq(lanes.i_ready & ~busy),
            # `waiting` tells of the last spike two clocks after its result was there
            self.o_valid.eq(ended[-1] & ~waiting.any() & ~self.events.valid),
        ]
        with m.If(self.i_valid & self.i_ready):
            m.d.sync += busy.eq(1)
        with m.If(self.o_valid & self.o_ready):
            m.d.sync += [busy.eq(0), ended.eq(0)]
        with m.Else():
            m.d.sync += ended.eq(Cat(last | ended[0], ended))
        taken: Any = self.events.ready | ~self.events.valid
        number: Any = queues[-1].events.payload | (len(queues) - 1) << self.index_bits
        for k, queue in reversed([*enumerate(queues)][:-1]):
            number = Mux(queue.events.valid, queue.events.payload | k << self.index_bits, number)
        ready = Cat(queue.events.valid for queue in queues)
        with m.If(taken):
            m.d.sync += [self.events.valid.eq(ready.any()), self.events.payload.eq(number)]
        for queue in queues:  # the first that has an event
            m.d.comb += queue.events.ready.eq(taken)
            taken = taken & ~queue.events.valid
