"""Exponential integrate-and-fire."""

from spikefab.hw.conversions import dt_over, steps
from spikefab.hw.exponential import SLOPE, V_E, upstroke
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait, conductance
from spikefab.hw.spiking import HOLD, fire


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
    traits = frozenset({Trait.REGULAR})

    V = State("mV", span=128, slowest=60, rest="E_L", doc="membrane potential")
    hold = HOLD

    C = Param(0.100, "nF", (0.015, 2), log=True, role=Role.CAPACITANCE, register=dt_over("k_I"), doc="capacitance")
    g_L = conductance("k_L", 0.010, (0.001, 0.2), fastest=2.0, role=Role.LEAK, doc="leak conductance")
    Delta_T = Param(3.48, "mV", (0.2, 20), log=True, register=SLOPE, doc="sharpness of the spike onset")
    V_T = Param(-59.9, "mV", (-90, 20), role=Role.THRESHOLD, register=V_E, doc="effective threshold")
    V_reset = Param(-68.0, "mV", (-110, 0), role=Role.RESET, doc="reset")
    E_L = Param(-65.0, "mV", (-100, -30), free=False, role=Role.REST, doc="resting potential")
    V_peak = Param(20.0, "mV", (-40, 80), free=False, role=Role.PEAK, doc="spike detection and what a spike shows")
    t_ref = Param(1.7, "ms", (0, 30), free=False, role=Role.REFRACTORY, register=steps("n_ref"), doc="refractory time")

    @staticmethod
    def equations(dp, s, c, i):
        leak = (c.k_L * (s.V - c.E_L).word(128)).like(s.V)
        V = (s.V + ((upstroke(s.V, c) - leak) + (c.k_I * i).like(s.V))).like(s.V)
        return fire(V, s.hold, threshold=c.V_peak, reset=c.V_reset, n_ref=c.n_ref, peak=c.V_peak)[1]
