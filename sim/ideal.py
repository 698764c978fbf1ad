"""The ideal: computes a trace in float64 with real parameters. The difference from the hardware is the cost of rounding.

Nothing is rounded, and tables are replaced by the functions that they approximate. Limits of the hardware apply here too,
because the limit of an exponential, for example, is part of the integration scheme. So do its time step and scheme.
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
    """The true function for the column of values, and 0 for the column of slopes: there is nothing to interpolate."""
    return op.table.function(np.minimum(np.maximum(x, 0), op.table.entries)) if op.column == 0 else 0.0


def _word(op: ops.Lookup, q: Q, x):
    words = np.array(op.table.columns[op.column].words) * q.lsb
    return words[np.minimum(np.maximum(x, 0), op.table.entries - 1).astype(int)]


# For each type of operation, a function of the operation, the format of its result and the values of its operands; it returns
# the value of the result. An `Input` has one operand, the content of its register.
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
    """The live operations as (index, rule, node). A resize that can never saturate just passes its operand on."""
    rules = RULES | {ops.Lookup: _word} if tables else RULES
    plan = []
    for index in dp.trace.live():
        node = dp.trace.nodes[index]
        passes = isinstance(node.op, ops.Resize) and not any(overflows(dp.trace, index))
        plan.append((index, RULES[ops.Input] if passes else rules[type(node.op)], node))
    return plan


def step(dp: Datapath, states: dict[str, Any], coefficients: dict[str, Any], current, *, tables: bool = False):
    """One step in physical units, on numbers or arrays that broadcast. Returns next states by name, v in mV, and the spike."""
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
    """The coefficients that belong to physical parameters, as real numbers."""
    spec = dp.model.spec
    whole = {name for name, conversion in spec.conversions.items() if conversion.whole}
    return {n: np.round(x) if n in whole else x for n, x in spec.coefficients(params, dp.dt).items()}


def rest(dp: Datapath, coefficients: dict[str, Any]) -> dict[str, Any]:
    """The states at rest, in their physical units."""
    if dp.model.resting is not None:
        spec = dp.model.spec
        return dp.model.resting(spec.names(spec.parameters(coefficients, dp.dt)))
    return {n: 0.0 if s.rest is None else coefficients[s.rest] for n, s in dp.model.states().items()}


def run(dp: Datapath, states, coefficients, current, *, tables: bool = False):
    """T steps with the current (T, ...) nA. Returns v (T, ...) mV, spikes (T, ...) bool, and the states after the last step."""
    v, spikes = [], []
    for sample in np.asarray(current, dtype=np.float64):
        states, out, spike = step(dp, states, coefficients, sample, tables=tables)
        v.append(out)
        spikes.append(spike)
    return np.array(v), np.array(spikes, dtype=bool), states
