"""Banks side by side: their hardware, simulated, against the reference, with random registers, pauses and writes."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikefab.errors import UsageError
from spikefab.hw.datapath import datapath
from spikefab.hw.lanes import Lanes
from spikefab.hw.models import MODELS
from spikefab.hw.words import Block
from spikefab.sim import reference

from .test_bank import SEED, hostile

OWN = "d", "k_u"


def made(rng, count, lanes, **more):
    """Lanes of Izhikevich neurons with random registers, all codes (count, coefficients), and all states."""
    dp = datapath(MODELS["IzhikevichNeuron"], 18)
    codes = np.stack([np.full(count, hostile(rng, q, 1)[0]) for q in dp.coefficients.values()], axis=-1)
    columns = {name: [*dp.coefficients].index(name) for name in OWN}
    for name, k in columns.items():
        codes[:, k] = hostile(rng, dp.coefficients[name], count)
    states = np.stack([hostile(rng, q, count) for q in dp.states.values()], axis=-1)
    neuron = MODELS["IzhikevichNeuron"](codes=dict(zip(dp.coefficients, map(int, codes[0]), strict=True)))
    own = {name: codes[:, k] for name, k in columns.items()}
    return Lanes(neuron, count, lanes, own=own, initial=states, **more), codes, states


@pytest.mark.parametrize("broadcast", [True, False])
@pytest.mark.parametrize(("count", "lanes"), [(4, 1), (4, 2), (15, 3), (96, 4)])
def test_equals_the_reference(count, lanes, broadcast):
    rng = np.random.default_rng([SEED, count])
    design, codes, states = made(rng, count, lanes, multipliers=2, block=Block(9, 8), broadcast=broadcast)
    dp, each, steps = design.banks[0].datapath, count // lanes, 6
    currents = hostile(rng, dp.current, steps * count).reshape(steps, count)
    currents[:, :] = currents[:, :1] if broadcast else currents
    writes = [(step, int(rng.integers(count)), r) for step in (0, 2) for r in dp.registers]
    values = [int(hostile(rng, r.format, 1)[0]) for *_, r in writes]
    found = np.full((steps, count, 2 + len(dp.states)), np.iinfo(np.int64).min)
    done = np.zeros(lanes, dtype=int)

    async def watch(ctx):
        for k in range(lanes):
            if ctx.get(design.o_valid[k]):
                step, neuron = divmod(done[k], each)
                assert ctx.get(design.o_neuron[k]) == neuron
                ports = ("o_v", "o_spike", *(f"state_{name}" for name in dp.states))
                found[step, k * each + neuron] = [ctx.get(getattr(design, port)[k]) for port in ports]
                done[k] += 1
        await ctx.tick()

    async def bench(ctx):
        for step in range(steps):
            for (when, neuron, register), value in zip(writes, values, strict=True):
                if when != step:
                    continue
                given = {"lane": neuron // each, "neuron": neuron % each, "addr": register.address, "data": value}
                for port, number in {**given, "valid": 1}.items():
                    ctx.set(getattr(design, f"cfg_{port}"), number)
                await watch(ctx)
                ctx.set(design.i_valid, broadcast)  # offered all the time: no sweep begins until all is written
                while not ctx.get(design.cfg_ready):
                    assert not (broadcast and ctx.get(design.i_ready))
                    await watch(ctx)
                assert not (broadcast and ctx.get(design.i_ready))
                await watch(ctx)
                ctx.set(design.cfg_valid, 0)
            ctx.set(design.i_valid, 0)
            for place in range(1 if broadcast else each):
                while rng.random() < 0.3:
                    await watch(ctx)
                if broadcast:
                    ctx.set(design.i, int(currents[step, 0]))
                else:
                    for k in range(lanes):
                        ctx.set(design.i[k], int(currents[step, k * each + place]))
                ctx.set(design.i_valid, 1)
                while not ctx.get(design.i_ready):
                    await watch(ctx)
                await watch(ctx)
                ctx.set(design.i_valid, 0)
        for _ in range(2 * count * design.banks[0].interval + design.banks[0].latency):
            await watch(ctx)
        for neuron in range(each):
            ctx.set(design.cfg_neuron, neuron)
            await ctx.tick().repeat(design.banks[0].lead)
            for k in range(lanes):
                kept = [ctx.get(getattr(design, f"kept_{name}")[k]) for name in dp.states]
                assert np.array_equal(kept, found[-1, k * each + neuron, 2:])

    simulator = Simulator(design)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert (done == steps * each).all()
    for step in range(steps):
        for (when, neuron, register), value in zip(writes, values, strict=True):
            if when == step and register.kind == "state":
                states[neuron, [*dp.states].index(register.name)] = value
            elif when == step:
                which = neuron if register.name in OWN else slice(None)
                codes[which, [*dp.coefficients].index(register.name)] = value
        states, v, spikes = reference.step(dp, states, codes, currents[step])
        assert np.array_equal(found[step], np.column_stack([v, spikes, states]))


@pytest.mark.parametrize(
    ("count", "lanes", "more", "sentence"),
    [
        (9, 2, {}, "9 neurons cannot be in 2 lanes"),
        (2, 2, {}, "2 neurons cannot be in 2 lanes"),
        (4, 0, {}, "lanes is a whole number of 1 or more"),
        (4, 2, {"own": {"d": [1, 2]}}, "d: one value for each of 4 neurons"),
        (4, 2, {"own": {"d": 1}}, "d: one value for each of 4 neurons"),
        (4, 2, {"own": {"nothing": [1, 2, 3, 4]}}, "no coefficient nothing"),
        (4, 2, {"initial": np.zeros((2, 2), int)}, "initial states: one value for each of 4 neurons"),
    ],
)
def test_refused(count, lanes, more, sentence):
    with pytest.raises(UsageError, match=sentence):
        Lanes(MODELS["IzhikevichNeuron"](), count, lanes, **more)
