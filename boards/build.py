"""Builds the bitstream of a neuron for a board: elaborate, synthesise, place and route, pack."""

import json
import re
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from spikefab.calls import path_of, public, whole
from spikefab.errors import DoesNotFitError, TimingError, ToolError
from spikefab.files import require_writable, scratch_folder, unwritable
from spikefab.hw.neuron import Neuron, require_neuron
from spikefab.toolchain import tools
from spikefab.units import number

from .absorb import into_primitives
from .link import BODY, RECORDS
from .population import Crowd, Population
from .table import Board, get_board
from .timing import expose_multipliers, reached_mhz
from .top import Setup, Top

# Called as progress(step, state, text); state is "start", "done" or "note".
Progress = Callable[[str, str, str], None]


CROWDED = 0.8  # share of a resource that is used, from which on it may be why no place is found


@dataclass(frozen=True)
class BuildReport:
    """Size and speed of a design, as the place-and-route tool reports them. Nothing here was measured on a board."""

    board: str
    model: str
    word: int  # bits of the number format: 16, 18 or 24
    cells: int  # logic cells used (look-up tables with their registers)
    multipliers: int  # hardware multipliers used
    block_rams: int  # memory blocks used
    mhz: float  # the fastest clock that the timing analysis allows
    clock_mhz: float  # the clock that this bitstream runs at: the board's, or one that a PLL makes of it
    pll: bool  # whether a PLL makes the clock
    interval: int  # clocks from one time step of the neuron to the next
    latency: int  # clocks from an input to its result
    neurons: int  # neurons in this bitstream
    baud: int  # bits per second of the serial line over which the host drives the neuron
    steps_per_second: (
        int  # time steps in a second in lockstep: what the line carries, or what the neuron computes if less
    )
    times_real_time: float  # the same as multiples of real time: 1 is a neuron as fast as the cell
    free_run: float  # dt by which the neuron steps on its own, in times of the dt that was asked for: 1 is real time
    possible_neurons: (
        int  # neurons that the arithmetic could serve in turn in real time: clock / (interval x steps a second)
    )
    bitstream: str  # path of the file
    form: str = "shared"  # "shared": one neuron with one multiplier; "pipelined": a population
    lanes: int = 1  # pipelines side by side
    occupancy: float = 1.0  # share of the clocks in which a multiplier begins a product
    mhz_median: float = 0.0  # MHz, over all seeds that were placed; the bitstream is of the fastest
    mhz_least: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        board = get_board(self.board)
        rows = (
            ("model", f"{self.model}, word {self.word}"),
            ("cells", f"{self.cells:,} of {board.cells:,}"),
            ("multipliers", f"{self.multipliers} of {board.multipliers}"),
            ("block RAMs", f"{self.block_rams} of {board.block_rams}"),
            (
                "clock",
                f"{self.mhz:.1f} MHz reached, {self.clock_mhz:g} MHz {'from a PLL' if self.pll else 'on the board'}",
            ),
            (
                "interval",
                f"{self.interval} clock{'s' if self.interval > 1 else ''} a step, latency {self.latency}"
                f"{f', {self.lanes} lanes' if self.lanes > 1 else ''}, multipliers busy {self.occupancy:.0%} of the time",
            ),
            (
                "neurons",
                f"{self.neurons:,} in this bitstream, uncoupled" if self.neurons > 1 else "1 in this bitstream",
            ),
            ("free-run", f"{self.free_run:.6g} times real time, counted from the clock, not measured on a board"),
            (
                "lockstep",
                f"{self.steps_per_second:,} steps a second at {self.baud:,} baud: {self.times_real_time:g} times real time"
                f"{', while no spikes are told' if self.neurons > 1 else ''}",
            ),
            (
                "arithmetic",
                f"enough for {self.possible_neurons:,} neurons in real time (from timing, not from a board)",
            ),
            ("bitstream", self.bitstream),
        )
        title = f"{self.board} ({board.device})"
        return "\n".join([title, *(f"  {name:<12} {value}" for name, value in rows)])


