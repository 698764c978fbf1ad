"""The host's side of the link: sends frames in order, repeats those that were lost, and collects what the board sends."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from spikefab.errors import BoardError

from . import link
from .link import BODY, PAGE, Flag, Kind, Layout, Op

WINDOW = 3  # frames sent before an answer is read, at most: their numbers are modulo 4
REPEAT = 0.25  # s without an answer after which frames are repeated
SILENCE = 3.0  # s without any frame from the board, although asked, after which it is said to be silent
STUBBORN = 200  # times that frames are repeated, with nothing carried out in between, before a board is said to refuse
TRIES = 3  # times that an identity is read, or a run made, if the line damages it
LONGEST = 256 * PAGE  # bytes of an identity block, at most
POLL = 0.02  # s between two questions to a board that has nothing to say


class Line(Protocol):
    """What a connection needs of a serial port: `read` waits some ms for bytes, `write` sends them."""

    def read(self) -> bytes: ...
    def write(self, data: bytes) -> None: ...


class LostError(Exception):
    """Frames from the board were damaged or lost: what they held cannot be had again, and the run has to be repeated."""


class Connection:
    """Frames over a line.

    flags    of the last frame from the board
    records  called with each record's bytes
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.flags = Flag(0)
        self.begun = 0  # entries of the stimulus played, as the last answer said, in its unit
        self.damaged = 0  # frames from the board whose CRC was wrong
        self.foreign = 0  # bytes from the board that were in no good frame
        self.records: Callable[[bytes], None] = lambda data: None
        self._pages: list[bytes] = []  # of the identity block, that came since the last question
        self._frames: int | None = None  # number of the last frame with records
        self._counting = False  # whether a frame with records that is missing is a loss
        self._received = bytearray()
        self._taking = False  # whether frames that have arrived are being taken
        self._later: list[tuple[int, bytes]] = []  # frames to be sent when that is done
        self._expected = 0  # number of the next frame, as the board said last
        self._next = 0  # number of the next frame to be sent for the first time
        self._sent: list[bytes] = []  # frames that were sent and not yet carried out
        self._times = 0  # frames were repeated since something was carried out
        self._repeated = 0.0  # s, when something was last sent or carried out
        self._heard = time.monotonic()

    # -- what arrives --------------------------------------------------------------------------------------------

    def receive(self) -> bool:
        """Take what has arrived; returns whether there was a good frame. Raises LostError and BoardError."""
        data = self.line.read()
        good, self._taking = False, True
        try:
            good = self._split(data)
        finally:
            self._taking = False
        if good:
            self._heard = time.monotonic()
        while self._later and self.waiting < WINDOW:
            self.send(*self._later.pop(0))
        return good

    def _split(self, data: bytes) -> bool:
        """Take the frames that are whole with these bytes; returns whether there was a good one."""
        good = False
        self._received += data
        *frames, rest = bytes(self._received).split(b"\0")
        if len(rest) > 4 * BODY:  # no frame is so long
            self.foreign += len(rest)
            rest = b""
        self._received = bytearray(rest)
        for frame in frames:
            if frame:
                good |= self._take(frame)
        return good

    def _take(self, frame: bytes) -> bool:
        body = link.from_board(frame) if len(frame) <= BODY + 1 else None
        if body is None or body[0] & 3 > Kind.RECORDS:
            self.damaged += 1
            self.foreign += len(frame)
            return False
        kind, self.flags, frames = Kind(body[0] & 3), Flag(body[0] & 0xFC), body[1] >> 2
        self._acknowledge(body[1] & 3)
        if kind == Kind.PAGE:
            self._pages.append(body[2:])
        elif kind == Kind.ANSWER:
            self.begun = body[2] if len(body) > 2 else 0
            if self.flags & Flag.REFUSED:
                self._repeated = 0.0  # the frames behind it are refused too: repeat them all
        else:
            if self._counting and self._frames is not None and frames != (self._frames + 1) % 64:
                raise LostError
            self._frames = frames
            self.records(body[2:])
        return True

    def _acknowledge(self, expected: int) -> None:
        self._expected = expected
        first = (self._next - len(self._sent)) % 4
        done = (expected - first) % 4
        if done <= len(self._sent):
            del self._sent[:done]
            if done:
                self._repeated, self._times = time.monotonic(), 0

    # -- what is sent --------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Frames that were sent and not yet carried out."""
        return len(self._sent)

    def send(self, what: int, payload: bytes) -> None:
        """Send a frame, after waiting until fewer than three are on their way.

        If `records` calls this, it is sent later: what has arrived must be taken in its order.
        """
        if self._taking:
            self._later.append((what, payload))
            return
        while self.waiting >= WINDOW:
            self.turn()
        frame = link.to_board(bytes([self._next << 6 | what]) + payload)
        self._next = (self._next + 1) % 4
        if not self._sent:
            self._repeated = time.monotonic()
        self._sent.append(frame)
        self.line.write(frame)

    def turn(self) -> bool:
        """Take what arrives in the next ms, and repeat what was lost. Returns whether there was a good frame."""
        good = self.receive()
        now = time.monotonic()
        if now - self._heard > SILENCE:
            raise BoardError(self._silence())
        if self._sent and now - self._repeated > REPEAT:
            self._repeated, self._times = now, self._times + 1
            if self._times > STUBBORN:
                raise BoardError("the board answers but refuses what it is told: flash its bitstream again.")
            self.line.write(b"\0" + b"".join(self._sent))  # the zero ends what may have arrived of a frame
        return good

    def _silence(self) -> str:
        if self.foreign:
            return (
                f"something answers, but not in frames of spikefab ({self.foreign} bytes): another bitstream, or another "
                "baud: flash the bitstream again, and give its --baud."
            )
        return (
            "the board does not answer: is it the right port, and was the bitstream flashed? On some boards there are two "
            "ports, and the second is the one."
        )

    def settle(self) -> None:
        """Wait until all that was sent is carried out."""
        while self.waiting or self._later:
            self.turn()

    def listen(self, records: Callable[[bytes], None] | None) -> None:
        """Call `records` with what comes from now on, and raise LostError if some of it is missing; None: drop it."""
        self._frames, self._counting = None, records is not None
        self.records = records or (lambda data: None)
        self._heard = time.monotonic()

    # -- what a host asks ------------------------------------------------------------------------------------------

    def identify(self) -> dict[str, Any]:
        """The identity of the board. Raises BoardError if nothing answers, or something else does."""
        self.listen(None)
        self._sent.clear()
        self._later.clear()
        self.line.write(b"\0\0")
        for _ in range(TRIES):
            block = self._ask(0)
            length = int.from_bytes(block[:2], "little") + 4
            while len(block) < min(length, LONGEST):
                block += self._ask(len(block) // PAGE)
            identity = link.read_identity(block)
            if identity is not None:
                self._next = self._expected = 0
                self._sent.clear()
                return identity
        raise BoardError("the board's identity is damaged: flash its bitstream again.")

    def _ask(self, page: int) -> bytes:
        """A page of the identity block."""
        self._pages.clear()
        frame, asked, times = link.to_board(bytes([Op.IDENTIFY, page])), 0.0, 0
        while not self._pages:
            if time.monotonic() - asked > REPEAT:
                asked, times = time.monotonic(), times + 1
                self.line.write(frame)
            self.turn()
        # An answer does not say of which page it is: those to repeated questions must not be taken for the next one's.
        while len(self._pages) < times and time.monotonic() - asked < SILENCE / 3:
            self.turn()
        return self._pages[0]

    def write(self, layout: Layout, what: int, value: int) -> None:
        """Write a register of the neuron (its address), or `Op.CONTROL` or `Op.SEED`."""
        bits = 8 * layout.code_bytes
        self.send(what, (int(value) % (1 << bits)).to_bytes(layout.code_bytes, "little"))

    def play(self, layout: Layout, entries: Sequence[tuple[int, int]]) -> None:
        """Send entries of the stimulus, each a code and the steps for which it lasts; as many as `per_frame`, at most."""
        self.send(Op.PLAY, b"".join(layout.entry(code, steps) for code, steps in entries))


def per_frame(layout: Layout) -> int:
    """Entries of the stimulus that one frame carries."""
    return (BODY - 3) // layout.entry_bytes
