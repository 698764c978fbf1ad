"""The ideal: computes a trace in float64 with real parameters. The difference from the hardware is the cost of rounding.

Nothing is rounded, and tables are replaced by the functions that they approximate. Limits of the hardware apply here too,
because the limit of an exponential, for example, is part of the integration scheme. So do its time step and scheme.
"""

import operator
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath
from spikefab.hw.fixed import Q
from spikefab.hw.proofs import overflows

from .straight import straight

Function = Callable[..., Any]  # of the values of an operation's operands


def _resize(op: ops.Resize, q: Q) -> Function:
    lo, hi = np.float64(q.lo * q.lsb), np.float64(q.hi * q.lsb)
    return lambda x: np.minimum(np.maximum(x, lo), hi)


def _resize_one(op: ops.Resize, q: Q) -> Function:
    lo, hi = q.lo * q.lsb, q.hi * q.lsb
    return lambda x: lo if x < lo else hi if x > hi else x


def _wrap(op: ops.Wrap, q: Q) -> Function:
    low = q.lo * q.lsb
    return lambda x: (x - low) % (2 * -low) + low


def _function(op: ops.Lookup, q: Q) -> Function:
    """The true function for the column of values, and 0 for the column of slopes: there is nothing to interpolate."""
    function, entries = op.table.function, op.table.entries
    return (lambda x: function(np.minimum(np.maximum(x, 0), entries))) if op.column == 0 else lambda x: 0.0


def _word(op: ops.Lookup, q: Q) -> Function:
    words, last = np.array(op.table.columns[op.column].words) * q.lsb, op.table.entries - 1
    return lambda x: words[np.minimum(np.maximum(x, 0), last).astype(int)]


def _const(op: ops.Const, q: Q) -> Function:
    value = op.code * q.lsb
    return lambda: value


def _point(op: ops.Point, q: Q) -> Function:
    scale = 2.0**op.power
    return lambda a: a * scale


# For each type of operation, a function of the operation and the format of its result; it returns the function of the values
# of the operands that gives the value of the result. An `Input` has one operand, the content of its register.
RULES: dict[type[ops.Operation], Callable[..., Function]] = {
    ops.Input: lambda op, q: lambda register: register,
    ops.Const: _const,
    ops.Add: lambda op, q: operator.add,
    ops.Sub: lambda op, q: operator.sub,
    ops.Mul: lambda op, q: operator.mul,
    ops.Point: _point,
    ops.Floor: lambda op, q: np.floor,
    ops.Frac: lambda op, q: lambda a: a - np.floor(a),
    ops.Resize: _resize,
    ops.Wrap: _wrap,
    ops.Ge: lambda op, q: operator.ge,
    ops.Gt: lambda op, q: operator.gt,
    ops.Select: lambda op, q: np.where,
    ops.Lookup: _function,
    ops.Shift: lambda op, q: lambda a, n: a * np.exp2(n),
}
# The same for values that are numbers of Python, for which numpy's functions take ten times as long as their own.
OF_NUMBERS = RULES | {ops.Resize: _resize_one, ops.Select: lambda op, q: lambda condition, a, b: a if condition else b}


@cache
def _computed(dp: Datapath, tables: bool, numbers: bool = False) -> Callable[[list], list]:
    """The function of the contents of all registers that gives the outputs of a step. A resize that can never saturate just
    passes its operand on."""
    rules = OF_NUMBERS if numbers else RULES
    if tables:
        rules = rules | {ops.Lookup: _word}
    registers = [("state", n) for n in dp.states] + [("coefficient", n) for n in dp.coefficients] + [("current", "i")]
    inputs, operations = {}, []
    for index in dp.trace.live():
        op, args, q = dp.trace.nodes[index]
        if isinstance(op, ops.Input):
            inputs[index] = registers.index((op.kind, op.name))
        else:
            passes = isinstance(op, ops.Resize) and not any(overflows(dp.trace, index))
            operations.append((index, (RULES[ops.Input] if passes else rules[type(op)])(op, q), args))
    return straight(inputs, operations, list(dp.trace.outputs.values()))


def step(dp: Datapath, states: dict[str, Any], coefficients: dict[str, Any], current, *, tables: bool = False):
    """One step in physical units, on numbers or arrays that broadcast. Returns next states by name, v in mV, and the spike."""
    registers = [*(states[n] for n in dp.states), *(coefficients[n] for n in dp.coefficients), current]
    out = dict(zip(dp.trace.outputs, _computed(dp, tables)(registers), strict=True))
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
    current, values = np.asarray(current, dtype=np.float64), [states[n] for n in dp.states]
    coefficients = [coefficients[n] for n in dp.coefficients]
    numbers = current.ndim == 1 and all(np.ndim(x) == 0 for x in [*values, *coefficients])
    if numbers:
        values, coefficients, current = [*map(float, values)], [*map(float, coefficients)], current.tolist()
    compute = _computed(dp, tables, numbers)
    names, at = [*dp.trace.outputs], [*map([*dp.trace.outputs].index, dp.states)]
    at_v, at_spike = names.index(".v"), names.index(".spike")
    v, spikes = [], []
    for sample in current:
        out = compute([*values, *coefficients, sample])
        values = [out[k] for k in at]
        v.append(out[at_v])
        spikes.append(out[at_spike])
    return np.array(v), np.array(spikes, dtype=bool), dict(zip(dp.states, values, strict=True))
