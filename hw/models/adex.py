"""Adaptive exponential integrate-and-fire."""

import numpy as np

from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, State
from spikefab.hw.spiking import fire
from spikefab.hw.tables import exp2
from spikefab.hw.trace import Value, select

LOG2E = 1 / np.log(2)
CEILING = 8  # octaves: the upstroke is clamped below 2**8 mV a step
RANGE = 16  # the exponent of two is kept in -RANGE..RANGE, its upper end being the ceiling
FOLD = 2 ** (RANGE - CEILING)


def folded(Delta_T, k_L):
    """V_T - V_E, mV: the factor k_L Delta_T of the exponential, folded into its argument."""
    return Delta_T * np.log(k_L * Delta_T * FOLD)


def upstroke(V: Value, c) -> Value:
    """mV a step of dt g_L Delta_T/C exp((V - V_T)/Delta_T), in the format of V, from the registers slope and V_E."""
    y = (c.slope * (V - c.V_E).word(128)).word(RANGE)
    return exp2(y).times2(CEILING - RANGE).like(V)


class AdExNeuron(Neuron):
    """Adaptive exponential integrate-and-fire.

        C V' = -g_L (V - E_L) + g_L Delta_T exp((V - V_T)/Delta_T) - w + I
        tau_w w' = a (V - E_L) - w
        V >= V_peak: V <- V_reset, w <- w + b, V held for t_ref

    V by forward Euler; w exactly, V held over the step. The upstroke, in mV a step, is 2**(y - 8) with
    y = (V - V_E) log2(e)/Delta_T clamped to -16..16: the factor dt g_L Delta_T / C is folded into V_E, the register
    that carries V_T.

    Source: Brette & Gerstner 2005, eqs. 1-3; defaults of their figure 2 (regular spiking).
    Not: an ODE solver: at dt = 0.1 ms the discrete model is milliseconds away from the continuous one over a second.
    """

    scheme = "forward Euler, w exact"
    best_for = "adapting, bursting and delayed firing; sharp or soft spike onset"
    whole_steps = frozenset({"n_ref"})
    fastest = {"k_L": 2.0}

    V = State("mV", span=128, slowest=60, rest="E_L", doc="membrane potential")
    w = State("nA", span=4, per_input=True, slowest=500, doc="adaptation current")
    hold = State("steps", span=30, doc="steps left of the refractory time")

    C = Param(0.281, "nF", (0.015, 2), log=True, doc="capacitance")
    g_L = Param(0.030, "uS", (0.001, 0.2), log=True, doc="leak conductance")
    Delta_T = Param(2.0, "mV", (0.2, 20), log=True, doc="sharpness of the spike onset")
    V_T = Param(-50.4, "mV", (-90, 20), doc="effective threshold")
    a = Param(0.004, "uS", (-0.015, 0.04), doc="subthreshold adaptation")
    tau_w = Param(144.0, "ms", (5, 500), log=True, doc="adaptation time constant")
    b = Param(0.0805, "nA", (0, 0.5), doc="adaptation step of a spike")
    E_L = Param(-70.6, "mV", (-100, -30), free=False, doc="resting potential")
    V_reset = Param(-70.6, "mV", (-110, 0), free=False, doc="reset")
    V_peak = Param(20.0, "mV", (-40, 80), free=False, doc="spike detection and what a spike shows")
    t_ref = Param(0.0, "ms", (0, 30), free=False, doc="refractory time")

    @staticmethod
    def coefficients(p, dt):
        k_L = dt * p.g_L / p.C
        return {
            "k_I": dt / p.C,
            "k_L": k_L,
            "slope": LOG2E / p.Delta_T,
            "V_E": p.V_T - folded(p.Delta_T, k_L),
            "a": p.a,
            "k_w": -np.expm1(-dt / p.tau_w),
            "b": p.b,
            "E_L": p.E_L,
            "V_reset": p.V_reset,
            "V_peak": p.V_peak,
            "n_ref": p.t_ref / dt,
        }

    @staticmethod
    def parameters(c, dt):
        C, Delta_T = dt / c.k_I, LOG2E / c.slope
        return {
            "C": C,
            "g_L": c.k_L * C / dt,
            "Delta_T": Delta_T,
            "V_T": c.V_E + folded(Delta_T, c.k_L),
            "a": c.a,
            "tau_w": -dt / np.log1p(-c.k_w),
            "b": c.b,
            "E_L": c.E_L,
            "V_reset": c.V_reset,
            "V_peak": c.V_peak,
            "t_ref": c.n_ref * dt,
        }

    @staticmethod
    def equations(dp, s, c, i):
        nA = 4 * dp.i_span
        u = (s.V - c.E_L).word(128)
        leak = (c.k_L * u).like(s.V)
        drive = (c.k_I * (i - s.w).word(nA)).like(s.V)
        V = (s.V + ((upstroke(s.V, c) - leak) + drive)).like(s.V)
        pull = ((c.a * u).word(nA) - s.w).word(nA)
        w = (s.w + (c.k_w * pull).like(s.w)).like(s.w)
        spike, fired = fire(V, s.hold, threshold=c.V_peak, reset=c.V_reset, n_ref=c.n_ref, peak=c.V_peak)
        return {**fired, "w": select(spike, (w + c.b).like(s.w), w)}
