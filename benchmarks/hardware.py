"""Banks of neurons placed and routed: area, and the clock that timing allows, over seeds; their netlists == the reference.

    python -m benchmarks.hardware OUT.json
    python -m benchmarks.hardware OUT.json --models LIF,AdEx [--board ulx3s-25f] [--neurons 14336] [--lanes 1] [--seeds 8]

A bank sits between registers that shift its inputs in from the pin of the board's serial line and its outputs out to the other:
there is no link to a host. The registers count as part of its area. Its clock is from the board's PLL, the slowest with which all
neurons make a step every dt = 0.1 ms; `met` says whether timing allows it with every seed. With `--free` there is no PLL, and the
router tries for as fast a clock as it can. With `--verify STEPS` the netlist of a lane is compared with the reference, over so
many steps of a neuron. Without `--models`, these are the designs of the table in docs/hardware.md, some hours; rows that OUT.json
has are kept.
"""

import json
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from amaranth import ClockDomain
from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import io
from amaranth.lib.wiring import In

from spikefab.boards.absorb import into_primitives
from spikefab.boards.clocks import PLL, Clock, slowest
from spikefab.boards.netlist import synthesised, to_verilog
from spikefab.boards.table import BOARDS, Board
from spikefab.boards.timing import expose_multipliers, reached_mhz
from spikefab.hw.bank import Bank
from spikefab.hw.lanes import Lanes
from spikefab.hw.lowering.pipelined import products
from spikefab.hw.models import MODELS
from spikefab.sim.bank_verify import verify_bank
from spikefab.sim.verify import require_exact
from spikefab.toolchain import tools

from . import running

AIMS = {"ECP5": 300, "iCE40": 80}  # MHz, the clock that is tried for


@dataclass(frozen=True)
class Design:
    """Neurons in lanes. `multipliers` of each lane; 0: one for each product. `free`: without a PLL."""

    model: str
    board: str
    word: int
    neurons: int
    lanes: int = 1
    multipliers: int = 0
    free: bool = False


DESIGNS = (
    Design("IzhikevichNeuron", "ulx3s-25f", 18, 2048, free=True),
    Design("IzhikevichNeuron", "ulx3s-25f", 18, 14336),
    Design("LIFNeuron", "ulx3s-25f", 18, 20480, lanes=2),
    Design("AdExNeuron", "ulx3s-25f", 18, 10240),
    Design("HodgkinHuxleyNeuron", "ulx3s-25f", 18, 6144, multipliers=16),
    Design("IzhikevichNeuron", "icebreaker", 16, 5120),
    Design("LIFNeuron", "icebreaker", 16, 5120),
    Design("LIFNeuron", "icebreaker", 16, 6500),
    Design("HodgkinHuxleyNeuron", "icebreaker", 16, 96, multipliers=1),
)


class Seat(Elaboratable):
    """Banks between shift registers, on the pins of a board's serial line and with the clock of its PLL, if there is one."""

    def __init__(self, design: Bank | Lanes, setting: PLL | None):
        self.design, self.setting = design, setting

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.setting is not None:
            m.domains.sync = ClockDomain()
            m.submodules.clock = Clock(self.setting)
        uart = platform.request("uart", dir="-")
        m.submodules.inward = inward = io.Buffer("i", uart.rx)
        m.submodules.outward = outward = io.Buffer("o", uart.tx)
        m.submodules.design = self.design
        ports = [(member.flow, port) for _, member, port in self.design.signature.flatten(self.design)]
        inputs, outputs = (
            Cat(Value.cast(port) for flow, port in ports if (flow is In) == taken) for taken in (True, False)
        )
        given, seen, shown = Signal(len(inputs)), Signal(len(outputs)), Signal(len(outputs))
        m.d.comb += inputs.eq(given)
        m.d.sync += [given.eq(Cat(inward.i, given)), seen.eq(outputs)]
        m.d.sync += [shown.eq(Mux(given[-1], seen, Cat(shown[1:], inward.i))), outward.o.eq(shown[0])]
        return m


