"""Elementary functions of a float64 for compiled loops over lanes, where the call of a library would stop vectors.

To a few units of the last place. The arguments of exponentials are limited at +-708, the last that a float64 has room for.
"""

import numpy as np
from numba import njit


def small(function):
    """To be written out wherever it is called, with the flags of the kernels."""
    return njit(forceinline=True, error_model="numpy", fastmath={"contract"})(function)


@small
def pow2(n):
    """2**n of an integer: the low bits of its sum with a large number are those of n."""
    return np.int64(np.float64(n + 4503599627371519.0).view(np.int64) << 52).view(np.float64)


@small
def less1(r):
    """exp(r) - 1 for |r| < .35, by its series."""
    high = 1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800 + r / 479001600))))
    return r + r * r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * high)))))


@small
def split(x):
    """2**n and exp(r) - 1, whose product with it is what exp(x) is more than 2**n. ln 2 in two parts."""
    x = min(max(x, -708.0), 708.0)
    n = np.floor(x * 1.4426950408889634 + 0.5)
    return pow2(n), less1((x - n * 0.6931471803691238) - n * 1.9082149292705877e-10)


@small
def exp(x):
    scale, more = split(x)
    return scale + scale * more


@small
def expm1(x):
    scale, more = split(x)
    return (scale - 1.0) + scale * more


@small
def exp2(x):
    x = min(max(x, -1022.0), 1023.0)
    n = np.floor(x + 0.5)
    return pow2(n) * (1.0 + less1((x - n) * 0.6931471805599453))


@small
def exprel(x):
    """expm1(x)/x, 1 at 0."""
    x = 1e-300 if x == 0.0 else x
    return expm1(x) / x


@small
def tanh(x):
    more = expm1(2.0 * x)
    return more / (more + 2.0)


@small
def cosh(x):
    e = exp(x)
    return 0.5 * (e + 1.0 / e)


@small
def sine(r):
    """sin(r) for |r| <= pi/2, by its series."""
    q = r * r
    high = 1 / 6227020800 - q * (
        1 / 1307674368000 - q * (1 / 355687428096000 - q * (1 / 1.21645100408832e17 - q / 5.109094217170944e19))
    )
    return r - r * q * (1 / 6 - q * (1 / 120 - q * (1 / 5040 - q * (1 / 362880 - q * (1 / 39916800 - q * high)))))


@small
def turn(x):
    """n, sin(r) and cos(r) for |x| = n pi + r, |r| <= pi/2: up to (-1)**n those of |x|. pi in two parts."""
    x = abs(x)
    n = np.ceil(x * 0.3183098861837907 - (0.5 + 1e-9))
    r = (x - n * 3.141592653589793) - n * 1.2246467991473532e-16
    return n, sine(r), sine((1.5707963267948966 - abs(r)) + 6.123233995736766e-17)


@small
def cos(x):
    n, _, even = turn(x)
    return even * (1.0 - 2.0 * (n - 2.0 * np.floor(0.5 * n)))


@small
def sin(x):
    n, odd, _ = turn(x)
    return odd * (1.0 - 2.0 * (n - 2.0 * np.floor(0.5 * n))) * (1.0 if x >= 0.0 else -1.0)


@small
def tan(x):
    _, odd, even = turn(x)
    return (odd if x >= 0.0 else -odd) / even
