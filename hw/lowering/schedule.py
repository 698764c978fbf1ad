"""When each operation of a trace happens: list scheduling onto shared multipliers.

Clock 0 is the first clock after the input was taken; a value that is ready at clock t may be read in clock t. States,
coefficients, the input and constants are ready at 0. What an operation takes:

| operation | clocks |
|---|---|
| `Point` `Floor` `Frac`, and a resize that neither rounds nor saturates | 0: wires |
| `Add` `Sub` `Ge` `Gt` `Select` | 1 |
| `Resize` | 1 to round, 1 to saturate, each where it can happen |
| `Wrap` | 1 to round, where it can happen |
| `Mul` | 2: operands, product (shared, so the resize that follows takes the product as it appears) |
| `Lookup` | 1: a block RAM's read |
| `Shift` | 1 a bit of the distance |

With M multipliers no two products start on one in the same clock; the order among those that could start is by the
longest chain that still follows. `length` is the clock in which every output is ready.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from spikefab.hw import ops
from spikefab.hw.proofs import distance_bits, overflows, rounds
from spikefab.hw.trace import Trace


@dataclass(frozen=True)
class Schedule:
    """start[n]: clock in which node n reads its operands; ready[n]: first clock in which it may be read;
    unit[n]: the multiplier of product n; length: clock at which the step ends."""

    start: dict[int, int]
    ready: dict[int, int]
    unit: dict[int, int]
    length: int


def clocks(trace: Trace, index: int) -> int:
    """Clocks from operands to result."""
    return CLOCKS[type(trace.nodes[index].op)](trace, index)


def follows_product(trace: Trace, index: int) -> bool:
    return isinstance(trace.nodes[trace.nodes[index].args[0]].op, ops.Mul)


def _to_round(trace: Trace, index: int) -> int:
    return int(rounds(trace, index) or follows_product(trace, index))


CLOCKS: dict[type[ops.Operation], Callable[[Trace, int], int]] = {
    ops.Input: lambda trace, index: 0,
    ops.Const: lambda trace, index: 0,
    ops.Add: lambda trace, index: 1,
    ops.Sub: lambda trace, index: 1,
    ops.Mul: lambda trace, index: 2,
    ops.Point: lambda trace, index: 0,
    ops.Floor: lambda trace, index: 0,
    ops.Frac: lambda trace, index: 0,
    ops.Resize: lambda trace, index: _to_round(trace, index) + any(overflows(trace, index)),
    ops.Wrap: _to_round,
    ops.Ge: lambda trace, index: 1,
    ops.Gt: lambda trace, index: 1,
    ops.Select: lambda trace, index: 1,
    ops.Lookup: lambda trace, index: 1,
    ops.Shift: distance_bits,
}


@cache
def schedule(trace: Trace, multipliers: int = 1) -> Schedule:
    """The schedule of a trace on `multipliers` shared multipliers."""
    live = trace.live()
    users = trace.users()
    tail: dict[int, int] = {}  # clocks from reading the operands to the end of the longest chain
    for i in reversed(live):
        tail[i] = clocks(trace, i) + max((tail[u] for u in users[i]), default=0)
    products = {i for i in live if isinstance(trace.nodes[i].op, ops.Mul)}
    for i in products:
        if not all(isinstance(trace.nodes[u].op, ops.RESIZES) for u in users[i]):
            raise AssertionError(f"product {i} is read by more than resizes: resize it first")

    start: dict[int, int] = {}
    ready: dict[int, int] = {}
    unit: dict[int, int] = {}
    waiting = list(live)
    clock = 0
    while waiting:
        blocked = []
        for i in waiting:  # in order, so operands come first
            node = trace.nodes[i]
            if i not in products and all(a in ready for a in node.args):
                start[i] = max((ready[a] for a in node.args), default=0)
                ready[i] = start[i] + clocks(trace, i)
            else:
                blocked.append(i)
        able = [
            i for i in blocked if i in products and all(ready.get(a, clock + 1) <= clock for a in trace.nodes[i].args)
        ]
        for m, i in enumerate(sorted(able, key=lambda i: (-tail[i], i))[:multipliers]):
            start[i], ready[i], unit[i] = clock, clock + clocks(trace, i), m
            blocked.remove(i)
        waiting = blocked
        clock += 1
    return Schedule(start, ready, unit, max(ready[i] for i in trace.outputs.values()))
