"""Source text of a model's batch kernel, from its trace.

The integers are computed in float64 lanes: exact, because the trace proves every intermediate below 2**53, and they
vectorise where int64 multiplies and arithmetic shifts do not. Formats are *arguments* (scales and limits in the
array `K`), so one compiled kernel serves every word, time step and input span of a model.
"""

from dataclasses import dataclass, field

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.hw.schedule import rounds, saturates

LANES = 16


@dataclass
class Step:
    """One step of a trace as Python statements over lane scalars, with the constants and tables that they read."""

    lines: list[str] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)
    tables: list[np.ndarray] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)

    def constant(self, value: float) -> str:
        """A format-dependent number, by name: never a literal, and never shared, so that the text has no format in it."""
        self.constants.append(float(value))
        return f"k{len(self.constants) - 1}"

    def read(self, index: str, table: np.ndarray) -> str:
        """One entry of a table. All lie one behind the other in one array: with one each, LLVM would have to check at run
        time that none of them overlaps what the lanes write, and gives up on vectors when there are too many."""
        start = self.constant(sum(map(len, self.tables)))
        self.tables.append(table)
        return f"T[int32({index} + {start})]"


def trace_step(dp: Datapath) -> Step:
    """Statements for one step, and the expression of each output by name."""
    step = Step()
    nodes = dp.trace.nodes
    expr: dict[int, str] = {}

    def scaled(index: int, power: int) -> str:
        return f"{expr[index]} * {step.constant(2.0**power)}" if power else expr[index]

    def align(args) -> list[str]:
        fine = max(nodes[a].q.f_bits for a in args[-2:])
        return [scaled(a, fine - nodes[a].q.f_bits) for a in args[-2:]]

    for index in dp.trace.live():
        node = nodes[index]
        args = node.args
        if node.op == "input":
            kind, name = node.attr
            expr[index] = "i" if kind == "current" else f"{kind[0]}_{name}"
            continue
        if node.op == "point":
            expr[index] = expr[args[0]]
            continue
        if node.op == "const":
            expr[index] = step.constant(node.attr)
            continue
        f = nodes[args[0]].q.f_bits
        if node.op in ("add", "sub"):
            a, b = align(args)
            text = f"{a} {'+' if node.op == 'add' else '-'} {b}"
        elif node.op == "mul":
            text = f"{expr[args[0]]} * {expr[args[1]]}"
        elif node.op == "floor":
            text = f"floor({scaled(args[0], -f)})"
        elif node.op == "frac":
            text = f"{expr[args[0]]} - floor({scaled(args[0], -f)}) * {step.constant(2.0**f)}"
        elif node.op == "resize":
            text = scaled(args[0], node.q.f_bits - f)
            if rounds(dp.trace, index):
                text = f"floor({text} + 0.5)"
            if node.attr == "wrap":
                step.lines.append(f"n{index} = {text}")
                low, span, inverse = (step.constant(x) for x in (node.q.lo, 2.0**node.q.width, 2.0**-node.q.width))
                text = f"n{index} - floor((n{index} - {low}) * {inverse}) * {span}"
            elif saturates(dp.trace, index):
                text = f"min(max({text}, {step.constant(node.q.lo)}), {step.constant(node.q.hi)})"
        elif node.op in ("ge", "gt"):
            a, b = align(args)
            text = f"1.0 if {a} {'>=' if node.op == 'ge' else '>'} {b} else 0.0"
        elif node.op == "select":
            a, b = align(args)
            text = f"{a} if {expr[args[0]]} == 1.0 else {b}"
        elif node.op == "table":
            table, column = node.attr
            last = step.constant(table.entries - 1)
            z = f"min(max(floor({scaled(args[0], -f)}), 0.0), {last})"
            text = step.read(z, np.array(table.columns[column].words, dtype=np.float64))
        elif node.op == "shift":
            lo, hi = dp.trace.intervals[args[1]]
            distance = f"{expr[args[1]]} - {step.constant(node.attr)}"
            text = f"{expr[args[0]]} * {step.read(distance, 2.0 ** np.arange(hi - lo + 1))}"
        else:
            raise AssertionError(f"no kernel rule for {node.op}")
        expr[index] = f"n{index}"
        step.lines.append(f"n{index} = {text}")
    step.outputs = {name: expr[index] for name, index in dp.trace.outputs.items()}
    return step


