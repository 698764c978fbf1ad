"""A board in Python: runs a current through its neuron, and compares what comes with the reference."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from spikefab.calls import public, whole
from spikefab.errors import BoardError, UsageError, shortened
from spikefab.hw.neuron import Neuron
from spikefab.units import currents

from . import link
from .connection import POLL, TRIES, Connection, LostError, per_frame
from .link import DECIMATIONS, HOLD, TIME_BITS, Control, Flag, Layout, Op
from .reference_board import noise_codes, simulated


@dataclass(frozen=True)
class BoardRun:
    """What a board did under a current of T steps.

    mode        "lockstep" or "free-run"
    times       (K,) ms, of the samples of the voltage
    voltage     (K,) mV
    spikes      (N,) ms
    steps       T
    mismatches  samples and spikes that are not those of the reference; None if they were not compared
    seconds     s, that the run took, the writing of the registers included
    repeats     times that the run was made anew because the line lost something
    """

    mode: str
    times: np.ndarray
    voltage: np.ndarray
    spikes: np.ndarray
    steps: int
    mismatches: int | None
    seconds: float
    repeats: int

    def __iter__(self) -> Iterator[np.ndarray]:
        """So that `voltage, spikes = board.run(current)` has them."""
        return iter((self.voltage, self.spikes))


class Board:
    """A board that holds a neuron. Made by `connect`."""

    def __init__(
        self, neuron: Neuron, connection: Connection, identity: dict[str, Any], port: str, stack: ExitStack
    ) -> None:
        self.neuron, self.identity, self.port = neuron, identity, port
        self.connection = connection
        self.record: Recorder | None = None  # of the last run, also if it was interrupted
        self.progress: Callable[[str], None] | None = None  # called with a sentence before something that takes long
        dp = neuron.datapath
        self.layout = Layout(dp.code_bits, dp.current.width, dp.readout.width, identity["depth"])
        self._stack = stack

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def simulated(self) -> bool:
        """Whether a program answers and not a board: the port is a pseudo terminal."""
        return os.path.realpath(self.port).startswith("/dev/pts/")

    def close(self) -> None:
        """Close the port; a simulated board ends."""
        self._stack.close()

    @public
    def write(self, name: str, code: int) -> None:
        """Write a code to the register of this name, also while the neuron runs: it counts from the next step on."""
        for register in self.neuron.datapath.registers:
            if register.name == name:
                q = register.format
                if isinstance(code, bool) or not isinstance(code, Integral) or not q.lo <= code <= q.hi:
                    raise UsageError(f"a code of {name} is a whole number, {q.lo} to {q.hi}, not {shortened(code)}.")
                self.connection.write(self.layout, register.address, int(code))
                return
        raise UsageError(f"{type(self.neuron).__name__} has no register {name!r}.")

    @public
    def run(
        self,
        current: ArrayLike,
        *,
        free: bool = False,
        every: int = 1,
        noise_bits: int = 0,
        seed: int = 1,
        compare: bool = True,
        watch: Callable[[np.ndarray, np.ndarray, np.ndarray], None] | None = None,
    ) -> BoardRun:
        """Run a current (T,), nA or in a unit that it carries, through the neuron, from its initial state.

        free        False: lockstep, each step waits for the host. True: free-run, one step a dt, by the clock of the board
        every       steps between two samples of the voltage, one of `link.DECIMATIONS`; spikes are always told
        noise_bits  of the noise that is added to the current on the board: -2**(b-1) .. 2**(b-1) - 1 codes; 0 is none
        seed        of the noise, 1 .. 2**31 - 1
        compare     whether to compare with the reference
        watch       called with new samples while it runs: steps, mV, and whether the neuron spiked

        Raises UsageError if the current is out of range, BoardError if the board does not keep up.
        """
        if every not in DECIMATIONS:
            raise UsageError(f"every = {every} is not one of {', '.join(map(str, DECIMATIONS))} steps.")
        noise_bits, seed = whole(noise_bits, "noise_bits"), whole(seed, "seed", 1)
        if not 0 <= noise_bits <= self.layout.current or not 0 < seed < 1 << 31:
            raise UsageError(f"noise of {noise_bits} bits with seed {seed} cannot be made.")
        codes = self.neuron.simulation.input_codes(currents(current, self.neuron.dt, several=False))
        noise, _ = noise_codes(link.noise_state(seed), noise_bits, self.layout.current, len(codes))
        total = codes + noise
        q = self.neuron.datapath.current
        if np.any((total < q.lo) | (total > q.hi)):
            raise UsageError(
                f"current and noise together are beyond the input's span of {self.neuron.datapath.i_span:g} nA."
            )
        started = time.monotonic()
        setting = Control.RUN | (Control.PACED if free else 0) | link.noise(noise_bits) | link.decimated(every)
        repeats = 0
        while True:
            self.record = record = self._recorder(watch)
            try:
                self._start(seed)
                self._play(codes, setting, free, every, record)
                break
            except LostError:
                repeats += 1
                if repeats == TRIES:
                    raise BoardError(
                        f"the line to {self.port} lost data in each of {TRIES} runs: try another cable or a smaller --baud."
                    ) from None
                self.connection.identify()
        self._stop()
        seconds = round(time.monotonic() - started, 3)
        mode = "free-run" if free else "lockstep"
        about = {"mode": mode, "steps": len(codes), "seconds": seconds, "repeats": repeats}
        return self._ran(record, total, every, compare, about)

    def _recorder(self, watch: Callable[..., None] | None) -> "Recorder":
        return Recorder(self.layout, self.neuron.datapath, watch)

    def _ran(
        self, record: "Recorder", current: np.ndarray, every: int, compare: bool, about: dict[str, Any]
    ) -> BoardRun:
        """The result of a run, from its records and the current codes (T,) with their noise."""
        steps, v, fired = record.arrays()
        dp = self.neuron.datapath
        ours = steps < len(current)
        steps, v, fired = steps[ours], v[ours], fired[ours]
        wrong = self._mismatches(current, steps, v, fired, every) if compare else None
        return BoardRun(
            times=steps * dp.dt, voltage=dp.readout.decode(v), spikes=steps[fired] * dp.dt, mismatches=wrong, **about
        )

    def _start(self, seed: int) -> None:
        """Stop the neuron, empty the queues, and write all registers."""
        c = self.connection
        self._stop()
        self._load()
        c.write(self.layout, Op.CONTROL, Control.RESTART)
        c.write(self.layout, Op.SEED, link.noise_state(seed))
        c.settle()

    def _load(self) -> None:
        for register, code in zip(self.neuron.datapath.registers, self.neuron.reset_codes, strict=True):
            self.connection.write(self.layout, register.address, code)

    def _stop(self) -> None:
        """Stop the neuron, and wait until its last records have come, which are dropped."""
        self.connection.listen(None)
        self.connection.write(self.layout, Op.CONTROL, 0)
        self.connection.settle()
        quiet = time.monotonic()
        while time.monotonic() - quiet < POLL:
            if self.connection.turn():
                quiet = time.monotonic()

    def _play(self, codes: np.ndarray, setting: int, free: bool, every: int, record: "Recorder") -> None:
        """Send the stimulus while the neuron runs, until the last step has been done and told."""
        c, layout = self.connection, self.layout
        c.listen(record.take)
        # An answer tells the entries that were played only in whole units. One more of them tells when the last was.
        unit, size = layout.depth // 128, per_frame(layout)
        entries = [*run_lengths(codes), *[(0, 1)] * unit]
        real = len(entries) - unit
        ends = np.cumsum([steps for _, steps in entries])
        sent = played = 0
        running = False
        asked = time.monotonic()
        last = None  # whether the last entry was taken in time
        while True:
            while sent < len(entries) and len(entries[sent : sent + size]) <= layout.depth - (sent - played):
                c.play(layout, entries[sent : sent + size])
                sent += len(entries[sent : sent + size])
                played = self._played(played, unit, ends, record)
            if not running:
                c.settle()
                running, last = True, True if sent == len(entries) else None
                c.begun = 0
                c.write(layout, Op.CONTROL, setting)
            good = c.turn()
            played = self._played(played, unit, ends, record)
            if free and last is None and sent == len(entries) and not c.waiting:
                last = not c.flags & Flag.STARVED
            self._check(free and (sent < len(entries) or last is False))
            if every == 1 and record.done >= len(codes):
                return
            if good:
                asked = time.monotonic() if record.new else asked
            if not c.waiting and time.monotonic() - asked > (POLL if sent == len(entries) else POLL / 4):
                if played >= real and not record.new:
                    return
                record.new = False
                asked = time.monotonic()
                c.write(layout, Op.CONTROL, setting)

    def _played(self, before: int, unit: int, ends: np.ndarray, record: "Recorder") -> int:
        """Entries that were played, by the last answer and the last record."""
        units = before // unit
        told = (units + (self.connection.begun - units) % 256) * unit
        if told > min(len(ends), before + self.layout.depth):  # an answer from before those that are known
            told = before
        return max(told, before, int(np.searchsorted(ends, record.done, side="right")))

    def _check(self, starving: bool) -> None:
        """Raise BoardError if the board says that it did not keep up."""
        flags = self.connection.flags
        if flags & Flag.LOST:
            raise BoardError(
                "the line is too slow for so many samples and spikes in free-run: take more steps between samples, --every 4, or "
                "run in lockstep."
            )
        if flags & Flag.LATE:
            raise BoardError("a step takes longer than dt on this board: build for a faster clock, or run in lockstep.")
        if flags & Flag.STARVED and starving:
            raise BoardError(
                "the host was too slow for free-run, and the stimulus had a gap: run it again, or in lockstep."
            )
        if flags & Flag.CLIPPED:
            raise BoardError("current and noise were together beyond the range of the input.")

    def _mismatches(self, current: np.ndarray, steps: np.ndarray, v: np.ndarray, fired: np.ndarray, every: int) -> int:
        """Samples that are not those of the reference, that are missing, or that should not be there."""
        n = self.neuron
        expected, spikes, _ = simulated(n.datapath, [*n.codes.values()], [*n.initial.values()], current)
        due = spikes | (np.arange(len(current)) % every == 0)
        told = np.zeros(len(current), dtype=bool)
        told[steps] = True
        wrong = (v != expected[steps]) | (fired != spikes[steps])
        return int(wrong.sum() + (told != due).sum())


class Recorder:
    """Collects records, and gives each step its full number."""

    def __init__(self, layout: Layout, dp: Any, watch: Callable[..., None] | None) -> None:
        self.layout, self.dp, self.watch = layout, dp, watch
        self.steps: list[int] = []
        self.v: list[int] = []
        self.fired: list[bool] = []
        self.new = False  # something came since this was last set

    @property
    def done(self) -> int:
        """Steps that were done at least."""
        return self.steps[-1] + 1 if self.steps else 0

    def take(self, data: bytes) -> None:
        size, first = self.layout.record_bytes, len(self.steps)
        for k in range(0, len(data) - size + 1, size):
            time, spike, v = self.layout.record(data[k : k + size])
            if self.steps:
                # A record comes at least every 2**15 steps, so that the number of the step is known from its low bits.
                time = self.steps[-1] + 1 + (time - self.steps[-1] - 1) % (1 << TIME_BITS)
            self.steps.append(time)
            self.v.append(v)
            self.fired.append(spike)
        self.tell(first)

    def tell(self, first: int) -> None:
        """Tell who watches of the samples from the `first` on."""
        self.new = True
        if self.watch is not None:
            v = self.dp.readout.decode(np.array(self.v[first:], dtype=int))
            self.watch(np.array(self.steps[first:], dtype=int), v, np.array(self.fired[first:], dtype=bool))

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.array(self.steps, dtype=int), np.array(self.v, dtype=int), np.array(self.fired, dtype=bool)


def run_lengths(codes: np.ndarray) -> Iterator[tuple[int, int]]:
    """The entries of a stimulus: (code, steps), of 256 steps at most."""
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    for start, end in zip(starts, [*starts[1:], len(codes)], strict=True):
        for k in range(start, end, HOLD):
            yield int(codes[start]), min(HOLD, end - k)
