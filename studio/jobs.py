"""The jobs of a project: fits, regressions, builds, exports, runs. Each is a process of its own, which outlives the server.

jobs/ID/   job.json      kind and settings of the job
           events.jsonl  events that the worker has written, one per line; the last "state" is the state of the job
           lock          locked by the worker while it lives
           stop          "pause" or "cancel": why the worker is being interrupted
           label.json    name and note that the user has given it
           journal/      losses that a fit has computed, until it is over; see `spikefab.fit.search.journal`
           out/          files that the job has made
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spikefab.errors import UsageError

from . import job_log, job_names
from .job_log import Summary, say, summary
from .project import Missing, Project, fresh, is_key
from .stored import PRIVATE, StoredJob, load, private, save

OVER = {"done", "cancelled", "failed"}  # states of jobs that have ended
INTERRUPTED = "The process that did this was interrupted; it can be resumed."
AT_ONCE = 2  # number of workers that may run at the same time: a fit uses all cores; further jobs are queued
QUEUE = 100  # number of queued jobs, at most
PATIENCE = (
    60.0  # s after which a worker that was interrupted is killed: a cancelled fit scores and saves its best so far
)
ATTEMPT = 10.0  # s that a worker may take to start


class Jobs:
    """The jobs of an open project. Their state is read from disk; only handles of processes and a cache are in memory."""

    def __init__(self, project: Project):
        self.project = project
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        # by job: size and time of its events.jsonl when it was read, and what it says
        self._read: dict[str, tuple[tuple[int, int], Summary]] = {}
        self._starting = threading.RLock()  # held from checking that a worker may start until it has started
        # by job: held from reading its state until the action on it is done
        self._held: dict[str, threading.RLock] = {}
        self._queue: list[str] = []  # queued jobs, in the order in which they will start
        found = self.all()
        # a server before this one may have left queued jobs
        queued = [job["id"] for job in found if job["state"] == "queued"]
        self._queue = sorted(queued, key=lambda key: self._said(key).state.get("time", 0.0))
        for job in found:  # a worker that was killed at its very end may have left its journal
            if job["state"] in OVER:
                shutil.rmtree(self.folder(job["id"]) / "journal", ignore_errors=True)

    def all(self) -> list[dict[str, Any]]:
        """The descriptions of all jobs, in the order in which they were started. Damaged ones are left out, but not deleted."""
        found = [self.describe(asked["id"]) for asked in self._asked_jobs()]
        return sorted(found, key=lambda j: (j["created"], j["id"]))

    def describe(self, key: str) -> dict[str, Any]:
        """The description of a job for the page."""
        folder = self.folder(key)
        asked = _asked(folder)
        assert asked is not None
        last, said, label = self.state(key), self._said(key), job_names.label(folder)
        since = said.since if last["state"] == "running" else None
        spent = said.spent
        if said.since is not None and since is None and spent is not None:  # its worker was killed
            spent += max(0.0, job_log.last_written(folder) - said.since)
        return asked | {
            "title": job_names.shown(asked, label, said.best),
            **label,
            "state": last["state"],
            "error": last.get("error"),
            "spent": spent,
            "since": None if since is None else datetime.fromtimestamp(since, UTC).isoformat(timespec="milliseconds"),
            "files": [{"name": p.name, "bytes": p.stat().st_size, "what": _what(p.name)} for p in self.files(key)],
        }

    def state(self, key: str) -> dict[str, Any]:
        """The last state event of a job. If its worker has died without writing one, the state is "stopped"."""
        alive = self._alive(key)
        last = self._said(key).state
        if last["state"] == "running" and not alive:
            return {"state": "stopped", "error": "The process that did this ended without a word; it can be resumed."}
        return last

    def _said(self, key: str) -> Summary:
        """What events.jsonl says of a job. The file is read again only if it has changed."""
        folder = self.folder(key)
        try:
            stat = (folder / "events.jsonl").stat()
        except FileNotFoundError:
            return summary(folder)
        mark = (stat.st_size, stat.st_mtime_ns)
        if self._read.get(key, (None, None))[0] != mark:
            self._read[key] = mark, summary(folder)
        return self._read[key][1]

    def events(self, key: str, after: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
        """All events after number `after` that are written so far, as (number, event)."""
        return job_log.events(self.folder(key), after)

    def files(self, key: str) -> list[Path]:
        out = self.folder(key) / "out"
        return sorted(p for p in out.iterdir() if p.is_file() and not p.is_symlink()) if out.is_dir() else []

    def file(self, key: str, name: str) -> Path:
        """A file that a job has made. The name is compared with existing files, so that it cannot lead to another folder."""
        for path in self.files(key):
            if path.name == name:
                return path
        raise Missing(f"This job made no file {name}.")

    def folder(self, key: str) -> Path:
        folder = self.project.job_folder(key)
        if _asked(folder) is None:
            raise Missing(f"There is no job {key} in this project.")
        return folder

    # -- actions of the page -----------------------------------------------------------------------------------

    def begin(
        self,
        kind: str,
        title: str,
        settings: Mapping[str, Any],
        same: Callable[[str], Mapping[str, str]],
        *,
        recording: str | None = None,
        neuron: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Create a job and start its worker, or queue it if enough of them run.

        `same` returns, for a key, the command line and the Python code of the same job.
        """
        with self._starting:
            if len(self._queue) >= QUEUE:
                raise UsageError(f"{QUEUE} jobs wait already: cancel some of them.")
            key = fresh("j")
            folder = self.project.job_folder(key)
            folder.mkdir(mode=PRIVATE)
            created = datetime.now(UTC).isoformat(timespec="microseconds")
            if neuron is not None:
                save(folder / "neuron.json", {**neuron})
            title = job_names.other_than(title, [job["title"] for job in self._asked_jobs()])
            asked = {"id": key, "kind": kind, "title": title, "created": created, "settings": settings}
            save(folder / "job.json", asked | {"recording": recording, "neuron": neuron, **same(key)})
            self._start_or_queue(key)
        return self.describe(key)

    def resume(self, key: str) -> dict[str, Any]:
        with self._hold(key), self._starting:
            job = self.describe(key)
            if job["state"] not in ("paused", "stopped"):
                raise UsageError(f"This job is {job['state']}: there is nothing to resume.")
            if job.get("recording") is not None:
                # raises Missing if the recording is gone: the worker could only fail
                self.project.recording(job["recording"])
            (self.folder(key) / "stop").unlink(missing_ok=True)
            self._start_or_queue(key)
            return self.describe(key)

    def pause(self, key: str) -> dict[str, Any]:
        job = self.describe(key)
        if job["kind"] != "fit":
            raise UsageError("Only a fit can be paused: this can be cancelled and begun again.")
        return self._interrupt(key, "pause", "paused")

    def cancel(self, key: str) -> dict[str, Any]:
        return self._interrupt(key, "cancel", "cancelled")

    def remove(self, key: str) -> None:
        with self._hold(key):
            state = self.state(key)["state"]
            if state in ("running", "queued"):
                raise UsageError(f"This job {'still runs' if state == 'running' else 'is queued'}: cancel it first.")
            shutil.rmtree(self.folder(key))

    def relabel(self, key: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Give a job a name or a note, see `job_names`."""
        with self._hold(key):
            job_names.relabel(self.folder(key), given)
            return self.describe(key)

    def advance(self) -> None:
        """Start queued jobs while there is room for them."""
        while self._queue:
            with self._starting:
                if not self._queue or not self._room():
                    return
                key = self._queue[0]
                with suppress(Missing):  # deleted by hand
                    if self.state(key)["state"] == "queued":
                        self._start(key)
                self._queue.remove(key)

    def reap(self) -> None:
        """Collect workers that have ended, so that they do not stay as zombie processes."""
        for key, child in list(self._children.items()):
            if child.poll() is not None:
                del self._children[key]

    # -- processes ---------------------------------------------------------------------------------------------------

    def _hold(self, key: str) -> threading.RLock:
        self.folder(key)
        return self._held.setdefault(key, threading.RLock())

    def _asked_jobs(self) -> list[dict[str, Any]]:
        """The contents of all job.json, without those that are damaged."""
        folders = (p for p in (self.project.folder / "jobs").glob("j*") if is_key(p.name))
        return [asked for p in folders if (asked := _asked(p)) is not None]

    def _room(self) -> bool:
        """Whether another worker may run."""
        return sum(self.state(job["id"])["state"] == "running" for job in self._asked_jobs()) < AT_ONCE

    def _start_or_queue(self, key: str) -> None:
        if not self._queue and self._room():
            self._start(key)
        else:
            self._settle(key)
            say(self.folder(key), {"type": "state", "state": "queued"})
            self._queue.append(key)

    def _start(self, key: str) -> None:
        folder = self.folder(key)
        self.reap()
        self._settle(key)
        say(folder, {"type": "state", "state": "running"})
        with open(folder / "worker.log", "ab", opener=private) as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "spikefab.studio.worker", str(folder)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True,
            )  # fmt: skip
        self._children[key] = child
        deadline = time.monotonic() + ATTEMPT
        while not self._locked(key) and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)

    def _settle(self, key: str) -> None:
        """Of a worker that was killed, say that it has run until its last event: else all time until the next one would count."""
        folder = self.folder(key)
        if self._said(key).since is not None and not self._alive(key):
            say(folder, {"type": "state", "state": "stopped", "time": job_log.last_written(folder)})

    def _alive(self, key: str) -> bool:
        child = self._children.get(key)
        return (child is not None and child.poll() is None) or self._locked(key)

    def _locked(self, key: str) -> bool:
        """Whether a worker holds the lock of a job. A process id alone would not do: it may belong to another process by now."""
        try:
            with (self.project.job_folder(key) / "lock").open("rb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return True
                return False
        except FileNotFoundError:
            return False

    def _interrupt(self, key: str, how: str, becomes: str) -> dict[str, Any]:
        """Interrupt the worker of a job; if there is none, write the new state in its place."""
        with self._hold(key):
            return self._interrupt_held(key, how, becomes)

    def _interrupt_held(self, key: str, how: str, becomes: str) -> dict[str, Any]:
        folder, state = self.folder(key), self.state(key)["state"]
        if state in OVER:
            raise UsageError(f"This job is {state} already.")
        if state == becomes:
            return self.describe(key)
        with self._starting:  # not while it is being started
            if key in self._queue:
                self._queue.remove(key)
        (folder / "stop").write_text(how, encoding="utf-8")
        if self._alive(key):
            self._signal(folder, signal.SIGTERM)
            deadline = time.monotonic() + PATIENCE
            while self._alive(key) and time.monotonic() < deadline:
                time.sleep(0.05)
            if self._alive(key):
                self._signal(folder, signal.SIGKILL)
        self.reap()
        if self.state(key)["state"] not in (*OVER, becomes):
            self._settle(key)
            say(folder, {"type": "state", "state": becomes})
        if becomes == "cancelled":
            shutil.rmtree(folder / "journal", ignore_errors=True)
        return self.describe(key)

    def _signal(self, folder: Path, number: signal.Signals) -> None:
        """Send a signal to the worker and the processes that it has started, which are one process group."""
        with suppress(ValueError, ProcessLookupError):  # the worker has not started yet, or has just ended
            os.killpg(int((folder / "lock").read_text(encoding="utf-8")), number)


def _asked(folder: Path) -> dict[str, Any] | None:
    """The content of job.json, or None if it is damaged."""
    content = load(folder / "job.json", StoredJob)
    return content if content is not None and content["id"] == folder.name else None


def _what(name: str) -> str:
    """What a file that a job has made is, in words."""
    known = {
        "report.html": "the report",
        "result.json": "results, for programs and for the command line",
        "traces.npz": "recorded and simulated traces",
        "timings.json": "seconds of each model",
        "neuron.json": "the neuron, for the command line",
        "pareto.json": "what the scores cost, for programs",
        "floorplan.svg": "floorplan",
        "run.csv": "time, current, voltage and spike of each sample",
        "run.npz": "the same, for NumPy",
    }
    kinds = {
        ".bin": "bitstream",
        ".bit": "bitstream",
        ".v": "Verilog",
        ".log": "log",
        ".png": "picture",
        ".svg": "picture",
    }
    return known.get(name) or kinds.get(Path(name).suffix, "file")
