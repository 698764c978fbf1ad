"""Random and damaged bytes, in millions, to a board: it takes none of them for a frame, and is confused for a frame at most.

The board is the top level in Verilator. The same bytes go to the reference, which must then be in the same state. The account of
the run marked `long` is printed (`pytest -s`).
"""

import random
import time

import pytest

from spikefab.boards import link
from spikefab.boards.link import Control, Flag, Kind, Op
from spikefab.boards.reference_board import ReferenceBoard
from tests.boards import host


class Pair(host.VerilatorHost):
    """A host of a board in Verilator, whose bytes also go to the reference; `told` are the reference's answers.

    While the board is `running` by itself, the reference only tells which number the next frame must have.
    """

    def __init__(self, process, setup, seed):
        super().__init__(process, setup.layout)
        self.rng, self.reference, self.neuron = random.Random(seed), ReferenceBoard(setup), setup.neuron
        self.running, self.rest, self.told = False, b"", []
        self.counts = dict.fromkeys(("bytes", "carried out", "refused", "damaged", "records", "levels"), 0)

    async def put(self, line):
        self.tell(line)
        await super().put(line)

    def tell(self, line):
        """Give bytes to the reference; what stands for a zero as the board takes it (tests/boards/test_framing.py)."""
        *parts, self.rest = (self.rest + line).split(b"\0")
        for part in filter(None, parts):
            told, k = bytearray(part), 0
            while k < len(part):
                told[k] = (told[k] - 1) % 64 + 1
                k += told[k]
            bodies = [link.from_board(line) for line in self.reference.advance(bytes(told) + b"\0").split(b"\0")[:-1]]
            if self.running:
                self.reference.control = 0
                self.reference.entries.clear()
                continue
            self.told += bodies
            refused = bodies and bodies[0][0] & Flag.REFUSED
            self.counts["refused" if refused else "carried out" if bodies else "damaged"] += 1

    def body(self):
        """A frame that the board may carry out."""
        rng, size, current = self.rng, self.layout.code_bytes, self.neuron.datapath.current
        number = self.reference.expected if rng.random() < 0.8 else rng.randrange(4)
        registers = range(len(self.neuron.datapath.registers))
        what = rng.choice((*registers, *[Op.PLAY] * 12, *[Op.CONTROL] * 3, Op.SEED, rng.randrange(64)))
        payload = rng.randbytes(size)
        if what == Op.PLAY:
            codes = [rng.randint(current.lo, current.hi) for _ in range(rng.randint(1, 19))]
            payload = b"".join(self.layout.entry(code, rng.choice((1, 1, 2, 3))) for code in codes)
        elif rng.random() < 0.1:
            payload = rng.randbytes(rng.randint(1, 40))
        if what == Op.CONTROL and not self.running:
            payload = bytes(byte & ~Control.RUN for byte in payload)
        return bytes([number << 6 | what]) + payload

    def piece(self):
        """Bytes of the line: a frame, whole or damaged in one of many ways, or no frame at all."""
        rng = self.rng
        line = bytearray(link.to_board(self.body()))
        at = rng.randrange(len(line))
        match rng.randrange(12):
            case 0:
                line[at] ^= 1 << rng.randrange(8)
            case 1:
                del line[at]
            case 2:
                line.insert(at, rng.randrange(256))
            case 3:
                line[at] = rng.randrange(256)
            case 4:
                del line[at : at + rng.randint(1, 20)]
            case 5:
                line += rng.randbytes(rng.randint(1, 100))
            case 6:
                line += bytes(rng.randint(1, 3))
            case 7:
                line = bytearray(rng.randrange(1, 256) for _ in range(rng.randint(60, 300)))
        return bytes(line)

    async def burst(self, size):
        """So many bytes, without a pause; then perhaps a line that jumps, and the zero that ends whatever it was."""
        block = b""
        while len(block) < size:
            block += (piece := self.piece())
            self.tell(piece)
        for byte in self.command(b"S", len(block) + 1, block + b"\0"):
            self.take(byte)
        self.tell(b"\0")
        if noise := self.rng.random() < 0.3:
            for byte in self.command(b"L", 300, self.rng.randbytes(300)):
                self.take(byte)
            self.counts["levels"] += 300
            await self.pause(20 * host.BIT)
            await super().put(b"\0")
        self.counts["bytes"] += len(block)
        return noise

    async def identify(self):
        """The answer to a good frame; it comes within a frame with records, or another page, and its own length."""
        await self.pause(host.BIT)
        seen = len(self.frames)
        await self.put(link.to_board(bytes([Op.IDENTIFY, 0])))
        await self.pause(110 * 10 * host.BIT)
        pages = [frame for frame in self.frames[seen:] if frame.kind == Kind.PAGE]
        assert pages, "the board does not answer a good frame"
        assert pages[-1].payload == self.reference.identity[: link.PAGE]
        self.expected = 0
        return pages[-1]

    async def settle(self):
        """Stop, and begin anew with known registers."""
        self.running = False
        await self.identify()
        await self.write(Op.CONTROL, 0)
        await self.quiet(150 * 10 * host.BIT)
        await self.write(Op.CONTROL, Control.RESTART)
        await self.write(Op.SEED, self.rng.randrange(1, 1 << 31))
        for address, code in enumerate(self.neuron.reset_codes):
            await self.write(address, code)

    def last_answers(self):
        """Head without the flag for damage, number and payload: of the last frame of the board, and of the reference."""
        here = [(frame.flags & Flag.REFUSED, frame.expected, frame.payload) for frame in self.frames[-1:]]
        there = [(body[0] & Flag.REFUSED, body[1] & 3, body[2:]) for body in self.told[-1:]]
        return here, there

    def told_records(self):
        size = self.layout.record_bytes
        bodies = [body for body in self.told if body[0] & 3 == Kind.RECORDS]
        return [self.layout.record(body[k : k + size]) for body in bodies for k in range(2, len(body), size)]


