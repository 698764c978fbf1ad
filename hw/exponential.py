"""The exponential upstroke of a spike, which ExpIF and AdEx share.

In one step it moves V by dt g_L Delta_T/C exp((V - V_T)/Delta_T) mV. To save a product, the factor before the exponential
is moved into the exponent: the expression equals 2**(y - 8) with y = (V - V_E) log2(e)/Delta_T. The register `slope` holds
log2(e)/Delta_T; the register `V_E` holds V_T, shifted by that factor.
"""

import numpy as np

from .conversions import Conversion, inverse
from .spec import Names
from .tables import exp2
from .trace import Value

CEILING = 8  # the upstroke is limited to less than 2**CEILING mV per step
RANGE = 16  # the exponent y is limited to -RANGE..RANGE, where RANGE corresponds to the ceiling


def _fold(Delta_T, k_L):
    """The difference V_T - V_E, mV."""
    return Delta_T * np.log(k_L * Delta_T * 2 ** (RANGE - CEILING))


SLOPE = inverse("slope", 1 / np.log(2))  # conversion of the parameter Delta_T to its coefficient
# Conversion of the parameter V_T to its coefficient. Delta_T and the leak (coefficient k_L) must be declared before V_T.
V_E = Conversion(
    "V_E",
    lambda V_T, p, c, dt: V_T - _fold(p.Delta_T, c.k_L),
    lambda V_E, p, c, dt: V_E + _fold(p.Delta_T, c.k_L),
)


def upstroke(V: Value, c: Names) -> Value:
    """The change of V by the upstroke in one step, mV, in the format of V."""
    y = (c.slope * (V - c.V_E).word(128)).word(RANGE)
    return exp2(y).times2(CEILING - RANGE).like(V)