TEMPLATE = """\
from math import floor

import numpy as np
from numba import int32, njit, prange


# a product and the sum behind it may become one instruction: codes are exact either way, and only the last bit of the
# error sums can depend on whether the processor has it
@njit(parallel=True, nogil=True, cache=True, error_model="numpy", fastmath={{"contract"}})
def kernel({arguments}):
    for block in prange(codes.shape[1] // {lanes}):
        first = block * {lanes}
        {constants}
        L = np.empty(({rows}, {lanes}))
        for l in range({lanes}):
            {load_coefficients}
        for sweep in range(current.shape[0]):
            for l in range({lanes}):
                {load_states}
                {r_square} = 0.0
                {r_masked} = 0.0
                {r_sum} = {r_sum2} = {r_product} = 0.0
            for t in range(length[sweep]):
                i = current[sweep, t]
                target = data[sweep, t]
                weight = outside[sweep, t]
                limited = min(target, clip)
                for l in range({lanes}):
                    {read}
                    {statements}
                    {write}
                    v = {out_v} * lsb
                    {r_v} = v
                    {r_spike} = {out_spike}
                    error = v - target
                    {r_square} += error * error
                    error = min(v, clip) - limited
                    {r_masked} += weight * (error * error)
                if regress:
                    for l in range({lanes}):
                        {r_sum} += weight * {r_v}
                        {r_sum2} += weight * ({r_v} * {r_v})
                        {r_product} += weight * ({r_v} * target)
                if traced:
                    for l in range({lanes}):
                        trace[sweep, t, first + l] = {r_v}
                fired = 0.0
                for l in range({lanes}):
                    fired += {r_spike}
                if fired > 0.0:
                    for l in range({lanes}):
                        if {r_spike} > 0.0:
                            n = count[sweep, first + l]
                            if n < spikes.shape[2]:
                                spikes[sweep, first + l, n] = t
                            count[sweep, first + l] = n + 1
            for l in range({lanes}):
                square[sweep, first + l] = {r_square}
                masked[sweep, first + l] = {r_masked}
                sums[0, sweep, first + l] = {r_sum}
                sums[1, sweep, first + l] = {r_sum2}
                sums[2, sweep, first + l] = {r_product}
                {store_states}
"""


def kernel_source(dp: Datapath, step: Step) -> str:
    """Text of a module with one function, `kernel`: all candidates over all sweeps (see `kernels.simulate`)."""
    states, coefficients = list(dp.states), list(dp.coefficients)
    sums = ["v", "spike", "square", "masked", "sum", "sum2", "product"]
    names = [*(f"s_{n}" for n in states), *(f"c_{n}" for n in coefficients), *sums]
    first = ["K", "T", "codes", "start", "current", "length", "data", "outside", "clip", "lsb"]
    last = ["square", "masked", "sums", "regress", "count", "spikes", "end", "traced", "trace"]

    def block(lines, depth: int) -> str:
        return ("\n" + " " * depth).join(lines)

    # rows of one array, for the same reason as `Step.read`
    row = {name: f"L[{k}, l]" for k, name in enumerate(names)}
    return TEMPLATE.format(
        arguments=", ".join([*first, *last]),
        lanes=LANES,
        rows=len(names),
        constants=block((f"k{k} = K[{k}]" for k in range(len(step.constants))), 8),
        load_coefficients=block((f"{row['c_' + n]} = codes[{k}, first + l]" for k, n in enumerate(coefficients)), 12),
        load_states=block((f"{row['s_' + n]} = start[{k}, sweep, first + l]" for k, n in enumerate(states)), 16),
        read=block((f"{n} = {row[n]}" for n in names[: len(states) + len(coefficients)]), 20),
        statements=block(step.lines, 20),
        write=block((f"{row['s_' + n]} = {step.outputs[n]}" for n in states), 20),
        out_v=step.outputs[".v"],
        out_spike=step.outputs[".spike"],
        store_states=block((f"end[{k}, sweep, first + l] = {row['s_' + n]}" for k, n in enumerate(states)), 16),
        **{f"r_{name}": row[name] for name in sums},
    )
