"""Quadratic integrate-and-fire."""

from spikefab.hw.conversions import dt_over, steps
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait
from spikefab.hw.spiking import HOLD, K_Q, fire


class QuadraticIFNeuron(Neuron):
    """Quadratic integrate-and-fire: what is left of any neuron near a saddle-node, where it begins to fire.

        C V' = k (V - E_L)(V - V_c) + I;   V >= V_peak: V <- V_reset, held for t_ref

    Forward Euler. Without input it rests at E_L, and fires by itself from V_c on; it fires tonically above
    I = k (V_c - E_L)^2/4. Its resistance at rest is 1/(k (V_c - E_L)), its time constant C times that.

    Source: Ermentrout & Kopell 1986; Gerstner et al. 2014, Neuronal Dynamics, ch. 5.3; defaults are the regular-spiking
    cell of Izhikevich 2007, p. 274, without its recovery (so it does not adapt).
    Not: adapting; with the sharp onset of a real spike: ExpIF has one more parameter for that.
    """

    scheme = "forward Euler"
    best_for = "regular firing that begins at arbitrarily low rates, and a spike with an upstroke"
    traits = frozenset({Trait.REGULAR})

    V = State("mV", span=128, slowest=60, rest="E_L", doc="membrane potential")
    hold = HOLD

    C = Param(0.100, "nF", (0.015, 2), log=True, role=Role.CAPACITANCE, register=dt_over("k_I"), doc="capacitance")
    k = Param(0.0007, "uS/mV", (0.00005, 0.004), log=True, register=K_Q, doc="gain of the quadratic")
    V_c = Param(-40.0, "mV", (-75, 20), role=Role.THRESHOLD, doc="potential from which it fires without input")
    V_reset = Param(-50.0, "mV", (-110, 0), role=Role.RESET, doc="reset")
    E_L = Param(-60.0, "mV", (-100, -30), free=False, role=Role.REST, doc="resting potential")
    V_peak = Param(35.0, "mV", (-40, 80), free=False, role=Role.PEAK, doc="spike detection and what a spike shows")
    t_ref = Param(0.0, "ms", (0, 30), free=False, role=Role.REFRACTORY, register=steps("n_ref"), doc="refractory time")

    @staticmethod
    def equations(dp, s, c, i):
        x = (s.V - c.E_L).word(128)
        slope = (c.k_q * x).word(128 * 2.0 ** (c.k_q.q.i_bits - 1))  # room for the largest k_q times 128 mV
        quadratic = (slope * (s.V - c.V_c).word(128)).like(s.V)
        V = (s.V + (quadratic + (c.k_I * i).like(s.V))).like(s.V)
        return fire(V, s.hold, threshold=c.V_peak, reset=c.V_reset, n_ref=c.n_ref, peak=c.V_peak)[1]
