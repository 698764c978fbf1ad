"""The compiled ideal: does the same as `ideal.run`, for many candidates and sweeps at once and as fast as a fit needs.

Loops and statements are those of the batch kernel without the rounding. The function that a table approximates is written as
statements too: it is called once with a symbol, which records the operations that are applied to it.
"""

import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath
from spikefab.hw.proofs import overflows

from . import elementary, ideal, kernels
from .codegen import kernel_source
from .kernels import Batch
from .statements import SHARED, Rule, Step, Writer, Written, constant, input_name

FUNCTIONS = ("exp", "expm1", "exp2", "exprel", "tanh", "cosh", "sin", "cos", "tan")
UFUNCS = {
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "power": "{} ** {}",
    "negative": "-{}", "minimum": "min({}, {})", "maximum": "max({}, {})",
    **{name: name + "({})" for name in FUNCTIONS}, **{name: f"np.{name}({{}})" for name in ("log", "sqrt", "absolute")},
}  # fmt: skip


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """A number in the statements, known by its name. `write(ufunc, operands)` writes an operation on such numbers."""

    def __init__(self, name: str, write: Callable[[str, tuple], "Symbol"]):
        self.name, self.write = name, write

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **_: Any) -> "Symbol":
        if ufunc.__name__ not in UFUNCS:
            raise TypeError(f"no statement for {ufunc.__name__}: add it to ideal_kernel.UFUNCS")
        return self.write(ufunc.__name__, operands)

    def clip(self, low: Any, high: Any, **_: Any) -> "Symbol":  # np.clip calls this method
        return np.minimum(np.maximum(self, low), high)  # type: ignore[call-overload,return-value]


def _input(w: Writer, op: ops.Input, index: int) -> Written:
    return input_name(op), 0


def _add(w: Writer, op: ops.Add, index: int) -> Written:
    a, b = w.nodes[index].args
    return w.value(a) if w.number(b) == 0 else SHARED[ops.Add](w, op, index)


def _resize(w: Writer, op: ops.Resize, index: int) -> Written:
    (arg,), q, fixed = w.nodes[index].args, w.nodes[index].q, w.fixed[index]
    x, low, high = w.at(arg, 0, fixed), q.lo * q.lsb, q.hi * q.lsb
    if any(overflows(w.trace, index)):
        x = w.emit(f"min(max({x}, {w.step.constant(low)}), {w.step.constant(high)})", fixed)
    return x, 0


def _wrap(w: Writer, op: ops.Wrap, index: int) -> Written:
    (arg,), q, fixed = w.nodes[index].args, w.nodes[index].q, w.fixed[index]
    x, low = w.at(arg, 0, fixed), q.lo * q.lsb
    k_low, k_span, k_each = (w.step.constant(k) for k in (low, -2 * low, -0.5 / low))
    return w.emit(f"{x} - floor(({x} - {k_low}) * {k_each}) * {k_span}", fixed), 0


def _function(w: Writer, op: ops.Lookup, index: int) -> Written:
    """Write the function that a table approximates."""
    (arg,), table, fixed = w.nodes[index].args, op.table, w.fixed[index]

    def operand(x: Any) -> str:
        return x.name if isinstance(x, Symbol) else w.step.constant(x)

    def write(ufunc: str, x: tuple) -> Symbol:
        if ufunc == "divide" and not isinstance(x[1], Symbol):
            ufunc, x = "multiply", (x[0], 1 / x[1])
        if ufunc == "power" and x[1] == 2:
            ufunc, x = "multiply", (x[0], x[0])
        key = (ufunc, *(y.name if isinstance(y, Symbol) else float(y) for y in x))
        text = UFUNCS[ufunc]
        return Symbol(w.once(*key, make=lambda: w.emit(text.format(*map(operand, x)), fixed)), write)

    def place() -> str:
        return w.emit(f"min(max({w.at(arg, 0, fixed)}, 0.0), {w.step.constant(table.entries)})", fixed)

    return table.function(Symbol(w.once("place", arg, table.entries, make=place), write)).name, 0


