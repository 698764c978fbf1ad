"""Multi-timescale adaptive threshold."""

from spikefab.hw.conversions import decay, steps
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait
from spikefab.hw.spiking import HOLD, decayed, leaky
from spikefab.hw.trace import select

TAU_1 = 10.0  # fast time constant of the threshold, ms, the same for all cells in the paper
TAU_2 = 200.0  # slow time constant of the threshold, ms, the same for all cells in the paper


class MATNeuron(Neuron):
    """Leaky integrator without reset under a threshold that every spike lifts.

        tau_m V' = -(V - E_L) + R_m I
        V >= E_L + omega + h1 + h2, and the last spike is t_ref ago: h1 <- h1 + alpha_1, h2 <- h2 + alpha_2
        tau_1 h1' = -h1, tau_1 = 10 ms;   tau_2 h2' = -h2, tau_2 = 200 ms

    All three are exact at any dt. The decays of h1 and h2 are constants of the datapath, the nearest of one word.

    Source: Kobayashi, Tsubo & Shinomoto 2009, Front. Comput. Neurosci. 3:9; defaults are the regular-spiking cell of its
    authors' page. Their code for figure 5B (ModelDB 226422) has alpha_1, alpha_2, omega = 30, 2, 20 for it; 7.5, 1.5, 19
    for an intrinsically bursting and 10, 0.2, 10 for a fast-spiking cell.
    Not: with the voltage of a spike: V does not know of it, so only spike times, and V between them, can be fitted.
    Their chattering cell (alpha_1 = -0.5) is outside the bounds.
    """

    scheme = "exact exponential"
    best_for = "spike times of adapting and bursting cells under fluctuating currents"
    traits = frozenset({Trait.ADAPTING, Trait.BURSTING, Trait.FLUCTUATING_CURRENTS})

    V = State("mV", span=128, operand_span=512, slowest=60, rest="E_L", doc="membrane potential")
    h1 = State("mV", span=256, slowest=TAU_1, doc="fast part of the threshold")
    h2 = State("mV", span=256, slowest=TAU_2, doc="slow part of the threshold")
    hold = HOLD

    tau_m = Param(5.0, "ms", (2, 60), log=True, role=Role.TAU, register=decay("k_m"), doc="membrane time constant")
    R_m = Param(50.0, "MOhm", (20, 1000), log=True, role=Role.RESISTANCE, doc="input resistance")
    alpha_1 = Param(37.0, "mV", (0, 60), doc="lift of the fast threshold by a spike")
    alpha_2 = Param(2.0, "mV", (-1, 8), doc="lift of the slow threshold by a spike")
    omega = Param(19.0, "mV", (2, 40), role=Role.THRESHOLD_ABOVE_REST, doc="threshold without spikes, above rest")
    E_L = Param(-65.0, "mV", (-100, -30), free=False, role=Role.REST, doc="resting potential")
    t_ref = Param(
        2.0,
        "ms",
        (0, 30),
        free=False,
        role=Role.REFRACTORY,
        register=steps("n_ref"),
        doc="least interval between spikes",
    )
    V_peak = Param(30.0, "mV", (-40, 80), free=False, role=Role.PEAK, doc="shown on the step of a spike")

    @staticmethod
    def equations(dp, s, c, i):
        V = leaky(s.V, c, i)
        h1, h2 = (decayed(dp, h, tau, 256) for h, tau in ((s.h1, TAU_1), (s.h2, TAU_2)))
        left = select(s.hold > 0, (s.hold - 1).like(s.hold), 0)
        spike = select(left > 0, 0, V >= (c.E_L + c.omega) + (h1 + h2))
        return {
            "V": V,
            "h1": h1 + select(spike, c.alpha_1, 0),
            "h2": h2 + select(spike, c.alpha_2, 0),
            "hold": select(spike, c.n_ref, left),
            ".v": select(spike, c.V_peak, V.word(128)),
            ".spike": spike,
        }
