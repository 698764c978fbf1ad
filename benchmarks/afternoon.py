"""What a user would write in an afternoon: AdEx fitted by scipy's differential evolution over a plain float64 numba loop.

    python -m benchmarks.afternoon RECORDING [--seed 0] [--evaluations 10000] [--dt 0.1]

Ten parameters: the seven of the model, and reset, leak reversal and refractory time around what was measured. Loss, sweeps,
time step, bounds and held-out part are those of `spikefab fit`, so that time and quality can be compared. One JSON object.
"""

import json
import sys
import time
from collections.abc import Sequence
from math import exp, expm1
from multiprocessing import get_context
from typing import Any

import numpy as np
from numba import njit
from scipy.optimize import differential_evolution

from spikefab import AdExNeuron, read
from spikefab.fit.scoring.scores import _victor_purpura
from spikefab.fit.scoring.split import Part
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import COARSE, Loss, not_coincident
from spikefab.fit.search.space import bounds, start
from spikefab.hw.datapath import datapath
from spikefab.sim.engine import FixedPoint

from . import running

WORKERS = 2
MEMBERS = 128  # size of the population: ten per parameter, rounded up to a power of two for Sobol points
NAMES = ("C", "g_L", "Delta_T", "V_T", "a", "tau_w", "b", "E_L", "V_reset", "t_ref")


@njit
def run(x, V_peak, current, length, base, dt, spikes, voltage):
    """Brette & Gerstner 2005 by forward Euler: spikes (S,) counts, and for each the steps; voltage (S, T) mV."""
    C, g_L, Delta_T, V_T, a, tau_w, b, E_L, V_reset, t_ref = x
    counts = np.zeros(len(length), np.int64)
    n_ref, decay = round(t_ref / dt), -expm1(-dt / tau_w)
    for s in range(len(length)):
        V = E_L + base[s] / (g_L + a)
        w, hold = a * (V - E_L), 0
        for t in range(length[s]):
            w_old = w
            w += decay * (a * (V - E_L) - w)
            voltage[s, t] = V
            if hold > 0:
                hold -= 1
            else:
                V += dt / C * (g_L * (E_L - V + Delta_T * exp((V - V_T) / Delta_T)) - w_old + current[s, t])
                voltage[s, t] = V
                if V >= V_peak:
                    voltage[s, t], V, hold = V_peak, V_reset, n_ref
                    w += b
                    if counts[s] < spikes.shape[1]:
                        spikes[s, counts[s]] = t
                    counts[s] += 1
    return counts


@njit
def score(counts, spikes, voltage, length, data, outside, clip, flat, times, first, tau, span, noise, weights, dt):
    """The training loss of `spikefab.fit.search.loss`."""
    total = 0.0
    for s in range(len(length)):
        a, b = first[s + 1] - first[s], counts[s]
        squares = samples = 0.0
        for t in range(length[s]):
            error = min(voltage[s, t], clip) - min(data[s, t], clip)
            squares += outside[s, t] * error * error
            samples += outside[s, t]
        volts = np.sqrt(squares / samples) / flat if samples else 0.0
        timing = second = 0.0
        if b > spikes.shape[1]:
            timing = second = 1.0
        elif a + b > 0:
            model = spikes[s, :b] * dt
            recorded = times[first[s] : first[s + 1]]
            timing = _victor_purpura(recorded, model, 2.0 / tau[s]) / (a + b)
            if noise:
                second = not_coincident(recorded, model, span[s])
            else:
                second = _victor_purpura(recorded, model, 2.0 / (COARSE * tau[s])) / (a + b)
        missing = min(1.0, abs(b - a) / max(1, a))
        total += weights[0] * volts + weights[1] * timing + weights[2] * missing + weights[3] * second
    return total / len(length) / weights.sum()


DATA: dict[str, Any] = {}  # what the workers, which are forked, need


