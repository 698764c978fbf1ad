"""The commands for a board, real or simulated: flash, run, twin."""

import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab import interrupts
from spikefab.boards.runs import RunFiles, noise_bits, noise_words, population, step_current
from spikefab.commands import neuron_of
from spikefab.console import Screen
from spikefab.errors import FileError, MismatchError, UsageError
from spikefab.files import require_writable

if TYPE_CHECKING:
    from spikefab.boards.playing import Board, BoardRun
    from spikefab.boards.population import Crowd
    from spikefab.boards.population_board import PopulationBoard
    from spikefab.hw.neuron import Neuron

STRIP = 40  # columns of the voltage that is drawn while a run goes on
COLUMN = 5.0  # ms, of model time, in a column
LEVELS = "▁▂▃▄▅▆▇█"
SHOWN = (-90.0, 40.0)  # mV, that the lowest and the highest of these stand for


def flash(args: Namespace, screen: Screen) -> int:
    from spikefab.boards.programming import flash
    from spikefab.boards.table import get_board

    done = flash(get_board(args.board), args.bitstream)
    screen.say(f"loaded: {done}")
    screen.result({"board": args.board, "bitstream": str(args.bitstream), "command": done})
    return 0


def run(args: Namespace, screen: Screen) -> int:
    from spikefab.boards.session import SIMULATED, connect

    if args.out is not None:
        require_writable(args.out)
    neuron, recorded = neuron_of(args, args.sweep)
    current = current_of(args, neuron, recorded)
    bits = noise_bits(neuron, args.noise)
    kept = RunFiles()
    with connect(
        args.port, neuron, board=args.board, baud=args.baud, crowd=crowd_of(args), progress=screen.notice
    ) as board:
        simulated = f"a simulated board at {board.port}" if board.simulated else board.port
        where = SIMULATED.get(args.port, simulated)
        several, more = _several(args, board), {}
        if several is not None:
            more["shown"] = args.shown
        what = type(neuron).__name__ if several is None else f"{several.crowd.neurons:,} {type(neuron).__name__}"
        screen.say(f"{what}, word {neuron.word}, in {where}")
        try:
            with _watching(screen, len(current), neuron.dt) as show:

                def seen(*new: Any) -> None:
                    kept.take(*new)
                    show(*new)

                done = board.run(
                    current,
                    free=args.free,
                    every=args.every,
                    noise_bits=bits,
                    seed=args.seed,
                    watch=seen,
                    **more,
                )
        except KeyboardInterrupt:
            what = "nothing was saved"
            if args.out is not None:
                steps = kept.save(args.out, current, neuron.dt, None if several is None else several.events)
                what = f"the first {steps:,} steps are in {args.out}" if steps else "nothing had come"
            screen.err.print(f"spikefab: interrupted; {what}.", soft_wrap=True)
            return interrupts.exit_code()
    files = []
    if args.out is not None:
        with interrupts.deferred():  # the run has ended: all of it is saved
            kept.save(args.out, current, neuron.dt, None if several is None else several.events)
        names = ("run.csv", "run.npz") if several is None else ("run.csv", "run.npz", "spikes.csv")
        files = [str(args.out / name) for name in names]
    _say(screen, neuron, done, bits)
    if files:
        screen.say(f"written: {', '.join(files)}")
    told = _told(args, board, done) | ({} if several is None else _of_all(args, several, done))
    screen.result(told | {"files": files})
    if done.mismatches:
        raise MismatchError(
            f"hardware and reference differ in {done.mismatches:,} of {done.steps:,} steps, in {where}."
        )
    return 0


def _told(args: Namespace, board: "Board", done: "BoardRun") -> dict[str, Any]:
    """What `run --json` says of a run."""
    from spikefab.boards.session import SIMULATED

    neuron = board.neuron
    return {
        "mode": done.mode,
        "port": args.port if args.port in SIMULATED else board.port,
        "simulated": board.simulated,
        "board": board.identity["board"],
        "model": type(neuron).__name__,
        "word": neuron.word,
        "dt": neuron.dt,
        "steps": done.steps,
        "samples": len(done.voltage),
        "spikes": len(done.spikes),
        "spike_times": [round(float(t), 6) for t in done.spikes],
        "mismatches": done.mismatches,
        "seconds": done.seconds,
        "repeats": done.repeats,
    }


def _of_all(args: Namespace, board: "PopulationBoard", done: Any) -> dict[str, Any]:
    """And what it says besides, of a population."""
    crowd = board.crowd
    neurons = {"neurons": crowd.neurons, "lanes": crowd.lanes, "shown": args.shown}
    return neurons | {"spike_neurons": done.neurons.tolist()}


def crowd_of(args: Namespace) -> "Crowd | None":
    """The population of a simulated board that the options ask for; None: one neuron."""
    from spikefab.boards.population import Crowd

    if args.neurons in (None, 1):
        if args.lanes > 1 or args.per_neuron:
            raise UsageError("--lanes and --per-neuron go with --neurons, of a simulated board.")
        return None
    return Crowd(args.neurons, args.lanes, per_neuron=tuple(args.per_neuron))


def _several(args: Namespace, board: "Board") -> "PopulationBoard | None":
    """The board, if it holds a population, which is loaded; None: one neuron. Raises FileError, UsageError."""
    from spikefab.boards.population_board import PopulationBoard

    if isinstance(board, PopulationBoard):
        if args.load is not None:
            board.load(population(args.load, board.neuron))
        return board
    if args.load is not None or args.shown:
        raise UsageError(f"{'--load' if args.load else '--shown'} is for a population: this board holds one neuron.")
    return None


