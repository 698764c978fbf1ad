"""A population on its line, in lockstep and paced, against the reference. Simulated at its pins."""

import numpy as np
import pytest

from spikefab.boards import link
from spikefab.boards.crossing import Crossing
from spikefab.boards.link import Control, Flag, Op
from spikefab.boards.population import Crowd, Population
from spikefab.hw.lanes import Lanes
from spikefab.hw.models import LIFNeuron
from spikefab.hw.words import Block
from spikefab.sim import reference
from tests.boards.host import program, talk, talk_in_amaranth

NEURON = LIFNeuron(word=16)
DP = NEURON.datapath
STRONG = DP.current.hi
SELECT = len(DP.registers)
ADDRESS = {register.name: register.address for register in DP.registers}
COEFFICIENTS, STATES = [*DP.coefficients], [*DP.states]


def crowd_of(pop):
    return Crowd(pop.lanes.count, len(pop.lanes.banks))


class Expected:
    """What the reference computes of a population, and how the board tells it."""

    def __init__(self, pop, count, own=()):
        self.pop, self.own = pop, own
        self.codes = np.tile([*NEURON.codes.values()], (count, 1))
        self.states = np.tile([*NEURON.initial.values()], (count, 1))

    def write(self, name, code, neuron=slice(None)):
        if name in STATES:
            self.states[neuron, STATES.index(name)] = code
        else:
            self.codes[neuron if name in self.own else slice(None), COEFFICIENTS.index(name)] = code

    def records(self, current, selected=0, every=1, first=0):
        """[(step, events, sample or None)] under current codes."""
        found = []
        for k, code in enumerate(current, first):
            self.states, v, spikes = reference.step(DP, self.states, self.codes, np.full(len(self.codes), code))
            events = {crowd_of(self.pop).number(int(n)) for n in np.flatnonzero(spikes)}
            found.append((k, events, int(v[selected]) if k % every == 0 else None))
        return found


def told(pop, records):
    """The same from records: each event must have come once, and the sample of a step behind its events."""
    steps = {}
    for step, spike, value in records:
        events, samples = steps.setdefault(step, (set(), []))
        if spike:
            number = value & (1 << pop.number_bits) - 1
            assert number not in events and not samples
            events.add(number)
        else:
            samples.append(value)
    assert all(len(samples) <= 1 for _, samples in steps.values())
    return [(step, events, samples[0] if samples else None) for step, (events, samples) in steps.items()]


async def write(h, pop, name, code, neuron=None):
    """Write a register of a neuron, or of all; the board refuses for as long as it is busy with the last one."""
    number = crowd_of(pop).everyone if neuron is None else crowd_of(pop).number(neuron)
    for what, value in ((SELECT, number), (ADDRESS[name], code)):
        for _ in range(400):
            if not (await h.write(what, int(value))).flags & Flag.REFUSED:
                break
            await h.pause(100)
        else:
            raise AssertionError("a write is refused for ever")


async def load(h, pop, writes):
    for name, code, neuron in writes:
        await write(h, pop, name, code, neuron)


