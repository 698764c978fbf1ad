"""Simulators of one neuron for users, with `step`, `run`, `v` and `spiked`: in exact integers or in float64."""

from typing import Any

import numpy as np

from spikefab.calls import public
from spikefab.errors import UsageError
from spikefab.hw.neuron import Neuron
from spikefab.units import currents, number

from . import ideal, kernels, reference


def shown(neuron: Neuron, state: dict[str, Any]) -> float:
    """mV, what a neuron shows in a state before its first step."""
    spec = type(neuron).spec
    return float(neuron.shown(spec.names(state), spec.names(neuron.values)))


class Simulator:
    """Simulates a neuron in the integers of the hardware. Users call it through the neuron itself."""

    def __init__(self, neuron: Neuron):
        self.neuron, self.dp = neuron, neuron.datapath
        self.coefficients = np.array(list(neuron.codes.values()), dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        # state codes at the start of the last run, and codes (T,) of its current (of the last one, if there were several)
        self.last_run: tuple[np.ndarray, np.ndarray] | None = None
        self.codes = np.array(list(self.neuron.initial.values()), dtype=np.int64)
        self.v = shown(self.neuron, self.state)
        self.spiked = False
        self.spikes: np.ndarray | list[np.ndarray] = np.empty(0)

    def input_codes(self, current) -> np.ndarray:
        """The codes of a current in nA. Raises UsageError if it is outside the span of the input."""
        current = np.asarray(current, dtype=np.float64)
        if not np.all(np.abs(current) <= self.dp.i_span):  # true for NaN as well
            worst = current.flat[int(np.argmax(~(np.abs(current) <= self.dp.i_span)))]
            raise UsageError(
                f"a current of {worst:g} nA is outside the input's span of {self.dp.i_span:g} nA: "
                "make the model with a larger i_span."
            )
        return self.dp.current.encode(current)

    def step(self, i_nA: float) -> float:
        codes = self.input_codes(number(i_nA, "nA", "the current of a step"))
        self.codes, v, spike = reference.step(self.dp, self.codes, self.coefficients, codes)
        self.v, self.spiked = float(self.dp.readout.decode(v)), bool(spike)
        return self.v

    def run(self, current) -> np.ndarray:
        codes = self.input_codes(currents(current, self.dp.dt))
        if codes.ndim == 2:
            self.reset()
        out = self._simulate(self.codes, codes)
        assert out.trace is not None
        self.last_run = self.codes, codes if codes.ndim == 1 else codes[-1]
        steps = [row[:count] for row, count in zip(out.spikes[0], out.count[0], strict=True)]
        v = out.trace[0].copy()
        self.codes, self.v = out.end[0, -1], float(v[-1, -1])
        self.spiked = bool(len(steps[-1]) and steps[-1][-1] == codes.shape[-1] - 1)
        self.spikes = [row * self.dp.dt for row in steps] if codes.ndim == 2 else steps[0] * self.dp.dt
        return v if codes.ndim == 2 else v[0]

    def repeat(self, start: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The voltage (T,) mV and the spikes (n,) ms of a run from `start` (state codes), which leaves this neuron as it is."""
        out = self._simulate(start, codes)
        assert out.trace is not None
        return out.trace[0, 0].copy(), out.spikes[0, 0, : out.count[0, 0]] * self.dp.dt

    def _simulate(self, start: np.ndarray, codes: np.ndarray) -> kernels.Batch:
        return kernels.simulate(
            self.dp, self.coefficients, codes, initial=start[None], max_spikes=max(1, codes.shape[-1]), trace=True
        )

    @property
    def state(self) -> dict[str, float]:
        return {n: float(q.decode(c)) for (n, q), c in zip(self.dp.states.items(), self.codes, strict=True)}

    def ideal(self, *, tables: bool = False) -> "Ideal":
        return Ideal(self.neuron, tables=tables)


class Ideal:
    """Simulates a neuron in float64 with the same parameters, those that its codes stand for.

    With `tables`, functions are read from the tables of the hardware; otherwise they are exact.
    """

    def __init__(self, neuron: Neuron, *, tables: bool = False):
        self.neuron, self.dp, self.tables = neuron, neuron.datapath, tables
        self.coefficients: dict[str, Any] = ideal.real_coefficients(self.dp, neuron.values)
        self.reset()

    def reset(self) -> None:
        initial = self.neuron.initial
        self.state: dict[str, Any] = {n: float(q.decode(initial[n])) for n, q in self.dp.states.items()}
        self.v = shown(self.neuron, self.state)
        self.spiked = False
        self.spikes: np.ndarray | list[np.ndarray] = np.empty(0)

    @public
    def step(self, i_nA: float) -> float:
        i_nA = number(i_nA, "nA", "the current of a step")
        self.state, v, spike = ideal.step(self.dp, self.state, self.coefficients, i_nA, tables=self.tables)
        self.v, self.spiked = float(v), bool(spike)
        return self.v

    @public
    def run(self, current) -> np.ndarray:
        rows = currents(current, self.dp.dt)
        if several := rows.ndim == 2:
            self.reset()
        begin = {n: np.full(len(rows), x) for n, x in self.state.items()} if several else self.state
        v, spikes, end = ideal.run(self.dp, begin, self.coefficients, rows.T, tables=self.tables)
        v, spikes = v.T, spikes.T
        self.state = {n: x[-1] for n, x in end.items()} if several else end
        times = [np.flatnonzero(row) * self.dp.dt for row in np.atleast_2d(spikes)]
        self.spikes = times if several else times[0]
        self.v, self.spiked = float(v.flat[-1]), bool(spikes.flat[-1])
        return v
