"""Test inputs for banks of neurons, and what the reference makes of them.

| kind | registers at the start | current |
|---|---|---|
| `built` | as they were built | coloured noise and plateaus, of full scale and less |
| `random` | states anywhere, and coefficients that each neuron has for itself | the four kinds of `stimuli` in turn |
| `corners` | critical codes, see `corners.draw` | critical codes |

Registers are written through the configuration ports in random order. Except for `built`, currents and writes come after random
pauses. At the end of each segment, the states of all neurons are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikefab.hw.bank import Bank

from . import corners, reference
from .bank_player import CURRENT, ITEM, RESULT, SHOW, SHOWN, WRITE, fields, settled
from .stimuli import CURRENTS

LONGEST = 256  # sweeps of a segment of the kind `built`
RANDOM_SWEEPS, CORNER_SWEEPS = (
    12,
    4,
)  # sweeps of a segment: few, because most states soon stand still at an end of their range


@dataclass(frozen=True)
class Segment:
    """A part of a run.

    states        (count, states) written before it; None: those of the segment before stay
    coefficients  (count, coefficients) in the same way; all rows are alike but for those that each neuron has for itself
    current       (sweeps, count), or (sweeps, 1) for a current for all neurons
    pauses        whether currents and writes are offered after random pauses
    """

    kind: str
    states: np.ndarray | None
    coefficients: np.ndarray | None
    current: np.ndarray
    pauses: bool = True


def built_coefficients(bank: Bank) -> np.ndarray:
    """The codes (count, coefficients) that a bank is built with."""
    names = [register.name for register in bank.datapath.registers if register.kind == "coefficient"]
    codes: dict[str, Any] = {**dict(zip(names, bank.reset_codes, strict=False)), **bank.own}
    return np.stack([np.broadcast_to(codes[name], bank.count) for name in bank.datapath.coefficients], axis=-1)


def built_states(bank: Bank) -> np.ndarray:
    """The codes (count, states) that a bank starts with."""
    return np.stack([bank.initial[name] for name in bank.datapath.states], axis=-1)


def segments(bank: Bank, steps: int, seed: int = 0) -> Iterator[Segment]:
    """Segments of all kinds, of at least `steps` neuron-steps."""
    rng, sweeps = np.random.default_rng(seed), -(-steps // bank.count)
    randoms, cornered = max(sweeps // 2 // RANDOM_SWEEPS, 1), max(sweeps // 4 // CORNER_SWEEPS, 2)
    rest = max(sweeps - randoms * RANDOM_SWEEPS - cornered * CORNER_SWEEPS, 4)
    for first in range(0, rest, LONGEST):
        yield built(bank, min(LONGEST, rest - first), rng)
    for k in range(max(randoms, cornered)):
        if k < randoms:
            yield _random(bank, k, rng)
        if k < cornered:
            yield _corners(bank, rng)


def built(bank: Bank, sweeps: int, rng: np.random.Generator) -> Segment:
    """A segment of the kind `built`."""
    dp, width = bank.datapath, 1 if bank.broadcast else bank.count
    kinds = [(CURRENTS[kind], amplitude) for amplitude in (0.5, 0.25, 1.0, 0.125) for kind in ("noise", "steps")]
    rows = [
        np.rint(make(dp, sweeps * width // len(kinds) + 1, rng, None) * amplitude).astype(np.int64)
        for make, amplitude in kinds
    ]
    return Segment("built", None, None, np.concatenate(rows)[: sweeps * width].reshape(sweeps, width), pauses=False)


def _random(bank: Bank, number: int, rng: np.random.Generator) -> Segment:
    dp, width = bank.datapath, 1 if bank.broadcast else bank.count
    coefficients = built_coefficients(bank)
    for k, (name, q) in enumerate(dp.coefficients.items()):
        if name in bank.own:
            coefficients[:, k] = rng.integers(q.lo, q.hi, bank.count, endpoint=True)
    states = np.stack([rng.integers(q.lo, q.hi, bank.count, endpoint=True) for q in dp.states.values()], axis=-1)
    make = [*CURRENTS.values()][number % len(CURRENTS)]
    current = make(dp, RANDOM_SWEEPS * width, rng, None).reshape(RANDOM_SWEEPS, width)
    return Segment("random", states, coefficients, current)


def _corners(bank: Bank, rng: np.random.Generator) -> Segment:
    dp, width = bank.datapath, 1 if bank.broadcast else bank.count
    states, coefficients, _ = corners.draw(dp, rng, bank.count)
    for k, name in enumerate(dp.coefficients):
        if name not in bank.own:
            coefficients[:, k] = coefficients[0, k]
    *_, current = corners.draw(dp, rng, CORNER_SWEEPS * width)
    return Segment("corners", states, coefficients, current.reshape(CORNER_SWEEPS, width))


def items(bank: Bank, segment: Segment, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The items with which a player plays a segment, and in which order it asks for the states of the neurons, (count,)."""
    dp, asked = bank.datapath, rng.permutation(bank.count)
    written = [
        (register.address, values if register.kind == "state" or register.name in bank.own else values[:1])
        for register in dp.registers
        if (values := _values(bank, segment, register)) is not None
    ]
    writes = np.zeros(sum(len(values) for _, values in written), ITEM)
    at = 0
    for address, values in written:
        part = writes[at : at + len(values)]
        part["address"], part["data"], part["neuron"] = address, values, np.arange(len(values))
        at += len(values)
    rng.shuffle(writes)
    writes["kind"] = WRITE
    currents = np.zeros(segment.current.size, ITEM)
    currents["kind"], currents["data"] = CURRENT, segment.current.ravel()
    # other inputs of the bank, which it must not mind; the upper bits of a current are not even connected
    currents["neuron"] = rng.integers(0, bank.count, len(currents))
    currents["address"] = rng.integers(0, len(dp.registers), len(currents))
    shows = np.zeros(bank.count, ITEM)
    shows["kind"], shows["neuron"] = SHOW, asked
    shows["data"] = rng.integers(dp.current.lo, dp.current.hi, len(shows), endpoint=True)
    _pause(shows, np.where(np.arange(bank.count) == 0, settled(bank), bank.lead + 2))
    if segment.pauses:
        _pause(writes, _random_pauses(len(writes), 2 * bank.lead, rng))
        # sometimes so long that a sweep ends, and the pipeline runs empty, in the meantime
        _pause(currents, _random_pauses(len(currents), 2 * bank.latency, rng, rare=settled(bank)))
    return np.concatenate([writes, currents, shows], dtype=ITEM), asked  # else NumPy would change the order of bytes


