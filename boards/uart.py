"""A UART (serial port): a receiver and a transmitter with 8 data bits, no parity and one stop bit."""

from amaranth import Cat, Const, Module, Signal, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out


def divisor(clock_hz: float, baud: int) -> int:
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
    byte whose stop bit is low (a break, or noise) is dropped. `bits` has the same bits one by one, each valid for one clock.
    """

    def __init__(self, clocks: int) -> None:
        self.clocks = clocks
        super().__init__(
            {
                "rx": In(1, init=1),
                "bytes": Out(stream.Signature(unsigned(8), always_ready=True)),
                "bits": Out(stream.Signature(1, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        rx = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)
        before = Signal(init=1)  # `rx` one clock ago
        m.d.sync += before.eq(rx)
        # The bits of the byte so far, above a one that says how far: it is at the bottom when the eight are there.
        bits = Signal(9)
        busy = Signal()
        timer = Signal(
            range(self.clocks), init=self.clocks // 2 - 1
        )  # clocks to the middle of the bit that is on the line
        m.d.comb += [self.bits.payload.eq(rx), self.bytes.payload.eq(bits[1:])]
        with m.If(~busy):
            m.d.sync += [busy.eq(before & ~rx), timer.eq(self.clocks // 2 - 1), bits.eq(0)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += timer.eq(self.clocks - 1)
            with m.If(bits == 0):  # in the middle of the start bit
                m.d.sync += bits.eq(1 << 8)
            with m.Elif(~bits[0]):
                m.d.comb += self.bits.valid.eq(1)
                m.d.sync += bits.eq(Cat(bits[1:], rx))
            with m.Else():
                # In the middle of the stop bit. The half bit that remains allows for a sender whose clock is faster.
                m.d.comb += self.bytes.valid.eq(rx)
                m.d.sync += busy.eq(0)
        return m


class Transmitter(wiring.Component):
    """Sends bytes over a serial line, least significant bit first. `tx` idles high; a byte takes ten bits.

    `bits` has the data bits of the byte one by one, each valid for one clock: the last one before the next byte is taken.
    """

    def __init__(self, clocks: int) -> None:
        self.clocks = clocks
        super().__init__(
            {
                "tx": Out(1, init=1),
                "bytes": In(stream.Signature(unsigned(8))),
                "bits": Out(stream.Signature(1, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        timer = Signal(range(self.clocks))  # clocks until the next bit
        # Bit 0 is on the line, the others follow; the highest one is the stop bit, behind which zeros come. With only the
        # stop bit left, the transmitter is idle: it has then been on the line for a bit.
        line = Signal(10, init=1)
        idle = Signal()
        m.d.comb += [self.tx.eq(line[0]), idle.eq(line[1:] == 0), self.bytes.ready.eq(idle & (timer == 0))]
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(~idle):
            m.d.comb += [self.bits.payload.eq(line[1]), self.bits.valid.eq(line[2:] != 0)]  # what goes on the line next
            m.d.sync += [line.eq(line >> 1), timer.eq(self.clocks - 1)]
        with m.Elif(self.bytes.valid):
            m.d.sync += [line.eq(Cat(Const(0, 1), self.bytes.payload, Const(1, 1))), timer.eq(self.clocks - 1)]
        return m
