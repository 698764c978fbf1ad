"""Writes files and folders that are either complete or not there, and tries before long work whether they can be written."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from spikefab.errors import Advice, FileError

# Folder in a target folder with files that are complete: they only have to be moved into the target, see `finish`.
SAVED = ".saved"
PROBE = bytes(1 << 20)  # what must fit on the disk before long work begins; the largest results have some MB


def require_writable(folder: Path, probe: bytes = PROBE) -> None:
    """Make sure that a folder can be made here, or written if it is there, with a file like `probe`. Nothing is left behind.

    A folder of the same path and a file in it are made next to where they are wanted, because permissions alone do not tell:
    the disk may be full, a name too long, a link may lead nowhere. Raises FileError.
    """
    try:
        if folder.is_dir():
            above, missing = folder, Path("x")
        else:
            if os.path.lexists(folder):
                what = "a link to nothing" if folder.is_symlink() else "a file"
                raise FileError(f"{folder} is {what}: ", Advice.OUT_IS_A_FOLDER, ".")
            above = next(p for p in folder.absolute().parents if os.path.lexists(p))
            missing = folder.absolute().relative_to(above)
        with tempfile.TemporaryDirectory(prefix=".spikefab-", dir=above) as scratch:
            place = Path(scratch) / missing
            place.mkdir(parents=True)
            _write_through(place / "probe", lambda path: path.write_bytes(probe))
    except OSError as error:
        raise unwritable(folder, error) from None


def unwritable(path: Path, error: OSError) -> FileError:
    """The error of a file or folder that cannot be written, as a sentence."""
    return FileError(f"{path} cannot be written: {error.strerror or error}.")


def write_whole(path: Path, write: Callable[[Path], Any], *, parents: bool = True) -> None:
    """Write a file so that it is either complete or not there, even after a crash. Raises OSError. Its folder is
    made if it is not there, unless `parents` is false.

    `write` writes a scratch file in the same folder; when its content is on the disk, it is renamed to `path`. Scratch files
    that a killed process left for the same path are deleted. If another process writes the same result at the same time,
    it may lose its scratch file in this way; that does no harm, because it would have written the same bytes.
    """
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        _write_through(scratch, write)
        scratch.replace(path)
    except FileNotFoundError:
        if not path.exists():
            raise
    except BaseException:
        remove(path.parent.glob(f"{scratch.name}*"))
        raise
    remove(path.parent.glob(f".{path.name}.*.part*"))
    _sync(path.parent)  # the renaming must reach the disk as well


def save_text(path: Path, text: str, *, parents: bool = True) -> None:
    """Write a text file that is either complete or not there, see `write_whole`."""
    write_whole(path, lambda scratch: scratch.write_text(text, encoding="utf-8"), parents=parents)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that is either complete or not there, see `write_whole`."""
    save_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def fill(folder: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` write files into a scratch folder; they appear in `folder` all together or not at all. Raises OSError.

    A new folder appears by one renaming. In a folder that is there, files of the same names are replaced and all others
    stay: the scratch folder is renamed to SAVED, from when on `finish` completes the change, whoever looks at it next.
    """
    folder = folder.absolute()
    new = not folder.exists()
    place = folder.parent if new else folder
    place.mkdir(parents=True, exist_ok=True)
    _sweep(place, folder.name)
    scratch = Path(tempfile.mkdtemp(prefix=_scratch(folder.name), dir=place))
    try:
        write(scratch)
        for file in scratch.iterdir():
            _write_through(file, lambda path: None)
        scratch.chmod(0o777 & ~_umask())  # mkdtemp makes folders that only the user can open
        if not (new and _renamed(scratch, folder)):
            finish(folder)
            scratch.rename(folder / SAVED)
            finish(folder)
        _sync(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def scratch_folder(place: Path, name: str) -> Iterator[Path]:
    """A folder for scratch files in a folder that is there. Those that killed processes left for the same name are deleted."""
    _sweep(place, name)
    with tempfile.TemporaryDirectory(prefix=_scratch(name), dir=place) as folder:
        yield Path(folder)


def finish(folder: Path) -> None:
    """Complete what a killed process began to change in a folder, see `fill`. Raises OSError."""
    saved = folder / SAVED
    try:
        names = sorted(os.listdir(saved))
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        with suppress(FileNotFoundError):  # another process is moving the same files
            (saved / name).replace(folder / name)
    with suppress(OSError):
        saved.rmdir()


def remove(files: Iterable[Path]) -> None:
    """Delete files; errors are ignored."""
    for file in list(files):
        with suppress(OSError):
            file.unlink()


def _renamed(scratch: Path, folder: Path) -> bool:
    """Rename the scratch folder; False if another process has made the folder meanwhile."""
    try:
        scratch.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def temporary_prefix() -> str:
    """How the name of a folder for temporary files begins; it tells the process that makes it, see `left_behind`."""
    return f"spikefab-{os.getpid()}-"


def left_behind(place: Path, prefix: str = "spikefab-") -> list[Path]:
    """The scratch folders in a folder that belong to this user and that dead processes left: PREFIX, process, "-", anything."""
    found = []
    with suppress(OSError):
        for entry in os.scandir(place):
            pid, dash, _ = entry.name.removeprefix(prefix).partition("-")
            if not (entry.name.startswith(prefix) and dash and pid.isdigit()) or _alive(int(pid)):
                continue
            if entry.is_dir(follow_symlinks=False) and entry.stat().st_uid == os.geteuid():
                found.append(Path(entry.path))
    return sorted(found)


def _scratch(name: str) -> str:
    return f".{name[:100]}-{os.getpid()}-"


def _sweep(place: Path, name: str) -> None:
    """Delete the scratch folders for this name that dead processes left in a folder."""
    for left in left_behind(place, f".{name[:100]}-"):
        shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True


def _write_through(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file, until its content is on the disk."""
    write(path)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _umask() -> int:
    """The permissions that new files do not get; Python can read them only by setting them."""
    current = os.umask(0)
    os.umask(current)
    return current
