"""Many recordings: a fit each, on the processes of any executor, one result file a cell, resumable."""

import inspect
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from spikefab.errors import FileError, ToolError, UsageError
from spikefab.fit.results import SCHEMA as RESULT_SCHEMA

from .jobs import SCHEMA, Cell, digest, error_file, kept, key_of, record_error, run_cell, sweep, write_json
from .workers import WorkerLost, Workers, cores

TRIES = 3  # a cell whose worker is lost is tried again, twice
PAUSE, LONGEST = 0.01, 0.5  # s between looks at the executor, growing while nothing ends
NOT_OPTIONS = {
    "engine",
    "recording",
    "voltage",
    "current",
    "progress",
    "notice",
    "callback",
    "journal",
}  # of `fit`: they are not for many

Progress = Callable[[Cell, int, int], None]


def fit_many(
    recordings: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    executor: Any = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = True,
    *,
    shard: tuple[int, int] = (1, 1),
    jobs: int | None = None,
    reading: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> list[Cell]:
    """Fit every recording, and write one result file for each into `out`; what became of each, in order of the files.

    recordings  a folder (its files of known kinds), a file, or several of either: paths, that every worker can open
    executor    anything with `submit(function, *args)` that gives objects with `done()` and `result()`: a process pool,
                dask's Client, ipyparallel, submitit; None for processes of our own, which survive that one is killed
    out         the folder: `cells/KEY.json` of each, as `FitResults.save` writes it, or `cells/KEY.error.json`
    resume      skip the cells whose valid result is there; failed ones are tried again
    shard       (i, N): every N-th of the sorted files from the i-th on, counted from 1
    jobs        processes of our own, by default one a processor
    reading     options of `spikefab.read`, the same for all
    progress    called as progress(cell, finished, total) for each that ends
    options     of `spikefab.fit`: models, word, dt, top_k, budget, seed, ... `dt` is also that of files without a time

    KEY is of the hash of the file's content and the settings, so that a rerun gives the same names and the same bytes,
    on any executor. Of files with the same content only the first is fitted.

    A file that cannot be fitted stops nothing: it is recorded and returned as "failed". So is a cell whose worker was
    lost three times. Raises UsageError for options, FileError where there are no files or `out` cannot be written (a
    full disk: what is finished is kept, the rest is left), ToolError where the executor takes no work, and lets Ctrl-C
    pass, with what is finished kept.
    """
    if out is None:
        raise UsageError("fit_many needs a folder for its results: out=DIR.")
    index, count = shard
    if not 1 <= index <= count:
        raise UsageError(f"shard {index}/{count} does not exist: i/N is 1/N to N/N.")
    if jobs is not None and jobs < 1:
        raise UsageError("jobs must be at least 1.")
    target = Path(out).absolute()
    files = find(recordings, target)
    chosen = _options(options)
    read_options, read_key = _reading(reading, chosen, options)
    settings = {"version": _version(), "schema": RESULT_SCHEMA, "fit": chosen, "read": read_key}
    own, repeated = _cells(files, index, count, settings)
    _claim(target, files, own, (index, count), settings)

    cells: dict[str, Cell] = {}  # by key
    to_do: list[_Job] = []
    for work in own:
        if work.file in repeated:
            continue
        there = kept(target, work.key) if resume else None
        if there is None:
            fields: dict[str, Any] = {"path": str(Path(work.file).absolute()), "out": str(target), "key": work.key}
            fields |= {"content": work.content, "reading": read_options, "options": chosen}
            to_do.append(_Job(work.file, work.key, fields))
        else:
            with suppress(OSError):
                error_file(target, work.key).unlink(missing_ok=True)
            cells[work.key] = Cell(work.file, work.key, "kept", *there)
    total = len(cells) + len(to_do)
    if progress is not None:
        for number, cell in enumerate(cells.values(), 1):
            progress(cell, number, total)

    def ended(cell: Cell) -> None:
        cells[cell.key] = cell
        if progress is not None:
            progress(cell, len(cells), total)

    if executor is not None:
        _Run(executor, target, len(to_do), ended).all(to_do)
    elif to_do:
        size = min(jobs or cores(), len(to_do))
        pool = Workers(size)
        try:
            _Run(pool, target, size, ended).all(to_do)
        finally:
            pool.close()
            sweep(target, {job.key for job in to_do})  # cut short, what they had begun to write is no use to anyone
    return [replace(cells[w.key], file=w.file) for w in own if w.key in cells]


def find(recordings: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], out: Path) -> list[str]:
    """The files, sorted by path: those that are named, and those of known kinds in folders that are.

    Raises FileError where there are none, UsageError where `out` is one of the folders.
    """
    from spikefab.fit.recordings.readers import KNOWN

    given = [recordings] if isinstance(recordings, (str, os.PathLike)) else list(recordings)
    files: set[str] = set()
    for item in given:
        if not isinstance(item, (str, os.PathLike)):
            raise UsageError(f"fit_many takes paths of files, not {type(item).__name__}: workers open them themselves.")
        path = Path(item)
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
class _Own:
    """A file of this shard, the hash of its content, and its key."""

    file: str
    content: str
    key: str


