"""The Studio: one page that imports a recording, shows it, compares models with it, fits them and deploys one.

A face on the public API: it knows no model.
"""

from pathlib import Path
from typing import Any

PORT = 8700


def serve(
    folder: str | Path = "spikefab-studio", *, port: int = PORT, open_page: bool = False, told: Any = print
) -> None:
    """Serve a project on 127.0.0.1 until Ctrl-C. `port` 0 takes any; `told` is called with the address once it listens.

    Raises UsageError for a folder that is no project or is open elsewhere, and for a port that is taken.
    """
    from .server import Server

    with Server(Path(folder), port) as server:
        told(server.address)
        if open_page:
            import webbrowser

            webbrowser.open(server.address)
        server.wait()


def show(folder: str | Path = "spikefab-studio", *, port: int = 0, height: int = 900) -> Any:
    """The Studio in a notebook's cell, served from this process until it ends. Returns what the notebook displays.

    Called again with the same folder, it shows the same server.
    """
    from .server import notebook

    return notebook(Path(folder), port, height)
