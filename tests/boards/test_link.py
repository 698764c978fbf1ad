"""The bytes of the link: what is put into a frame comes out of it, and what is not a frame is refused."""

import random

import numpy as np
import pytest
from amaranth.lib.crc.catalog import CRC16_IBM_SDLC

from spikefab.boards import link
from spikefab.boards.link import BODY, DECIMATIONS, PAGE, Layout
from spikefab.boards.player import CONTROL
from spikefab.boards.reference_board import noise_codes

DIRECTIONS = pytest.mark.parametrize(
    ("framed", "parsed"),
    [(link.to_board, link.from_host), (link.to_host, link.from_board)],
    ids=["to the board", "from the board"],
)


def hostile(rng):
    """Bodies that stuffing could stumble over: of each length, without zeros, of zeros alone, and with some of them."""
    for length in range(2, BODY - 1):
        yield bytes(length)
        yield b"\xff" * length
        yield bytes([length]) * length
        yield bytes(rng.choice((0, 0, 1, 2, length, 255, rng.randrange(256))) for _ in range(length))
        yield rng.randbytes(length)


def accepted(parsed, line):
    """The bodies that a receiver takes from bytes of the line."""
    return [body for part in line.split(b"\0") if (body := parsed(part)) is not None]


def test_crc_is_that_of_the_library():
    rng, library = random.Random(1), CRC16_IBM_SDLC()
    assert link.crc(b"123456789") == 0x906E  # the check value of the RevEng catalogue
    for length in range(100):
        data = rng.randbytes(length)
        assert link.crc(data) == library.compute(data)


@DIRECTIONS
def test_what_is_framed_is_parsed(framed, parsed):
    """And the only zero byte of a frame is its last, also of what starts or ends with zeros."""
    count = 0
    for body in hostile(random.Random(2)):
        line = framed(body)
        assert line.index(0) == len(line) - 1 == len(body) + 3
        assert parsed(line[:-1]) == body
        count += 1
    assert count == 5 * (BODY - 3)


