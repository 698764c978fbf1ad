"""The gateware of frames against the functions of `link`: each parses what the other sends, and refuses what the other refuses."""

import random

import pytest
from amaranth.sim import Simulator

from spikefab.boards import link
from spikefab.boards.framing import FrameReceiver, FrameTransmitter
from spikefab.boards.link import BODY

CLOCKS = 4  # a bit: the fewest that the UART takes, for a short simulation
# The receiver counts with six bits: a byte that stands for a zero means the same as this one modulo 64.
SPAN = 64


def levels(line, pause=0):
    """[(level, clocks)] of a line with these bytes, and so many bits between two of them."""
    bits = [bit for byte in line for bit in (0, *((byte >> k) & 1 for k in range(8)), 1)]
    return [(bit, CLOCKS * (1 + (pause if k % 10 == 9 else 0))) for k, bit in enumerate(bits)]


def received(line):
    """[(bytes, good)] of the frames that the receiver finds on a line, given as bytes or as `levels`."""
    dut = FrameReceiver(CLOCKS)
    frames, inside = [], bytearray()

    async def drive(ctx):
        for level, clocks in line if isinstance(line, list) else levels(line):
            ctx.set(dut.rx, level)
            await ctx.tick().repeat(clocks)
        await ctx.tick().repeat(4 * CLOCKS)

    async def collect(ctx):
        async for _, _, valid, byte, end, good in ctx.tick().sample(
            dut.bytes.valid, dut.bytes.payload, dut.end, dut.good
        ):
            assert not (valid and end)
            if valid:
                inside.append(byte)
            if end:
                frames.append((bytes(inside), bool(good)))
                inside.clear()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(drive)
    sim.add_testbench(collect, background=True)
    sim.run()
    return frames


def taken(frames):
    """The bodies of frames that were good, without their CRC."""
    return [whole[:-2] for whole, good in frames if good]


def parsed(line):
    """The bodies that the host's function finds in bytes of a line, and how many frames there are."""
    parts = [part for part in line.split(b"\0") if part]
    return [body for part in parts if (body := link.from_host(short(part))) is not None], len(parts)


def short(part):
    """Bytes of a frame, with those that stand for zeros as the receiver takes them."""
    part, k = bytearray(part), 0
    while k < len(part):
        part[k] = (part[k] - 1) % SPAN + 1
        k += part[k]
    return bytes(part)


