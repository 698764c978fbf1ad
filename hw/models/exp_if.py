"""Exponential integrate-and-fire."""

from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, State
from spikefab.hw.spiking import fire

from .adex import LOG2E, folded, upstroke


class ExpIFNeuron(Neuron):
    """Exponential integrate-and-fire: AdEx without adaptation.

        C V' = -g_L (V - E_L) + g_L Delta_T exp((V - V_T)/Delta_T) + I
        V >= V_peak: V <- V_reset, held for t_ref

    Forward Euler, the upstroke as in AdEx: 2**(y - 8) mV a step with y = (V - V_E) log2(e)/Delta_T clamped to -16..16.
    It fires tonically above I = g_L (V_T - E_L - Delta_T).

    Source: Fourcaud-Trocme, Hansel, van Vreeswijk & Brunel 2003, J. Neurosci. 23:11628; Gerstner et al. 2014, Neuronal
    Dynamics, ch. 5.2. Defaults of the former, whose cell of 1 uF/cm2 is here one of 0.1 nF (1e-4 cm2), V_peak our own.
    Not: adapting; an ODE solver: forward Euler is late on the upstroke by a part of a step.
    """

    scheme = "forward Euler"
    best_for = "regular firing with a sharp or soft spike onset"
    whole_steps = frozenset({"n_ref"})
    fastest = {"k_L": 2.0}

    V = State("mV", span=128, slowest=60, rest="E_L", doc="membrane potential")
    hold = State("steps", span=30, doc="steps left of the refractory time")

    C = Param(0.100, "nF", (0.015, 2), log=True, doc="capacitance")
    g_L = Param(0.010, "uS", (0.001, 0.2), log=True, doc="leak conductance")
    Delta_T = Param(3.48, "mV", (0.2, 20), log=True, doc="sharpness of the spike onset")
    V_T = Param(-59.9, "mV", (-90, 20), doc="effective threshold")
    V_reset = Param(-68.0, "mV", (-110, 0), doc="reset")
    E_L = Param(-65.0, "mV", (-100, -30), free=False, doc="resting potential")
    V_peak = Param(20.0, "mV", (-40, 80), free=False, doc="spike detection and what a spike shows")
    t_ref = Param(1.7, "ms", (0, 30), free=False, doc="refractory time")

    @staticmethod
    def coefficients(p, dt):
        k_L = dt * p.g_L / p.C
        return {
            "k_I": dt / p.C,
            "k_L": k_L,
            "slope": LOG2E / p.Delta_T,
            "V_E": p.V_T - folded(p.Delta_T, k_L),
            "V_reset": p.V_reset,
            "E_L": p.E_L,
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
            "V_reset": c.V_reset,
            "E_L": c.E_L,
            "V_peak": c.V_peak,
            "t_ref": c.n_ref * dt,
        }

    @staticmethod
    def equations(dp, s, c, i):
        leak = (c.k_L * (s.V - c.E_L).word(128)).like(s.V)
        V = (s.V + ((upstroke(s.V, c) - leak) + (c.k_I * i).like(s.V))).like(s.V)
        return fire(V, s.hold, threshold=c.V_peak, reset=c.V_reset, n_ref=c.n_ref, peak=c.V_peak)[1]