@dataclass
class _Job:
    file: str
    key: str
    fields: dict[str, Any]
    tries: int = 0


def _cells(files: list[str], index: int, count: int, settings: Mapping[str, Any]) -> tuple[list[_Own], set[str]]:
    """The files of a shard, and which of them repeat an earlier file, in whichever shard: that one's is the result.

    Two shards that wrote one file would race. Only files of one length can be equal, so only those of other shards
    are read.
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
            own.append(_Own(file, content, key))
            if key in seen:
                repeated.add(file)
        seen.add(key)
    return own, repeated


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size
    except OSError:
        return -1


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    """All options of `fit`, by name, JSON-able; wrong ones are told here, once, and not for every cell."""
    from spikefab.fit.fitting import DT, fit
    from spikefab.fit.scoring.split import RULES
    from spikefab.fit.search.space import Freedom
    from spikefab.hw.datapath import datapath
    from spikefab.hw.models import MODELS, get_model

    known = {n: p.default for n, p in inspect.signature(fit).parameters.items() if n not in NOT_OPTIONS}
    for name in given:
        if name not in known:
            raise UsageError(f"fit_many has no option {name!r}: there are {', '.join(known)}.")
    options = {**known, "dt": DT, **{n: v for n, v in given.items() if v is not None}}
    models = MODELS if options["models"] is None else options["models"]
    options["models"] = list(dict.fromkeys(get_model(name).__name__ for name in models))
    if not options["models"]:
        raise UsageError(f"no model was named: there are {', '.join(MODELS)}.")
    if options["budget"] < 1 or options["top_k"] < 1:
        raise UsageError("budget and top_k must be at least 1.")
    if options["held_out"] not in RULES:
        raise UsageError(f"held_out is one of {', '.join(RULES)}, not {options['held_out']}.")
    Freedom.of(options["free"], options["fixed"], options["bounds"]).check(
        [get_model(name) for name in options["models"]]
    )
    for name in options["models"]:
        datapath(get_model(name), options["word"], options["dt"], 1.0)  # says what is wrong with word and dt
    return _plain(options)


def _reading(
    reading: Mapping[str, Any] | None, chosen: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of `read`, and the same for the key, where a file's content stands for its path."""
    options = {n: v for n, v in (reading or {}).items() if v is not None}
    if given.get("dt") is not None:
        options.setdefault("dt", chosen["dt"])
    key = dict(options)
    for name, value in options.items():
        if isinstance(value, os.PathLike) or (isinstance(value, str) and Path(value).is_file()):
            if not Path(value).is_file():
                raise FileError(f"{value} does not exist.")
            options[name] = str(Path(value).absolute())
            key[name] = digest(Path(value))
    return _plain(options), _plain(key)


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    try:
        return json.loads(json.dumps(options, allow_nan=False))
    except (TypeError, ValueError):
        raise UsageError("options of fit_many must be numbers, names, or lists of them.") from None


def _version() -> str:
    from spikefab import __version__

    return __version__


