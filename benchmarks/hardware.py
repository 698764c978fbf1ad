"""Banks of neurons placed and routed: area, and the clock that timing allows, over seeds.

    python -m benchmarks.hardware OUT.json [--models Izhikevich] [--boards ulx3s-25f] [--neurons 2048] [--seeds 8]

A bank sits between registers that shift its inputs in from a pin and its outputs out to one: no link, no PLL, no pins of a
board. The registers count as part of its area. Rows that OUT.json has are kept.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal
from amaranth.lib.wiring import In

from spikefab.boards.absorb import absorb
from spikefab.boards.product_registers import absorb_products
from spikefab.boards.table import BOARDS, Board
from spikefab.boards.timing import expose_multipliers, reached_mhz
from spikefab.hw.bank import Bank
from spikefab.hw.lowering.pipelined import products
from spikefab.hw.lowering.schedule import Timing
from spikefab.hw.models import MODELS
from spikefab.hw.spram import Spram
from spikefab.hw.words import Block
from spikefab.toolchain import tools

from . import running

# family -> registers in multipliers, memories and saturations; shape of a block RAM; the clock that placement aims at, MHz
FAMILIES = {
    "ECP5": (Timing(multiply=3, saturate=2, read=3), Block(9, 2048), 300),
    "iCE40": (Timing(inverts=True), Spram(), 80),
}


class Seat(Elaboratable):
    """A bank between shift registers, from the pin `inward` to the pin `outward`."""

    def __init__(self, bank: Bank):
        self.bank, self.inward, self.outward = bank, Signal(), Signal()

    def elaborate(self, platform: Any) -> Module:
        m, ports = Module(), [(name, member.flow) for name, member in self.bank.signature.members.items()]
        m.submodules.bank = self.bank
        inputs = Cat(getattr(self.bank, name) for name, flow in ports if flow is In)
        outputs = Cat(getattr(self.bank, name) for name, flow in ports if flow is not In)
        given, seen, shown = Signal(len(inputs)), Signal(len(outputs)), Signal(len(outputs))
        m.d.comb += inputs.eq(given)
        m.d.sync += [given.eq(Cat(self.inward, given)), seen.eq(outputs)]
        m.d.sync += [shown.eq(Mux(given[-1], seen, Cat(shown[1:], self.inward))), self.outward.eq(shown[0])]
        return m


def routed(seat: Seat, board: Board, seeds: int, folder: Path) -> list[tuple[float, dict[str, int]]]:
    """The fastest clock, MHz, and what of the device is used, for each seed."""
    *_, aim = FAMILIES[board.family.name]
    text = rtlil.convert(seat, platform=board.platform(), ports=[seat.inward, seat.outward], name="top", emit_src=False)
    (folder / "top.il").write_text(tools.without_collisions(text), encoding="utf-8")
    tools.yosys(
        f"read_rtlil top.il\n{board.family.synth} -top top\nwrite_json top.json\n", cwd=folder, log=folder / "synth.log"
    )
    netlist = json.loads((folder / "top.json").read_text(encoding="utf-8"))
    if board.family.name == "ECP5":
        absorb(netlist)
    else:
        absorb_products(netlist)
        expose_multipliers(netlist)
    (folder / "top.json").write_text(json.dumps(netlist), encoding="utf-8")
    for constraints in ("lpf", "pcf"):
        (folder / f"top.{constraints}").write_text("", encoding="utf-8")
    anywhere = "--lpf-allow-unconstrained" if board.family.name == "ECP5" else "--pcf-allow-unconstrained"
    found = []
    for seed in range(1, seeds + 1):
        args = (*board.router_args, *board.family.router_args, anywhere)
        more = (
            "--json",
            "top.json",
            "--report",
            "report.json",
            "--seed",
            str(seed),
            "--freq",
            str(aim),
            "--timing-allow-fail",
        )
        tools.run(tools.require_tool(board.family.router), (*args, *more), cwd=folder, log=folder / "route.log")
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        used = {kind: x["used"] for kind, x in report["utilization"].items() if x["used"]}
        found.append((reached_mhz(report, netlist), used))
    return found


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--models", type=running.model_names, default=["IzhikevichNeuron"], help="such as LIF,AdEx")
    parser.add_argument("--boards", default="ulx3s-25f")
    parser.add_argument("--neurons", type=int, default=2048)
    parser.add_argument("--multipliers", type=int, help="(default: one for each product)")
    parser.add_argument("--word", type=int, default=18)
    parser.add_argument("--seeds", type=int, default=8)
    options = parser.parse_args()
    versions = {name: tool.version for name in tools.TOOLS if (tool := tools.find_tool(name)) is not None}
    key = ("model", "board", "neurons", "word", "multipliers", "seeds")
    rows = running.Rows(options.output, key, tools=versions)
    for model in options.models:
        for name in options.boards.split(","):
            neuron, board = MODELS[model](word=options.word), BOARDS[name]
            timing, block, _ = FAMILIES[board.family.name]
            multipliers = options.multipliers or products(neuron.datapath.trace)
            wanted = dict(
                zip(key, (model, name, options.neurons, options.word, multipliers, options.seeds), strict=True)
            )
            row = rows.find(wanted)
            if row is None:
                bank = Bank(neuron, options.neurons, multipliers=multipliers, timing=timing, block=block)
                with tempfile.TemporaryDirectory() as folder:
                    found = routed(Seat(bank), board, options.seeds, Path(folder))
                clocks = [mhz for mhz, _ in found]
                row = rows.keep(
                    wanted
                    | {"interval": bank.interval, "latency": bank.latency, "used": found[0][1]}
                    | {"mhz_median": round(statistics.median(clocks), 1), "mhz_least": round(min(clocks), 1)}
                )
            print(
                f"{model} {name}: interval {row['interval']}, {row['mhz_median']} ({row['mhz_least']}) MHz, {row['used']}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
