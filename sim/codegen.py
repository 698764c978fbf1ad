"""Writes the source text of a model's batch kernel: its statements, within loops over parameter sets, sweeps and steps.

Number formats are arguments of the kernel (scales and limits in the array `K`), so that one compiled kernel serves every
word, time step and input span of a model. The parallel loop runs over blocks of candidates (parameter sets), each with one
sweep. The candidates of a block are the *lanes* of vector instructions; their states, coefficients and sums are rows of a
single array, so that LLVM can see that no other array overlaps them.
"""

from spikefab.hw.datapath import Datapath

from .statements import Step

LANES = 64  # number of candidates in a block
# Steps whose spikes a lane collects as bits of a float64 (which holds 53) before it writes them to the list of spikes.
CHUNK = 48

TEMPLATE = """\
import numpy as np
from llvmlite import ir
from numba import float64, int32, int64, njit, prange, uint32
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

floor = np.floor


@intrinsic
def address(typing, array):
    def build(context, builder, signature, arguments):
        data = make_array(array)(context, builder, arguments[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return int64(array), build


@intrinsic
def pow2(typing, n):
    def build(context, builder, signature, arguments):
        word = ir.IntType(64)
        shifted = builder.fadd(arguments[0], ir.Constant(ir.DoubleType(), 2.0**52 + 1023))
        bits = builder.shl(builder.bitcast(shifted, word), ir.Constant(word, 52))
        return builder.bitcast(bits, ir.DoubleType())

    return float64(float64), build


@njit(forceinline=True, fastmath=False)
def plus(total, x):  # without contraction: a sum of floats is the same on every machine
    return total + x


@njit(parallel=True, nogil=True, cache=True, error_model="numpy", fastmath={{"contract"}})
def kernel({arguments}):
    for job in prange(codes.shape[1] // {lanes} * current.shape[0]):
        sweep = job % current.shape[0]
        {constants}
        own, after = rows[sweep], rows[sweep + 1]  # the rows of data that belong to this current
        L = np.empty(({rows} + 4 * (after - own - 1), {lanes} + 8))
        left = -(address(L) // 8) & 7  # begin on a line of 64 bytes: vectors across two cost twice
        right = left + {lanes}
        first = job // current.shape[0] * {lanes} - left
        for l in range(left, right):
            {coefficients}
            {once}
            {store_rows}
            {load_states}
            {r_masked} = 0.0
            {r_sum} = {r_sum2} = {r_product} = 0.0
        for more in range({rows}, len(L)):
            for l in range(left, right):
                L[more, l] = 0.0
        for begin in range(0, length[sweep], {chunk}):
            for l in range(left, right):
                {r_fired} = 0.0
            place = 1.0
            for t in range(begin, min(begin + {chunk}, length[sweep])):
                i = current[sweep, t]
                target = data[own, t]
                weight = outside[own, t]
                limited = min(target, clip)
                for l in range(left, right):
                    {read}
                    {statements}
                    {write}
                    v = {out_v}
                    {r_v} = v
                    {r_fired} += place if {out_spike} else 0.0
                    error = min(v, clip) - limited
                    {r_masked} = plus({r_masked}, weight * (error * error))
                if regress:
                    for l in range(left, right):
                        {r_sum} = plus({r_sum}, weight * {r_v})
                        {r_sum2} = plus({r_sum2}, weight * ({r_v} * {r_v}))
                        {r_product} = plus({r_product}, weight * ({r_v} * target))
                for other in range(own + 1, after):
                    more = {rows} + 4 * (other - own - 1)
                    target = data[other, t]
                    weight = outside[other, t]
                    limited = min(target, clip)
                    for l in range(left, right):
                        error = min({r_v}, clip) - limited
                        L[more, l] = plus(L[more, l], weight * (error * error))
                    if regress:
                        for l in range(left, right):
                            L[more + 1, l] = plus(L[more + 1, l], weight * {r_v})
                            L[more + 2, l] = plus(L[more + 2, l], weight * ({r_v} * {r_v}))
                            L[more + 3, l] = plus(L[more + 3, l], weight * ({r_v} * target))
                if traced:
                    for l in range(left, right):
                        trace[sweep, t, first + l] = {r_v}
                place *= 2.0
            for l in range(left, right):
                if {r_fired} > 0.0:
                    bits = np.int64({r_fired})
                    t = begin
                    while bits:
                        if bits & 1:
                            n = count[sweep, first + l]
                            if n < spikes.shape[2]:
                                spikes[sweep, first + l, n] = t
                            count[sweep, first + l] = n + 1
                        bits >>= 1
                        t += 1
        for l in range(left, right):
            masked[own, first + l] = {r_masked}
            sums[0, own, first + l] = {r_sum}
            sums[1, own, first + l] = {r_sum2}
            sums[2, own, first + l] = {r_product}
            for other in range(own + 1, after):
                more = {rows} + 4 * (other - own - 1)
                masked[other, first + l] = L[more, l]
                for k in range(3):
                    sums[k, other, first + l] = L[more + 1 + k, l]
            {store_states}
"""


def kernel_source(dp: Datapath, step: Step) -> str:
    """Text of a module whose function `kernel` simulates all candidates on all sweeps, see `kernels.simulate`."""
    states, coefficients = list(dp.states), list(dp.coefficients)
    read = [*(f"s_{n}" for n in states), *step.rows]
    sums = ["v", "fired", "masked", "sum", "sum2", "product"]
    row = {name: f"L[{k}, l]" for k, name in enumerate([*read, *sums])}

    def block(lines, depth: int) -> str:
        """Lines of the kernel, indented by `depth`."""
        return ("\n" + " " * depth).join(lines)

    return TEMPLATE.format(
        arguments="K, T, codes, start, current, length, rows, data, outside, clip, masked, sums, regress, count, spikes, end, "
        "traced, trace",
        lanes=LANES,
        chunk=CHUNK,
        rows=len(row),
        constants=block((f"k{k} = K[{k}]" for k in range(len(step.constants))), 8),
        coefficients=block((f"c_{n} = codes[{k}, first + l]" for k, n in enumerate(coefficients)), 12),
        once=block(step.once, 12),
        store_rows=block((f"{row[n]} = {n}" for n in step.rows), 12),
        load_states=block((f"{row['s_' + n]} = start[{k}, sweep, first + l]" for k, n in enumerate(states)), 12),
        read=block((f"{n} = {row[n]}" for n in read), 20),
        statements=block(step.lines, 20),
        write=block((f"{row['s_' + n]} = {step.outputs[n]}" for n in states), 20),
        out_v=step.outputs[".v"],
        out_spike=step.outputs[".spike"],
        store_states=block((f"end[{k}, sweep, first + l] = {row['s_' + n]}" for k, n in enumerate(states)), 12),
        **{f"r_{name}": row[name] for name in sums},
    )
