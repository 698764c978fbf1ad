"""Networks: their hardware, simulated, against the reference, and the reference against sums that are typed again here."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikefab.errors import UsageError
from spikefab.hw.bank import Bank
from spikefab.hw.datapath import datapath
from spikefab.hw.lowering.schedule import SHORT, Timing
from spikefab.hw.models import MODELS
from spikefab.hw.network import Network
from spikefab.hw.synapses import Synapses
from spikefab.hw.words import Block
from spikefab.sim import network as reference

from .test_bank import hostile

SEED = 20
TIMINGS = [pytest.param(SHORT, id="short"), pytest.param(Timing(multiply=3, saturate=2, read=3), id="long")]


def simulated(network, external, *, idle):
    """What comes out of a network. `external` is offered in order, each after a pause with chance `idle`.

    Returns {port: list}, and for each step the clock of its first external current.
    """
    bank = network.bank
    ports = ["o_neuron", "o_v", "o_spike", *(f"state_{n}" for n in bank.datapath.states)]
    found = {port: [] for port in [*ports, "s"]}
    rng = np.random.default_rng(SEED)
    each = 1 if network.broadcast else bank.count
    wanted, begins = len(external) * bank.count, []

    async def bench(ctx):
        waiting, taken, offered, clock = [int(code) for code in external.ravel()], 0, False, 0
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
            assert clock < 1000 + 100 * wanted * (bank.interval + 20), "it hangs"

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return {port: np.array(values) for port, values in found.items()}, np.array(begins)


def agree(network, states, codes, external, found):
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


def made(model, count, table, *, word=18, tau_s=5.0, broadcast=False, **more):
    """A network of neurons with their default parameters, at rest; `table` has the columns sources, targets, weights."""
    dp = datapath(MODELS[model], word)
    neuron = MODELS[model](word=word)
    synapses = Synapses(dp, count, *table, tau_s=tau_s)
    network = Network(Bank(neuron, count, broadcast=False, **more), synapses, broadcast=broadcast)
    codes = np.tile(neuron.reset_codes[: len(dp.coefficients)], (count, 1))
    return network, np.tile([*neuron.initial.values()], (count, 1)), codes


def drive(dp, shape, rng):
    """External currents that make neurons spike now and then, soon: codes over half the range, with inhibition among them."""
    return np.clip(rng.normal(0.25, 0.5, shape) * dp.current.hi, dp.current.lo, dp.current.hi).astype(int)


def test_smoke():
    rng = np.random.default_rng(SEED)
    n = 5
    dp = datapath(MODELS["IzhikevichNeuron"], 18)
    table = rng.integers(0, n, 40), rng.integers(0, n, 40), hostile(rng, dp.current, 40)
    network, states, codes = made("IzhikevichNeuron", n, table, multipliers=5)
    external = drive(dp, (60, n), rng)
    found, begins = simulated(network, external, idle=0)
    wanted = agree(network, states, codes, external, found)
    print(wanted.spikes.sum(), np.diff(begins), network.overhead, wanted.spikes.sum(1))
