"""The top level of a board: a neuron, a serial port (UART) that drives it, and an LED that lights at each spike."""

import math
from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out

from spikefab.hw.neuron import Neuron

from .table import Board
from .uart import Receiver, Transmitter, divisor

BITS_PER_STEP = 50  # bits that a time step takes on the line, in each direction: five bytes with start and stop bit
LED_SECONDS = 0.02  # s for which the LED lights after a spike: visible, and still dark between spikes at 25 Hz


class SerialNeuron(wiring.Component):
    """A neuron on a serial line, in lockstep with the host: it computes one time step per `S` frame that the host sends.

    The line has 8 data bits, no parity and one stop bit. Numbers are little-endian and sign-extended. The frames are:

    | from | bytes | meaning |
    |---|---|---|
    | host | `W` addr d0 d1 d2 d3 d4 | write the code d to the register at `cfg_addr` = addr: first coefficients, then states |
    | host | `S` i0 i1 i2 i3 | compute one step with the input current code i |
    | board | v0 v1 v2 v3 flags | answer to `S`: the read-out code v, and flags (bit 0: the neuron spiked) |

    A `W` frame has no answer. An address wider than `cfg_addr` is ignored, and so is a byte that starts no frame: six
    zero bytes therefore end any frame that was cut short. The host may send at most two `S` frames before it reads the
    answer to the first, and at most one before it sends a `W`. Then the line is always busy, and no byte is lost even if
    the clocks of host and board differ a little.

    | port | dir | shape | meaning |
    |---|---|---|---|
    | `rx` | in | 1 | the line from the host, asynchronous, idle high |
    | `tx` | out | 1 | the line to the host, idle high |
    | `led` | out | 1 | high for about 20 ms after each spike |

    The answer starts `latency` clocks of the neuron and about three more after the end of the `S` frame. A step takes
    five bytes in each direction, and both directions run at once: baud / 50 steps per second.
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

        # A spike loads the LED counter with all ones, not with an exact count: registers that are set and
        # registers that are reset cannot share a tile of an iCE40; a carry chain split for this was the slowest path.
        shown = Signal(round(math.log2(self.clock_hz * LED_SECONDS)))
        with m.If(neuron.o_valid & neuron.o_ready & neuron.o_spike):
            m.d.sync += shown.eq(~0)
        with m.Elif(shown != 0):
            m.d.sync += shown.eq(shown - 1)
        m.d.sync += self.led.eq(shown != 0)  # a register keeps glitches of the comparison from the pin
        return m

    def _commands(self, m: Module, receiver: Receiver, neuron: Neuron) -> None:
        """Turn received frames into register writes and steps of the neuron.

        A byte takes many more clocks to arrive than the neuron takes to accept a write or an input, so that a frame is
        always dealt with before the next one is complete.
        """
        frame = Signal(48)  # shift register of the last six bytes received, the newest in the top bits
        left = Signal(range(7))  # bytes of the frame that are still to come
        step, write = Signal(), Signal()  # the frame being received is an `S` (step) or a `W` (write)
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
                # the last byte is only now shifted in: the address is still one byte above its final place
                known = frame[8 + len(neuron.cfg_addr) : 16] == 0
                m.d.sync += [neuron.i_valid.eq(step), neuron.cfg_valid.eq(write & known)]
        with m.If(neuron.i_valid & neuron.i_ready):
            m.d.sync += neuron.i_valid.eq(0)
        with m.If(neuron.cfg_valid & neuron.cfg_ready):
            m.d.sync += neuron.cfg_valid.eq(0)

    def _answers(self, m: Module, transmitter: Transmitter, neuron: Neuron) -> None:
        """Send each result of the neuron as five bytes. The neuron waits while an answer is being sent."""
        answer = Signal(40)  # the bytes still to be sent, the next one in the low bits
        left = Signal(range(6))  # bytes still to be sent
        free = Signal(init=1)  # equals `left == 0`, but from a register: it feeds a lot of the neuron's control logic
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
    """A `SerialNeuron` connected to pins of a board: to the first UART and the first LED that the board has."""

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
