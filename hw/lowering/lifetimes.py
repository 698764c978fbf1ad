"""Moves the operations of a pipeline's schedule so that its values have to be kept for fewer clocks.

A schedule starts each operation as early as it can. A value that is ready long before it is read is then handed on through many
registers. Here the starts are chosen anew, within the same length, so that the sum over all values of bits times clocks from
ready to last read is least: a linear program whose solution is whole numbers, as every constraint is a difference of two starts.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from spikefab.hw import ops
from spikefab.hw.trace import Trace

from .schedule import Schedule, clocks, wired
from .shared import shape_of


def fixed(trace: Trace, own: Iterable[str] = ()) -> set[int]:
    """The operations whose result is the same in all steps: of constants, and coefficients that are not in `own`."""
    found = set[int]()
    for i in trace.live():
        op, args, _ = trace.nodes[i]
        coefficient = isinstance(op, ops.Input) and op.kind == "coefficient" and op.name not in {*own}
        if coefficient or isinstance(op, ops.Const) or (args and found.issuperset(args)):
            found.add(i)
    return found


def shortened(trace: Trace, plan: Schedule, own: Iterable[str] = ()) -> Schedule:
    """A schedule of the same length whose values live for fewer clocks. Shared multipliers keep their clocks."""
    from scipy.optimize import linprog  # takes a while to import, which only those wait for who build a pipeline

    assert plan.interval is not None
    still, live = fixed(trace, own), trace.live()
    took = {i: clocks(trace, i, plan.timing) for i in live}
    roots = {i: i for i in live}  # the operation in whose register a value is: a wire has none
    for i in live:
        if i not in still and wired(trace, i, plan.timing):
            roots[i] = roots[trace.nodes[i].args[0]]
    moving = [i for i in live if i not in still and roots[i] == i]
    if not moving:
        return plan
    at = {i: k for k, i in enumerate(moving)}
    count = len(moving)  # variables: the start of each, and then the clock of its last read
    rows: list[dict[int, float]] = []
    most: list[float] = []
    equal: list[dict[int, float]] = []
    same: list[float] = []
    reads: dict[tuple, int] = {}  # of a table with the same operands: they are one
    for i in moving:
        node = trace.nodes[i]
        product = isinstance(node.op, ops.Mul)
        if isinstance(node.op, ops.Input) or (product and plan.interval > 1):
            equal.append({at[i]: 1})
            same.append(plan.start[i])
        if isinstance(node.op, ops.Lookup):
            first = reads.setdefault((node.op.table, node.args), i)
            if first != i:
                equal.append({at[i]: 1, at[first]: -1})
                same.append(0)
        for a in {roots[a] for a in node.args if a not in still}:
            rows.append({at[a]: 1, at[i]: -1})  # ready before it is read
            most.append(-took[a])
            if isinstance(trace.nodes[a].op, ops.Mul):
                equal.append({at[i]: 1, at[a]: -1})
                same.append(took[a])
            rows.append({at[i]: 1, count + at[a]: -1})
            most.append(0)
    for i in {roots[i] for i in trace.outputs.values()} - still:
        rows.append({count + at[i]: -1})
        most.append(-plan.length)
    for i in moving:  # ready before it is read for the last time, which is within the length
        rows.append({at[i]: 1, count + at[i]: -1})
        most.append(-took[i])
    bits = np.array([shape_of(trace.intervals[i]).width for i in moving])
    found = linprog(
        np.concatenate([-bits, bits]), _matrix(rows, 2 * count), most, _matrix(equal, 2 * count), same or None,
        bounds=(0, plan.length), method="highs-ds",
    )  # fmt: skip
    assert found.success, found.message
    start = {i: round(x) for i, x in zip(moving, found.x[:count], strict=True)}
    assert np.allclose(found.x[:count], [start[i] for i in moving], atol=1e-6)
    ready = {i: start[i] + took[i] for i in moving}
    for i in live:
        if i in still:
            start[i], ready[i] = plan.start[i], plan.ready[i]
        elif roots[i] != i:
            start[i] = ready[i] = ready[roots[i]]
    return Schedule(start, ready, plan.unit, plan.length, plan.interval, plan.timing)


def _matrix(rows: list[Mapping[int, float]] | list[dict[int, float]], width: int):
    """The rows as a sparse matrix; None if there are none."""
    from scipy.sparse import coo_array

    if not rows:
        return None
    entries = [(k, column, value) for k, row in enumerate(rows) for column, value in row.items()]
    k, columns, values = zip(*entries, strict=True)
    return coo_array((values, (k, columns)), shape=(len(rows), width)).tocsr()
