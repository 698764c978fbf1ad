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


def plain_folder() -> "tempfile.TemporaryDirectory[str]":
    """A temporary folder for tools such as `make`, which take a space or another sign of a path for their own."""
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if re.fullmatch(r"[\w./+-]+", place, re.ASCII) and os.access(place, os.W_OK):
            return tempfile.TemporaryDirectory(prefix="spikefab-", dir=place)
    raise ToolError(
        f"make needs a folder for temporary files without spaces in its path: set TMPDIR, now {tempfile.gettempdir()}."
    )
