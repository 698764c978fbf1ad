"""Estimates the hardware cost of a model by counting the operations of its trace, without synthesis."""

from collections import Counter

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath
from spikefab.hw.proofs import before_saturation, distance_bits, overflows, rounds
from spikefab.hw.trace import Trace

from .lifetimes import fixed
from .schedule import Schedule, schedule, source
from .shared import OVERHEAD, shape_of


def cost(dp: Datapath) -> dict[str, int]:
    """The cost of one step of one neuron.

    multiplies        number of products; each operand has at most one word
    adders            number of additions and subtractions
    comparisons       number of comparisons
    resizes           number of roundings and saturations; each needs logic as wide as its operand
    table_bits        bits of the function tables in block RAM
    state_bits        bits of the state registers, with guard bits
    coefficient_bits  bits of the coefficient registers
    latency           clocks per step with one shared multiplier
    """
    found = [dp.trace.nodes[i].op for i in dp.trace.live()]
    counts = Counter(COUNTED[type(op)] for op in found)
    # a table is counted once, with all of its columns, even if several operations read it
    tables = {op.table.name: op.table.entries * op.table.width for op in found if isinstance(op, ops.Lookup)}
    return {
        **{name: counts[name] for name in ("multiplies", "adders", "comparisons", "resizes")},
        "table_bits": sum(tables.values()),
        "state_bits": sum(q.width for q in dp.states.values()),
        "coefficient_bits": sum(q.width for q in dp.coefficients.values()),
        "latency": schedule(dp.trace).length + OVERHEAD,
    }


# the entry of `cost` in which an operation is counted; None if it needs almost no logic or is counted in another way
COUNTED: dict[type[ops.Operation], str | None] = {
    ops.Input: None,
    ops.Const: None,
    ops.Add: "adders",
    ops.Sub: "adders",
    ops.Mul: "multiplies",
    ops.Point: None,
    ops.Floor: None,
    ops.Frac: None,
    ops.Resize: "resizes",
    ops.Wrap: "resizes",
    ops.Ge: "comparisons",
    ops.Gt: "comparisons",
    ops.Select: None,
    ops.Lookup: None,
    ops.Shift: None,
}


def bits(trace: Trace) -> dict[str, int]:
    """The bits that the operations of a step work on, of each kind: logic cells are a weighted sum of these."""
    found: Counter[str] = Counter()
    for i in trace.live():
        op, width = trace.nodes[i].op, shape_of(trace.intervals[i]).width
        if isinstance(op, ops.Add | ops.Sub):
            found["adders"] += width
        elif isinstance(op, ops.Select):
            found["selects"] += width
        elif isinstance(op, ops.Ge | ops.Gt):
            found["comparisons"] += max(q.width for q in trace.formats(i))
        elif isinstance(op, ops.Shift):
            found["shifts"] += width * distance_bits(trace, i)
        elif isinstance(op, ops.Mul):
            found["factors"] += 2 * trace.word
        elif isinstance(op, ops.RESIZES):
            found["roundings"] += shape_of(before_saturation(trace, i)).width * rounds(trace, i)
            found["saturations"] += trace.nodes[i].q.width * (isinstance(op, ops.Resize) and any(overflows(trace, i)))
    return dict(found)


def handed_on(trace: Trace, plan: Schedule) -> int:
    """The bits of registers in which a pipeline keeps values from one interval to the next, until they are read."""
    assert plan.interval is not None
    still = fixed(trace)
    last: dict[
        int, int
    ] = {}  # operation in whose register a value is -> the clock in which it is read for the last time
    reads = [(a, plan.start[i]) for i in trace.live() for a in trace.nodes[i].args]
    for i, clock in [*reads, *((i, plan.length) for i in trace.outputs.values())]:
        held = source(trace, i, plan.timing)
        last[held] = max(clock, last.get(held, 0))
    return sum(
        shape_of(trace.intervals[i]).width * ((clock - plan.ready[i]) // plan.interval)
        for i, clock in last.items()
        if i not in still and not isinstance(trace.nodes[i].op, ops.Mul)
    )
