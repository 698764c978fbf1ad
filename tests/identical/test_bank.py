"""Banks of neurons: their hardware, simulated, against the reference, with random registers and random pauses."""

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from spikefab.errors import UsageError
from spikefab.hw.bank import Bank
from spikefab.hw.datapath import datapath
from spikefab.hw.lowering.pipelined import interval_for, products
from spikefab.hw.lowering.schedule import SHORT, Timing
from spikefab.hw.models import MODELS
from spikefab.hw.spram import Spram
from spikefab.hw.words import Block, levels
from spikefab.sim import reference

SEED = 20
TIMINGS = [
    pytest.param(SHORT, id="short"),
    pytest.param(Timing(multiply=3, saturate=2, read=2, inverts=True), id="long"),
]
MEMORIES = {"one memory": None, "groups": Block(9, 2), "one port": Spram()}
BLOCKS = [pytest.param(block, id=name) for name, block in MEMORIES.items()]


def hostile(rng, q, count):
    """Codes anywhere in a format, its ends among them."""
    return np.where(rng.random(count) < 0.1, rng.choice([q.lo, q.hi], count), rng.integers(q.lo, q.hi + 1, count))


def simulated(bank, currents, *, idle, before=None, after=None, top=None):
    """What the results of a bank are: {port: list}. `currents` are offered in order, each after a pause with chance `idle`."""
    ports = ["o_neuron", "o_v", "o_spike", *(f"state_{n}" for n in bank.datapath.states)]
    found = {port: [] for port in ports}
    rng = np.random.default_rng(SEED)
    wanted = len(currents) * (bank.count if bank.broadcast else 1)
    clocks = []

    async def bench(ctx):
        if before is not None:
            await before(ctx)
        waiting = [int(code) for code in currents]
        offered = False
        for clock in range(40 + 40 * wanted * bank.interval + bank.latency):
            offered = bool(waiting) and (offered or rng.random() >= idle)
            ctx.set(bank.i_valid, offered)
            ctx.set(bank.i, waiting[0] if offered else int(rng.integers(-100, 100)))
            taken = offered and ctx.get(bank.i_ready)
            await ctx.tick()
            if taken:
                waiting.pop(0)
                offered = False
            if ctx.get(bank.o_valid):
                clocks.append(clock)
                for port in ports:
                    found[port].append(ctx.get(getattr(bank, port)))
                if len(clocks) == wanted:
                    break
        ctx.set(bank.i_valid, 0)
        if after is not None:
            await ctx.tick()
            await after(ctx)

    simulator = Simulator(bank if top is None else top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return {port: np.array(values) for port, values in found.items()}, np.array(clocks)


def agree(bank, codes, states, currents, found):
    """All results equal the reference's. currents (steps,) or (steps, count); codes (count, coefficients)."""
    dp, steps = bank.datapath, len(currents)
    each = np.broadcast_to(currents[:, None], (steps, bank.count)) if currents.ndim == 1 else currents
    v, spikes, path = reference.run(dp, states, codes, each)
    assert np.array_equal(found["o_neuron"].reshape(steps, -1), np.tile(np.arange(bank.count), (steps, 1)))
    assert np.array_equal(found["o_v"].reshape(v.shape), v)
    assert np.array_equal(found["o_spike"].reshape(v.shape), spikes)
    for k, name in enumerate(dp.states):
        assert np.array_equal(found[f"state_{name}"].reshape(v.shape), path[:, :, k]), name
    return spikes


def made(name, rng, *, word=18, count=5, own=(), **more):
    """A bank with random registers; the coefficients of `own` differ by neuron."""
    dp = datapath(MODELS[name], word)
    coefficients = np.stack([np.full(count, hostile(rng, q, 1)[0]) for q in dp.coefficients.values()], axis=-1)
    for k, coefficient in enumerate(dp.coefficients):
        if coefficient in own:
            coefficients[:, k] = hostile(rng, dp.coefficients[coefficient], count)
    states = np.stack([hostile(rng, q, count) for q in dp.states.values()], axis=-1)
    neuron = MODELS[name](word=word, codes=dict(zip(dp.coefficients, map(int, coefficients[0]), strict=True)))
    given = {n: coefficients[:, k] for k, n in enumerate(dp.coefficients) if n in own}
    if isinstance(more.get("block"), Spram):
        states = np.tile([*neuron.initial.values()], (count, 1))
    else:
        more["initial"] = states
    return Bank(neuron, count, own=given, **more), coefficients, states


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("multipliers", [1, 2, 1000])
@pytest.mark.parametrize("model", MODELS)
def test_equals_the_reference(model, multipliers, timing):
    rng = np.random.default_rng([SEED, multipliers])
    dp = datapath(MODELS[model], 18)
    multipliers = min(multipliers, products(dp.trace))
    own = rng.choice([*dp.coefficients], 2, replace=False)
    bank, codes, states = made(model, rng, multipliers=multipliers, own=own, timing=timing)
    assert bank.interval == interval_for(dp.trace, multipliers)
    currents = hostile(rng, dp.current, 12)
    found, _ = simulated(bank, currents, idle=0.3)
    agree(bank, codes, states, currents, found)


@pytest.mark.parametrize("interval", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("count", [2, 17, 30])
@pytest.mark.parametrize("model", ["LIFNeuron", "AdExNeuron"])
def test_memories_with_one_port(model, count, interval):
    """A word is never read in the clock in which that memory is written; bits for which there is no room are in block RAM."""
    rng = np.random.default_rng([SEED, count, interval])
    needed = -(-products(datapath(MODELS[model], 18).trace) // interval)
    more = {"multipliers": needed, "interval": interval, "own": ("E_L",)}
    bank, codes, states = made(model, rng, count=count, block=Spram(), **more)
    currents = hostile(rng, bank.datapath.current, 5)
    found, clocks = simulated(bank, currents, idle=0)
    agree(bank, codes, states, currents, found)
    if count >= bank.in_flight:
        # after an odd number of neurons one clock is left out, as the first one is even again
        spare = interval == 1 and count % 2
        assert clocks[-1] - clocks[0] == (5 * count - 1) * interval + 4 * spare


@pytest.mark.parametrize("multipliers", [1, 5])
def test_a_reset_brings_the_first_states_back(multipliers):
    rng = np.random.default_rng(SEED)
    bank, codes, states = made("IzhikevichNeuron", rng, count=6, block=Spram(), multipliers=multipliers)
    m, domain = Module(), ClockDomain("sync")
    m.domains.sync, m.submodules.bank = domain, bank
    currents = hostile(rng, bank.datapath.current, 8)

    async def reset(ctx):
        ctx.set(bank.i, 1000)
        ctx.set(bank.i_valid, 1)
        for _ in range(20):
            await ctx.tick().until(bank.o_valid)
        ctx.set(bank.i_valid, 0)
        await ctx.tick().repeat(int(rng.integers(2 * bank.latency)))
        ctx.set(domain.rst, 1)
        await ctx.tick()
        ctx.set(domain.rst, 0)

    found, _ = simulated(bank, currents, idle=0, before=reset, top=m)
    # coefficients have the codes that they begin with, too
    agree(bank, codes, states, currents, found)


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("broadcast", [True, False])
def test_a_current_for_all_or_for_each(bits, broadcast):
    rng = np.random.default_rng([SEED, bits])
    bank, codes, states = made("IzhikevichNeuron", rng, word=bits, broadcast=broadcast, multipliers=2, count=7)
    currents = hostile(rng, bank.datapath.current, 70).reshape(10, 7)[:, 0 if broadcast else slice(None)]
    found, _ = simulated(bank, currents.ravel(), idle=0.2)
    agree(bank, codes, states, currents, found)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 8, 9, 20, 40])
@pytest.mark.parametrize("multipliers", [1, 5])
@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize(
    "block", [BLOCKS[0], *(pytest.param(*b.values, id=b.id, marks=pytest.mark.slow) for b in BLOCKS[1:])]
)
def test_any_number_of_neurons(count, multipliers, timing, block):
    """With fewer neurons than the pipeline has room for, a neuron waits for its last step; with more, none ever waits."""
    rng = np.random.default_rng([SEED, count])
    more = {"multipliers": multipliers, "timing": timing, "block": block}
    bank, codes, states = made("IzhikevichNeuron", rng, count=count, **more)
    currents = hostile(rng, bank.datapath.current, 6)
    found, clocks = simulated(bank, currents, idle=0)
    agree(bank, codes, states, currents, found)
    between = np.diff(clocks)
    assert (between >= bank.interval).all()
    if count >= bank.in_flight:
        assert (between == bank.interval).all()
    elif bank.broadcast:
        # a neuron's next step begins when its last one is written
        assert clocks[count] - clocks[0] >= bank.latency


@pytest.mark.parametrize("model", MODELS)
def test_a_step_every_interval(model):
    """ceil(products / multipliers) clocks, for 1, 2 and 4 multipliers, and a latency as promised."""
    rng = np.random.default_rng(SEED)
    for multipliers in (1, 2, 4):
        bank, *_ = made(model, rng, multipliers=multipliers, count=70)
        trace = bank.datapath.trace
        assert bank.count >= bank.in_flight
        assert bank.interval == max(1, -(-products(trace) // multipliers)) == interval_for(trace, multipliers)
        _, clocks = simulated(bank, hostile(rng, bank.datapath.current, 2), idle=0)
        assert (np.diff(clocks) == bank.interval).all() and len(clocks) == 140


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("block", BLOCKS)
def test_registers_are_written_and_states_are_shown_between_sweeps(timing, block):
    rng = np.random.default_rng(SEED)
    own = "k_u", "d"
    more = {"own": own, "timing": timing, "block": block}
    bank, codes, states = made("IzhikevichNeuron", rng, multipliers=1, count=6, **more)
    dp = bank.datapath
    writes = [(int(rng.integers(bank.count)), r) for r in dp.registers for _ in range(3)]
    values = [int(hostile(rng, r.format, 1)[0]) for _, r in writes]

    async def before(ctx):
        for (neuron, register), value in zip(writes, values, strict=True):
            ctx.set(bank.cfg_neuron, neuron)
            ctx.set(bank.cfg_addr, register.address)
            ctx.set(bank.cfg_data, value)
            ctx.set(bank.cfg_valid, 1)
            await ctx.tick().until(bank.cfg_ready)
            ctx.set(bank.cfg_valid, 0)
            if rng.random() < 0.5:
                await ctx.tick()

    for (neuron, register), value in zip(writes, values, strict=True):
        if register.kind == "state":
            states[neuron, [*dp.states].index(register.name)] = value
        else:
            k = [*dp.coefficients].index(register.name)
            codes[neuron if register.name in own else slice(None), k] = value

    shown = []

    async def after(ctx):
        await ctx.tick().repeat(bank.latency)
        for neuron in range(bank.count):
            ctx.set(bank.cfg_neuron, neuron)
            await ctx.tick().repeat(bank.lead)
            shown.append([ctx.get(getattr(bank, f"kept_{name}")) for name in dp.states])

    currents = hostile(rng, dp.current, 5)
    found, _ = simulated(bank, currents, idle=0.1, before=before, after=after)
    agree(bank, codes, states, currents, found)
    *_, path = reference.run(dp, states, codes, np.broadcast_to(currents[:, None], (5, bank.count)))
    assert np.array_equal(shown, path[-1])


@pytest.mark.parametrize("broadcast", [True, False])
@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize(("multipliers", "count"), [(1, 4), (5, 40)])
@pytest.mark.parametrize("block", BLOCKS)
def test_currents_and_writes_at_any_time(timing, broadcast, multipliers, count, block):
    """Both are offered at random, often at once; a write is done between the sweeps, and holds the next one back."""
    rng = np.random.default_rng(SEED)
    more = {"multipliers": multipliers, "timing": timing, "broadcast": broadcast, "block": block}
    bank, codes, states = made("IzhikevichNeuron", rng, own=("d",), count=count, **more)
    dp, sweep = bank.datapath, 1 if broadcast else count
    steps = 12
    happened, found, waits = [], [], []  # currents and writes in order; results; clocks for which writes were offered

    async def drives(ctx):
        code, often, offers = None, 0.9, 0
        while True:
            if code is None and rng.random() < often:
                offers += 1
                # before some sweeps there is a long pause
                often = rng.choice([0.9, 0.02]) if offers % sweep == 0 else 0.9
                code = int(hostile(rng, dp.current, 1)[0])
            ctx.set(bank.i_valid, code is not None)
            ctx.set(bank.i, code or 0)
            taken = code is not None and ctx.get(bank.i_ready)
            if taken:
                happened.append(("current", code))
                code = None
            await ctx.tick()

    async def writes(ctx):
        while True:
            # often in the clock in which a sweep could begin
            for _ in range(int(rng.integers(1, 2 * bank.latency))):
                await ctx.tick()
            register, neuron = rng.choice(np.array(dp.registers, dtype=object)), int(rng.integers(count))
            value = int(hostile(rng, register.format, 1)[0])
            for port, given in (("neuron", neuron), ("addr", register.address), ("data", value), ("valid", 1)):
                ctx.set(getattr(bank, f"cfg_{port}"), given)
            waits.append(0)
            while not ctx.get(bank.cfg_ready):
                waits[-1] += 1
                await ctx.tick()
            happened.append(("write", neuron, register, value))
            await ctx.tick()
            ctx.set(bank.cfg_valid, 0)

    async def watches(ctx):
        while len(found) < steps * count:
            await ctx.tick()
            if ctx.get(bank.o_valid):
                found.append(
                    [
                        ctx.get(bank.o_v),
                        ctx.get(bank.o_spike),
                        *(ctx.get(getattr(bank, f"state_{n}")) for n in dp.states),
                    ]
                )

    simulator = Simulator(bank)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drives, background=True)
    simulator.add_testbench(writes, background=True)
    simulator.add_testbench(watches)
    simulator.run()

    wanted, currents = [], []
    for what, *more in happened:
        if what == "write":
            assert not currents, "a write in the middle of a sweep"
            neuron, register, value = more
            if register.kind == "state":
                states[neuron, [*dp.states].index(register.name)] = value
            else:
                codes[neuron if register.name == "d" else slice(None), [*dp.coefficients].index(register.name)] = value
            continue
        currents += more
        if len(currents) == sweep:
            states, v, spikes = reference.step(dp, states, codes, np.resize(currents, count))
            wanted += [[v[k], spikes[k], *states[k]] for k in range(count)]
            currents = []
    assert np.array_equal(found, wanted[: steps * count])
    assert sum(what == "write" for what, *_ in happened) > 3
    # a sweep that has begun, where currents may be missing, and then what is in the pipeline
    assert max(waits) < (2 + 2 * (not broadcast)) * (count + bank.in_flight) * bank.interval + bank.latency + 10


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"count": 1}, "count is a whole number of 2 or more, not 1"),
        ({"count": 2.5}, "count is a whole number"),
        ({"multipliers": 0}, "multipliers is a whole number of 1 or more"),
        ({"interval": 0}, "interval is a whole number of 1 or more"),
        ({"interval": 2, "multipliers": 2}, "every 3 clocks"),
        ({"own": {"k_x": [1, 2, 3]}}, "no coefficient k_x"),
        ({"own": {"d": [1, 2]}}, "3 whole numbers"),
        ({"own": {"d": [1, 2, 2**40]}}, "3 whole numbers"),
        ({"own": {"d": [1, 2, 0.5]}}, "3 whole numbers"),
        ({"initial": np.zeros((2, 2), int)}, r"shape \(3, 2\)"),
        ({"initial": np.zeros((3, 2), int), "block": Spram()}, "all neurons begin with the states of the neuron"),
        ({"count": 16385, "block": Spram()}, "hold at most 16,384 neurons of a lane, not 16,385"),
        ({"count": 32769, "multipliers": 5, "block": Spram()}, "hold at most 32,768 neurons of a lane, not 32,769"),
    ],
)
def test_refused(more, sentence):
    with pytest.raises(UsageError, match=sentence):
        Bank(MODELS["IzhikevichNeuron"](), **{"count": 3, **more})


@pytest.mark.parametrize(("bits", "words"), [(0, 4), (9, 0), (9, 3), (9, 1), (2.5, 4), (9, 1000)])
def test_no_shape_of_a_block_ram(bits, words):
    with pytest.raises(UsageError, match=r"bits is|words is|power of two"):
        Block(bits, words)
    with pytest.raises(UsageError, match="2 or 4, not 3"):
        Spram(3)


@pytest.mark.parametrize(("groups", "clocks"), [(1, 0), (2, 1), (4, 1), (5, 2), (16, 2), (17, 3), (64, 3), (65, 4)])
def test_the_word_of_a_group_is_chosen_among_four_at_a_time(groups, clocks):
    assert levels(groups) == clocks


def test_a_model_is_no_neuron():
    with pytest.raises(UsageError, match="make a neuron of it"):
        Bank(MODELS["LIFNeuron"], 3)
