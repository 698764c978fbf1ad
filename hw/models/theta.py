"""Ermentrout and Kopell's theta neuron."""

from functools import cache

import numpy as np

from spikefab.hw.conversions import Conversion
from spikefab.hw.fixed import Q
from spikefab.hw.gates import index, over
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait
from spikefab.hw.tables import interpolate, linear
from spikefab.hw.trace import select

LIMIT = 8.0  # y = tan(theta/2) is limited to -LIMIT..LIMIT in the read-out
ENTRIES = {16: 256, 18: 512, 24: 1024}  # entries of a table over a full turn of the phase, by word length
K = Conversion(  # conversion of the parameter tau to its coefficient
    "k", lambda tau, p, c, dt: 2 * dt / (np.pi * tau), lambda k, p, c, dt: 2 * dt / (np.pi * k)
)  # fmt: skip


def limited_tan(phase):
    """tan(theta/2) within -8..8, of theta/pi."""
    return np.clip(np.tan(phase * (np.pi / 2)), -LIMIT, LIMIT)


@cache
def phase_tables(word: int):
    """(cos^2(theta/2), limited tan(theta/2)) over theta/pi in -1..1."""
    n = ENTRIES[word]
    cos2 = linear("cos2", over(-1, 1, n, lambda phase: np.cos(phase * (np.pi / 2)) ** 2), n, word, span=1)
    return cos2, linear("tan", over(-1, 1, n, limited_tan), n, word, span=LIMIT)


class ThetaNeuron(Neuron):
    """The theta neuron: a phase on a circle, which is quadratic integrate-and-fire whose spike takes no time.

        tau theta' = (1 - cos theta) + (1 + cos theta)(eta + k_I I);   spike at theta = pi
        V = V_0 + S y,  y = tan(theta/2) within -8..8;  on the step of a spike V_peak

    Forward Euler of theta, as tau theta'/2 = 1 - cos^2(theta/2) (1 - eta - k_I I). With y = tan(theta/2) it is
    tau y' = y^2 + eta + k_I I, from -infinity to infinity. It fires tonically where eta + k_I I > 0, at
    sqrt(eta + k_I I)/(pi tau); else it rests at y = -sqrt(-eta - k_I I). eta + k_I I is limited at 16.
    The state is theta/pi, in half turns: it wraps forwards, and stays at -1 if inhibition would turn it back through pi.

    Source: Ermentrout & Kopell 1986, SIAM J. Appl. Math. 46:233; Ermentrout 1996, Neural Comput. 8:979, eq. 2.1.
    Not: adapting; with a reset to choose: it begins again from -8 S below V_0.
    """

    scheme = "forward Euler"
    best_for = "regular firing that begins at arbitrarily low rates, from three parameters"
    traits = frozenset({Trait.REGULAR})

    phase = State("half turns", span=1, operand_span=16, slowest=50 * np.pi, doc="theta/pi")

    tau = Param(5.0, "ms", (1, 100), log=True, register=K, doc="time constant")
    eta = Param(-0.25, "", (-1, 1), doc="constant drive: below 0 it rests, above it fires by itself")
    k_I = Param(2.0, "1/nA", (0.02, 32), log=True, per_input=True, doc="gain of the input")
    V_0 = Param(-64.0, "mV", (-100, 40), free=False, role=Role.OFFSET, doc="read-out at theta = 0")
    S = Param(2.0, "mV", (0.1, 15), free=False, role=Role.SCALE, doc="read-out of one unit of y")
    V_peak = Param(30.0, "mV", (-40, 80), free=False, role=Role.PEAK, doc="shown on the step of a spike")

    @staticmethod
    def equations(dp, s, c, i):
        cos2, tan = phase_tables(dp.word)
        drive = ((c.k_I * i).word(16) + c.eta).word(16)
        # A phase that is rounded to pi wraps to -pi, where the table has the same value.
        at = index(s.phase.wrap(Q.covering(1, dp.word)), 1.0, cos2.entries)
        # (1 - cos) + (1 + cos) drive = 2 (1 - cos^2(theta/2) (1 - drive))
        speed = (1 - (interpolate(cos2, at).word(1) * (1 - drive).word(16)).word(16)).word(16)
        ahead = s.phase + (c.k * speed).like(s.phase)
        spike = ahead >= 1
        phase = select(spike, ahead.wrap(s.phase.q), ahead.like(s.phase))
        # the table holds tan(theta/2) cut off at -LIMIT and LIMIT, so this resize never saturates
        y = interpolate(tan, index(phase, 1.0, tan.entries)).word(2 * LIMIT)
        v = (c.V_0 + (c.S * y).word(256)).word(128)
        return {"phase": phase, ".v": select(spike, c.V_peak, v), ".spike": spike}

    @staticmethod
    def shown(s, p):
        return p.V_0 + p.S * limited_tan(s.phase)

    @staticmethod
    def resting(p):
        """The stable fixed point at y = -sqrt(-eta); where it fires without input there is none, and theta is 0."""
        return {"phase": -2 / np.pi * np.arctan(np.sqrt(np.maximum(-p.eta, 0)))}
