"""What a design will take of a board, from the trace of its model alone, in milliseconds: no synthesis, no place and route.

Multipliers and block RAMs are counted: which memories there are, and in which shapes a device's blocks hold them. Logic cells are
a weighted sum of the bits that the operations work on (`hw/lowering/cost.py`), and the period of the clock is one of what makes it
slow. The weights are in `calibration.json`, made from committed builds by `python -m benchmarks.calibrate`, with the errors that
models had when they were left out.
"""

import json
import math
from collections.abc import Mapping
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
from spikefab.hw.lowering.pipelined import products, tables_read
from spikefab.hw.lowering.schedule import source
from spikefab.hw.models import MODELS
from spikefab.hw.neuron import Neuron
from spikefab.hw.spram import Spram

from .capacity import block_rams, memories, most
from .population import Crowd, Population
from .table import Board
from .top import Setup

# The share of the logic cells that place and route can be relied on to fill: of a UP5K, 84 % were filled with Hodgkin-Huxley; for
# some cells of a population of AdEx that takes 99 %, no place was found.
ROOM = 0.85
TRIES, SLOWER = 6, 0.97  # clocks that are tried for a population, each slower by this factor
CALIBRATION = Path(__file__).parent / "calibration.json"


@dataclass(frozen=True)
class Estimate:
    """What a design takes of a board. Nothing of it was synthesised: `cells_error` and `mhz_error` say how far off it may be.

    It fits only if it does so even if cells and clock are off by as much.
    """

    board: str
    model: str
    word: int
    form: str  # "shared" or "pipelined"
    neurons: int  # in the bitstream
    lanes: int
    each: int  # products at once in a lane: the `multipliers` of a `Crowd`
    interval: int  # clocks
    cells: int  # logic cells
    multipliers: int
    block_rams: int
    mhz: float  # the clock that place and route will reach
    clock_mhz: float  # the clock that is needed
    cells_error: float  # relative; the largest of any model when it was left out of the calibration
    mhz_error: float  # relative: how far below `mhz` the clock may be
    refused: str  # why it does not fit, such as "30 of 28 block RAMs"; "": it fits

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def estimate(neuron: Neuron, board: Board, crowd: Crowd | None = None) -> Estimate | None:
    """The estimate of one neuron with a shared multiplier, or of a population. None if nothing like it was ever built: none is
    known of pipelines whose words take several multipliers a product, which are much slower.

    Raises UsageError for a population that cannot be.
    """
    form = "shared" if crowd is None else "pipelined"
    known = calibration()[form].get(board.family.fabric)
    dp, each = neuron.datapath, board.multipliers_each(neuron.word)
    if known is None or (crowd is not None and each > 1):
        return None
    setup = Setup(neuron, board, crowd=crowd)
    if crowd is None:
        units, lanes, neurons = 1, 1, 1
        sizes = {name: weighed(known[name], features(dp, board)) for name in ("cells", "registers") if name in known}
        slow = {"one": 1}
    else:
        assert isinstance(setup.part, Population)
        bank, lanes, neurons = setup.part.lanes.banks[0], crowd.lanes, crowd.neurons
        units = lanes * len({*bank.plan.unit.values()})
        found_of = bank_features(bank, board)
        beside = weighed(known["link"], link_features(setup))
        sizes = {n: lanes * weighed(known[n], found_of) + beside for n in ("cells", "registers") if n in known}
        slow = bank_slowness(bank)
    found = {
        "cells": math.ceil(sizes["cells"]),
        "multipliers": units * each,
        "block_rams": block_rams(memories(setup), board.family),
    }
    counted = {"cells": found["cells"], "registers": math.ceil(sizes.get("registers", 0))}
    over = [
        f"{n:,} of {board.cells:,} {kind}"
        if n > board.cells
        else f"{n:,} (or {error:.0%} more) of {board.cells:,} {kind}, of which {ROOM:.0%} can be placed and routed"
        for kind, n in counted.items()
        if n * (1 + (error := known.get(f"{kind}_error", 0))) > ROOM * board.cells
    ]
    over += [
        f"{found[kind]:,} of {getattr(board, kind):,} {name}"
        for kind, name in (("multipliers", "multipliers"), ("block_rams", "block RAMs"))
        if found[kind] > getattr(board, kind)
    ]
    needed, mhz = setup.clock_hz / 1e6, 1000 / weighed(known["period"], slow)
    least = mhz * (1 - known["mhz_error"])
    if setup.crosses:
        mhz, least = min(mhz, known["linked_mhz"]), min(least, known["linked_mhz"] * (1 - known["linked_error"]))
    error = round(1 - least / mhz, 3)
    if least < needed:
        over.append(f"{needed:.1f} MHz where about {mhz:.1f} (or {error:.0%} less) are reached")
    return Estimate(
        board=board.name,
        model=type(neuron).__name__,
        word=neuron.word,
        form=form,
        neurons=neurons,
        lanes=lanes,
        each=units // lanes,
        interval=setup.part.interval,
        **found,
        mhz=round(mhz, 1),
        clock_mhz=round(needed, 6),
        cells_error=known["cells_error"],
        mhz_error=error,
        refused=", ".join(over),
    )


