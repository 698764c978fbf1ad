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

from .stored import PRIVATE, StoredRecording, load, private, save

MARK = "studio.json"  # file that marks a folder as a project; it is locked while the project is open


class Missing(UsageError):
    """A recording, job or file is not in the project."""


class Project:
    """A project folder, which is created if needed, for its owner only. While it is open, no other Studio can open it.

    recordings/ID/   the uploaded file, recording.json (options and description), and the samples as arrays
    jobs/ID/         see `jobs`
    session.json     state of the page: what was selected and shown last
    """

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        try:
            if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / MARK).is_file():
                raise UsageError(f"{folder} is not empty and no project of the Studio: choose another folder.")
            self.folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
            for folder in (self.folder, *(self.folder / name for name in ("recordings", "jobs"))):
                folder.mkdir(mode=PRIVATE, exist_ok=True)
                if folder.stat().st_uid == os.getuid():
                    folder.chmod(PRIVATE)  # earlier versions let others read
            mark = private(str(self.folder / MARK), os.O_RDWR | os.O_CREAT | os.O_APPEND)
            self._lock = os.fdopen(mark, "a+", encoding="utf-8")
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
        for job in self.folder.glob("jobs/*"):  # an order that did not reach the disk: nobody was told of the job
            if not (job / "job.json").exists() and all(p.name.endswith(".part") for p in job.glob("*")):
                shutil.rmtree(job, ignore_errors=True)

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
    """The content of recording.json, or None if it is damaged."""
    content = load(folder / "recording.json", StoredRecording)
    if content is None or content["id"] != folder.name or content["dt"] <= 0:
        return None
    names = [content["file"], content["options"].get("current", "current")]
    return content if all(name == file_name(name) for name in names) else None


def file_name(given: str) -> str:
    """A safe name for a file on this disk, made of its name in the browser: no folders, leading dots or special characters."""
    last = re.split(r"[/\\]", given)[-1]
    return re.sub(r"[^\w.+-]", "_", last, flags=re.ASCII)[-100:].lstrip(".-") or "recording"


def shown_name(given: str) -> str:
    """The name of a file in the browser, for display. It may contain anything: the page shows it as plain text."""
    last = re.split(r"[/\\]", given)[-1]
    return "".join(c for c in last if c.isprintable())[-200:].strip() or "recording"
