"""Adaptive exponential integrate-and-fire."""

from spikefab.hw.conversions import decay, dt_over, steps
from spikefab.hw.exponential import SLOPE, V_E, upstroke
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait, conductance
from spikefab.hw.spiking import HOLD, fire
from spikefab.hw.trace import select


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
    traits = frozenset({Trait.ADAPTING, Trait.BURSTING})

    V = State("mV", span=128, slowest=60, rest="E_L", doc="membrane potential")
    w = State("nA", span=4, per_input=True, slowest=500, doc="adaptation current")
    hold = HOLD

    C = Param(0.281, "nF", (0.015, 2), log=True, role=Role.CAPACITANCE, register=dt_over("k_I"), doc="capacitance")
    g_L = conductance("k_L", 0.030, (0.001, 0.2), fastest=2.0, role=Role.LEAK, doc="leak conductance")
    Delta_T = Param(2.0, "mV", (0.2, 20), log=True, register=SLOPE, doc="sharpness of the spike onset")
    V_T = Param(-50.4, "mV", (-90, 20), role=Role.THRESHOLD, register=V_E, doc="effective threshold")
    a = Param(0.004, "uS", (-0.015, 0.04), role=Role.COUPLING, doc="subthreshold adaptation")
    tau_w = Param(144.0, "ms", (5, 500), log=True, register=decay("k_w"), doc="adaptation time constant")
    b = Param(0.0805, "nA", (0, 0.5), role=Role.JUMP, doc="adaptation step of a spike")
    E_L = Param(-70.6, "mV", (-100, -30), free=False, role=Role.REST, doc="resting potential")
    V_reset = Param(-70.6, "mV", (-110, 0), free=False, role=Role.RESET, doc="reset")
    V_peak = Param(20.0, "mV", (-40, 80), free=False, role=Role.PEAK, doc="spike detection and what a spike shows")
    t_ref = Param(0.0, "ms", (0, 30), free=False, role=Role.REFRACTORY, register=steps("n_ref"), doc="refractory time")

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
