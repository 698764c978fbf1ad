"""Hindmarsh and Rose's bursting neuron."""

import numpy as np

from spikefab.hw.conversions import Conversion, dt_over
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait
from spikefab.hw.spiking import ARMED, crossing

from .fitzhugh_nagumo import lowest_root

# converts the parameter r to its coefficient
K_Z = Conversion("k_z", lambda r, p, c, dt: dt * r / p.tau, lambda k, p, c, dt: k / c.k, fastest=20.0)


class HindmarshRoseNeuron(Neuron):
    """Hindmarsh-Rose: a cubic membrane x, fast recovery y and slow adaptation z, all without units.

        tau x' = y - x^3 + b x^2 - z + k_I I + I_0;   tau y' = 1 - d x^2 - y;   tau z' = r (s (x - x_R) - z)
        V = V_0 + S x;   spike: V rises through V_spike, armed again 15 mV below it

    Euler, y first: x and z move with the old x, and x with the new y. (With the old y, bursts would lose their last
    spikes, and at dt = tau/10 be single spikes.) It is stable at rest where dt < tau/9, and under strong inhibition,
    at x = -2.4, where dt < tau/16.

    Source: Hindmarsh & Rose 1984, Proc. R. Soc. Lond. B 221:87, eqs. 1-3 with a = c = 1; s, x_R and r of its figures, r
    being 0.001 to 0.006 there. k_I I + I_0 is the paper's current: the defaults begin at its 1. They fire from 0.35 nA
    on, in bursts that grow with the current, and tonically from 2.6 nA on.
    Not: with a role for x_R that I_0 does not have: it is a constant unless freed.
    """

    scheme = "Euler, y first"
    best_for = "bursts on a slow rhythm, and the change from bursts to tonic firing as the current grows"
    traits = frozenset({Trait.BURSTING})

    first = ("k", "k_z")

    x = State("", span=4, operand_span=32, slowest=10, doc="membrane")
    y = State("", span=64, operand_span=32, slowest=10, doc="fast recovery")
    z = State("", span=16, operand_span=32, slowest=20000, doc="slow adaptation")
    armed = ARMED

    b = Param(3.0, "", (2, 4), doc="square term of the membrane")
    d = Param(5.0, "", (3, 7), doc="strength of the fast recovery")
    r = Param(0.006, "", (5e-4, 0.05), log=True, register=K_Z, doc="speed of adaptation over that of the membrane")
    s = Param(4.0, "", (2, 6), doc="strength of adaptation")
    tau = Param(2.0, "ms", (0.1, 10), log=True, register=dt_over("k"), doc="time constant of the membrane")
    k_I = Param(1.0, "1/nA", (0.02, 32), log=True, per_input=True, doc="gain of the input")
    I_0 = Param(1.0, "", (-10, 10), doc="constant drive")
    x_R = Param(-1.6, "", (-2, -1), free=False, doc="x at which adaptation is zero")
    V_0 = Param(-30.0, "mV", (-100, 40), free=False, role=Role.OFFSET, doc="read-out at x = 0")
    S = Param(25.0, "mV", (1, 60), free=False, role=Role.SCALE, doc="read-out of one unit of x")
    V_spike = Param(
        -5.0, "mV", (-60, 60), free=False, role=Role.SPIKE_LEVEL, doc="level whose upward crossing is a spike"
    )

    @staticmethod
    def equations(dp, s, c, i):
        x = s.x.word(4)
        x2 = (x * x).word(16)
        cubic = (x2 * (c.b - x).word(8)).like(s.y)
        drive = (c.k_I * i).word(32) + c.I_0
        recovery = ((1 - (c.d * x2).like(s.y)) - s.y).word(32)
        y = (s.y + (c.k * recovery).like(s.y)).like(s.y)
        rate = ((drive - s.z.like(s.y) + cubic) + y).word(32)
        pull = ((c.s * (s.x - c.x_R).word(8)).word(32) - s.z).word(32)
        x = (s.x + (c.k * rate).like(s.x)).like(s.x)
        v = (c.V_0 + (c.S * x.word(4)).word(256)).word(128)
        spike, armed = crossing(v, c.V_spike, s.armed)
        return {
            "x": x,
            "y": y,
            "z": (s.z + (c.k_z * pull).like(s.z)).like(s.z),
            "armed": armed,
            ".v": v,
            ".spike": spike,
        }

    @staticmethod
    def shown(s, p):
        return p.V_0 + p.S * s.x

    @staticmethod
    def resting(p):
        """The lowest fixed point: x^3 + (d - b) x^2 + s (x - x_R) - 1 - I_0 = 0."""
        x = lowest_root(p.d - p.b, p.s, -p.s * p.x_R - 1 - p.I_0)
        return {"x": x, "y": 1 - p.d * x**2, "z": p.s * (x - p.x_R), "armed": np.ones_like(x)}
