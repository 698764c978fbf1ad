"""A frame is good only if its bytes have the right CRC and its stuffing ends with it, whatever the line does, for all time.

Proved by the SAT solver of yosys, by induction over the clocks, for every signal on the line: any bytes, breaks, edges at any
time, bytes without a stop bit. So what a receiver out of step takes for a frame is accepted only where a CRC says nothing.
"""

import pytest
from amaranth.hdl import Cat, Fragment, Module, Mux, Signal
from amaranth.lib.crc.catalog import CRC16_IBM_SDLC

from spikefab.boards import framing, uart
from spikefab.boards.table import BOARDS
from spikefab.boards.uart import divisor
from tests.formal import induction

START, RESIDUE = 0xFFFF, 0xF0B8  # of the register: at the start, and after bytes that end with their CRC
POLYNOMIAL = 0x8408  # 0x1021 with its bits in the order in which the line sends them


def after(crc, bits):
    """The register of the CRC behind none of some bits, behind the first, and so on."""
    found = [crc]
    for bit in bits:
        crc = (crc >> 1 ^ Mux(crc[0] ^ bit, POLYNOMIAL, 0))[:16]
        found.append(crc)
    return found


def serial(change=None):
    """The CRC of bits beside that of the library and beside `after`, under any bits and starts."""
    m = Module()
    ok, seen = induction.free("ok", "seen")
    m.submodules.crc = crc = induction.loaded(framing, change)["SerialCRC"]()
    m.submodules.library = library = CRC16_IBM_SDLC(data_width=1).create()
    register = Signal(16, init=START)
    with m.If(crc.start):
        m.d.sync += register.eq(START)
    with m.Elif(crc.valid):
        m.d.sync += register.eq(after(register, [crc.data])[1])
    # in the library, a start does not leave out the bit that comes with it
    m.d.comb += [library.start.eq(crc.start), library.valid.eq(crc.valid & ~crc.start), library.data.eq(crc.data)]
    m.d.comb += seen.eq((crc.crc == library.crc) & (crc.match == library.match_detected))
    m.d.comb += ok.eq(seen & (crc.crc == ~register) & (crc.match == (register == RESIDUE)))
    return m, [ok, seen, crc.start, crc.valid, crc.data]


class Quick(uart.Receiver):
    """A receiver without start bits, and with a clock a bit: the shortest run that shows a fault is nine clocks a byte."""

    def elaborate(self, platform):
        m = Module()
        bits, busy, timer = Signal(9, init=1 << 8), Signal(init=1), Signal()
        m.d.comb += [self.bits.payload.eq(self.rx), self.bytes.payload.eq(bits[1:])]
        m.d.comb += [self.bits.valid.eq(~bits[0]), self.bytes.valid.eq(bits[0] & self.rx)]
        m.d.sync += bits.eq(Mux(bits[0], 1 << 8, Cat(bits[1:], self.rx)))
        self.inner = locals()
        return m


