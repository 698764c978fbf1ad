"""The compiled batch kernel: the integers of the reference for many candidates and sweeps, as fast as a fit needs."""

import hashlib
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba as nb
import numpy as np

from spikefab.files import remove, save_text
from spikefab.hw.datapath import Datapath
from spikefab.toolchain.cache import cache_dir, intact, locked, seal, tell

from . import beginnings, threads
from .codegen import LANES, kernel_source, room
from .integer_statements import trace_step
from .statements import Step


class Kernel(NamedTuple):
    """The name and the source text of a kernel, and the name of its model."""

    name: str
    source: str
    model: str


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


compiling: set[str] = set()  # the kernels that this process is compiling
# The types of a kernel's arguments, see `codegen`: with others, numba would compile another kernel.
TYPES = (
    nb.int64, nb.float64[::1], nb.float64[::1], nb.float64[::1], nb.float64[:, ::1], nb.float64[:, :, ::1],
    nb.float64[:, ::1], nb.int64[:, ::1], nb.int64[::1], nb.float64[:, ::1], nb.float64[:, ::1], nb.float64,
    nb.float64[:, ::1], nb.float64[:, :, ::1], nb.boolean, nb.int64[:, ::1], nb.int32[:, :, ::1],
    nb.float64[:, :, ::1], nb.boolean, nb.float64[:, :, ::1],
)  # fmt: skip


@cache
def _step(dp: Datapath):
    return trace_step(dp)


@cache
def _source(dp: Datapath) -> tuple[str, str]:
    source = kernel_source(dp, _step(dp))
    return named(dp.model.__name__, source), source


def named(model: str, source: str) -> str:
    """The name of a kernel: that of its model, and a hash of its source."""
    return f"{model}_{hashlib.sha256(source.encode()).hexdigest()[:16]}"


def kernel(dp: Datapath) -> Kernel:
    """The kernel of a datapath."""
    return Kernel(*_source(dp), dp.model.__name__)


def identity(dp: Datapath) -> bytes:
    """A hash of the kernel's source, constants and tables: datapaths with the same hash give the same results."""
    return digest(_source(dp)[1], _step(dp))


def digest(source: str, step: Step) -> bytes:
    numbers = np.concatenate([np.asarray(step.constants, dtype=np.float64), *step.tables])
    return hashlib.blake2b(source.encode() + numbers.tobytes(), digest_size=16).digest()


def compiled(dp: Datapath) -> bool:
    """Whether the kernel of this datapath is in the cache. If not, the first call compiles it, which takes some seconds."""
    return cached(_source(dp)[0])


def cached(name: str) -> bool:
    """Whether a compiled kernel of this name is in the cache, undamaged."""
    folder = cache_dir("kernels")
    return intact(_record(folder, name), _compiled_files(folder, name))


def _record(folder: Path, name: str) -> Path:
    """The file with the checksums of a kernel's compiled files."""
    return folder / f"{name}.json"


def _compiled_files(folder: Path, name: str) -> list[Path]:
    return [p for p in (folder / "__pycache__").glob(f"{name}.*") if p.suffix in (".nbi", ".nbc")]