RULES: dict[type[ops.Operation], Rule] = SHARED | {
    ops.Input: _input,
    ops.Add: _add,
    ops.Resize: _resize,
    ops.Wrap: _wrap,
    ops.Lookup: _function,
}


class _Ideal(Writer):
    """Writes the statements of the ideal: real values without rounding (g is 0), functions in place of tables."""

    rules = RULES

    def number(self, index: int) -> float | None:
        """The value of a constant. Slopes of tables are 0 here, and so is every product with one."""
        op, args, _ = self.nodes[index]
        if isinstance(op, ops.Lookup):
            return 0.0 if op.column > 0 else None
        if isinstance(op, ops.Mul):
            return 0.0 if any(self.number(a) == 0 for a in args) else None
        if isinstance(op, ops.RESIZES):
            return 0.0 if self.number(args[0]) == 0 else None
        return constant(self, index)

    def unit(self, args: Iterable[int]) -> int:
        return 0


@cache
def _step(dp: Datapath) -> Step:
    writer = _Ideal(dp)
    for name, index in dp.trace.outputs.items():
        writer.step.outputs[name] = writer.truth(index) if name == ".spike" else writer.at(index, 0)
    return writer.step


@cache
def _source(dp: Datapath) -> tuple[str, str]:
    # these functions are compiled into the kernel
    version = hashlib.sha256(Path(elementary.__file__).read_bytes()).hexdigest()
    functions = f"from spikefab.sim.elementary import {', '.join(FUNCTIONS)}  # {version}\n"
    source = f"{kernel_source(dp, _step(dp))}\n\n{functions}"
    return kernels.named(f"{dp.model.__name__}_ideal", source), source


def kernel(dp: Datapath) -> kernels.Kernel:
    """The kernel of a datapath. Raises TypeError as `simulate`."""
    return kernels.Kernel(*_source(dp), dp.model.__name__)


def rest(dp: Datapath, coefficients: np.ndarray) -> np.ndarray:
    """The states (N, states) at rest for real coefficients (N, coefficients)."""
    found = ideal.rest(dp, dict(zip(dp.coefficients, coefficients.T, strict=True)))
    return np.stack([np.broadcast_to(found[n], len(coefficients)) for n in dp.states], axis=-1)


def simulate(
    dp: Datapath,
    coefficients: np.ndarray,
    current: np.ndarray,
    *,
    initial: np.ndarray | None = None,
    length: np.ndarray | None = None,
    data: np.ndarray | None = None,
    outside: np.ndarray | None = None,
    clip: float = np.inf,
    max_spikes: int = 1000,
    regress: bool = False,
    trace: bool = False,
) -> Batch:
    """Like `kernels.simulate`, but in real numbers: coefficients (N, coefficients), current (S, T) in nA, and states.

    Raises TypeError if a table of the model approximates a function that cannot be written as statements.
    """
    coefficients = np.atleast_2d(np.asarray(coefficients, dtype=np.float64))
    return kernels.launch(
        kernels.load(*_source(dp)),
        _step(dp),
        coefficients,
        rest(dp, coefficients) if initial is None else np.asarray(initial),
        np.atleast_2d(np.asarray(current, dtype=np.float64)),
        length=length,
        data=data,
        outside=outside,
        clip=clip,
        max_spikes=max_spikes,
        regress=regress,
        trace=trace,
    )


def identity(dp: Datapath) -> bytes:
    """A digest of all that the kernel of this datapath computes with. Raises TypeError as `simulate`."""
    return kernels.digest(_source(dp)[1], _step(dp))


def compiled(dp: Datapath) -> bool:
    """Whether the kernel of this datapath is in the cache. Raises TypeError as `simulate`."""
    return kernels.cached(_source(dp)[0])


def announce(dp: Datapath, notice: Callable[[str], None] | None) -> None:
    """Call `notice` if the kernel has yet to be compiled. Raises TypeError as `simulate` does."""
    if not compiled(dp) and notice is not None:
        notice(f"compiling the float64 {dp.model.__name__} kernel for this machine, once")
