"""The loss that a search minimises: computed for many candidates at once over the training parts of a recording."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
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
def _losses(begin, end, count, steps, masked, same, outside, flat, times, first, tau, span, noise, weights, dt, out):
    """Write the losses of candidates `begin` to `end` on each part into `out` (N, S), from the results of the kernel.

    same (S,) is, for each part, the index of its simulation in `count` and `steps`.
    """
    for n in range(begin, end):
        for s in range(len(same)):
            data = times[first[s] : first[s + 1]]
            a, b = len(data), count[n, same[s]]
            volts = np.sqrt(masked[n, s] / outside[s]) / flat if outside[s] > 0 else 0.0
            timing = second = 0.0
            if b > steps.shape[2]:
                timing = second = 1.0
            elif a + b > 0:
                model = steps[n, same[s], :b] * dt
                timing = scores._victor_purpura(data, model, 2.0 / tau[s]) / (a + b)
                if noise:
                    second = not_coincident(data, model, span[s])
                else:
                    second = scores._victor_purpura(data, model, 2.0 / (COARSE * tau[s])) / (a + b)
            missing = min(1.0, abs(b - a) / max(1, a))
            terms = weights[0] * volts + weights[1] * timing + weights[2] * missing + weights[3] * second
            out[n, s] = terms / weights.sum()


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
        groups = self._same_input(task.split.train)
        parts = [p for group in groups for p in group]
        self.repeats = np.array([len(group) for group in groups])
        steps = max(p.stop for p in parts)
        shape = (len(parts), steps)
        self.inside = (np.arange(steps) < np.array([p.stop for p in parts])[:, None]) * 1.0
        self.current, self.data, self.outside = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.length = np.array([p.stop for p in parts])
        self.baseline = np.empty(len(parts))
        times = []
        for k, part in enumerate(parts):
            sweep = task.recording.sweeps[part.sweep]
            assert sweep.current is not None
            self.current[k, : part.stop] = self.engine.encode(sweep.current[: part.stop])
            self.baseline[k] = self.engine.encode(task.baselines[part.sweep])
            self.data[k, : part.stop] = task.part_voltage(part)
            self.outside[k, : part.stop] = ~task.part_mask(part)
            times.append(task.part_spikes(part))
        self.inside, self.current, self.data, self.outside = map(
            shared, (self.inside, self.current, self.data, self.outside)
        )
        alone = np.cumsum([0, *self.repeats[:-1]])  # the first part of each group
        self.simulated = shared(self.current[alone]), self.length[alone], self.baseline[alone]
        self.times = np.concatenate(times)
        self.first = np.concatenate([[0], np.cumsum([len(t) for t in times])])
        self.tau = np.array([scores.timing_tau(t, task.noise) for t in times])
        second = GAMMA_WEIGHT if task.noise else COARSE_WEIGHT
        self.weights = np.array([*task.weights, second * task.weights[1]])
        self.span = self.length * task.dt
        self.most = 2 * max(len(t) for t in times) + 50

    def _same_input(self, parts: Sequence[Part]) -> list[list[Part]]:
        """The parts in groups that a model cannot tell apart: of one length, current and baseline. Each is simulated once."""
        groups: dict[tuple, list[Part]] = {}
        for part in parts:
            current = self.task.recording.sweeps[part.sweep].current
            assert current is not None and part.start == 0
            codes = np.asarray(self.engine.encode(current[: part.stop]))
            baseline = float(self.engine.encode(self.task.baselines[part.sweep]))
            key = (part.stop, baseline, hashlib.blake2b(np.ascontiguousarray(codes).tobytes()).digest())
            groups.setdefault(key, []).append(part)
        return list(groups.values())

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
        for x in (self.current, self.baseline, self.data, self.outside, self.times, self.first, self.tau, self.weights):
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
        batch = self._simulated(rows, outside=self.inside, max_spikes=1, regress=True)
        x, xx, xv = batch.sums.sum(axis=1).T / self.length.sum() / [[unit], [unit**2], [unit]]
        v = self.data.sum() / self.length.sum()
        lo, hi = self.engine.params[solved(self.engine.params)[1]].bounds
        S = np.clip((xv - x * v) / np.maximum(xx - x * x, 1e-12), lo, hi)
        rows[:, scale] = q.encode(S)
        rows[:, offset] = q_offset.encode(v - q.decode(rows[:, scale]) * x)
        return rows

    def _simulated(self, rows: np.ndarray, **more: Any) -> Batch:
        """Simulate rows on the training parts, starting from their baselines, with the error sums against the data.

        `count` and `spikes` of the result have one entry for each group of parts with the same input.
        """
        current, length, baseline = self.simulated
        initial = self.engine.settle(rows, baseline)
        return self.engine.simulate(
            rows, current, initial=initial, length=length, repeats=self.repeats, data=self.data, **more
        )

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """The losses (N,) of N candidates, given as rows (N, coefficients) of the engine."""
        return self.each(rows).mean(axis=1)

    def each(self, rows: np.ndarray) -> np.ndarray:
        """The losses (N, parts) of N candidates on each part of the training data, in the order in which they are simulated."""
        batch = self._simulated(rows, outside=self.outside, clip=self.task.clip, max_spikes=self.most)
        out = np.empty((len(rows), len(self.length)))
        arguments = (
            np.ascontiguousarray(batch.count),
            np.ascontiguousarray(batch.spikes),
            np.ascontiguousarray(batch.masked),
            np.repeat(np.arange(len(self.repeats)), self.repeats),
            self.outside.sum(axis=1),
            self.task.flat,
            self.times,
            self.first,
            self.tau,
            self.span,
            self.task.noise,
            self.weights,
            self.task.dt,
            out,
        )
        threads.share(
            lambda job: _losses(PART * job, min(PART * (job + 1), len(rows)), *arguments), -(-len(rows) // PART)
        )
        return out
