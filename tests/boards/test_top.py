"""The neuron behind its serial line, against the same neuron driven at its ports."""

import random

import pytest
from amaranth.sim import Simulator

from spikefab.boards.top import SerialNeuron
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS, LIFNeuron

CLOCK_HZ, BAUD = 160_000, 20_000  # eight clocks a bit: the protocol is the same, the simulation short
BIT = CLOCK_HZ // BAUD
PAUSE = 9  # byte times after which an answer is over
LIF = datapath(LIFNeuron)


def write(address, code):
    return b"W" + bytes([address]) + code.to_bytes(5, "little", signed=True)


def step(code):
    return b"S" + code.to_bytes(4, "little", signed=True)


def answers(line):
    """[(v, flags)] of the board's bytes."""
    assert len(line) % 5 == 0
    return [
        (int.from_bytes(line[k : k + 4], "little", signed=True), line[k + 4]) for k in range(0, len(line), 5)
    ]  # fmt: skip


def over_the_line(neuron, chunks, pause=PAUSE):
    """What the board sends while the host sends `chunks`, each followed by a pause of so many bytes; and the LED."""
    dut = SerialNeuron(neuron, CLOCK_HZ, BAUD)
    line, led, stops = bytearray(), [], []

    async def host(ctx):
        for chunk in chunks:
            for byte in chunk:
                for bit in (0, *((byte >> k) & 1 for k in range(8)), 1):
                    ctx.set(dut.rx, bit)
                    await ctx.tick().repeat(BIT)
            await ctx.tick().repeat(10 * BIT * pause)
        await ctx.tick().repeat(10 * BIT * 12)

    async def watch(ctx):
        bits, wait = [], 0
        async for _, _, tx, lit in ctx.tick().sample(dut.tx, dut.led):
            led.append(lit)
            if wait:
                wait -= 1
            elif bits or not tx:
                bits.append(tx)
                wait = BIT - 1 if len(bits) > 1 else BIT + BIT // 2 - 1  # from the edge to the middle of the first bit
            if len(bits) == 10:
                stops.append(bits[9])
                line.append(sum(bit << k for k, bit in enumerate(bits[1:9])))
                bits, wait = [], 0

    sim = Simulator(dut)
    sim.add_clock(1 / CLOCK_HZ)
    sim.add_testbench(host)
    sim.add_testbench(watch, background=True)
    sim.run()
    assert all(stops), "a byte of the board ends without a stop bit"
    return answers(bytes(line)), led


def at_the_ports(neuron, operations):
    """[(v, spike)] of `operations`, ("W", address, code) or ("S", code), done without a line."""
    results = []

    async def bench(ctx):
        ctx.set(neuron.o_ready, 1)
        for kind, *arguments in operations:
            if kind == "W":
                ctx.set(neuron.cfg_addr, arguments[0])
                ctx.set(neuron.cfg_data, arguments[1])
                ctx.set(neuron.cfg_valid, 1)
                await ctx.tick().until(neuron.cfg_ready)
                ctx.set(neuron.cfg_valid, 0)
            else:
                ctx.set(neuron.i, arguments[0])
                ctx.set(neuron.i_valid, 1)
                await ctx.tick().until(neuron.i_ready)
                ctx.set(neuron.i_valid, 0)
                results.append(await ctx.tick().sample(neuron.o_v, neuron.o_spike).until(neuron.o_valid))

    sim = Simulator(neuron)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    return results


def on_the_wire(operations):
    return [write(*rest) if kind == "W" else step(*rest) for kind, *rest in operations]


def strong_currents(paths, count, seed=0):
    """Codes from silence to full scale."""
    rng = random.Random(seed)
    q = paths.current
    return [rng.choice((0, q.hi // 4, q.hi, rng.randint(q.lo, q.hi))) for _ in range(count)]


def near_threshold(paths):
    """A write to the membrane potential, the first state, from where a few strong steps move every model."""
    (q, *_) = paths.states.values()
    return ("W", len(paths.coefficients), round(-58 / q.lsb))


@pytest.mark.parametrize("word", [16, 18, 24])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_same_answers_as_at_the_ports(model, word):
    paths = datapath(model, word)
    operations = [near_threshold(paths), *(("S", i) for i in strong_currents(paths, 12))]
    expected = at_the_ports(model(word=word), operations)
    got, _ = over_the_line(model(word=word), on_the_wire(operations))
    assert got == expected
    assert len({v for v, _ in got}) > 3, "the stimulus has to move the neuron"


def test_every_register_is_reached_by_its_address():
    """Writing a register's own code changes nothing; a changed code in each of them is seen at the ports alike."""
    formats = [*LIF.coefficients.values(), *LIF.states.values()]
    rng = random.Random(1)
    operations = []
    for address, q in enumerate(formats):
        operations += [("W", address, rng.randint(q.lo, q.hi)), ("S", LIF.current.hi // 3)]
    got, _ = over_the_line(LIFNeuron(), on_the_wire(operations))
    assert got == at_the_ports(LIFNeuron(), operations)


def test_two_steps_may_be_unanswered():
    operations = [("S", i) for i in strong_currents(LIF, 10, seed=2)]
    frames = on_the_wire(operations)
    pairs = [b"".join(frames[k : k + 2]) for k in range(0, len(frames), 2)]
    got, _ = over_the_line(LIFNeuron(), pairs, pause=12)
    assert got == at_the_ports(LIFNeuron(), operations)


def test_bytes_that_start_no_frame_and_addresses_beyond_are_ignored():
    current = LIF.current.hi
    beyond = write(0x80, 12345)
    got, _ = over_the_line(LIFNeuron(), [b"\x00\xffsw", beyond, step(current), b"\n", step(current)])
    assert got == at_the_ports(LIFNeuron(), [("S", current)] * 2)


def test_six_zero_bytes_end_a_frame_that_was_cut_short():
    """What was cut short may have been a step: from then on the host is in step with the board again."""
    current = LIF.current.hi
    got, _ = over_the_line(LIFNeuron(), [step(current)[:3] + bytes(6), step(current)])
    assert got[-1:] == at_the_ports(LIFNeuron(), [("S", current & 0xFFFF), ("S", current)])[-1:]


def test_led_is_lit_about_20_ms_from_a_spike():
    fire = write(list(LIF.coefficients).index("V_th"), LIF.coefficients["V_th"].lo)
    got, led = over_the_line(LIFNeuron(), [fire, step(0)], pause=60)
    assert got[0][1] == 1
    assert 0.015 < sum(led) / CLOCK_HZ < 0.03
    assert led[-1] == 0
    quiet, dark = over_the_line(LIFNeuron(), [step(0)])
    assert (quiet[0][1], sum(dark)) == (0, 0)