def _say(screen: Screen, neuron: "Neuron", done: "BoardRun", bits: int) -> None:
    length = done.steps * neuron.dt / 1000
    spikes = f"{len(done.spikes):,} spike{'s' if len(done.spikes) != 1 else ''}"
    screen.say(f"{done.mode}: {done.steps:,} steps ({length:g} s of model time) in {done.seconds:.1f} s, {spikes}")
    if bits:
        screen.say(noise_words(neuron, bits))
    if done.repeats:
        screen.notice(f"the line lost data: the run was made {done.repeats + 1} times.")
    if not done.mismatches:
        screen.say(f"bit-exact: {len(done.voltage):,} samples and {spikes} are those of the reference.")


def twin(args: Namespace, screen: Screen) -> int:
    from spikefab.boards.table import get_board
    from spikefab.boards.top import Setup
    from spikefab.boards.twin import ReferenceTwin, RtlTwin

    neuron, _ = neuron_of(args)
    setup = Setup(neuron, get_board(args.board or "icebreaker"), baud=args.baud, crowd=crowd_of(args))
    with ReferenceTwin(setup) if args.reference else RtlTwin(setup, screen.notice) as board:
        screen.say(f"{type(neuron).__name__}, word {neuron.word}, simulated, is at {board.path} until Ctrl-C")
        screen.result({"port": board.path, "model": type(neuron).__name__, "word": neuron.word, "simulated": True})
        screen.out.file.flush()
        try:
            while board.alive:
                time.sleep(0.1)
        except KeyboardInterrupt:
            return 0
    return 0


def current_of(args: Namespace, neuron: "Neuron", recorded: np.ndarray | None) -> np.ndarray:
    """The current (T,) nA that the options of `run` ask for. Raises UsageError, FileError."""
    given = [name for name in ("sweep", "current", "step") if getattr(args, name) is not None]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} both say what the current is: give one of them.")
    if args.seconds is not None and not 0 < args.seconds <= 86_400:
        raise UsageError(f"--seconds {args.seconds:g} is not a time of at most a day.")
    steps = None if args.seconds is None else max(1, round(1000 * args.seconds / neuron.dt))
    if args.current is not None:
        current = read_current(args.current, neuron.dt)
    elif args.step is not None or recorded is None:
        level = args.step if args.step is not None else neuron.datapath.i_span / 4
        current = step_current(neuron.dt, level, args.seconds or 1.0)
    else:
        current = recorded
    return current[:steps]


def read_current(path: Path, dt: float) -> np.ndarray:
    """A current (T,) nA, a sample each `dt` ms, from a text file of one or two columns. Raises FileError."""
    try:
        table = np.loadtxt(path, delimiter="," if "," in path.read_text(encoding="utf-8")[:4096] else None, ndmin=2)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise FileError(f"{path} is no table of numbers: nA, one a time step; or ms and nA, two a line.") from None
    if table.shape[1] > 2 or not len(table) or not np.all(np.isfinite(table)):
        raise FileError(f"{path} has not one or two numbers a line, of nA, or of ms and nA.")
    if table.shape[1] == 1:
        return table[:, 0]
    times, current = table.T
    if np.any(np.diff(times) <= 0):
        raise FileError(f"the times in {path}, its first column, do not rise.")
    # each sample holds until the next, as a stimulator does it
    steps = int(np.floor((times[-1] - times[0]) / dt + 1e-6)) + 1
    held = np.searchsorted(times - times[0], np.arange(steps) * dt + 1e-9, side="right") - 1
    return current[held]


@contextmanager
def _watching(screen: Screen, total: int, dt: float) -> Iterator[Callable[..., None]]:
    """Show a run while it goes on: steps, spikes, the last voltage, and a strip of it. Yields what is called with new samples."""
    if not screen.live:
        yield lambda *new: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(bar_width=16),
        TextColumn("{task.completed:,} of {task.total:,} steps, {task.fields[spikes]} spikes, {task.fields[mv]} mV"),
        TextColumn("{task.fields[strip]}"),
        TimeElapsedColumn(),
    )
    spikes, strip = 0, Strip(dt)
    with Progress(*columns, console=screen.err, refresh_per_second=10) as live:
        task: Any = live.add_task("", total=total, spikes=0, mv="", strip="")

        def update(steps: np.ndarray, voltage: np.ndarray, fired: np.ndarray) -> None:
            nonlocal spikes
            if not len(steps):
                return
            spikes = int(fired.sum()) + (0 if steps[0] == 0 else spikes)
            strip.take(steps, voltage)
            live.update(
                task,
                completed=min(total, int(steps[-1]) + 1),
                spikes=spikes,
                mv=f"{voltage[-1]:7.1f}",
                strip=strip.text,
            )

        yield update


class Strip:
    """A line of text that shows the highest voltage in each 5 ms of the last 200."""

    def __init__(self, dt: float) -> None:
        self.dt = dt
        self.columns: dict[int, float] = {}

    def take(self, steps: np.ndarray, voltage: np.ndarray) -> None:
        for column, v in zip((steps * self.dt // COLUMN).astype(int), voltage, strict=True):
            self.columns[int(column)] = max(v, self.columns.get(int(column), -np.inf))
        newest = max(self.columns)
        self.columns = {k: v for k, v in self.columns.items() if newest - STRIP < k <= newest}

    @property
    def text(self) -> str:
        newest = max(self.columns, default=0)
        heights = [self.columns.get(k) for k in range(newest - STRIP + 1, newest + 1)]
        lo, hi = SHOWN
        scale = (len(LEVELS) - 1) / (hi - lo)
        return "".join(" " if v is None else LEVELS[int(np.clip(round((v - lo) * scale), 0, 7))] for v in heights)
