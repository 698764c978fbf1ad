"""The folders in which compiled things are kept between runs (kernels, hardware simulations, compiled tools), or are made.

What is compiled is executed again, so it is trusted only if this user alone can write the folder, and if its checksum is that
of when it was made. Otherwise it is made again, with a notice. Where no folder can be used, a temporary one serves.
"""

import atexit
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spikefab.errors import ToolError
from spikefab.files import temporary_prefix, write_json

TEMPORARY = "SPIKEFAB_CACHE"  # environment variable: the cache to use in place of `$XDG_CACHE_HOME/spikefab`


refused: dict[Path, str] = {}  # caches that this process could not use: the reason of each


class CacheNotice(UserWarning):
    """What a user should know of the cache: it cannot be used, or something in it had to be made again."""


def cache_dir(kind: str) -> Path:
    """The folder of one kind of cache, `$XDG_CACHE_HOME/spikefab/<kind>`; it is created if it does not exist.

    If it cannot be written, or belongs to another user, it is in a temporary folder, which this process deletes at its end.
    """
    whole = _whole()
    try:
        return _own(whole, kind)
    except OSError as error:
        return _own(_temporary(whole, error.strerror or str(error)), kind)


def log_dir() -> Path:
    """The folder for reports of defects, which stay. Raises OSError if not even a temporary one can be written."""
    with suppress(OSError):
        if TEMPORARY not in os.environ:
            return _own(_whole(), "logs")
    return Path(tempfile.mkdtemp(prefix="spikefab-log-"))


def _whole() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(os.environ.get(TEMPORARY) or Path(base) / "spikefab")


def _own(whole: Path, kind: str) -> Path:
    """The folder of a kind, which only this user can read and write. Raises OSError if that cannot be."""
    path = whole / kind
    for folder in (whole, path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid != os.geteuid():
            raise OSError(f"{folder} belongs to another user")
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            folder.chmod(stat.S_IMODE(found.st_mode) & stat.S_IRWXU)
    with tempfile.NamedTemporaryFile(dir=path, prefix=".probe-") as probe:  # as root, permissions tell nothing
        probe.write(bytes(4096))
        probe.flush()
    return path


def _temporary(whole: Path, reason: str) -> Path:
    """A cache that lasts as long as this process; the processes that it starts use it too."""
    refused[whole] = reason
    made = Path(tempfile.mkdtemp(prefix=f"{temporary_prefix()}cache-"))
    owner = os.getpid()
    os.environ[TEMPORARY] = str(made)

    def clear() -> None:
        if os.getpid() == owner:
            shutil.rmtree(made, ignore_errors=True)

    atexit.register(clear)
    tell(f"the cache {whole} cannot be used ({reason}): what is compiled is kept only until this process ends.")
    return made


def tell(sentence: str) -> None:
    """Tell the user about the cache."""
    warnings.warn(sentence, CacheNotice, stacklevel=3)


def seal(record: Path, files: Iterable[Path]) -> None:
    """Write down the checksums of the files of an entry. If the disk is full they are not, and the entry is made again."""
    with suppress(OSError):
        write_json(record, _checksums(files))


def intact(record: Path, files: Iterable[Path]) -> bool:
    """Whether these are just the files that were sealed, and none has changed since."""
    try:
        sums = json.loads(record.read_text(encoding="utf-8"))
        return bool(sums) and sums == _checksums(files)
    except (OSError, ValueError, RecursionError):
        return False


def _checksums(files: Iterable[Path]) -> dict[str, str]:
    sums = {}
    for path in sorted(files):
        if path.is_symlink() or path.stat().st_uid != os.geteuid():
            raise OSError(f"{path} is not ours")
        sums[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return sums


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """A context in which no other process is in the context of the same lock file; where files have no locks, as without.

    It is given whether that is so: without `wait`, it is False if another process is in the context.
    """
    try:
        lock = path.open("a", encoding="utf-8")
    except OSError:
        yield True
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:
            pass
        yield True


def is_plain(path: str | Path) -> bool:
    """Whether a path has only signs that neither `make` nor a shell takes for its own."""
    return re.fullmatch(r"[\w./+-]+", str(path), re.ASCII) is not None


def plain_place() -> str:
    """A folder for temporary files whose path suits `make` and yosys, which take a space or a quote in it for their own."""
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if is_plain(place) and os.access(place, os.W_OK):
            return place
    raise ToolError(f"make and yosys need a TMPDIR without spaces in its path: it is {tempfile.gettempdir()}.")
