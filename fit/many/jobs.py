"""One cell of many: its key, the fit of it in whatever process, and its file, which is whole or not there."""

import errno
import hashlib
import json
import os
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from spikefab.errors import FileError, SpikefabError

SCHEMA = 1
FULL = {errno.ENOSPC, errno.EDQUOT}

# One fit at a time in a process, for executors of threads: numba's workqueue aborts when two threads enter it.
_alone = threading.Lock()


@dataclass(frozen=True)
class Cell:
    """What became of one recording.

    file       the path as it was given
    key        of the hash of its content and of the settings: names its files in `out/cells`
    state      "done" now, "kept" from an earlier run, or "failed"
    model      the best model, and score its combined score (0 is perfect); None where it failed
    seconds    that the fit took; 0 where it was kept
    error      one sentence, and exit_code what `spikefab fit` ends with for it (0 without an error)
    """

    file: str
    key: str
    state: str
    model: str | None = None
    score: float | None = None
    seconds: float = 0.0
    error: str | None = None
    exit_code: int = 0


def digest(path: Path) -> str:
    """The sha256 of a file's content; of its path where it cannot be read, so that its error has a name too."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return hashlib.sha256(f"unread: {path}".encode()).hexdigest()


def key_of(content: str, suffix: str, settings: Mapping[str, Any]) -> str:
    """The name of a cell's files: 32 hex digits. The suffix belongs to it as it chooses the reader."""
    text = json.dumps([SCHEMA, content, suffix.lower(), settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def result_file(out: Path, key: str) -> Path:
    return out / "cells" / f"{key}.json"


def error_file(out: Path, key: str) -> Path:
    return out / "cells" / f"{key}.error.json"


def kept(out: Path, key: str) -> tuple[str, float] | None:
    """Best model and score of a valid result that is there, else None."""
    from spikefab.fit.results import FitResults

    try:
        results = FitResults.load(result_file(out, key))
        if results.interrupted or not results:
            return None
        return results.best.model_name, float(results.best.combined_score)
    except (FileError, TypeError, KeyError, AttributeError):
        return None


def run_cell(job: dict[str, Any], token: str) -> dict[str, Any]:
    """Fit one file and write its result, or its error: called in a worker, and raises nothing that a file can cause.

    job    path, out (absolute), key, content (hash), reading (options of `read`), options (of `fit`)
    token  differs from call to call: dask takes equal calls for one

    Returns the fields of a `Cell`; its state may also be "unwritten" (the disk takes no more) or "interrupted".
    """
    with _alone, _one_thread():
        began = time.monotonic()
        path, out, key = Path(job["path"]), Path(job["out"]), job["key"]
        try:
            results = _fit(path, job)
        except KeyboardInterrupt:
            return {"state": "interrupted"}
        except OSError as error:
            if error.errno in FULL:  # a kernel that was to be cached, say: no fault of the cell
                return _unwritten(error)
            return _failed(out, key, path, error)
        except Exception as error:
            return _failed(out, key, path, error)
        if results.interrupted:  # not what the same settings would give another time
            return {"state": "interrupted"}
        try:
            write_whole(result_file(out, key), results.save)
            error_file(out, key).unlink(missing_ok=True)
        except OSError as error:
            return _unwritten(error)
        best = results.best
        seconds = round(time.monotonic() - began, 3)
        return {"state": "done", "model": best.model_name, "score": float(best.combined_score), "seconds": seconds}


def _fit(path: Path, job: dict[str, Any]) -> Any:
    from spikefab.fit.fitting import fit
    from spikefab.fit.options import FitOptions
    from spikefab.fit.recordings.readers import read

    results = fit(read(path, **job["reading"]), options=FitOptions.from_dict(job["options"]))
    if digest(path) != job["content"]:
        raise FileError(f"{path} was written to while it was fitted: run again.")
    return results


def _failed(out: Path, key: str, path: Path, error: Exception) -> dict[str, Any]:
    text = " ".join(str(error).split())
    trace = None
    if isinstance(error, SpikefabError):
        sentence, code = text.replace(str(path), path.name), error.exit_code
    elif isinstance(error, MemoryError):
        sentence, code = f"{path.name} needs more memory than there is.", 1
    else:
        first = f"{type(error).__name__}: {text.rstrip('.')}" if text else type(error).__name__
        sentence, code = f"this is a defect of spikefab: {first}.", 1
        trace = "".join(traceback.format_exception(error))
    try:
        record_error(out, key, path.name, sentence, code, trace)
    except OSError as full:
        return _unwritten(full)
    return {"state": "failed", "error": sentence, "exit_code": code}


def record_error(out: Path, key: str, name: str, sentence: str, code: int, trace: str | None = None) -> None:
    """Write a cell's error file. Raises OSError where the disk takes nothing."""
    content = {"schema": SCHEMA, "file": name, "error": sentence, "exit_code": code}
    if trace is not None:
        content["traceback"] = trace
    write_json(error_file(out, key), content)


def _unwritten(error: OSError) -> dict[str, Any]:
    return {"state": "unwritten", "error": error.strerror or str(error)}


def write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_whole(path, lambda scratch: scratch.write_text(text))


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` write a scratch file beside `path`, have the disk take it, and give it its name. Raises OSError.

    Scratch files that a killed process left for the same path go too. Another process that is writing the same cell
    writes the same bytes: it does not mind finding its scratch file gone and the result there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        write(scratch)
        with scratch.open("rb") as stream:
            os.fsync(stream.fileno())
        scratch.replace(path)
    except FileNotFoundError:
        if not path.exists():
            raise
    except BaseException:
        _remove(path.parent.glob(f"{scratch.name}*"))
        raise
    _remove(path.parent.glob(f".{path.name}.*.part*"))
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name as well
    finally:
        os.close(folder)


def sweep(out: Path, keys: Collection[str]) -> None:
    """Remove the scratch files of these cells."""
    _remove(p for p in (out / "cells").glob(".*.part*") if p.name[1:].split(".")[0] in keys)


def _remove(files: Iterable[Path]) -> None:
    for file in list(files):
        with suppress(OSError):
            file.unlink()


@contextmanager
def _one_thread() -> Iterator[None]:
    """numba in one thread: the cells are what runs side by side."""
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)
