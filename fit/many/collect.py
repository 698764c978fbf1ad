"""Makes the table of many fits: the result of each recording, or that it failed or has no result yet."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

from spikefab.calls import path_of
from spikefab.errors import FileError, UsageError, readable
from spikefab.files import save_text, write_json

from .jobs import SCHEMA, error_file, result_file

FIRST = ("file", "cell", "run", "state", "model")  # first columns of the CSV, before scores, parameters and the error


def collect(out: str | os.PathLike[str]) -> dict[str, Any]:
    """Write `table.csv` and `table.json` into a folder of results of `fit_many`, and return the content of the JSON.

    {"schema", "done", "failed", "missing", "cells": [{"file", "cell", "run", "state", "model", "scores", "params",
    "error", "exit_code"}]}, in the order of the files. `run` identifies the settings: a folder may hold results of several
    settings. `scores` are those of the best model on held-out data (on training data if `validated` is false), except
    `rmse` (mV), which is over the whole recording. `params` are the parameters of that model in the model's units. The CSV
    has the same content, with a column for each score and parameter.

    Raises FileError if `out` is not a folder of `fit_many`, or cannot be written.
    """
    out = path_of(out, "out")
    listed = _listed(out)
    rows = [_row(out, run, file, key) for (run, file), key in sorted(listed.items(), key=lambda item: item[0][::-1])]
    count = {state: sum(row["state"] == state for row in rows) for state in ("done", "failed", "missing")}
    table = {"schema": SCHEMA, **count, "cells": rows}
    try:
        write_json(out / "table.json", table)
        text = readable(_csv(rows))
        save_text(out / "table.csv", text)
    except OSError as error:
        raise FileError(f"{out} cannot be written: {error.strerror}.") from None
    return table


def _listed(out: Path) -> dict[tuple[str, str], str | None]:
    """The key of every (run, file) that the files of the shards name; None if the shard that has to fit it has not begun."""
    listed: dict[tuple[str, str], str | None] = {}
    shards = sorted((out / "shards").glob("*.json"))
    if not shards:
        raise FileError(f"{out} is no folder of spikefab fit-many.")
    for path in shards:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            run = content["run"]
            for file in content["files"]:
                listed.setdefault((run, file), None)
            for cell in content["cells"]:
                listed[run, cell["file"]] = cell["key"]
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError):
            raise FileError(f"{path} was not written by spikefab fit-many.") from None
    return listed


def _row(out: Path, run: str, file: str, key: str | None) -> dict[str, Any]:
    """The entry of one recording in the table."""
    from spikefab.fit.results import FitResults

    row: dict[str, Any] = {"file": file, "cell": key, "run": run, "state": "missing", "model": None}
    row |= {"scores": {}, "params": {}, "error": None, "exit_code": None}
    if key is None:
        return row
    try:
        best = FitResults.load(result_file(out, key)).best
        scores = {"validated": best.validated, **best.judged.to_dict(), "rmse": best.rmse}
        row |= {"state": "done", "model": best.model_name, "scores": scores, "params": best.params, "exit_code": 0}
        return row
    except (FileError, UsageError):
        pass
    try:
        content = json.loads(error_file(out, key).read_text(encoding="utf-8"))
        row |= {"state": "failed", "error": content["error"], "exit_code": content["exit_code"]}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # neither a valid result nor a valid error file: the recording is still to be fitted
    return row


def _csv(rows: list[dict[str, Any]]) -> str:
    scores = list(dict.fromkeys(name for row in rows for name in row["scores"]))
    params = sorted({name for row in rows for name in row["params"]})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*FIRST, *scores, *(f"param_{name}" for name in params), "error", "exit_code"])
    for row in rows:
        values = [row[name] for name in FIRST]
        values += [row["scores"].get(name) for name in scores]
        values += [row["params"].get(name) for name in params]
        writer.writerow([_cell(v) for v in [*values, row["error"], row["exit_code"]]])
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A value as a cell of the CSV. A text that a spreadsheet would compute (=, +, -, @ first) gets an apostrophe before it."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return "" if value is None else value
