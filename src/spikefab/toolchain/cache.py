"""The folders in which compiled things are kept between runs (kernels, hardware simulations, compiled tools), or are made."""

import os
import re
import tempfile
from pathlib import Path

from spikefab.errors import ToolError


def cache_dir(kind: str) -> Path:
    """The folder of one kind of cache, `$XDG_CACHE_HOME/spikefab/<kind>`; it is created if it does not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = Path(base) / "spikefab" / kind
    path.mkdir(parents=True, exist_ok=True)
    return path


def is_plain(path: str | Path) -> bool:
    """Whether a path has only signs that neither `make` nor a shell takes for its own."""
    return re.fullmatch(r"[\w./+-]+", str(path), re.ASCII) is not None


def plain_place() -> str:
    """A folder for temporary files whose path suits `make` and yosys, which take a space or a quote in it for their own."""
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if is_plain(place) and os.access(place, os.W_OK):
            return place
    raise ToolError(f"make and yosys need a TMPDIR without spaces in its path: it is {tempfile.gettempdir()}.")
