"""Compiles kernels ahead of their use and side by side, while others are already used.

numba compiles one function at a time in a process: further cores need processes of their own. Such a process (`python -m
spikefab.sim.ahead FOLDER NAME ...`) compiles what nobody else compiles, from the sources in the cache; the locks of the cache
tell who compiles what. It ends when it has nothing left to compile, or when its standard input does, which is a pipe from the
process that started it. It says nothing: what it could not compile or keep, the other process compiles itself, and says why.
"""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from spikefab.toolchain.cache import cache_dir

from . import kernels, threads
from .engine import Engine, Notice
from .kernels import Kernel

PATIENCE = 5.0  # s that a process has to end by itself


class Ahead:
    """The engines that this process is going to use, in this order. A context: at its end, nothing is compiled any more.

    Kernels that are not in the cache are compiled by a process for each core but one. On that core, this process computes;
    it too compiles when it needs a kernel that is not there, see `ready`. `notice` is called with one sentence.
    """

    def __init__(self, engines: Iterable[Engine], notice: Notice = None):
        self._notice = notice
        every = dict.fromkeys(engine.kernel for engine in engines)
        every.pop(None, None)
        # a damaged entry is made again in this process, which tells the user
        self._missing = [k for k in every if k and not kernels.prepared(k.name) and kernels.untouched(k.name)]
        self._running: list[subprocess.Popen[bytes]] = []
        if len(self._missing) > 1 and notice is not None:
            models = {kernel.model for kernel in self._missing}
            whose = f"{len(models)} models" if len(models) > 1 else "".join(models)
            notice(f"compiling the kernels of {whose} for this machine, once")

    def __enter__(self) -> "Ahead":
        # the first is compiled in this process: it is needed at once
        count = min(threads.count(), len(self._missing)) - 1
        if count > 0 and sys.executable:
            with suppress(OSError):  # a full disk, too many processes: this process does without
                names = [kernel.name for kernel in self._missing if _module(kernel)]
                folder = str(cache_dir("kernels"))
                command = [sys.executable, "-P", "-m", __name__, folder, *names[1:]]
                nowhere = subprocess.DEVNULL
                for _ in range(count):
                    self._running.append(
                        subprocess.Popen(
                            command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True
                        )
                    )
        return self

    def ready(self, engine: Engine) -> None:
        """Return when this process can use an engine. While another process compiles its kernel, this one compiles others."""
        wanted = engine.kernel
        if wanted not in self._missing or len(self._missing) == 1:
            engine.announce(self._notice)  # of a single or damaged kernel, which its first use compiles
            return
        others = iter([kernel for kernel in self._missing[::-1] if kernel != wanted])
        while not kernels.prepare(_module(wanted), wait=False):
            other = next(others, None)
            if other is None:
                kernels.prepare(_module(wanted))
                return
            if not kernels.prepared(other.name) and not kernels.cached(other.name):
                kernels.prepare(_module(other), wait=False)

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
        for process in self._running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


def _module(kernel: Kernel) -> ModuleType:
    return kernels.load(kernel.name, kernel.source)


def main(folder: Path, names: list[str]) -> None:
    """Compile those of the kernels whose sources are in a folder of the cache that are not compiled yet."""
    if cache_dir("kernels") != folder:
        return

    def end() -> None:
        os.read(sys.stdin.fileno(), 1)
        kernels.forget_unfinished()
        os._exit(0)

    threading.Thread(target=end, daemon=True).start()
    for name in names:
        source = (folder / f"{name}.py").read_text(encoding="utf-8")
        if not name.endswith(hashlib.sha256(source.encode()).hexdigest()[:16]):
            return
        if not kernels.untouched(name):
            continue
        if kernels.prepare(kernels.load(name, source), wait=False) and not kernels.cached(name):
            return  # it cannot be kept


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
