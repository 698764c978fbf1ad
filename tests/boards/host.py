"""A host at the pins of a simulated board: its script sends frames, and reads what comes back.

The board is the top level in Verilator (`talk`), or any part of it in Amaranth's simulator (`talk_in_amaranth`), which is slow,
but compiles nothing and shows every signal.
"""

import dataclasses
import struct
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from amaranth.back import rtlil
from amaranth.sim import Simulator

from spikefab.boards import link
from spikefab.boards.link import Flag, Kind, Layout, Op
from spikefab.boards.linked import LinkedNeuron
from spikefab.boards.table import get_board
from spikefab.boards.top import Setup
from spikefab.hw.models import LIFNeuron
from spikefab.sim import reference, rtl_simulation

BIT = 4  # clocks, the fewest that the UART takes: the simulation is short
CLOCK_HZ, BAUD = 80_000, 20_000
DEPTH = 128  # entries of the stimulus
TICK = 100  # clocks of a step in free-run: enough for a step, not for its record on the line
PATIENCE = 1500  # bits that an answer may take


class Frame(NamedTuple):
    """A frame from the board. `expected` is the number of the next frame to it, `number` counts the frames with records."""

    kind: Kind
    flags: Flag
    expected: int
    number: int
    payload: bytes


class Host:
    """Sends frames, and collects those that come back. How bytes are sent, and how time passes, is in its subclasses."""

    def __init__(self, layout):
        self.layout = layout
        self.frames, self.expected = [], 0
        self.received = 0  # bytes
        self._line = bytearray()

    def take(self, byte):
        """A byte from the board."""
        self.received += 1
        self._line.append(byte)
        if byte == 0:
            body = link.from_board(bytes(self._line[:-1]))
            assert body is not None, f"the board sent {self._line.hex()}"
            self.frames.append(Frame(Kind(body[0] & 3), Flag(body[0] & 0xFC), body[1] & 3, body[1] >> 2, body[2:]))
            self._line.clear()

    def frame(self, what, payload=b"", number=None):
        """The bytes on the line of a frame, with the number that is next or another."""
        return link.to_board(bytes([(self.expected if number is None else number) << 6 | what]) + payload)

    async def ask(self, what, payload=b"", number=None):
        """Send a frame, and wait for the answer."""
        seen = len(self.frames)
        await self.put(self.frame(what, payload, number))
        for _ in range(PATIENCE):
            for frame in self.frames[seen:]:
                if frame.kind != Kind.RECORDS:
                    self.expected = frame.expected
                    return frame
            await self.pause(BIT)
        raise AssertionError("the board does not answer")

    async def write(self, what, value):
        """Write a register, the control register or the seed."""
        size = self.layout.code_bytes
        return await self.ask(what, (value % (1 << 8 * size)).to_bytes(size, "little"))

    async def play(self, *entries):
        """Send entries of the stimulus: (code, steps)."""
        return await self.ask(Op.PLAY, b"".join(self.layout.entry(*entry) for entry in entries))

    async def quiet(self, clocks=12 * 10 * BIT):
        """Wait until so many clocks pass without a byte from the board."""
        seen = -1
        while seen != self.received:
            seen = self.received
            await self.pause(clocks)

    @property
    def records(self):
        """[(step modulo 2**15, spike, v)] of all frames with records, none of which may be missing."""
        found, size = [], self.layout.record_bytes
        frames = [frame for frame in self.frames if frame.kind == Kind.RECORDS]
        for k, frame in enumerate(frames):
            assert frame.number == (frames[0].number + k) % 64
            assert len(frame.payload) % size == 0 and len(frame.payload) <= link.RECORDS * size
            found += [self.layout.record(frame.payload[k : k + size]) for k in range(0, len(frame.payload), size)]
        return found


