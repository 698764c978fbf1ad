"""The loss that a search minimises: computed for many candidates at once over the training parts of a recording."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numba import njit

from spikefab.fit.freedom import solved
from spikefab.fit.scoring import scores
from spikefab.fit.scoring.split import Part
from spikefab.fit.scoring.task import Task
from spikefab.sim import threads
from spikefab.sim.codegen import LANES
from spikefab.sim.engine import Engine
from spikefab.sim.kernels import Batch

# Factor by which the window of the second timing term is wider, so that spikes far from any partner still change the loss.
COARSE = 4.0
COARSE_WEIGHT = 0.5  # weight of that second term, relative to the weight of timing
# Weight of 1 - gamma, relative to the weight of timing, for noise stimuli. Their spikes are reproducible to a millisecond, and
# models are compared by gamma; without this term, a search finds models that fire as often as the cell but at other times.
GAMMA_WEIGHT = 4.5
# scale S, mV per unit of x, of the read-out with which x is measured in order to solve for the best read-out
PROBE = 8.0
PART = 16  # candidates whose losses a thread computes before it takes others
EMPTY = 2.0  # times the length of all parts that the arrays of their data may take together
ROOM = 100e6  # bytes, about, that the spikes and states of the candidates which are simulated at once may take


_arrays: WeakValueDictionary[tuple, np.ndarray] = WeakValueDictionary()


def shared(array: np.ndarray) -> np.ndarray:
    """An array with these numbers that all losses share, as long as one of them exists. It must not be changed.

    The data are the same for every model. In an hour of recording, each array takes 300 MB.
    """
    array = np.ascontiguousarray(array)
    return _arrays.setdefault((array.shape, array.dtype.str, hashlib.blake2b(array.data).digest()), array)


@njit(cache=True)
def not_coincident(data, model, span):
    """1 - gamma of model and data spikes over `span` ms, limited to 1; 0 if the data fire too fast for gamma."""
    chance = 2 * scores.DELTA * len(data) / span
    if chance >= scores.TOO_FAST:
        return 0.0
    pairs = len(scores._one_to_one(data, model, scores.DELTA)[0])
    return min(1.0, 1.0 - (pairs - chance * len(model)) / (0.5 * (len(data) + len(model)) * (1 - chance)))


@njit(nogil=True, cache=True)
def _losses(begin, end, count, steps, masked, outside, flat, times, first, tau, span, noise, weights, dt, out):
    """Write the losses of candidates `begin` to `end` on each part into `out` (N, S), from the results of the kernel."""
    for n in range(begin, end):
        for s in range(len(tau)):
            data = times[first[s] : first[s + 1]]
            a, b = len(data), count[n, s]
            volts = np.sqrt(masked[n, s] / outside[s]) / flat if outside[s] > 0 else 0.0
            timing = second = 0.0
            if b > steps.shape[2]:
                timing = second = 1.0
            elif a + b > 0:
                model = steps[n, s, :b] * dt
                timing = scores._victor_purpura(data, model, 2.0 / tau[s]) / (a + b)
                if noise:
                    second = not_coincident(data, model, span[s])
                else:
                    second = scores._victor_purpura(data, model, 2.0 / (COARSE * tau[s])) / (a + b)
            missing = min(1.0, abs(b - a) / max(1, a))
            terms = weights[0] * volts + weights[1] * timing + weights[2] * missing + weights[3] * second
            out[n, s] = terms / weights.sum()


@dataclass(frozen=True, eq=False)
class Stack:
    """Training parts that are simulated together, of lengths that are not very different: as rows of arrays (parts, steps).

    parts     the parts
    current   (parts, steps) in the unit of the engine
    baseline  (parts,) current before the sweeps, in the unit of the engine
    data      (parts, steps) recorded voltage, mV
    outside   (parts, steps) 1 at samples that are not around a spike, 0 at others and after the end of a part
    length    (parts,) number of steps of each part
    times     spike times of all parts, ms; those of part k are from `first[k]` to before `first[k + 1]`
    tau       (parts,) ms, the window of the timing
    most      spikes of a candidate that are kept
    """

    parts: list[Part]
    current: np.ndarray
    baseline: np.ndarray
    data: np.ndarray
    outside: np.ndarray
    length: np.ndarray
    times: np.ndarray
    first: np.ndarray
    tau: np.ndarray
    most: int

    @classmethod
    def of(cls, task: Task, engine: Engine, parts: list[Part]) -> "Stack":
        length = np.array([p.stop for p in parts])
        current, data, outside = (np.zeros((len(parts), length.max())) for _ in range(3))
        for k, part in enumerate(parts):
            sweep = task.recording.sweeps[part.sweep]
            assert sweep.current is not None and part.start == 0
            current[k, : part.stop] = engine.encode(sweep.current[: part.stop])
            data[k, : part.stop] = task.part_voltage(part)
            outside[k, : part.stop] = ~task.part_mask(part)
        times = [task.part_spikes(part) for part in parts]
        return cls(
            parts,
            shared(current),
            np.array([float(engine.encode(task.baselines[part.sweep])) for part in parts]),
            shared(data),
            shared(outside),
            length,
            np.concatenate(times),
            np.cumsum([0, *map(len, times)]),
            np.array([scores.timing_tau(t, task.noise) for t in times]),
            2 * max(map(len, times)) + 50,
        )

    @cached_property
    def inside(self) -> np.ndarray:
        """(parts, steps) 1 at the samples of a part, 0 after its end."""
        return shared((np.arange(self.data.shape[1]) < self.length[:, None]) * 1.0)

    def chunks(self, n: int) -> list[slice]:
        """Slices of n candidates, each of them simulated at once within about ROOM bytes; one slice as a rule."""
        each = len(self.parts) * (4 * self.most + 100)
        at_once = LANES * max(1, int(ROOM / (LANES * each)))
        return [slice(k, k + at_once) for k in range(0, n, at_once)]

    def simulate(self, engine: Engine, rows: np.ndarray, **more: Any) -> Batch:
        """Simulate rows, starting from the baselines, with the error sums against the data."""
        initial = engine.settle(rows, self.baseline)
        return engine.simulate(rows, self.current, initial=initial, length=self.length, data=self.data, **more)


@dataclass(eq=False)
class Loss:
    """The loss: the combined score over the training parts with another term for the spike times. 0 is perfect.

    The other term is the timing error in a wider window, or, for noise stimuli, 1 - gamma.
    """

    engine: Engine
    task: Task

    def __post_init__(self) -> None:
        task = self.task
        task.require_step(self.engine.dp)
        self.stacks = [Stack.of(task, self.engine, parts) for parts in _of_a_length(task.split.train)]
        self.length = np.concatenate([stack.length for stack in self.stacks])
        second = GAMMA_WEIGHT if task.noise else COARSE_WEIGHT
        self.weights = np.array([*task.weights, second * task.weights[1]])

    @property
    def solved(self) -> list[int]:
        """The columns of the coefficients that `read_out` sets, offset and S; empty if the model has no such read-out."""
        names = [*self.engine.formats]
        return [names.index(n) for n in solved(self.engine.params)]

    def digest(self) -> bytes:
        """A hash of everything that determines the loss: task, engine, and the source of the code that computes it."""
        task = self.task
        said = [repr((self.engine.dp.readout, task.flat, task.clip, task.noise, task.dt))]
        said += [Path(str(module)).read_text(encoding="utf-8") for module in (__file__, scores.__file__)]
        found = hashlib.blake2b(self.engine.identity() + "\n".join(said).encode(), digest_size=16)
        for s in self.stacks:
            arrays = (
                s.current,
                s.baseline,
                s.data,
                s.outside,
                s.length,
                s.times,
                s.first,
                s.tau,
                self.weights,
            )
            for x in arrays:
                found.update(np.ascontiguousarray(x).data)
        return found.digest()

    def read_out(self, rows: np.ndarray) -> np.ndarray:
        """The same rows with the best read-out, offset + S x, if the model has one; other rows are returned unchanged.

        Offset and S are the least-squares solution for the recorded voltage over all training samples, spikes included, with
        S within its bounds. The kernel gives the sums for it, while the read-out is S x with a power of two for S.
        """
        if not self.solved:
            return rows
        rows = rows.copy()
        offset, scale = self.solved
        q_offset, q = (self.engine.formats[name] for name in solved(self.engine.params))
        unit = 2.0 ** round(np.log2(PROBE))
        rows[:, offset], rows[:, scale] = 0, q.encode(unit)
        sums = np.zeros((3, len(rows)))
        for s in self.stacks:
            for some in s.chunks(len(rows)):
                batch = s.simulate(self.engine, rows[some], outside=s.inside, max_spikes=1, regress=True)
                sums[:, some] += batch.sums.sum(axis=1).T
        x, xx, xv = sums / self.length.sum() / [[unit], [unit**2], [unit]]
        v = sum(s.data.sum() for s in self.stacks) / self.length.sum()
        lo, hi = self.engine.params[solved(self.engine.params)[1]].bounds
        S = np.clip((xv - x * v) / np.maximum(xx - x * x, 1e-12), lo, hi)
        rows[:, scale] = q.encode(S)
        rows[:, offset] = q_offset.encode(v - q.decode(rows[:, scale]) * x)
        return rows

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """The losses (N,) of N candidates, given as rows (N, coefficients) of the engine."""
        return self.each(rows).mean(axis=1)

    def each(self, rows: np.ndarray) -> np.ndarray:
        """The losses (N, parts) of N candidates on each part of the training data, in the order of `stacks`."""
        found = [[self._each(s, rows[some]) for some in s.chunks(len(rows))] for s in self.stacks]
        return np.concatenate([np.concatenate(chunks) for chunks in found], axis=1)

    def _each(self, s: Stack, rows: np.ndarray) -> np.ndarray:
        batch = s.simulate(self.engine, rows, outside=s.outside, clip=self.task.clip, max_spikes=s.most)
        out = np.empty((len(rows), len(s.parts)))
        arguments = (
            np.ascontiguousarray(batch.count),
            np.ascontiguousarray(batch.spikes),
            np.ascontiguousarray(batch.masked),
            s.outside.sum(axis=1),
            self.task.flat,
            s.times,
            s.first,
            s.tau,
            s.length * self.task.dt,
            self.task.noise,
            self.weights,
            self.task.dt,
            out,
        )
        threads.share(
            lambda job: _losses(PART * job, min(PART * (job + 1), len(rows)), *arguments), -(-len(rows) // PART)
        )
        return out


def _of_a_length(parts: Sequence[Part]) -> list[list[Part]]:
    """Parts, divided so that arrays as long as their longest one are not mostly empty: within powers of two."""
    lengths = [part.stop for part in parts]
    if max(lengths) * len(parts) <= EMPTY * sum(lengths):
        return [[*parts]]
    classes: dict[int, list[Part]] = {}
    for part in parts:
        classes.setdefault(part.stop.bit_length(), []).append(part)
    return [*classes.values()]
