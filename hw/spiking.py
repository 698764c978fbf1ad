"""How models leak and spike: a threshold with reset and refractory time, or a level that the potential crosses."""

from .conversions import dt_times
from .spec import Names, State
from .trace import Value, select

REARM = 15.0  # mV below the level of a spike's crossing
HOLD = State("steps", span=30, doc="steps left of the refractory time")
ARMED = State("flag", doc="whether the next crossing of V_spike is a spike")
K_Q = dt_times("k_q", over="C", fastest=1 / 0.04)  # of the gain k of a quadratic membrane, uS/mV: dt k/C


def leaky(V: Value, c: Names, current: Value) -> Value:
    """V after one step of tau_m V' = -(V - E_L) + R_m I, exactly while I holds; coefficients k_m, E_L and R_m."""
    drive = ((c.E_L - V).word(512) + (c.R_m * current).word(512)).word(512)
    return (V + (c.k_m * drive).like(V)).like(V)


def fire(
    V: Value, hold: Value, *, threshold: Value, reset: Value, n_ref: Value, peak: Value
) -> tuple[Value, dict[str, Value]]:
    """The spike, and what it makes of an integrate-and-fire neuron: states V and hold, read-out and spike.

    V >= threshold: V <- reset, held for n_ref steps, which `hold` counts; the step of a spike shows `peak`.
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
    """(spike, armed): v reaches `level` from below; armed again once v is 15 mV lower."""
    up = armed > 0
    spike = select(up, v >= level, 0)
    return spike, select(spike, 0, select(v <= level - REARM, 1, up))
