"""When each operation of a trace happens: list scheduling onto shared multipliers.

Clock 0 is the first clock after the input was taken; a value that is ready at clock t may be read in clock t. States,
coefficients, the input and constants are ready at 0. What an operation takes:

| operation | clocks |
|---|---|
| `point` `floor` `frac`, and a resize that neither rounds nor saturates | 0: wires |
| `add` `sub` `ge` `gt` `select` | 1 |
| `resize` | 1 to round, 1 to saturate, each where it can happen |
| `mul` | 2: operands, product (shared, so the resize that follows takes the product as it appears) |
| `table` | 1: a block RAM's read |
| `shift` | 1 a bit of the distance |

With M multipliers no two products start on one in the same clock; the order among those that could start is by the
longest chain that still follows. `length` is the clock in which every output is ready.
"""

from dataclasses import dataclass
from functools import cache

from spikefab.hw.interval import unsaturated
from spikefab.hw.trace import Trace


@dataclass(frozen=True)
class Schedule:
    """start[n]: clock in which node n reads its operands; ready[n]: first clock in which it may be read;
    unit[n]: the multiplier of product n; length: clock at which the step ends."""

    start: dict[int, int]
    ready: dict[int, int]
    unit: dict[int, int]
    length: int


def rounds(trace: Trace, index: int) -> bool:
    node = trace.nodes[index]
    return trace.nodes[node.args[0]].q.f_bits > node.q.f_bits


def saturates(trace: Trace, index: int) -> bool:
    """Whether a resize can meet a value that its format does not hold (and must clamp or wrap it)."""
    node = trace.nodes[index]
    lo, hi = unsaturated(node.q, trace.intervals[node.args[0]], trace.nodes[node.args[0]].q)
    return lo < node.q.lo or hi > node.q.hi


def distance_bits(trace: Trace, index: int) -> int:
    """Bits of a shift's distance, counted from its least value."""
    lo, hi = trace.intervals[trace.nodes[index].args[1]]
    return (hi - lo).bit_length()


def clocks(trace: Trace, index: int) -> int:
    """Clocks from operands to result."""
    op = trace.nodes[index].op
    if op in ("input", "const", "point", "floor", "frac"):
        return 0
    if op == "resize":
        after_product = trace.nodes[trace.nodes[index].args[0]].op == "mul"
        return (rounds(trace, index) or after_product) + (saturates(trace, index) and trace.nodes[index].attr != "wrap")
    if op == "mul":
        return 2
    if op == "shift":
        return distance_bits(trace, index)
    return 1


@cache
def schedule(trace: Trace, multipliers: int = 1) -> Schedule:
    """The schedule of a trace on `multipliers` shared multipliers."""
    live = trace.live()
    users = trace.users()
    tail: dict[int, int] = {}  # clocks from reading the operands to the end of the longest chain
    for i in reversed(live):
        tail[i] = clocks(trace, i) + max((tail[u] for u in users[i]), default=0)
    for i in live:
        if trace.nodes[i].op == "mul" and any(trace.nodes[u].op != "resize" for u in users[i]):
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
            if node.op != "mul" and all(a in ready for a in node.args):
                start[i] = max((ready[a] for a in node.args), default=0)
                ready[i] = start[i] + clocks(trace, i)
            else:
                blocked.append(i)
        able = [
            i
            for i in blocked
            if trace.nodes[i].op == "mul" and all(ready.get(a, clock + 1) <= clock for a in trace.nodes[i].args)
        ]
        for m, i in enumerate(sorted(able, key=lambda i: (-tail[i], i))[:multipliers]):
            start[i], ready[i], unit[i] = clock, clock + clocks(trace, i), m
            blocked.remove(i)
        waiting = blocked
        clock += 1
    return Schedule(start, ready, unit, max(ready[i] for i in trace.outputs.values()))
