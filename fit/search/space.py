"""The space of a search: a range for each parameter, found from measured constants, and its map to a unit cube and codes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikefab.fit.features.measured import Measured
from spikefab.hw.datapath import Datapath
from spikefab.hw.spec import Quantity, Role
from spikefab.sim.engine import Engine

FACTOR = 3.0  # C, R and tau are searched within this factor of their measured value
FACTOR_GATED = 6.0  # factor within which C, R and tau are searched in models with gates that are partly open at rest
NEAR = 8.0  # mV on either side of a measured potential in which it is searched
FAR = 20.0  # mV on either side of the resting potential, for the reversal of a leak if other currents flow at rest too
THRESHOLD = (-40.0, 10.0)  # mV, relative to the median onset of spikes, between which a threshold is searched
LEVEL = 10.0  # mV above E_L: lowest level at which a spike is detected
COUPLING = (-1.5, 4.0)  # bounds for conductances of adaptation and recovery, in units of 1/R
JUMP = (-0.2, 0.6)  # bounds for what a spike adds to adaptation and recovery, in units of the largest drive


def bounds(dp: Datapath, name: str, m: Measured) -> tuple[float, float]:
    """The range in which a parameter is searched, if it has no quantity: around its measured value, within its bounds."""
    param = dp.params[name]
    lo, hi = param.bounds
    role = param.role
    # A refractory time is searched in its full bounds, up to 30 ms: in a model without a slow after-hyperpolarisation, a long
    # one takes its place. LIF on the steps of 18713001.abf has a held-out score of 0.43 in this way, 0.49 with at most 8 ms.
    if role in PASSIVE and m.passive:
        factor = FACTOR_GATED if dp.model.spec.having(Role.SPIKE_LEVEL) else FACTOR
        lo, hi = max(lo, PASSIVE[role](m) / factor), min(hi, PASSIVE[role](m) * factor)
    elif role is Role.THRESHOLD and m.onset is not None:
        lo, hi = max(lo, m.onset + THRESHOLD[0]), min(hi, m.onset + THRESHOLD[1])
    elif role is Role.THRESHOLD_ABOVE_REST and m.onset is not None:
        lo, hi = max(lo, m.onset - m.E_L + THRESHOLD[0]), min(hi, m.onset - m.E_L + THRESHOLD[1])
    elif role is Role.RESET and m.reset is not None and m.trough is not None:
        # the lower bound is near the trough, because in a broad spike the voltage still falls when the reset is measured
        lo, hi = max(lo, min(m.trough, m.E_L) - NEAR), min(hi, m.reset + NEAR)
    elif role is Role.RESET_ABOVE_REST and m.reset is not None and m.trough is not None:
        lo, hi = max(lo, min(m.trough - m.E_L, 0) - NEAR), min(hi, m.reset - m.E_L + NEAR)
    elif role is Role.SPIKE_LEVEL and m.half is not None:
        lo, hi = max(lo, m.E_L + LEVEL), min(hi, m.half)
    elif role in (Role.REST, Role.LEAK_REVERSAL):
        near = NEAR if role is Role.REST else FAR
        lo, hi = max(lo, m.E_L - near), min(hi, m.E_L + near)
    elif role is Role.COUPLING and m.passive:
        lo, hi = max(lo, COUPLING[0] / m.R), min(hi, COUPLING[1] / m.R)
    elif role is Role.JUMP:
        lo, hi = max(lo, JUMP[0] * m.drive), min(hi, JUMP[1] * m.drive)
    elif role is Role.INPUT_GAIN and m.passive:
        lo, hi = max(lo, 1 / (FACTOR * m.C)), min(hi, FACTOR / m.C)
    return (lo, hi) if lo < hi else param.bounds  # if the measured value is outside the bounds, it is ignored


# role of a parameter of the passive membrane -> its measured value
PASSIVE: dict[Role, Callable[[Measured], float]] = {
    Role.CAPACITANCE: lambda m: m.C,
    Role.LEAK: lambda m: 1 / m.R,
    Role.RESISTANCE: lambda m: m.R,
    Role.TAU: lambda m: m.tau,
}


def start(dp: Datapath, m: Measured) -> dict[str, float]:
    """The parameters with which a search starts: measured values, and the model's defaults for the others."""
    known: dict[Role, float | None] = {
        Role.REFRACTORY: m.t_ref,
        Role.REST: m.E_L,
        Role.PEAK: m.peak,
        Role.SPIKE_LEVEL: m.half,
        Role.RESET: m.reset,
        Role.THRESHOLD: m.onset,
        **({role: of(m) for role, of in PASSIVE.items()} if m.passive else {}),
    }
    found = {}
    for name, p in dp.params.items():
        value = None if p.role is None else known.get(p.role)
        found[name] = p.default if value is None else float(np.clip(value, *p.bounds))
    defaults = {name: p.default for name, p in dp.params.items()}
    for name, p in dp.params.items():  # conductances keep the default ratio to the capacitance
        if p.quantity is not None and p.quantity.of in dp.params:
            found[name] = float(p.quantity.back(p.quantity.there(p.default, defaults), found))
    return found


