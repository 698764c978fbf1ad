"""How models spike: a threshold with reset and refractory time, or a level that the potential crosses."""

from .trace import Value, select

REARM = 15.0  # mV below the level of a spike's crossing


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
