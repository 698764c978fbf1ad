"""Random and damaged bytes, in millions: neither host nor board takes them for frames, or is confused for longer than a frame.

The accounts of the runs marked `long` are printed (`pytest -s`).
"""

import importlib.util
import math
import random
import time
from pathlib import Path

import numpy as np
import pytest

from spikefab.boards import link
from spikefab.boards.connection import Connection, LostError
from spikefab.boards.link import BODY, Control, Flag, Kind, Op
from spikefab.boards.reference_board import ReferenceBoard

SPEC = importlib.util.spec_from_file_location("host", Path(__file__).with_name("host.py"))
host = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(host)


# -- the host's parser


class Chunks:
    """A line on which bytes arrive in the pieces in which they are put there."""

    def __init__(self):
        self.arrived = b""

    def read(self):
        data, self.arrived = self.arrived, b""
        return data

    def write(self, data):
        raise AssertionError("nothing was asked")


class Counting(Connection):
    """A connection that counts what it takes: frames that were sent, and others."""

    def __init__(self, sent):
        super().__init__(Chunks())
        self.listen(lambda data: None)
        self.sent, self.right, self.wrong, self.candidates, self.last = sent, 0, 0, 0, b""

    def _take(self, frame):
        try:
            taken = super()._take(frame)
        except LostError:  # the frames before it are missing: the frame itself is good
            self.listen(lambda data: None)
            taken = True
        if taken and frame in self.sent:
            self.right += 1
            self.last = frame
        else:
            self.candidates += len(frame) <= BODY + 1
            self.wrong += taken
        return taken


def sent_frames(rng, count):
    """Frames of each kind, as boards send them."""
    pages = [bytes([Kind.PAGE, rng.randrange(256)]) + rng.randbytes(32) for _ in range(count)]
    answers = [bytes([Kind.ANSWER | rng.randrange(0, 256, 4), rng.randrange(256), k % 256]) for k in range(count)]
    records = [bytes([Kind.RECORDS, k % 64 << 2]) + rng.randbytes(4 * rng.randint(1, 11)) for k in range(count)]
    return [link.to_host(body) for bodies in zip(pages, answers, records, strict=True) for body in bodies]


def random_bytes(rng, frames, size):
    return rng.bytes(size)


def stuffed_bytes(rng, frames, size):
    """What stuffing makes of random bytes: frames but for their CRC."""
    length = 20
    rows = rng.integers(1, 256, (size // (length + 2), length + 2), dtype=np.uint8)
    rows[:, length:] = (length + 1, 0)
    return rows.tobytes()


def damaged_bytes(rng, frames, size):
    """Frames with bits flipped, and with bytes that are missing, added, or zero."""
    lines = []
    while sum(map(len, lines)) < size:
        lines += [frames[k] for k in rng.integers(0, len(frames), 1000)]
    line = np.frombuffer(b"".join(lines)[:size], dtype=np.uint8).copy()
    flipped = rng.random(size) < 1 / 60
    line[flipped] ^= 1 << rng.integers(0, 8, flipped.sum(), dtype=np.uint8)
    line[rng.random(size) < 1 / 500] = 0
    line = line[rng.random(size) > 1 / 200]
    return np.insert(line, rng.integers(0, len(line), size // 300), rng.integers(0, 256, size // 300)).tobytes()


def parse(total, report):
    """Each kind of bytes, in pieces of any length; behind each piece a good frame is taken, or at the latest the next."""
    seed = random.Random(1)
    frames = sent_frames(seed, 1000)
    sent = {frame[:-1] for frame in frames}
    marker = link.to_host(bytes([Kind.ANSWER, 0, 99]))
    for kind, share in ((random_bytes, 0.1), (stuffed_bytes, 0.6), (damaged_bytes, 0.3)):
        rng = np.random.default_rng(2)
        connection, done, pieces, seconds = Counting(sent | {marker[:-1]}), 0, 0, 0.0
        while done < share * total:
            block = kind(rng, frames, min(1 << 20, round(share * total)))
            done, at = done + len(block), 0
            started = time.perf_counter()
            while at < len(block):
                end = at + seed.randint(1, 8000)
                for piece in (block[at:end], marker, marker):
                    connection.line.arrived = piece
                    connection.last = b""
                    connection.receive()
                assert connection.last == marker[:-1], "it has not recovered with the second frame"
                at, pieces = end, pieces + 1
            seconds += time.perf_counter() - started
        c = connection
        report(
            f"{kind.__name__}: {done:,} bytes, {done / seconds / 1e6:.2f} MB/s, {c.candidates:,} candidates, {c.wrong} taken, "
            f"{c.right:,} good frames"
        )
        # The CRC lets 1 in 65536 pass if all its bits are random; of those, the fourth kind of frame is refused.
        most = c.candidates / 65536
        assert c.wrong <= most + 5 * math.sqrt(most) + 1
        assert c.right >= pieces
        if kind is stuffed_bytes:
            assert c.candidates > 0.9 * done / 22
            likely = 0.75 * most
            assert c.wrong >= likely - 5 * math.sqrt(likely)


def test_host_takes_no_frame_from_a_million_bytes():
    parse(10**6, lambda text: None)


@pytest.mark.long
def test_host_takes_no_frame_from_a_hundred_million_bytes():
    parse(10**8, print)


# -- the board's parser


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