@dataclass(frozen=True)
class Space:
    """The space of a search: the searched parameters (`names`) with their ranges, and the values of the others.

    A point is a row of numbers 0..1, one for each searched parameter. Where `log` is set, the scale is logarithmic.
    `quantities` are searched in the place of the parameters that they are given for; ranges and scales are theirs.
    """

    engine: Engine
    names: tuple[str, ...]
    lo: np.ndarray
    hi: np.ndarray
    log: np.ndarray
    quantities: Mapping[str, Quantity]
    others: Mapping[str, float]

    @classmethod
    def of(
        cls,
        engine: Engine,
        names: tuple[str, ...],
        m: Measured,
        others: Mapping[str, float],
        given: Mapping[str, tuple[float, float]] | None = None,
        *,
        turned: bool = False,
    ) -> "Space":
        """The space for the parameters `names`. `given` are ranges that the user has chosen.

        turned  whether quantities that are searched in turn with their parameters are searched, instead of these
        """
        params, given = engine.params, given or {}
        quantities = dict[str, Quantity]()
        for n in names:
            q = params[n].quantity
            if q is None or q.of not in params or n in given or (q.in_turn and not turned):
                continue
            # not if it depends on a parameter whose own quantity is not searched, as the user has chosen its range or value
            if q.of in {n, *quantities} or params[q.of].quantity is None:
                quantities[n] = q
        ends = [
            given[n] if n in given else quantities[n].bounds if n in quantities else bounds(engine.dp, n, m)
            for n in names
        ]
        lo, hi = np.array([e[0] for e in ends]), np.array([e[1] for e in ends])
        log = np.array([(quantities.get(n) or params[n]).log for n in names])
        return cls(engine, names, lo, hi, log, quantities, {n: v for n, v in others.items() if n not in names})

    def box(self, params: Mapping[str, float]) -> dict[str, tuple[float, float]]:
        """(lo, hi) of each searched parameter. That of a parameter with a quantity depends on others, taken from `params`."""
        found = {}
        for name, *ends in zip(self.names, self.lo, self.hi, strict=True):
            low, high = sorted(float(self._value(name, end, params)) for end in ends)
            found[name] = (low, high)
        return found

    def _value(self, name: str, x: Any, params: Mapping[str, Any]) -> Any:
        """The value of a parameter from what is searched: itself, or a quantity that depends on the others in `params`."""
        q = self.quantities.get(name)
        return x if q is None else np.clip(q.back(x, params), *self.engine.params[name].bounds)

    def physical(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """name -> (N,), the physical parameters of points (N, dimensions)."""
        x = np.clip(x, 0, 1)
        value = self.lo + x * (self.hi - self.lo)
        value[:, self.log] = np.exp(self._logs[0] + x[:, self.log] * (self._logs[1] - self._logs[0]))
        found = {n: value[:, k] for k, n in enumerate(self.names)} | {
            n: np.full(len(x), v) for n, v in self.others.items()
        }
        for n in self.quantities:
            found[n] = self._value(n, found[n], found)
        return found

    def point(self, params: Mapping[str, float]) -> np.ndarray:
        """The point (dimensions,) of given parameters. Values outside their range are moved to its nearest end."""
        value = np.clip(self._searched(params), self.lo, self.hi)
        x = (value - self.lo) / (self.hi - self.lo)
        x[self.log] = (np.log(value[self.log]) - self._logs[0]) / (self._logs[1] - self._logs[0])
        return x

    def _searched(self, params: Mapping[str, Any]) -> np.ndarray:
        """(dimensions, ...) what is searched, of given parameters: their values, or the quantities in their place."""
        return np.array(
            [self.quantities[n].there(params[n], params) if n in self.quantities else params[n] for n in self.names]
        )

    @property
    def _logs(self) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of the ranges of the dimensions with a logarithmic scale."""
        return np.log(self.lo[self.log]), np.log(self.hi[self.log])

    def codes(self, x: np.ndarray) -> np.ndarray:
        """The rows (N, coefficients) of the engine for points (N, dimensions); codes, if the engine is fixed point."""
        return self.engine.quantise(self.physical(np.atleast_2d(x)))

    def moved(self) -> np.ndarray:
        """The indices of the coefficients that change when a searched parameter changes."""
        codes = self.codes(np.concatenate([np.zeros((1, len(self.names))), np.eye(len(self.names))]))
        return np.flatnonzero((codes != codes[0]).any(axis=0))

    def holds(self, codes: np.ndarray, around: np.ndarray) -> np.ndarray:
        """Which candidates (N, coefficients) are allowed: within their formats and the searched ranges.

        Parameters that are not searched must have the same values as in the candidate `around`.
        """
        legal = np.ones(len(codes), dtype=bool)
        for k, q in enumerate(self.engine.formats.values()):
            legal &= (codes[:, k] >= q.lo) & (codes[:, k] <= q.hi)
        with np.errstate(all="ignore"):
            params, kept = self.engine.dequantise(codes), self.engine.dequantise(around)
            values, kept_values = self._searched(params), self._searched(kept)
        for k, (value, kept_value) in enumerate(zip(values, kept_values, strict=True)):
            # the code nearest to an end of the range may stand for a value slightly beyond it
            legal &= (value >= min(self.lo[k], kept_value)) & (value <= max(self.hi[k], kept_value))
        for name in self.others:
            legal &= params[name] == kept[name]
        return legal

    @property
    def steps(self) -> np.ndarray:
        """The grid of each dimension, as a share of its range: whole time steps for a refractory time, else 0 (no grid)."""
        whole = {n for n, p in self.engine.params.items() if p.register is not None and p.register.whole}
        return np.array(
            [
                self.engine.dp.dt / (h - lo) if n in whole else 0.0
                for n, lo, h in zip(self.names, self.lo, self.hi, strict=True)
            ]
        )
