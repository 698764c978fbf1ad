"""Networks: their hardware, simulated, against the reference."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from benchmarks.network import brunel
from spikefab.errors import UsageError
from spikefab.hw.bank import Bank
from spikefab.hw.datapath import datapath
from spikefab.hw.lowering.schedule import SHORT, Timing
from spikefab.hw.models import MODELS
from spikefab.hw.network import Network
from spikefab.hw.synapses import Synapses
from spikefab.hw.words import Block
from spikefab.sim import network as reference
from spikefab.sim import network_rtl

from .test_bank import hostile, made

SEED = 20
LONG = Timing(multiply=3, saturate=2, read=3)
TIMINGS = [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long")]
MODEL = "IzhikevichNeuron"


def simulated(network, external, *, idle, before=None, after=None):
    """What comes out of a network. `external` is offered in order, each after a pause with chance `idle`.

    Returns {port: array}, and for each step the clock of its first external current.
    """
    bank = network.bank
    ports = ["o_neuron", "o_v", "o_spike", *(f"state_{n}" for n in bank.datapath.states)]
    found = {port: [] for port in [*ports, "s"]}
    rng = np.random.default_rng(SEED)
    each = 1 if network.broadcast else bank.count
    wanted, begins = len(external) * bank.count, []

    async def bench(ctx):
        if before is not None:
            await before(ctx)
        waiting, taken, offered, clock = [int(code) for code in external.ravel()], 0, False, 0
        most = 1000 + 40 * wanted * bank.interval + 2 * len(external) * (network.latency + len(network.synapses) + 10)
        while len(found["o_v"]) < wanted:
            offered = taken < len(waiting) and (offered or rng.random() >= idle)
            ctx.set(network.i_valid, offered)
            ctx.set(network.i, waiting[taken] if offered else int(rng.integers(-100, 100)))
            takes = offered and ctx.get(network.i_ready)
            if ctx.get(network.s_valid):
                found["s"].append(ctx.get(network.s))
            if ctx.get(network.o_valid):
                for port in ports:
                    found[port].append(ctx.get(getattr(network, port)))
            await ctx.tick()
            if takes:
                if taken % each == 0:
                    begins.append(clock)
                taken, offered = taken + 1, False
            clock += 1
            assert clock < most, "it takes too long"
        ctx.set(network.i_valid, 0)
        if after is not None:
            await after(ctx)

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return {port: np.array(values) for port, values in found.items()}, np.array(begins)


def agree(network, codes, states, external, found):
    """All results equal the reference's, which are returned."""
    wanted = reference.run(network.synapses, states, codes, external)
    shape = wanted.v.shape
    assert np.array_equal(found["o_neuron"].reshape(shape), np.tile(np.arange(shape[1]), (shape[0], 1)))
    assert np.array_equal(found["s"].reshape(shape), wanted.synaptic)
    assert np.array_equal(found["o_v"].reshape(shape), wanted.v)
    assert np.array_equal(found["o_spike"].reshape(shape), wanted.spikes)
    for k, name in enumerate(network.bank.datapath.states):
        assert np.array_equal(found[f"state_{name}"].reshape(shape), wanted.states[:, :, k]), name
    return wanted


def firing(rng, count, table, *, chance=0.5, word=18, tau_s=5.0, broadcast=False, **more):
    """A network of neurons with their defaults; some spike in each step, the others when their input makes them."""
    dp = datapath(MODELS[MODEL], word)
    neuron = MODELS[MODEL](word=word)
    codes = np.tile(neuron.reset_codes[: len(dp.coefficients)], (count, 1))
    peak = [*dp.coefficients].index("v_peak")
    codes[:, peak] = np.where(rng.random(count) < chance, dp.coefficients["v_peak"].lo, codes[:, peak])
    states = np.tile([*neuron.initial.values()], (count, 1))
    bank = Bank(neuron, count, broadcast=False, own={"v_peak": codes[:, peak]}, **more)
    return Network(bank, Synapses(dp, count, *table, tau_s=tau_s), broadcast=broadcast), codes, states


