"""The process that runs one job: `python -m spikefab.studio.worker FOLDER`. It appends events to events.jsonl.

SIGTERM, SIGINT and SIGHUP end it. What it then writes is what the user has asked for in the file `stop`: a fit that is
cancelled saves its best so far; a job that is paused, or interrupted by anybody else (a shutdown), can be resumed.
"""

import errno
import fcntl
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from spikefab import interrupts
from spikefab.errors import DoesNotFitError, FileError, MismatchError, SpikefabError, TimingError, UsageError
from spikefab.files import require_writable

from .job_events import BuildReport
from .job_log import say
from .jobs import INTERRUPTED, OVER
from .recordings import options_of
from .stored import load
from .words import said

ATTEMPTS = 200  # number of attempts, 10 ms apart, to get the lock of the job
EVERY = 0.25  # s between two events about the progress of a search
CHUNK = 16_384  # characters of a log in one event, at most
# errors of a disk, after which a job can be resumed when the user has mended it
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


class _Unsaved(FileError):
    """A finished fit cannot be written."""


def main(folder: Path) -> int:
    os.umask(0o077)  # the project is for its owner only
    with (folder / "lock").open("a+", encoding="utf-8") as lock:
        for _ in range(ATTEMPTS):  # try again, because the server takes the lock for a moment to test it
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.01)
        else:
            return 1  # another worker runs the job
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return _Work(folder).run()


