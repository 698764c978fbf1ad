"""Steps, records and flags of a run on a board, against the reference. The board is simulated at its pins."""

import numpy as np
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
# a write with which the neuron spikes soon, at any current: the threshold at the lower end of its range
FIRING = ADDRESS["V_th"], DP.coefficients["V_th"].lo
STEP = NEURON.latency + DP.current.width + 4  # clocks of a step without a record


def expected(current, writes=()):
    return host.reference_records(NEURON, current, writes)


def test_a_stimulus_in_a_loop_begins_again():
    entries = [(STRONG, 3), (0, 1), (-STRONG, 2)]
    current = [code for code, steps in entries for _ in range(steps)] * 100

    async def script(h):
        await h.play(*entries)
        await h.write(Op.CONTROL, Control.RUN | Control.LOOP)
        await h.pause(80_000)
        answer = await h.write(Op.CONTROL, 0)
        assert (answer.flags, answer.payload[0] <= len(entries)) == (0, True)
        await h.quiet()

    records = talk(script).records
    assert 400 < len(records) < len(current)
    assert records == expected(current)[: len(records)]


@pytest.mark.parametrize("steps", link.DECIMATIONS)
def test_records_are_spikes_and_each_so_many_steps(steps):
    """The rate of records is what was asked for, with the times and codes of the reference; a spike is always told."""
    current = [STRONG] * 60 + [0] * 1040

    async def script(h):
        await h.write(*FIRING)
        await h.play((STRONG, 60), *[(0, 208)] * 5)
        await h.write(Op.CONTROL, Control.RUN | link.decimated(steps))
        await h.quiet(2 * STEP * len(current))

    every = expected(current, [(0, *FIRING)])
    due = [(k, spike, v) for k, spike, v in every if spike or k % steps == 0]
    assert talk(script).records == due
    assert any(spike and k % 4 for k, spike, _ in due)


@pytest.mark.parametrize("bits", [1, 2, 9, 15, 16])
def test_noise_is_added_to_the_current(bits):
    noise, _ = noise_codes(4711, bits, 16, 100)
    current = -7 if bits < 16 else 0

    async def script(h):
        await h.write(Op.SEED, 4711)
        await h.play((current, 100))
        await h.write(Op.CONTROL, Control.RUN | link.noise(bits))
        await h.quiet()
        assert (await h.write(Op.CONTROL, 0)).flags == 0

    assert talk(script).records == expected(current + noise)
    assert len(set(noise.tolist())) > min(1 << bits, 64) // 2


def paced(entries, control=0):
    """The records of a free-run, and the flags of the board before it, just before the stimulus ends, and after a restart."""
    flags = []

    async def script(h):
        flags.append((await h.play(*entries)).flags)
        await h.write(Op.CONTROL, Control.RUN | Control.PACED | control)
        await h.pause(host.TICK * sum(steps for _, steps in entries) - 1000)  # what the frames take is on top
        flags.append((await h.write(Op.CONTROL, 0)).flags)
        await h.quiet()
        flags.append((await h.write(Op.CONTROL, Control.RESTART)).flags)

    return talk(script).records, flags


def test_a_run_in_time_has_no_flag():
    """One step a tick, for as many as fit the line and the 64 records that wait; the noise just reaches the span of the input."""
    noise, _ = noise_codes(1, 6, 16, 100)
    for code in (DP.current.hi - int(noise.max()), DP.current.lo - int(noise.min())):
        records, flags = paced([(code, 100)], link.noise(6))
        assert flags == [0, 0, 0]
        assert 95 <= len(records) <= 100
        assert records == expected(code + noise)[: len(records)]


def test_noise_beyond_the_range_is_flagged():
    """The same runs with a current one code further out; the sum wraps in one step, and is right in the others."""
    noise, _ = noise_codes(1, 6, 16, 100)
    for code in (DP.current.hi - int(noise.max()) + 1, DP.current.lo - int(noise.min()) - 1):
        records, flags = paced([(code, 100)], link.noise(6))
        assert flags == [0, Flag.CLIPPED, 0]
        total = (code + noise).astype(np.int16)
        assert records == expected(total)[: len(records)]