def at_random(rng, count, synapses, q):
    """A table with all kinds of weights; with many synapses for the count there are duplicates and neurons as their own targets."""
    return rng.integers(0, count, synapses), rng.integers(0, count, synapses), hostile(rng, q, synapses)


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("model", MODELS)
def test_equals_the_reference(model, timing):
    """Random registers and states, every neuron with a threshold, a reset ... of its own."""
    rng = np.random.default_rng([SEED, *model.encode()])
    dp = datapath(MODELS[model], 18)
    spikes = 0
    for count, multipliers in ((2, 1), (7, 1000)):
        own = {"broadcast": False, "own": [*dp.coefficients], "multipliers": multipliers, "timing": timing}
        bank, codes, states = made(model, rng, count=count, **own)
        synapses = Synapses(dp, count, *at_random(rng, count, 8 * count, dp.current))
        external = hostile(rng, dp.current, 24 * count).reshape(24, count) // 2
        network = Network(bank, synapses)
        found, _ = simulated(network, external, idle=0.1)
        spikes += agree(network, codes, states, external, found).spikes.sum()
    assert spikes > 0


def tables(count, q):
    every = np.repeat(np.arange(count), count), np.tile(np.arange(count), count)
    alike = np.arange(count)
    zero, last = np.zeros(count, int), np.full(count, count - 1)
    again = np.tile([0, 1, 0, 2, 1, 0, 0, 0, 1, 2, 0], 3) % count  # targets again after one, two, three, four synapses
    return {
        "none": ([], [], []),
        "one": ([count - 1], [0], [q.hi]),
        "zeros": (*every, np.zeros(count * count, int)),
        "themselves": (alike, alike, np.full(count, q.hi // 8)),
        "all to all, most": (*every, np.full(count * count, q.hi)),
        "all to all, least": (*every, np.full(count * count, q.lo)),
        "all to all, mixed": (*every, np.where(np.arange(count * count) % 3, q.hi, q.lo)),
        "one source": (zero, alike, np.linspace(q.lo, q.hi, count).astype(int)),
        "the last source": (last, alike, np.linspace(q.lo, q.hi, count).astype(int)),
        "one target": (alike, last, np.linspace(q.hi, q.lo, count).astype(int)),
        "duplicates": (np.full(33, count - 1), again, np.arange(33) * 1001 - 9000),
        "duplicates of several": (np.arange(66) % 2, np.tile(again, 2), np.arange(66) * 501 - 9000),
        "one synapse each": (alike, zero, np.arange(count) * 700 + 1),
    }


@pytest.mark.parametrize(("count", "timing"), [(2, SHORT), (4, LONG), (7, SHORT)], ids=["2", "4 long", "7"])
@pytest.mark.parametrize("table", [*tables(2, datapath(MODELS[MODEL], 18).current)])
def test_tables(table, count, timing):
    q = datapath(MODELS[MODEL], 18).current
    rng = np.random.default_rng(SEED)
    for chance in (0.6, 1):
        more = {"multipliers": 5, "timing": timing, "block": Block(9, 8) if timing is LONG else None}
        network, codes, states = firing(rng, count, tables(count, q)[table], chance=chance, **more)
        external = hostile(rng, q, 5 * count).reshape(5, count) // 8
        found, _ = simulated(network, external, idle=0)
        wanted = agree(network, codes, states, external, found)
    assert wanted.spikes.all(), "in the second network, all neurons spike in each step"
    fan_in = np.bincount(network.synapses.targets, minlength=count).max() if len(network.synapses) else 0
    assert network.synapses.fan_in == fan_in
    if table == "all to all, least":  # the arrivals reach the end of their format, for these numbers of neurons
        end = network.synapses.arrivals.lo
        assert (
            reference.arrivals(network.synapses, np.ones(count)) == (end if count & (count - 1) == 0 else count * q.lo)
        ).all()
        assert (wanted.synaptic[1:] == network.synapses.synaptic.lo).all()
    if table == "all to all, most":
        assert (wanted.synaptic[1:] == network.synapses.synaptic.hi).all()


@pytest.mark.parametrize(
    ("tau_s", "bits", "timing"),
    [
        (0.1, 16, LONG),
        (0.37, 18, SHORT),
        (5, 24, LONG),
        (6.4, 16, SHORT),
        (6.4, 24, SHORT),
        (1000, 16, SHORT),
        (1000, 24, LONG),
    ],
)
def test_time_constants(tau_s, bits, timing):
    rng = np.random.default_rng([SEED, bits])
    q = datapath(MODELS[MODEL], bits).current
    table = at_random(rng, 4, 12, q)
    network, codes, states = firing(rng, 4, table, word=bits, tau_s=tau_s, multipliers=5, timing=timing)
    external = hostile(rng, q, 100).reshape(25, 4)
    found, _ = simulated(network, external, idle=0)
    wanted = agree(network, codes, states, external, found)
    assert 0 < wanted.spikes.mean() < 1


@pytest.mark.parametrize("broadcast", [True, False])
@pytest.mark.parametrize(
    ("multipliers", "count", "idle", "block"),
    [
        (1, 2, 0.3, None),
        (1, 20, 0.3, None),
        (2, 5, 0, Block(9, 2)),
        (5, 3, 0.9, None),
        (5, 20, 0.6, None),
        (5, 12, 0.3, Block(9, 4)),
    ],
)
def test_pauses(idle, broadcast, multipliers, count, block):
    """The external current comes when it likes; the bank takes its currents every few clocks, or waits for a neuron."""
    rng = np.random.default_rng([SEED, count])
    q = datapath(MODELS[MODEL], 18).current
    more = {"multipliers": multipliers, "broadcast": broadcast, "block": block}
    network, codes, states = firing(rng, count, at_random(rng, count, 4 * count, q), **more)
    external = hostile(rng, q, 8 * count).reshape(8, count)[:, 0 if broadcast else slice(None)] // 2
    found, _ = simulated(network, external, idle=idle)
    agree(network, codes, states, external, found)


@pytest.mark.parametrize(
    ("timing", "block"), [(SHORT, None), (LONG, Block(9, 8)), (SHORT, Block(5, 2))], ids=["short", "long", "groups"]
)
def test_clocks_of_a_step(timing, block):
    rng = np.random.default_rng(SEED)
    count = 12
    fan_out = np.arange(count) % 7
    source = np.repeat(np.arange(count), fan_out)
    q = datapath(MODELS[MODEL], 18).current
    table = source, rng.integers(0, count, len(source)), hostile(rng, q, len(source))
    several, more = 0, {"multipliers": 5, "timing": timing, "block": block}
    for chance in (0, 0.2, 0.4, 0.6, 1):
        network, codes, states = firing(rng, count, table, chance=chance, **more)
        assert network.bank.interval == 1
        external = np.full((8, count), q.hi // 3)
        found, begins = simulated(network, external, idle=0)
        spikes = agree(network, codes, states, external, found).spikes
        wanted = [network.clocks(fan_out[np.flatnonzero(row)]) for row in spikes[:-1]]
        assert np.diff(begins).tolist() == wanted
        several += len({*wanted})
    assert several >= 5


def test_registers_are_written_and_states_are_shown():
    """What the bank's ports do, through the network's."""
    rng = np.random.default_rng(SEED)
    q = datapath(MODELS[MODEL], 18).current
    network, codes, states = firing(rng, 5, at_random(rng, 5, 30, q), multipliers=5)
    dp, shown = network.bank.datapath, []
    writes = [(int(rng.integers(5)), r, int(hostile(rng, r.format, 1)[0])) for r in dp.registers if r.name != "v_peak"]
    for neuron, register, value in writes:
        if register.kind == "state":
            states[neuron, [*dp.states].index(register.name)] = value
        else:
            codes[:, [*dp.coefficients].index(register.name)] = value

    async def before(ctx):
        for neuron, register, value in writes:
            for port, given in (("neuron", neuron), ("addr", register.address), ("data", value), ("valid", 1)):
                ctx.set(getattr(network, f"cfg_{port}"), given)
            await ctx.tick().until(network.cfg_ready)
            ctx.set(network.cfg_valid, 0)

    async def after(ctx):
        await ctx.tick().repeat(network.latency)
        for neuron in range(5):
            ctx.set(network.cfg_neuron, neuron)
            await ctx.tick().repeat(network.bank.lead)
            shown.append([ctx.get(getattr(network, f"kept_{name}")) for name in dp.states])

    external = hostile(rng, q, 50).reshape(10, 5)
    found, _ = simulated(network, external, idle=0, before=before, after=after)
    wanted = agree(network, codes, states, external, found)
    assert np.array_equal(shown, wanted.states[-1])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"count": 1}, "count is a whole number of 2 or more"),
        ({"sources": [0, 5]}, "sources are whole numbers from 0 to 2"),
        ({"targets": [-1, 0]}, "targets are whole numbers from 0 to 2"),
        ({"targets": [0.5, 0]}, "targets are whole numbers"),
        ({"weights": [1, 2**17]}, "weights are whole numbers from -131072 to 131071"),
        ({"weights": [1, 2, 3]}, "of one length, not 2, 2, 3"),
        ({"weights": []}, "of one length, not 2, 2, 0"),
        ({"sources": [[0, 1]]}, "sources are whole numbers"),
        ({"tau_s": 0.05}, "tau_s = 0.05 ms is outside 0.1..1000 ms"),
        ({"tau_s": 1001}, "outside"),
        ({"tau_s": "slow"}, "tau_s is one number in ms"),
    ],
)
def test_refused_synapses(given, sentence):
    whole = {"count": 3, "sources": [0, 1], "targets": [1, 2], "weights": [5, 6], **given}
    with pytest.raises(UsageError, match=sentence):
        Synapses(datapath(MODELS[MODEL], 18), **whole)


