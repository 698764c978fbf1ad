"""Runs the server of the Studio: opens a local socket, runs uvicorn in a thread, and stops it."""

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Any, Self

import uvicorn

from spikefab.errors import Advice, UsageError

from .app import Studio
from .project import Project

HOST = "127.0.0.1"
# pages that may show the Studio in a frame when a notebook shows it
NOTEBOOKS = "http://localhost:* http://127.0.0.1:*"

_shown: dict[Path, "Server"] = {}  # servers that notebooks of this process show, by project folder


class Server:
    """A context manager that serves a project."""

    def __init__(self, folder: str | Path, port: int = 0, *, frames: str = "'none'"):
        # TCP is given explicitly; otherwise asyncio delays small answers by 40 ms each
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
        except (OSError, OverflowError):
            self._socket.close()
            raise UsageError(
                f"port {port} of {HOST} cannot be had: another program has it; ", Advice.OTHER_PORT, "."
            ) from None
        try:
            project = Project(Path(folder))
        except BaseException:
            self._socket.close()
            raise
        self.port = self._socket.getsockname()[1]
        self.studio = Studio(project)
        app = self.studio.app(self.port, frames)
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, lifespan="on")
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        # Python 3.11 takes a thread whose join is interrupted for ended: an event tells when it has
        self._over = threading.Event()

    @property
    def origin(self) -> str:
        """The address of the server, which opens for nobody without the token."""
        return f"http://{HOST}:{self.port}"

    @property
    def address(self) -> str:
        """The link that opens the page: it has the token."""
        return f"{self.origin}/?token={self.studio.token}"

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started and not self._over.is_set():
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._over.wait()
        self._socket.close()

    def wait(self) -> None:
        """Wait until Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):
            while not self._over.wait(0.5):
                pass

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._over.set()


def notebook(folder: Path, port: int, height: int) -> Any:
    """See `studio.show`."""
    try:
        from IPython.display import IFrame
    except ImportError:
        raise UsageError(
            "show() is for notebooks: elsewhere, call spikefab.studio.serve(), or run spikefab studio."
        ) from None

    folder = folder.absolute()
    if folder not in _shown:
        _shown[folder] = Server(folder, port, frames=NOTEBOOKS).__enter__()
    return IFrame(_shown[folder].address, "100%", height)
