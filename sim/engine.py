"""One interface for all that simulates candidates of a model: in the fixed point of the hardware, or in float64.

A *row* is one candidate: a number for each coefficient of the model, in the order of `Datapath.coefficients`. These numbers,
those of states and those of an input current are in the engine's own unit: codes in fixed point, real numbers in float64.
Whoever searches or scores a model asks an engine, and works with either.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.hw.spec import Param

from . import ideal, ideal_kernel, kernels
from .kernels import SETTLE, Batch

Notice = Callable[[str], None] | None
INTERPRETED = 50_000  # steps: the float64 model of a longer sweep is compiled, which takes some seconds, once


class Format(Protocol):
    """What numbers of one coefficient are: `lo` to `hi`, and how they are made of real values. `Q` is one."""

    @property
    def lo(self) -> float: ...
    @property
    def hi(self) -> float: ...
    def encode(self, value: Any) -> np.ndarray: ...
    def decode(self, code: Any) -> np.ndarray: ...


@dataclass(frozen=True)
class Real:
    """Real numbers from `lo` to `hi`, as they are."""

    lo: float
    hi: float

    def encode(self, value: Any) -> np.ndarray:
        return np.asarray(value, dtype=np.float64)

    decode = encode


class Run(NamedTuple):
    """What one row did in each of S sweeps: voltage (T,) mV, spikes (n,) ms; initial (S, states), in the engine's unit."""

    voltage: list[np.ndarray]
    spikes: list[np.ndarray]
    initial: np.ndarray


