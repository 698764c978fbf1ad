"""Random and damaged bytes, in millions, to the host: it takes none of them for a frame, and is confused for a frame at most.

The account of the run marked `long` is printed (`pytest -s`).
"""

import math
import random
import time

import numpy as np
import pytest

from spikefab.boards import link
from spikefab.boards.connection import Connection, LostError
from spikefab.boards.link import BODY, Kind


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