def objective(x: np.ndarray) -> float:
    d = DATA
    counts = run(x, d["V_peak"], d["current"], d["length"], d["base"], d["dt"], d["spikes"], d["voltage"])
    value = score(counts, d["spikes"], d["voltage"], d["length"], d["data"], d["outside"], d["clip"], d["flat"],
                  d["times"], d["first"], d["tau"], d["span"], d["noise"], d["weights"], d["dt"])  # fmt: skip
    return float(value) if np.isfinite(value) else 10.0


def afternoon(path: str, seed: int, evaluations: int = 10_000, dt: float = 0.1) -> dict[str, Any]:
    """Fit, with seconds (compiling not counted), training loss and the scores on the held-out part."""
    task = Task.of(read(path), dt)
    dp = datapath(AdExNeuron, 18, dt, task.i_span)
    loss = Loss(FixedPoint(dp), task)
    constants = start(dp, task.measured)
    currents = [np.asarray(s.current) for s in task.recording.sweeps]
    (s,) = loss.stacks
    train = [p.sweep for p in s.parts]
    DATA.update(
        V_peak=constants["V_peak"], current=s.data * 0, length=s.length, base=task.baselines[train], dt=dt,
        spikes=np.zeros((len(train), s.most), np.int64), voltage=np.zeros(s.data.shape), data=s.data,
        outside=s.outside, clip=task.clip, flat=task.flat, times=s.times, first=s.first, tau=s.tau, span=s.length * dt,
        noise=task.noise,
        weights=loss.weights,
    )  # fmt: skip
    for k, part in enumerate(s.parts):
        DATA["current"][k, : part.stop] = currents[part.sweep][: part.stop]
    box = [bounds(dp, n, task.measured) for n in NAMES]
    logarithmic = np.array([dp.params[n].log for n in NAMES])
    objective(np.array([constants[n] for n in NAMES]))  # compiles the kernel before the workers are forked

    begun = time.perf_counter()
    with get_context("fork").Pool(WORKERS) as pool:  # a pool made by scipy would not inherit DATA
        found = differential_evolution(
            Scaled(logarithmic),
            [(np.log(lo), np.log(hi)) if g else (lo, hi) for (lo, hi), g in zip(box, logarithmic, strict=True)],
            workers=pool.map, updating="deferred", polish=False, init="sobol", popsize=10, tol=0, seed=seed,
            maxiter=evaluations // MEMBERS - 1,
        )  # fmt: skip
    seconds = time.perf_counter() - begun
    x = np.where(logarithmic, np.exp(found.x), found.x)
    longest = max(map(len, currents))
    padded = np.stack([np.pad(i, (0, longest - len(i))) for i in currents])
    voltage, spikes = np.zeros(padded.shape), np.zeros((len(currents), longest), np.int64)
    length = np.array([len(i) for i in currents])
    counts = run(x, DATA["V_peak"], padded, length, task.baselines, dt, spikes, voltage)
    volts = [v[:n] for v, n in zip(voltage, length, strict=True)]
    fired = [row[:n] * dt for row, n in zip(spikes, counts, strict=True)]

    def scored(parts: Sequence[Part]) -> dict[str, Any] | None:
        found = task.score(parts, volts, fired)
        return None if found is None else found.to_dict()

    return {
        "seconds": seconds, "evaluations": int(found.nfev), "loss": float(found.fun),
        "params": dict(zip(NAMES, map(float, x), strict=True)),
        "train": scored(task.split.train),
        "held_out": scored(task.split.held_out),
    }  # fmt: skip


class Scaled:
    """The objective, of logarithms where a parameter's box is logarithmic."""

    def __init__(self, logarithmic: np.ndarray):
        self.logarithmic = logarithmic

    def __call__(self, x: np.ndarray) -> float:
        return objective(np.where(self.logarithmic, np.exp(x), x))


def main() -> int:
    parser = running.parser(__doc__, output=False)
    parser.add_argument("recording")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluations", type=int, default=10_000)
    parser.add_argument("--dt", type=float, default=0.1)
    options = parser.parse_args()
    print(json.dumps(afternoon(options.recording, options.seed, options.evaluations, options.dt)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
