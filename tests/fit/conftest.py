"""Small recordings whose cell is known, made here and not by spikefab: the passive membrane of a point, with spikes."""

import numpy as np
import pytest

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
