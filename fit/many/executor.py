"""Jobs on their way through an executor: each is submitted, watched, and submitted again if its worker is lost."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from spikefab.errors import FileError, ToolError

from .jobs import Cell, record_error, run_cell
from .workers import WorkerLost

TRIES = 3  # how often a job whose worker is lost is tried in all
PAUSE, LONGEST = 0.01, 0.5  # s between looks at the executor: the first, and to what it grows while nothing ends


@dataclass
class Job:
    file: str
    key: str
    fields: dict[str, Any]
    tries: int = 0


class Run:
    """Cells on their way through an executor, of which nothing is asked but submit, done and result.

    No `as_completed` or `wait`: not all that is like an executor is one of `concurrent.futures`.
    """

    def __init__(self, executor: Any, out: Path, window: int, ended: Callable[[Cell], None]):
        self.executor, self.out, self.window, self.ended = executor, out, window, ended
        self.flying: list[tuple[Any, Job]] = []
        self.full: str | None = None
        self.stillborn = 0

    def all(self, jobs: list[Job]) -> None:
        """Run all; returns when each has ended. Raises FileError, ToolError or KeyboardInterrupt as `fit_many` does."""
        waiting = list(reversed(jobs))
        pause = PAUSE
        try:
            while self.flying or (waiting and self.full is None):
                while waiting and self.full is None and len(self.flying) < self.window:
                    job = waiting.pop()
                    self.flying.append((self._submit(job), job))
                before, self.flying = self.flying, []
                over: list[tuple[Any, Job]] = []
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

    def _submit(self, job: Job) -> Any:
        job.tries += 1
        try:
            return self.executor.submit(run_cell, job.fields, uuid4().hex)
        except Exception as error:
            raise ToolError(
                f"the executor takes no more work ({_words(error)}); what is finished is kept,"
                " and the same again does the rest."
            ) from error

    def _end(self, future: Any, job: Job) -> bool:
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

    def _lost(self, job: Job, error: Exception) -> bool:
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