class AmaranthHost(Host):
    """`dut` has `rx` and `tx`; `ctx` is that of a testbench."""

    def __init__(self, dut, layout):
        super().__init__(layout)
        self.dut = dut

    async def listen(self, ctx):
        while True:
            await ctx.negedge(self.dut.tx)
            byte = 0
            for k in range(BIT // 2 + 9 * BIT):  # not `repeat`, which complains if the script ends meanwhile
                await ctx.tick()
                if k % BIT == BIT // 2 - 1:  # in the middle of a bit; the start bit is shifted out again
                    byte = byte >> 1 | ctx.get(self.dut.tx) << 8
            assert ctx.get(self.dut.tx) == 1, "a stop bit is low"
            self.take(byte & 0xFF)

    async def put(self, line):
        for byte in line:
            for bit in (0, *((byte >> k) & 1 for k in range(8)), 1):
                self.ctx.set(self.dut.rx, bit)
                await self.ctx.tick().repeat(BIT)

    async def pause(self, clocks):
        await self.ctx.tick().repeat(clocks)


class VerilatorHost(Host):
    """`process` runs fuzz.cpp. `high` are the clocks, since the reset, in which led, spike and voltage were high."""

    def __init__(self, process, layout):
        super().__init__(layout)
        self.process, self.high = process, np.zeros(3, dtype=int)

    def command(self, letter, number, data=b""):
        """What comes back in the time of a command of fuzz.cpp."""
        self.process.stdin.write(letter + struct.pack("=I", number) + data)
        self.process.stdin.flush()
        (size,) = struct.unpack("=I", self.process.stdout.read(4))
        came = self.process.stdout.read(size)
        low, *high = struct.unpack("=4I", self.process.stdout.read(16))
        self.high = self.high + high
        assert low == 0, "a stop bit is low"
        return came

    async def put(self, line):
        for byte in self.command(b"S", len(line), line):
            self.take(byte)

    async def pause(self, clocks):
        for byte in self.command(b"P", clocks):
            self.take(byte)


def small(neuron, crowd=None, tick=TICK):
    """A setup of few clocks a bit, and of few entries."""
    board = dataclasses.replace(get_board("icebreaker"), clock_hz=CLOCK_HZ, uart_baud=BAUD, stimulus=DEPTH)
    setup = Setup(neuron, board, CLOCK_HZ, crowd=crowd)
    setup.tick = tick
    return setup


@cache
def program(crowd=None, tick=TICK):
    """The top level with a LIF neuron of 16 bits, or many, and its setup, compiled once."""
    setup = small(LIFNeuron(word=16), crowd, tick)
    design = rtlil.convert(setup.system(), name=rtl_simulation.TOP, emit_src=False)
    return rtl_simulation.program(design, Path(__file__).with_name("fuzz.cpp")), setup


def talk(script, made=lambda process, setup: VerilatorHost(process, setup.layout), **more):
    """Run `script(host)` against the board of `program`, and return the host, which is `made`."""
    path, setup = program(**more)
    with subprocess.Popen([path, str(BIT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        host = made(process, setup)
        try:
            script(host).send(None)
        except StopIteration:
            return host
        finally:
            process.stdin.close()
    raise AssertionError("nothing here waits for anything but the process")


def talk_in_amaranth(script, neuron, *, tick=TICK, also=(), fast=None):
    """Run `script(host)` against a neuron on its line, and return the host.

    `also`: other testbenches; `fast`: how much faster than the link's the clock of the neurons is, if they have their own.
    """
    dp = neuron.datapath
    layout = Layout(dp.code_bits, dp.current.width, dp.readout.width, DEPTH)
    identity = link.identity_block({"model": type(neuron).__name__})
    dut = LinkedNeuron(neuron, layout, identity, clock_hz=CLOCK_HZ, baud=BAUD, tick=tick)
    host = AmaranthHost(dut, layout)

    async def bench(ctx):
        host.ctx = ctx
        await script(host)

    sim = Simulator(dut)
    sim.add_clock(1 / CLOCK_HZ)
    if fast is not None:
        sim.add_clock(1 / CLOCK_HZ / fast, phase=0.3 / CLOCK_HZ, domain="fast")
    sim.add_testbench(bench)
    for watch in (host.listen, *also):
        sim.add_testbench(watch, background=True)
    sim.run()
    return host


def reference_records(neuron, current, writes=()):
    """[(step, spike, v)] of the reference from reset under current codes. `writes`: (step, address, code), before a step."""
    dp = neuron.datapath
    registers, found = list(neuron.reset_codes), []
    cuts = sorted({0, len(current), *(step for step, _, _ in writes)})
    for first, last in pairwise(cuts):
        for _, address, code in (write for write in writes if write[0] == first):
            registers[address] = code
        count = len(dp.coefficients)
        part = np.asarray(current[first:last], dtype=np.int64)
        v, spikes, states = reference.run(dp, np.array(registers[count:]), np.array(registers[:count]), part)
        registers[count:] = map(int, states[-1])
        found += [(first + n, bool(s), int(x)) for n, (x, s) in enumerate(zip(v, spikes, strict=True))]
    return found
