"""Processes of our own for many fits: each dies alone, so that a lost one costs the cell it had and no other.

A `ProcessPoolExecutor` is broken as a whole by one killed worker, and then does not tell whose fault it was.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerLost(Exception):
    """A process that ended without an answer; `started` tells whether it had come as far as taking work."""

    def __init__(self, text: str, started: bool):
        super().__init__(text)
        self.started = started


class Workers:
    """Up to `count` processes, started when there is work. `submit` is for as many calls at once as there are processes."""

    def __init__(self, count: int):
        self.count = count
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []

    def submit(self, function: Callable[..., Any], *args: Any) -> "Call":
        """Start a call; a process that died meanwhile is replaced. Raises RuntimeError when all of them are busy."""
        self._idle = [worker for worker in self._idle if worker.process.is_alive()]
        if len(self._busy) == self.count:
            raise RuntimeError(f"all {self.count} processes are busy")
        worker = self._idle.pop() if self._idle else _Worker()
        self._busy.append(worker)
        return Call(self, worker, (function, args))

    def release(self, worker: "_Worker", lost: bool) -> None:
        self._busy.remove(worker)
        if lost:
            worker.end()
        else:
            self._idle.append(worker)

    def close(self) -> None:
        """End every process, whatever it does."""
        for worker in (*self._idle, *self._busy):
            worker.end()
        self._idle, self._busy = [], []


class _Worker:
    """A process and the pipe to it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process that has threads may hang
        self.pipe, theirs = context.Pipe()
        # daemon: it goes when the parent does; when the parent is killed, the closed pipe ends it
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _no_interrupt():
            self.process.start()
        theirs.close()
        self.started = False

    def end(self) -> None:
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


class Call:
    """What `submit` returns: `done()` and `result()`, no more."""

    def __init__(self, pool: Workers, worker: _Worker, work: tuple):
        self._pool, self._worker = pool, worker
        self._answer: tuple[bool, Any] | None = None
        try:
            worker.pipe.send(work)
        except OSError:  # it died just now
            self._lose()

    def done(self) -> bool:
        worker = self._worker
        try:
            while self._answer is None and worker.pipe.poll():
                answer = worker.pipe.recv()
                worker.started = True
                if answer is not None:
                    self._answer = answer
                    self._pool.release(worker, lost=False)
        except (EOFError, OSError):
            self._lose()
        return self._answer is not None

    def result(self) -> Any:
        """The value; raises what the call raised, or WorkerLost."""
        while not self.done():
            self._worker.pipe.poll(None)
        assert self._answer is not None
        good, value = self._answer
        if not good:
            raise value
        return value

    def _lose(self) -> None:
        worker = self._worker
        worker.process.join(5)
        code = worker.process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"status {code}"
        self._answer = False, WorkerLost(f"its process ended with {how}", worker.started)
        self._pool.release(worker, lost=True)


def _serve(pipe: Connection) -> None:
    """A worker's life: None when it is ready, then an answer (good, value) to each (function, args)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    import spikefab.fit.fitting  # noqa: F401  (seconds: ready means that it can fit)

    try:
        pipe.send(None)
        while True:
            function, args = pipe.recv()
            try:
                answer = True, function(*args)
            except Exception as error:
                answer = False, RuntimeError(f"{type(error).__name__}: {error}")
            pipe.send(answer)
    except (EOFError, OSError):  # the parent has gone
        return


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Ctrl-C waits, and a process started here never gets it: it would show a traceback while it imports."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
