"""Plays a stimulus to a neuron on the board itself, and records what it does: in lockstep with the host, or free-running."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefab.hw.neuron import Neuron

from .crossing import Crossing
from .link import NOISE_LAGS, SLOTS, TIME_BITS, Layout
from .population import Population
from .queues import RecordQueue, StimulusQueue

# the bits of `link.Control`, `link.noise_bits` and `link.decimated`
CONTROL = data.StructLayout({"run": 1, "paced": 1, "loop": 1, "restart": 1, "noise": 1, "noise_at": 5, "every": 4})
TO_QUEUE = "opening", "write", "entry", "commit"  # ports that are passed to the stimulus queue


class Noise(wiring.Component):
    """A shift register with feedback: `bit` is the next bit of the sequence that `NOISE_LAGS` defines, and `shift` takes it.

    `seed` loads the next 31 bits, the first one in the lowest place, when `seeding`.
    """

    def __init__(self) -> None:
        super().__init__({"seed": In(NOISE_LAGS[0]), "seeding": In(1), "shift": In(1), "bit": Out(1)})

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        longest, other = NOISE_LAGS
        state = Signal(longest, init=1)
        m.d.comb += self.bit.eq(state[0])
        with m.If(self.shift):
            m.d.sync += state.eq(Cat(state[1:], state[0] ^ state[longest - other]))
        with m.If(self.seeding):
            m.d.sync += state.eq(self.seed)
        return m


class Player(wiring.Component):
    """Stimulus, noise, pace and records of one neuron, or of a population.

    A step takes the current of the entry at the head of the stimulus, adds noise, and gives the sum to the neuron. If the
    step is to be recorded (a spike, or one of the steps that `control` selects), its record goes into a queue of 64. In
    lockstep, a step waits for stimulus and for room in that queue. Paced, there is one step a tick of `tick` clocks, and what
    does not come in time is flagged.

    | port | dir | meaning |
    |---|---|---|
    | `control` | in | see `CONTROL`; what changes counts from the next step on |
    | `seed` `seeding` | in | as in `Noise` |
    | `opening` `write` `entry` `full` `commit` `begun` | | as in `StimulusQueue` |
    | `bytes` `idle` | out | as `bytes` and `empty` in `RecordQueue` |
    | `starved` `lost` `late` `clipped` | out | as in `link.Flag`: once set, they stay |
    | `fired` | out | high for one clock at a spike |

    Of a population, the records are those of the selected neuron, which tell no spike, and one of each spike: with the number
    of its neuron in place of the read-out.

    Noise of b bits is a number of -2**(b-1) .. 2**(b-1) - 1, uniform and white: b bits of the sequence, the lowest first. In
    each step the sequence moves by as many bits as the current has.
    """

    def __init__(self, neuron: Neuron | Population | Crossing, layout: Layout, tick: int) -> None:
        self.neuron, self.layout, self.tick = neuron, layout, tick
        self.queue = StimulusQueue(layout)
        self.records = RecordQueue(layout, SLOTS)
        ports = self.queue.signature.members
        super().__init__(
            {
                "control": In(CONTROL),
                "seed": In(NOISE_LAGS[0]),
                "seeding": In(1),
                **{name: ports[name] for name in (*TO_QUEUE, "full", "begun")},
                "bytes": Out(stream.Signature(data.StructLayout({"byte": unsigned(8), "last": 1}))),
                **{name: Out(1) for name in ("idle", "starved", "lost", "late", "clipped", "fired")},
            }
        )

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        control = self.control
        m.submodules.queue = queue = self.queue
        m.submodules.records = records = self.records
        m.submodules.noise = noise = Noise()
        wiring.connect(m, records.bytes, wiring.flipped(self.bytes))
        m.d.comb += [getattr(queue, name).eq(getattr(self, name)) for name in TO_QUEUE]
        m.d.comb += [getattr(self, name).eq(getattr(queue, name)) for name in ("full", "begun")]
        m.d.comb += self.idle.eq(records.empty)
        m.d.comb += [noise.seed.eq(self.seed), noise.seeding.eq(self.seeding)]

        due = Signal()  # paced: a tick has come whose step has not begun
        tick = self._tick(m)
        with m.If(tick):
            m.d.sync += [due.eq(1), self.late.eq(self.late | due)]
        with m.If(~control.run):
            m.d.sync += due.eq(0)

        self._steps(m, due, tick, noise)
        return m

    def _steps(self, m: Module, due: Signal, tick: Signal, noise: Noise) -> None:
        """One step after the other: take the current, add noise, let the neuron compute, record."""
        neuron, control, queue, records = self.neuron, self.control, self.queue, self.records
        time = Signal(TIME_BITS)
        groups = time[:2], time[2:4], time[4:8], time[8:]
        skipped = Cat((group != 0) & every for group, every in zip(groups, control.every, strict=True)).any()
        current = Signal(signed(self.layout.current))
        v = Signal.like(records.records.payload.v)
        bit = Signal(range(self.layout.current))  # of the sum, that is computed
        sign, within = Signal(), Signal()  # the last bit of the noise; whether this bit is not yet beyond it
        carry, term, total = Signal(), Signal(), Signal()
        m.d.comb += [
            neuron.i.eq(current),
            records.records.payload.eq(Cat(neuron.o_spike, time, v)),
            v.eq(neuron.o_v),
            term.eq(control.noise & Mux(within, noise.bit, sign)),
            total.eq(current[0] ^ term ^ carry),
        ]
        population = isinstance(neuron, (Population, Crossing))
        if population:  # after a restart, a sweep that had begun before it ends, and is dropped
            m.d.comb += [neuron.events.ready.eq(1), neuron.o_ready.eq(1)]
        with m.FSM():
            with m.State("wait"):
                m.d.comb += neuron.o_ready.eq(1)
                m.d.sync += [current.eq(queue.code), bit.eq(0), within.eq(1), carry.eq(0)]
                with m.If(control.run & Mux(control.paced, due, records.records.ready)):
                    with m.If(~queue.empty):
                        m.d.sync += due.eq(tick)
                        m.next = "add"
                    with m.Elif(control.loop):
                        m.d.comb += queue.again.eq(1)
                        m.next = "fetch"
                    with m.Elif(control.paced):
                        m.d.sync += [due.eq(tick), self.starved.eq(1)]
            with m.State("add"):  # one bit a clock, while the current turns once in its register
                m.d.comb += noise.shift.eq(1)
                m.d.sync += [
                    current.eq(Cat(current[1:], total)),
                    carry.eq(Mux(current[0] == term, term, carry)),
                    bit.eq(bit + 1),
                ]
                with m.If(within):
                    m.d.sync += [sign.eq(noise.bit), within.eq(bit != control.noise_at)]
                with m.If(bit == self.layout.current - 1):
                    with m.If((current[0] == term) & (term != total)):
                        m.d.sync += self.clipped.eq(1)
                    m.next = "step"
            with m.State("step"):
                m.d.comb += neuron.i_valid.eq(1)
                with m.If(neuron.i_ready):
                    m.next = "result"
            with m.State("result"):
                if population:
                    self._events(m, neuron, time)
                with m.If(neuron.o_valid):
                    m.d.comb += self.fired.eq(neuron.o_spike)
                    m.next = "done"
                    with m.If(neuron.o_spike | ~skipped):
                        m.next = "record"
            with m.State("record"):
                m.d.comb += [records.records.valid.eq(1), neuron.o_ready.eq(0)]
                # in lockstep there was room, but for what the events of this step have taken of it
                with m.If(records.records.ready | control.paced):
                    m.d.sync += self.lost.eq(self.lost | ~records.records.ready)
                    m.next = "done"
            with m.State("done"):
                m.d.comb += [neuron.o_ready.eq(1), queue.advance.eq(1)]
                m.d.sync += time.eq(time + 1)
                m.next = "fetch"
            with m.State("fetch"):  # the memory reads the entry that is now the head
                m.next = "wait"

    def _events(self, m: Module, population: Population | Crossing, time: Signal) -> None:
        """Record the spikes of a step: in lockstep, those for which there is no room wait; paced, they are lost."""
        events, records = population.events, self.records.records
        m.d.comb += [population.o_ready.eq(0), events.ready.eq(records.ready | self.control.paced)]
        with m.If(events.valid):
            m.d.comb += [
                records.payload.eq(Cat(Const(1, 1), time, events.payload)),
                records.valid.eq(1),
                self.fired.eq(events.ready),
            ]
            with m.If(events.ready & ~records.ready):
                m.d.sync += self.lost.eq(1)

    def _tick(self, m: Module) -> Signal:
        """High for one clock every `tick` clocks of a paced run."""
        tick, clocks = Signal(), Signal(range(self.tick))
        m.d.comb += tick.eq(clocks == self.tick - 1)
        m.d.sync += clocks.eq(clocks + 1)
        with m.If(tick | ~(self.control.run & self.control.paced)):
            m.d.sync += clocks.eq(0)
        return tick
