"""A project: the folder with all data of a Studio: recordings, jobs, and the state of the page."""

import fcntl
import json
import os
import re
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

from spikefab.errors import FileError, UsageError

MARK = "studio.json"  # file that marks a folder as a project; it is locked while the project is open
# fields that recording.json must have, with their types; without them, the recording is ignored
TAKEN_IN: dict[str, Any] = {
    "id": str, "name": str, "file": str, "added": str, "dt": (int, float), "options": dict, "sweeps": list, "notes": list,
}  # fmt: skip


class Missing(UsageError):
    """A recording, job or file is not in the project."""


class Project:
    """A project folder, which is created if needed. While it is open, no other Studio can open it.

    recordings/ID/   the uploaded file, recording.json (options and description), and the samples as arrays
    jobs/ID/         see `jobs`
    session.json     state of the page: what was selected and shown last
    """

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        try:
            if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / MARK).is_file():
                raise UsageError(f"{folder} is not empty and no project of the Studio: choose another folder.")
            for name in ("recordings", "jobs"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / MARK).open("a+", encoding="utf-8")
        except OSError as error:
            raise FileError(f"{folder} cannot be a project: {error.strerror}.") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"{folder} is open in another Studio: close that first, or choose another folder."
            ) from None
        if not (self.folder / MARK).stat().st_size:
            self._lock.write(json.dumps({"format": 1}) + "\n")
            self._lock.flush()
        for left in self.folder.glob("recordings/.*"):  # remains of uploads that did not finish
            for kept in left.glob("r*"):  # among them may be a recording that was being replaced: it is put back
                if is_key(kept.name) and not self.recording_folder(kept.name).exists():
                    kept.rename(self.recording_folder(kept.name))
            shutil.rmtree(left, ignore_errors=True)

    @property
    def name(self) -> str:
        return self.folder.name

    def close(self) -> None:
        self._lock.close()

    # -- recordings --------------------------------------------------------------------------------------------------

    def recordings(self) -> list[dict[str, Any]]:
        """The descriptions of all recordings, in the order in which they were added."""
        folders = (p for p in self.folder.glob("recordings/r*") if is_key(p.name))
        found = [content for p in folders if (content := _taken_in(p)) is not None]
        return sorted(found, key=lambda r: (r["added"], r["id"]))

    def recording(self, key: str) -> dict[str, Any]:
        content = _taken_in(self.recording_folder(key))
        if content is None:
            raise Missing(f"There is no recording {key} in this project.")
        return content

    def recording_folder(self, key: str) -> Path:
        return self._inside("recordings", key)

    def scratch(self) -> Path:
        """A new folder in which a recording is prepared, on the same disk as the others."""
        return Path(tempfile.mkdtemp(prefix=".", dir=self.folder / "recordings"))

    def add_recording(self, made: Path, content: dict[str, Any]) -> dict[str, Any]:
        """Add a prepared folder (see `scratch`) to the recordings. If `content` has an `id`, it replaces that recording."""
        key = content.get("id") or fresh("r")
        content = content | {"id": key}
        save(made / "recording.json", content)
        place = self.recording_folder(key)
        if place.exists():
            before = self.scratch()
            place.rename(before / key)  # it is deleted only when the new one is in place
            made.rename(place)
            shutil.rmtree(before)
        else:
            made.rename(place)
        return content

    def remove_recording(self, key: str) -> None:
        self.recording(key)
        folder = self.recording_folder(key)
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder)

    # -- session -----------------------------------------------------------------------------------------------------

    @property
    def session(self) -> dict[str, Any]:
        return load(self.folder / "session.json") or {}

    @session.setter
    def session(self, content: dict[str, Any]) -> None:
        save(self.folder / "session.json", content)

    def job_folder(self, key: str) -> Path:
        return self._inside("jobs", key)

    def _inside(self, kind: str, key: str) -> Path:
        """The folder with this key. Keys come from a browser: anything that is not of the form of a key is refused."""
        if not is_key(key):
            raise Missing(f"There is no {kind[:-1]} of this name in this project.")
        return self.folder / kind / key


def fresh(kind: str) -> str:
    """A new random key: r... for a recording, j... for a job."""
    return kind + secrets.token_hex(4)


def is_key(name: str) -> bool:
    """Whether a name has the form of a key."""
    return re.fullmatch(r"[rj][0-9a-f]{8}", name) is not None


def _taken_in(folder: Path) -> dict[str, Any] | None:
    """The content of recording.json, or None if it lacks a field."""
    content = load(folder / "recording.json")
    whole = content is not None and all(isinstance(content.get(name), kind) for name, kind in TAKEN_IN.items())
    return content if whole else None


def file_name(given: str) -> str:
    """A safe name for a file on this disk, made of its name in the browser: no folders, leading dots or special characters."""
    last = re.split(r"[/\\]", given)[-1]
    return re.sub(r"[^\w.+-]", "_", last, flags=re.ASCII)[-100:].lstrip(".-") or "recording"


def shown_name(given: str) -> str:
    """The name of a file in the browser, for display. It may contain anything: the page shows it as plain text."""
    last = re.split(r"[/\\]", given)[-1]
    return "".join(c for c in last if c.isprintable())[-200:].strip() or "recording"


def load(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is no file or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def save(path: Path, content: dict[str, Any]) -> None:
    """Write an object as JSON. The file is complete or not written at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(2)}")
    part.write_text(json.dumps(content, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)
