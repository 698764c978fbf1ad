"""What a board does with single frames, each carried out whole or refused and not at all. The board is simulated at its pins."""

import random

import pytest

from spikefab.boards import link
from spikefab.boards.link import Control, Flag, Kind, Op
from spikefab.boards.reference_board import noise_codes
from spikefab.hw.models import LIFNeuron
from tests.boards import host

talk = host.talk

NEURON = LIFNeuron(word=16)
DP = NEURON.datapath
STRONG = DP.current.hi  # a current that makes the neuron spike
ADDRESS = {register.name: register.address for register in DP.registers}
RARE = link.decimated(256)  # so few records that the line does not slow down a run in lockstep
FULL = 19  # entries that a frame carries


def expected(current, writes=()):
    return host.reference_records(NEURON, current, writes)


def test_identity_is_read_page_by_page():
    """Twice, and a page beyond is of any bytes; the number of the next frame is then 0."""
    _, setup = host.program()
    block = link.identity_block(setup.identity)

    async def script(h):
        await h.play((0, 1))
        for _ in range(2):
            pages = [await h.ask(Op.IDENTIFY, bytes([k]), 2) for k in range(len(block) // link.PAGE)]
            assert {(page.kind, page.flags, page.expected) for page in pages} == {(Kind.PAGE, 0, 0)}
            assert b"".join(page.payload for page in pages) == block
        beyond = await h.ask(Op.IDENTIFY, b"\xff")
        assert (beyond.kind, len(beyond.payload)) == (Kind.PAGE, link.PAGE)
        assert (await h.play((0, 1))).expected == 1

    talk(script)
    assert link.read_identity(block) == setup.identity


def test_a_page_is_whole_although_more_arrives():
    _, setup = host.program()
    page = link.identity_block(setup.identity)[link.PAGE : 2 * link.PAGE]

    async def script(h):
        await h.put(h.frame(Op.IDENTIFY, b"\1") * 2)  # as a host does whose first question took long
        await h.quiet()
        await h.put(h.frame(Op.IDENTIFY, b"\1") + h.frame(Op.PLAY, h.layout.entry(7, 1), 0))
        await h.quiet()
        pages = [frame.payload for frame in h.frames if frame.kind == Kind.PAGE]
        assert len(pages) == 3
        assert set(pages) == {page}

    talk(script)


def test_a_full_stimulus_refuses_a_frame_whole():
    """Nothing of it is stored, and the board plays what was there; when it has been played, there is room again."""

    async def script(h):
        for _ in range(2):
            for _ in range(host.DEPTH // FULL):
                assert (await h.play(*[(0, 1)] * FULL)).flags == 0
            left = host.DEPTH % FULL
            before = h.expected
            for more in (left + 1, left + 2, FULL):  # of these entries, the first `left` have room
                answer = await h.play(*[(STRONG, 200)] * more)
                assert (answer.flags, answer.expected) == (Flag.REFUSED, before)
            assert (await h.play(*[(0, 1)] * left)).flags == 0
            for _ in range(3):
                assert (await h.play((STRONG, 200))).flags == Flag.REFUSED
            assert (await h.write(Op.CONTROL, Control.RUN)).flags == 0
            await h.quiet()
            assert (await h.write(Op.CONTROL, 0)).flags == 0
        assert h.frames[-1].payload == bytes([2 * host.DEPTH % 256])

    assert talk(script).records == expected([0] * 2 * host.DEPTH)


def test_frames_of_another_number_are_refused_and_not_carried_out():
    async def script(h):
        for number in (1, 2, 3):
            answer = await h.ask(Op.PLAY, h.layout.entry(STRONG, 9), number)
            assert (answer.flags, answer.expected) == (Flag.REFUSED, 0)
        for number in (0, 1, 2, 3, 0, 1):
            answer = await h.ask(Op.PLAY, h.layout.entry(7, 1), number)
            assert (answer.flags, answer.expected) == (0, (number + 1) % 4)
        assert (await h.ask(Op.PLAY, h.layout.entry(7, 1), 1)).flags == Flag.REFUSED  # the same once more
        await h.ask(Op.IDENTIFY, b"\0", 3)
        await h.write(Op.CONTROL, Control.RUN)
        await h.quiet()

    assert talk(script).records == expected([7] * 6)


def test_three_frames_may_come_before_an_answer_is_read():
    """And those behind one that was refused are refused too."""

    async def script(h):
        codes = iter(range(100, 130))
        for _ in range(6):
            frames = [h.frame(Op.PLAY, h.layout.entry(next(codes), 1), (h.expected + k) % 4) for k in range(3)]
            await h.put(b"".join(frames))
            await h.quiet()
            assert h.frames[-1].flags == 0
            assert h.frames[-1].expected == (h.expected + 3) % 4
            h.expected = h.frames[-1].expected
        frames = [h.frame(Op.PLAY, h.layout.entry(STRONG, 1), (h.expected + k) % 4) for k in range(3)]
        await h.put(frames[0][:3] + b"\0" + frames[1] + frames[2])
        await h.quiet()
        assert h.frames[-1].flags == Flag.DAMAGED | Flag.REFUSED
        assert h.frames[-1].expected == h.expected
        await h.write(Op.CONTROL, Control.RUN)
        await h.quiet()

    assert talk(script).records == expected(range(100, 118))


def test_unknown_operations_addresses_and_lengths_are_refused():
    """And nothing is carried out: the registers, the stimulus and the noise are those after a reset."""

    async def script(h):
        rng = random.Random(1)
        size, entry = h.layout.code_bytes, h.layout.entry_bytes
        wrong = [(what, size) for what in (*range(len(DP.registers), Op.IDENTIFY), *range(Op.SEED + 1, 64))]
        for what in (*range(len(DP.registers)), Op.CONTROL, Op.SEED):
            wrong += [(what, n) for n in range(1, link.BODY - 2) if n != size]
        wrong += [(Op.PLAY, n) for n in range(1, link.BODY - 2) if n % entry]
        for what, length in wrong:
            payload = bytes(rng.randrange(1, 256) for _ in range(length))
            answer = await h.ask(what, payload)
            assert (answer.flags, answer.expected) == (Flag.REFUSED, 0), (what, length)
        await h.play(*[(STRONG // 2, 1)] * FULL)
        await h.write(Op.CONTROL, Control.RUN | link.noise(8))
        await h.quiet()

    noise, _ = noise_codes(1, 8, DP.current.width, FULL)
    assert talk(script).records == expected(STRONG // 2 + noise)


def test_a_damaged_frame_is_flagged_and_changes_nothing():
    """Any operation with any bit flipped; the flag stays until a restart."""

    async def script(h):
        size = h.layout.code_bytes
        payloads = {
            Op.PLAY: h.layout.entry(STRONG, 9),
            Op.CONTROL: int(Control.RUN).to_bytes(size, "little"),
            Op.SEED: (12345).to_bytes(size, "little"),
            ADDRESS["V_th"]: (DP.coefficients["V_th"].lo % 256**size).to_bytes(size, "little"),
        }
        for what, payload in payloads.items():
            line, stuffing = h.frame(what, payload), 0
            for at, byte in enumerate(line[:-1]):
                # the two high bits of a byte that stands for a zero do not matter (tests/boards/test_framing.py)
                for bit in range(6 if at == stuffing else 8):
                    await h.put(line[:at] + bytes([byte ^ 1 << bit]) + line[at + 1 :])
                stuffing += byte if at == stuffing else 0
        await h.pause(1000)
        assert h.frames == [], "a damaged frame is not answered"
        answer = await h.play(*[(STRONG // 2, 1)] * FULL)
        assert (answer.flags, answer.expected) == (Flag.DAMAGED, 1)
        await h.write(Op.CONTROL, Control.RUN | link.noise(8))
        await h.quiet()
        assert (await h.write(Op.CONTROL, 0)).flags == Flag.DAMAGED
        assert (await h.write(Op.CONTROL, Control.RESTART)).flags == 0

    noise, _ = noise_codes(1, 8, DP.current.width, FULL)
    assert talk(script).records == expected(STRONG // 2 + noise)


@pytest.mark.parametrize("seed", range(5))
def test_every_register_is_reached_by_its_address(seed):
    """Each is written with a code that shows in the next steps, and written back."""
    rng = random.Random(seed)
    steps = 20
    # a threshold so near, and so short a refractory period, that each register counts within these steps
    base = dict(enumerate(NEURON.reset_codes))
    base |= {ADDRESS["V_th"]: base[ADDRESS["V_reset"]] + 700, ADDRESS["n_ref"]: 2}
    rounds = []
    for register in DP.registers:
        unchanged = expected([STRONG] * steps, [(0, *write) for write in base.items()])
        for _ in range(100):
            write = register.address, rng.randint(register.format.lo, register.format.hi)
            if expected([STRONG] * steps, [(0, *each) for each in (*base.items(), write)]) != unchanged:
                break
        else:
            raise AssertionError(f"{register.name} does not count")
        rounds.append([*base.items(), write])

    async def script(h):
        await h.write(Op.CONTROL, Control.RUN)
        for writes in rounds:
            for address, code in writes:
                assert (await h.write(address, code)).flags == 0
            await h.play((STRONG, steps))
            await h.quiet()

    at = [(k * steps, address, code) for k, writes in enumerate(rounds) for address, code in writes]
    assert talk(script).records == expected([STRONG] * steps * len(rounds), at)
