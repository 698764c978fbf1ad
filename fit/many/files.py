"""The files of many fits: finds the recordings, deals them to shards, and gives each result its key."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikefab.calls import listed, path_of
from spikefab.errors import FileError, UsageError

from .jobs import digest, key_of


def find(recordings: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], out: Path) -> list[str]:
    """The recordings, sorted by path: the files that are given, and the files of known formats in folders that are given.

    Raises FileError if there are none, UsageError if `out` is one of the folders.
    """
    from spikefab.fit.recordings.readers import KNOWN

    single = isinstance(recordings, str | os.PathLike)
    given = (
        [recordings] if single else listed(recordings, "fit_many takes paths of files, which workers open themselves,")
    )
    files: set[str] = set()
    for item in given:
        if not isinstance(item, (str, os.PathLike)):
            raise UsageError(f"fit_many takes paths of files, not {type(item).__name__}: workers open them themselves.")
        path = path_of(item, "fit_many")
        if not path.is_dir():
            files.add(str(path))
            continue
        if path.absolute() == out:
            raise UsageError(f"{path} holds the recordings: choose another folder for the results.")
        try:
            inside = [p for p in path.iterdir() if p.suffix.lower() in KNOWN and not p.name.startswith(".")]
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}.") from None
        if not inside:
            kinds = ", ".join(suffix[1:] for suffix in KNOWN)
            raise FileError(f"{path} holds no recordings: no file of {kinds}.")
        files.update(str(p) for p in inside)
    if not files:
        raise FileError("there are no recordings to fit.")
    return sorted(files)


@dataclass(frozen=True)
class Own:
    """A recording of this shard: its path, the hash of its content, and its key."""

    file: str
    content: str
    key: str


def cells_of(files: list[str], index: int, count: int, settings: Mapping[str, Any]) -> tuple[list[Own], set[str]]:
    """The recordings of a shard, and those of them that have the same content as an earlier file, in any shard.

    Such a repeated file is not fitted, because two shards must not write the same result file. A file of another shard is
    read only if it has the same length as another file, because otherwise it cannot have the same content.
    """
    mine = set(files[index - 1 :: count])
    sizes = {file: _size(file) for file in files}
    alike = Counter(sizes.values())
    own, repeated, seen = [], set(), set()
    for file in files:
        if file not in mine and alike[sizes[file]] == 1:
            continue
        path = Path(file).absolute()
        content = digest(path)
        key = key_of(content, path.suffix, settings)
        if file in mine:
            own.append(Own(file, content, key))
            if key in seen:
                repeated.add(file)
        seen.add(key)
    return own, repeated


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size
    except OSError:
        return -1
