"""Leaky integrate-and-fire behind an alpha-function synapse."""

from spikefab.hw.conversions import decay, steps
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait
from spikefab.hw.spiking import HOLD, fire


class AlphaNeuron(Neuron):
    """Leaky integrate-and-fire whose input current passes an alpha function, as if through a synapse.

        tau_s y1' = I - y1;   tau_s y2' = y1 - y2
        tau_m V' = -(V - E_L) + R_m y2;   V >= V_th: V <- V_reset, held for t_ref

    A pulse of current of area 1 makes y2 = t/tau_s^2 exp(-t/tau_s), which peaks after tau_s. Each stage is exact for
    the mean of what drives it over the step, so what is lost is of the second order in dt. y1 and y2 go on while V is
    held.

    Source: Rall 1967, J. Neurophysiol. 30:1138 (the alpha function); Gerstner et al. 2014, Neuronal Dynamics,
    eqs. 1.5-1.9 (the membrane).
    Not: a conductance: y2 is a current. With tau_s far below dt it is the plain LIF.
    """

    scheme = "exponential, of the mean drive: second order"
    best_for = "regular firing behind a slow or filtered input"
    traits = frozenset({Trait.REGULAR})

    V = State("mV", span=128, operand_span=512, slowest=60, rest="E_L", doc="membrane potential")
    y1 = State("nA", span=1, operand_span=2, per_input=True, slowest=20, doc="input filtered once")
    y2 = State("nA", span=1, operand_span=2, per_input=True, slowest=20, doc="input filtered twice: synaptic current")
    hold = HOLD

    tau_m = Param(20.0, "ms", (2, 60), log=True, role=Role.TAU, register=decay("k_m"), doc="membrane time constant")
    R_m = Param(100.0, "MOhm", (20, 1000), log=True, role=Role.RESISTANCE, doc="input resistance")
    tau_s = Param(2.0, "ms", (0.2, 20), log=True, register=decay("k_s"), doc="synaptic time constant")
    V_th = Param(-50.0, "mV", (-75, 20), role=Role.THRESHOLD, doc="threshold")
    E_L = Param(-70.0, "mV", (-100, -30), free=False, role=Role.REST, doc="resting potential")
    V_reset = Param(-65.0, "mV", (-110, 0), free=False, role=Role.RESET, doc="reset")
    t_ref = Param(2.0, "ms", (0, 30), free=False, role=Role.REFRACTORY, register=steps("n_ref"), doc="refractory time")
    V_peak = Param(30.0, "mV", (-40, 80), free=False, role=Role.PEAK, doc="shown on the step of a spike")

    @staticmethod
    def equations(dp, s, c, i):
        nA = dp.i_span
        y1 = (s.y1 + (c.k_s * (i - s.y1).word(2 * nA)).like(s.y1)).like(s.y1)
        mean = (s.y1 + y1).times2(-1)
        y2 = (s.y2 + (c.k_s * (mean - s.y2).word(2 * nA)).like(s.y2)).like(s.y2)
        mean = (s.y2 + y2).times2(-1)
        drive = ((c.E_L - s.V).word(512) + (c.R_m * mean.word(nA)).word(512)).word(512)
        V = (s.V + (c.k_m * drive).like(s.V)).like(s.V)
        _, fired = fire(V, s.hold, threshold=c.V_th, reset=c.V_reset, n_ref=c.n_ref, peak=c.V_peak)
        return {**fired, "y1": y1, "y2": y2}
