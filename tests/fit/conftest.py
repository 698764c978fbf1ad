"""Small recordings whose cell is known, made here and not by spikefab: the passive membrane of a point, with spikes."""

from types import SimpleNamespace

import numpy as np
import pytest

from spikefab import fit_many
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring.task import Task
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS

from .cells import COUNT, DT, OPTIONS

CELL = {"E_L": -70.0, "R": 120.0, "tau": 14.0, "threshold": -50.0, "reset": -62.0, "peak": 25.0, "t_ref": 2.0}


def membrane(current, dt, noise=0.0, seed=0, before=0.0):
    """mV of a leaky cell (CELL) under current (T,) nA that rested under `before` nA; sample k is at k*dt.

    A spike goes from threshold to peak within one sample and is back at the reset after the next.
    """
    v, held = CELL["E_L"] + CELL["R"] * before, 0
    out = np.empty(len(current))
    for k, i in enumerate(current):
        out[k] = v
        if v == CELL["peak"]:
            v, held = CELL["reset"], round(CELL["t_ref"] / dt)
        elif held:
            held -= 1
        else:
            v += (1 - np.exp(-dt / CELL["tau"])) * (CELL["E_L"] + CELL["R"] * i - v)
            v = CELL["peak"] if v >= CELL["threshold"] else v
    return out + np.random.default_rng(seed).normal(0, noise, len(out)) if noise else out


def steps(amplitudes, dt, duration=250.0, before=0.0):
    """Sweeps (S, T) nA: a step of `duration` ms after 50 ms of `before` nA, and 50 ms more of that."""
    n = round(50 / dt)
    quiet = np.full(n, before)
    return [np.concatenate([quiet, np.full(round(duration / dt), before + a), quiet]) for a in amplitudes]


@pytest.fixture(scope="session")
def cell():
    return CELL


@pytest.fixture(name="membrane", scope="session")
def _membrane():
    return membrane


@pytest.fixture(name="steps", scope="session")
def _steps():
    return steps


@pytest.fixture(scope="module")
def write(membrane, steps):
    """write(path, amplitudes, seed): a recording as CSV, a sweep for each amplitude (nA)."""

    def make(path, amplitudes, seed):
        currents = steps(amplitudes, DT, 150)
        voltages = [membrane(i, DT, 0.3, 100 * seed + k) for k, i in enumerate(currents)]
        columns = [
            np.arange(len(currents[0])) * DT,
            *(c for pair in zip(voltages, currents, strict=True) for c in pair),
        ]
        names = [name for k in range(len(currents)) for name in (f"V{k}_mV", f"I{k}_nA")]
        np.savetxt(path, np.column_stack(columns), "%.5g", ",", header=",".join(["t_ms", *names]), comments="")

    return make


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write):
    """Five cells, the last with more sweeps, and a file that is none."""
    path = tmp_path_factory.mktemp("cells")
    for k in range(COUNT):
        write(
            path / f"cell{k}.csv",
            [0.1, 0.22, 0.26 + 0.01 * k] + (k == COUNT - 1) * [0.2, 0.24, 0.28, 0.3, 0.32, 0.34],
            k,
        )
    (path / "bad.csv").write_text("t_ms,V_mV\n0,high\n")
    (path / "notes.md").write_text("of no known kind")
    return path


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """An undisturbed run on one process: its folder and its cells."""
    out = tmp_path_factory.mktemp("whole")
    return SimpleNamespace(out=out, cells=fit_many(folder, out=out, jobs=1, **OPTIONS))


@pytest.fixture(scope="module")
def task(membrane, steps):
    """Sweeps of unequal length, silent and spiking ones."""
    currents = [steps([a], DT, 200 + 30 * k)[0] for k, a in enumerate((-0.1, 0.1, 0.2, 0.24, 0.28, 0.32))]
    voltages = [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)]
    return Task.of(Recording.from_arrays(voltages, currents, DT), DT)


@pytest.fixture(scope="module")
def long(membrane, steps):
    """The same cell for so long that a search can converge before its budget is spent."""
    currents = [steps([a], DT, 1200)[0] for a in (-0.1, 0.1, 0.2, 0.24, 0.28, 0.32)]
    return Task.of(Recording.from_arrays([membrane(i, DT, 0.3, k) for k, i in enumerate(currents)], currents, DT), DT)


@pytest.fixture(params=MODELS.values(), ids=MODELS, scope="module")
def dp(request, task):
    return datapath(request.param, 18, DT, task.i_span)
