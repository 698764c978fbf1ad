"""The reference: a trace on exact integers, vectorised over anything. Everything else is held against this page."""

from collections.abc import Callable

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.hw.trace import Node


def _shift_right(code, n: int):
    """Times 2**-n, rounded half up; exact where n <= 0."""
    return code << -n if n <= 0 else (code + (1 << (n - 1))) >> n


def _align(node: Node, formats, a, b):
    """Two operands with their points at the finest fraction of the two (that of the result, but for comparisons)."""
    f = max(q.f_bits for q in formats[-2:])
    return a << (f - formats[-2].f_bits), b << (f - formats[-1].f_bits)


def _resize(node: Node, formats, a):
    rounded = _shift_right(a, formats[0].f_bits - node.q.f_bits)
    if node.attr == "wrap":
        return ((rounded - node.q.lo) & ((1 << node.q.width) - 1)) + node.q.lo
    return np.clip(rounded, node.q.lo, node.q.hi)


def _sum(node: Node, formats, a, b):
    a, b = _align(node, formats, a, b)
    return a + b if node.op == "add" else a - b


def _compare(node: Node, formats, a, b):
    a, b = _align(node, formats, a, b)
    return (a >= b if node.op == "ge" else a > b) * np.int64(1)


def _table(node: Node, formats, z):
    table, column = node.attr
    index = np.clip(z >> formats[0].f_bits, 0, table.entries - 1)
    return np.asarray(table.columns[column].words, dtype=np.int64)[index]


RULES: dict[str, Callable] = {
    "const": lambda node, formats: np.int64(node.attr),
    "add": _sum,
    "sub": _sum,
    "mul": lambda node, formats, a, b: a * b,
    "point": lambda node, formats, a: a,
    "floor": lambda node, formats, a: a >> formats[0].f_bits,
    "frac": lambda node, formats, a: a & ((1 << formats[0].f_bits) - 1),
    "resize": _resize,
    "ge": _compare,
    "gt": _compare,
    "select": lambda node, formats, c, a, b: np.where(c == 1, *_align(node, formats, a, b)),
    "table": _table,
    "shift": lambda node, formats, a, n: a << (n - node.attr),
}


def evaluate(dp: Datapath, states, coefficients, current) -> list:
    """The code of every live operation in one step (None for dead ones).

    `states` (..., states) and `coefficients` (..., coefficients) int64 codes in register order, `current` (...) codes.
    """
    registers = {("current", "i"): np.asarray(current, dtype=np.int64)}
    for kind, names, codes in (("state", dp.states, states), ("coefficient", dp.coefficients, coefficients)):
        codes = np.asarray(codes, dtype=np.int64)
        registers |= {(kind, name): codes[..., k] for k, name in enumerate(names)}
    nodes, codes = dp.trace.nodes, [None] * len(dp.trace.nodes)
    for index in dp.trace.live():
        node = nodes[index]
        if node.op == "input":
            codes[index] = registers[node.attr]
        else:
            codes[index] = RULES[node.op](node, [nodes[a].q for a in node.args], *(codes[a] for a in node.args))
    return codes


def step(dp: Datapath, states, coefficients, current):
    """One step: (next states (..., states), read-out code (...), spike 0 or 1 (...))."""
    codes = evaluate(dp, states, coefficients, current)
    shape = np.broadcast_shapes(np.shape(states)[:-1], np.shape(coefficients)[:-1], np.shape(current))
    out = {name: np.broadcast_to(codes[index], shape) for name, index in dp.trace.outputs.items()}
    return np.stack([out[name] for name in dp.states], axis=-1), out[".v"], out[".spike"]


def run(dp: Datapath, states, coefficients, current):
    """Steps through `current` (T, ...): read-out codes (T, ...), spikes (T, ...), states after each (T, ..., states)."""
    v, spikes, path = [], [], []
    for sample in np.asarray(current, dtype=np.int64):
        states, out, spike = step(dp, states, coefficients, sample)
        v.append(out)
        spikes.append(spike)
        path.append(states)
    return np.array(v), np.array(spikes), np.array(path)
