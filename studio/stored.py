"""The JSON files of a project: what form each has. One that is damaged counts as if it were not there."""

import json
import os
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from spikefab.files import write_whole
from spikefab.shapes import conforms, load_json

from .answers import Sweep

DEEPEST = 50  # levels of objects and lists in JSON that is stored or taken from a request, at most
PRIVATE = 0o700  # permissions of the folders of a project: nobody but its owner sees its files


class _Options(TypedDict):
    """The options of `read` that are stored."""

    current: NotRequired[str]
    voltage_channel: NotRequired[str | int]
    current_channel: NotRequired[str | int]
    units: NotRequired[str]
    electrode: NotRequired[str]
    dt: NotRequired[float]
    spike_prominence: NotRequired[float]


class StoredRecording(TypedDict):
    """The content of recording.json."""

    id: str
    name: str
    file: str
    added: str
    sha256: str
    dt: float
    units: str
    current_origin: str | None
    electrode_resistance: NotRequired[float]  # missing, as reading_options, in files of earlier versions
    spike_prominence: NotRequired[float]
    sweeps: list[Sweep]
    notes: list[str]
    warnings: list[str]
    doubts: list[str]
    cannot_be_fitted: str | None
    reading_options: NotRequired[list[str]]
    options: _Options


class StoredJob(TypedDict):
    """The content of job.json: a job but for its state, which is the last that its worker has written."""

    id: str
    kind: Literal["fit", "pareto", "verify", "build", "export", "run"]
    title: str
    created: str
    recording: str | None
    settings: dict[str, Any]
    command: NotRequired[str | None]
    python: NotRequired[str | None]


class Label(TypedDict):
    """The content of label.json: the name and the note that the user has given a job."""

    name: str
    note: str


class PageKeys(TypedDict):
    """The content of pages.json: hashes of the keys of the last starts of the Studio, see `guard.PageKeys`."""

    keys: list[str]


def plain(value: Any, depth: int = DEEPEST) -> bool:
    """Whether JSON can hold a value, and every program read it: no NaN, no half of a character, not nested without end."""
    if isinstance(value, dict):
        return depth > 0 and all(conforms(k, str) and plain(x, depth - 1) for k, x in value.items())
    if isinstance(value, list):
        return depth > 0 and all(plain(x, depth - 1) for x in value)
    return conforms(value, bool | float | str | None)


def load(path: Path, form: Any = dict[str, Any]) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is no file, or it is damaged or not of this form."""
    try:
        content = load_json(path)
    except (OSError, ValueError):
        return None
    return content if plain(content) and conforms(content, form) else None


def save(path: Path, content: dict[str, Any]) -> None:
    """Write an object as JSON, for the owner of the project only. The file is complete or not written at all."""
    text = json.dumps(content, allow_nan=False) + "\n"

    def write(scratch: Path) -> None:
        with open(scratch, "w", encoding="utf-8", opener=private) as file:
            file.write(text)

    write_whole(path, write)


def private(path: str, flags: int) -> int:
    """An opener, see `open`: a new file can be read and written by its owner only."""
    return os.open(path, flags, 0o600)
