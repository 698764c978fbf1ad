"""Gateware that makes frames of bytes, and bytes of frames: stuffing and CRC on the line itself, without a memory.

The CRC takes the bits as they pass over the line: a byte that stands for a zero counts as eight zero bits.
"""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC16_IBM_SDLC as CRC
from amaranth.lib.wiring import In, Out

from .link import BODY
from .uart import Receiver, Transmitter


class SerialCRC(wiring.Component):
    """The CRC of bits that come one by one: the register of `link.CRC`, which amaranth.lib.crc makes half as large again.

    | port | dir | meaning |
    |---|---|---|
    | `start` | in | begin anew |
    | `valid` `data` | in | the next bit, least significant bit of each byte first |
    | `crc` | out | the CRC of the bits so far |
    | `match` | out | the last sixteen bits were the CRC of those before them |
    """

    def __init__(self) -> None:
        super().__init__({"start": In(1), "valid": In(1), "data": In(1), "crc": Out(16), "match": Out(1)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        state = Signal(16, init=CRC.initial_crc)
        mirrored = int(f"{CRC.polynomial:016b}"[::-1], 2)
        m.d.comb += [self.crc.eq(state ^ CRC.xor_output), self.match.eq(state == CRC().residue())]
        with m.If(self.start):
            m.d.sync += state.eq(CRC.initial_crc)
        with m.Elif(self.valid):
            m.d.sync += state.eq((state >> 1) ^ Mux(state[0] ^ self.data, mirrored, 0))
        return m


class FrameReceiver(wiring.Component):
    """The bytes of frames that arrive on a line.

    | port | dir | meaning |
    |---|---|---|
    | `rx` | in | the line, asynchronous, idle high |
    | `bytes` | out | a byte of a frame, head and CRC included, valid for one clock |
    | `end` | out | high for one clock after the last byte of a frame, if it had any |
    | `good` | out | at `end`: the CRC is right. A frame that is not good may have had any bytes, and any number of them |

    Bytes come ten bits apart at least.
    """

    def __init__(self, clocks: int) -> None:
        self.clocks = clocks
        super().__init__(
            {
                "rx": In(1, init=1),
                "bytes": Out(stream.Signature(unsigned(8), always_ready=True)),
                "end": Out(1),
                "good": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.uart = uart = Receiver(self.clocks)
        m.submodules.crc = crc = SerialCRC()
        left = Signal(range(BODY + 2))  # bytes before the next one that stands for a zero
        first = Signal(init=1)  # the next byte is the first of a frame: it stands for a zero, but for none of the frame
        ok = Signal()  # the bytes so far, the last of them whole, have the right CRC
        zero = Signal()  # the byte that is arriving stands for a zero
        byte = uart.bytes
        m.d.comb += [
            uart.rx.eq(self.rx),
            zero.eq(left == 0),
            crc.data.eq(uart.bits.payload & ~zero),
            crc.valid.eq(uart.bits.valid),
            crc.start.eq(first),
            self.bytes.payload.eq(Mux(zero, 0, byte.payload)),
            self.good.eq(ok & zero),
        ]
        with m.If(byte.valid):
            with m.If(byte.payload == 0):
                m.d.comb += self.end.eq(~first)
                m.d.sync += [first.eq(1), left.eq(0)]
            with m.Else():
                m.d.comb += self.bytes.valid.eq(~first)
                m.d.sync += [first.eq(0), left.eq(Mux(zero, byte.payload, left) - 1), ok.eq(crc.match)]
        return m


class FrameTransmitter(wiring.Component):
    """Sends frames over a line: adds the CRC, stuffs from the end, ends with a zero byte.

    | port | dir | meaning |
    |---|---|---|
    | `bytes` | in | bytes of a frame. There may be pauses between them |
    | `finish` | in | the frame ends here; not while a byte is offered |
    | `tx` | out | the line, idle high |

    A frame of n bytes takes n + 4 bytes on the line, of ten bits each.
    """

    def __init__(self, clocks: int) -> None:
        self.clocks = clocks
        super().__init__({"tx": Out(1, init=1), "bytes": In(stream.Signature(unsigned(8))), "finish": In(1)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.uart = uart = Transmitter(self.clocks)
        m.submodules.crc = crc = SerialCRC()
        since = Signal(
            range(BODY + 2), init=1
        )  # bytes on the line since the last zero, and one; at the end of a frame 0
        stuffed, checked = Signal(), Signal()  # the byte on the line stands for a zero; is one of the CRC
        closing = Signal()  # what comes next is not a byte of the frame, but what marks its end
        byte = Signal(8)  # what is to be sent, before stuffing
        zero = Signal()
        m.d.comb += [
            self.tx.eq(uart.tx),
            # the bits of the CRC itself are fed back, which moves the register on without changing it
            crc.data.eq(Mux(checked, ~crc.crc[0], uart.bits.payload & ~stuffed)),
            crc.valid.eq(uart.bits.valid),
            uart.bytes.payload.eq(Mux(zero, since, byte)),
            zero.eq(closing | (byte == 0)),
        ]
        taken = uart.bytes.valid & uart.bytes.ready
        with m.If(taken):
            m.d.sync += [stuffed.eq(zero), since.eq(Mux(zero, ~closing, since + 1))]
        with m.FSM():
            with m.State("bytes"):
                m.d.comb += [byte.eq(self.bytes.payload), uart.bytes.valid.eq(self.bytes.valid)]
                m.d.comb += self.bytes.ready.eq(uart.bytes.ready)
                m.d.sync += checked.eq(0)
                with m.If(self.finish):
                    m.next = "low"
            with m.State("low"):
                m.d.comb += [byte.eq(crc.crc[:8]), uart.bytes.valid.eq(1)]
                with m.If(uart.bytes.ready):
                    m.d.sync += checked.eq(1)
                    m.next = "high"
            with m.State("high"):
                m.d.comb += [byte.eq(crc.crc[:8]), uart.bytes.valid.eq(1)]
                with m.If(uart.bytes.ready):
                    m.next = "end"
            with m.State("end"):
                m.d.comb += [closing.eq(1), uart.bytes.valid.eq(1)]
                with m.If(uart.bytes.ready):
                    m.next = "zero"
            with m.State("zero"):
                m.d.comb += [closing.eq(1), uart.bytes.valid.eq(1)]
                with m.If(uart.bytes.ready):
                    m.d.sync += since.eq(1)
                    m.next = "idle"
            with m.State("idle"):  # the zero is on the line: its bits are in no CRC
                m.d.comb += crc.start.eq(1)
                with m.If(uart.bytes.ready):
                    m.next = "bytes"
        return m
