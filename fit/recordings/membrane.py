"""A passive membrane under a current, and how well one signal follows another."""

import numpy as np

from .sweep import Floats


def response(current: Floats, baseline: float, tau: float, dt: float) -> Floats:
    """The voltage (T,) of a membrane with a resistance of 1 and time constant tau (ms), from rest under the baseline current."""
    from scipy.signal import lfilter

    k = -np.expm1(-dt / tau)
    return baseline + lfilter([k], [1, k - 1], current - baseline)


def along(y: Floats, x: Floats) -> tuple[float, float]:
    """(correlation, slope) of the signal y (T,) over x (T,); zeros if one of them is constant."""
    a, b = y - y.mean(), x - x.mean()
    # means and not products of vectors, whose last bits depend on the number of threads
    powers = [float(np.mean(c * c)) for c in (a, b)]
    if any(np.sqrt(p) <= 1e-12 * float(np.abs(z).max()) for p, z in zip(powers, (y, x), strict=True)):
        return 0.0, 0.0
    together = float(np.mean(a * b))
    return together / float(np.sqrt(powers[0] * powers[1])), together / powers[1]
