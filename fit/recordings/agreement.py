"""How well a voltage follows a current, to tell which of several channels is the membrane and which the current."""

from collections.abc import Sequence

import numpy as np

from .sweep import Floats, samples

BIN = 4.0  # ms over which signals are reduced to one value: the median leaves spikes out
TAUS = (0.0, 10.0, 30.0, 100.0)  # ms, time constants of the membranes that are tried
MOST = 20_000  # number of values that are looked at; of a longer recording, sweeps in even distances


def agreement(voltages: Sequence[Floats], currents: Sequence[Floats], dt: float) -> float:
    """How well the voltages (T,) follow the currents (T,) of the same sweeps, 0..1, whatever their units and signs.

    It is the largest correlation between the voltage and the response of a passive membrane to the current, over several
    time constants: of all values, or of the changes within the sweeps.
    """
    width = min(samples(BIN, dt), max(1, min(map(len, voltages)) // 50))
    each = max(1, -(-sum(map(len, voltages)) // width // MOST))
    pairs = [
        (np.median(_rows(v, width), axis=1), _rows(i, width).mean(axis=1))
        for v, i in list(zip(voltages, currents, strict=True))[::each]
    ]
    best = 0.0
    for tau in TAUS:
        responses = [_response(i, tau, width * dt) for _, i in pairs]
        for within in (False, True):
            v, x = (np.concatenate([y - within * y.mean() for y in ys]) for ys in ([v for v, _ in pairs], responses))
            best = max(best, _correlation(v, x))
    return best


def _rows(x: Floats, width: int) -> Floats:
    """The signal in rows of `width` samples, without what is left at its end."""
    return x[: len(x) // width * width].reshape(-1, width)


def _response(current: Floats, tau: float, step: float) -> Floats:
    """The response of a membrane with time constant tau (ms) to a current, from the steady state under its first value."""
    from scipy.signal import lfilter

    if tau == 0:
        return current
    k = -np.expm1(-step / tau)
    return current[0] + lfilter([k], [1, k - 1], current - current[0])


def _correlation(a: Floats, b: Floats) -> float:
    """The absolute correlation of two signals, 0 if one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a @ a) * (b @ b)))
    return abs(float(a @ b)) / power if power > 1e-12 * (1 + np.max(np.abs(a))) else 0.0
