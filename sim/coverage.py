"""Coverage goals: the cases that a regression must reach.

They are every possible saturation, every comparison with equal operands, both results of every select, and every table
entry. They follow from the trace, so that a new model needs no list of its own. `corners` searches for registers and inputs
that reach them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath
from spikefab.hw.fixed import Q, align, rounded_shift
from spikefab.hw.proofs import entries_asked, overflows
from spikefab.hw.trace import Trace

from . import reference


class Goal(NamedTuple):
    """A case that one operation must meet.

    what  "saturate" (side "low" or "high"), "equal", "select" (side 1 or 0), or "read" (side: the table entry)
    node  index of the operation in the trace
    side  which of several such cases
    """

    what: str
    node: int
    side: str | int = 0


class Case(NamedTuple):
    """The goals of one type of operation.

    what       name of the goals
    sides      (trace, index) -> the sides that the interval analysis does not rule out
    deviation  (side, operation, format, formats of the operands, *operands) -> distance of the operands from the goal, in
               codes; negative if a value has to grow to reach it
    wrong      (operation, format, formats of the operands, result, *operands) -> the result of a faulty operation, which
               handles just this case wrongly
    """

    what: str
    sides: Callable[[Trace, int], list]
    deviation: Callable[..., np.ndarray]
    wrong: Callable[..., Any]


def _saturable(trace: Trace, index: int) -> list[str]:
    return [side for side, can in zip(("low", "high"), overflows(trace, index), strict=True) if can]


def _entries(trace: Trace, index: int) -> list[int]:
    lo, hi = entries_asked(trace, index)
    op = trace.nodes[index].op
    assert isinstance(op, ops.Lookup)
    return list(range(max(lo, 0), min(hi, op.table.entries - 1) + 1))


def _beyond(side: str, op: ops.Resize, q: Q, formats: Sequence[Q], x):
    rounded = rounded_shift(x, formats[0].f_bits - q.f_bits)
    return np.minimum(0, rounded - (q.hi + 1)) if side == "high" else np.maximum(0, rounded - (q.lo - 1))


def _apart(side: int, op: ops.Ge | ops.Gt, q: Q, formats: Sequence[Q], *operands):
    a, b = align(operands, formats)
    return a - b


def _away(side: int, op: ops.Lookup, q: Q, formats: Sequence[Q], z):
    return np.clip(z >> formats[0].f_bits, 0, op.table.entries - 1) - side


def _other_word(op: ops.Lookup, q: Q, formats: Sequence[Q], word, z):
    """A wrong word, 1/8 of its format away. A smaller error of a slope could vanish in rounding, whatever multiplies it."""
    return np.asarray(word) + np.where(np.asarray(word) < 0, 1, -1) * (1 << (q.width - 3))


_EQUAL = Case(
    "equal",
    lambda trace, index: [0],
    _apart,
    lambda op, q, formats, result, a, b: 1 - result,  # the fault is `>` in place of `>=`, or the reverse
)
CASES: dict[type[ops.Operation], Case | None] = {
    ops.Input: None,
    ops.Const: None,
    ops.Add: None,
    ops.Sub: None,
    ops.Mul: None,
    ops.Point: None,
    ops.Floor: None,
    ops.Frac: None,
    ops.Resize: Case(
        "saturate",
        _saturable,
        _beyond,
        lambda op, q, formats, result, x: reference.RULES[ops.Wrap](ops.Wrap(), q, formats)(x),
    ),
    ops.Wrap: None,
    ops.Ge: _EQUAL,
    ops.Gt: _EQUAL,
    ops.Select: Case(
        "select",
        lambda trace, index: [1, 0],
        lambda side, op, q, formats, c, a, b: c - side,
        lambda op, q, formats, result, c, a, b: reference.RULES[ops.Select](op, q, formats)(1 - c, a, b),
    ),
    ops.Lookup: Case("read", _entries, _away, _other_word),
    ops.Shift: None,
}


def _case(op: ops.Operation) -> Case:
    case = CASES[type(op)]
    assert case is not None
    return case


def goals(dp: Datapath) -> list[Goal]:
    """All goals of a datapath that the interval analysis does not rule out; saturations first."""
    found = []
    for index in dp.trace.live():
        case = CASES[type(dp.trace.nodes[index].op)]
        if case is not None:
            found += [Goal(case.what, index, side) for side in case.sides(dp.trace, index)]
    return sorted(found, key=lambda goal: goal.what != "saturate")


def distance(dp: Datapath, goal: Goal, codes: list) -> np.ndarray:
    """Distance of each candidate from a goal, in codes; 0 if it reaches the goal. `codes` comes from `reference.evaluate`."""
    return np.abs(deviation(dp, goal, codes))


def deviation(dp: Datapath, goal: Goal, codes: list) -> np.ndarray:
    """Distance of each candidate from a goal with a sign: negative if a value has to grow to reach it."""
    op, args, q = dp.trace.nodes[goal.node]
    operands = [np.asarray(codes[a]) for a in args]
    return _case(op).deviation(goal.side, op, q, dp.trace.formats(goal.node), *operands)


def reached(dp: Datapath, states, coefficients, current, among: Iterable[Goal]) -> set[Goal]:
    """The goals, among those given, that at least one of N steps reaches.

    The steps are codes: (N, states) before each step, (N, coefficients) and (N,) input current.
    """
    codes = reference.evaluate(dp, states, coefficients, current)
    return {goal for goal in among if not distance(dp, goal, codes).all()}


def shown(dp: Datapath, goal: Goal, codes: list) -> np.ndarray:
    """Whether each step, (N,), shows a goal: whether an output would differ if the operation handled this case wrongly."""
    trace = dp.trace
    op, args, q = trace.nodes[goal.node]
    wrong = _case(op).wrong(op, q, trace.formats(goal.node), codes[goal.node], *(codes[a] for a in args))
    changed = {goal.node: wrong}
    for index in trace.live():
        op, args, q = trace.nodes[index]
        if index > goal.node and not changed.keys().isdisjoint(args):
            operands = [changed.get(a, codes[a]) for a in args]
            changed[index] = reference.RULES[type(op)](op, q, trace.formats(index))(*operands)
    outputs = [i for i in set(trace.outputs.values()) if i in changed]
    return np.any([np.not_equal(changed[i], codes[i]) for i in outputs], axis=0) if outputs else np.array(False)