def _values(bank: Bank, segment: Segment, register) -> np.ndarray | None:
    codes = segment.states if register.kind == "state" else segment.coefficients
    names = [*(bank.datapath.states if register.kind == "state" else bank.datapath.coefficients)]
    return None if codes is None else codes[:, names.index(register.name)]


def _random_pauses(count: int, longest: int, rng: np.random.Generator, rare: int | None = None) -> np.ndarray:
    """Two in three items come at once."""
    pauses = np.where(rng.random(count) < 2 / 3, 0, rng.integers(0, longest, count, endpoint=True))
    return pauses if rare is None else np.where(rng.random(count) < 2 / (count + 2), rare, pauses)


def _pause(some: np.ndarray, clocks: np.ndarray) -> None:
    some["pause"] = np.asarray(clocks, dtype=">u4").view("u1").reshape(-1, 4)[:, 1:]


class Golden:
    """The reference beside a bank, segment by segment."""

    def __init__(self, bank: Bank):
        self.bank, self.states, self.coefficients = bank, built_states(bank), built_coefficients(bank)

    def play(self, segment: Segment, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows (steps + count, fields) that a segment must give, and the states (sweeps, count, states) before each sweep."""
        bank, dp = self.bank, self.bank.datapath
        if segment.states is not None:
            self.states = segment.states
        if segment.coefficients is not None:
            self.coefficients = segment.coefficients
        sweeps, count = len(segment.current), bank.count
        current = np.broadcast_to(segment.current, (sweeps, count))
        v, spikes, path = reference.run(dp, self.states, self.coefficients, current)
        before = np.concatenate([self.states[None], path[:-1]])
        self.states = path[-1]
        rows = np.zeros((sweeps * count + count, len(fields(bank))), dtype=np.int64)
        results, shown = rows[: sweeps * count], rows[sweeps * count :]
        results[:, 0], results[:, 1] = RESULT, np.tile(np.arange(count), sweeps)
        results[:, 2], results[:, 3] = spikes.ravel(), v.ravel()
        results[:, 4:] = path.reshape(sweeps * count, -1)
        shown[:, 0], shown[:, 1], shown[:, 4:] = SHOWN, asked, self.states[asked]
        return rows, before
