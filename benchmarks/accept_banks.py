"""Banks placed and routed, netlists == reference: every model, both families, 50,000 steps of a neuron each, in Verilator.

    python -m benchmarks.accept_banks benchmarks/results/banks.json [--steps 50000] [--models LIF,AdEx] [--boards icebreaker]
    python -m benchmarks.accept_banks benchmarks/results/banks.json --least 2 --models MAT --boards icebreaker

ECP5 at word 18, UP5K at word 16; each with the smallest interval with which it is placed and routed. `mhz` is the clock that
timing allows with one seed, between registers that shift inputs in and outputs out (`benchmarks.hardware`); `met` says whether it
is as fast as the board's crystal. Takes two or three hours; rows that the file has, of the same steps and version, are not run
again. Ends with status 8 if anything differs.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spikefab
from spikefab.boards.netlist import cells, synthesised, to_verilog
from spikefab.boards.table import BOARDS, Board
from spikefab.errors import DoesNotFitError, SpikefabError, ToolError
from spikefab.hw.bank import Bank
from spikefab.hw.lowering.pipelined import products
from spikefab.hw.models import MODELS
from spikefab.sim.bank_verify import verify_bank
from spikefab.sim.verify import require_exact
from spikefab.toolchain.tools import find_tool

from . import running
from .hardware import Seat, routed

# board -> word, neurons: as many as one word of a block RAM has states for
BANKS = {"ulx3s-25f": (18, 512), "icebreaker": (16, 256)}
# family -> what of a device is used up by which cells: multipliers, block RAMs, look-up tables, registers
RESOURCES = {
    "ECP5": ("MULT18X18D", "DP16KD", "LUT4", "TRELLIS_FF"),
    "iCE40": ("SB_MAC16", "SB_RAM40_4K", "SB_LUT4", "SB_DFF"),
}
# The share of the cells that a bank may take without the registers around it: Hodgkin-Huxley with five multipliers takes .88 of
# a UP5K, and place and route had not ended after 20 minutes.
ROOM = 0.8


def used(netlist: dict[str, Any], board: Board) -> dict[str, int]:
    """What a netlist takes of a device. Types of registers, and of carries (two look-up tables), are counted together."""
    found = cells(netlist)
    kinds = dict(zip(("multipliers", "block_rams", "luts", "registers"), RESOURCES[board.family.name], strict=True))
    counted = {name: sum(n for kind, n in found.items() if kind.startswith(start)) for name, start in kinds.items()}
    return counted | {"luts": counted["luts"] + 2 * found["CCU2C"]} | {"cells": packed(netlist)}


def packed(netlist: dict[str, Any]) -> int:
    """Look-up tables, and registers that are not behind a look-up table of their own: these share its cell."""
    luts, registers, readers = set(), [], Counter[Any]()
    for cell in netlist["modules"]["top"]["cells"].values():
        nets = cell["connections"]
        if cell["type"] in ("SB_LUT4", "LUT4"):
            luts.add(nets["O" if "O" in nets else "Z"][0])
        elif cell["type"].startswith(("SB_DFF", "TRELLIS_FF")):
            registers.append(nets["D" if "D" in nets else "DI"][0])
        readers.update(bit for port, bits in nets.items() if cell["port_directions"][port] == "input" for bit in bits)
    return len(luts) + sum(net not in luts or readers[net] > 1 for net in registers)


def fits(taken: dict[str, int], board: Board) -> bool:
    room = {"multipliers": board.multipliers, "block_rams": board.block_rams, "cells": ROOM * board.cells}
    return all(n <= room.get(name, board.cells) for name, n in taken.items())


def fitting(model: str, board: Board, least: int) -> Iterator[tuple[Bank, dict[str, Any]]]:
    """The banks that fit, by what their netlists take, and their netlists: that with the smallest interval, or `least`, first."""
    word, neurons = BANKS[board.name]
    neuron = MODELS[model](word=word)
    count = products(neuron.datapath.trace)
    tried = set()
    for interval in range(least, count + 1):
        multipliers = -(-count // interval)
        if multipliers in tried or multipliers > board.multipliers:
            continue
        tried.add(multipliers)
        bank = Bank(neuron, neurons, multipliers=multipliers, timing=board.family.timing, block=board.storage())
        netlist = synthesised(bank, board.family, platform=board.platform())
        taken = used(netlist, board)
        print(f"{model}, {board.name}, {multipliers} multipliers: {taken}", file=sys.stderr, flush=True)
        if fits(taken, board):
            yield bank, netlist


def smallest(model: str, board: Board, least: int) -> tuple[Bank, dict[str, Any], float]:
    """The bank with the smallest interval that is placed and routed, its netlist, and the clock that timing allows, MHz."""
    for bank, netlist in fitting(model, board, least):
        try:
            with tempfile.TemporaryDirectory() as folder:
                [(mhz, _)] = routed(Seat(bank, None), board, 1, Path(folder))
        except ToolError as error:
            print(error, file=sys.stderr, flush=True)
        else:
            return bank, netlist, mhz
    raise DoesNotFitError(f"no bank of {BANKS[board.name][1]} {model} fits the {board.name}.")


def row(model: str, board: Board, steps: int, least: int = 1) -> dict[str, Any]:
    start = time.perf_counter()
    bank, netlist, mhz = smallest(model, board, least)
    checks = verify_bank(bank, netlist=to_verilog(netlist, board.family, "bank"), steps=steps)
    require_exact(checks)
    total = {key: sum(check[key] for check in checks) for key in ("steps", "spikes", "shown", "mismatches")}
    head = {"model": model, "board": board.name, "word": bank.datapath.word, "asked": steps, "least": least}
    head |= {"version": spikefab.__version__, "neurons": bank.count, "interval": bank.interval}
    clock = {"mhz": round(mhz, 1), "clock_mhz": board.clock_mhz, "met": mhz >= board.clock_mhz}
    seconds = round(time.perf_counter() - start, 1)
    return head | used(netlist, board) | clock | total | {"seconds": seconds, "checks": checks}


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--models", type=running.model_names, default=list(MODELS), help="such as LIF,AdEx")
    parser.add_argument("--least", type=int, default=1, help="interval, clocks (default 1)")
    parser.add_argument("--boards", default=",".join(BANKS))
    options = parser.parse_args()
    tools = {name: tool.version for name in ("yosys", "verilator") if (tool := find_tool(name)) is not None}
    rows = running.Rows(options.output, ("model", "board", "asked", "version", "least"), tools=tools)
    status = 0
    for model in options.models:
        for name in options.boards.split(","):
            key = {"model": model, "board": name, "asked": options.steps, "version": spikefab.__version__}
            key["least"] = options.least
            if rows.find(key):
                continue
            try:
                new = rows.keep(row(model, BOARDS[name], options.steps, options.least))
            except SpikefabError as error:
                print(error, file=sys.stderr)
                status = error.exit_code
                continue
            print("{model} {board}: interval {interval}, {mhz} MHz, {steps} steps, {spikes} spikes, {mismatches} mismatches, "
                  "{seconds} s".format(**new), flush=True)  # fmt: skip
    return status


if __name__ == "__main__":
    sys.exit(main())
