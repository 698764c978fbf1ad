"""SIGINT (Ctrl-C), SIGTERM and SIGHUP of the command line: the first ends the work, and none costs what is finished.

The first signal raises KeyboardInterrupt. The second is ignored, so that what is being cleaned up is; the third ends a process
that does not end by itself. Where there is a result to lose, `deferred` lets signals wait, and none ends the process.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN = 0.02  # s after which a signal that was lost is sent again
PATIENCE = 3  # number of the signal that ends the process at once


class _State:
    def __init__(self) -> None:
        self.first: int | None = None  # number of the first signal
        self.count = 0
        self.raised = False
        self.deferred = False  # whether there is something to lose
        self.waiting = False  # whether signals wait
        self.hook = sys.unraisablehook  # that of before


_state = _State()


@contextmanager
def listening() -> Iterator[None]:
    """A context in which the signals are handled as this module says. A signal that is ignored (nohup) stays ignored.

    Only the main thread of a process can do this: elsewhere the context does nothing.
    """
    global _state
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, _state = _state, _State()
    sys.unraisablehook = _unraisable
    handlers = {n: signal.getsignal(n) for n in SIGNALS}
    for n, handler in handlers.items():
        if handler is not signal.SIG_IGN:
            signal.signal(n, _arrive)
    try:
        yield
    finally:
        for n, handler in handlers.items():
            signal.signal(n, handler)
        sys.unraisablehook = _state.hook
        _state = before


def ignore() -> None:
    """Ignore the signals from now on: the process is about to end, and its exit code must stay."""
    for n in SIGNALS:
        signal.signal(n, signal.SIG_IGN)
    # `python -m` ends itself by SIGINT if an interrupt came while the text of a function was executed, as dataclasses do it
    # when they are imported, and forgets that when it executes another
    exec("")


def exit_code() -> int:
    """The exit code after an interrupt, as shells have it: 128 plus the number of the signal that came first."""
    return 128 + (_state.first or signal.SIGINT)


def arrived() -> bool:
    """Whether a signal has come."""
    return _state.first is not None


@contextmanager
def deferred() -> Iterator[None]:
    """A context in which signals wait, but for the parts that are `interruptible`; see `arrived`."""
    before = _state.deferred, _state.waiting
    _state.deferred = _state.waiting = True
    try:
        yield
    finally:
        _state.deferred, _state.waiting = before


@contextmanager
def interruptible() -> Iterator[None]:
    """A context in which a signal raises KeyboardInterrupt, also one that came before and has waited."""
    before, _state.waiting = _state.waiting, False
    try:
        if _state.first is not None and not _state.raised:
            _state.raised = True
            raise KeyboardInterrupt
        yield
    finally:
        _state.waiting = before


@contextmanager
def undivided() -> Iterator[None]:
    """A context for what belongs together, a moment's work: a signal that comes meanwhile raises KeyboardInterrupt after it."""
    with deferred():
        yield
    if not _state.waiting:
        with interruptible():
            pass


def _unraisable(lost: Any) -> None:
    """Called by Python for an exception that it has to ignore. An interrupt that came while C code called a Python function
    (a compiler that looks into its cache, for instance) is sent again, a little later.
    """
    if lost.exc_type is not KeyboardInterrupt or _state.first is None:
        _state.hook(lost)
        return
    _state.raised = False
    _state.count -= 1
    timer = threading.Timer(AGAIN, os.kill, (os.getpid(), _state.first))
    timer.daemon = True
    timer.start()


def _arrive(number: int, _: Any) -> None:
    _state.count += 1
    if _state.first is None:
        _state.first = number
    if _state.waiting:
        return
    if not _state.raised:
        _state.raised = True
        raise KeyboardInterrupt
    if _state.count >= PATIENCE and not _state.deferred:
        os._exit(exit_code())
