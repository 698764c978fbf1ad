"""Every operation against exact fractions, in the reference, in the text of the batch kernel and in hardware; and no
register content leaves its interval.

The oracle is written from the definition, on `Fraction`s: an operand is code / 2**f, rounding is floor(x + 1/2).
"""

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from spikefab.hw import ops
from spikefab.hw.fixed import Q
from spikefab.hw.lowering.schedule import schedule
from spikefab.hw.lowering.shared import Logic
from spikefab.hw.models import MODELS
from spikefab.hw.ops import Column, Lookup, Table
from spikefab.hw.trace import Trace, Value, select
from spikefab.sim import corners, reference
from spikefab.sim.integer_statements import trace_step

WORD = 24
VECTORS = 24
FUZZ = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


# -- the oracle ------------------------------------------------------------------------------------------------------


def rounded(x: Fraction, q: Q) -> int:
    return math.floor(x * Fraction(2) ** q.f_bits + Fraction(1, 2))


def exact(trace: Trace, inputs: dict[str, int]) -> dict[int, Fraction]:
    """The value of every live operation."""
    values: dict[int, Fraction] = {}
    for index in trace.live():
        node = trace.nodes[index]
        args = [values[a] for a in node.args]
        lsb = Fraction(1, 2) ** node.q.f_bits
        match node.op:
            case ops.Input(_, name):
                value = inputs[name] * lsb
            case ops.Const(code):
                value = code * lsb
            case ops.Add():
                value = args[0] + args[1]
            case ops.Sub():
                value = args[0] - args[1]
            case ops.Mul():
                value = args[0] * args[1]
            case ops.Point(power):
                value = args[0] * Fraction(2) ** power
            case ops.Floor():
                value = Fraction(math.floor(args[0]))
            case ops.Frac():
                value = args[0] - math.floor(args[0])
            case ops.Wrap():
                span = 1 << node.q.width
                value = ((rounded(args[0], node.q) + span // 2) % span - span // 2) * lsb
            case ops.Resize():
                value = min(max(rounded(args[0], node.q), -(1 << node.q.width - 1)), (1 << node.q.width - 1) - 1) * lsb
            case ops.Ge():
                value = Fraction(args[0] >= args[1])
            case ops.Gt():
                value = Fraction(args[0] > args[1])
            case ops.Select():
                value = args[1] if args[0] else args[2]
            case ops.Lookup(table, column):
                value = table.columns[column].words[min(max(math.floor(args[0]), 0), table.entries - 1)] * lsb
            case ops.Shift():
                value = args[0] * Fraction(2) ** int(args[1])
        values[index] = value
    return values


def is_product(value: Value) -> bool:
    return isinstance(value.trace.nodes[value.index].op, ops.Mul)


# -- the interpreters --------------------------------------------------------------------------------------------


class Parts(SimpleNamespace):
    """What the reference needs of a datapath, which it takes for a key as it does a datapath."""

    __hash__ = object.__hash__


def referenced(trace: Trace, rows: list[dict[str, int]]) -> list:
    kinds = {
        kind: {n.op.name: n.q for n in trace.nodes if isinstance(n.op, ops.Input) and n.op.kind == kind}
        for kind in ("state", "coefficient")
    }
    dp = Parts(trace=trace, states=kinds["state"], coefficients=kinds["coefficient"])
    states, coefficients = (
        np.array([[row[name] for name in names] for row in rows], dtype=np.int64).reshape(len(rows), -1)
        for names in kinds.values()
    )
    return reference.evaluate(dp, states, coefficients, np.zeros(len(rows)))


def generated(trace: Trace, rows: list[dict[str, int]]) -> list[dict[str, float]]:
    """Codes of the trace's outputs from the kernel's statements, uncompiled: numba would take a second for each trace."""
    step = trace_step(SimpleNamespace(trace=trace))
    names = {
        "floor": lambda x: float(math.floor(x)),
        "choose": lambda condition, a, b: a if condition else b,
        "int32": int,
        "uint32": int,
        "pow2": lambda n: 2.0**n,
        "T": np.concatenate([*step.tables, [0.0]]).tolist(),
        **{f"k{k}": value for k, value in enumerate(step.constants)},
    }
    found = []
    for row in rows:
        lane = {f"{kind}_{name}": float(code) for name, code in row.items() for kind in "cs"}
        exec("\n".join(step.once), names, lane)
        # a step sees what is kept in rows, and states
        lane = {name: float(x) for name, x in lane.items() if name in step.rows or name[0] == "s"}
        exec("\n".join(step.lines), names, lane)
        found.append({name: eval(text, names, lane) for name, text in step.outputs.items()})
    return found


def simulated(trace: Trace, rows: list[dict[str, int]]) -> list[dict[str, int]]:
    """Codes of the trace's outputs from its hardware."""
    m, plan = Module(), schedule(trace)
    registers = {node.op: Signal(signed(node.q.width)) for node in trace.nodes if isinstance(node.op, ops.Input)}
    clock, start = Signal(range(plan.length + 2)), Signal()
    operations = Logic(m, trace, plan, registers, clock)
    m.d.sync += clock.eq(clock + 1)
    with m.If(start):
        m.d.sync += clock.eq(0)
    # the width of an output is its interval's: read through a signal as wide as the format
    wires = {name: Signal(signed(60)) for name in operations.outputs}
    m.d.comb += [wires[name].eq(value) for name, value in operations.outputs.items()]
    found = []

    async def bench(ctx):
        for row in rows:
            for of, register in registers.items():
                ctx.set(register, row[of.name])
            ctx.set(start, 1)
            await ctx.tick()
            ctx.set(start, 0)
            await ctx.tick().repeat(plan.length) if plan.length else ctx.get(start)
            found.append({name: ctx.get(wire) for name, wire in wires.items()})

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def agree(trace: Trace, rows: list[dict[str, int]], *, hardware: bool) -> None:
    codes = referenced(trace, rows)
    lanes = generated(trace, rows)
    built = simulated(trace, rows) if hardware else None
    for k, row in enumerate(rows):
        values = exact(trace, row)
        for index, value in values.items():
            node = trace.nodes[index]
            code = int(np.broadcast_to(codes[index], len(rows))[k])
            assert code == value * Fraction(2) ** node.q.f_bits, (node, row)
            lo, hi = trace.intervals[index]
            assert lo <= code <= hi, (node, row)
        expected = {n: values[i] * Fraction(2) ** trace.nodes[i].q.f_bits for n, i in trace.outputs.items()}
        assert lanes[k] == expected, row
        if built is not None:
            assert built[k] == expected, row


# -- what is drawn ---------------------------------------------------------------------------------------------------


@st.composite
def formats(draw, widest=WORD) -> Q:
    width = draw(st.integers(1, widest))
    f_bits = draw(st.integers(-4, width + 6))
    return Q(width - f_bits, f_bits)


def codes_of(q: Q):
    near = [c for c in (q.lo, q.lo + 1, -1, 0, 1, q.hi - 1, q.hi, q.hi // 2, q.lo // 2) if q.lo <= c <= q.hi]
    return st.one_of(st.sampled_from(near), st.integers(q.lo, q.hi))


@st.composite
def inputs(draw, *qs: Q) -> list[dict[str, int]]:
    names = "abc"[: len(qs)]
    return draw(st.lists(st.fixed_dictionaries({n: codes_of(q) for n, q in zip(names, qs, strict=True)}),
                         min_size=VECTORS, max_size=VECTORS))  # fmt: skip


def traced(draw, *qs: Q) -> tuple[Trace, list[Value]]:
    """Inputs of which some are states, which every step reads, and some coefficients, of which a kernel makes use before."""
    trace = Trace(WORD)
    kinds = st.sampled_from(("state", "coefficient"))
    return trace, [trace.input(draw(kinds), name, q) for name, q in zip("abc", qs, strict=False)]


def a_table(q: Q, words: list[int]) -> Table:
    return Table("drawn", float, (Column(q, tuple(words)), Column(q, tuple(reversed(words)))))


def apply(op: str, draw, a: Value, b: Value) -> Value:
    """One operation on a, or on a and b; `assume` rejects what a trace would refuse."""
    if op == "resize":
        return a.resize(draw(formats()))
    if op == "wrap":
        q = draw(formats())
        assume(q != a.q)
        return a.wrap(q)
    if op == "point":
        return a.times2(draw(st.integers(-6, 6)))
    if op == "floor":
        assume(0 <= a.q.f_bits)
        return a.floor()
    if op == "frac":
        assume(a.q.f_bits > 0)
        return a.frac()
    if op == "table":
        assume(0 <= a.q.f_bits)
        q = draw(formats(18))
        words = draw(st.lists(st.integers(q.lo, q.hi), min_size=2, max_size=12))
        return a.trace.add(Lookup(a_table(q, words), draw(st.integers(0, 1))), (a,), q)
    if op == "shift":
        distance = b.resize(Q(draw(st.integers(1, 4)), 0))
        return a.shift(distance)
    if op == "select":
        return select(a >= b, a, b)
    if op == "mul":
        return a * b
    return {"add": a.__add__, "sub": a.__sub__, "ge": a.__ge__, "gt": a.__gt__}[op](b)


OPERATIONS = ("resize", "wrap", "point", "floor", "frac", "table", "shift", "select", "mul", "add", "sub", "ge", "gt")


# -- tests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", OPERATIONS)
@settings(FUZZ, max_examples=60)
@given(data=st.data())
def test_one_operation(op, data):
    qs = data.draw(st.tuples(formats(), formats()))
    trace, (a, b) = traced(data.draw, *qs)
    try:
        result = apply(op, data.draw, a, b)
    except AssertionError:  # more than 53 bits: refused when traced
        assume(False)
    trace.outputs = {"out": result.index}
    agree(trace, data.draw(inputs(*qs)), hardware=False)


@pytest.mark.parametrize("op", OPERATIONS)
@settings(FUZZ, max_examples=25)
@given(data=st.data())
def test_one_operation_in_hardware(op, data):
    qs = data.draw(st.tuples(formats(), formats()))
    trace, (a, b) = traced(data.draw, *qs)
    try:
        result = apply(op, data.draw, a, b)
        # a product is shared and stands for a clock: what reads it is a resize
        result = result.resize(data.draw(formats())) if op == "mul" else result
    except AssertionError:
        assume(False)
    assume(not is_product(result))
    trace.outputs = {"out": result.index}
    agree(trace, data.draw(inputs(*qs)), hardware=True)


@pytest.mark.parametrize("distance", range(-4, 5))
def test_a_shift_by_a_constant_is_a_power_of_two(distance):
    """It has no operation of its own, so that the oracle of operations does not see what it should be."""
    trace = Trace(WORD)
    shifted = trace.input("state", "a", Q(6, 6)).shift(trace.const(distance))
    trace.outputs = {"out": shifted.index}
    assert exact(trace, {"a": 37})[shifted.index] == Fraction(37, 64) * Fraction(2) ** distance


@pytest.mark.slow
@settings(FUZZ, max_examples=120)
@given(data=st.data())
def test_programs_in_hardware(data):
    """A dozen operations on each other's results, scheduled on one multiplier."""
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
    agree(trace, data.draw(inputs(*qs)), hardware=True)


def test_no_register_content_leaves_its_interval(kind, word):
    """What the interval analysis proves, held against extreme and uniform registers, states and inputs."""
    dp = kind(word=word).datapath
    rng = np.random.default_rng(word)
    drawn = corners.draw(dp, rng, 20_000)
    uniform = [
        rng.integers([q.lo for q in qs], [q.hi for q in qs], (20_000, len(qs)), endpoint=True)
        for qs in (list(dp.states.values()), list(dp.coefficients.values()), [dp.current])
    ]
    for states, coefficients, current in (drawn, (uniform[0], uniform[1], uniform[2][:, 0])):
        codes = reference.evaluate(dp, states, coefficients, current)
        for index in dp.trace.live():
            lo, hi = dp.trace.intervals[index]
            assert lo <= np.min(codes[index])
            assert np.max(codes[index]) <= hi
            assert dp.trace.nodes[index].q.lo <= lo
            assert hi <= dp.trace.nodes[index].q.hi


def test_the_fuzz_knows_every_operation():
    """All that there are, and all that the models use."""
    drawn = {"wrap" if op is ops.Wrap else op.label for op in ops.OPERATIONS}
    assert drawn - {"input", "const"} == set(OPERATIONS)
    used = set()
    for model in MODELS.values():
        for choice in model.tried:
            used |= {type(node.op) for node in model.variant(**choice)().datapath.trace.nodes}
    assert used == set(ops.OPERATIONS)


@pytest.mark.parametrize(("value", "end"), [(100.0, "hi"), (-100.0, "lo")])
def test_what_lies_beyond_one_end_is_that_end(value, end):
    trace, q = Trace(WORD), Q(3, 2)
    result = trace.const(value).resize(q)
    assert trace.intervals[result.index] == (getattr(q, end), getattr(q, end))


def test_what_int64_cannot_hold_on_the_way_is_refused():
    """A square of 48 bits against a format or an operand that is much finer: the reference would wrap before it saturates."""
    trace = Trace(WORD)
    coarse, fine = trace.input("state", "a", Q(20, -4)), trace.input("state", "b", Q(-6, 30))
    with pytest.raises(AssertionError, match="needs more than 62 bits on the way"):
        (coarse * coarse).resize(Q(-2, 26))
    with pytest.raises(AssertionError, match="needs more than 62 bits on the way"):
        _ = coarse * coarse >= fine