async def disturb(pair, total, size=4000):
    """Bursts of bytes, behind each of which a good frame is answered.

    In two of three the board is not told to run: then it has the state of the reference, and does the same when it runs. In the
    third it runs, with a good frame every few frames.
    """
    k = 0
    while pair.counts["bytes"] < total:
        await pair.settle()
        pair.frames.clear()
        pair.told.clear()
        pair.running = k % 3 == 2
        if pair.running:
            for _ in range(size // 250):
                await pair.burst(250)
                await pair.identify()
        else:
            unknown = Flag.DAMAGED if await pair.burst(size) else 0
            await pair.quiet(150 * 10 * host.BIT)
            here, there = pair.last_answers()
            assert here == there
            page = await pair.identify()
            assert page.flags | unknown == pair.told[-1][0] & 0xFC | unknown
            await pair.write(Op.CONTROL, Control.RUN | link.noise(pair.rng.randint(0, 15)))
            await pair.quiet(150 * 10 * host.BIT)
            assert pair.records == pair.told_records()
            pair.counts["records"] += len(pair.records)
        k += 1


def against_the_board(total, report):
    started, pairs = time.perf_counter(), []

    def made(process, setup):
        pairs.append(Pair(process, setup, seed=1))
        return pairs[0]

    host.talk(lambda pair: disturb(pair, total), made)
    counts = pairs[0].counts
    report(f"{counts}, {time.perf_counter() - started:.0f} s")
    assert min(counts["carried out"], counts["refused"], counts["damaged"]) > total / 1000
    assert counts["records"] > total / 100


def test_board_is_not_confused_by_a_hundred_thousand_bytes():
    against_the_board(10**5, print)


@pytest.mark.long
def test_board_is_not_confused_by_ten_million_bytes():
    against_the_board(10**7, print)
