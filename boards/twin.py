"""Simulated boards behind a pseudo terminal: the top level in Verilator, or the reference behind the same bytes.

Either is a serial port for whoever opens its `path`. Neither is a board: what only a board can show stays untested.
"""

import os
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from amaranth.back import rtlil

from spikefab.sim import rtl_simulation
from spikefab.toolchain.tools import kill_with_us

from .reference_board import ReferenceBoard
from .reference_population import ReferencePopulation
from .top import Setup
from .uart import divisor

WAITING = 65_536  # bytes for the host that the reference lets wait before it begins another step
MAIN = Path(__file__).with_name("twin.cpp")


class Twin:
    """A simulated board; a context manager. `path` is that of its serial port."""

    def __init__(self) -> None:
        self._board, self._host = os.openpty()
        tty.setraw(self._host)
        self.path = os.ttyname(self._host)

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for descriptor in (self._board, self._host):
            with suppress(OSError):
                os.close(descriptor)


class RtlTwin(Twin):
    """The top level of a board, simulated by Verilator with its serial line at the pins.

    `progress` is called with a sentence if the design has to be compiled. `host_baud` is the speed at which the host's end of
    the line works, if it is another. Raises ToolError.
    """

    def __init__(
        self, setup: Setup, progress: Callable[[str], None] | None = None, host_baud: int | None = None
    ) -> None:
        design = rtlil.convert(setup.system(), name=rtl_simulation.TOP, emit_src=False)
        program = rtl_simulation.program(design, MAIN, progress=progress)
        super().__init__()
        clocks = str(divisor(setup.clock_hz, host_baud or setup.baud))
        self._process = subprocess.Popen(
            [*kill_with_us(), str(program), clocks, str(self._board)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[self._board],
        )  # fmt: skip

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        super().close()


class ReferenceTwin(Twin):
    """The exact reference behind the bytes of the link. In free-run it keeps to this machine's clock, or is slower."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self._model = ReferenceBoard(setup) if setup.crowd is None else ReferencePopulation(setup)
        self._closing = threading.Event()
        os.set_blocking(self._board, False)
        sys.setswitchinterval(5e-4)  # s: the host's thread shares the interpreter, and must not wait for long
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        out = b""
        while not self._closing.is_set():
            data = b""
            with suppress(BlockingIOError):
                data = os.read(self._board, 4096)
            out += self._model.advance(data, room=len(out) < WAITING)
            with suppress(BlockingIOError):
                out = out[os.write(self._board, out) :]
            if not data:
                time.sleep(0.001)

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        super().close()
