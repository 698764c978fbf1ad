"""The serial line against itself and against a line that is timed by hand."""

import pytest
from amaranth import Module
from amaranth.sim import Simulator

from spikefab.boards.table import BOARDS
from spikefab.boards.uart import Receiver, Transmitter, divisor

CLOCKS = 50  # a bit, here
EVERY_BIT = bytes([0x00, 0xFF, 0x55, 0xAA, *(1 << k for k in range(8)), *(0xFF ^ (1 << k) for k in range(8))])


def received(drive, dut=None):
    """The bytes that a receiver gives while `drive(ctx, dut)` moves its line."""
    dut = dut or Receiver(CLOCKS)
    got = []

    async def collect(ctx):
        async for _, _, valid, payload in ctx.tick().sample(dut.bytes.valid, dut.bytes.payload):
            if valid:
                got.append(payload)

    async def line(ctx):
        await drive(ctx, dut)
        await ctx.tick().repeat(2 * CLOCKS)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(line)
    sim.add_testbench(collect, background=True)
    sim.run()
    return got


async def send(ctx, line, value, clocks, stop=1):
    for bit in (0, *((value >> k) & 1 for k in range(8)), stop):
        ctx.set(line, bit)
        await ctx.tick().repeat(clocks)
    ctx.set(line, 1)


@pytest.mark.parametrize("clocks", [CLOCKS - 1, CLOCKS, CLOCKS + 1], ids=["2 % fast", "exact", "2 % slow"])
def test_receives_bytes_back_to_back(clocks):
    async def drive(ctx, dut):
        for value in EVERY_BIT:
            await send(ctx, dut.rx, value, clocks)

    assert received(drive) == list(EVERY_BIT)


def test_drops_a_byte_without_stop_bit_and_takes_the_next():
    async def drive(ctx, dut):
        await send(ctx, dut.rx, 0x53, CLOCKS, stop=0)
        await ctx.tick().repeat(12 * CLOCKS)
        await send(ctx, dut.rx, 0xA5, CLOCKS)

    assert received(drive) == [0xA5]


def test_what_is_transmitted_is_received():
    class Loop(Receiver):
        def elaborate(self, platform):
            m = Module()
            m.submodules.transmitter = self.transmitter = Transmitter(self.clocks)
            m.submodules.inner = inner = Receiver(self.clocks)
            m.d.comb += [inner.rx.eq(self.transmitter.tx), self.bytes.valid.eq(inner.bytes.valid)]
            m.d.comb += self.bytes.payload.eq(inner.bytes.payload)
            return m

    dut = Loop(8)
    message = bytes(range(0, 256, 5)) + b"\xff\x00\xff"

    async def drive(ctx, dut):
        source = dut.transmitter.bytes
        ctx.set(source.valid, 1)
        for value in message:
            ctx.set(source.payload, value)
            await ctx.tick().until(source.ready)
        ctx.set(source.valid, 0)
        await ctx.tick().repeat(12 * dut.clocks)

    assert bytes(received(drive, dut)) == message


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_board_makes_its_baud_rate(board):
    for hz in {board.clock_hz, board.neuron_hz}:
        assert hz / divisor(hz, board.uart_baud) == pytest.approx(board.uart_baud, rel=0.005)


@pytest.mark.parametrize("baud", [7_000_000, 3_500_000])
def test_a_rate_that_the_clock_cannot_make_is_refused(baud):
    with pytest.raises(ValueError, match="cannot be made"):
        divisor(12_000_000, baud)