def test_a_gap_in_the_stimulus_is_flagged_in_free_run():
    async def script(h):
        setting = Control.RUN | Control.PACED
        await h.play((5, 50))
        await h.write(Op.CONTROL, setting)
        await h.pause(1000)
        assert (await h.write(Op.CONTROL, setting)).flags == 0
        await h.pause(5000)
        assert (await h.write(Op.CONTROL, Control.RUN)).flags == Flag.STARVED
        await h.play((5, 4))  # in lockstep it goes on where it stopped
        await h.quiet()
        assert (await h.write(Op.CONTROL, Control.RESTART)).flags == 0
        await h.write(Op.CONTROL, Control.RUN)
        await h.pause(5000)
        assert (await h.write(Op.CONTROL, 0)).flags == 0, "lockstep waits for its stimulus"

    assert talk(script).records == expected([5] * 54)


def test_records_that_the_line_cannot_carry_are_flagged_as_lost():
    """Those that come are true; in lockstep, none is lost, because a step waits for room."""
    entries = [(STRONG, 256), (0, 256)]
    every = expected([STRONG] * 256 + [0] * 256)
    records, flags = paced(entries)
    assert flags == [0, Flag.LOST, 0]
    assert link.SLOTS < len(records) < 400
    assert all(every[k] == (k, spike, v) for k, spike, v in records)

    async def script(h):
        await h.play(*entries)
        await h.write(Op.CONTROL, Control.RUN)
        await h.quiet()
        assert (await h.write(Op.CONTROL, 0)).flags == 0

    assert talk(script).records == every


def test_a_step_longer_than_a_tick_is_flagged():
    """A tick of as many clocks as a step takes is enough, and one less is not."""
    flags = {}
    for tick in (STEP - 1, STEP):

        async def script(h):
            await h.play((0, 256))
            await h.write(Op.CONTROL, Control.RUN | Control.PACED | link.decimated(256))
            await h.pause(50 * STEP)
            flags[h.dut.tick] = (await h.write(Op.CONTROL, 0)).flags

        host.talk_in_amaranth(script, LIFNeuron(word=16), tick=tick)
    assert flags == {STEP - 1: Flag.LATE, STEP: 0}


@pytest.mark.parametrize("clocks", range(2000, 2400, 37))
def test_a_restart_begins_anew(clocks):
    """Also in the midst of a step and of a frame with records: time, stimulus and noise begin again, the states do not."""
    length = 40

    async def script(h):
        await h.play((STRONG, 256), (STRONG, 256))
        await h.write(Op.CONTROL, Control.RUN | link.noise(8))
        await h.pause(clocks)
        answer = await h.write(Op.CONTROL, Control.RESTART)
        assert (answer.flags, answer.payload) == (0, b"\0")
        await h.quiet()
        assert any(frame.kind == Kind.RECORDS for frame in h.frames)
        h.frames.clear()
        for name, code in NEURON.initial.items():
            await h.write(ADDRESS[name], code)
        await h.write(Op.CONTROL, Control.RUN | link.noise(8))
        await h.pause(1000)
        assert h.records == [], "the stimulus of before is played"
        await h.play((STRONG // 2, length))
        await h.quiet()

    noise, _ = noise_codes(1, 8, 16, length)
    assert talk(script).records == expected(STRONG // 2 + noise)


def test_a_write_while_it_runs_counts_from_the_next_step():
    """The steps that the neuron has begun when the frame is carried out are those of before, and all others of after."""
    neuron, begun = LIFNeuron(word=16), []
    writes = [("E_L", DP.coefficients["E_L"].lo), ("R_m", DP.coefficients["R_m"].lo), ("V", DP.states["V"].hi)]

    async def watch(ctx):
        count = 0
        async for _, _, step, ready, write in ctx.tick().sample(neuron.i_valid, neuron.i_ready, neuron.cfg_valid):
            if write and ready:  # a step that begins in the same clock sees it
                begun.append(count)
            count += step and ready

    async def script(h):
        await h.play(*[(STRONG, 40)] * 4)
        await h.write(Op.CONTROL, Control.RUN | Control.PACED)
        for name, code in writes:
            await h.pause(777)
            await h.write(ADDRESS[name], code)
        await h.pause(4_000)
        await h.write(Op.CONTROL, 0)
        await h.quiet()

    records = host.talk_in_amaranth(script, neuron, tick=450, also=[watch]).records
    assert len(begun) == 3 and 0 < begun[0] < begun[1] < begun[2] < len(records)
    at = [(step, ADDRESS[name], code) for step, (name, code) in zip(begun, writes, strict=True)]
    assert records == expected([STRONG] * len(records), at)
    for k in range(3):
        later = [(step + (n == k), *rest) for n, (step, *rest) in enumerate(at)]
        assert records != expected([STRONG] * len(records), later), "a step later would have been seen"
