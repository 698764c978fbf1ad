"""Voltage and current of a sweep on another sample step."""

from fractions import Fraction

import numpy as np

from .sweep import Floats


def resample_voltage(v: Floats, old: float, new: float, n: int) -> Floats:
    """n samples at steps of `new` ms of a voltage (T,) with steps of `old` ms."""
    if new < old:
        return np.interp(np.arange(n) * new, np.arange(len(v)) * old, v)
    from scipy.signal import resample_poly

    ratio = Fraction(old / new).limit_denominator(1000)
    if abs(float(ratio) / (old / new) - 1) * n > 0.1:  # more than 0.1 samples off at the end of the sweep
        return _resample_slowly(v, old, new, n)
    # The filter's gain for a constant is exact only for whole ratios: the resting voltage is taken off and added again.
    rest = np.median(v)
    out = resample_poly(v - rest, ratio.numerator, ratio.denominator, padtype="edge") + rest
    return np.pad(out, (0, max(0, n - len(out))), mode="edge")[:n]


def _resample_slowly(v: Floats, old: float, new: float, n: int) -> Floats:
    """`resample_voltage` for a ratio that is no fraction of small numbers: a symmetric low-pass, then a cubic spline."""
    from scipy.interpolate import CubicSpline
    from scipy.signal import fftconvolve, firwin

    half = 10 * int(np.ceil(new / old))
    taps = firwin(2 * half + 1, min(old / new, 0.99), window=("kaiser", 5.0))
    smooth = fftconvolve(np.pad(v, half, mode="edge"), taps, mode="valid")
    return CubicSpline(np.arange(len(v)) * old, smooth)(np.minimum(np.arange(n) * new, (len(v) - 1) * old))


def resample_current(i: Floats, old: float, new: float, n: int, begin: float = 0.0) -> Floats:
    """n samples at steps of `new` ms of a current (T,) nA with steps of `old` ms, from `begin` ms after its start on.

    Each is the mean of the current that flowed during its step, so that the total charge stays the same.
    """
    ratio = new / old
    step = round(ratio)
    begin = 0.0 if abs(begin) < 1e-6 * old else begin
    if not begin and step > 1 and abs(ratio - step) < 1e-9 and n * step <= len(i):
        return i[: n * step].reshape(n, step).mean(axis=1)
    edges = np.minimum(begin / old + np.arange(n + 1) * ratio, len(i))
    charge = np.interp(edges, np.arange(len(i) + 1), np.concatenate(([0.0], np.cumsum(i))))
    # The last step may end after the data: its mean is over the part that has data.
    return np.diff(charge) / np.diff(edges)
