"""What goes on a board: a neuron, a UART that drives it, an LED that lights on its spikes."""

import math
from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out

from spikefab.hw.neuron import Neuron

from .table import Board
from .uart import Receiver, Transmitter, divisor

LED_SECONDS = 0.02  # long enough to be seen, short enough to tell spikes at 25 Hz apart


class SerialNeuron(wiring.Component):
    """A neuron behind a serial line, in lockstep: it moves only when the host sends a step.

    Frames, numbers little-endian and sign-extended (8 data bits, no parity, one stop bit):

    | from | bytes | meaning |
    |---|---|---|
    | host | `W` addr d0 d1 d2 d3 d4 | write the code d to register addr (`cfg_addr`): coefficients, then states |
    | host | `S` i0 i1 i2 i3 | one step with input current code i |
    | board | v0 v1 v2 v3 flags | answer to `S`: read-out code, and flags, of which bit 0 says spike |

    A write has no answer. An address beyond `cfg_addr` and a byte that starts no frame are ignored, so that six zero
    bytes end a frame that was cut short. The host leaves at most two steps unanswered, at most one when it writes: the
    line need not stand still, and nothing is lost however the two clocks differ.

    | port | dir | shape | meaning |
    |---|---|---|---|
    | `rx` | in | 1 | the line from the host, asynchronous, idle high |
    | `tx` | out | 1 | the line to the host, idle high |
    | `led` | out | 1 | high for about 20 ms from a spike on |

    From the end of a frame to the start of its answer: `latency` of the neuron and about three clocks. Ten bytes a step
    on a line that carries both ways at once: baud / 50 steps a second.
    """

    def __init__(self, neuron: Neuron, clock_hz: int, baud: int) -> None:
        self.neuron = neuron
        self.clock_hz = clock_hz
        self.bit = divisor(clock_hz, baud)
        for port, bits in ((neuron.cfg_data, 40), (neuron.cfg_addr, 8), (neuron.i, 32), (neuron.o_v, 32)):
            assert len(port) <= bits, f"{port.name} is wider than its {bits} bits of the frame"
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "led": Out(1)})

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        m.submodules.neuron = neuron = self.neuron
        m.submodules.receiver = receiver = Receiver(self.bit)
        m.submodules.transmitter = transmitter = Transmitter(self.bit)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)]
        self._commands(m, receiver, neuron)
        self._answers(m, transmitter, neuron)

        # All ones, not a count: registers that are set and registers that are reset cannot share a tile of an iCE40,
        # and the carry chain, broken in between, was the slowest path of the design.
        shown = Signal(round(math.log2(self.clock_hz * LED_SECONDS)))
        with m.If(neuron.o_valid & neuron.o_ready & neuron.o_spike):
            m.d.sync += shown.eq(~0)
        with m.Elif(shown != 0):
            m.d.sync += shown.eq(shown - 1)
        m.d.sync += self.led.eq(shown != 0)  # a register of its own: the pin must not glitch with the comparison
        return m

    def _commands(self, m: Module, receiver: Receiver, neuron: Neuron) -> None:
        """Bytes to transfers. A transfer takes clocks, a byte takes thousands: it is over before the next frame."""
        frame = Signal(48)  # bytes come in at the top: the last four, five or six stand where they are read
        left = Signal(range(7))
        step, write = Signal(), Signal()  # which frame is being received
        m.d.comb += [
            neuron.i.eq(frame[16:]),
            neuron.cfg_addr.eq(frame[:8]),
            neuron.cfg_data.eq(frame[8:]),
        ]
        byte = receiver.bytes
        with m.If(byte.valid & (left == 0)):
            m.d.sync += [step.eq(byte.payload == ord("S")), write.eq(byte.payload == ord("W"))]
            with m.If(byte.payload == ord("S")):
                m.d.sync += left.eq(4)
            with m.If(byte.payload == ord("W")):
                m.d.sync += left.eq(6)
        with m.Elif(byte.valid):
            m.d.sync += [frame.eq(Cat(frame[8:], byte.payload)), left.eq(left - 1)]
            with m.If(left == 1):
                known = frame[8 + len(neuron.cfg_addr) : 16] == 0  # the address is still a byte higher
                m.d.sync += [neuron.i_valid.eq(step), neuron.cfg_valid.eq(write & known)]
        with m.If(neuron.i_valid & neuron.i_ready):
            m.d.sync += neuron.i_valid.eq(0)
        with m.If(neuron.cfg_valid & neuron.cfg_ready):
            m.d.sync += neuron.cfg_valid.eq(0)

    def _answers(self, m: Module, transmitter: Transmitter, neuron: Neuron) -> None:
        answer = Signal(40)
        left = Signal(range(6))
        free = Signal(init=1)  # left == 0, as a register: much of the neuron's control hangs on it
        m.d.comb += [
            neuron.o_ready.eq(free),
            transmitter.bytes.payload.eq(answer[:8]),
            transmitter.bytes.valid.eq(left != 0),
        ]
        with m.If(neuron.o_valid & neuron.o_ready):
            v = Signal.like(answer[:32].as_signed())
            m.d.comb += v.eq(neuron.o_v)
            m.d.sync += [answer.eq(Cat(v, neuron.o_spike)), left.eq(5), free.eq(0)]
        with m.Elif(transmitter.bytes.valid & transmitter.bytes.ready):
            m.d.sync += [answer.eq(answer >> 8), left.eq(left - 1), free.eq(left == 1)]


class Top(Elaboratable):
    """`SerialNeuron` on the pins of a board: its first UART and its first LED."""

    def __init__(self, neuron: Neuron, board: Board) -> None:
        self.serial = SerialNeuron(neuron, board.clock_hz, board.uart_baud)

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        m.submodules.serial = serial = self.serial
        uart, led = platform.request("uart", dir="-"), platform.request("led", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.submodules.led = lamp = io.Buffer("o", led)
        m.d.comb += [serial.rx.eq(rx.i), tx.o.eq(serial.tx), lamp.o.eq(serial.led)]
        return m