@DIRECTIONS
def test_no_damaged_frame_is_parsed(framed, parsed):
    """With one bit flipped, or one byte gone, also the zero at its end; the frame behind it is parsed in every case.

    The CRC finds each flipped bit of a body. Of what it misses elsewhere, 1 in 65536, there is nothing among these frames.
    """
    rng = random.Random(3)
    behind = b"behind"
    for length in (2, 3, 4, 7, 20, BODY - 2):
        for body in (bytes(length), b"\xff" * length, bytes(rng.choice((0, 1, 7)) for _ in range(length))):
            line, after = framed(body), framed(behind)
            for bit in range(8 * len(line) - 8):
                wrong = bytearray(line)
                wrong[bit // 8] ^= 1 << bit % 8
                assert accepted(parsed, wrong + after) == [behind]
            for k in range(len(line) - 1):
                assert accepted(parsed, line[:k] + line[k + 1 :] + after) == [behind]
            # Without the zero, the next frame is lost with this one; where it is empty, nothing is.
            assert accepted(parsed, line[:-1] + after + after) == [behind]
            assert accepted(parsed, line[:-1] + b"\0" + after) == [body, behind]


@DIRECTIONS
def test_what_is_too_long_or_too_short_is_refused(framed, parsed):
    with_crc = link.checked(bytes(range(1, BODY)))  # one byte more than fits, with a right CRC
    stuffed = {link.from_host: bytes([len(with_crc) + 1]) + with_crc}.get(parsed, with_crc + bytes([len(with_crc) + 1]))
    assert parsed(stuffed) is None
    assert parsed(framed(b"\x30")[:-1]) is None  # a head and nothing else
    assert parsed(framed(b"")[:-1]) is None
    assert parsed(b"") is None
    if framed is link.to_board:
        with pytest.raises(ValueError, match="longer than 62"):
            framed(bytes(BODY - 1))


@pytest.mark.parametrize(("width", "code"), [(16, 23), (18, 25), (24, 40)])
def test_entries_and_records_keep_what_is_put_in(width, code):
    layout = Layout(code=code, current=width, voltage=width, depth=512)
    lo, hi = -(1 << width - 1), (1 << width - 1) - 1
    rng = random.Random(width)
    assert layout.code_bytes == (5 if code == 40 else 4)
    assert max(layout.entry_bytes, 3) <= layout.code_bytes
    for value in (lo, lo + 1, -1, 0, 1, hi - 1, hi, *(rng.randint(lo, hi) for _ in range(50))):
        steps, time, spike = rng.randint(1, 256), rng.randrange(1 << 15), rng.random() < 0.5
        entry = layout.entry(value, steps)
        assert len(entry) == layout.entry_bytes
        assert (int.from_bytes(entry[1:], "little", signed=True), entry[0] + 1) == (value, steps)
        record = layout.packed(time, spike, value)
        assert len(record) == layout.record_bytes
        assert layout.record(record) == (time, spike, value)
    assert layout.record(layout.packed((1 << 15) + 7, True, lo)) == (7, True, lo), "the step is told modulo 2**15"


def test_identity_block_is_read_and_its_damage_noticed():
    identity = {"model": "LIFNeuron", "formats": {"V": [8, 17]}, "dt": 0.1, "text": "µ"}
    block = link.identity_block(identity)
    assert len(block) % PAGE == 0
    assert link.read_identity(block) == link.read_identity(block + bytes(PAGE)) == identity
    used = 2 + int.from_bytes(block[:2], "little") + 2
    for bit in range(8 * used):
        wrong = bytearray(block)
        wrong[bit // 8] ^= 1 << bit % 8
        assert link.read_identity(bytes(wrong)) is None, f"bit {bit}"
    for k in range(used):
        assert link.read_identity(block[:k]) is None, f"{k} bytes"


@pytest.mark.parametrize("text", [b"[1, 2]", b"{", b"\xff\xfe"])
def test_a_checked_block_that_is_no_identity_is_refused(text):
    block = link.checked(len(text).to_bytes(2, "little") + text)
    assert link.read_identity(block) is None


def naive_noise(seed, bits, width, steps):
    """The noise, bit by bit: a list of the last 31 bits, and two's complement by hand."""
    past = [seed >> k & 1 for k in range(31)]
    codes = []
    for _ in range(steps):
        taken = past[:width]
        for _ in range(width):
            past.append(past[-31] ^ past[-28])
            del past[0]
        code = sum(bit << k for k, bit in enumerate(taken[:bits]))
        codes.append(code - (1 << bits) if bits and taken[bits - 1] else code)
    return codes, sum(bit << k for k, bit in enumerate(past))


@pytest.mark.parametrize("width", [16, 18, 24])
def test_noise_is_that_of_a_naive_generator(width):
    rng = random.Random(width)
    for bits in (0, 1, 2, 7, width - 1, width):
        seed = rng.randrange(1, 1 << 31)
        codes, state = noise_codes(seed, bits, width, 300)
        assert (codes.tolist(), state) == naive_noise(seed, bits, width, 300)
        if bits:
            assert codes.min() >= -(1 << bits - 1)
            assert codes.max() < 1 << bits - 1
            assert len(set(codes.tolist())) > min(1 << bits, 300) // 3
        else:
            assert not codes.any()


def test_noise_goes_on_where_it_stopped():
    whole, end = noise_codes(12345, 9, 18, 1000)
    for cut in (0, 1, 7, 999, 1000):
        first, state = noise_codes(12345, 9, 18, cut)
        second, last = noise_codes(state, 9, 18, 1000 - cut)
        assert np.array_equal(np.concatenate([first, second]), whole)
        assert last == end


def test_every_seed_is_a_state_of_the_noise_generator():
    """None is 0, from which it would not move; small seeds differ, and give noise that is not small."""
    states = [link.noise_state(seed) for seed in (*range(1000), (1 << 31) - 1, 1 << 31, 1 << 40)]
    assert all(0 < state < 1 << 31 for state in states)
    assert len(set(states)) == len(states)
    first = [noise_codes(state, 16, 16, 1)[0][0] for state in states]
    assert abs(np.mean(first)) < 5 * (1 << 16) / np.sqrt(12 * len(first))
    assert np.std(first) == pytest.approx((1 << 16) / np.sqrt(12), rel=0.1)


def test_bits_of_the_control_register_are_where_the_board_reads_them():
    """Of noise and of decimation; `CONTROL` is the layout that the gateware uses."""
    assert CONTROL.size == link.CONTROL_BITS
    for bits in range(25):
        fields = CONTROL.from_bits(link.noise(bits))
        assert (fields.noise, fields.noise_at + 1 if bits else 0) == (bits > 0, bits)
        assert fields.every == fields.run == 0
    for steps in DECIMATIONS:
        fields = CONTROL.from_bits(link.decimated(steps))
        # Each bit of `every` asks that some bits of the step's number be zero: the groups of 2, 2, 4 and 7 bits from the lowest.
        zeros = sum(n for k, n in enumerate((2, 2, 4, 7)) if fields.every >> k & 1)
        assert 1 << zeros == steps
        assert fields.noise == fields.noise_at == fields.run == 0
    for flag, name in zip(link.Control, ("run", "paced", "loop", "restart"), strict=True):
        assert CONTROL.from_bits(flag)[name] == 1
    with pytest.raises(ValueError, match="not in tuple"):
        link.decimated(2)