@public
def build(
    neuron: Neuron,
    board_name: str,
    out_dir: Path | str,
    *,
    seed: int = 1,
    clock_mhz: float | None = None,
    baud: int | None = None,
    crowd: Crowd | None = None,
    seeds: int = 1,
    floorplan: bool = False,
    progress: Progress | None = None,
) -> BuildReport:
    """Build a bitstream, write it to `out_dir` as `MODEL-WORD-BOARD.bin` (or `.bit`), and return the report.

    `clock_mhz` asks for another clock than the board's, which a PLL makes as near as it can; `baud` for another speed of the
    serial line than the board's. `crowd` asks for a population of neurons that are all as this one, in pipelines; its clock is
    then, if it is not given, the slowest with which all of them keep up with dt.

    The log of each step is written to `out_dir` too. With `floorplan`, so is `floorplan.svg`, the drawing of the placed
    design that nextpnr makes. `seed` starts the random placement; with several `seeds`, it and the next ones are tried, and the
    fastest is taken. `progress` is called at the start and end of each step.
    Raises `ToolError`, `DoesNotFitError` or `TimingError`; only the logs are then new in `out_dir`.
    """
    board = get_board(board_name)
    require_neuron(neuron)
    seed, seeds, out = whole(seed, "seed"), whole(seeds, "seeds", 1), path_of(out_dir, "out_dir").absolute()
    if clock_mhz is not None:
        clock_mhz = number(clock_mhz, "MHz", "clock_mhz")
    names = ("yosys", board.family.router, board.family.packer)
    found = {name: tools.require_tool(name) for name in names}  # a missing tool is reported before any other tool runs
    setup = Setup(neuron, board, None if clock_mhz is None else clock_mhz * 1e6, baud, crowd)
    tell = progress or (lambda step, state, text: None)
    name = f"{type(neuron).__name__}-{neuron.word}-{board.name}.{board.family.bitstream}"
    require_writable(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        # The scratch folder is in `out_dir`, on the same file system, so that moving the bitstream is a rename.
        with scratch_folder(out, "build") as folder:
            flow = _Flow(setup, folder, out, found, tell)
            flow.elaborate()
            flow.synthesise()
            timing, clocks = flow.placed(range(seed, seed + seeds), floorplan)
            report = _report(setup, timing, clocks, out / name)
            _check_timing(report, flow.log("place-and-route"))
            flow.pack()
            (folder / f"top.{board.family.bitstream}").replace(out / name)
            if floorplan:
                (folder / "floorplan.svg").replace(out / "floorplan.svg")
    except OSError as error:
        raise unwritable(out, error) from None
    return report


@dataclass
class _Flow:
    """One build: the steps from a neuron to a bitstream, each a method, and what they share."""

    setup: Setup
    folder: Path  # scratch folder in which the tools run
    out: Path  # folder for the logs
    found: dict[str, tools.Tool]  # tool by name
    tell: Progress
    netlist: dict[str, Any] = field(default_factory=dict)  # JSON netlist from yosys; empty before `synthesise`

    @property
    def neuron(self) -> Neuron:
        return self.setup.neuron

    @property
    def board(self) -> Board:
        return self.setup.board

    def log(self, step: str) -> Path:
        return self.out / f"{step}.log"

    def elaborate(self) -> None:
        """Write the RTLIL and the constraints that amaranth-boards generates; its build scripts are not used."""
        self.tell("elaborate", "start", f"{type(self.neuron).__name__} for {self.board.name}")
        plan = self.board.platform().prepare(Top(self.setup), name="top", emit_src=False)
        for file in ("top.il", f"top.{self.board.family.constraints}"):
            content = plan.files[file]
            text = content if isinstance(content, str) else content.decode()
            if file == "top.il":
                text = tools.without_collisions(text)  # of a queue, see `boards/queues.py`
            (self.folder / file).write_text(text, encoding="utf-8")
        self.tell("elaborate", "done", f"{(self.folder / 'top.il').stat().st_size:,} bytes of RTLIL")

    def synthesise(self) -> None:
        self.tell("synthesise", "start", f"yosys {self.found['yosys'].version}")
        script = f"read_rtlil top.il\n{self.board.family.synth} -top top\nwrite_json top.json\n"
        tools.yosys(script, cwd=self.folder, log=self.log("synthesise"))
        self.netlist = self._written("yosys", "top.json")
        into_primitives(self.netlist, self.board.family.name)
        expose_multipliers(self.netlist)
        (self.folder / "top.json").write_text(json.dumps(self.netlist), encoding="utf-8")
        self.tell("synthesise", "done", f"log in {self.log('synthesise')}")

    def placed(self, seeds: range, floorplan: bool) -> tuple[dict[str, Any], list[float]]:
        """Place and route with each seed. The report of the fastest, whose files stay, and the clocks, MHz."""
        best: dict[str, Any] = {}
        clocks: list[float] = []
        files = [self.folder / "top.routed", self.folder / "floorplan.svg", self.log("place-and-route")]
        kept: dict[Path, bytes] = {}
        for seed in seeds:
            report = self.place_and_route(seed, floorplan)
            clocks.append(reached_mhz(report, self.netlist, self.setup.clock_hz / 1e6))
            if clocks[-1] == max(clocks):
                best, kept = report, {file: file.read_bytes() for file in files if file.exists()}
        for file, content in kept.items():
            file.write_bytes(content)
        return best, clocks

    def place_and_route(self, seed: int, floorplan: bool = False) -> dict[str, Any]:
        """Return nextpnr's report. A design that is too slow raises nothing here: `_check_timing` checks the clock."""
        step, family = "place-and-route", self.board.family
        tool = self.found[family.router]
        self.tell(step, "start", f"{tool.name} {tool.version}, seed {seed}")
        options: tuple[str, ...] = (
            "--json",
            "top.json",
            "--report",
            "report.json",
            "--seed",
            str(seed),
            "--timing-allow-fail",
        )
        options += ("--freq", f"{self.setup.clock_hz / 1e6:.6f}") if family.asks_clock else ()
        drawing = ("--placed-svg", "floorplan.svg") if floorplan else ()
        try:
            self._run(step, tool, (*self.board.router_args, *family.router_args, *options, *drawing))
        except tools.ToolFailed as error:
            self._check_fit(error.log)
            raise
        report = self._written(tool.name, "report.json")
        reached = reached_mhz(report, self.netlist, self.setup.clock_hz / 1e6)
        self.tell(step, "done", f"{reached:.1f} MHz, the clock is {self.setup.clock_hz / 1e6:g} MHz")
        return report

    def pack(self) -> None:
        tool = self.found[self.board.family.packer]
        self.tell("pack", "start", f"{tool.name} {tool.version}")
        self._run("pack", tool, (*self.board.packer_args, *self.board.family.packer_args))
        size = (self.folder / f"top.{self.board.family.bitstream}").stat().st_size
        self.tell("pack", "done", f"{size:,} bytes")

    def _written(self, tool: str, file: str) -> dict[str, Any]:
        """The content of a JSON file that a tool wrote: one that ran out of disk may say nothing of it."""
        try:
            return json.loads((self.folder / file).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ToolError(
                f"{tool} did not write all of its output: see whether the disk of {self.out} is full."
            ) from None

    def _run(self, step: str, tool: tools.Tool, args: tuple[str, ...]) -> None:
        tools.run(
            tool, args, cwd=self.folder, log=self.log(step), notice=lambda text: self.tell(step, "note", text)
        )  # fmt: skip

    def _check_fit(self, log: Path) -> None:
        """Raise `DoesNotFitError` if the log shows that the design needs more of a resource than the device has, or nearly all.

        Before nextpnr fails, it prints how much of each resource is used: `Info:   ICESTORM_DSP:   12/    8   150%`. Where
        nearly all is used, it finds no place for some cells.
        """
        family = self.board.family
        words = {
            **dict.fromkeys(family.cell, "cells"),
            family.multiplier: "multipliers",
            family.block_ram: "block RAMs",
        }
        words[family.register] = (
            "registers"  # on an ECP5 or a Gowin, nextpnr counts registers and look-up tables separately
        )
        text = log.read_text(encoding="utf-8", errors="replace")
        lines = re.findall(r"^Info:\s+(\w+):\s+(\d+)\s*/\s*(\d+)\s", text, re.MULTILINE)
        counted = [(kind, int(used), int(there)) for kind, used, there in lines]
        over = [(kind, used, there) for kind, used, there in counted if used > there]
        crowded = not over and "Unable to find legal placement" in text
        if crowded:
            over = [(kind, used, there) for kind, used, there in counted if kind in words and used > CROWDED * there]
        if not over:
            return
        needs = " and ".join(f"{used:,} {words.get(kind, kind)} of {there:,}" for kind, used, there in over)
        needs += ", which leaves no room to place some" if crowded else ""
        fewer = "" if self.setup.crowd is None else "fewer multipliers or lanes, "
        raise DoesNotFitError(
            f"{type(self.neuron).__name__} at word {self.neuron.word} does not fit {self.board.name}: "
            f"it needs {needs}; take {fewer}a smaller word or a larger board. The log is {log}."
        )


def _report(setup: Setup, timing: dict[str, Any], clocks: list[float], bitstream: Path) -> BuildReport:
    neuron, board, part = setup.neuron, setup.board, setup.part

    def used(kind: str) -> int:
        return timing["utilization"].get(kind, {"used": 0})["used"]  # a device without multipliers tells none

    real_time = 1000 / Fraction(str(neuron.dt))  # steps in a second
    lockstep = steps_per_second(setup)
    lanes = 1 if setup.crowd is None else setup.crowd.lanes
    return BuildReport(
        board=board.name,
        model=type(neuron).__name__,
        word=neuron.word,
        cells=sum(map(used, board.family.cell)),
        multipliers=used(board.family.multiplier),
        block_rams=used(board.family.block_ram),
        mhz=round(max(clocks), 2),
        clock_mhz=round(setup.clock_hz / 1e6, 6),
        pll=setup.pll is not None,
        interval=part.interval,
        latency=part.latency,
        neurons=1 if setup.crowd is None else setup.crowd.neurons,
        baud=setup.baud,
        steps_per_second=lockstep,
        times_real_time=round(float(lockstep / real_time), 2),
        free_run=round(float(setup.link_hz / setup.tick / real_time), 9),
        possible_neurons=int(setup.clock_hz * lanes / (part.interval * real_time)),
        bitstream=str(bitstream),
        form="shared" if setup.crowd is None else "pipelined",
        lanes=lanes,
        occupancy=round(setup.occupancy, 4),
        mhz_median=round(statistics.median(clocks), 2),
        mhz_least=round(min(clocks), 2),
    )


def steps_per_second(setup: Setup) -> int:
    """Steps in a second in lockstep, with a host that always has the next current ready: the least of three speeds.

    The line carries a record a step to the host, in full frames, and at most an entry a step to the board. The board takes
    the latency of the neuron and, for current, noise and record, a few clocks more than the current has bits.
    """
    up = RECORDS / (RECORDS * setup.layout.record_bytes + 6)
    entries = (BODY - 3) // setup.layout.entry_bytes
    down = entries / (entries * setup.layout.entry_bytes + 5)
    part = setup.part
    clocks = setup.ticks if isinstance(part, Population) else part.latency + setup.layout.current + 5
    return int(min(setup.baud / 10 * min(up, down), setup.link_hz / clocks))


def _check_timing(report: BuildReport, log: Path) -> None:
    if report.mhz < report.clock_mhz:
        other = f"another seed, {'a slower clock' if report.pll else 'a smaller word'}"
        if report.neurons > 1:
            other = "fewer neurons, or more seeds"
        raise TimingError(
            f"{report.model} at word {report.word} reaches {report.mhz:.1f} MHz on {report.board}, whose clock is "
            f"{report.clock_mhz:g} MHz: try {other}. "
            f"The log is {log}."
        )