def _claim(out: Path, files: list[str], own: list[_Own], shard: tuple[int, int], settings: Mapping[str, Any]) -> None:
    """Write which files there are and which cells are this shard's, for `collect`: a file for each shard and settings."""
    run = key_of("", "", settings)[:8]
    content = {
        "schema": SCHEMA,
        "run": run,
        "settings": settings,
        "shard": list(shard),
        "files": files,
        "cells": [{"file": w.file, "key": w.key} for w in own],
    }
    try:
        write_json(out / "shards" / f"{run}-{shard[0]}-of-{shard[1]}.json", content)
    except OSError as error:
        raise FileError(f"{out} cannot be written: {error.strerror}.") from None


class _Run:
    """Cells on their way through an executor, of which nothing is asked but submit, done and result.

    No `as_completed` or `wait`: not all that is like an executor is one of `concurrent.futures`.
    """

    def __init__(self, executor: Any, out: Path, window: int, ended: Callable[[Cell], None]):
        self.executor, self.out, self.window, self.ended = executor, out, window, ended
        self.flying: list[tuple[Any, _Job]] = []
        self.full: str | None = None
        self.stillborn = 0

    def all(self, jobs: list[_Job]) -> None:
        """Run all; returns when each has ended. Raises FileError, ToolError or KeyboardInterrupt as `fit_many` does."""
        waiting = list(reversed(jobs))
        pause = PAUSE
        try:
            while self.flying or (waiting and self.full is None):
                while waiting and self.full is None and len(self.flying) < self.window:
                    job = waiting.pop()
                    self.flying.append((self._submit(job), job))
                before, self.flying = self.flying, []
                over: list[tuple[Any, _Job]] = []
                for pair in before:
                    (over if pair[0].done() else self.flying).append(pair)
                for future, job in over:
                    if self._end(future, job):
                        waiting.append(job)
                if over:
                    pause = PAUSE
                    continue
                time.sleep(pause)
                pause = min(1.5 * pause, LONGEST)
        except BaseException:
            self._cancel()
            raise
        if self.full is not None:
            raise FileError(
                f"{self.out} cannot be written: {self.full}; what is finished is kept, and the same again does the rest."
            )

    def _submit(self, job: _Job) -> Any:
        job.tries += 1
        try:
            return self.executor.submit(run_cell, job.fields, uuid4().hex)
        except Exception as error:
            raise ToolError(
                f"the executor takes no more work ({_words(error)}); what is finished is kept,"
                " and the same again does the rest."
            ) from error

    def _end(self, future: Any, job: _Job) -> bool:
        """Tell what became of a cell; whether it has to be tried again."""
        try:
            fields = future.result()
        except Exception as error:
            return self.full is None and self._lost(job, error)
        self.stillborn = 0
        state = fields.pop("state")
        if state == "interrupted":
            raise KeyboardInterrupt
        if state == "unwritten":
            self._stop(fields["error"])
        else:
            self.ended(Cell(job.file, job.key, state, **fields))
        return False

    def _lost(self, job: _Job, error: Exception) -> bool:
        """A worker that gave no answer: again, unless that was the last try."""
        if isinstance(error, WorkerLost) and not error.started:
            job.tries -= 1  # the cell had no part in it
            self.stillborn += 1
            if self.stillborn >= TRIES * self.window:
                raise ToolError(
                    'worker processes do not start: a script that calls fit_many does so under if __name__ == "__main__".'
                )
        if job.tries < TRIES:
            return True
        sentence = f"it was given up after {TRIES} workers that had it were lost: {_words(error)}."
        try:
            record_error(self.out, job.key, Path(job.file).name, sentence, 1)
        except OSError as full:
            self._stop(full.strerror or str(full))
            return False
        self.ended(Cell(job.file, job.key, "failed", error=sentence, exit_code=1))
        return False

    def _stop(self, why: str) -> None:
        """The disk takes no more: what runs may end, what has not begun would be work for nothing."""
        if self.full is None:
            self.full = why
            self._cancel()

    def _cancel(self) -> None:
        """Give back what has not begun, to executors that know how."""
        for future, _ in self.flying:
            cancel = getattr(future, "cancel", None)
            if cancel is not None:
                cancel()


def _words(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text or type(error).__name__
