"""Resonate-and-fire."""

import numpy as np

from spikefab.hw.conversions import Conversion
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait
from spikefab.hw.trace import select


def turned(p, dt):
    """The rotation and damping of one step."""
    return np.exp((p.b + 1j * p.omega) * dt)


# conversions of the parameters b, omega and k_I to their coefficients
LOST = Conversion(
    "a", lambda b, p, c, dt: 1 - turned(p, dt).real, lambda a, p, c, dt: np.log(np.hypot(1 - a, c.B)) / dt
)  # fmt: skip
TURNED = Conversion(
    "B", lambda omega, p, c, dt: turned(p, dt).imag, lambda B, p, c, dt: np.arctan2(B, 1 - c.a) / dt
)  # fmt: skip
KAPPA = Conversion("kappa", lambda k_I, p, c, dt: k_I * dt / 2, lambda kappa, p, c, dt: 2 * kappa / dt)


class ResonateAndFireNeuron(Neuron):
    """A damped oscillator with a threshold: it prefers inputs at its own frequency.

        x' = b x - omega y + k_I I;   y' = omega x + b y;   V = E_L + y
        y >= y_th: x <- 0, y <- y_reset

    which is z' = (b + i omega) z + k_I I for z = x + i y, z <- i y_reset. The rotation by exp((b + i omega) dt) is
    exact, as increments of which the coefficients are small; half of the step's input comes before it and half after it,
    which is of the second order in dt.

    Source: Izhikevich 2001, Neural Networks 14:883; defaults are ours, at 40 Hz and b/omega = -1/10. The paper's reset is
    the threshold itself (z <- i at Im z = 1), from where a strong input fires it again within a ms or two: here rest.
    Not: refractory (the reset takes that place), or with an upstroke: on the step of a spike it shows V_peak.
    """

    scheme = "exact rotation between half kicks: second order"
    best_for = "subthreshold oscillation, resonance, rebound spikes and a preference for a rhythm of the input"
    traits = frozenset({Trait.OSCILLATION, Trait.RESONANCE, Trait.REBOUND})

    first = ("kappa", "a", "B")

    y = State("mV", span=128, slowest=200, doc="voltage-like: membrane potential above rest")
    x = State("mV", span=128, slowest=200, doc="current-like")

    b = Param(-0.025, "1/ms", (-1, -0.01), register=LOST, doc="damping")
    omega = Param(0.25, "rad/ms", (0.005, 1), log=True, register=TURNED, doc="angular frequency of the oscillation")
    k_I = Param(
        10.0,
        "mV/(ms nA)",
        (0.5, 70),
        log=True,
        role=Role.INPUT_GAIN,
        register=KAPPA,
        doc="gain of the input, such as 1/C",
    )
    y_th = Param(15.0, "mV", (1, 80), role=Role.THRESHOLD_ABOVE_REST, doc="threshold above rest")
    y_reset = Param(0.0, "mV", (-40, 60), role=Role.RESET_ABOVE_REST, doc="reset above rest")
    E_L = Param(-65.0, "mV", (-100, -30), free=False, role=Role.REST, doc="resting potential")
    V_peak = Param(30.0, "mV", (-40, 80), free=False, role=Role.PEAK, doc="shown on the step of a spike")

    @staticmethod
    def equations(dp, s, c, i):
        kick = (c.kappa * i).like(s.x)
        x, y = (s.x + kick).word(128), s.y.word(128)
        x_lost = (c.a * x).like(s.x) + (c.B * y).like(s.x)
        y_gained = (c.B * x).like(s.y) - (c.a * y).like(s.y)
        x = ((s.x + kick.times2(1)) - x_lost).like(s.x)
        y = (s.y + y_gained).like(s.y)
        spike = y >= c.y_th
        return {
            "y": select(spike, c.y_reset, y),
            "x": select(spike, 0, x),
            ".v": select(spike, c.V_peak, (c.E_L + y).word(128)),
            ".spike": spike,
        }

    @staticmethod
    def shown(s, p):
        return p.E_L + s.y
