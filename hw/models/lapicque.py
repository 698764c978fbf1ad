"""Lapicque's integrate-and-fire."""

from spikefab.hw.conversions import decay
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait
from spikefab.hw.spiking import leaky
from spikefab.hw.trace import select


class LapicqueNeuron(Neuron):
    """Leaky integrate-and-fire that starts again from rest after each spike.

        tau_m V' = -(V - E_L) + R_m I;   V >= V_th: V <- E_L

    The leak is exact: V += (1 - exp(-dt/tau_m)) (E_L + R_m I - V), so dt costs nothing below threshold.

    Source: Lapicque 1907 (translated in Brunel & van Rossum 2007, Biol. Cybern. 97:341); Gerstner et al. 2014, Neuronal
    Dynamics, eqs. 1.5-1.9, with the resting potential as the reset.
    Not: refractory, adapting or bursting, or with an upstroke of its own: on the step of a spike it shows V_peak.
    """

    scheme = "exact exponential"
    best_for = "regular firing with the fewest parameters"
    traits = frozenset({Trait.REGULAR, Trait.FEWEST_PARAMETERS})

    V = State("mV", span=128, operand_span=512, slowest=60, rest="E_L", doc="membrane potential")

    tau_m = Param(20.0, "ms", (2, 60), log=True, role=Role.TAU, register=decay("k_m"), doc="membrane time constant")
    R_m = Param(100.0, "MOhm", (20, 1000), log=True, role=Role.RESISTANCE, doc="input resistance")
    V_th = Param(-50.0, "mV", (-75, 20), role=Role.THRESHOLD, doc="threshold")
    E_L = Param(-70.0, "mV", (-100, -30), free=False, role=Role.REST, doc="resting potential, and reset")
    V_peak = Param(30.0, "mV", (-40, 80), free=False, role=Role.PEAK, doc="shown on the step of a spike")

    @staticmethod
    def equations(dp, s, c, i):
        V = leaky(s.V, c, i)
        spike = V >= c.V_th
        return {
            "V": select(spike, c.E_L, V),
            ".v": select(spike, c.V_peak, V.word(128)),
            ".spike": spike,
        }
