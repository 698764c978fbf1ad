"""What a board does, computed by the exact reference: bytes of the link in, bytes of the link out."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.sim import kernels

from . import link
from .link import BODY, DECIMATIONS, NOISE_AT, PAGE, RECORDS, RECORDS_AT, TIME_BITS, Control, Flag, Kind, Op
from .top import Setup

CHUNK = 2000  # steps that are computed at a time, in lockstep
GRAIN = 5.0  # ms of free-run that are computed at a time, once in so many ms or, on a busy machine, later


def noise_codes(seed: int, bits: int, width: int, steps: int) -> tuple[np.ndarray, int]:
    """The noise of so many steps (steps,), codes, and the state of the generator behind them.

    seed   the next 31 bits of the sequence
    bits   of the noise; 0 is none
    width  bits of a current, by which the sequence moves in each step
    """
    longest, other = link.NOISE_LAGS
    sequence = np.zeros(longest + width * steps, dtype=np.uint8)
    sequence[:longest] = (seed >> np.arange(longest)) & 1
    k = longest
    while k < len(sequence):
        # The square of a polynomial over GF(2) has the same terms with doubled exponents: both lags may be doubled as often as
        # there are bits behind, and as many bits as the smaller lag depend on none of each other.
        double = 1 << (k // longest).bit_length() - 1
        n = min(other * double, len(sequence) - k)
        far, near = k - longest * double, k - other * double
        sequence[k : k + n] = sequence[far : far + n] ^ sequence[near : near + n]
        k += n
    state = int(sum(int(bit) << k for k, bit in enumerate(sequence[width * steps :])))
    taken = sequence[: width * steps].reshape(steps, width)[:, :bits].astype(np.int64)
    weights = (1 << np.arange(bits, dtype=np.int64)) * np.where(np.arange(bits) == bits - 1, -1, 1)
    return taken @ weights, state


def simulated(dp: Datapath, coefficients: Any, states: Any, current: np.ndarray) -> tuple[np.ndarray, ...]:
    """The codes of the read-out (T,), the spikes (T,) and the states at the end, under current codes (T,)."""
    row, initial = np.array(coefficients, dtype=np.int64), np.array([states], dtype=np.int64)
    out = kernels.simulate(dp, row, current, initial=initial, max_spikes=len(current), trace=True)
    assert out.trace is not None
    spikes = np.zeros(len(current), dtype=bool)
    spikes[out.spikes[0, 0, : out.count[0, 0]]] = True
    return dp.readout.encode(out.trace[0, 0]), spikes, out.end[0, 0]


class ReferenceBoard:
    """A board as a function of bytes: `advance` takes what the host sent, and returns what the board sends.

    clock  s, that free-run keeps to
    """

    def __init__(self, setup: Setup, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.dp, self.layout = setup.neuron.datapath, setup.layout
        self.identity = link.identity_block(setup.identity)
        self.registers = [int(code) for code in setup.neuron.reset_codes]
        self.chunk = CHUNK
        self.line = bytearray()
        self.expected, self.frames, self.control = 0, 0, 0
        self._restart()
        self._simulated(np.zeros(1, dtype=np.int64))  # compiles the kernel, before a tick waits for it
        self.registers = [int(code) for code in setup.neuron.reset_codes]

    def _restart(self) -> None:
        self.entries: list[
            tuple[int, int]
        ] = []  # those of the memory that are not played, or all in a loop: code, steps
        self.played = 0  # entries that were played to their end
        self.done = 0  # steps done of the first
        self.time = 0
        self.seed = 1
        self.flags = Flag(0)
        self.started: float | None = None  # s, when the last part of a free-run began

    def advance(self, data: bytes, room: bool = True) -> bytes:
        """Take bytes and return bytes. Without `room` no step is begun, as on a board whose line is not emptied."""
        out = b""
        self.line += data
        while b"\0" in self.line:
            frame, _, rest = self.line.partition(b"\0")
            self.line = bytearray(rest)
            if frame:
                out += self._frame(bytes(frame)) + (self._steps() if room else b"")
        return out + (self._steps() if room else b"")

    def _send(self, kind: Kind, payload: bytes) -> bytes:
        if kind == Kind.RECORDS:
            self.frames = (self.frames + 1) % 64
        return link.to_host(bytes([kind | self.flags, self.frames << 2 | self.expected]) + payload)

    def _frame(self, line: bytes) -> bytes:
        body = link.from_host(line)
        if body is None:
            self.flags |= Flag.DAMAGED
            return b""
        self.flags &= ~Flag.REFUSED
        head, payload = body[0], body[1:]
        if head & 63 == Op.IDENTIFY:
            self.expected = 0
            page = payload[0] if payload else 0
            whole = self.identity[page * PAGE : (page + 1) * PAGE]
            return self._send(Kind.PAGE, whole + bytes(PAGE - len(whole)))
        if head >> 6 == self.expected and self._carry_out(head & 63, payload):
            self.expected = (self.expected + 1) % 4
        else:
            self.flags |= Flag.REFUSED
        begun = self.played // (self.layout.depth // 128) % 256
        return self._send(Kind.ANSWER, bytes([begun]))

    def _carry_out(self, what: int, payload: bytes) -> bool:
        if what == Op.PLAY:
            return self._store(payload)
        if len(payload) != self.layout.code_bytes or self.addresses <= what < Op.IDENTIFY or what > Op.SEED:
            return False
        value = int.from_bytes(payload, "little")
        if what == Op.CONTROL:
            self.control = value & (1 << link.CONTROL_BITS) - 1
            if self.control & Control.RESTART:
                self._restart()
            if self.control & Control.RUN and self.control & Control.PACED:
                if self.started is None:
                    self.started = self.clock()
            else:
                self.started = None
        elif what == Op.SEED:
            self.seed = value & (1 << link.NOISE_LAGS[0]) - 1
        else:
            self._write(what, value)
        return True

    @property
    def addresses(self) -> int:
        """How many registers can be written."""
        return len(self.dp.registers)

    def _write(self, address: int, value: int) -> None:
        self.registers[address] = self._code(address, value)

    def _code(self, address: int, value: int) -> int:
        """The code that a register has when these bits are written to it."""
        q = self.dp.registers[address].format
        return ((value - q.lo) & (1 << q.width) - 1) + q.lo

    def _store(self, payload: bytes) -> bool:
        size, q = self.layout.entry_bytes, self.dp.current
        if len(payload) % size or len(self.entries) + len(payload) // size > self.layout.depth:
            return False
        for k in range(0, len(payload), size):
            code = int.from_bytes(payload[k + 1 : k + size], "little")
            self.entries.append((((code - q.lo) & (1 << q.width) - 1) + q.lo, payload[k] + 1))
        return True

    def _steps(self) -> bytes:
        """Compute the steps that are due, and return the frames with their records."""
        if not self.control & Control.RUN:
            return b""
        most = self.chunk
        if self.started is not None:
            now = self.clock()
            if now - self.started < GRAIN / 1000:
                return b""
            self.started = now
            most = max(1, round(GRAIN / self.dp.dt))
        current = self._currents(most)
        if self.started is not None and len(current) < most:
            self.flags |= Flag.STARVED
        if not len(current):
            return b""
        bits = (self.control >> NOISE_AT + 1 & 31) + 1 if self.control >> NOISE_AT & 1 else 0
        q = self.dp.current
        noise, self.seed = noise_codes(self.seed, min(bits, q.width), q.width, len(current))
        total = current + noise
        if np.any((total < q.lo) | (total > q.hi)):
            self.flags |= Flag.CLIPPED
            total = ((total - q.lo) & (1 << q.width) - 1) + q.lo
        return self._records(*self._simulated(total))

    def _currents(self, most: int) -> np.ndarray:
        """The current codes of the next steps, at most so many, and take them from the memory."""
        loop, parts = self.control & Control.LOOP, []
        while most > 0 and self.entries:
            if loop and self.played >= len(self.entries):
                self.played = 0
            code, steps = self.entries[self.played if loop else 0]
            n = min(most, steps - self.done)
            parts.append(np.full(n, code, dtype=np.int64))
            most, self.done = most - n, self.done + n
            if self.done == steps:
                self.done, self.played = 0, self.played + 1
                if not loop:
                    self.entries.pop(0)
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def _simulated(self, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The codes of the read-out and the spikes (steps,) under current codes (steps,); the states are moved on."""
        count = len(self.dp.coefficients)
        v, spikes, end = simulated(self.dp, self.registers[:count], self.registers[count:], current)
        self.registers[count:] = map(int, end)
        return v, spikes

    def _records(self, v: np.ndarray, spikes: np.ndarray) -> bytes:
        every = DECIMATIONS[(self.control >> RECORDS_AT & 15).bit_count()]
        times = self.time + np.arange(len(v))
        self.time += len(v)
        found = np.flatnonzero(spikes | (times % every == 0))
        wrap = 1 << TIME_BITS
        return self._framed([self.layout.packed(int(times[k]) % wrap, bool(spikes[k]), int(v[k])) for k in found])

    def _framed(self, records: list[bytes]) -> bytes:
        return b"".join(
            self._send(Kind.RECORDS, b"".join(records[k : k + RECORDS])) for k in range(0, len(records), RECORDS)
        )


assert 2 + RECORDS * 5 + 2 <= BODY, "a frame holds its records, of five bytes at most"
