"""The fit of one recording among many: its key, the function that a worker runs, and result files that are never partial."""

import errno
import hashlib
import json
import threading
import time
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikefab.errors import FileError, SpikefabError, on_command_line, worded
from spikefab.files import remove, write_json

SCHEMA = 1  # version of the layout of the JSON files that `fit_many` writes, apart from results
FULL = {errno.ENOSPC, errno.EDQUOT}  # errors that mean that the disk or the user's quota is full

# Allows one fit at a time in a process: if the executor uses threads, fits would compile the same kernels side by side.
_alone = threading.Lock()


@dataclass(frozen=True)
class Cell:
    """The outcome of the fit of one recording.

    file       path as it was given
    key        name of its files in `out/cells`: a hash of the content of the recording and of the settings
    state      "done" in this run, "kept" from an earlier run, or "failed"
    model      name of the best model; None if the fit failed
    score      combined score of the best model (0 is perfect); None if the fit failed
    seconds    duration of the fit; 0 if the result was kept
    error      one sentence if the fit failed, else None
    exit_code  exit code of `spikefab fit` for that error; 0 without an error
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
    """The sha256 of a file's content. If the file cannot be read, of its path, so that the error file gets a name as well."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return hashlib.sha256(f"unread: {path}".encode()).hexdigest()


def key_of(content: str, suffix: str, settings: Mapping[str, Any]) -> str:
    """The key that names the files of one fit, 32 hex digits: a hash of content, settings and suffix.

    The suffix is included because it decides which reader is used.
    """
    text = json.dumps([SCHEMA, content, suffix.lower(), settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def result_file(out: Path, key: str) -> Path:
    """Path of the result of the fit with this key."""
    return out / "cells" / f"{key}.json"


def error_file(out: Path, key: str) -> Path:
    """Path of the file that says why the fit with this key failed."""
    return out / "cells" / f"{key}.error.json"


def kept(out: Path, key: str) -> tuple[str, float] | None:
    """Name and score of the best model in the result file with this key; None if there is no valid result."""
    from spikefab.fit.results import FitResults

    try:
        results = FitResults.load(result_file(out, key))
        if results.interrupted or not results:
            return None
        return results.best.model_name, float(results.best.combined_score)
    except (FileError, TypeError, KeyError, AttributeError):
        return None


def run_cell(job: dict[str, Any], token: str) -> dict[str, Any]:
    """Fit one recording and write its result or its error. Workers call this function.

    job    path, out (absolute), key, content (hash of the file), reading (options of `read`), options (of `fit`)
    token  different in every call, because dask runs equal calls only once

    Nothing is raised, whatever the file contains. Returns the fields of a `Cell`; the state may also be "unwritten" (the
    disk is full) or "interrupted".
    """
    from spikefab.sim import threads

    with _alone, threads.limited(1):  # several fits run in parallel already
        began = time.monotonic()
        path, out, key = Path(job["path"]), Path(job["out"]), job["key"]
        try:
            results = _fit(path, job)
        except KeyboardInterrupt:
            return {"state": "interrupted"}
        except OSError as error:
            # the disk was full, for instance when a kernel was cached: not the recording's fault
            if error.errno in FULL:
                return _unwritten(error)
            return _failed(out, key, path, error)
        except Exception as error:
            return _failed(out, key, path, error)
        if results.interrupted:  # an interrupted fit is not the result that these settings give
            return {"state": "interrupted"}
        try:
            write_json(result_file(out, key), results.to_dict())
            error_file(out, key).unlink(missing_ok=True)
        except OSError as error:
            return _unwritten(error)
        best = results.best
        seconds = round(time.monotonic() - began, 3)
        return {"state": "done", "model": best.model_name, "score": float(best.combined_score), "seconds": seconds}


def _fit(path: Path, job: dict[str, Any]) -> Any:
    """Read and fit the recording. Raises FileError if the file changed meanwhile."""
    from spikefab.fit.fitting import fit
    from spikefab.fit.options import FitOptions
    from spikefab.fit.recordings.readers import read

    options = FitOptions.from_dict(job["options"], run_files=True)
    results = fit(read(path, **job["reading"]), options=options, progress=False)
    if digest(path) != job["content"]:
        raise FileError(f"{path} was written to while it was fitted: run again.")
    return results


def _failed(out: Path, key: str, path: Path, error: Exception) -> dict[str, Any]:
    """Write the error file, and return the fields of the `Cell`."""
    text = " ".join(worded(error, on_command_line).split())
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
    """Write the error file of a fit. Raises OSError if it cannot be written."""
    content = {"schema": SCHEMA, "file": name, "error": sentence, "exit_code": code}
    if trace is not None:
        content["traceback"] = trace
    write_json(error_file(out, key), content)


def _unwritten(error: OSError) -> dict[str, Any]:
    """The outcome of a fit whose files could not be written."""
    return {"state": "unwritten", "error": error.strerror or str(error)}


def sweep(out: Path, keys: Collection[str]) -> None:
    """Remove the scratch files of the fits with these keys."""
    remove(p for p in (out / "cells").glob(".*.part*") if p.name[1:].split(".")[0] in keys)
