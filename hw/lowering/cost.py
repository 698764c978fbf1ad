"""Estimates the hardware cost of a model by counting the operations of its trace, without synthesis."""

from collections import Counter

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath

from .schedule import schedule
from .shared import OVERHEAD


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
