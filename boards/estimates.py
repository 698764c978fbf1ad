"""What a design will take of a board, from the trace of its model alone, in milliseconds: no synthesis, no place and route.

Multipliers and block RAMs are counted: which memories there are, and in which shapes a device's blocks hold them. Logic cells are
a weighted sum of the bits that the operations work on (`hw/lowering/cost.py`), and the period of the clock is one of what makes it
slow. The weights are in `calibration.json`, made from committed builds by `python -m benchmarks.calibrate`, with the errors that
models had when they were left out.
"""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spikefab.errors import UsageError
from spikefab.hw import ops
from spikefab.hw.bank import Bank
from spikefab.hw.datapath import Datapath
from spikefab.hw.lowering.cost import bits, handed_on
from spikefab.hw.lowering.pipelined import tables_read
from spikefab.hw.lowering.schedule import source
from spikefab.hw.models import MODELS
from spikefab.hw.neuron import Neuron
from spikefab.hw.spram import Spram

from .devices import Family
from .link import SLOTS, identity_block
from .population import Crowd, Population
from .table import Board
from .top import Setup

CALIBRATION = Path(__file__).parent / "calibration.json"
Memories = Sequence[tuple[int, int]]  # bits of a word and words of each memory


@dataclass(frozen=True)
class Estimate:
    """What a design takes of a board. Nothing of it was synthesised: `cells_error` and `mhz_error` say how far off it may be."""

    board: str
    model: str
    word: int
    form: str  # "shared" or "pipelined"
    neurons: int  # in the bitstream
    lanes: int
    interval: int  # clocks
    cells: int  # logic cells
    multipliers: int
    block_rams: int
    mhz: float  # the clock that place and route will reach
    clock_mhz: float  # the clock that is needed
    cells_error: float  # relative; the largest of any model when it was left out of the calibration
    mhz_error: float
    refused: str  # why it does not fit, such as "30 of 28 block RAMs"; "": it fits

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def estimate(neuron: Neuron, board: Board, crowd: Crowd | None = None) -> Estimate | None:
    """The estimate of one neuron with a shared multiplier, or of a population. None if nothing like it was ever built.

    Raises UsageError for a population that cannot be.
    """
    form = "shared" if crowd is None else "pipelined"
    known = calibration()[form].get(board.family.fabric)
    if known is None:
        return None
    setup = Setup(neuron, board, crowd=crowd)
    dp, each = neuron.datapath, board.multipliers_each(neuron.word)
    if crowd is None:
        units, lanes, neurons = 1, 1, 1
        sizes = {name: weighed(known[name], features(dp, board)) for name in ("cells", "registers") if name in known}
        memories, slow = [*link_memories(setup), *table_memories(dp)], {"one": 1}
    else:
        assert isinstance(setup.part, Population)
        bank, lanes, neurons = setup.part.lanes.banks[0], crowd.lanes, crowd.neurons
        units = lanes * len({*bank.plan.unit.values()})
        found_of = bank_features(bank, board)
        sizes = {n: lanes * weighed(known[n], found_of) + known["link"] for n in ("cells", "registers") if n in known}
        slow = bank_slowness(bank)
        queue = (crowd.index_bits, setup.part.queue_depth)
        memories = [*link_memories(setup), *lanes * [*bank_memories(bank, board, lanes, crowd.per_neuron), queue]]
    found = {
        "cells": math.ceil(sizes["cells"]),
        "multipliers": units * each,
        "block_rams": block_rams(memories, board.family),
    }
    over = [
        f"{n:,} of {getattr(board, kind):,} {kind.replace('_', ' ').replace('rams', 'RAMs')}"
        for kind, n in found.items()
        if n > getattr(board, kind)
    ]
    if sizes.get("registers", 0) > board.cells:
        over.append(f"{math.ceil(sizes['registers']):,} of {board.cells:,} registers")
    needed, mhz = setup.clock_hz / 1e6, 1000 / weighed(known["period"], slow)
    if mhz < needed:
        over.append(f"{needed:.1f} MHz where about {mhz:.0f} are reached")
    return Estimate(
        board=board.name,
        model=type(neuron).__name__,
        word=neuron.word,
        form=form,
        neurons=neurons,
        lanes=lanes,
        interval=setup.part.interval,
        **found,
        mhz=round(mhz, 1),
        clock_mhz=round(needed, 6),
        cells_error=known["cells_error"],
        mhz_error=known["mhz_error"],
        refused=", ".join(over),
    )


