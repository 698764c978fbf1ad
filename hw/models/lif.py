"""Leaky integrate-and-fire."""

import numpy as np

from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, State
from spikefab.hw.spiking import fire


class LIFNeuron(Neuron):
    """Leaky integrate-and-fire with reset and refractory time.

        tau_m V' = -(V - E_L) + R_m I;   V >= V_th: V <- V_reset, held for t_ref

    The leak is exact: V += (1 - exp(-dt/tau_m)) (E_L + R_m I - V), so dt costs nothing below threshold.

    Source: Lapicque 1907; Gerstner et al. 2014, Neuronal Dynamics, eqs. 1.5-1.9.
    Not: adapting, bursting, or with an upstroke of its own: on the step of a spike it shows V_peak.
    """

    scheme = "exact exponential"
    best_for = "regular firing without adaptation; fewest parameters"
    whole_steps = frozenset({"n_ref"})

    V = State("mV", span=128, operand_span=512, slowest=60, rest="E_L", doc="membrane potential")
    hold = State("steps", span=30, doc="steps left of the refractory time")

    tau_m = Param(20.0, "ms", (2, 60), log=True, doc="membrane time constant")
    R_m = Param(100.0, "MOhm", (20, 1000), log=True, doc="input resistance")
    V_th = Param(-50.0, "mV", (-75, 20), doc="threshold")
    V_reset = Param(-65.0, "mV", (-110, 0), doc="reset")
    E_L = Param(-70.0, "mV", (-100, -30), free=False, doc="resting potential")
    t_ref = Param(2.0, "ms", (0, 30), free=False, doc="refractory time")
    V_peak = Param(30.0, "mV", (-40, 80), free=False, doc="shown on the step of a spike")

    @staticmethod
    def coefficients(p, dt):
        return {
            "k_m": -np.expm1(-dt / p.tau_m),
            "R_m": p.R_m,
            "V_th": p.V_th,
            "V_reset": p.V_reset,
            "E_L": p.E_L,
            "n_ref": p.t_ref / dt,
            "V_peak": p.V_peak,
        }

    @staticmethod
    def parameters(c, dt):
        return {
            "tau_m": -dt / np.log1p(-c.k_m),
            "R_m": c.R_m,
            "V_th": c.V_th,
            "V_reset": c.V_reset,
            "E_L": c.E_L,
            "t_ref": c.n_ref * dt,
            "V_peak": c.V_peak,
        }

    @staticmethod
    def equations(dp, s, c, i):
        drive = ((c.E_L - s.V).word(512) + (c.R_m * i).word(512)).word(512)
        V = (s.V + (c.k_m * drive).like(s.V)).like(s.V)
        return fire(V, s.hold, threshold=c.V_th, reset=c.V_reset, n_ref=c.n_ref, peak=c.V_peak)[1]
