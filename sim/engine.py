"""Engines: one interface for simulating candidates of a model, in the fixed point of the hardware or in float64.

A *row* is one candidate (parameter set): a number for each coefficient of the model, in the order of
`Datapath.coefficients`. The numbers of coefficients, states and input currents are in the unit of the engine: codes in fixed
point, real numbers in float64. Code that searches or scores a model uses an engine and works with both kinds.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.hw.spec import Param

from . import ideal, ideal_kernel, kernels
from .kernels import Batch

Notice = Callable[[str], None] | None
# ms for which a neuron is simulated under its baseline current, to find its state at the start of a sweep. It is as long before a
# sweep that is shorter: the cell had been held for as long as before any other.
SETTLE = 200.0
# Steps of a sweep above which a float64 model is compiled: that takes some seconds, but a longer sweep would take longer.
INTERPRETED = 5_000
ONE_BY_ONE = 6  # sweeps up to which each is interpreted by itself, in numbers of Python: more are faster as arrays


class Format(Protocol):
    """The numbers of one coefficient: their range `lo` to `hi`, and conversions from and to real values. `Q` is one kind."""

    @property
    def lo(self) -> float: ...
    @property
    def hi(self) -> float: ...
    def encode(self, value: Any) -> np.ndarray: ...
    def decode(self, code: Any) -> np.ndarray: ...


@dataclass(frozen=True)
class Real:
    """The format of the float64 engine: real numbers from `lo` to `hi`, without rounding."""

    lo: float
    hi: float

    def encode(self, value: Any) -> np.ndarray:
        return np.asarray(value, dtype=np.float64)

    decode = encode


class Run(NamedTuple):
    """The simulation of one row on S sweeps.

    voltage  (T,) mV for each sweep
    spikes   (n,) ms for each sweep
    initial  (S, states) in which the sweeps began, in the unit of the engine
    """

    voltage: list[np.ndarray]
    spikes: list[np.ndarray]
    initial: np.ndarray


class Engine(ABC):
    """Simulates candidates of a datapath.

    formats  format of each coefficient, by name
    moves    (coefficients,) smallest change of each coefficient in a search: one code of the hardware
    arithmetic  None if it computes as the hardware, else in what
    """

    arithmetic: str | None = None

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
        """The rows (N, coefficients) for physical parameters, each a number or (N,)."""

    @abstractmethod
    def dequantise(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """name -> (...), the physical parameters of rows (..., coefficients)."""

    @abstractmethod
    def encode(self, current: Any) -> np.ndarray:
        """A current in nA, of any shape, in the unit of the engine."""

    @abstractmethod
    def codes(self, rows: np.ndarray) -> np.ndarray:
        """The hardware's codes (..., coefficients) nearest to rows."""

    @abstractmethod
    def state_codes(self, states: np.ndarray) -> np.ndarray:
        """The hardware's state codes (..., states) nearest to states in the unit of the engine."""

    @abstractmethod
    def simulate(self, rows: np.ndarray, current: np.ndarray, **more: Any) -> Batch:
        """Simulate rows (N, coefficients) under inputs (S, T). `more` and the result are as in `kernels.simulate`."""

    @property
    def kernel(self) -> kernels.Kernel | None:
        """What is compiled before the first simulation; None if nothing is."""
        return None

    @property
    @abstractmethod
    def compiled(self) -> bool:
        """Whether the kernel is in the cache. If not, the first call compiles it, which takes some seconds."""

    @abstractmethod
    def announce(self, notice: Notice) -> None:
        """Call `notice` if the kernel has yet to be compiled."""

    @abstractmethod
    def identity(self) -> bytes:
        """A hash of everything that determines the result of a simulation."""

    def settle(self, rows: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        """The states (N, S, states) in which the sweeps begin: from rest, 200 ms under their baseline inputs (S,)."""
        levels, which = np.unique(baseline, return_inverse=True)
        held = np.repeat(levels[:, None], round(SETTLE / self.dp.dt), axis=1)
        return self.simulate(rows, held, max_spikes=1).end[:, which]

    def run(self, row: np.ndarray, currents: Sequence[np.ndarray], baselines: np.ndarray) -> Run:
        """Simulate one row (coefficients,) under several currents (T,), nA, whose lengths may differ.

        Each sweep begins in the state that its baseline current (nA) leads to, see `settle`.
        """
        initial = self.settle(row[None], self.encode(baselines))
        voltage, spikes = [], []
        for k, current in enumerate(currents):
            out = self.simulate(row, self.encode(current), initial=initial[:, k], max_spikes=len(current), trace=True)
            assert out.trace is not None
            voltage.append(out.trace[0, 0])
            spikes.append(out.spikes[0, 0, : out.count[0, 0]] * self.dp.dt)
        return Run(voltage, spikes, initial[0])


class FixedPoint(Engine):
    """The engine that computes the integers of the hardware. Its numbers are codes."""

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

    @property
    def kernel(self) -> kernels.Kernel:
        return kernels.kernel(self.dp)

    @property
    def compiled(self) -> bool:
        return kernels.compiled(self.dp)

    def announce(self, notice: Notice) -> None:
        kernels.announce(self.dp, notice)

    def identity(self) -> bytes:
        return kernels.identity(self.dp)


class Float64(Engine):
    """The engine that computes in float64. Its numbers are real; only a refractory time is rounded, to whole steps.

    interpreted  whether `run` interprets the trace in Python, with all sweeps at once; if not, it calls the compiled kernel
                 for each sweep

    `simulate` and `settle` raise TypeError if a table of the model approximates a function that the kernel cannot compute; so
    do `announce` and `run`, unless interpreted.
    """

    arithmetic = "float64"

    def __init__(self, dp: Datapath, *, interpreted: bool = False):
        super().__init__(dp)
        self.interpreted = interpreted
        self.formats = {name: Real(q.lo * q.lsb, q.hi * q.lsb) for name, q in dp.coefficients.items()}
        self.moves = np.array([q.lsb for q in dp.coefficients.values()])

    @classmethod
    def of(cls, dp: Datapath, longest: int, notice: Notice = None) -> "Float64":
        """An engine to run single rows on sweeps of at most `longest` steps.

        It is interpreted if the sweeps are short or the kernel cannot be compiled; otherwise it is compiled, after a call of
        `notice`.
        """
        if longest > INTERPRETED:
            engine = cls(dp)
            try:
                engine.announce(notice)
                return engine
            except TypeError:  # a user's model has a table of a function that the kernel cannot compute
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

    @property
    def kernel(self) -> kernels.Kernel | None:
        return None if self.interpreted else ideal_kernel.kernel(self.dp)

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
        steps, coefficients = round(SETTLE / self.dp.dt), dict(zip(self.dp.coefficients, row.tolist(), strict=True))
        rest = ideal.rest(self.dp, coefficients)
        if len(currents) <= ONE_BY_ONE:
            _, _, ends = zip(
                *(ideal.run(self.dp, rest, coefficients, np.full(steps, i)) for i in baselines), strict=True
            )
            found = [ideal.run(self.dp, begin, coefficients, i) for begin, i in zip(ends, currents, strict=True)]
            voltage, spikes = [v for v, _, _ in found], [fired for _, fired, _ in found]
            initial = np.array([[end[name] for name in self.dp.states] for end in ends])
        else:
            together = np.zeros((max(map(len, currents)), len(currents)))
            for k, current in enumerate(currents):
                together[: len(current), k] = current
            begin = {name: np.full(len(currents), x) for name, x in rest.items()}
            _, _, begin = ideal.run(self.dp, begin, coefficients, np.broadcast_to(baselines, (steps, len(currents))))
            v, fired, _ = ideal.run(self.dp, begin, coefficients, together)
            voltage, spikes = ([x[: len(i), k] for k, i in enumerate(currents)] for x in (v, fired))
            initial = np.stack([begin[name] for name in self.dp.states], axis=-1)
        return Run(voltage, [np.flatnonzero(x) * self.dp.dt for x in spikes], initial)


def _encoded(formats: Mapping[str, Any], values: np.ndarray) -> np.ndarray:
    return np.stack([q.encode(values[..., k]) for k, q in enumerate(formats.values())], axis=-1)
