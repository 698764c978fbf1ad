"""Writes the source text of a model's batch kernel: its statements, within loops over parameter sets and steps.

Number formats are arguments of the kernel (scales and limits in the array `K`), so that one compiled kernel serves every
word, time step and input span of a model. A call of the kernel does one job: a block of candidates (parameter sets) with one
sweep. The candidates of a block are the *lanes* of vector instructions; their states, coefficients and sums are rows of a
single array.

While the input stays the same and a step has changed no state of any lane, the following steps cannot change one either: they
are not computed. Only the error sums go on, as the recorded voltage is another in every step.
"""

from spikefab.hw.datapath import Datapath

from .statements import Step

LANES = 32  # number of candidates in a block
# Steps whose spikes a lane collects as bits of a float64 (which holds 53) before it writes them to the list of spikes.
CHUNK = 48

TEMPLATE = """\
import numpy as np
from llvmlite import ir
from numba import float64, int32, int64, njit, uint32, void
from numba.core.compiler import Compiler
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
def tuned(typing):  # LLVM avoids gathers on AMD's processors; without them, models with tables take two to four times as long
    def build(context, builder, signature, arguments):
        features = context.codegen().magic_tuple()[2]
        if "+avx2" in features.split(","):
            set.add(builder.function.attributes, f'"target-features"="{{features}},+fast-gather"')
        return context.get_dummy_value()

    return void(), build


@intrinsic
def pow2(typing, n):
    def build(context, builder, signature, arguments):
        word = ir.IntType(64)
        shifted = builder.fadd(arguments[0], ir.Constant(ir.DoubleType(), 2.0**52 + 1023))
        bits = builder.shl(builder.bitcast(shifted, word), ir.Constant(word, 52))
        return builder.bitcast(bits, ir.DoubleType())

    return float64(float64), build


class Separate(Compiler):  # tells LLVM that no two arrays overlap
    def define_pipelines(self):
        self.state.flags.noalias = True
        return super().define_pipelines()


@njit(forceinline=True, fastmath=False)
def plus(total, x):  # without contraction: a sum of floats is the same on every machine
    return total + x


@njit(nogil=True, cache=True, pipeline_class=Separate, error_model="numpy", fastmath={{"contract"}})
def kernel({arguments}):
    sweep = job % current.shape[0]
    tuned()
    {constants}
    own, after = rows[sweep], rows[sweep + 1]  # the rows of data that belong to this current
    L = np.empty(({sums} + 4 * (after - own), {lanes} + 8))
    left = -(address(L) // 8) & 7  # begin on a line of 64 bytes: vectors across two cost twice
    right = left + {lanes}
    first = job // current.shape[0] * {lanes} - left
    L[{sums}:] = 0.0
    for l in range(left, right):
        {coefficients}
        {once}
        {store_rows}
        {load_states}
    resting, held = False, 0.0  # whether an input of `held` changes no state of any lane
    for begin in range(0, length[sweep], {chunk}):
        L[{r_fired}, :] = 0.0
        place = 1.0
        for t in range(begin, min(begin + {chunk}, length[sweep])):
            i = current[sweep, t]
            if not resting or i != held:
                if t == begin:
                    L[{before}:{sums}] = L[:{states}]
                for l in range(left, right):
                    {read}
                    {statements}
                    {write}
                    L[{r_v}, l] = {out_v}
                    L[{r_fired}, l] += place if {out_spike} else 0.0
                resting, held = t == begin, i
                if resting:
                    for l in range(left, right):
                        resting &= L[{r_fired}, l] == 0.0
                        {compare}
            for k in range(own, after):
                weight = outside[k, t]
                if weight != 0.0:
                    m = {sums} + 4 * (k - own)
                    target = data[k, t]
                    limited = min(target, clip)
                    for l in range(left, right):
                        error = min(L[{r_v}, l], clip) - limited
                        L[m, l] = plus(L[m, l], weight * (error * error))
                    if regress:
                        for l in range(left, right):
                            v = L[{r_v}, l]
                            L[m + 1, l] = plus(L[m + 1, l], weight * v)
                            L[m + 2, l] = plus(L[m + 2, l], weight * (v * v))
                            L[m + 3, l] = plus(L[m + 3, l], weight * (v * target))
            if traced:
                for l in range(left, right):
                    trace[sweep, t, first + l] = L[{r_v}, l]
            place *= 2.0
        for l in range(left, right):
            if L[{r_fired}, l] > 0.0:
                bits = np.int64(L[{r_fired}, l])
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
        for k in range(own, after):
            m = {sums} + 4 * (k - own)
            masked[k, first + l] = L[m, l]
            for j in range(3):
                sums[j, k, first + l] = L[m + 1 + j, l]
        {store_states}
"""


def kernel_source(dp: Datapath, step: Step) -> str:
    """Text of a module whose function `kernel` simulates all candidates on all sweeps, see `kernels.simulate`."""
    states, coefficients = list(dp.states), list(dp.coefficients)
    read = [*(f"s_{n}" for n in states), *step.rows]
    row = {name: f"L[{k}, l]" for k, name in enumerate(read)}
    v = len(row)  # the number of the row of the read-out; then come the spikes, the states before a step, and the sums

    def block(lines, depth: int) -> str:
        """Lines of the kernel, indented by `depth`."""
        return ("\n" + " " * depth).join(lines)

    return TEMPLATE.format(
        arguments="job, K, T, codes, start, current, length, rows, data, outside, clip, masked, sums, regress, count, spikes, end, "
        "traced, trace",
        lanes=LANES,
        chunk=CHUNK,
        states=len(states),
        r_v=v,
        r_fired=v + 1,
        before=v + 2,
        sums=v + 2 + len(states),
        constants=block((f"k{k} = K[{k}]" for k in range(len(step.constants))), 4),
        coefficients=block((f"c_{n} = codes[{k}, first + l]" for k, n in enumerate(coefficients)), 8),
        once=block(step.once, 8),
        store_rows=block((f"{row[n]} = {n}" for n in step.rows), 8),
        load_states=block((f"{row['s_' + n]} = start[{k}, sweep, first + l]" for k, n in enumerate(states)), 8),
        read=block((f"{n} = {row[n]}" for n in read), 20),
        statements=block(step.lines, 20),
        write=block((f"{row['s_' + n]} = {step.outputs[n]}" for n in states), 20),
        out_v=step.outputs[".v"],
        out_spike=step.outputs[".spike"],
        compare=block((f"resting &= L[{k}, l] == L[{v + 2 + k}, l]" for k in range(len(states))), 24),
        store_states=block((f"end[{k}, sweep, first + l] = {row['s_' + n]}" for k, n in enumerate(states)), 8),
    )
