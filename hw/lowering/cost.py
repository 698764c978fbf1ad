"""What a model costs, counted from its trace: an estimate with no synthesis."""

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
    nodes = [dp.trace.nodes[i] for i in dp.trace.live()]

    def count(*ops: str) -> int:
        return sum(node.op in ops for node in nodes)

    # one memory holds all columns of a table, however often it is read
    tables = {table.name: table.entries * table.width for table, _ in (n.attr for n in nodes if n.op == "table")}
    return {
        "multiplies": count("mul"),
        "adders": count("add", "sub"),
        "comparisons": count("ge", "gt"),
        "resizes": count("resize"),
        "table_bits": sum(tables.values()),
        "state_bits": sum(q.width for q in dp.states.values()),
        "coefficient_bits": sum(q.width for q in dp.coefficients.values()),
        "latency": schedule(dp.trace).length + OVERHEAD,
    }
