"""What a board with a population does, computed by the exact reference."""

import time
from collections.abc import Callable

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.sim import kernels

from .link import DECIMATIONS, RECORDS_AT, TIME_BITS
from .reference_board import CHUNK, ReferenceBoard, simulated
from .top import Setup

TOGETHER = 1 << 22  # spikes, of as many neurons as are simulated together, for which there is memory


def simulated_together(
    dp: Datapath, coefficients: np.ndarray, states: np.ndarray, current: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The spikes (K, 2) of neurons under the same current, as (step, neuron) in order, and their states at the end.

    coefficients (neurons, coefficients), states (neurons, states), current (T,): codes
    """
    found, ends, size = [], [], max(1, TOGETHER // max(1, len(current)))
    for first in range(0, len(states), size):
        some = slice(first, first + size)
        out = kernels.simulate(dp, coefficients[some], current, initial=states[some], max_spikes=len(current))
        ends.append(out.end[:, 0])
        for n, (count, steps) in enumerate(zip(out.count[:, 0], out.spikes[:, 0], strict=True), first):
            found.append(np.column_stack([steps[:count], np.full(count, n)]))
    events = np.concatenate(found).astype(np.int64)
    return events[np.lexsort(events.T[::-1])], np.concatenate(ends)


class ReferencePopulation(ReferenceBoard):
    """A `ReferenceBoard` whose bitstream holds a population."""

    def __init__(self, setup: Setup, clock: Callable[[], float] = time.monotonic) -> None:
        assert setup.crowd is not None
        self.crowd, dp = setup.crowd, setup.neuron.datapath
        codes = np.array(setup.neuron.reset_codes, dtype=np.int64)
        self.codes = np.tile(codes, (self.crowd.neurons, 1))  # of all registers, of each neuron
        self.own = {*self.crowd.per_neuron, *dp.states}
        self.selected = 0
        super().__init__(setup, clock)
        self.codes[:] = codes
        self.chunk = max(1, CHUNK * 100 // self.crowd.neurons)

    @property
    def addresses(self) -> int:
        return len(self.dp.registers) + 1

    def _write(self, address: int, value: int) -> None:
        if address == len(self.dp.registers):
            self.selected = value & 2 * self.crowd.everyone - 1
            return
        every = self.selected & self.crowd.everyone or self.dp.registers[address].name not in self.own
        self.codes[slice(None) if every else self.crowd.neuron(self.selected), address] = self._code(address, value)

    def _simulated(self, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The read-out (T,) of the selected neuron and the spikes (K, 2) of all; the states are moved on."""
        count, shown = len(self.dp.coefficients), self.shown
        v, *_ = simulated(self.dp, self.codes[shown, :count], self.codes[shown, count:], current)
        events, ends = simulated_together(self.dp, self.codes[:, :count], self.codes[:, count:], current)
        self.codes[:, count:] = ends
        return v, events

    @property
    def shown(self) -> int:
        """The neuron whose read-out is told."""
        return 0 if self.selected & self.crowd.everyone else self.crowd.neuron(self.selected)

    def _records(self, v: np.ndarray, spikes: np.ndarray) -> bytes:
        every = DECIMATIONS[(self.control >> RECORDS_AT & 15).bit_count()]
        records, k, events = [], 0, spikes.tolist()
        for step in range(len(v)):
            now = (self.time + step) % (1 << TIME_BITS)
            while k < len(events) and events[k][0] == step:
                records.append(self.layout.packed(now, True, self.crowd.number(events[k][1])))
                k += 1
            if (self.time + step) % every == 0:
                records.append(self.layout.packed(now, False, int(v[step])))
        self.time += len(v)
        return self._framed(records)
