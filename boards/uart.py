"""A UART (serial port): a receiver and a transmitter with 8 data bits, no parity and one stop bit."""

from amaranth import Cat, Const, Module, Signal, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out


def divisor(clock_hz: int, baud: int) -> int:
    """Clocks per bit of the serial line. Raises ValueError if the resulting baud rate is more than 2 % off.

    A receiver synchronises to the start of every byte and samples each bit in its middle, so an error of 2 % is safe.
    """
    clocks = round(clock_hz / baud)
    if clocks < 4 or abs(clock_hz / clocks / baud - 1) > 0.02:
        raise ValueError(f"{baud} baud cannot be made from {clock_hz} Hz")
    return clocks


class Receiver(wiring.Component):
    """Turns the signal of a serial line into bytes, least significant bit first.

    `rx` is asynchronous and idles high. `bytes` is valid for one clock, in the middle of the stop bit: 9.5 bits, and two
    clocks of the synchroniser, after the falling edge of the start bit. The reader must take the byte in that clock. A
    byte whose stop bit is low (a break, or noise) is dropped.
    """

    def __init__(self, clocks: int) -> None:
        self.clocks = clocks
        super().__init__({"rx": In(1, init=1), "bytes": Out(stream.Signature(unsigned(8), always_ready=True))})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        rx = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)
        before = Signal(init=1)  # `rx` one clock ago
        m.d.sync += before.eq(rx)
        first = self.clocks + self.clocks // 2 - 1  # from the falling edge to the middle of the first data bit
        timer = Signal(range(first + 1))
        left = Signal(range(10))  # bits still to be sampled, the stop bit included
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
            # In the middle of the stop bit. The half bit that remains allows for a sender whose clock is faster.
            with m.If(left == 1):
                m.d.comb += self.bytes.valid.eq(rx)
            with m.Else():
                m.d.sync += [self.bytes.payload.eq(Cat(self.bytes.payload[1:], rx)), timer.eq(self.clocks - 1)]
        with m.Elif(before & ~rx):
            m.d.sync += [timer.eq(first), left.eq(9)]
        return m


class Transmitter(wiring.Component):
    """Sends bytes over a serial line, least significant bit first. `tx` idles high; a byte takes ten bits and one clock."""

    def __init__(self, clocks: int) -> None:
        self.clocks = clocks
        super().__init__({"tx": Out(1, init=1), "bytes": In(stream.Signature(unsigned(8)))})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        timer = Signal(range(self.clocks))  # clocks until the next bit
        line = Signal(9, init=0x1FF)  # bit 0 is on the line, the others follow; ones are shifted in as stop and idle
        left = Signal(range(11))  # bits still to be sent
        m.d.comb += [self.tx.eq(line[0]), self.bytes.ready.eq(left == 0)]
        with m.If(self.bytes.valid & self.bytes.ready):
            m.d.sync += [line.eq(Cat(Const(0, 1), self.bytes.payload)), left.eq(10), timer.eq(self.clocks - 1)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(left != 0):
            m.d.sync += [line.eq(Cat(line[1:], Const(1, 1))), left.eq(left - 1), timer.eq(self.clocks - 1)]
        return m
