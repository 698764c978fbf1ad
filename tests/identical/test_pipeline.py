"""Pipelines of drawn operations against exact fractions: a step begins every interval, with other inputs."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikefab.hw import ops
from spikefab.hw.datapath import datapath
from spikefab.hw.fixed import Q
from spikefab.hw.lowering.lifetimes import fixed, shortened
from spikefab.hw.lowering.pipelined import Pipeline, interval_for, products
from spikefab.hw.lowering.schedule import SHORT, Timing, schedule, wired
from spikefab.hw.lowering.shared import shape_of
from spikefab.hw.models import MODELS
from spikefab.hw.trace import Trace

from .test_operations import FUZZ, OPERATIONS, WORD, a_table, apply, exact, formats, inputs, is_product, traced


def simulated(trace, rows, plan, own):
    """Codes of the trace's outputs, a row of inputs a step. Inputs are there from clock 0 of their step for an interval."""
    m, interval = Module(), plan.interval
    registers = {node.op: Signal(signed(node.q.width)) for node in trace.nodes if isinstance(node.op, ops.Input)}
    phase = Signal(range(interval))
    pipeline = Pipeline(m, trace, plan, registers, phase, own)
    m.d.sync += phase.eq((phase + 1) % interval)
    wires = {name: Signal(signed(60)) for name in pipeline.outputs}
    m.d.comb += [wires[name].eq(value) for name, value in pipeline.outputs.items()]
    found = []

    async def bench(ctx):
        for clock in range((len(rows) - 1) * interval + plan.length + 1):
            step, of = divmod(clock, interval)
            if of == 0 and step < len(rows):
                for at, register in registers.items():
                    ctx.set(register, rows[step][at.name])
            if clock >= plan.length and (clock - plan.length) % interval == 0:
                found.append({name: ctx.get(wire) for name, wire in wires.items()})
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def agree(data, trace, rows):
    timing = data.draw(st.sampled_from([SHORT, Timing(multiply=3, saturate=2, read=3)]))
    multipliers = data.draw(st.integers(1, max(1, products(trace))))
    plan = schedule(trace, multipliers, interval_for(trace, multipliers) + data.draw(st.integers(0, 3)), timing)
    coefficients = [n.op.name for n in trace.nodes if isinstance(n.op, ops.Input) and n.op.kind == "coefficient"]
    own = frozenset(name for name in coefficients if data.draw(st.booleans()))
    rows = [row | {name: rows[0][name] for name in coefficients if name not in own} for row in rows]
    if data.draw(st.booleans()):
        plan = shortened(trace, plan, own)
    for row, found in zip(rows, simulated(trace, rows, plan, own), strict=True):
        values = exact(trace, row)
        assert found == {n: values[i] * 2 ** trace.nodes[i].q.f_bits for n, i in trace.outputs.items()}, row


@pytest.mark.parametrize("op", OPERATIONS)
@settings(FUZZ, max_examples=15)
@given(data=st.data())
def test_one_operation(op, data):
    qs = data.draw(st.tuples(formats(), formats()))
    trace, (a, b) = traced(data.draw, *qs)
    try:
        result = apply(op, data.draw, a, b)
        result = result.resize(data.draw(formats())) if op == "mul" else result
    except AssertionError:
        assume(False)
    assume(not is_product(result))
    trace.outputs = {"out": result.index}
    agree(data, trace, data.draw(inputs(*qs)))


@settings(FUZZ, max_examples=40)
@given(data=st.data())
def test_programs(data):
    """A dozen operations on each other's results."""
    qs = data.draw(st.tuples(formats(), formats(), formats()))
    trace, values = traced(data.draw, *qs)
    for op in data.draw(st.lists(st.sampled_from(OPERATIONS), min_size=4, max_size=12)):
        a, b = (data.draw(st.sampled_from(values)) for _ in range(2))
        a, b = (v if v.q.width <= WORD else v.resize(data.draw(formats())) for v in (a, b))
        try:
            result = apply(op, data.draw, a, b)
            result = result.resize(data.draw(formats())) if is_product(result) else result
        except AssertionError:
            continue
        if not is_product(result):
            values.append(result)
    assume(len(values) > 3)
    trace.outputs = {f"out_{k}": value.index for k, value in enumerate(values[3:])}
    agree(data, trace, data.draw(inputs(*qs)))


@pytest.mark.parametrize("later", range(6))
@pytest.mark.parametrize("timing", [SHORT, Timing(read=2)], ids=["short", "long"])
def test_a_table_may_be_read_later_than_its_index_is_ready(later, timing):
    """A word that is read in the middle of an interval stays for as long as one that is read at its beginning."""
    trace, interval = Trace(WORD), 3
    index, other = trace.input("state", "a", Q(6, 0)), trace.input("state", "b", Q(12, 0))
    q = Q(16, 0)
    word = trace.add(ops.Lookup(a_table(q, [*range(1000, 1032)]), 0), (index,), q)
    for _ in range(9):  # so long is the way of the other one
        other = other + 1
    out = word + other
    trace.outputs = {"out": out.index}
    plan = schedule(trace, 1, interval, timing)
    plan.start[word.index] += later
    plan.ready[word.index] += later
    rng = np.random.default_rng(later)
    rows = [{"a": int(a), "b": int(b)} for a, b in zip(rng.integers(0, 32, 20), rng.integers(-99, 99, 20), strict=True)]
    for row, found in zip(rows, simulated(trace, rows, plan, frozenset()), strict=True):
        assert found == {"out": 1000 + row["a"] + row["b"] + 9}


@pytest.mark.parametrize("model", MODELS)
def test_values_live_for_fewer_clocks(model):
    """The same order and length, and for most models fewer bits that are handed on."""
    trace = datapath(MODELS[model], 18).trace
    early = schedule(trace, products(trace), 1)
    late, still = shortened(trace, early), fixed(trace)
    assert late.length == early.length
    for i in set(trace.live()) - still:
        assert all(late.start[i] >= late.ready[a] for a in trace.nodes[i].args if a not in still)
        assert late.ready[i] - late.start[i] == early.ready[i] - early.start[i]

    def handed(plan):
        users, out = trace.users(), set(trace.outputs.values())
        last = {i: max([*(plan.start[u] for u in users[i]), plan.length if i in out else 0]) for i in trace.live()}
        wires = {i for i in trace.live() if wired(trace, i)}
        return sum(
            shape_of(trace.intervals[i]).width * max(0, last[i] - plan.ready[i])
            for i in trace.live()
            if i not in still | wires
        )

    assert handed(late) <= handed(early)
    if model in ("AdExNeuron", "IzhikevichNeuron", "HodgkinHuxleyNeuron"):
        assert handed(late) < 0.95 * handed(early)
