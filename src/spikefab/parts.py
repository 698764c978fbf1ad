"""What only some uses of spikefab need, for `spikefab doctor`: whether each part is there, and what to do if it is not."""

import grp
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

DISK = 1e9  # bytes that should be free: for a build, a simulator, a fit with its pictures
PORTS = (
    "dialout",
    "uucp",
)  # groups that may open serial ports: of most distributions, of Arch; the first that exists counts

# package -> (what it is for, the command that installs it)
EXTRAS = {
    "neo": ("recordings of Spike2, WinWCP, AxoGraph, ...", "pip install 'spikefab[neo]'"),
    "igor2": ("recordings of Igor (.ibw)", "pip install 'spikefab[neo]'"),
    "pandas": ("results.to_dataframe()", "pip install 'spikefab[table]'"),
    "hdf5plugin": ("NWB files with other compression than gzip", "pip install hdf5plugin"),
}


@dataclass(frozen=True)
class PartState:
    """A part of spikefab that only some uses need.

    name    what the user knows it by
    ready   whether it can be used
    state   what was found, in words
    advice  what to do, if it is not ready; else ""
    """

    name: str
    ready: bool
    state: str
    advice: str = ""


def parts(kernels: Path) -> list[PartState]:
    """All parts, in the order of a user's way. `kernels` is the folder of the cache in use."""
    from spikefab.toolchain.cache import refused

    return [
        platform_state(),
        cache_state(kernels, refused),
        disk_state(kernels),
        kernel_state(kernels),
        page_state(_studio_folder()),
        *port_states(),
        *extra_states(),
        *plugin_states(),
    ]


def platform_state() -> PartState:
    if sys.platform == "linux":
        return PartState("operating system", True, "Linux, on which spikefab is tested")
    return PartState("operating system", False, f"{sys.platform}: untested", "if something fails, use Linux")


def cache_state(kernels: Path, refused: Mapping[Path, str]) -> PartState:
    """`refused` are the caches that this process could not use, and why; a temporary one took their place."""
    for place, reason in refused.items():
        advice = f"make {place} yours and writable, or name another folder: export SPIKEFAB_CACHE=FOLDER"
        return PartState("cache", False, f"{place}: {reason}; each run compiles anew", advice)
    return PartState("cache", True, f"{kernels.parent} can be written")


def disk_state(kernels: Path) -> PartState:
    places = {"the cache": kernels, "temporary files": Path(tempfile.gettempdir()), "results here": Path.cwd()}
    free = {name: shutil.disk_usage(folder).free for name, folder in places.items()}
    tight = [name for name, size in free.items() if size < DISK]
    if not tight:
        return PartState("disk", True, f"{min(free.values()) / 1e9:.0f} GB free")
    told = ", ".join(f"{free[name] / 1e6:.0f} MB for {name}" for name in tight)
    return PartState("disk", False, f"only {told}", "free some space, or set TMPDIR and SPIKEFAB_CACHE to another disk")


def kernel_state(kernels: Path) -> PartState:
    """A kernel has a file NAME_HASH.json once it is compiled; a model may have several, for its words and variants."""
    from spikefab.hw.models.table import MODELS

    done = {path.stem.rpartition("_")[0] for path in kernels.glob("*_*.json")} & {*MODELS}
    state = f"compiled for {len(done)} of {len(MODELS)} models"
    later = "" if len(done) == len(MODELS) else ": the first fit compiles the others, some seconds a model"
    return PartState("kernels of a fit", True, state + later)


def _studio_folder() -> Path:
    found = importlib.util.find_spec("spikefab.studio")
    assert found is not None and found.submodule_search_locations
    return Path(found.submodule_search_locations[0])


def page_state(folder: Path) -> PartState:
    """`folder` is that of the package spikefab.studio. Only a checkout has the sources of the page, in web/."""
    page, web = [folder / "static" / name for name in ("index.html", "app.js")], folder / "web"
    if not web.is_dir():
        if all(path.is_file() for path in page):
            return PartState("the Studio's page", True, "in the package")
        return PartState(
            "the Studio's page", False, "missing from the package", "pip install --force-reinstall spikefab"
        )
    node = "" if shutil.which("npm") else "install node (apt install nodejs npm), then "
    how = f"{node}run make studio in {folder.resolve().parent}"
    if not all(path.is_file() for path in page):
        return PartState("the Studio's page", False, "not built in this checkout", how)
    built = min(path.stat().st_mtime for path in page)
    if any(path.stat().st_mtime > built for path in (*web.glob("*.*"), *web.glob("src/**/*.*"))):
        return PartState("the Studio's page", False, "built before its sources were changed", how)
    return PartState("the Studio's page", True, "built")


def port_states() -> Iterator[PartState]:
    """The boards that are connected; without one, whether this user could open its port."""
    from spikefab.boards.ports import connected

    found = connected()
    for port, boards in found.items():
        name = f"board {' or '.join(board.name for board in boards)}"  # which of them it is, only it can say
        if os.access(port, os.R_OK | os.W_OK):
            yield PartState(name, True, f"connected at {port}")
        else:
            yield PartState(name, False, f"{port} may not be opened", _join_group(Path(port)))
    if not found:
        state = "none is connected: docs/board.md; --port sim needs none"
        if _may_open_ports():
            yield PartState("a board", True, state)
        else:
            yield PartState("a board", False, f"{state}; and its port could not be opened", _join_group(None))


def _may_open_ports() -> bool:
    """Whether this user is of the group of serial ports; where there is no such group, nothing is known against it."""
    group = _port_group()
    return group is None or os.geteuid() == 0 or group.gr_gid in (os.getegid(), *os.getgroups())


def _port_group() -> grp.struct_group | None:
    for name in PORTS:
        with suppress(KeyError):
            return grp.getgrnam(name)
    return None


def _join_group(port: Path | None) -> str:
    group = _port_group()
    name = PORTS[0] if group is None else group.gr_name
    if port is not None:
        with suppress(OSError, KeyError):
            name = port.group()
    return f"sudo usermod -aG {name} $USER, then log in again"


def extra_states() -> Iterator[PartState]:
    for package, (purpose, install) in EXTRAS.items():
        try:
            yield PartState(package, True, f"{importlib.metadata.version(package)}, for {purpose}")
        except importlib.metadata.PackageNotFoundError:
            yield PartState(package, False, f"not installed, for {purpose}", install)


def plugin_states() -> Iterator[PartState]:
    """Readers and models that other packages bring."""
    for group, what in (("spikefab.readers", "reader"), ("spikefab.models", "model")):
        for point in importlib.metadata.entry_points(group=group):
            owner = point.dist.name if point.dist is not None else point.module
            try:
                point.load()
            except Exception as error:  # it is somebody else's code, which can raise anything
                state = f"of {owner}: {type(error).__name__}: {error}"
                yield PartState(f"{what} {point.name}", False, state, f"pip install --force-reinstall {owner}")
            else:
                yield PartState(f"{what} {point.name}", True, f"of {owner}")
