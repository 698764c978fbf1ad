"""Leaky integrate-and-fire."""

from spikefab.hw.conversions import decay, steps
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait
from spikefab.hw.spiking import HOLD, fire, leaky


class LIFNeuron(Neuron):
    """Leaky integrate-and-fire with reset and refractory time.

        tau_m V' = -(V - E_L) + R_m I;   V >= V_th: V <- V_reset, held for t_ref

    The leak is exact: V += (1 - exp(-dt/tau_m)) (E_L + R_m I - V), so dt costs nothing below threshold.

    Source: Lapicque 1907; Gerstner et al. 2014, Neuronal Dynamics, eqs. 1.5-1.9.
    Not: adapting, bursting, or with an upstroke of its own: on the step of a spike it shows V_peak.
    """

    scheme = "exact exponential"
    best_for = "regular firing without adaptation; fewest parameters"
    traits = frozenset({Trait.REGULAR, Trait.FEWEST_PARAMETERS})

    V = State("mV", span=128, operand_span=512, slowest=60, rest="E_L", doc="membrane potential")
    hold = HOLD

    tau_m = Param(20.0, "ms", (2, 60), log=True, role=Role.TAU, register=decay("k_m"), doc="membrane time constant")
    R_m = Param(100.0, "MOhm", (20, 1000), log=True, role=Role.RESISTANCE, doc="input resistance")
    V_th = Param(-50.0, "mV", (-75, 20), role=Role.THRESHOLD, doc="threshold")
    V_reset = Param(-65.0, "mV", (-110, 0), role=Role.RESET, doc="reset")
    E_L = Param(-70.0, "mV", (-100, -30), free=False, role=Role.REST, doc="resting potential")
    t_ref = Param(2.0, "ms", (0, 30), free=False, role=Role.REFRACTORY, register=steps("n_ref"), doc="refractory time")
    V_peak = Param(30.0, "mV", (-40, 80), free=False, role=Role.PEAK, doc="shown on the step of a spike")

    @staticmethod
    def equations(dp, s, c, i):
        V = leaky(s.V, c, i)
        return fire(V, s.hold, threshold=c.V_th, reset=c.V_reset, n_ref=c.n_ref, peak=c.V_peak)[1]
