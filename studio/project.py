"""A project: a folder that holds recordings, jobs and what the page last looked like. All of the Studio's state is here."""

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

MARK = "studio.json"
TAKEN_IN: dict[str, Any] = {  # without which a recording is none
    "id": str, "name": str, "file": str, "added": str, "dt": (int, float), "options": dict, "sweeps": list, "notes": list,
}  # fmt: skip


class Missing(UsageError):
    """Something of a project that is not there."""


class Project:
    """Opens or makes the folder; while it is open no other Studio can open it.

    recordings/ID/   the file as it came, recording.json (how it was read, and what was found), and its samples
    jobs/ID/         see `jobs`
    session.json     what the page last looked like
    """

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        try:
            if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / MARK).is_file():
                raise UsageError(f"{folder} is not empty and no project of the Studio: choose another folder.")
            for name in ("recordings", "jobs"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / MARK).open("a+")
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
        for left in self.folder.glob("recordings/.*"):  # uploads that were broken off
            for kept in left.glob("r*"):  # and a recording that was about to be replaced
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
        """In the order in which they came."""
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
        """A folder beside the recordings in which one is made ready."""
        return Path(tempfile.mkdtemp(prefix=".", dir=self.folder / "recordings"))

    def add_recording(self, made: Path, content: dict[str, Any]) -> dict[str, Any]:
        """Give a folder made in `scratch` its name: a fresh one, or that of the recording whose `id` is in `content`."""
        key = content.get("id") or fresh("r")
        content = content | {"id": key}
        save(made / "recording.json", content)
        place = self.recording_folder(key)
        if place.exists():
            before = self.scratch()
            place.rename(before / key)  # not removed before the new one is there
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
        """A folder by its key, which comes from a browser: anything but a key of ours is refused."""
        if not is_key(key):
            raise Missing(f"There is no {kind[:-1]} of this name in this project.")
        return self.folder / kind / key


def fresh(kind: str) -> str:
    return kind + secrets.token_hex(4)


def is_key(name: str) -> bool:
    return re.fullmatch(r"[rj][0-9a-f]{8}", name) is not None


def _taken_in(folder: Path) -> dict[str, Any] | None:
    """recording.json, if it has what a recording has."""
    content = load(folder / "recording.json")
    whole = content is not None and all(isinstance(content.get(name), kind) for name, kind in TAKEN_IN.items())
    return content if whole else None


def file_name(given: str) -> str:
    """What a browser calls a file, as a plain name for this disk: no folder, nothing hidden, nothing odd."""
    last = re.split(r"[/\\]", given)[-1]
    return re.sub(r"[^\w.+-]", "_", last, flags=re.ASCII)[-100:].lstrip(".-") or "recording"


def shown_name(given: str) -> str:
    """What a browser calls a file, to be shown: in the page it is text, whatever it holds."""
    last = re.split(r"[/\\]", given)[-1]
    return "".join(c for c in last if c.isprintable())[-200:].strip() or "recording"


def load(path: Path) -> dict[str, Any] | None:
    """An object that `save` wrote; None where there is none, or a broken one."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def save(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(2)}")
    part.write_text(json.dumps(content, allow_nan=False) + "\n")
    part.replace(path)
