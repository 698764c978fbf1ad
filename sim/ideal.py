"""The ideal: a trace in float64 with real parameters. What differs from it is what rounding costs.

Nothing is rounded and tables are the functions they stand for; what clamps in hardware still clamps, because the
ceiling of an exponential is part of the scheme. Time step and scheme are those of the hardware.
"""

from functools import cache
from typing import Any

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.hw.lowering.schedule import saturates


@cache
def _plan(dp: Datapath) -> tuple[list[int], list[bool]]:
    """The live operations, and of all whether it is a resize that can meet what its format does not hold."""
    clamps = [node.op == "resize" and saturates(dp.trace, index) for index, node in enumerate(dp.trace.nodes)]
    return dp.trace.live(), clamps


def step(dp: Datapath, states: dict[str, Any], coefficients: dict[str, Any], current, *, tables: bool = False):
    """One step in real units: (next states by name, v in mV, spike). Numbers or arrays that broadcast."""
    nodes, (live, clamps) = dp.trace.nodes, _plan(dp)
    inputs = {("current", "i"): current}
    inputs |= {("state", n): x for n, x in states.items()} | {("coefficient", n): x for n, x in coefficients.items()}
    x: list[Any] = [None] * len(nodes)
    for index in live:
        node = nodes[index]
        a = [x[k] for k in node.args]
        op = node.op
        if op == "input":
            x[index] = inputs[node.attr]
        elif op == "const":
            x[index] = node.attr * node.q.lsb
        elif op == "add":
            x[index] = a[0] + a[1]
        elif op == "sub":
            x[index] = a[0] - a[1]
        elif op == "mul":
            x[index] = a[0] * a[1]
        elif op == "point":
            x[index] = a[0] * 2.0**node.attr
        elif op == "floor":
            x[index] = np.floor(a[0])
        elif op == "frac":
            x[index] = a[0] - np.floor(a[0])
        elif op == "resize":
            low, high = node.q.lo * node.q.lsb, node.q.hi * node.q.lsb
            if node.attr == "wrap":
                x[index] = (a[0] - low) % (2 * -low) + low
            else:
                x[index] = np.minimum(np.maximum(a[0], low), high) if clamps[index] else a[0]
        elif op == "ge":
            x[index] = a[0] >= a[1]
        elif op == "gt":
            x[index] = a[0] > a[1]
        elif op == "select":
            x[index] = np.where(a[0], a[1], a[2])
        elif op == "shift":
            x[index] = a[0] * np.exp2(a[1])
        elif op == "table":
            table, column = node.attr
            z = np.minimum(np.maximum(a[0], 0), table.entries)
            if tables:
                words = np.array(table.columns[column].words) * table.columns[column].q.lsb
                x[index] = words[np.minimum(z, table.entries - 1).astype(int)]
            else:  # the value of the true function, and no slope to correct it by
                x[index] = table.function(z) if column == 0 else 0.0
    out = {name: x[index] for name, index in dp.trace.outputs.items()}
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
