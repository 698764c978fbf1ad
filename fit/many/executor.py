"""Runs jobs on an executor: submits each, waits for its result, and submits it again if its worker is lost."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from spikefab.errors import FileError, ToolError

from .jobs import Cell, record_error, run_cell
from .workers import WorkerLost

TRIES = 3  # how often a job is submitted, at most, if its worker is lost
PAUSE = 0.01  # s until the next look for jobs that have ended; the pause grows while none has
LONGEST = 0.5  # s of the longest pause between two looks for jobs that have ended


@dataclass
class Job:
    file: str
    key: str
    fields: dict[str, Any]
    tries: int = 0


class Run:
    """Runs jobs on an executor, which only needs `submit`; what that returns only needs `done` and `result`.

    `as_completed` and `wait` are not used, because many executors are not of `concurrent.futures`.

    window  number of jobs submitted at the same time
    ended   called with the `Cell` of each job that has ended
    """

    def __init__(self, executor: Any, out: Path, window: int, ended: Callable[[Cell], None]):
        self.executor, self.out, self.window, self.ended = executor, out, window, ended
        self.flying: list[tuple[Any, Job]] = []  # jobs that are submitted, with their futures
        self.full: str | None = None  # error that stops results from being written (a full disk), or None
        self.stillborn = 0  # number of workers in a row that were lost before they had started

    def all(self, jobs: list[Job]) -> None:
        """Run all jobs and wait for them. Raises FileError, ToolError or KeyboardInterrupt as `fit_many` does."""
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
        """Report the outcome of a job that has ended. Returns whether it has to be submitted again."""
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
        """Handle a job whose worker was lost. Returns whether it has to be submitted again."""
        if isinstance(error, WorkerLost) and not error.started:
            job.tries -= 1  # not the fault of the job: it had not been started
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
        """The disk is full: cancel the jobs that have not started; those that run may end."""
        if self.full is None:
            self.full = why
            self._cancel()

    def _cancel(self) -> None:
        """Cancel all jobs that have not started, if the executor can do that."""
        for future, _ in self.flying:
            cancel = getattr(future, "cancel", None)
            if cancel is not None:
                cancel()


def _words(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text or type(error).__name__
