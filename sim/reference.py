"""The reference: computes a trace in exact integers, on arrays of any shape. All other interpreters are compared with it."""

import operator
from collections.abc import Callable, Sequence

import numpy as np

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath
from spikefab.hw.fixed import Q, align, rounded_shift


def _resize(op: ops.Resize, q: Q, formats: Sequence[Q], a):
    return np.clip(rounded_shift(a, formats[0].f_bits - q.f_bits), q.lo, q.hi)


def _wrap(op: ops.Wrap, q: Q, formats: Sequence[Q], a):
    rounded = rounded_shift(a, formats[0].f_bits - q.f_bits)
    return ((rounded - q.lo) & ((1 << q.width) - 1)) + q.lo


def _aligned(function: Callable) -> Callable:
    """The rule that brings its operands to a common binary point and applies the function."""
    return lambda op, q, formats, *operands: function(*align(operands, formats))


def _select(op: ops.Select, q: Q, formats: Sequence[Q], c, *operands):
    return np.where(c == 1, *align(operands, formats[1:]))


def _lookup(op: ops.Lookup, q: Q, formats: Sequence[Q], z):
    index = np.clip(z >> formats[0].f_bits, 0, op.table.entries - 1)
    return np.asarray(op.table.columns[op.column].words, dtype=np.int64)[index]


# For each type of operation, a function of the operation, the format of its result, the formats of its operands, and their
# codes; it returns the code of the result. An `Input` has one operand, the content of its register.
RULES: dict[type[ops.Operation], Callable] = {
    ops.Input: lambda op, q, formats, register: register,
    ops.Const: lambda op, q, formats: np.int64(op.code),
    ops.Add: _aligned(operator.add),
    ops.Sub: _aligned(operator.sub),
    ops.Mul: lambda op, q, formats, a, b: a * b,
    ops.Point: lambda op, q, formats, a: a,
    ops.Floor: lambda op, q, formats, a: a >> formats[0].f_bits,
    ops.Frac: lambda op, q, formats, a: a & ((1 << formats[0].f_bits) - 1),
    ops.Resize: _resize,
    ops.Wrap: _wrap,
    ops.Ge: _aligned(lambda a, b: (a >= b) * np.int64(1)),
    ops.Gt: _aligned(lambda a, b: (a > b) * np.int64(1)),
    ops.Select: _select,
    ops.Lookup: _lookup,
    ops.Shift: lambda op, q, formats, a, n: a << (n - op.least),
}


def evaluate(dp: Datapath, states, coefficients, current) -> list:
    """The codes of all operations in one step; None for operations on which no output depends.

    `states` (..., states) and `coefficients` (..., coefficients) are int64 codes in the order of the registers; `current`
    (...) are input codes.
    """
    registers = {ops.Input("current", "i"): np.asarray(current, dtype=np.int64)}
    for kind, names, codes in (("state", dp.states, states), ("coefficient", dp.coefficients, coefficients)):
        codes = np.asarray(codes, dtype=np.int64)
        registers |= {ops.Input(kind, name): codes[..., k] for k, name in enumerate(names)}
    found: list = [None] * len(dp.trace.nodes)
    for index in dp.trace.live():
        op, args, q = dp.trace.nodes[index]
        operands = [registers[op]] if isinstance(op, ops.Input) else [found[a] for a in args]
        found[index] = RULES[type(op)](op, q, dp.trace.formats(index), *operands)
    return found


def step(dp: Datapath, states, coefficients, current):
    """One step. Returns the next states (..., states), the read-out code (...), and the spike, 0 or 1 (...)."""
    codes = evaluate(dp, states, coefficients, current)
    shape = np.broadcast_shapes(np.shape(states)[:-1], np.shape(coefficients)[:-1], np.shape(current))
    out = {name: np.broadcast_to(codes[index], shape) for name, index in dp.trace.outputs.items()}
    return np.stack([out[name] for name in dp.states], axis=-1), out[".v"], out[".spike"]


def run(dp: Datapath, states, coefficients, current):
    """T steps with the input codes `current` (T, ...).

    Returns read-out codes (T, ...), spikes (T, ...), and the states after each step (T, ..., states).
    """
    v, spikes, path = [], [], []
    for sample in np.asarray(current, dtype=np.int64):
        states, out, spike = step(dp, states, coefficients, sample)
        v.append(out)
        spikes.append(spike)
        path.append(states)
    return np.array(v), np.array(spikes), np.array(path)
