"""Where compiled things are kept between runs: kernels, simulator builds, tool caches."""

import os
from pathlib import Path


def cache_dir(kind: str) -> Path:
    """Folder for one kind of cache, `$XDG_CACHE_HOME/spikefab/<kind>`, made if absent."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = Path(base) / "spikefab" / kind
    path.mkdir(parents=True, exist_ok=True)
    return path