def receiver(clocks, change=None):
    """A receiver of frames beside one that has whole bytes, and beside the CRC of the bytes that it gives out.

    clocks  of a bit; 0: as in `Quick`
    """
    m = Module()
    ok, seen = induction.free("ok", "seen")
    inner = induction.loaded(uart)["Receiver"] if clocks else Quick
    dut = induction.loaded(framing, change, Receiver=inner)["FrameReceiver"](clocks)
    m.submodules.dut = Fragment.get(dut, None)
    line, crc = dut.inner["uart"], dut.inner["crc"].crc ^ START
    bits, busy, timer = (line.inner[name] for name in ("bits", "busy", "timer"))

    # As in `FrameReceiver`, but with a CRC of whole bytes: of all since the first, those that stand for zeros being zeros.
    first, left, right, whole = Signal(init=1), Signal(6), Signal(), Signal(16, init=START)
    given = Signal(16, init=START)  # the CRC of the bytes that were given out
    dropped = Signal()  # a byte of this frame had no stop bit: its bits are in `whole`, but it was not given out
    was_first = Signal(init=1)  # a clock ago
    byte, zero = line.bytes, left == 0
    # The UART shifts the bits of a byte in from the top, above a one that marks the end: n bits are the uppermost n of nine.
    so_far = [after(whole, [bit & ~zero for bit in bits[9 - n :]]) for n in range(9)]
    has = [(bits[: 8 - n] == 0) & bits[8 - n] for n in range(9)]
    m.d.sync += was_first.eq(first)
    with m.If(first):
        m.d.sync += [whole.eq(START), given.eq(START), dropped.eq(0)]
    with m.Elif(line.bits.valid & has[7]):
        m.d.sync += whole.eq(after(so_far[7][7], [line.bits.payload & ~zero])[1])
    with m.If(dut.bytes.valid):
        m.d.sync += given.eq(after(given, dut.bytes.payload)[8])
    with m.If(byte.valid):
        m.d.sync += [first.eq(byte.payload == 0), right.eq(whole == RESIDUE)]
        m.d.sync += left.eq(Mux(byte.payload == 0, 0, Mux(zero, byte.payload, left) - 1))
    with m.Elif(busy & (timer == 0) & bits[0] & ~first):
        m.d.sync += dropped.eq(1)

    claims = [
        dut.end == (byte.valid & (byte.payload == 0) & ~first),
        ~dut.end | (dut.good == (right & zero)),
        ~(dut.end & dut.good) | dropped | (given == RESIDUE),
        dut.bytes.valid == (byte.valid & (byte.payload != 0) & ~first),
        ~dut.bytes.valid | (dut.bytes.payload == Mux(zero, 0, byte.payload)),
    ]
    ended = bits[0] & busy  # the eight bits are there, and the stop bit is not
    invariants = [
        dut.inner["first"] == first,
        dut.inner["left"] == left,
        first | (dut.inner["ok"] == right),
        ~first | (left == 0),
        was_first | Cat(has[1:8]).any() | (crc == whole),
        *(was_first | ~has[n] | (crc == so_far[n][n]) for n in range(1, 8)),
        ~was_first | ((crc == START) & (whole == START) & (given == START)),
        ~was_first | first | (~busy & bits[0]),
        ~first | was_first | ~busy,
        busy | (bits == 0) | bits[0],
        dropped | first | (whole == Mux(ended, after(given, [bit & ~zero for bit in bits[1:]])[8], given)),
        dropped | first | (right == (given == RESIDUE)),
    ]
    m.d.comb += [seen.eq(Cat(*claims).all()), ok.eq(Cat(*invariants).all() & seen)]
    return m, [ok, seen, dut.rx]


def test_serial_crc_is_that_of_the_library(tmp_path):
    assert induction.proved(*serial(), tmp_path)


@pytest.mark.parametrize(
    "clocks",
    [
        4,
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in sorted({divisor(b.neuron_hz, b.uart_baud) for b in BOARDS.values()})
        ),
    ],
)
def test_good_frames_are_those_with_the_right_crc_and_stuffing(clocks, tmp_path):
    """And what was given out of them has this CRC, but for a byte without a stop bit, whose bits count though it is left out."""
    assert induction.proved(*receiver(clocks), tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(state >> 1)", "(state >> 2)"),
        ("state == CRC().residue()", "state == CRC().residue() + 1"),
        ("with m.If(self.start):", "with m.If(self.start & ~self.valid):"),
    ],
    ids=lambda text: text,
)
def test_another_crc_is_refuted(old, new, tmp_path):
    assert induction.refuted(*serial((old, new)), tmp_path, 40)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.good.eq(ok & zero)", "self.good.eq(ok)"),
        pytest.param("self.good.eq(ok & zero)", "self.good.eq(zero)", marks=pytest.mark.slow),
        pytest.param("uart.bits.payload & ~zero", "uart.bits.payload", marks=pytest.mark.slow),
        pytest.param("crc.start.eq(first)", "crc.start.eq(0)", marks=pytest.mark.slow),
        pytest.param("first.eq(1), left.eq(0)", "first.eq(1)", marks=pytest.mark.slow),
        pytest.param("self.end.eq(~first)", "self.end.eq(1)", marks=pytest.mark.slow),
    ],
    ids=lambda text: text,
)
def test_another_receiver_is_refuted(old, new, tmp_path):
    assert induction.refuted(*receiver(0, (old, new)), tmp_path, 60)


@pytest.mark.slow
def test_the_receiver_itself_is_not(tmp_path):
    assert not induction.refuted(*receiver(0), tmp_path, 60)