class _Work:
    def __init__(self, folder: Path):
        self.folder, self.out = folder, folder / "out"
        job = load(folder / "job.json")
        assert job is not None
        self.job, self.settings = job, job["settings"]
        self.begun = time.monotonic()
        self.saving = False  # whether there is a result, which a signal must not cost
        self.over = False  # whether the job has ended

    def run(self) -> int:
        with interrupts.listening(), interrupts.deferred():
            for number in interrupts.SIGNALS:
                cancel = signal.getsignal(number)
                if callable(cancel):  # not one that is ignored
                    signal.signal(number, partial(self._interrupted, cancel))
            asked = self._asked()  # the job may have been stopped before there was a handler
            if asked == "pause":
                self._give_way(asked)
            code = self._end("cancelled") if asked == "cancel" else self._run()
        if self.over:
            shutil.rmtree(self.folder / "journal", ignore_errors=True)
        return code

    def _run(self) -> int:
        try:
            state = self._kinds[self.job["kind"]]()
        except _Unsaved as error:
            return self._end("stopped", said(error, self.folder, self.folder.parent.parent))
        except SpikefabError as error:
            return self._end("failed", said(error, self.folder, self.folder.parent.parent))
        except KeyboardInterrupt:
            return self._end("cancelled")
        except MemoryError:
            return self._end("failed", "This machine has too little memory for it.")
        except Exception as error:
            traceback.print_exc()  # written to worker.log
            if isinstance(error, OSError) and error.errno in DISK:
                return self._end("stopped", f"{error.strerror}: when that is mended, this can be resumed.")
            first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
            log = self.folder / "worker.log"
            return self._end(
                "failed", f"This is a defect of spikefab: {type(error).__name__}: {first}. Details: {log}."
            )
        return self._end(state)

    def say(self, kind: str, **content: Any) -> None:
        say(self.folder, {"type": kind, **content})

    def _end(self, state: str, error: str | None = None) -> int:
        self.say("state", state=state, error=error)
        self.over = state in OVER
        return 1 if error else 0

    def _asked(self) -> str:
        path = self.folder / "stop"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def _interrupted(self, cancel: Callable[[int, Any], Any], number: int, frame: Any) -> None:
        """Handle a signal. `cancel` raises KeyboardInterrupt where the work can be interrupted, see `interrupts`."""
        asked = self._asked()
        if asked == "cancel":
            cancel(number, frame)
        elif not self.saving:
            self._give_way(asked)

    def _give_way(self, asked: str) -> None:
        """End this process so that the job can be resumed: every loss is in the journal."""
        self._end(*(("paused",) if asked == "pause" else ("stopped", INTERRUPTED)))
        os._exit(0)

    # -- kinds of jobs -----------------------------------------------------------------------------------------------

    @property
    def _kinds(self) -> dict[str, Callable[[], str]]:
        """What does the work of each kind of job, and returns the state in which the job then is."""
        return {
            "fit": self._fit,
            "pareto": self._pareto,
            "verify": self._verify,
            "build": self._build,
            "export": self._export,
            "run": self._run_board,
        }

    def _fit(self) -> str:
        from spikefab.fit import fit
        from spikefab.fit.options import FitOptions
        from spikefab.fit.recordings.readers import read
        from spikefab.fit.report.folder import OutputFolder
        from spikefab.fit.search.clock import FitClock
        from spikefab.fit.target import suited
        from spikefab.hw.models import get_model

        from .ranking_rows import ranking, split_rows

        source, file, given = self._recording()
        out = OutputFolder(self.out)
        options = suited(FitOptions.from_dict(self.settings), lambda text: self.say("notice", text=text))
        with interrupts.interruptible():
            recording = read(file, **given)
            self.say("split", **split_rows(recording, options))
        clock, told = FitClock(options), dict[str, float]()
        better: dict[str, tuple[dict[str, Any], float]] = {}

        def progress(model: str, evaluations: int, budget: int, loss: float) -> None:
            clock.tell(model, evaluations, budget, loss)
            now = time.monotonic()
            if now - told.get(model, 0.0) > EVERY or evaluations >= budget:
                told[model] = now
                self.say(
                    "progress", model=model, evaluations=evaluations, budget=budget, loss=loss, remaining=clock.remaining
                )  # fmt: skip
                if model in better:
                    params, lowest = better.pop(model)
                    kind = get_model(model)
                    settings = {name: params.pop(name) for name in kind.chosen}
                    units = {name: p.unit for name, p in kind.variant(**settings).params().items()}
                    self.say("better", model=model, loss=lowest, params=params, settings=settings, units=units)

        def improved(model: str, params: dict[str, Any], loss: float) -> None:
            better[model] = (params, loss)

        def portion(model: str, evaluations: int, share: float) -> None:
            clock.portion(model, evaluations, share)
            self.say("portion", model=model, evaluations=evaluations, share=share)
            told.pop(model, None)  # the first loss on other data is told at once

        results = fit(
            recording,
            options=options,
            progress=progress,
            callback=improved,
            portion=portion,
            notice=lambda text: self.say("notice", text=said(text, source)),
            journal=self.folder / "journal",
        )
        if not results:
            raise KeyboardInterrupt
        self.saving = True
        self.say("notice", text="writing the report")
        timings = {"models": {m: round(s, 3) for m, s in clock.seconds.items()}}
        try:
            out.save_fit(results, timings | {"total": round(time.monotonic() - self.begun, 3)})
        except FileError as error:
            raise _Unsaved(*error.args) from error
        self.say("ranking", **ranking(results))
        return "cancelled" if results.interrupted else "done"

    @interrupts.interruptible()
    def _pareto(self) -> str:
        from .front import front

        step, (_, file, given) = self._steps(), self._recording()
        require_writable(self.out)
        step("simulating each model at each word")
        found = front(self.job, self.folder, file, given, lambda text: step("", "note", text))
        step("", "done")
        self.say("front", **found)
        return "done"

    def _recording(self) -> tuple[Path, Path, dict[str, Any]]:
        """The folder of the recording of the job, its file, and the options with which it is read."""
        folder = self.folder.parent.parent / "recordings" / self.job["recording"]
        content = load(folder / "recording.json")
        if content is None:
            raise SpikefabError("The recording is no longer in this project.")
        return folder, folder / content["file"], options_of(content, folder)

    @interrupts.interruptible()
    def _verify(self) -> str:
        from spikefab.sim.verify import require_exact, verify
        from spikefab.toolchain import tools

        neuron, current = self._neuron()
        tools.simulator_env("verilator")
        step = self._steps()
        checks = verify(neuron, steps=self.settings["steps"], current=current, progress=lambda text: step(text))
        step("", "done")
        names = ("stimulus", "steps", "spikes", "saturations", "mismatches")
        self.say("checks", rows=[{name: c[name] for name in names} for c in checks])
        require_exact(checks)
        return "done"

    @interrupts.interruptible()
    def _build(self) -> str:
        from spikefab.boards.build import build
        from spikefab.boards.table import get_board

        neuron, _ = self._neuron()
        board, step = get_board(self.settings["board"]), self._steps()
        self.out.mkdir(exist_ok=True)
        about = {"board": board.name, "model": type(neuron).__name__, "settings": dict(type(neuron).chosen)}
        about |= {"word": neuron.word, "dt": neuron.dt, "i_span": neuron.datapath.i_span}
        try:
            with _Logs(self.out, lambda name, text: self.say("log", step=name, text=text)):
                report = build(
                    neuron, board.name, self.out, seed=self.settings["seed"], floorplan=True,
                    progress=lambda name, state, text: step(name, state, said(text, self.folder)),
                )  # fmt: skip
        except (DoesNotFitError, TimingError) as error:
            self.say("outcome", **about, fits=False, why=said(error, self.folder, self.folder.parent.parent))
            raise
        self.say("outcome", **about, fits=True, why="")
        there = {"cells": board.cells, "multipliers": board.multipliers, "block_rams": board.block_rams}
        # the Studio builds no populations: it tells nothing of their form
        content = {name: value for name, value in report.as_dict().items() if name in BuildReport.__annotations__}
        content |= {name: [getattr(report, name), n] for name, n in there.items()}
        drawn = (self.out / "floorplan.svg").is_file()
        self.say(
            "report",
            **content | {"bitstream": Path(report.bitstream).name, "floorplan": "floorplan.svg" if drawn else None},
        )
        return "done"

    @interrupts.interruptible()
    def _export(self) -> str:
        from spikefab.sim.export import export_verilog

        neuron, current = self._neuron()
        step = self._steps()
        step("writing Verilog and a testbench with golden vectors")
        export_verilog(neuron, current, self.out)
        step("", "done")
        return "done"

    def _run_board(self) -> str:
        """Run a current in a board, real or simulated. What has come is saved, also if the run is cancelled or fails."""
        from spikefab.boards.runs import RunFiles, noise_bits, noise_words, step_current
        from spikefab.boards.session import SIMULATED, connect

        from .run_events import RunEvents

        asked, step, files = self.settings, self._steps(), RunFiles()
        require_writable(self.out)
        with interrupts.interruptible():
            neuron, current = self._neuron()
            if asked["current"] == "step":
                current = step_current(neuron.dt, asked["step"], asked["seconds"])
            bits = noise_bits(neuron, asked["noise"] or None)
        if current is None:
            raise UsageError("This fit kept no recorded current: run a step.")
        events = RunEvents(self.say, len(current), neuron.dt, asked["every"])

        @interrupts.undivided()  # what is told is what is kept
        def watch(*samples: Any) -> None:
            files.take(*samples)
            events.take(*samples)

        try:
            with interrupts.interruptible():
                step("connecting")
                with connect(asked["port"] or None, neuron, board=asked["board"], progress=step) as board:
                    kind = board.identity.get("board", asked["board"])
                    where = SIMULATED.get(
                        asked["port"], f"{'a simulated ' if board.simulated else ''}{kind} at {board.port}"
                    )
                    step(f"running in {where}")
                    if bits:
                        step("", "note", noise_words(neuron, bits))
                    free = asked["way"] == "free-run"
                    done = board.run(current, free=free, every=asked["every"], noise_bits=bits, watch=watch)
        finally:
            self.saving = True
            events.flush()
            files.save(self.out, current, neuron.dt)
        if done.repeats:
            step("", "note", f"the line lost data, and the run was made {done.repeats + 1} times")
        step("", "done")
        self.say(
            "run", mode=done.mode, board=kind, port=asked["port"] if asked["port"] in SIMULATED else board.port,
            where=where, simulated=board.simulated, steps=done.steps, samples=len(done.voltage), spikes=len(done.spikes),
            mismatches=done.mismatches, seconds=done.seconds, dt=neuron.dt,
        )  # fmt: skip
        if done.mismatches:
            what = f"differ in {done.mismatches:,} of {done.steps:,} steps"
            raise MismatchError(f"{where} and the reference {what}.")
        return "done"

    def _neuron(self) -> tuple[Any, Any]:
        """The neuron of the job, and a recorded current (T,) nA to play, or None."""
        from spikefab.fit.report.folder import described_neuron, fitted_neuron

        which = self.settings["neuron"]
        if "fit" in which:
            return fitted_neuron(self.folder.parent / which["fit"] / "out", which["rank"])
        return described_neuron(self.folder / "neuron.json"), None

    def _steps(self) -> Callable[..., None]:
        """A function that reports the start of a step; the step before it counts as done."""
        now = ""

        def step(name: str, state: str = "start", text: str = "") -> None:
            nonlocal now
            if state == "start" and now:
                self.say("step", name=now, state="done", text="")
            name = name or now
            now = name if state == "start" else now if state == "note" else ""
            self.say("step", name=name, state=state, text=text)

        return step


class _Logs:
    """A context that sends what is appended to the logs in a folder as events."""

    def __init__(self, folder: Path, tell: Callable[[str, str], None]):
        self.folder, self.tell = folder, tell
        self._read: dict[Path, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def _follow(self) -> None:
        while not self._over.wait(0.3):
            self._look()

    def _look(self) -> None:
        for path in sorted(self.folder.glob("*.log")):
            with path.open("rb") as log:
                log.seek(self._read.get(path, 0))
                text = log.read()
            self._read[path] = self._read.get(path, 0) + len(text)
            shown = text.decode(errors="replace")
            for k in range(0, len(shown), CHUNK):
                self.tell(path.stem, shown[k : k + CHUNK])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
