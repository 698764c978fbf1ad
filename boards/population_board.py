"""A board that holds a population: its neurons are loaded over the link, and their spikes come back as events."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spikefab.calls import public, whole
from spikefab.errors import UsageError
from spikefab.hw.neuron import Neuron, require_neuron

from .link import TIME_BITS, Layout
from .playing import Board, BoardRun, Recorder
from .population import Crowd
from .reference_board import simulated
from .reference_population import simulated_together


@dataclass(frozen=True)
class PopulationRun(BoardRun):
    """As of one neuron: `times` and `voltage` are those of the neuron that was shown, and `spikes` those of all, in order.

    neurons     (N,) the neuron of each spike
    mismatches  samples and spikes that are not those of the reference, too many, or missing; None if they were not compared
    """

    neurons: np.ndarray


SAID = 2_000  # registers that are written without a word: 0.4 s on a line of 1 Mbaud


class PopulationBoard(Board):
    """A board with a population, all of whose neurons are first as the one it was connected with. Made by `connect`.

    crowd  how many there are, in how many lanes, and the names of the coefficients in which they can differ
    """

    def __init__(self, neuron: Neuron, *rest: Any) -> None:
        super().__init__(neuron, *rest)
        there = self.identity["crowd"]
        self.crowd = Crowd(there["neurons"], there["lanes"], per_neuron=tuple(there["own"]))
        codes = np.array(neuron.reset_codes, dtype=np.int64)
        self._codes = np.tile(codes, (self.crowd.neurons, 1))  # of all registers
        self._shown = 0

    @public
    def load(self, neurons: Sequence[Neuron]) -> None:
        """Let the next runs be of these neurons, one for each of the population.

        Raises UsageError if there are not as many, or if they differ in more than states and `crowd.per_neuron`.
        """
        given, dp = list(neurons), self.neuron.datapath
        if len(given) != self.crowd.neurons:
            raise UsageError(f"the board holds {self.crowd.neurons:,} neurons: {len(given):,} cannot be loaded.")
        for n, one in enumerate(given):
            require_neuron(one)
            if one.datapath.formats != dp.formats or type(one) is not type(self.neuron):
                raise UsageError(
                    f"neuron {n} is another model than {type(self.neuron).__name__}, or has other formats."
                )
        codes = np.array([one.reset_codes for one in given], dtype=np.int64)
        for k, register in enumerate(dp.registers):
            differ = np.flatnonzero(codes[:, k] != codes[0, k])
            if len(differ) and register.kind == "coefficient" and register.name not in self.crowd.per_neuron:
                raise UsageError(
                    f"neuron {differ[0]} has another {register.name} than neuron 0, and all neurons of this bitstream share it: "
                    f"build with --per-neuron {','.join((*self.crowd.per_neuron, register.name))}."
                )
        self._codes = codes

    @public
    def run(self, current: ArrayLike, *, shown: int = 0, **more: Any) -> PopulationRun:
        """As `Board.run`: the same current for all neurons. `shown` is the neuron whose voltage is told."""
        if not 0 <= whole(shown, "shown") < self.crowd.neurons:
            raise UsageError(f"there is no neuron {shown}: the population has {self.crowd.neurons:,}, from 0 on.")
        self._shown = shown
        found = super().run(current, **more)
        assert isinstance(found, PopulationRun)
        return found

    @public
    def write(self, name: str, code: int) -> None:
        """Write a code to a register of all neurons, also while they run: it counts from the next step on."""
        self._select(self.crowd.everyone)
        super().write(name, code)
        self._select(self.crowd.number(self._shown))

    @property
    def events(self) -> np.ndarray:
        """The spikes (K, 2) of the last run, as (step, neuron) in order, also if it was interrupted."""
        found = self.record.events if isinstance(self.record, EventRecorder) else []
        events = np.array(found, dtype=np.int64).reshape(-1, 2)
        return events[np.lexsort(events.T[::-1])]

    def _select(self, number: int) -> None:
        self.connection.write(self.layout, len(self.neuron.datapath.registers), number)

    def _load(self) -> None:
        """Write what most neurons have to all, and then to each what it has else; at last, select the one that is shown."""
        c, layout, registers = self.connection, self.layout, self.neuron.datapath.registers
        usual = [np.unique(column, return_counts=True) for column in self._codes.T]
        common = np.array([codes[np.argmax(counts)] for codes, counts in usual])
        self._select(self.crowd.everyone)
        for register, code in zip(registers, common, strict=True):
            c.write(layout, register.address, code)
        differ = self._codes != common
        if self.progress is not None and differ.sum() > SAID:
            self.progress(f"writing {differ.sum():,} registers of {differ.any(axis=1).sum():,} neurons")
        for n in np.flatnonzero(differ.any(axis=1)):
            self._select(self.crowd.number(int(n)))
            for k in np.flatnonzero(differ[n]):
                c.write(layout, registers[k].address, self._codes[n, k])
        self._select(self.crowd.number(self._shown))

    def _recorder(self, watch: Callable[..., None] | None) -> "EventRecorder":
        return EventRecorder(self.layout, self.neuron.datapath, watch, self.crowd, self._shown)

    def _ran(
        self, record: Recorder, current: np.ndarray, every: int, compare: bool, about: dict[str, Any]
    ) -> PopulationRun:
        dp = self.neuron.datapath
        steps, v, _ = record.arrays()
        v, steps = v[steps < len(current)], steps[steps < len(current)]
        events = self.events[self.events[:, 0] < len(current)]
        wrong = self._differ(current, steps, v, events, every) if compare else None
        return PopulationRun(
            times=steps * dp.dt, voltage=dp.readout.decode(v), spikes=events[:, 0] * dp.dt, neurons=events[:, 1],
            mismatches=wrong, **about,
        )  # fmt: skip

    def _differ(self, current: np.ndarray, steps: np.ndarray, v: np.ndarray, events: np.ndarray, every: int) -> int:
        dp, count = self.neuron.datapath, len(self.neuron.datapath.coefficients)
        codes, states = self._codes[:, :count], self._codes[:, count:]
        expected, *_ = simulated(dp, codes[self._shown], states[self._shown], current)
        due = np.arange(0, len(current), every)
        samples = (
            len({*due.tolist()} ^ {*steps.tolist()})
            + len(steps)
            - len({*steps.tolist()})
            + int((v != expected[steps]).sum())
        )
        wanted, _ = simulated_together(dp, codes, states, current)
        here, there = {*map(tuple, wanted.tolist())}, {*map(tuple, events.tolist())}
        return samples + len(here ^ there) + len(events) - len(there)


class EventRecorder(Recorder):
    """Collects the records of a population. `events` are (step, neuron), in the order in which they came."""

    def __init__(self, layout: Layout, dp: Any, watch: Callable[..., None] | None, crowd: Crowd, shown: int) -> None:
        super().__init__(layout, dp, watch)
        self.crowd, self.shown = crowd, shown
        self.events: list[tuple[int, int]] = []
        self._last: int | None = None  # step of the last record
        self._sample = False  # it was a sample, which is the last record of its step
        self._fires = False  # the neuron that is shown spiked in the step of the last event

    @property
    def done(self) -> int:
        """Steps that were done and told at least."""
        return 0 if self._last is None else self._last + self._sample

    def take(self, data: bytes) -> None:
        size, first, mask = self.layout.record_bytes, len(self.steps), self.crowd.everyone - 1
        for k in range(0, len(data) - size + 1, size):
            time, spike, v = self.layout.record(data[k : k + size])
            if self._last is not None:
                least = self._last + self._sample  # the step of the next record at least
                time = least + (time - least) % (1 << TIME_BITS)
            if time != self._last:
                self._fires = False
            self._last, self._sample = time, not spike
            if spike:
                neuron = self.crowd.neuron(v & mask)
                self.events.append((time, neuron))
                self._fires |= neuron == self.shown
                continue
            self.steps.append(time)
            self.v.append(v)
            self.fired.append(self._fires)
        self.tell(first)