def drawn(rng, count):
    """Writes to all neurons and to some, after which they spike often, and not at the same time."""
    thresholds = rng.integers(DP.coefficients["V_th"].lo, NEURON.codes["V_th"] // 2, count)
    some = rng.permutation(count)[: count // 2]
    return [
        ("V", -700, None),
        ("n_ref", 1, None),
        *(("V_th", int(code), n) for n, code in enumerate(thresholds)),
        *(("V", int(rng.integers(DP.states["V"].lo, 0)), int(n)) for n in some),
    ]


def lockstep(pop, count, every, entries, talk):
    """Play entries to drawn neurons, and compare every record with the reference's."""
    rng = np.random.default_rng([count, every])
    expected, writes, selected = Expected(pop, count, {"V_th"}), drawn(rng, count), int(rng.integers(count))

    async def script(h):
        await load(h, pop, writes)
        await h.write(SELECT, crowd_of(pop).number(selected))
        await h.play(*entries)
        await h.write(Op.CONTROL, Control.RUN | link.decimated(every))
        await h.quiet(10_000)
        assert (await h.write(Op.CONTROL, 0)).flags == 0

    records = told(pop, talk(script).records)
    for name, code, neuron in writes:
        expected.write(name, code, slice(None) if neuron is None else neuron)
    wanted = expected.records([code for code, steps in entries for _ in range(steps)], selected, every)
    assert records == [row for row in wanted if row[1] or row[2] is not None]
    assert sum(len(events) for _, events, _ in wanted) > count


@pytest.mark.parametrize(("count", "lanes"), [(2, 1), pytest.param(6, 2, marks=pytest.mark.slow)])
def test_lockstep_in_amaranth(count, lanes):
    own = {"V_th": np.full(count, NEURON.codes["V_th"])}
    pop = Population(Lanes(NEURON, count, lanes, own=own, block=Block(9, 2)))
    entries = (STRONG, 8), (0, 2), (-STRONG, 2), (STRONG // 3, 6)
    lockstep(pop, count, 1, entries, lambda script: talk_in_amaranth(script, pop))


@pytest.mark.parametrize("fast", [0.83, *(pytest.param(ratio, marks=pytest.mark.slow) for ratio in (1.0, 5.9))])
def test_lockstep_with_two_clocks(fast):
    own = {"V_th": np.full(7, NEURON.codes["V_th"])}
    pop = Population(Lanes(NEURON, 7, 1, own=own, multipliers=2))
    entries = (STRONG, 8), (0, 2), (STRONG // 3, 6)
    lockstep(pop, 7, 1, entries, lambda script: talk_in_amaranth(script, Crossing(pop), fast=fast))


@pytest.mark.parametrize("every", link.DECIMATIONS[:3])
@pytest.mark.parametrize("crowd", [Crowd(27, 3, per_neuron=("V_th",)), Crowd(150, 1, 1, per_neuron=("V_th",))], ids=str)
def test_lockstep(crowd, every):
    """Up to 150 spikes in a step, more than wait in any queue: the population waits for the line, and loses none."""
    entries = (STRONG, 40), (0, 4), (-STRONG, 2), (STRONG // 3, 30)
    pop = program(crowd=crowd, tick=1000)[1].part
    lockstep(pop, crowd.neurons, every, entries, lambda script: talk(script, crowd=crowd, tick=1000))


@pytest.mark.parametrize("crowd", [Crowd(27, 3, per_neuron=("V_th",)), Crowd(150, 1, 1, per_neuron=("V_th",))], ids=str)
def test_paced(crowd):
    """A step a tick, at the right times. With more spikes than the line carries, some are lost, and a flag says so."""
    setup = program(crowd=crowd, tick=1000)[1]
    pop, slow, flags = setup.part, crowd.neurons > 50, []
    every = 4 if slow else 256
    expected, writes = Expected(pop, crowd.neurons, {"V_th"}), drawn(np.random.default_rng(7), crowd.neurons)
    writes += [] if slow else [("n_ref", 16, None)]

    async def script(h):
        await load(h, pop, writes)
        await h.write(SELECT, 0)
        await h.play((STRONG, 40))
        await h.write(Op.CONTROL, Control.RUN | Control.PACED | link.decimated(every))
        await h.pause(39 * 1000 - 500)
        flags.append((await h.write(Op.CONTROL, link.decimated(every))).flags)
        await h.quiet(20_000)
        flags.append((await h.write(Op.CONTROL, Control.RESTART)).flags)

    assert pop.clocks < 1000
    records = told(pop, talk(script, crowd=crowd, tick=1000).records)
    for name, code, neuron in writes:
        expected.write(name, code, slice(None) if neuron is None else neuron)
    wanted = {step: (events, v) for step, events, v in expected.records([STRONG] * 40, 0, every)}
    assert flags == [Flag.LOST if slow else 0, 0]
    assert records[-1][0] in (37, 38, 39)
    for step, events, v in records:
        assert events <= wanted[step][0] and v in (None, wanted[step][1])
        assert slow or (events, v) == wanted[step]
    if not slow:
        assert [step for step, *_ in records] == [k for k in range(records[-1][0] + 1) if wanted[k] != (set(), None)]


def test_a_write_while_one_is_done_is_refused():
    """A write to all neurons takes longer than a frame: the next one is refused, and the neurons keep what they have."""
    crowd = Crowd(150, 1, 1, per_neuron=("V_th",))
    pop = program(crowd=crowd, tick=1000)[1].part
    expected = Expected(pop, crowd.neurons)
    answers = []

    async def script(h):
        await h.write(SELECT, crowd_of(pop).everyone)
        size, seen = h.layout.code_bytes, len(h.frames)
        codes = [(code % (1 << 8 * size)).to_bytes(size, "little") for code in (-900, -5)]
        await h.put(b"".join(h.frame(ADDRESS["V"], code, h.expected + k) for k, code in enumerate(codes)))
        await h.quiet()
        answers.extend(h.frames[seen:])
        h.expected = answers[-1].expected
        await h.play((0, 2))
        await h.write(Op.CONTROL, Control.RUN)
        await h.quiet(3000)

    expected.write("V", -900)
    assert told(pop, talk(script, crowd=crowd, tick=1000).records) == expected.records([0, 0])
    assert [answer.flags for answer in answers] == [0, Flag.REFUSED]
    assert len({answer.expected for answer in answers}) == 1


@pytest.mark.parametrize("pause", [0, 700, 3000])
def test_a_restart_drops_the_sweep_that_goes_on(pause):
    """In lockstep, a sweep waits for the line that tells its spikes: a restart comes in the midst of it, or begins the next."""
    crowd = Crowd(150, 1, 1, per_neuron=("V_th",))
    pop = program(crowd=crowd, tick=1000)[1].part
    low = DP.coefficients["V_th"].lo
    expected = Expected(pop, crowd.neurons, {"V_th"})

    async def script(h):
        await write(h, pop, "V_th", low)
        await h.play((STRONG, 5))
        await h.write(Op.CONTROL, Control.RUN | link.decimated(256))
        await h.pause(pause)
        await h.write(Op.CONTROL, Control.RESTART)
        h.frames.clear()
        await h.play((STRONG, 2), (0, 2))
        await write(h, pop, "V", -700)
        await write(h, pop, "hold", 0)
        await h.quiet(3000)
        assert not h.records, "what the sweep told after the restart"
        await h.write(Op.CONTROL, Control.RUN)
        await h.quiet(3000)
        assert (await h.write(Op.CONTROL, 0)).flags == 0

    for name, code in (("V_th", low), ("V", -700), ("hold", 0)):
        expected.write(name, code)
    records = told(pop, talk(script, crowd=crowd, tick=1000).records)
    assert records == expected.records([STRONG] * 2 + [0] * 2)
