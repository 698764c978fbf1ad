"""The serial link between a host and a board, as data: frames, operations, registers and flags, and their bytes.

Gateware (`framing`, `player`, `linked`), host (`connection`), twin and docs/board.md are made from this file. The line has 8 data
bits, no parity and one stop bit. Each frame ends with a zero byte, and holds no other: whatever happened before, the next
zero byte ends the confusion. A frame's bytes before their stuffing are

    to the board      head  payload...  crc_low  crc_high
    from the board    head  numbers  payload...  crc_low  crc_high

with the CRC-16/IBM-SDLC of all bytes before it. Towards the board they are stuffed by COBS (Cheshire and Baker 1999), whose
decoder needs no memory. From the board they are stuffed by the same from the end: each zero is replaced by the
distance to the zero *before* it, so that the board can send a byte as soon as it has it, and needs no memory either.
"""

import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

VERSION = 2  # of this protocol; version 1 had frames without check, `W` and `S`
BODY = 62  # bytes of a frame at most, head and CRC included: counters of six bits are enough then
PAGE = 32  # bytes of the identity block that one frame carries
TIME_BITS = 15  # bits of the step's number in a record, modulo 2**15
RECORDS = 11  # records that one frame carries at most
SLOTS = 64  # records that a board holds until it can send them
HOLD = 256  # steps for which one entry of the stimulus can last, at most
DECIMATIONS = (1, 4, 16, 256, 1 << TIME_BITS)  # steps between two records; a spike is always recorded


class Op(IntEnum):
    """What a frame to the board asks for: the low six bits of its head. Below `IDENTIFY`, write the register of this address.

    The high two bits are the frame's number: the board carries out only the one that comes next, modulo 4, and tells which
    that is. A host may so send three frames before it reads an answer, and repeat those that got lost.
    """

    IDENTIFY = 48  # payload: a page of the identity block, one byte. Answer: the page. The next number is 0
    PLAY = 49  # payload: entries of the stimulus, see `Layout.entry`
    CONTROL = 50  # payload: the bits of `Control`, as long as a code
    SEED = 51  # payload: the next bits of the noise, not all zero, as long as a code


class Kind(IntEnum):
    """What a frame from the board is: the low two bits of its head; the others are `Flag`.

    Of its second byte, the low two bits are the number of the next frame that the board will carry out, and the high six
    count the frames with records.
    """

    ANSWER = 0  # payload: one byte, the entries of the stimulus that were played, in units of depth / 128, modulo 256
    PAGE = 1  # payload: 32 bytes of the identity block
    RECORDS = 2  # payload: records, see `Layout.record`


class Flag(IntFlag):
    """What happened since the last restart, in the head of each frame from the board."""

    REFUSED = 0x04  # the last frame: its number was not the next; its address, operation or length is unknown; or there was no room
    DAMAGED = 0x08  # a frame arrived with a wrong CRC
    STARVED = 0x10  # free-run: a tick found no stimulus
    LOST = 0x20  # free-run: a record was lost, because the line was too slow
    LATE = 0x40  # free-run: a step took longer than a tick
    CLIPPED = 0x80  # current and noise together were beyond the range of the input


class Control(IntFlag):
    """The bits of the control register, besides those of `noise` and `decimated`."""

    RUN = 1 << 0  # the neuron does steps; without it, it stands still and keeps its state
    PACED = 1 << 1  # free-run: one step a tick, which is dt; without it, lockstep: steps wait for stimulus and line
    LOOP = 1 << 2  # the stimulus begins again at its end
    RESTART = 1 << 3  # no stimulus, step 0, no flags, noise anew; registers stay. Not together with RUN


NOISE_AT, RECORDS_AT, CONTROL_BITS = 4, 10, 14  # where the bits of noise and records begin; how many there are in all
NOISE_LAGS = (31, 28)  # bit n of the noise is bit n-31 xor bit n-28 (x**31 + x**3 + 1, primitive)


def decimated(steps: int) -> int:
    """The bits of the control register with which a record is sent every `steps` steps, one of `DECIMATIONS`."""
    return (1 << DECIMATIONS.index(steps)) - 1 << RECORDS_AT


def noise(bits: int) -> int:
    """The bits of the control register for noise of -2**(bits-1) .. 2**(bits-1) - 1 codes; 0 is none."""
    return (1 | (bits - 1) << 1) << NOISE_AT if bits else 0


