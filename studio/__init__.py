"""The Studio: a web page to import and view recordings, compare and fit models, and build one for an FPGA.

It uses the public API of spikefab and has no code for particular models.
"""

from pathlib import Path
from typing import Any

PORT = 8700  # port of the page by default


def serve(
    folder: str | Path = "spikefab-studio", *, port: int = PORT, open_page: bool = False, told: Any = print
) -> None:
    """Serve the page for a project folder on 127.0.0.1 until Ctrl-C.

    port       0 takes any free port
    open_page  whether to open the page in the browser
    told       called with the link to the page when the server listens; it has a token, without which nothing opens

    Raises UsageError if the folder is not a project or is open in another Studio, or if the port is in use.
    """
    from spikefab.calls import path_of, whole

    from .server import Server

    with Server(path_of(folder, "folder"), whole(port, "port")) as server:
        told(server.address)
        if open_page:
            import webbrowser

            webbrowser.open(server.address)
        server.wait()


def show(folder: str | Path = "spikefab-studio", *, port: int = 0, height: int = 900) -> Any:
    """Show the Studio in a cell of a notebook, `height` pixels high. This process serves the page until it ends.

    A second call with the same folder shows the same server. Returns the object that the notebook displays.
    """
    from spikefab.calls import path_of, whole

    from .server import notebook

    return notebook(path_of(folder, "folder"), whole(port, "port"), whole(height, "height", 1))
