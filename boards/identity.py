"""What a board says of itself, and whether that is the neuron that the host has in mind."""

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.sim import reference

from .link import VERSION, Layout

STEPS = 400  # steps of the reference that the hash is of


def identity(dp: Datapath, layout: Layout, board: str, clock_hz: float, tick: int) -> dict[str, Any]:
    """The identity block of a bitstream, as JSON: model, number formats [i, f], registers in the order of their addresses.

    board     name of the board
    clock_hz  Hz, of the neuron
    tick      clocks of a time step in free-run
    """
    return {
        "link": VERSION,
        "model": dp.model.__name__,
        "settings": dict(dp.model.chosen),
        "word": dp.word,
        "dt": dp.dt,
        "i": [dp.current.i_bits, dp.current.f_bits],
        "v": [dp.readout.i_bits, dp.readout.f_bits],
        "coefficients": {name: [q.i_bits, q.f_bits] for name, q in dp.coefficients.items()},
        "states": {name: [q.i_bits, q.f_bits] for name, q in dp.states.items()},
        "bytes": [layout.code_bytes, layout.entry_bytes, layout.record_bytes],
        "board": board,
        "depth": layout.depth,
        "clock": clock_hz,
        "tick": tick,
        "hash": fingerprint(dp),
    }


@cache
def fingerprint(dp: Datapath) -> str:
    """A hash of what the reference computes under a fixed current, from every parameter's default: of formats and equations."""
    rng = np.random.default_rng(0)
    coefficients = dp.quantise(dp.model.defaults())
    current = rng.integers(dp.current.lo, dp.current.hi + 1, STEPS // 8).repeat(8)
    v, spikes, states = reference.run(dp, dp.rest(coefficients), coefficients, current[:, None])
    vectors = np.concatenate([v[..., None], spikes[..., None], states], axis=-1).astype("<i8")
    return hashlib.sha256(repr(dp.formats).encode() + vectors.tobytes()).hexdigest()[:16]


def difference(here: Mapping[str, Any], there: Mapping[str, Any]) -> str | None:
    """In what a board's identity differs from the one expected, in words; None if in nothing that matters.

    Board and clock may be any.
    """
    names = {
        "link": "version of the link",
        "dt": "time step",
        "v": "format of the voltage",
    }
    names |= {"coefficients": "registers", "states": "registers", "bytes": "layout", "hash": "arithmetic"}
    for name, mine in here.items():
        if name not in ("board", "clock", "tick", "depth", "crowd") and there.get(name) != mine:
            if name == "i":
                return f"a current of ±{_span(there):g} nA and not ±{_span(here):g} nA"
            if isinstance(mine, dict) or name == "bytes" or name == "hash":
                return f"another {names.get(name, name)}"
            return f"{names.get(name, name)} {there.get(name)} and not {mine}"
    return None


def _span(identity: Mapping[str, Any]) -> float:
    """nA, of the largest current, as an identity has it; NaN if it has none."""
    try:
        return 2.0 ** (int(identity["i"][0]) - 1)
    except (KeyError, TypeError, ValueError, IndexError):
        return float("nan")
