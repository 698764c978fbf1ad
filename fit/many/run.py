"""The function `fit_many`: fits many recordings on any executor; each has its result file; a run can be continued."""

import inspect
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikefab.calls import path_of, public, whole
from spikefab.errors import FileError, UsageError, shortened
from spikefab.files import require_writable, write_json
from spikefab.fit.options import FitOptions, shows_options
from spikefab.fit.recordings.channels import parse_channel, parse_units
from spikefab.fit.results import SCHEMA as RESULT_SCHEMA
from spikefab.hw.models import model_source
from spikefab.units import step

from .executor import Job, Run
from .files import Own, cells_of, find
from .jobs import SCHEMA, Cell, digest, error_file, kept, key_of, sweep
from .workers import Workers, cores

Progress = Callable[[Cell, int, int], None]


@public
@shows_options
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
    options: FitOptions | None = None,
    dt: float | None = None,
    **asked: Any,
) -> list[Cell]:
    """Fit every recording and write one result file for each into `out`. Returns the outcomes in the order of the files.

    recordings  paths, which every worker can open: a folder (its files of known formats), a file, or several of these
    executor    an object with `submit(function, *args)` that returns objects with `done()` and `result()`: a process pool,
                dask's Client, ipyparallel, submitit; None for worker processes of this package, of which one may be killed
                without harm to the others
    out         folder for the results: `cells/KEY.json`, as `FitResults.save` writes it, or `cells/KEY.error.json`
    resume      skip recordings that have a valid result already; failed ones are tried again
    shard       (i, N): fit only every N-th of the sorted files, starting with the i-th, counted from 1
    jobs        number of worker processes, by default one per processor
    reading     options of `spikefab.read`, the same for all files
    progress    called as progress(cell, finished, total) when a fit has ended
    options     the options of each fit (below) as an object; keywords take precedence over it
    dt          ms between two samples of files without a time; it is also the step of the hardware unless `step` is given

    KEY is a hash of the content of the file and of the settings, so that the same fit gives the same file name and the same
    bytes on any executor. Of several files with the same content, only the first is fitted.

    A file that cannot be fitted does not stop the others: its outcome is "failed". So is the outcome of a file whose worker
    was lost three times. Raises UsageError if the options are wrong, FileError if there are no files or `out` cannot be
    written (if the disk is full, finished results are kept), ToolError if the executor takes no work, and KeyboardInterrupt
    after Ctrl-C, with finished results kept.
    """
    if out is None:
        raise UsageError("fit_many needs a folder for its results: out=DIR.")
    if not isinstance(shard, list | tuple) or len(shard) != 2:
        raise UsageError(f"shard is two numbers, (i, N), not {shortened(shard)}.")
    index, count = (whole(k, "each number of shard") for k in shard)
    if not 1 <= index <= count:
        raise UsageError(f"shard {index}/{count} does not exist: i/N is 1/N to N/N.")
    if jobs is not None:
        jobs = whole(jobs, "jobs", 1)
    if executor is not None and not hasattr(executor, "submit"):
        raise UsageError(f"an executor has a method submit, and {shortened(executor)} has none.")
    target = path_of(out, "out").absolute()
    require_writable(target, bytes(1))  # what is finished is kept, if the disk fills up later
    files = find(recordings, target)
    if dt is not None and options is None and asked.get("step") is None:
        asked["step"] = dt
    options = FitOptions.of(options, **asked)
    read_options, read_key = _reading(reading, dt)
    settings = {"version": _version(), "schema": RESULT_SCHEMA, "fit": options.to_dict(), "read": read_key}
    sources = {m.__name__: digest(Path(inspect.getfile(m))) for m in options.models if model_source(m)}
    if sources:  # the files of a user's own models are part of the settings, because they may change
        settings["sources"] = sources
    own, repeated = cells_of(files, index, count, settings)
    _claim(target, files, own, (index, count), settings)

    cells: dict[str, Cell] = {}  # outcomes so far, by the key of the fit
    to_do: list[Job] = []
    for work in own:
        if work.file in repeated:
            continue
        there = kept(target, work.key) if resume else None
        if there is None:
            fields: dict[str, Any] = {"path": str(Path(work.file).absolute()), "out": str(target), "key": work.key}
            fields |= {"content": work.content, "reading": read_options, "options": options.to_dict(sources=True)}
            to_do.append(Job(work.file, work.key, fields))
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
        Run(executor, target, len(to_do), ended).all(to_do)
    elif to_do:
        size = min(jobs or cores(), len(to_do))
        pool = Workers(size)
        try:
            Run(pool, target, size, ended).all(to_do)
        finally:
            pool.close()
            sweep(target, {job.key for job in to_do})  # remove incomplete files of processes that were ended
    return [replace(cells[w.key], file=w.file) for w in own if w.key in cells]


def _reading(reading: Mapping[str, Any] | None, dt: float | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of `read`, and the same for the key, with the hash of a file in place of its path."""
    if not isinstance(reading, Mapping | None):
        raise UsageError(
            f"reading has options of read by name, such as {{'units': 'mV,pA'}}, not {shortened(reading)}."
        )
    options = {n: v for n, v in (reading or {}).items() if v is not None}
    if dt is not None:
        options.setdefault("dt", dt)
    if "dt" in options:
        options["dt"] = step(options["dt"])
    if "units" in options:
        parse_units(options["units"])
    for name in {"voltage_channel", "current_channel"} & {*options}:
        options[name] = parse_channel(options[name])
    key = dict(options)
    for name, value in options.items():
        if name == "current" and isinstance(value, str | os.PathLike):
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


def _claim(out: Path, files: list[str], own: list[Own], shard: tuple[int, int], settings: Mapping[str, Any]) -> None:
    """Write, for `collect`, a file that lists all recordings and those of this shard."""
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
