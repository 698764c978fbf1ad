"""Writes the source text of a model's batch kernel: its statements, within loops over parameter sets and steps.

Number formats are arguments of the kernel (scales and limits in the array `K`), so that datapaths of a model with the same
operations share one compiled kernel, whatever their word, time step and input span. A call of the kernel does one job: a block
of candidates (parameter sets) on a stretch of one sweep, see `beginnings`. The candidates of a block are the *lanes* of vector
instructions; their states, coefficients and sums are rows of a single array.

While the input stays the same and a step has changed no state of any lane, the following steps cannot change one either: they
are not computed. Only the error sums go on, as the recorded voltage is another in every step.
"""

from spikefab.hw.datapath import Datapath

from .statements import Step

LANES = 32  # number of candidates in a block
STRIDE = LANES + 8  # numbers from one row of L to the next: lines at multiples of 4096 bytes would evict each other
# Steps whose spikes a lane collects as bits of a float64 (which holds 53) before it writes them to the list of spikes.
CHUNK = 48
# Arguments of a kernel that are read and written through pointers.
ARRAYS = "K codes start current stretches members data outside masked sums count spikes end trace"

TEMPLATE = """\
import numpy as np
from llvmlite import ir
from numba import boolean, float64, int32, int64, njit, types, uint32, void
from numba.core.compiler import Compiler
from numba.core.typed_passes import AnnotateTypes
from numba.extending import intrinsic


# Elements of arrays are read and written through pointers: numba's own way takes up to a hundred instructions for each.
def address(context, builder, array, value):
    return builder.extract_value(value, context.data_model_manager[array].get_field_position("data"))


@intrinsic
def pointer(typing, array):
    def build(context, builder, signature, arguments):
        return address(context, builder, array, arguments[0])

    return types.CPointer(array.dtype)(array), build


@intrinsic
def aligned(typing, array):  # a pointer to the first line of 64 bytes in an array: vectors across two lines cost twice
    def build(context, builder, signature, arguments):
        data, word = address(context, builder, array, arguments[0]), ir.IntType(64)
        place = builder.udiv(builder.ptrtoint(data, word), ir.Constant(word, 8))
        return builder.gep(data, [builder.and_(builder.neg(place), ir.Constant(word, 7))])

    return types.CPointer(float64)(array), build


@intrinsic
def at(typing, array, place):
    def build(context, builder, signature, arguments):
        return builder.load(builder.gep(arguments[0], [arguments[1]], inbounds=True))

    return array.dtype(array, int64), build


@intrinsic
def store(typing, array, place, x):
    def build(context, builder, signature, arguments):
        builder.store(arguments[2], builder.gep(arguments[0], [arguments[1]], inbounds=True))
        return context.get_dummy_value()

    return void(array, int64, array.dtype), build


# The following are one instruction each. numba's own are calls of functions or branches, which it takes long to compile.
@intrinsic
def floor(typing, x):
    def build(context, builder, signature, arguments):
        return builder.call(builder.module.declare_intrinsic("llvm.floor", [ir.DoubleType()]), arguments)

    return float64(float64), build


@intrinsic
def min(typing, a, b):
    def build(context, builder, signature, arguments):
        a, b = arguments
        return builder.select(builder.fcmp_ordered("<", b, a), b, a)

    return float64(float64, float64), build


@intrinsic
def max(typing, a, b):
    def build(context, builder, signature, arguments):
        a, b = arguments
        return builder.select(builder.fcmp_ordered(">", b, a), b, a)

    return float64(float64, float64), build


@intrinsic
def choose(typing, condition, a, b):
    def build(context, builder, signature, arguments):
        return builder.select(*arguments)

    return float64(boolean, float64, float64), build


def entry(builder, arguments):  # the address of L[k, l]
    pointer, k, l = arguments[:3]
    return builder.gep(pointer, [builder.add(builder.mul(k, ir.Constant(ir.IntType(64), {stride})), l)], inbounds=True)


@intrinsic
def get(typing, L, k, l):
    def build(context, builder, signature, arguments):
        return builder.load(entry(builder, arguments))

    return float64(L, int64, int64), build


@intrinsic
def put(typing, L, k, l, x):
    def build(context, builder, signature, arguments):
        builder.store(arguments[3], entry(builder, arguments))
        return context.get_dummy_value()

    return void(L, int64, int64, float64), build


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
        self.state.flags.nrt = False  # nothing is allocated
        managers = super().define_pipelines()
        for manager in managers:  # annotations only serve to be printed
            manager.passes[:] = (p for p in manager.passes if p[0] is not AnnotateTypes)
        return managers


@njit(forceinline=True, fastmath=False)
def plus(total, x):  # without contraction: a sum of floats is the same on every machine
    return total + x


@njit(nogil=True, cache=True, pipeline_class=Separate, error_model="numpy", fastmath={{"contract"}})
def kernel({arguments}):
    tuned()
    steps, n, most, jobs = current.shape[1], codes.shape[1], spikes.shape[2], stretches.shape[0]
    sweeps, wide = data.shape[0], count.shape[1]
    {pointers}
    own = job % jobs
    sweep, since, until = at(stretches, 5 * own), at(stretches, 5 * own + 1), at(stretches, 5 * own + 2)
    low, high = at(stretches, 5 * own + 3), at(stretches, 5 * own + 4)  # where in `members` its sweeps are
    {constants}
    L = aligned(room)
    first = job // jobs * {lanes}
    used = wide - first if wide - first < {lanes} else {lanes}  # lanes; the others only fill the block
    for row in range(low, high):
        k, m = at(members, row), {sums} + 4 * (row - low)
        for l in range({lanes}):
            put(L, m, l, at(masked, k * n + first + l))
            for j in range(3):
                put(L, m + 1 + j, l, at(sums, (j * sweeps + k) * n + first + l))
    for l in range({lanes}):
        {coefficients}
        {once}
        {store_rows}
        {load_states}
    resting, held = False, 0.0  # whether an input of `held` changes no state of any lane
    for begin in range(since, until, {chunk}):
        for l in range({lanes}):
            put(L, {r_fired}, l, 0.0)
        place = 1.0
        stop = begin + {chunk}
        for t in range(begin, stop if stop < until else until):
            i = at(current, sweep * steps + t)
            if not resting or i != held:
                if t == begin:
                    for k in range({states}):
                        for l in range({lanes}):
                            put(L, {before} + k, l, get(L, k, l))
                for l in range({lanes}):
                    {read}
                    {statements}
                    {write}
                    put(L, {r_v}, l, {out_v})
                    put(L, {r_fired}, l, get(L, {r_fired}, l) + choose({out_spike}, place, 0.0))
                resting, held = t == begin, i
                if resting:
                    for l in range({lanes}):
                        resting &= get(L, {r_fired}, l) == 0.0
                        {compare}
            for row in range(low, high):
                k = at(members, row)
                weight = at(outside, k * steps + t)
                if weight != 0.0:
                    m = {sums} + 4 * (row - low)
                    target = at(data, k * steps + t)
                    limited = min(target, clip)
                    for l in range({lanes}):
                        error = min(get(L, {r_v}, l), clip) - limited
                        put(L, m, l, plus(get(L, m, l), weight * (error * error)))
                    if regress:
                        for l in range({lanes}):
                            v = get(L, {r_v}, l)
                            put(L, m + 1, l, plus(get(L, m + 1, l), weight * v))
                            put(L, m + 2, l, plus(get(L, m + 2, l), weight * (v * v)))
                            put(L, m + 3, l, plus(get(L, m + 3, l), weight * (v * target)))
            if traced:
                for l in range(used):
                    store(trace, (sweep * steps + t) * wide + first + l, get(L, {r_v}, l))
            place *= 2.0
        for l in range(used):
            if get(L, {r_fired}, l) > 0.0:
                bits = np.int64(get(L, {r_fired}, l))
                t = begin
                while bits:
                    if bits & 1:
                        lane = sweep * wide + first + l
                        fired = at(count, lane)
                        if fired < most:
                            store(spikes, lane * most + fired, t)
                        store(count, lane, fired + 1)
                    bits >>= 1
                    t += 1
    for l in range({lanes}):
        for row in range(low, high):
            k, m = at(members, row), {sums} + 4 * (row - low)
            store(masked, k * n + first + l, get(L, m, l))
            for j in range(3):
                store(sums, (j * sweeps + k) * n + first + l, get(L, m + 1 + j, l))
        {store_states}
"""


