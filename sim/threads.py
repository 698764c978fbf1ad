"""Threads that run compiled functions side by side. Such a function releases the interpreter's lock while it runs.

numba's own parallel loops are not used: they double the time of a compilation, and their threads wait for each other at every
launch, which costs most on a busy machine. They also must not be launched from two threads of Python at once.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

import numba

with suppress(ImportError):
    # Where colorama is installed, numba initialises it, and the process would end by sending a control code to any terminal.
    import colorama.initialise  # type: ignore[import-untyped]

    colorama.initialise.atexit_done = True

_pools: dict[int, ThreadPoolExecutor] = {}  # process -> its threads: those of a parent are not alive after a fork
_limits: list[int] = []  # from `limited`, the innermost last


def count() -> int:
    """The number of threads that compute: that of the cores which this process may use, or NUMBA_NUM_THREADS, or `limited`."""
    return _limits[-1] if _limits else numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Compute with so many threads, in the whole process, until the end of the context."""
    _limits.append(threads)
    try:
        yield
    finally:
        _limits.pop()


def share(call: Callable[[int], object], jobs: int) -> None:
    """Call `call(job)` for each job number below `jobs`, in all threads; the calling thread is one of them."""
    numbers = itertools.count()  # `next` of it is atomic

    def work() -> None:
        while (job := next(numbers)) < jobs:
            call(job)

    helpers = min(count(), jobs) - 1
    running: list[Future[None]] = [_pool().submit(work) for _ in range(helpers)]
    try:
        work()
    except BaseException:
        for _ in range(jobs):  # no thread begins another job
            next(numbers)
        raise
    finally:
        for future in running:
            future.result()


def _pool() -> ThreadPoolExecutor:
    pid = os.getpid()
    if pid not in _pools:
        _pools.clear()
        _pools[pid] = ThreadPoolExecutor(max(1, numba.config.NUMBA_NUM_THREADS), "spikefab")  # type: ignore[attr-defined]
    return _pools[pid]
