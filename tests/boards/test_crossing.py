"""A population with another clock than what is around it: every step, event and write, at any ratio of the clocks."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikefab.boards.crossing import Crossing
from spikefab.boards.population import Crowd, Population
from spikefab.hw.lanes import Lanes
from spikefab.hw.models import LIFNeuron
from spikefab.sim import reference

NEURON = LIFNeuron(word=16)
DP = NEURON.datapath
COUNT, STEPS = 6, 8
ADDRESS = {register.name: register.address for register in DP.registers}
SELECT = len(DP.registers)


@pytest.mark.parametrize("slow", [False, True], ids=["taken at once", "taken late"])
@pytest.mark.parametrize("ratio", [0.23, 0.97, 1.0, 1.7, 6.3, 31.0])
def test_nothing_is_lost_or_too_early(ratio, slow):
    """Whoever takes events, results and writes as soon as they come, or late, gets those of the reference, in their step."""
    rng = np.random.default_rng(int(100 * ratio))
    crowd = Crowd(COUNT, 2)
    crossing = Crossing(Population(Lanes(NEURON, COUNT, 2, own={"V_th": np.full(COUNT, NEURON.codes["V_th"])})))
    codes, states = np.tile([*NEURON.codes.values()], (COUNT, 1)), np.tile([*NEURON.initial.values()], (COUNT, 1))
    found, expected, shown = [], [], 0

    async def pause(ctx):
        if slow:
            await ctx.tick().repeat(int(rng.integers(1, 12)))

    async def write(ctx, address, value):
        ctx.set(crossing.cfg_addr, address)
        ctx.set(crossing.cfg_data, value)
        ctx.set(crossing.cfg_valid, 1)
        await ctx.tick().until(crossing.cfg_ready)
        ctx.set(crossing.cfg_valid, 0)
        ctx.set(crossing.cfg_data, 0)
        await pause(ctx)

    async def writes(ctx, everyone):
        """Thresholds at the lower end of their range, for all, or as usual for two. Another neuron is shown."""
        nonlocal shown
        for neuron in rng.permutation(COUNT)[: COUNT if everyone else 2]:
            code = DP.coefficients["V_th"].lo if everyone else NEURON.codes["V_th"]
            codes[neuron, [*DP.coefficients].index("V_th")] = code
            await write(ctx, SELECT, crowd.number(int(neuron)))
            await write(ctx, ADDRESS["V_th"], int(code))
        await write(ctx, ADDRESS["n_ref"], 0)
        codes[:, [*DP.coefficients].index("n_ref")] = 0
        shown = int(rng.integers(COUNT))
        await write(ctx, SELECT, crowd.number(shown))

    async def bench(ctx):
        nonlocal states
        for step in range(STEPS):
            if step % 2 == 0:  # else the next step is asked for in the clock after the last one's result was taken
                await writes(ctx, everyone=step % 3 == 0)
            current = int(rng.integers(DP.current.lo, DP.current.hi + 1))
            states, v, spikes = reference.step(DP, states, codes, np.full(COUNT, current))
            expected.append((int(v[shown]), sorted(crowd.number(int(n)) for n in np.flatnonzero(spikes))))
            ctx.set(crossing.i, current)
            ctx.set(crossing.i_valid, 1)
            await ctx.tick().until(crossing.i_ready)
            ctx.set(crossing.i_valid, 0)
            ctx.set(crossing.i, -current)
            events = []
            while not ctx.get(crossing.o_valid):
                ready = not slow or rng.random() < 0.1
                ctx.set(crossing.events.ready, ready)
                if ready and ctx.get(crossing.events.valid):
                    events.append(ctx.get(crossing.events.payload))
                await ctx.tick()
            ctx.set(crossing.events.ready, 0)
            found.append((ctx.get(crossing.o_v), sorted(events)))
            await pause(ctx)
            ctx.set(crossing.o_ready, 1)
            await ctx.tick()
            ctx.set(crossing.o_ready, 0)

    simulator = Simulator(crossing)
    simulator.add_clock(1e-6)
    simulator.add_clock(1e-6 / ratio, phase=0.31e-6, domain="fast")
    simulator.add_testbench(bench)
    simulator.run()
    assert found == expected
    assert len({len(events) for _, events in expected}) > 1