class Engine(ABC):
    """A datapath, and how its candidates are simulated.

    formats  of each coefficient, by name
    moves    (coefficients,) the number by which a search moves each coefficient at least: what one code stands for
    """

    formats: Mapping[str, Format]
    moves: np.ndarray

    def __init__(self, dp: Datapath):
        self.dp = dp

    @property
    def params(self) -> dict[str, Param]:
        """The parameters of the model, by name, with their units and bounds."""
        return self.dp.params

    @abstractmethod
    def quantise(self, params: Mapping[str, Any]) -> np.ndarray:
        """Rows (N, coefficients) of physical parameters, each a number or (N,)."""

    @abstractmethod
    def dequantise(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The physical parameters (...) that rows (..., coefficients) stand for, by name."""

    @abstractmethod
    def encode(self, current: Any) -> np.ndarray:
        """Input numbers of a current in nA, of any shape."""

    @abstractmethod
    def codes(self, rows: np.ndarray) -> np.ndarray:
        """Codes (..., coefficients) of the hardware that are nearest to rows."""

    @abstractmethod
    def state_codes(self, states: np.ndarray) -> np.ndarray:
        """Codes (..., states) of the hardware that are nearest to states."""

    @abstractmethod
    def simulate(self, rows: np.ndarray, current: np.ndarray, **more: Any) -> Batch:
        """Rows (N, coefficients) under input (S, T); `more` and the result as in `kernels.simulate`."""

    @abstractmethod
    def settle(self, rows: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        """States (N, S, states) in which each sweep begins: rest, then 200 ms of its baseline (S,), an input."""

    @property
    @abstractmethod
    def compiled(self) -> bool:
        """Whether the kernel is in the cache: without it the first call compiles for some seconds."""

    @abstractmethod
    def announce(self, notice: Notice) -> None:
        """Say that a kernel is about to be compiled, if it is."""

    @abstractmethod
    def identity(self) -> bytes:
        """A digest of all that candidates are computed with."""

    def run(self, row: np.ndarray, currents: Sequence[np.ndarray], baselines: np.ndarray) -> Run:
        """One row (coefficients,) under each current (T,), settled under its baseline; all in nA. Lengths may differ."""
        initial = self.settle(row[None], self.encode(baselines))
        voltage, spikes = [], []
        for k, current in enumerate(currents):
            out = self.simulate(row, self.encode(current), initial=initial[:, k], max_spikes=len(current), trace=True)
            assert out.trace is not None
            voltage.append(out.trace[0, 0])
            spikes.append(out.spikes[0, 0, : out.count[0, 0]] * self.dp.dt)
        return Run(voltage, spikes, initial[0])


class FixedPoint(Engine):
    """The integers of the hardware: numbers are codes."""

    def __init__(self, dp: Datapath):
        super().__init__(dp)
        self.formats = dp.coefficients
        self.moves = np.ones(len(dp.coefficients), dtype=np.int64)

    def quantise(self, params: Mapping[str, Any]) -> np.ndarray:
        return self.dp.quantise(params)

    def dequantise(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return self.dp.dequantise(rows)

    def encode(self, current: Any) -> np.ndarray:
        return self.dp.current.encode(current)

    def codes(self, rows: np.ndarray) -> np.ndarray:
        return rows

    def state_codes(self, states: np.ndarray) -> np.ndarray:
        return states

    def simulate(self, rows: np.ndarray, current: np.ndarray, **more: Any) -> Batch:
        return kernels.simulate(self.dp, rows, current, **more)

    def settle(self, rows: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        return kernels.settle(self.dp, rows, baseline)

    @property
    def compiled(self) -> bool:
        return kernels.compiled(self.dp)

    def announce(self, notice: Notice) -> None:
        kernels.announce(self.dp, notice)

    def identity(self) -> bytes:
        return kernels.identity(self.dp)


class Float64(Engine):
    """The ideal: numbers are real, and nothing is rounded but a refractory time, which is whole steps.

    interpreted  whether `run` steps through the trace in Python, all sweeps at once, where it else calls the kernel for each

    `simulate`, `settle` and, unless interpreted, `announce` and `run` raise TypeError for a model with a table of a function
    that has no statement.
    """

    def __init__(self, dp: Datapath, *, interpreted: bool = False):
        super().__init__(dp)
        self.interpreted = interpreted
        self.formats = {name: Real(q.lo * q.lsb, q.hi * q.lsb) for name, q in dp.coefficients.items()}
        self.moves = np.array([q.lsb for q in dp.coefficients.values()])

    @classmethod
    def of(cls, dp: Datapath, longest: int, notice: Notice = None) -> "Float64":
        """To run single rows in sweeps of up to `longest` steps: interpreted where sweeps are short, or where a kernel cannot
        be written; else compiled, after telling `notice`."""
        if longest > INTERPRETED:
            engine = cls(dp)
            try:
                engine.announce(notice)
                return engine
            except TypeError:  # a user's model has a table of a function that has no statement
                pass
        return cls(dp, interpreted=True)

    def quantise(self, params: Mapping[str, Any]) -> np.ndarray:
        values = ideal.real_coefficients(self.dp, dict(params))
        columns = np.broadcast_arrays(*(np.atleast_1d(values[name]) for name in self.dp.coefficients))
        return np.stack(columns, axis=-1).astype(np.float64)

    def dequantise(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        values = {name: np.array(rows[..., k]) for k, name in enumerate(self.dp.coefficients)}
        return self.dp.model.spec.parameters(values, self.dp.dt)

    def encode(self, current: Any) -> np.ndarray:
        return np.asarray(current, dtype=np.float64)

    def codes(self, rows: np.ndarray) -> np.ndarray:
        return _encoded(self.dp.coefficients, rows)

    def state_codes(self, states: np.ndarray) -> np.ndarray:
        return _encoded(self.dp.states, states)

    def simulate(self, rows: np.ndarray, current: np.ndarray, **more: Any) -> Batch:
        return ideal_kernel.simulate(self.dp, rows, current, **more)

    def settle(self, rows: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        return ideal_kernel.settle(self.dp, rows, baseline)

    @property
    def compiled(self) -> bool:
        return self.interpreted or ideal_kernel.compiled(self.dp)

    def announce(self, notice: Notice) -> None:
        if not self.interpreted:
            ideal_kernel.announce(self.dp, notice)

    def identity(self) -> bytes:
        return ideal_kernel.identity(self.dp)

    def run(self, row: np.ndarray, currents: Sequence[np.ndarray], baselines: np.ndarray) -> Run:
        if not self.interpreted:
            return super().run(row, currents, baselines)
        together = np.zeros((max(map(len, currents)), len(currents)))
        for k, current in enumerate(currents):
            together[: len(current), k] = current
        coefficients = dict(zip(self.dp.coefficients, row.tolist(), strict=True))
        rest = {name: np.full(len(currents), x) for name, x in ideal.rest(self.dp, coefficients).items()}
        before = np.broadcast_to(baselines, (round(SETTLE / self.dp.dt), len(currents)))
        _, _, initial = ideal.run(self.dp, rest, coefficients, before)
        v, fired, _ = ideal.run(self.dp, initial, coefficients, together)
        return Run(
            [v[: len(i), k] for k, i in enumerate(currents)],
            [np.flatnonzero(fired[: len(i), k]) * self.dp.dt for k, i in enumerate(currents)],
            np.stack([initial[name] for name in self.dp.states], axis=-1),
        )


def _encoded(formats: Mapping[str, Any], values: np.ndarray) -> np.ndarray:
    return np.stack([q.encode(values[..., k]) for k, q in enumerate(formats.values())], axis=-1)
