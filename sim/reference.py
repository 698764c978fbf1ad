"""The reference: computes a trace in exact integers, on arrays of any shape. All other interpreters are compared with it."""

import operator
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath
from spikefab.hw.fixed import Q

from .straight import straight

Function = Callable[..., Any]  # of the codes of an operation's operands: the codes of its result


def _code(number: int) -> np.ndarray:
    """A number in the form with which NumPy computes fastest: the arrays of a step are so small that this is what counts."""
    return np.array(number, dtype=np.int64)


def _rounded(formats: Sequence[Q], q: Q) -> Function:
    """Brings a code to the binary point of `q`, rounded half up."""
    shift = formats[0].f_bits - q.f_bits
    if shift <= 0:
        return _finer(-shift)
    half, by = _code(1 << (shift - 1)), _code(shift)
    return lambda a: (a + half) >> by


def _finer(shift: int) -> Function:
    by = _code(shift)
    return (lambda a: a << by) if shift else (lambda a: a)


def _resize(op: ops.Resize, q: Q, formats: Sequence[Q]) -> Function:
    rounded, lo, hi = _rounded(formats, q), _code(q.lo), _code(q.hi)
    return lambda a: np.minimum(np.maximum(rounded(a), lo), hi)


def _wrap(op: ops.Wrap, q: Q, formats: Sequence[Q]) -> Function:
    rounded, lo, mask = _rounded(formats, q), _code(q.lo), _code((1 << q.width) - 1)
    return lambda a: ((rounded(a) - lo) & mask) + lo


def _aligned(function: Function) -> Callable:
    """The rule that brings two operands to a common binary point and applies the function."""

    def rule(op: ops.Operation, q: Q, formats: Sequence[Q]) -> Function:
        more = formats[0].f_bits - formats[1].f_bits  # fraction bits of the first
        by = _code(abs(more))
        if not more:
            return function
        return (lambda a, b: function(a, b << by)) if more > 0 else lambda a, b: function(a << by, b)

    return rule


def _select(op: ops.Select, q: Q, formats: Sequence[Q]) -> Function:
    chosen = _aligned(lambda a, b: (a, b))(op, q, formats[1:])
    return lambda c, a, b: np.where(c == 1, *chosen(a, b))


def _lookup(op: ops.Lookup, q: Q, formats: Sequence[Q]) -> Function:
    words = np.array(op.table.columns[op.column].words, dtype=np.int64)
    by, first, last = _code(formats[0].f_bits), _code(0), _code(op.table.entries - 1)
    return lambda z: words[np.minimum(np.maximum(z >> by, first), last)]


def _const(op: ops.Const, q: Q, formats: Sequence[Q]) -> Function:
    code = np.int64(op.code)
    return lambda: code


def _floor(op: ops.Floor, q: Q, formats: Sequence[Q]) -> Function:
    by = _code(formats[0].f_bits)
    return lambda a: a >> by


def _frac(op: ops.Frac, q: Q, formats: Sequence[Q]) -> Function:
    mask = _code((1 << formats[0].f_bits) - 1)
    return lambda a: a & mask


# For each type of operation, a function of the operation, the format of its result and the formats of its operands; it returns
# the function of the codes of the operands that gives the code of the result. An `Input` has one operand, the content of its
# register.
RULES: dict[type[ops.Operation], Callable[..., Function]] = {
    ops.Input: lambda op, q, formats: lambda register: register,
    ops.Const: _const,
    ops.Add: _aligned(operator.add),
    ops.Sub: _aligned(operator.sub),
    ops.Mul: lambda op, q, formats: operator.mul,
    ops.Point: lambda op, q, formats: lambda a: a,
    ops.Floor: _floor,
    ops.Frac: _frac,
    ops.Resize: _resize,
    ops.Wrap: _wrap,
    ops.Ge: _aligned(lambda a, b: (a >= b) * np.int64(1)),
    ops.Gt: _aligned(lambda a, b: (a > b) * np.int64(1)),
    ops.Select: _select,
    ops.Lookup: _lookup,
    ops.Shift: lambda op, q, formats: lambda a, n: a << (n - op.least),
}


@cache
def _computed(dp: Datapath, whole: bool) -> Callable[[list], list]:
    """The function of the codes of all registers that computes a step: the codes of the outputs, or of all operations."""
    registers = [("state", n) for n in dp.states] + [("coefficient", n) for n in dp.coefficients] + [("current", "i")]
    inputs, operations = {}, []
    for index in dp.trace.live():
        op, args, q = dp.trace.nodes[index]
        if isinstance(op, ops.Input):
            inputs[index] = registers.index((op.kind, op.name))
        else:
            operations.append((index, RULES[type(op)](op, q, dp.trace.formats(index)), args))
    live = {*dp.trace.live()}
    every = [index if index in live else None for index in range(len(dp.trace.nodes))]
    return straight(inputs, operations, every if whole else list(dp.trace.outputs.values()))


def _registers(states, coefficients, current) -> list:
    """The codes of all registers, in the order in which `_computed` takes them."""
    return [
        *np.moveaxis(np.asarray(states, dtype=np.int64), -1, 0),
        *np.moveaxis(np.asarray(coefficients, dtype=np.int64), -1, 0),
        np.asarray(current, dtype=np.int64),
    ]


def evaluate(dp: Datapath, states, coefficients, current) -> list:
    """The codes of all operations in one step; None for operations on which no output depends.

    `states` (..., states) and `coefficients` (..., coefficients) are int64 codes in the order of the registers; `current`
    (...) are input codes.
    """
    return _computed(dp, True)(_registers(states, coefficients, current))


def _of_shape(codes, shape: tuple[int, ...]):
    return codes if np.shape(codes) == shape else np.broadcast_to(codes, shape)


def step(dp: Datapath, states, coefficients, current):
    """One step. Returns the next states (..., states), the read-out code (...), and the spike, 0 or 1 (...)."""
    found = _computed(dp, False)(_registers(states, coefficients, current))
    shape = np.broadcast_shapes(np.shape(states)[:-1], np.shape(coefficients)[:-1], np.shape(current))
    out = {name: _of_shape(code, shape) for name, code in zip(dp.trace.outputs, found, strict=True)}
    return np.stack([out[name] for name in dp.states], axis=-1), out[".v"], out[".spike"]


def run(dp: Datapath, states, coefficients, current):
    """T steps with the input codes `current` (T, ...).

    Returns read-out codes (T, ...), spikes (T, ...), and the states after each step (T, ..., states).
    """
    compute, names, every = _computed(dp, False), [*dp.trace.outputs], np.asarray(current, dtype=np.int64)
    at = [names.index(name) for name in dp.states]
    first, rest = _registers(states, coefficients, every[:0]), len(dp.states)
    codes, constant, found = first[:rest], first[rest:-1], []
    for sample in every:
        out = compute([*codes, *constant, sample])
        codes = [out[k] for k in at]
        found.append(out)
    shape = np.broadcast_shapes(np.shape(states)[:-1], np.shape(coefficients)[:-1], every.shape[1:])

    def over_time(k: int):
        return np.array([_of_shape(out[k], shape) for out in found], dtype=np.int64).reshape(len(every), *shape)

    path = np.stack([over_time(k) for k in at], axis=-1)
    return over_time(names.index(".v")), over_time(names.index(".spike")), path
