"""Parts that models share: the leak, spikes by threshold, reset and refractory time, and spikes by crossing a level."""

from typing import Any

import numpy as np

from .conversions import dt_times
from .fixed import Q
from .spec import Names, State
from .trace import Value, select

REARM = 15.0  # mV below the spike level to which the potential must fall before the next crossing can be a spike
HOLD = State("steps", span=30, doc="steps left of the refractory time")
ARMED = State("flag", doc="whether the next crossing of V_spike is a spike")
K_Q = dt_times("k_q", over="C", fastest=1 / 0.04)  # coefficient dt k/C of the gain k (uS/mV) of a quadratic membrane


def leaky(V: Value, c: Names, current: Value, more: Value | None = None) -> Value:
    """V after one step of tau_m V' = -(V - E_L) + R_m I, exact for a current that is constant during the step.

    The coefficients are k_m (1 - exp(-dt/tau_m)), E_L and R_m. `more` is a second current, in a format of its own.
    """
    drive = (c.E_L - V).word(512) + (c.R_m * current).word(512)
    if more is not None:
        drive = drive + (c.R_m * more).word(512)
    return (V + (c.k_m * drive.word(512)).like(V)).like(V)


def decayed(dp: Any, h: Value, tau: float, span: float) -> Value:
    """h after one step of tau h' = -h, for a time constant that is the same for all neurons, and |h| below `span`.

    The coefficient is a whole code with its point moved, because it may need more than 30 fraction bits.
    """
    k = -np.expm1(-dp.dt / tau)
    q = Q.covering(k, dp.word)
    return h - (dp.trace.const(int(q.encode(k))).times2(-q.f_bits) * h.word(span)).like(h)


def fire(
    V: Value, hold: Value, *, threshold: Value, reset: Value, n_ref: Value, peak: Value
) -> tuple[Value, dict[str, Value]]:
    """The spike of an integrate-and-fire neuron, and its outputs: the states V and hold, the read-out and the spike.

    If V >= threshold, the neuron spikes: V is reset and held for n_ref steps, which the state `hold` counts. In the step of
    the spike, the read-out shows `peak`.
    """
    held = hold > 0
    V = select(held, reset, V)
    spike = select(held, 0, V >= threshold)
    left = select(held, (hold - 1).like(hold), 0)
    shown = select(spike, peak, V.word(128))
    return spike, {
        "V": select(spike, reset, V),
        "hold": select(spike, n_ref, left),
        ".v": shown,
        ".spike": spike,
    }


def crossing(v: Value, level: Value, armed: Value) -> tuple[Value, Value]:
    """(spike, next state `armed`): a spike is a step in which v reaches `level` while armed.

    A spike disarms; the neuron is armed again when v has fallen to 15 mV below the level.
    """
    up = armed > 0
    spike = select(up, v >= level, 0)
    return spike, select(spike, 0, select(v <= level - REARM, 1, up))
