"""Decides in which clock each operation of a trace happens, by list scheduling onto shared multipliers.

Clock 0 is the first clock after the input was accepted. A value that is ready at clock t can be read in clock t. States,
coefficients, the input and constants are ready at clock 0. The operations take:

| operation | clocks |
|---|---|
| `Point` `Floor` `Frac`, and a resize that neither rounds nor saturates | 0: they are only wires |
| `Add` `Sub` `Ge` `Gt` `Select` | 1 |
| `Resize` | 1 if it can round, and 1 (or `Timing.saturate`) if it can saturate |
| `Wrap` | 1 if it can round |
| `Mul` | 2: load the operands, multiply (or `Timing.multiply`); the resize that follows must read the product at once |
| `Lookup` | 1: the read of a block RAM (or `Timing.read`) |
| `Shift` | 1 for each bit of the distance |

Each multiplier can start one product per clock. If more products are possible, the one that is followed by the longest
chain of operations starts first. `length` is the clock in which all outputs are ready.

With an `interval` the schedule is one of a pipeline, in which a step of another neuron begins every so many clocks: a multiplier
that starts a product in clock t is taken in all clocks that differ from t by a multiple of the interval. As nothing in a step
depends on the step before it in the pipeline, any interval of at least (products / multipliers) clocks has a schedule.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from spikefab.hw import ops
from spikefab.hw.proofs import distance_bits, overflows, rounds
from spikefab.hw.trace import Trace


@dataclass(frozen=True)
class Timing:
    """The clocks that some operations take. More of them make a pipeline faster, with registers that a device has inside its parts.

    multiply  2: registers before and behind a multiplier; 3 or 4: one or two more behind it
    saturate  1; 2: whether to saturate is found first
    read      1: a block RAM; 2: one more register behind it
    inverts   whether a pipeline holds what is subtracted inverted: where the carries of an adder take operands as they are (iCE40)
    """

    multiply: int = 2
    saturate: int = 1
    read: int = 1
    inverts: bool = False


SHORT = Timing()


@dataclass(frozen=True)
class Schedule:
    """The schedule of a trace, by the index n of an operation.

    start[n]  clock in which the operation reads its operands
    ready[n]  first clock in which its result can be read
    unit[n]   number of the multiplier, if the operation is a product
    length    clock in which all outputs are ready
    interval  clocks after which the next step begins; None if it begins after all others
    timing    see there
    """

    start: dict[int, int]
    ready: dict[int, int]
    unit: dict[int, int]
    length: int
    interval: int | None = None
    timing: Timing = SHORT


def clocks(trace: Trace, index: int, timing: Timing = SHORT) -> int:
    """The clocks that an operation takes, from its operands to its result."""
    return CLOCKS[type(trace.nodes[index].op)](timing, trace, index)


def wired(trace: Trace, index: int, timing: Timing = SHORT) -> bool:
    """Whether an operation is nothing but wires from its operand."""
    return bool(trace.nodes[index].args) and clocks(trace, index, timing) == 0


def source(trace: Trace, index: int, timing: Timing = SHORT) -> int:
    """The operation in whose register a value is: this one, or that from which its wires come."""
    while wired(trace, index, timing):
        index = trace.nodes[index].args[0]
    return index


def follows_product(trace: Trace, index: int) -> bool:
    """Whether the first operand of an operation is a product."""
    return isinstance(trace.nodes[trace.nodes[index].args[0]].op, ops.Mul)


def _to_round(timing: Timing, trace: Trace, index: int) -> int:
    return int(rounds(trace, index) or follows_product(trace, index))


def _to_resize(timing: Timing, trace: Trace, index: int) -> int:
    return _to_round(timing, trace, index) + timing.saturate * any(overflows(trace, index))


CLOCKS: dict[type[ops.Operation], Callable[[Timing, Trace, int], int]] = {
    ops.Input: lambda timing, trace, index: 0,
    ops.Const: lambda timing, trace, index: 0,
    ops.Add: lambda timing, trace, index: 1,
    ops.Sub: lambda timing, trace, index: 1,
    ops.Mul: lambda timing, trace, index: timing.multiply,
    ops.Point: lambda timing, trace, index: 0,
    ops.Floor: lambda timing, trace, index: 0,
    ops.Frac: lambda timing, trace, index: 0,
    ops.Resize: _to_resize,
    ops.Wrap: _to_round,
    ops.Ge: lambda timing, trace, index: 1,
    ops.Gt: lambda timing, trace, index: 1,
    ops.Select: lambda timing, trace, index: 1,
    ops.Lookup: lambda timing, trace, index: timing.read,
    ops.Shift: lambda timing, trace, index: distance_bits(trace, index),
}


@cache
def schedule(trace: Trace, multipliers: int = 1, interval: int | None = None, timing: Timing = SHORT) -> Schedule:
    """The schedule of a trace on `multipliers` shared multipliers."""
    live = trace.live()
    users = trace.users()
    tail: dict[int, int] = {}  # clocks from the start of an operation to the end of the longest chain that follows it
    for i in reversed(live):
        tail[i] = clocks(trace, i, timing) + max((tail[u] for u in users[i]), default=0)
    products = {i for i in live if isinstance(trace.nodes[i].op, ops.Mul)}
    for i in products:
        if not all(isinstance(trace.nodes[u].op, ops.RESIZES) for u in users[i]):
            raise AssertionError(f"product {i} is read by more than resizes: resize it first")

    start: dict[int, int] = {}
    ready: dict[int, int] = {}
    unit: dict[int, int] = {}
    if interval is not None and len(products) > multipliers * interval:
        raise AssertionError(f"{len(products)} products do not fit {multipliers} multipliers in {interval} clocks")
    taken: set[tuple[int, int]] = set()  # (clock, multiplier)
    waiting = list(live)
    clock = 0
    while waiting:
        blocked = []
        # in the order of the trace, so that operands are scheduled before the operations that read them
        for i in waiting:
            node = trace.nodes[i]
            if i not in products and all(a in ready for a in node.args):
                start[i] = max((ready[a] for a in node.args), default=0)
                ready[i] = start[i] + clocks(trace, i, timing)
            else:
                blocked.append(i)
        able = [
            i for i in blocked if i in products and all(ready.get(a, clock + 1) <= clock for a in trace.nodes[i].args)
        ]
        slot = clock if interval is None else clock % interval
        idle = [m for m in range(multipliers) if (slot, m) not in taken]
        for m, i in zip(idle, sorted(able, key=lambda i: (-tail[i], i)), strict=False):
            start[i], ready[i], unit[i] = clock, clock + clocks(trace, i, timing), m
            taken.add((slot, m))
            blocked.remove(i)
        waiting = blocked
        clock += 1
    return Schedule(start, ready, unit, max(ready[i] for i in trace.outputs.values()), interval, timing)