def transmitted(bodies, pause=lambda: 0):
    """What a transmitter puts on the line for some bodies, with pauses of so many clocks before each of their bytes."""
    dut = FrameTransmitter(CLOCKS)
    line = bytearray()

    async def drive(ctx):
        for body in bodies:
            for byte in body:
                if clocks := pause():
                    await ctx.tick().repeat(clocks)
                ctx.set(dut.bytes.payload, byte)
                ctx.set(dut.bytes.valid, 1)
                await ctx.tick().until(dut.bytes.ready)
                ctx.set(dut.bytes.valid, 0)
            await ctx.tick().repeat(1 + pause())
            ctx.set(dut.finish, 1)
            await ctx.tick()
            ctx.set(dut.finish, 0)
        await ctx.tick().repeat(60 * CLOCKS)

    async def listen(ctx):
        while True:
            await ctx.negedge(dut.tx)
            await ctx.tick().repeat(CLOCKS // 2)
            byte = 0
            for k in range(8):
                await ctx.tick().repeat(CLOCKS)
                byte |= ctx.get(dut.tx) << k
            await ctx.tick().repeat(CLOCKS)
            assert ctx.get(dut.tx) == 1, "a stop bit is low"
            line.append(byte)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(drive)
    sim.add_testbench(listen, background=True)
    sim.run()
    return bytes(line)


def bodies(rng, count):
    """Bodies of all kinds: without zeros, of zeros alone, at the longest."""
    yield bytes(BODY - 2)
    yield bytes(range(1, BODY - 1))
    yield b"\xff" * (BODY - 2)
    yield b"\0\0"
    for _ in range(count):
        yield bytes(rng.choice((0, 1, 255, rng.randrange(256))) for _ in range(rng.randint(2, 20)))


@pytest.mark.parametrize("pause", [0, 3], ids=["back to back", "with pauses"])
def test_good_frames_are_received(pause):
    sent = list(bodies(random.Random(1), 3 if pause else 12))
    frames = received(levels(b"".join(map(link.to_board, sent)), pause))
    assert frames == [(link.checked(body), True) for body in sent]


def test_mutated_frames_are_received_or_refused_as_the_host_would():
    """A bit flipped, a byte lost, doubled or changed, the end cut off; each time the good frame behind it is received."""
    rng = random.Random(2)
    line = bytearray()
    kept = refused = 0
    for k, body in enumerate(bodies(rng, 22)):
        if k < 3:
            continue
        wrong = bytearray(link.to_board(body))
        at = rng.randrange(len(wrong) - 1)
        match k % 5:
            case 0:
                wrong[at] ^= 1 << rng.randrange(8)
            case 1:
                del wrong[at]
            case 2:
                wrong.insert(at, wrong[at])
            case 3:
                wrong[at] = rng.randrange(256)
            case 4:
                wrong[at:] = b"\0"
        line += wrong + link.to_board(body)
        kept += 1
    expected, count = parsed(line)
    frames = received(line)
    assert taken(frames) == expected
    assert len(frames) == count
    refused = sum(not good for _, good in frames)
    assert kept <= len(expected) < 1.1 * kept
    assert refused > 0.9 * kept


@pytest.mark.parametrize("bit", [6, 7])
def test_high_bits_of_the_stuffing_do_not_matter(bit):
    """The one kind of damage that is not refused: what comes out is what was sent."""
    line = bytearray(link.to_board(b"\x31\x05\x00\x07"))
    line[0] ^= 1 << bit
    assert taken(received(line)) == [b"\x31\x05\x00\x07"]
    line[1] ^= 1 << bit  # the head itself
    assert taken(received(line)) == []


def test_recovers_from_any_garbage_with_the_next_frame():
    """Random bytes, a line that jumps at any time or stays low: the first frame behind a zero byte is received."""
    rng = random.Random(3)
    line, sent = [], []
    for k in range(20):
        match k % 3:
            case 0:
                line += levels(rng.randbytes(rng.randint(1, 40)))
            case 1:
                line += [(rng.randrange(2), rng.randint(1, 3 * CLOCKS)) for _ in range(60)]
            case 2:
                line += [(0, rng.randint(1, 40 * CLOCKS))]
        line += [(1, 12 * CLOCKS), *levels(b"\0" + link.to_board(body := rng.randbytes(6)))]
        sent.append(body)
    frames = received(line)
    assert taken(frames) == sent
    assert len(frames) > 1.5 * len(sent)


@pytest.mark.parametrize("longest", [0, 7, 200], ids="up to {} clocks between bytes".format)
def test_what_is_transmitted_is_parsed(longest):
    rng = random.Random(longest)
    sent = list(bodies(rng, 10))
    line = transmitted(sent, lambda: rng.randint(0, longest))
    assert line == b"".join(map(link.to_host, sent))
    assert [link.from_board(part) for part in line.split(b"\0")[:-1]] == sent


def test_crc_of_zero_and_of_all_ones_is_stuffed():
    """Bodies whose CRC has a zero byte, low, high or both."""
    wanted = {}
    for k in range(1 << 17):
        body = k.to_bytes(3, "little")
        low, high = link.crc(body).to_bytes(2, "little")
        wanted.setdefault((low == 0, high == 0), body)
        if len(wanted) == 4:
            break
    sent = list(wanted.values())
    assert len(sent) == 4
    assert transmitted(sent) == b"".join(map(link.to_host, sent))
    assert taken(received(b"".join(map(link.to_board, sent)))) == sent
