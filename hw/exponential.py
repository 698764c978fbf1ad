"""The exponential upstroke of a spike, with its factor folded into its argument: what ExpIF and AdEx share.

In mV a step it is dt g_L Delta_T/C exp((V - V_T)/Delta_T) = 2**(y - 8) with y = (V - V_E) log2(e)/Delta_T: the register
`slope` holds log2(e)/Delta_T and `V_E` carries V_T.
"""

import numpy as np

from .conversions import Conversion, inverse
from .spec import Names
from .tables import exp2
from .trace import Value

CEILING = 8  # octaves: the upstroke is clamped below 2**8 mV a step
RANGE = 16  # the exponent of two is kept in -RANGE..RANGE, its upper end being the ceiling


def _fold(Delta_T, k_L):
    """V_T - V_E, mV."""
    return Delta_T * np.log(k_L * Delta_T * 2 ** (RANGE - CEILING))


SLOPE = inverse("slope", 1 / np.log(2))
# of V_T; Delta_T and the leak, whose coefficient is k_L, must be declared before it
V_E = Conversion(
    "V_E",
    lambda V_T, p, c, dt: V_T - _fold(p.Delta_T, c.k_L),
    lambda V_E, p, c, dt: V_E + _fold(p.Delta_T, c.k_L),
)


def upstroke(V: Value, c: Names) -> Value:
    """mV a step, in the format of V."""
    y = (c.slope * (V - c.V_E).word(128)).word(RANGE)
    return exp2(y).times2(CEILING - RANGE).like(V)