def noise_state(seed: int) -> int:
    """The state of the noise generator for a seed: its bits are mixed, so that small seeds give no small numbers at first."""
    return (seed * 0x9E3779B97F4A7C15 >> 32 & (1 << NOISE_LAGS[0]) - 1) or 1


@dataclass(frozen=True)
class Layout:
    """The widths of what the payloads hold, bits, and the stimulus entries that the board can hold."""

    code: int
    current: int
    voltage: int
    depth: int

    @property
    def code_bytes(self) -> int:
        """Bytes of a payload that is a code. The noise generator's 31 bits have room in it."""
        return -(-max(self.code, 31) // 8)

    @property
    def entry_bytes(self) -> int:
        return 1 + -(-self.current // 8)

    @property
    def record_bytes(self) -> int:
        return 2 + -(-self.voltage // 8)

    def entry(self, code: int, steps: int) -> bytes:
        """An entry of the stimulus: a current code for 1 to 256 steps. One byte has the steps less one, the others the code."""
        return bytes([steps - 1]) + code.to_bytes(self.entry_bytes - 1, "little", signed=True)

    def record(self, data: bytes) -> tuple[int, bool, int]:
        """A record: the number of the step modulo 2**15, whether the neuron spiked in it, and the code of the read-out."""
        head = int.from_bytes(data[:2], "little")
        return head >> 1, bool(head & 1), int.from_bytes(data[2:], "little", signed=True)

    def packed(self, step: int, spike: bool, v: int) -> bytes:
        """The bytes of a record; of a spike in a population, `v` is the number of its neuron."""
        head = (step << 1 | spike) & 0xFFFF
        size = self.record_bytes - 2
        return head.to_bytes(2, "little") + (v % (1 << 8 * size)).to_bytes(size, "little")


_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc(data: bytes) -> int:
    """The CRC-16/IBM-SDLC: that of binascii with the bits of each byte in the other order, in which a serial line sends them."""
    return int(f"{binascii.crc_hqx(data.translate(_MIRROR), 0xFFFF):016b}"[::-1], 2) ^ 0xFFFF


def checked(body: bytes) -> bytes:
    """A frame's body with its CRC."""
    return body + crc(body).to_bytes(2, "little")


def to_board(body: bytes) -> bytes:
    """The bytes on the line of a frame to the board: CRC, COBS, zero. Raises ValueError if it is longer than `BODY`."""
    framed = checked(body)
    if len(framed) > BODY:
        raise ValueError(f"a frame of {len(framed)} bytes is longer than {BODY}")
    return b"".join(bytes([len(part) + 1]) + part for part in framed.split(b"\0")) + b"\0"


def from_host(line: bytes) -> bytes | None:
    """The body of a frame to the board, from its bytes without the zero at the end; None if it is damaged."""
    parts, k = [], 0
    while k < len(line):
        end = k + line[k]
        if end > len(line) or line[k] == 0:
            return None
        parts.append(line[k + 1 : end])
        k = end
    return _body(b"\0".join(parts))


def to_host(body: bytes) -> bytes:
    """The bytes on the line of a frame from the board: CRC, COBS from the end, zero."""
    parts = checked(body).split(b"\0")
    return b"".join(part + bytes([len(part) + 1]) for part in parts) + b"\0"


def from_board(line: bytes) -> bytes | None:
    """The body of a frame from the board, from its bytes without the zero at the end; None if it is damaged."""
    parts, k = [], len(line)
    while k > 0:
        start = k - line[k - 1]
        if start < 0 or line[k - 1] == 0:
            return None
        parts.append(line[start : k - 1])
        k = start
    return _body(b"\0".join(reversed(parts)))


def _body(framed: bytes) -> bytes | None:
    if not 4 <= len(framed) <= BODY or crc(framed[:-2]).to_bytes(2, "little") != framed[-2:]:
        return None
    return framed[:-2]


def identity_block(identity: Mapping[str, Any]) -> bytes:
    """The bytes of a board's memory that say what it is: a length (two bytes), JSON, a CRC, and zeros up to whole pages."""
    text = json.dumps(identity, separators=(",", ":")).encode("ascii")
    block = checked(len(text).to_bytes(2, "little") + text)
    return block + bytes(-len(block) % PAGE)


def read_identity(block: bytes) -> dict[str, Any] | None:
    """What an identity block says, from its bytes; None if it is damaged."""
    length = int.from_bytes(block[:2], "little") + 2
    if crc(block[:length]).to_bytes(2, "little") != block[length : length + 2]:
        return None
    try:
        identity = json.loads(block[2:length])
    except ValueError:
        return None
    return identity if isinstance(identity, dict) else None
