"""The ideal: a trace in float64 with real parameters. What differs from it is what rounding costs.

Nothing is rounded and tables are the functions they stand for; what clamps in hardware still clamps, because the
ceiling of an exponential is part of the scheme. Time step and scheme are those of the hardware.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath
from spikefab.hw.fixed import Q
from spikefab.hw.proofs import overflows


def _resize(op: ops.Resize, q: Q, x):
    return np.minimum(np.maximum(x, q.lo * q.lsb), q.hi * q.lsb)


def _wrap(op: ops.Wrap, q: Q, x):
    low = q.lo * q.lsb
    return (x - low) % (2 * -low) + low


def _function(op: ops.Lookup, q: Q, x):
    """The value of the true function, so there is no slope to correct it by."""
    return op.table.function(np.minimum(np.maximum(x, 0), op.table.entries)) if op.column == 0 else 0.0


def _word(op: ops.Lookup, q: Q, x):
    words = np.array(op.table.columns[op.column].words) * q.lsb
    return words[np.minimum(np.maximum(x, 0), op.table.entries - 1).astype(int)]


# The number of a result, from the operation, the format of its result and the numbers of its operands. An input has one
# operand: its register.
RULES: dict[type[ops.Operation], Callable] = {
    ops.Input: lambda op, q, register: register,
    ops.Const: lambda op, q: op.code * q.lsb,
    ops.Add: lambda op, q, a, b: a + b,
    ops.Sub: lambda op, q, a, b: a - b,
    ops.Mul: lambda op, q, a, b: a * b,
    ops.Point: lambda op, q, a: a * 2.0**op.power,
    ops.Floor: lambda op, q, a: np.floor(a),
    ops.Frac: lambda op, q, a: a - np.floor(a),
    ops.Resize: _resize,
    ops.Wrap: _wrap,
    ops.Ge: lambda op, q, a, b: a >= b,
    ops.Gt: lambda op, q, a, b: a > b,
    ops.Select: lambda op, q, c, a, b: np.where(c, a, b),
    ops.Lookup: _function,
    ops.Shift: lambda op, q, a, n: a * np.exp2(n),
}


@cache
def _plan(dp: Datapath, tables: bool) -> list[tuple[int, Callable, ops.Node]]:
    """The live operations by index, each with its rule: a resize that can never saturate passes its operand on."""
    rules = RULES | {ops.Lookup: _word} if tables else RULES
    plan = []
    for index in dp.trace.live():
        node = dp.trace.nodes[index]
        passes = isinstance(node.op, ops.Resize) and not any(overflows(dp.trace, index))
        plan.append((index, RULES[ops.Input] if passes else rules[type(node.op)], node))
    return plan


def step(dp: Datapath, states: dict[str, Any], coefficients: dict[str, Any], current, *, tables: bool = False):
    """One step in real units: (next states by name, v in mV, spike). Numbers or arrays that broadcast."""
    registers = {ops.Input("current", "i"): current}
    registers |= {ops.Input("state", n): x for n, x in states.items()}
    registers |= {ops.Input("coefficient", n): x for n, x in coefficients.items()}
    found: list[Any] = [None] * len(dp.trace.nodes)
    for index, rule, (op, args, q) in _plan(dp, tables):
        operands = [registers[op]] if isinstance(op, ops.Input) else [found[a] for a in args]
        found[index] = rule(op, q, *operands)
    out = {name: found[index] for name, index in dp.trace.outputs.items()}
    return {name: out[name] for name in dp.states}, out[".v"], out[".spike"]


def real_coefficients(dp: Datapath, params: dict[str, Any]) -> dict[str, Any]:
    """Coefficients as real numbers, of physical parameters."""
    spec = dp.model.spec
    whole = {name for name, conversion in spec.conversions.items() if conversion.whole}
    return {n: np.round(x) if n in whole else x for n, x in spec.coefficients(params, dp.dt).items()}


def rest(dp: Datapath, coefficients: dict[str, Any]) -> dict[str, Any]:
    """States at rest, in their units."""
    if dp.model.resting is not None:
        spec = dp.model.spec
        return dp.model.resting(spec.names(spec.parameters(coefficients, dp.dt)))
    return {n: 0.0 if s.rest is None else coefficients[s.rest] for n, s in dp.model.states().items()}


def run(dp: Datapath, states, coefficients, current, *, tables: bool = False):
    """Steps through `current` (T, ...) nA: v (T, ...) mV, spikes (T, ...) bool, and the states after the last step."""
    v, spikes = [], []
    for sample in np.asarray(current, dtype=np.float64):
        states, out, spike = step(dp, states, coefficients, sample, tables=tables)
        v.append(out)
        spikes.append(spike)
    return np.array(v), np.array(spikes, dtype=bool), states
