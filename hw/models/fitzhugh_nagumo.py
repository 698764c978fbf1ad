"""FitzHugh and Nagumo's two-dimensional caricature of Hodgkin and Huxley."""

import numpy as np

from spikefab.hw.conversions import Conversion
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait
from spikefab.hw.spiking import ARMED, crossing


def lowest_root(b, c, d):
    """The least real root of x^3 + b x^2 + c x + d, of numbers or arrays: in closed form."""
    p, q = (c - b**2 / 3) / 3, (b * (2 * b**2 / 9 - c) / 3 + d) / 2  # with t = x + b/3, the cubic is t^3 + 3 p t + 2 q
    inside = q**2 + p**3
    u = np.cbrt(
        -q - np.copysign(np.sqrt(np.maximum(inside, 0)), q)
    )  # the larger of the two cube roots, to avoid cancellation
    single = u - p / np.where(u == 0, 1, u)
    r = np.sqrt(np.maximum(-p, 0))
    angle = np.arccos(np.clip(-q / np.where(r == 0, 1, r**3), -1, 1))
    return np.where(inside > 0, single, 2 * r * np.cos((angle + 2 * np.pi) / 3)) - b / 3


# converts tau to its coefficient
K_X = Conversion("k_x", lambda tau, p, c, dt: dt / (3 * tau), lambda k, p, c, dt: dt / (3 * k))
K_W = Conversion(  # converts the parameter eps to its coefficient
    "k_w", lambda eps, p, c, dt: dt * eps / p.tau, lambda k, p, c, dt: k / (3 * c.k_x), fastest=1.0
)  # fmt: skip


class FitzHughNagumoNeuron(Neuron):
    """FitzHugh-Nagumo: a cubic membrane x and a linear recovery w, both without units.

        tau x' = x - x^3/3 - w + k_I I;   tau w' = eps (x + a - b w);   V = V_0 + S x
        spike: V rises through V_spike, armed again 15 mV below it

    Forward Euler; w moves with the old x. The step of x is dt/(3 tau) (x (3 - x^2) + 3 (k_I I - w)), without a third. It
    is stable where dt < 2 tau/3 (x near -2 and 2 decays at 3/tau).

    Source: FitzHugh 1961, Biophys. J. 1:445, eqs. 1-2, in the sign of Nagumo, Arimoto & Yoshizawa 1962, Proc. IRE
    50:2061 (x depolarises); a and b are theirs, eps 0.08 is FitzHugh's 1/c^2 for c = 3.5.
    Not: with a threshold (spikes of weak steps are smaller), or with spikes much shorter than the time between them.
    """

    scheme = "forward Euler"
    best_for = "broad spikes at a steady rate, block at strong currents, spikes after inhibition"
    traits = frozenset({Trait.BROAD_SPIKES, Trait.BLOCK, Trait.AFTER_INHIBITION})

    first = ("k_x", "k_w")

    x = State("", span=4, operand_span=32, slowest=30, doc="membrane")
    w = State("", span=16, operand_span=8, slowest=1000, doc="recovery")
    armed = ARMED

    a = Param(0.7, "", (0.3, 1.2), doc="recovery is at rest at w = 0 where x = -a")
    b = Param(0.8, "", (0.2, 1.2), doc="decay of recovery")
    eps = Param(0.08, "", (0.01, 0.3), log=True, register=K_W, doc="speed of recovery over that of the membrane")
    tau = Param(0.5, "ms", (0.1, 10), log=True, register=K_X, doc="time constant of the membrane")
    k_I = Param(1.0, "1/nA", (0.02, 32), log=True, per_input=True, doc="gain of the input")
    V_0 = Param(-32.0, "mV", (-100, 40), free=False, role=Role.OFFSET, doc="read-out at x = 0")
    S = Param(27.5, "mV", (1, 60), free=False, role=Role.SCALE, doc="read-out of one unit of x")
    V_spike = Param(
        -4.5, "mV", (-60, 60), free=False, role=Role.SPIKE_LEVEL, doc="level whose upward crossing is a spike"
    )

    @staticmethod
    def equations(dp, s, c, i):
        x, w = s.x.word(4), s.w.word(16)
        cubic = (x * (3 - (x * x).word(16)).word(32)).word(32)
        push = (c.k_I * i).word(16) - w
        rate = (cubic + (push + push.times2(1))).word(32)
        recovery = ((s.x + c.a) - (c.b * w).word(8)).word(8)
        x = (s.x + (c.k_x * rate).like(s.x)).like(s.x)
        v = (c.V_0 + (c.S * x.word(4)).word(256)).word(128)
        spike, armed = crossing(v, c.V_spike, s.armed)
        return {
            "x": x,
            "w": (s.w + (c.k_w * recovery).like(s.w)).like(s.w),
            "armed": armed,
            ".v": v,
            ".spike": spike,
        }

    @staticmethod
    def shown(s, p):
        return p.V_0 + p.S * s.x

    @staticmethod
    def resting(p):
        """Where the nullclines cross, which within the bounds is once: x^3/3 + (1/b - 1) x + a/b = 0."""
        x = lowest_root(0.0, 3 * (1 / p.b - 1), 3 * p.a / p.b)
        return {"x": x, "w": (x + p.a) / p.b, "armed": np.ones_like(x)}