def test_refused_networks():
    dp, neuron = datapath(MODELS[MODEL], 18), MODELS[MODEL]()
    synapses = Synapses(dp, 3, [0], [1], [5])
    with pytest.raises(UsageError, match="broadcast=False"):
        Network(Bank(neuron, 3), synapses)
    with pytest.raises(UsageError, match=r"of 3 neurons .* of 4"):
        Network(Bank(neuron, 4, broadcast=False), synapses)
    with pytest.raises(UsageError, match=r"word=18.*word=16"):
        Network(Bank(MODELS[MODEL](word=16), 3, broadcast=False), synapses)
    states, codes, external = np.zeros((3, 2), int), np.zeros((3, len(dp.coefficients)), int), np.zeros((4, 3), int)
    for given, sentence in (
        (
            (states, codes, external[:, :2]),
            r"external currents .* shape \(4,\) or \(4, 3\): not int64 of shape \(4, 2\)",
        ),
        ((states, codes, external + 0.5), "whole numbers of shape .*: not float64"),
        ((states, codes, external + 2**17), r"external currents are codes of Q\(3, 15\), and some do not fit"),
        ((states, codes, 5), r"not int64 of shape \(\)"),
        ((states[:2], codes, external), "states are codes"),
        ((states, codes.T, external), "coefficients are codes"),
        ((states + 2**31, codes, external), "some do not fit"),
        ((states, codes - 2**17 - 1, external), "some do not fit"),
    ):
        with pytest.raises(UsageError, match=sentence):
            reference.run(synapses, *given)


@pytest.mark.parametrize(
    ("steps", "idle"),
    [
        pytest.param(300, 100, marks=pytest.mark.slow),
        pytest.param(10_000, 0, marks=pytest.mark.long),
    ],
)
def test_the_network_of_the_benchmark(steps, idle):
    """512 Izhikevich neurons, 16,384 synapses, spikes in every 10 ms, in Verilator: every code in every step."""
    net = brunel(steps)
    assert len(net.synapses) == 16_384
    wanted = reference.run(net.synapses, net.states, net.codes, net.external)
    found, clocks = network_rtl.play(net.hardware(), net.external, idle=idle)
    for name, ours, its in zip(wanted._fields, wanted, found, strict=True):
        assert np.array_equal(ours, its), name
    assert wanted.spikes.reshape(-1, 100 * 512).any(axis=1).all()
    if not idle:
        hardware, fan_out = net.hardware(), np.diff(net.synapses.first)
        taken = sum(hardware.clocks(fan_out[np.flatnonzero(row)]) for row in wanted.spikes[:-1])
        assert 0 < clocks - taken < 2 * 512, "the last step and what comes before the first"
