"""Izhikevich's simple model of choice."""

import math
from typing import Any

from spikefab.errors import UsageError
from spikefab.hw.conversions import dt_over, dt_times
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait
from spikefab.hw.spiking import K_Q
from spikefab.hw.trace import select


class IzhikevichNeuron(Neuron):
    """Izhikevich's quadratic model with recovery.

        C v' = k (v - v_r)(v - v_t) - u + I;   u' = a (b (v - v_r) - u)
        v >= v_peak: v <- c, u <- u + d

    Forward Euler; u moves with the old v.

    Source: Izhikevich 2007, Dynamical Systems in Neuroscience, eqs. 8.5-8.6; defaults p. 274 (regular spiking).
    `from_2003` makes the neurons of Izhikevich 2003.
    Not: the book's FS (cubic u'), LTS and TC rules, where peak and reset move with u.
    """

    scheme = "forward Euler"
    best_for = "many firing patterns from few operations: regular, bursting, chattering, rebound"
    traits = frozenset({Trait.FIRING_PATTERNS, Trait.BURSTING, Trait.REBOUND})

    v = State("mV", span=128, slowest=60, rest="v_r", doc="membrane potential")  # type: ignore[assignment]
    u = State("nA", span=4, per_input=True, slowest=500, doc="recovery current")

    C = Param(0.100, "nF", (0.015, 2), log=True, role=Role.CAPACITANCE, register=dt_over("k_I"), doc="capacitance")
    k = Param(0.0007, "uS/mV", (0.00002, 0.004), log=True, register=K_Q, doc="gain of the quadratic")
    a = Param(0.03, "1/ms", (0.002, 0.3), log=True, register=dt_times("k_u"), doc="rate of recovery")
    b = Param(-0.002, "uS", (-0.020, 0.030), role=Role.COUPLING, doc="sensitivity of recovery")
    c = Param(-50.0, "mV", (-110, 0), role=Role.RESET, doc="reset of v")
    d = Param(0.100, "nA", (-0.1, 0.5), role=Role.JUMP, doc="recovery step of a spike")
    v_r = Param(-60.0, "mV", (-100, -30), free=False, role=Role.REST, doc="resting potential")
    v_t = Param(-40.0, "mV", (-75, 20), free=False, role=Role.THRESHOLD, doc="instantaneous threshold")
    v_peak = Param(35.0, "mV", (-40, 80), free=False, role=Role.PEAK, doc="spike detection and what a spike shows")

    @classmethod
    def from_2003(
        cls, a: float, b: float, c: float, d: float, *, dt: float = 0.1, word: int = 18, **more: Any
    ) -> "IzhikevichNeuron":
        """The neuron of Izhikevich 2003: v' = .04 v^2 + 5 v + 140 - u + I; u' = a (b v - u); v >= 30: v <- c, u <- u + d.

        It is this model exactly, with v_r its resting potential: the lower root of .04 v^2 + 5 v + 140 = b v. As
        .04 v^2 + 5 v + 140 - b v_r is zero there and its roots add up to -5/.04, it is .04 (v - v_r)(v - v_t) with
        v_t = -125 - v_r; the u of this model is C (u - b v_r). C = 0.05 nF keeps all of the paper's cells inside the
        bounds: k = .04 C, b C, d C, and one unit of the paper's I is 0.05 nA. `more`: i_span, initial.
        """
        if b > 5 - math.sqrt(0.16 * 140):
            raise UsageError(f"the neuron of 2003 has no resting potential with b = {b}: take b <= 0.267.")
        C = 0.05
        v_r = (b - 5 - math.sqrt((5 - b) ** 2 - 0.16 * 140)) / 0.08
        return cls(
            C=C, k=0.04 * C, a=a, b=b * C, c=c, d=d * C, v_r=v_r, v_t=-125 - v_r, v_peak=30.0,
            dt=dt, word=word, **more,
        )  # fmt: skip

    @staticmethod
    def equations(dp, s, c, i):
        nA = 4 * dp.i_span
        x = (s.v - c.v_r).word(128)
        quadratic = ((c.k_q * x).word(1) * (s.v - c.v_t).word(128)).like(s.v)
        drive = (c.k_I * (i - s.u).word(nA)).like(s.v)
        v = (s.v + (quadratic + drive)).like(s.v)
        pull = ((c.b * x).word(nA) - s.u).word(nA)
        u = (s.u + (c.k_u * pull).like(s.u)).like(s.u)
        spike = v >= c.v_peak
        return {
            "v": select(spike, c.c, v),
            "u": select(spike, (u + c.d).like(s.u), u),
            ".v": select(spike, c.v_peak, v.word(128)),
            ".spike": spike,
        }