@cache
def load(name: str, source: str) -> ModuleType:
    """The module of a kernel, whose source is written to the cache if it is not there.

    What is executed is `source`, not the file: numba only looks at the file's time to see whether what it compiled is of it.
    """
    folder = cache_dir("kernels")
    path, place = folder / f"{name}.py", folder / "__pycache__"
    if not place.is_dir():
        place.unlink(missing_ok=True)
        place.mkdir(exist_ok=True)
    if not _holds(path, source):
        if path.exists():
            tell(f"the source of the kernel {name} in the cache was changed: it is compiled again.")
        _forget(folder, name)
        save_text(path, source)
    module = ModuleType(f"spikefab_kernel_{name}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    # with NUMBA_CACHE_DIR, it would be kept elsewhere, without its checksum
    before, nb.config.CACHE_DIR = nb.config.CACHE_DIR, ""  # type: ignore[attr-defined]
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    finally:
        nb.config.CACHE_DIR = before  # type: ignore[attr-defined]
    return module


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _forget(folder: Path, name: str) -> None:
    remove([_record(folder, name), *_compiled_files(folder, name)])


def untouched(name: str) -> bool:
    """Whether nothing compiled of this name is in the cache: neither a whole kernel nor the rest of a damaged one."""
    folder = cache_dir("kernels")
    return not _record(folder, name).exists() and not _compiled_files(folder, name)


def prepared(name: str) -> bool:
    """Whether this process can call the kernel at once."""
    module = sys.modules.get(f"spikefab_kernel_{name}")
    return module is not None and hasattr(module, "kernel") and bool(module.kernel.signatures)


def prepare(module: ModuleType, types: tuple[Any, ...] = TYPES, *, wait: bool = True) -> bool:
    """Compile a kernel for arguments of these types, or take it from the cache if it is there as it was made.

    While another process compiles it, this one waits; without `wait`, nothing is done and the result is False.
    """
    kernel, path = module.kernel, Path(str(module.__file__))
    folder, name = path.parent, path.stem
    with locked(folder / f"{name}.lock", wait=wait) as free:
        if not free:
            return False
        record, there = _record(folder, name), _compiled_files(folder, name)
        if there and not intact(record, there):
            tell(f"the kernel {name} in the cache is not as it was made: it is compiled again.")
            _forget(folder, name)
        compiling.add(name)
        try:
            with _interleaved():
                kernel.compile(types)
        except OSError as error:  # raised after it was compiled: the disk is full
            tell(f"the kernel {name} was compiled and cannot be kept: {error.strerror or error}.")
            _forget(folder, name)
        else:
            if not intact(record, made := _compiled_files(folder, name)):
                seal(record, made)
        finally:
            compiling.discard(name)
    return True


def forget_unfinished() -> None:
    """Delete what this process has written of kernels that it does not finish, as it ends now."""
    for name in [*compiling]:
        if not cached(name):
            _forget(cache_dir("kernels"), name)


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
    module: ModuleType,
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
    """Run the kernel of a module, see `load`, with the candidates padded to full blocks of lanes.

    All numbers, arguments and results, are in the units of the kernel (codes in the batch kernel, real values in the ideal).
    coefficients (N, coefficients), start (N, S, states) or (N, states), current (S, T); the others as in `simulate`. Sweeps that
    begin alike are simulated once as far as they are, see `beginnings`, unless their traces are kept.
    """
    (n, (sweeps, steps), k) = len(coefficients), current.shape, start.shape[-1]
    padded = -(-n // LANES) * LANES
    if start.ndim == 2:
        start = np.broadcast_to(start[:, None, :], (n, sweeps, k))
    rows = np.minimum(np.arange(padded), n - 1)  # indices of candidates; copies of the last one fill the last block
    zeros = np.zeros((sweeps, steps))
    masked, sums = np.zeros((sweeps, padded)), np.zeros((3, sweeps, padded))
    count = np.zeros((sweeps, n), dtype=np.int64)
    spikes = np.zeros((sweeps, n, max_spikes), dtype=np.int32)
    states = np.ascontiguousarray(start[rows].transpose(2, 1, 0), dtype=np.float64)  # of each sweep, so far
    volts = np.empty((sweeps, steps, n) if trace else (1, 1, 1))
    # all arrays are contiguous and writable: others would be of another type, for which numba compiles another kernel
    before = (
        np.array(step.constants),
        np.concatenate([*step.tables, np.zeros(1)]),
        np.ascontiguousarray(coefficients[rows].T, dtype=np.float64),
    )
    inputs = np.require(current, np.float64, ["C", "W"])
    after = (
        zeros if data is None else np.require(data, np.float64, ["C", "W"]),
        zeros if outside is None else np.require(outside, np.float64, ["C", "W"]),
        float(clip),
        masked,
        sums,
        regress,
        count,
        spikes,
    )
    if not module.kernel.signatures:
        prepare(module)
    lengths = np.full(sweeps, steps) if length is None else np.asarray(length)
    for level in beginnings.levels(inputs, lengths, np.arange(sweeps) if trace else _alike(states)):
        stretches, places = beginnings.table(level)
        begin, end = np.ascontiguousarray(states[:, stretches[:, 0]]), np.empty((k, len(level), padded))
        size = room(step, k, max(len(stretch.sweeps) for stretch in level))
        arguments = (*before, begin, inputs, stretches, places, *after, end, trace, volts)
        threads.share(partial(_job, module.kernel, size, arguments), padded // LANES * len(level))
        for j, stretch in enumerate(level):
            leader, *others = stretch.sweeps
            states[:, stretch.sweeps] = end[:, [j]]
            if others:
                count[others], spikes[others] = count[leader], spikes[leader]
    return Batch(
        count.T,
        spikes.transpose(1, 0, 2),
        masked.T[:n],
        sums.transpose(2, 1, 0)[:n],
        states.transpose(2, 1, 0)[:n],
        volts.transpose(2, 0, 1) if trace else None,
    )


def _job(kernel: Callable[..., None], size: int, arguments: tuple[Any, ...], job: int) -> None:
    kernel(job, np.empty(size), *arguments)


def _alike(states: np.ndarray) -> np.ndarray:
    """For each sweep (S,), which other one begins in the same states (states, S, N)."""
    found: dict[bytes, int] = {}
    return np.array([found.setdefault(states[:, s].tobytes(), s) for s in range(states.shape[1])])


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
    data        (S, T) mV, recorded voltages for the error sums
    outside     (S, T) 1 at samples that count in the error sums, 0 at others
    clip        mV above which both voltages are cut off in the error sums
    max_spikes  number of spikes kept per candidate and sweep
    regress     whether to compute `sums`
    trace       whether to keep the voltages

    Memory: 8 N (coefficients + S (max_spikes / 2 + 2 states + 5)) bytes, and 8 N S T more with `trace`.
    """
    codes = np.atleast_2d(np.asarray(codes))
    lsb = dp.readout.lsb  # a power of two, so that the conversion of sums of codes to mV is exact
    out = launch(
        load(*_source(dp)),
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