def estimates(neuron: Neuron, board: Board) -> list[Estimate]:
    """Of one neuron, and of as many as the board holds, if there are two or more; what was never built is left out."""
    found = [estimate(neuron, board)]
    with suppress(UsageError):
        found.append(estimate(neuron, board, Crowd.most(neuron, board)))
    return [each for each in found if each is not None]


def fitting(board: Board) -> dict[str, list[str]] | None:
    """The models of which one neuron is estimated to fit a board, by word; None if nothing was built for such a device."""
    if board.family.fabric not in calibration()["shared"]:
        return None
    found: dict[str, list[str]] = {}
    for word in board.words:
        each = {name: estimate(model(word=word), board) for name, model in MODELS.items()}
        found[str(word)] = [name for name, one in each.items() if one is not None and not one.refused]
    return found


@cache
def calibration() -> dict[str, Any]:
    return json.loads(CALIBRATION.read_text(encoding="utf-8"))


def weighed(weights: Mapping[str, float], found: Mapping[str, int]) -> float:
    """The sum of what was found, each as often as it weighs."""
    return sum(weights.get(name, 0.0) * n for name, n in found.items())


def features(dp: Datapath, board: Board) -> dict[str, int]:
    """What the cells of one neuron depend on, and of its link."""
    registers = sum(register.format.width for register in dp.registers)
    product = {} if board.multipliers else {"product": dp.word**2}  # made from logic cells
    return {"one": 1, "registers": registers, **product, **bits(dp.trace)}


def bank_features(bank: Bank, board: Board) -> dict[str, int]:
    """What the cells of a bank depend on."""
    taking_turns = len(bank.plan.unit) - len({*bank.plan.unit.values()})
    found = {"factors": 0, "turned": 2 * bank.datapath.word * taking_turns}
    return features(bank.datapath, board) | found | {"handed_on": handed_on(bank.datapath.trace, bank.plan)}


def bank_slowness(bank: Bank) -> dict[str, int]:
    """What the clock of a bank depends on: operands that take turns, with constants, wide tables, and factors that are sums."""
    trace = bank.datapath.trace
    factors = [trace.nodes[source(trace, a, bank.plan.timing)].op for i in bank.plan.unit for a in trace.nodes[i].args]
    sums = any(isinstance(op, ops.Add) for op in factors)
    wide = any(table.width > 18 for table in tables_read(trace))
    turns = bank.interval > 1
    mixed = turns and any(isinstance(op, ops.Const) for op in factors)
    return {"one": 1, "turns": int(turns), "mixed": int(mixed), "wide": int(wide), "sums": int(sums)}


def link_memories(setup: Setup) -> Memories:
    """The memories of the serial link: identity, stimulus, records."""
    layout = setup.layout
    return [
        (8, len(identity_block(setup.identity))),
        (8 + layout.current, layout.depth),
        (8 * layout.record_bytes, SLOTS),
    ]


def table_memories(dp: Datapath) -> Memories:
    return [(table.width, table.entries) for table in tables_read(dp.trace)]


def bank_memories(bank: Bank, board: Board, lanes: int = 1, per_neuron: Sequence[str] = ()) -> Memories:
    """The memories of one lane: of tables, of states, and of coefficients that each neuron has for itself."""
    dp, block = bank.datapath, board.storage(lanes)
    states = sum(q.width for q in dp.states.values())
    if isinstance(block, Spram):
        states -= block.bits(states, bank.interval)
    found = [*table_memories(dp)]
    for width in (states, sum(dp.coefficients[name].width for name in per_neuron)):
        shape = block.shape(width, bank.count) if isinstance(block, Spram) else block
        for first in range(0, bank.count, shape.words):
            words = min(shape.words, bank.count - first)
            found += [(min(shape.bits, width - low), words) for low in range(0, width, shape.bits)]
    return found


def block_rams(memories: Memories, family: Family) -> int:
    """How many memory blocks of a family hold these memories: of each, as few as its shapes allow."""
    return sum(min(-(-width // w) * -(-depth // d) for w, d in family.shapes) for width, depth in memories)
