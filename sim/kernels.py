"""The compiled batch kernel: the integers of the reference for many candidates and sweeps, as fast as a fit needs."""

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
    """The result of simulating N candidates (parameter sets) on S sweeps.

    count   (N, S) number of spikes
    spikes  (N, S, max_spikes) steps with a spike; in each row, the first `count` (at most max_spikes) are valid
    masked  (N, S) sum of squared errors, mV^2, over the samples where `outside` is 1, both voltages cut off at `clip`
    sums    (N, S, 3) sums of v, v^2 and v times the data over the samples where `outside` is 1, to regress the data on v;
            zeros unless `regress` was set
    end     (N, S, states) state codes after the last step
    trace   (N, S, T) mV, or None
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
    """A hash of the kernel's source, constants and tables: datapaths with the same hash give the same results."""
    return digest(_source(dp)[0], _step(dp))


def digest(source: str, step: Step) -> bytes:
    numbers = np.concatenate([np.asarray(step.constants, dtype=np.float64), *step.tables])
    return hashlib.blake2b(source.encode() + numbers.tobytes(), digest_size=16).digest()


def compiled(dp: Datapath) -> bool:
    """Whether the kernel of this datapath is in the cache. If not, the first call compiles it, which takes some seconds."""
    return cached(_source(dp)[1])


def cached(name: str) -> bool:
    """Whether a compiled kernel of this name is in the cache."""
    return any((cache_dir("kernels") / "__pycache__").glob(f"{name}*.nbc"))


@cache
def load(name: str, source: str) -> ModuleType:
    """The module of a kernel, whose source is written to the cache if it is not there."""
    path = cache_dir("kernels") / f"{name}.py"
    # Write the file under another name and rename it when it is complete: another process may read it, or this one be killed.
    if not path.exists():
        part = path.with_name(f".{name}.{os.getpid()}.part")
        part.write_text(source, encoding="utf-8")
        part.replace(path)
    spec = importlib.util.spec_from_file_location(f"spikefab_kernel_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _interleaved():
    """Make LLVM interleave the instructions of four vectors, so that the processor waits less for results.

    By itself, LLVM computes one vector after the other, which takes up to twice the time. The option holds for the whole
    process; it is reset afterwards.
    """
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
    """Run a compiled kernel, with the candidates padded to full blocks of lanes.

    All numbers, arguments and results, are in the units of the kernel (codes in the batch kernel, real values in the ideal).
    coefficients (N, coefficients), start (N, S, states) or (N, states), current (S, T); the others as in `simulate`.
    """
    (n, (sweeps, steps), k) = len(coefficients), current.shape, start.shape[-1]
    padded = -(-n // LANES) * LANES
    if start.ndim == 2:
        start = np.broadcast_to(start[:, None, :], (n, sweeps, k))
    rows = np.minimum(np.arange(padded), n - 1)  # indices of candidates; copies of the last one fill the last block
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
    with nullcontext() if kernel.signatures else _interleaved():  # type: ignore[attr-defined]  # not compiled yet
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
    """Simulate N candidates (parameter sets) on S sweeps.

    codes       (N, coefficients) codes of the coefficients
    current     (S, T) codes of the input
    initial     (N, S, states) or (N, states) state codes; None: at rest
    length      (S,) number of steps of each sweep; None: T
    data        (S, T) mV, recorded voltage for the error sums
    outside     (S, T) 1 at samples that count in the error sums, 0 at others
    clip        mV above which both voltages are cut off in the error sums
    max_spikes  number of spikes kept per candidate and sweep
    regress     whether to compute `sums`
    trace       whether to keep the voltages

    Memory: 8 N (coefficients + S (max_spikes / 2 + 2 states + 5)) bytes, and 8 N S T more with `trace`.
    """
    codes = np.atleast_2d(np.asarray(codes))
    lsb = dp.readout.lsb  # a power of two, so that the conversion of sums of codes to mV is exact
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
    """Call `notice` if the kernel has yet to be compiled."""
    if notice is not None and not compiled(dp):
        notice(f"compiling the {dp.model.__name__} kernel for this machine, once")
