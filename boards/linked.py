"""A neuron on a serial line: the gateware that takes a host's frames, and answers them."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.hdl import Elaboratable, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spikefab.hw.neuron import Neuron

from .crossing import Crossing
from .framing import FrameReceiver, FrameTransmitter
from .link import CONTROL_BITS, PAGE, RECORDS, Kind, Layout, Op
from .player import CONTROL, Player
from .population import Population
from .uart import divisor


class LinkedNeuron(wiring.Component):
    """A neuron behind the serial line that `link` describes.

    | port | dir | meaning |
    |---|---|---|
    | `rx` | in | the line from the host, asynchronous, idle high |
    | `tx` | out | the line to the host, idle high |
    | `fired` | out | high for one clock at a spike |

    neuron    a neuron, or a population
    identity  bytes of the identity block, whole pages
    tick      clocks of a time step in free-run
    """

    def __init__(
        self,
        neuron: Neuron | Population | Crossing,
        layout: Layout,
        identity: bytes,
        *,
        clock_hz: float,
        baud: int,
        tick: int,
    ) -> None:
        assert len(identity) % PAGE == 0
        assert max(layout.entry_bytes, 3) <= layout.code_bytes, "the shift register of a frame is as long as a code"
        self.addresses = (
            neuron.addresses if isinstance(neuron, (Population, Crossing)) else len(neuron.datapath.registers)
        )
        assert self.addresses <= Op.IDENTIFY, "a register's address is below the first operation"
        self.neuron, self.layout, self.identity, self.tick = neuron, layout, identity, tick
        self.bit = divisor(clock_hz, baud)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "fired": Out(1)})

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        m.submodules.neuron = self.neuron
        player = Player(self.neuron, self.layout, self.tick)
        restart = Signal()
        m.submodules.player = ResetInserter(restart)(player)
        m.submodules.receiver = receiver = FrameReceiver(self.bit)
        m.submodules.transmitter = transmitter = FrameTransmitter(self.bit)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx), self.fired.eq(player.fired)]
        self.expected = Signal(2)  # number of the next frame
        self.asked, self.paged = Signal(), Signal()  # an answer is due; it is a page
        self.page = Signal(range(max(2, len(self.identity) // PAGE)))
        self.refused, self.damaged = Signal(), Signal()
        self._commands(m, receiver, player, restart)
        self._answers(m, transmitter, player)
        return m

    def _commands(self, m: Module, receiver: FrameReceiver, player: Player, restart: Signal) -> None:
        """Carry out frames. Whatever a frame does is done at its end, if it is good: entries are stored before, but not kept.

        A byte takes many more clocks to arrive than a neuron takes to accept a write, so that one is done before the next. A
        population can take longer, until its sweep has ended: meanwhile, other writes are refused, and the host repeats them.
        """
        layout, neuron = self.layout, self.neuron
        byte = receiver.bytes
        inside = Signal()  # the head of a frame has come
        what = Signal(6)  # its low bits
        fresh = Signal()  # its number is the next
        count = Signal(4)  # bytes behind the head; while entries are played, those of the last one
        held = Signal(8 * layout.code_bytes)  # the last of these bytes, the newest in the top
        overrun = Signal()  # an entry of this frame found no room
        op = {op: Signal(name=op.name.lower()) for op in Op}
        playing, last = op[Op.PLAY], count == layout.entry_bytes - 1
        taken = Cat(held[8:], byte.payload)
        m.d.comb += [it.eq(what == code) for code, it in op.items()]
        m.d.comb += [
            player.opening.eq(byte.valid & ~inside),
            player.entry.eq(taken[8 * (layout.code_bytes - layout.entry_bytes) :]),
            player.write.eq(byte.valid & inside & playing & last),
            player.seed.eq(held),
            neuron.cfg_addr.eq(what),
            neuron.cfg_data.eq(held),
        ]
        with m.If(byte.valid & ~inside):
            m.d.sync += [what.eq(byte.payload), fresh.eq(byte.payload[6:] == self.expected)]
            m.d.sync += [inside.eq(1), count.eq(0), overrun.eq(0)]
        with m.Elif(byte.valid):
            with m.If(playing | (count < layout.code_bytes)):  # what comes behind a code is its CRC
                m.d.sync += held.eq(taken)
            with m.If(count != 15):
                m.d.sync += count.eq(count + 1)
            with m.If(playing & last):
                m.d.sync += [count.eq(0), overrun.eq(overrun | player.full)]

        # A frame's length is right if two bytes of CRC follow its payload.
        register = Signal()  # the frame writes a register that there is
        m.d.comb += register.eq(what < self.addresses)
        coded = op[Op.CONTROL] | op[Op.SEED] | register
        busy = register & neuron.cfg_valid
        right = Mux(coded, (count == layout.code_bytes + 2) & ~busy, playing & (count == 2) & ~overrun)
        accepted = Signal()
        with m.If(receiver.end):
            m.d.sync += inside.eq(0)
            with m.If(~receiver.good):
                m.d.sync += self.damaged.eq(1)
            with m.Else():
                m.d.comb += accepted.eq(fresh & right)
                m.d.sync += [
                    self.asked.eq(1),
                    self.paged.eq(op[Op.IDENTIFY]),
                    self.refused.eq(~(accepted | op[Op.IDENTIFY])),
                ]
                m.d.sync += self.expected.eq(Mux(op[Op.IDENTIFY], 0, self.expected + accepted))
                with m.If(op[Op.IDENTIFY]):  # behind the page, there were just two bytes of CRC
                    m.d.sync += self.page.eq(held[-24:])
        control = Signal(CONTROL)
        m.d.comb += [
            player.commit.eq(accepted & playing),
            player.seeding.eq(accepted & op[Op.SEED]),
            player.control.eq(control),
        ]
        with m.If(accepted & op[Op.CONTROL]):
            m.d.sync += control.eq(held[:CONTROL_BITS])
            m.d.comb += restart.eq(CONTROL(held[:CONTROL_BITS]).restart)
        with m.If(restart):
            m.d.sync += self.damaged.eq(0)
        with m.If(accepted & register):
            m.d.sync += neuron.cfg_valid.eq(1)
        with m.Elif(neuron.cfg_ready):
            m.d.sync += neuron.cfg_valid.eq(0)

    def _answers(self, m: Module, transmitter: FrameTransmitter, player: Player) -> None:
        """Send answers, pages of the identity block, and records."""
        rom = Memory(shape=unsigned(8), depth=len(self.identity), init=self.identity)
        m.submodules.identity = rom
        read = rom.read_port()
        kind = Signal(Kind)
        index = Signal(range(PAGE))  # of the byte that is sent, in the payload; with records, of the record
        number = Signal(6)  # of frames with records
        out, byte = transmitter.bytes, transmitter.bytes.payload
        flags = Cat(self.refused, self.damaged, player.starved, player.lost, player.late, player.clipped)
        records = player.bytes
        m.d.comb += read.addr.eq(Cat(index, self.page))
        with m.FSM():
            with m.State("idle"):
                m.d.sync += index.eq(0)
                with m.If(self.asked):
                    m.d.sync += [self.asked.eq(0), kind.eq(Mux(self.paged, Kind.PAGE, Kind.ANSWER))]
                    m.next = "head"
                with m.Elif(~player.idle):
                    m.d.sync += [number.eq(number + 1), kind.eq(Kind.RECORDS)]
                    m.next = "head"
            with m.State("head"):
                m.d.comb += [out.valid.eq(1), byte.eq(Cat(kind, flags))]
                with m.If(out.ready):
                    m.next = "number"
            with m.State("number"):
                m.d.comb += [out.valid.eq(1), byte.eq(Cat(self.expected, number))]
                with m.If(out.ready):
                    m.next = "payload"
            with m.State("payload"):
                with m.Switch(kind):
                    with m.Case(Kind.RECORDS):
                        m.d.comb += [
                            out.valid.eq(records.valid),
                            byte.eq(records.payload.byte),
                            records.ready.eq(out.ready),
                        ]
                    with m.Case(Kind.PAGE):
                        m.d.comb += [out.valid.eq(1), byte.eq(read.data)]
                    with m.Default():
                        m.d.comb += [out.valid.eq(1), byte.eq(player.begun[-8:])]
                with m.If(out.valid & out.ready & ((kind != Kind.RECORDS) | records.payload.last)):
                    m.d.sync += index.eq(index + 1)
                    m.next = "more"
                with m.Elif((kind == Kind.RECORDS) & player.idle):  # a restart took the records of this frame
                    m.next = "more"
            with m.State("more"):
                done = Mux(kind == Kind.PAGE, index == 0, player.idle | (index == RECORDS) | (kind == Kind.ANSWER))
                m.d.comb += transmitter.finish.eq(done)
                m.next = "payload"
                with m.If(done):
                    m.next = "idle"
        return m