def estimates(neuron: Neuron, board: Board) -> list[Estimate]:
    """Of one neuron, and of as many as the board holds, if there are two or more; what was never built is left out."""
    return [each for each in (estimate(neuron, board), population(neuron, board)) if each is not None]


def population(
    neuron: Neuron, board: Board, lanes: int = 1, multipliers: int | None = None, per_neuron: tuple[str, ...] = ()
) -> Estimate | None:
    """The estimate of as many neurons as the board holds, in so many lanes.

    With as many multipliers as there are (or as given), or else as few as make it fit. If none fits, it is the one with the most
    multipliers, which says why. None if there is no room for two, or if nothing like it was ever built.
    """
    found = [
        one
        for count in (worthwhile(neuron, board, lanes) if multipliers is None else [multipliers])
        if (one := _largest(neuron, board, Crowd(2 * lanes, lanes, count, per_neuron))) is not None
    ]
    return next((one for one in found if not one.refused), found[0] if found else None)


def _largest(neuron: Neuron, board: Board, crowd: Crowd) -> Estimate | None:
    """The estimate of as many neurons as the board holds, otherwise as in `crowd`; None if it has no room for these."""
    known = calibration()["pipelined"].get(board.family.fabric)
    if known is None:
        return None
    one = None
    with suppress(UsageError):
        period = weighed(known["period"], bank_slowness(crowd.lanes_of(neuron, board).banks[0]))
        hz = min(board.pipeline_hz, 1e9 / period * (1 - known["mhz_error"]))
        for _ in range(TRIES):  # PLLs make few clocks: the next that is fast enough may be too fast
            one = estimate(neuron, board, most(neuron, board, crowd.lanes, crowd.multipliers, crowd.per_neuron, hz))
            if one is None or one.clock_mhz <= one.mhz * (1 - one.mhz_error):
                break
            hz *= SLOWER
    return one


def worthwhile(neuron: Neuron, board: Board, lanes: int) -> list[int]:
    """The numbers of multipliers of a lane with which a step can begin more often than with one less, the largest first."""
    wanted = products(neuron.datapath.trace)
    have = min(wanted, board.multipliers // (lanes * max(1, board.multipliers_each(neuron.word))))
    return [n for n in range(max(1, have), 0, -1) if n == 1 or -(-wanted // n) < -(-wanted // (n - 1))]


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


def link_features(setup: Setup) -> dict[str, int]:
    """What a population takes beside its banks: its link, a crossing between two clocks, and what chooses among block RAMs."""
    assert isinstance(setup.part, Population) and setup.crowd is not None
    bank = setup.part.lanes.banks[0]
    states = sum(q.width for q in bank.datapath.states.values())
    if isinstance(bank.block, Spram):
        states -= bank.block.bits(states, bank.interval)
    chosen = setup.crowd.lanes * (bank.groups(states) - 1) * states
    return {"link": 1, "crossing": int(setup.crosses), "chosen": chosen}


def bank_slowness(bank: Bank) -> dict[str, int]:
    """What the clock of a bank depends on: whether operands take turns, wide tables, and factors that are sums."""
    trace = bank.datapath.trace
    factors = [trace.nodes[source(trace, a, bank.plan.timing)].op for i in bank.plan.unit for a in trace.nodes[i].args]
    sums = any(isinstance(op, ops.Add) for op in factors)
    wide = any(table.width > 18 for table in tables_read(trace))
    return {"one": 1, "turns": int(bank.interval > 1), "wide": int(wide), "sums": int(sums)}
