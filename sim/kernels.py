"""The compiled batch kernel: candidates x sweeps x steps, the reference's integers at the speed of a fit."""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType

import llvmlite.binding as llvm
import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.toolchain.cache import cache_dir

from .codegen import LANES, kernel_source
from .integer_statements import trace_step
from .statements import Step


@dataclass(frozen=True)
class Batch:
    """What a batch of N candidates did on S sweeps.

    count (N, S) spikes; spikes (N, S, max_spikes) the steps that spiked, the first `count` of each row valid (at most
    max_spikes); masked (N, S) sum of squared error, mV^2, where `outside` is 1, both voltages limited at `clip`; sums
    (N, S, 3) of v, v^2 and v times the data where `outside` is 1, for the regression of the data on v, zeros unless it was
    asked for; end (N, S, states) state codes after the last step; trace (N, S, T) mV, or None.
    """

    count: np.ndarray
    spikes: np.ndarray
    masked: np.ndarray
    sums: np.ndarray
    end: np.ndarray
    trace: np.ndarray | None


@cache
def _step(dp: Datapath):
    return trace_step(dp)


def _source(dp: Datapath) -> tuple[str, str]:
    source = kernel_source(dp, _step(dp))
    return source, f"{dp.model.__name__}_{hashlib.sha256(source.encode()).hexdigest()[:16]}"


def identity(dp: Datapath) -> bytes:
    """A digest of all that the kernel of this datapath computes with."""
    return digest(_source(dp)[0], _step(dp))


def digest(source: str, step: Step) -> bytes:
    numbers = np.concatenate([np.asarray(step.constants, dtype=np.float64), *step.tables])
    return hashlib.blake2b(source.encode() + numbers.tobytes(), digest_size=16).digest()


def compiled(dp: Datapath) -> bool:
    """Whether the kernel of this datapath is in the cache: without it the first call compiles for some seconds."""
    return cached(_source(dp)[1])


def cached(name: str) -> bool:
    return any((cache_dir("kernels") / "__pycache__").glob(f"{name}*.nbc"))


@cache
def load(name: str, source: str) -> ModuleType:
    path = cache_dir("kernels") / f"{name}.py"
    if not path.exists():  # whole or not at all: another process may look, and this one be killed
        part = path.with_name(f".{name}.{os.getpid()}.part")
        part.write_text(source)
        part.replace(path)
    spec = importlib.util.spec_from_file_location(f"spikefab_kernel_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _interleaved():
    """Has LLVM write the statements of four vectors side by side: one waits less where another is not ready. Its own choice
    is one vector after the other, at up to twice the time. The option is one of the process, so it is taken back."""
    llvm.set_option("", "-force-vector-interleave=4")
    try:
        yield
    finally:
        llvm.set_option("", "-force-vector-interleave=0")


def launch(
    kernel: Callable[..., None],
    step: Step,
    coefficients: np.ndarray,
    start: np.ndarray,
    current: np.ndarray,
    *,
    length: np.ndarray | None,
    data: np.ndarray | None,
    outside: np.ndarray | None,
    clip: float,
    max_spikes: int,
    regress: bool,
    trace: bool,
) -> Batch:
    """Run a compiled step over whole blocks of lanes; all numbers, in and out, are in the step's own units.

    coefficients (N, coefficients), start (N, S, states) or (N, states), current (S, T); the others as in `simulate`.
    """
    (n, (sweeps, steps), k) = len(coefficients), current.shape, start.shape[-1]
    padded = -(-n // LANES) * LANES
    if start.ndim == 2:
        start = np.broadcast_to(start[:, None, :], (n, sweeps, k))
    rows = np.minimum(np.arange(padded), n - 1)  # the last candidate fills the last block
    zeros = np.zeros_like(current)
    masked, sums = np.empty((sweeps, padded)), np.empty((3, sweeps, padded))
    count = np.zeros((sweeps, padded), dtype=np.int64)
    spikes = np.zeros((sweeps, padded, max_spikes), dtype=np.int32)
    end = np.empty((k, sweeps, padded))
    volts = np.empty((sweeps, steps, padded) if trace else (1, 1, 1))
    arguments = (
        np.array(step.constants),
        np.concatenate([*step.tables, np.zeros(1)]),
        np.ascontiguousarray(coefficients[rows].T, dtype=np.float64),
        np.ascontiguousarray(start[rows].transpose(2, 1, 0), dtype=np.float64),
        current,
        np.full(sweeps, steps) if length is None else np.asarray(length, dtype=np.int64),
        zeros if data is None else np.ascontiguousarray(data, dtype=np.float64),
        zeros if outside is None else np.ascontiguousarray(outside, dtype=np.float64),
        float(clip),
        masked,
        sums,
        regress,
        count,
        spikes,
        end,
        trace,
        volts,
    )
    with nullcontext() if kernel.signatures else _interleaved():  # type: ignore[attr-defined]  # about to be compiled
        kernel(*arguments)
    return Batch(
        count.T[:n],
        spikes.transpose(1, 0, 2)[:n],
        masked.T[:n],
        sums.transpose(2, 1, 0)[:n],
        end.transpose(2, 1, 0)[:n],
        volts.transpose(2, 0, 1)[:n] if trace else None,
    )


def simulate(
    dp: Datapath,
    codes: np.ndarray,
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
    """Run N candidates over S sweeps.

    codes (N, coefficients) and current (S, T) are codes; initial (N, S, states) or (N, states) state codes, rest if
    None; length (S,) steps of each sweep, T if None; data (S, T) mV and outside (S, T) 0 or 1 feed the error sums.
    Memory: 8 N (coefficients + S (max_spikes / 2 + 2 states + 5)) bytes, and 8 N S T with `trace`.
    """
    codes = np.atleast_2d(np.asarray(codes))
    lsb = dp.readout.lsb  # a power of two: sums in codes are those in mV, to the last bit
    source, name = _source(dp)
    out = launch(
        load(name, source).kernel,
        _step(dp),
        codes,
        dp.rest(codes) if initial is None else np.asarray(initial),
        np.atleast_2d(np.asarray(current, dtype=np.float64)),
        length=length,
        data=None if data is None else data / lsb,
        outside=outside,
        clip=clip / lsb,
        max_spikes=max_spikes,
        regress=regress,
        trace=trace,
    )
    return replace(
        out,
        masked=out.masked * lsb**2,
        sums=out.sums * [lsb, lsb**2, lsb**2],
        end=out.end.astype(np.int64),
        trace=None if out.trace is None else out.trace * lsb,
    )


def announce(dp: Datapath, notice: Callable[[str], None] | None) -> None:
    """Say that a kernel is about to be compiled, if it is."""
    if notice is not None and not compiled(dp):
        notice(f"compiling the {dp.model.__name__} kernel for this machine, once")