def routed(seat: Seat, board: Board, seeds: int, folder: Path) -> list[tuple[float, dict[str, int]]]:
    """The fastest clock, MHz, and what of the device is used, for each seed."""
    aim = AIMS[board.family.name]
    plan = board.platform().prepare(seat, name="top", emit_src=False)
    for file in ("top.il", f"top.{board.family.constraints}"):
        content = plan.files[file]
        text = content if isinstance(content, str) else content.decode()
        if seat.setting is None:
            text = "\n".join(line for line in text.split("\n") if not line.startswith(("FREQUENCY", "set_frequency")))
        (folder / file).write_text(tools.without_collisions(text) if file == "top.il" else text, encoding="utf-8")
    tools.yosys(
        f"read_rtlil top.il\n{board.family.synth} -top top\nwrite_json top.json\n", cwd=folder, log=folder / "synth.log"
    )
    netlist = json.loads((folder / "top.json").read_text(encoding="utf-8"))
    into_primitives(netlist, board.family.name)
    expose_multipliers(netlist)
    (folder / "top.json").write_text(json.dumps(netlist), encoding="utf-8")
    found = []
    for seed in range(1, seeds + 1):
        args = (*board.router_args, *board.family.router_args, "--json", "top.json", "--report", "report.json")
        more = ("--seed", str(seed), "--freq", str(aim), "--timing-allow-fail")
        tools.run(tools.require_tool(board.family.router), (*args, *more), cwd=folder, log=folder / "route.log")
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        used = {kind: x["used"] for kind, x in report["utilization"].items() if x["used"]}
        found.append((reached_mhz(report, netlist), used))
        print(f"seed {seed}: {found[-1][0]:.1f} MHz", file=sys.stderr, flush=True)
    return found


def placed(design: Lanes, board: Board, seeds: int, free: bool) -> dict[str, Any]:
    """What place and route says of it. `free`: without a PLL."""
    bank = design.banks[0]
    needed = bank.count * bank.interval * 1000 / bank.datapath.dt  # Hz, for all to step every dt
    setting = None if free else slowest(board.family.name, board.clock_hz, needed)
    with tempfile.TemporaryDirectory() as folder:
        found = routed(Seat(design, setting), board, seeds, Path(folder))
    clocks = [mhz for mhz, _ in found]
    clock = None if setting is None else round(setting.hz / 1e6, 3)
    return {
        "interval": bank.interval,
        "latency": bank.latency,
        "used": found[0][1],
        "needed_mhz": round(needed / 1e6, 3),
        "clock_mhz": clock,
        "mhz_median": round(statistics.median(clocks), 1),
        "mhz_least": round(min(clocks), 1),
        "met": clock is not None and min(clocks) >= clock,
    }


def verified(bank: Bank, board: Board, steps: int) -> dict[str, int]:
    """What was compared. Raises MismatchError if anything differs."""
    netlist = synthesised(bank, board.family, platform=board.platform())
    checks = verify_bank(bank, netlist=to_verilog(netlist, board.family, "bank"), steps=steps)
    require_exact(checks)
    return {
        name: sum(check[of] for check in checks) for name, of in (("verified", "steps"), ("mismatches", "mismatches"))
    }


def measured(rows: running.Rows, design: Design, seeds: int, steps: int) -> running.Row:
    """The row of a design, of what was not yet measured."""
    board, neuron = BOARDS[design.board], MODELS[design.model](word=design.word)
    design = replace(design, multipliers=design.multipliers or products(neuron.datapath.trace))
    lanes = Lanes(neuron, design.neurons, design.lanes, multipliers=design.multipliers, timing=board.family.timing,
                  block=board.storage(design.lanes))  # fmt: skip
    wanted = asdict(design) | {"seeds": seeds}
    row = rows.find(wanted) or rows.keep(wanted | placed(lanes, board, seeds, design.free))
    return row if row.get("verified", 0) >= steps else rows.keep(row | verified(lanes.banks[0], board, steps))


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--models", type=running.model_names, help="such as LIF,AdEx")
    parser.add_argument("--board", default="ulx3s-25f", choices=BOARDS)
    parser.add_argument("--neurons", type=int, default=14336)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--multipliers", type=int, default=0, help="of each lane (default: one for each product)")
    parser.add_argument("--word", type=int, default=18)
    parser.add_argument("--free", action="store_true", help="no PLL, as fast as the router can")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--verify", type=int, default=50_000, metavar="STEPS")
    options = parser.parse_args()
    versions = {name: tool.version for name in tools.TOOLS if (tool := tools.find_tool(name)) is not None}
    rows = running.Rows(options.output, [*Design.__dataclass_fields__, "seeds"], tools=versions)
    given = (options.board, options.word, options.neurons, options.lanes, options.multipliers, options.free)
    for design in [Design(model, *given) for model in options.models or ()] or DESIGNS:
        row = measured(rows, design, options.seeds, options.verify)
        print(
            f"{row['model']} {row['board']}, {row['neurons']} in {row['lanes']} lanes: interval {row['interval']}, "
            f"{row['mhz_median']} ({row['mhz_least']}) MHz for {row['clock_mhz']}, {row.get('mismatches')} mismatches, "
            f"{row['used']}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
