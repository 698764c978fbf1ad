"""The events of a job, events.jsonl: how they are written and read, and what they say of the job as a whole."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikefab.shapes import conforms

from .job_events import JobEvent, Row
from .stored import plain, private


@dataclass(frozen=True)
class Summary:
    """What the events of a job say of it.

    state  the last "state" event
    spent  seconds for which its workers have run, up to `since`; None if an earlier version wrote the events, without times
    since  time at which the worker that runs has started, s since 1970; None if none runs
    best   the row of the first model of its ranking; None without a ranking
    """

    state: dict[str, Any]
    spent: float | None
    since: float | None
    best: dict[str, Any] | None


def say(folder: Path, event: Mapping[str, Any]) -> None:
    """Append an event to events.jsonl, in one write. A "state" gets the time at which it was written."""
    from spikefab.fit.report.json_values import finite

    if event["type"] == "state":
        event = {"time": time.time(), **event}
    with open(folder / "events.jsonl", "ab", buffering=0, opener=private) as out:
        if out.tell() and not _ends_a_line(folder / "events.jsonl"):
            out.write(b"\n")  # ends an incomplete line that a killed worker has left
        out.write(json.dumps(finite(event), allow_nan=False).encode() + b"\n")


def events(folder: Path, after: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """All events after number `after` that are written so far, as (number, event)."""
    try:
        lines = (folder / "events.jsonl").read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    # the text after the last newline is an event that is not complete yet
    for number, line in enumerate(lines[:-1], 1):
        if number > after:
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):  # damaged, for example by a power cut
                event = None
            whole = isinstance(event, dict) and isinstance(event.get("type"), str) and plain(event)
            yield number, event if whole else {"type": "torn"}


def summary(folder: Path) -> Summary:
    """What the events of a job say of it. A job without events is about to run."""
    state: dict[str, Any] = {"state": "running"}
    spent: float | None = 0.0
    since: float | None = None
    best: dict[str, Any] | None = None
    for _, event in events(folder):
        if event["type"] == "ranking":
            rows = event.get("rows")
            best = rows[0] if isinstance(rows, list) and rows and conforms(rows[0], Row) else best
        if event["type"] != "state" or not conforms(event, JobEvent):
            continue
        state, at = event, event.get("time")
        if at is None or spent is None:
            spent = since = None
        elif event["state"] == "running":
            since = at if since is None else since
        elif since is not None:
            spent, since = spent + max(0.0, at - since), None
    return Summary(state, spent, since, best)


def last_written(folder: Path) -> float:
    """The time of the last event, s since 1970: of a worker that was killed, the last that is known of it."""
    return (folder / "events.jsonl").stat().st_mtime


def _ends_a_line(path: Path) -> bool:
    """Whether the last character of a file is a newline."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