def kernel_source(dp: Datapath, step: Step) -> str:
    """Text of a module whose function `kernel` simulates all candidates on all sweeps, see `kernels.simulate`."""
    states, coefficients = list(dp.states), list(dp.coefficients)
    read = [*(f"s_{n}" for n in states), *step.rows]
    place = {name: k for k, name in enumerate(read)}
    v = len(read)  # the number of the row of the read-out; then come the spikes, the states before a step, and the sums

    def block(lines, depth: int) -> str:
        """Lines of the kernel, indented by `depth`."""
        return ("\n" + " " * depth).join(lines)

    return TEMPLATE.format(
        arguments="job, room, K, T, codes, start, current, stretches, members, data, outside, clip, masked, sums, regress, count, "
        "spikes, end, traced, trace",
        lanes=LANES,
        stride=STRIDE,
        chunk=CHUNK,
        states=len(states),
        r_v=v,
        r_fired=v + 1,
        before=v + 2,
        sums=v + 2 + len(states),
        pointers=block((f"{name} = pointer({name})" for name in ARRAYS.split()), 4),
        constants=block((f"k{k} = at(K, {k})" for k in range(len(step.constants))), 4),
        coefficients=block((f"c_{n} = at(codes, {k} * n + first + l)" for k, n in enumerate(coefficients)), 8),
        once=block(step.once, 8),
        store_rows=block((f"put(L, {place[n]}, l, {n})" for n in step.rows), 8),
        load_states=block(
            (f"put(L, {k}, l, at(start, ({k} * jobs + own) * n + first + l))" for k, n in enumerate(states)), 8
        ),
        read=block((f"{n} = get(L, {k}, l)" for k, n in enumerate(read)), 20),
        statements=block(step.lines, 20),
        write=block((f"put(L, {k}, l, {step.outputs[n]})" for k, n in enumerate(states)), 20),
        out_v=step.outputs[".v"],
        out_spike=step.outputs[".spike"],
        compare=block((f"resting &= get(L, {k}, l) == get(L, {v + 2 + k}, l)" for k in range(len(states))), 24),
        store_states=block(
            (f"store(end, ({k} * jobs + own) * n + first + l, get(L, {k}, l))" for k, n in enumerate(states)), 8
        ),
    )


def room(step: Step, states: int, sweeps: int) -> int:
    """The number of floats that the array L of a kernel needs, for a stretch of so many sweeps."""
    return (len(step.rows) + 2 * states + 2 + 4 * sweeps) * STRIDE + 8
