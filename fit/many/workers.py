"""A pool of worker processes for many fits. If a process is killed, only the fit that it was running is affected.

Python's `ProcessPoolExecutor` does not do: one killed process makes the whole pool unusable, and it does not tell which
call the process was running.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any


def cores() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerLost(Exception):
    """A worker process ended without returning a result. `started` tells whether it was ready to take work before."""

    def __init__(self, text: str, started: bool):
        super().__init__(text)
        self.started = started


class Workers:
    """A pool of at most `count` worker processes, started when there is work. It runs at most `count` calls at a time."""

    def __init__(self, count: int):
        self.count = count
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []

    def submit(self, function: Callable[..., Any], *args: Any) -> "Call":
        """Start a call in an idle process, or in a new one. Raises RuntimeError if `count` calls are running already."""
        self._idle = [worker for worker in self._idle if worker.process.is_alive()]
        if len(self._busy) == self.count:
            raise RuntimeError(f"all {self.count} processes are busy")
        worker = self._idle.pop() if self._idle else _Worker()
        self._busy.append(worker)
        return Call(self, worker, (function, args))

    def release(self, worker: "_Worker", lost: bool) -> None:
        """Take back a process whose call has ended; `lost`: the process has died."""
        self._busy.remove(worker)
        if lost:
            worker.end()
        else:
            self._idle.append(worker)

    def close(self) -> None:
        """End all processes, even those that are running a call."""
        for worker in (*self._idle, *self._busy):
            worker.end()
        self._idle, self._busy = [], []


class _Worker:
    """A worker process, and the pipe through which it receives calls and returns results."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # "fork" may hang in a process with threads
        self.pipe, theirs = context.Pipe()
        # A daemon process ends when the parent exits. If the parent is killed, the closed pipe makes the process end.
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _no_interrupt():
            self.process.start()
        theirs.close()
        self.started = False  # becomes True with the first message from the process

    def end(self) -> None:
        """End the process, by force if it does not end within 5 s."""
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


class Call:
    """A call that was submitted, with the methods `done()` and `result()` of a future."""

    def __init__(self, pool: Workers, worker: _Worker, work: tuple):
        self._pool, self._worker = pool, worker
        self._answer: tuple[bool, Any] | None = None
        try:
            worker.pipe.send(work)
        except OSError:  # the process died after it was last checked
            self._lose()

    def done(self) -> bool:
        """Whether the call has ended, or its process has died."""
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
        """Wait for the result and return it. Raises what the call raised, or WorkerLost if the process died."""
        while not self.done():
            self._worker.pipe.poll(None)
        assert self._answer is not None
        good, value = self._answer
        if not good:
            raise value
        return value

    def _lose(self) -> None:
        """Record that the process died."""
        worker = self._worker
        worker.process.join(5)
        code = worker.process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"status {code}"
        self._answer = False, WorkerLost(f"its process ended with {how}", worker.started)
        self._pool.release(worker, lost=True)


def _serve(pipe: Connection) -> None:
    """The main function of a worker process.

    It sends None when it is ready, and then, for each (function, args) that it receives, (True, result) or (False, error).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import spikefab.fit.fitting  # noqa: F401  (takes seconds, so it is done before the process says that it is ready)

    try:
        pipe.send(None)
        while True:
            function, args = pipe.recv()
            try:
                answer = True, function(*args)
            except Exception as error:
                answer = False, RuntimeError(f"{type(error).__name__}: {error}")
            pipe.send(answer)
    except (EOFError, OSError):  # the parent process has ended
        return


def _end_with_parent() -> None:
    """End this process when its parent has ended: the fit that it runs has nobody to tell its result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Block Ctrl-C for a while. A process started meanwhile inherits the block, and prints no traceback while it imports."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
