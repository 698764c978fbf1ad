"""The folders in which compiled things are kept between runs: kernels, hardware simulations, compiled tools."""

import os
from pathlib import Path


def cache_dir(kind: str) -> Path:
    """The folder of one kind of cache, `$XDG_CACHE_HOME/spikefab/<kind>`; it is created if it does not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = Path(base) / "spikefab" / kind
    path.mkdir(parents=True, exist_ok=True)
    return path
