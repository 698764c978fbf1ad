"""What a model costs, counted from its trace: an estimate with no synthesis."""

from collections import Counter

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath

from .schedule import schedule
from .shared import OVERHEAD


def cost(dp: Datapath) -> dict[str, int]:
    """Counts for one step of one neuron.

    multiplies        products a step, each of two operands of at most a word
    adders            additions and subtractions
    comparisons       comparisons
    resizes           roundings and saturations: logic as wide as what they read
    table_bits        bits of the function tables, as block RAM holds them
    state_bits        bits of the state registers, guard bits included
    coefficient_bits  bits of the coefficient registers
    latency           clocks a step on one shared multiplier
    """
    found = [dp.trace.nodes[i].op for i in dp.trace.live()]
    counts = Counter(COUNTED[type(op)] for op in found)
    # one memory holds all columns of a table, however often it is read
    tables = {op.table.name: op.table.entries * op.table.width for op in found if isinstance(op, ops.Lookup)}
    return {
        **{name: counts[name] for name in ("multiplies", "adders", "comparisons", "resizes")},
        "table_bits": sum(tables.values()),
        "state_bits": sum(q.width for q in dp.states.values()),
        "coefficient_bits": sum(q.width for q in dp.coefficients.values()),
        "latency": schedule(dp.trace).length + OVERHEAD,
    }


# what an operation is counted as; None: it costs next to nothing, or is counted otherwise
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
