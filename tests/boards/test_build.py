"""Real builds through yosys, nextpnr and the packers: one a board, and each way of failing."""

import datetime
import json
import re
from pathlib import Path

import pytest
from amaranth import Module, Signal, signed
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In, Out

from spikefab.boards import build as flow
from spikefab.boards.absorb import into_primitives
from spikefab.boards.build import BuildReport, _Flow, build
from spikefab.boards.capacity import block_rams, memories, most
from spikefab.boards.constraints import constraints
from spikefab.boards.population import SEQUENCE, Crowd
from spikefab.boards.table import BOARDS, get_board
from spikefab.boards.timing import MAC16_NS, reached_mhz
from spikefab.boards.top import Setup
from spikefab.errors import DoesNotFitError, FileError, TimingError, ToolError, UsageError
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS, LIFNeuron
from spikefab.toolchain import tools

# the iCEBreaker, and each day one of the others, whose tools take longer to compile and to run
OTHERS = [name for name in BOARDS if name != "icebreaker"]
TODAY = OTHERS[datetime.date.today().toordinal() % len(OTHERS)]
SOME = ["icebreaker", pytest.param(TODAY, marks=pytest.mark.slow)]

LOGS = {"synthesise.log", "place-and-route.log"}


class Chain(wiring.Component):
    """What `build` asks of a neuron, around `count` multipliers one after the other with no register between them."""

    word, dt, latency, interval = 16, 0.1, 1, 1
    datapath = datapath(LIFNeuron, 16)  # only its formats are asked for
    _MustUse__silence = True  # some tests are about not getting as far as its use

    def __init__(self, count):
        self.count = count
        ports = {"i_valid": In(1), "i_ready": Out(1), "i": In(signed(16)), "o_valid": Out(1), "o_ready": In(1)}
        ports |= {"o_v": Out(signed(16)), "o_spike": Out(1)}
        ports |= {"cfg_valid": In(1), "cfg_ready": Out(1), "cfg_addr": In(1), "cfg_data": In(signed(16))}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        factor, value = Signal(signed(16)), Signal(signed(16))
        m.d.comb += [self.i_ready.eq(1), self.cfg_ready.eq(1)]
        with m.If(self.i_valid):
            m.d.sync += value.eq(self.i)
        with m.If(self.cfg_valid):
            m.d.sync += factor.eq(self.cfg_data)
        chained = value
        for _ in range(self.count):
            product = Signal(signed(32))
            m.d.comb += product.eq(chained * factor)
            chained = product[12:28].as_signed()
        m.d.sync += [self.o_v.eq(chained), self.o_valid.eq(self.i_valid), self.o_spike.eq(chained < 0)]
        return m


STRANGE = 'o u\'t "µ" $x'  # name of a folder that make, a shell and yosys would take apart


def names(folder):
    return {path.name for path in folder.iterdir()}


def one_sentence(error):
    return "\n" not in str(error) and str(error).rstrip().endswith(".")


@pytest.mark.parametrize("board", SOME)
def test_builds_a_bitstream_and_its_report(board, tmp_path, monkeypatch):
    said, out, moved = [], tmp_path / STRANGE, []
    monkeypatch.setattr(flow, "into_primitives", lambda *given: moved.append(into_primitives(*given)))
    report = build(LIFNeuron(word=16), board, out, progress=lambda *event: said.append(event))
    entry = get_board(board)
    bitstream = f"LIFNeuron-16-{board}.{entry.family.bitstream}"
    assert names(tmp_path) == {STRANGE}
    assert names(out) == {*LOGS, "pack.log", bitstream}
    assert (out / bitstream).stat().st_size > 50_000
    assert report.bitstream == str(out / bitstream)

    keys = "board model word cells multipliers block_rams mhz clock_mhz pll interval latency"
    keys += " neurons baud steps_per_second times_real_time free_run possible_neurons bitstream"
    keys += " form lanes occupancy mhz_median mhz_least"
    assert list(json.loads(json.dumps(report.as_dict()))) == keys.split()
    assert (report.board, report.model, report.word) == (board, "LIFNeuron", 16)
    assert 100 < report.cells < entry.cells
    assert report.multipliers == entry.multipliers_each(16)
    assert moved[0] > 0 or entry.family.fabric not in ("ECP5", "iCE40 UltraPlus"), "registers are inside of primitives"
    assert report.mhz >= report.clock_mhz == entry.neuron_hz / 1e6
    assert (report.neurons, report.form, report.lanes) == (1, "shared", 1)  # `Top` holds one
    assert report.occupancy == round(2 / report.interval, 4)  # two products
    assert report.mhz_median == report.mhz_least == report.mhz
    assert report.possible_neurons == entry.neuron_hz // (report.interval * 10_000)
    assert report.baud == entry.uart_baud
    assert report.steps_per_second == 22_000  # 11 records of 4 bytes, 6 bytes around them, 10 bits each
    assert (report.pll, report.free_run) == (entry.neuron_hz != entry.clock_hz, 1.0)
    assert report.times_real_time == round(report.steps_per_second / 10_000, 2)
    assert "from timing, not from a board" in report.text()

    steps = [step for step, state, _ in said if state == "start"]
    assert steps == ["elaborate", "synthesise", "place-and-route", "pack"]
    assert steps == [step for step, state, _ in said if state == "done"]


@pytest.mark.slow  # place and route, twice
@pytest.mark.parametrize(("board", "word"), [("icebreaker", 16), ("ulx3s-25f", 18)])
def test_builds_a_population(board, word, tmp_path):
    """It has its memories, one multiplier a product is in use in each clock, and a PLL makes the clock it needs."""
    entry = get_board(board)
    crowd = Crowd(2500, 1, None, ("V_th",)) if board == "icebreaker" else Crowd(3000, per_neuron=("V_th", "R_m"))
    report = build(LIFNeuron(word=word), board, tmp_path, crowd=crowd, seeds=2)
    assert (report.neurons, report.lanes, report.form) == (crowd.neurons, crowd.lanes, "pipelined")
    assert (report.interval, report.occupancy) == (1, 1.0)
    assert report.mhz >= report.mhz_median >= report.mhz_least > 0 and report.mhz >= report.clock_mhz
    assert report.pll and report.free_run == pytest.approx(1, abs=1e-3)
    dp = LIFNeuron(word=word).datapath
    own = sum(dp.coefficients[name].width for name in crowd.per_neuron)
    stored = own if board == "icebreaker" else sum(q.width for q in dp.states.values()) + own
    placed = (tmp_path / "place-and-route.log").read_text()
    assert bool(re.search(r"ICESTORM_SPRAM: +4/ +4 ", placed)) == (board == "icebreaker")
    assert report.block_rams * entry.block_ram_bits > stored * crowd.neurons
    assert report.multipliers == crowd.lanes * 2
    assert "uncoupled" in report.text()


def test_a_population_too_large_or_too_slow_is_a_sentence(tmp_path):
    neuron = LIFNeuron(word=16)
    for crowd, words in (
        (Crowd(2, 3), "2 neurons cannot be in 3 lanes"),
        (Crowd(20, per_neuron=("V_thr",)), "LIFNeuron has no coefficient V_thr"),
        (Crowd(70_000), "hold at most 32,768 neurons of a lane, not 70,000"),
        (Crowd(70_000, 5), "more than the link can tell apart"),
        (Crowd(30_000), "no PLL of this board makes a clock of 312"),
    ):
        with pytest.raises(UsageError, match=words):
            build(neuron, "icebreaker", tmp_path, crowd=crowd)


@pytest.mark.parametrize("board", ["icebreaker", "ice40_hx8k_b_evn", "ulx3s-25f", "ulx3s-85f", "tang_nano_9k"])
@pytest.mark.parametrize("model", MODELS.values())
def test_the_most_neurons_of_a_board(board, model):
    """Memory and time bound them: all of it is counted, and one more has no room, or would not keep up with dt."""
    entry = get_board(board)
    neuron = model(word=18 if entry.family.name == "ECP5" else 16)

    def room(setup):
        clocks = setup.part.clocks + (neuron.datapath.current.width + 3 * SEQUENCE) * max(
            1, round(entry.pipeline_hz / entry.clock_hz)
        )
        return block_rams(memories(setup), entry.family) <= entry.block_rams and clocks <= entry.pipeline_hz / 1e4

    def made(what):
        """What it makes, or why it cannot."""
        try:
            return what(), ""
        except UsageError as error:
            return None, str(error)

    crowd, refusal = made(lambda: most(neuron, entry))
    assert (crowd is None) == ("has no room for 2 neurons" in refusal)
    if crowd is not None:
        setup = Setup(neuron, entry, crowd=crowd)
        assert room(setup) and setup.clock_hz <= 1.06 * entry.pipeline_hz and setup.ticks <= setup.tick
    more, refusal = made(lambda: Setup(neuron, entry, crowd=Crowd(1 + (crowd.neurons if crowd else 1))))
    known = "memories with one port hold" in refusal or "can tell apart" in refusal
    assert known if more is None else not room(more)


@pytest.mark.parametrize(
    ("link", "neurons", "reached"),
    [
        ((25, 70), (150, 160), 160),
        ((25, 70), (150, 140), 140),
        ((25, 20), (150, 160), 120),
        ((25, 24), (150, 100), 100),
    ],
)
def test_the_clock_of_the_neurons_counts_and_the_link_must_keep_its_own(link, neurons, reached):
    fmax = {name: {"constraint": a, "achieved": b} for name, (a, b) in (("link", link), ("neurons", neurons))}
    netlist = {"modules": {"top": {"cells": {}}}}
    assert reached_mhz({"fmax": fmax}, netlist, 150) == pytest.approx(reached)
    assert reached_mhz({"fmax": {"link": fmax["link"]}}, netlist, 12) == pytest.approx(link[1])


def test_a_memory_with_two_clocks_is_left_as_it_is():
    """Of one that is written and read by the same clock, what is read where it is written is never used; yosys refuses others."""
    m = Module()
    for name, clock in (("one", "sync"), ("two", "other")):
        m.submodules[name] = fifo = AsyncFIFO(width=3, depth=4, r_domain="sync", w_domain=clock)
        m.d.comb += [fifo.w_en.eq(1), fifo.r_en.eq(1)]
    before = rtlil.convert(m, ports=[])
    after = tools.without_collisions(before)
    assert [
        line for line in after.splitlines() if "COLLISION_X_MASK 1'1" in line and "COLLISION_X_MASK 1'1" not in before
    ]
    assert after.count("COLLISION_X_MASK 1'1") == 1 and before.count("COLLISION_X_MASK 1'0") == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((1,), "neurons is a whole number of 2 or more, not 1"),
        ((2.5,), "neurons is a whole number"),
        ((4, 0), "lanes is a whole number of 1 or more"),
        ((4, 1, 0), "multipliers is a whole number of 1 or more"),
    ],
)
def test_no_crowd(given, words):
    with pytest.raises(UsageError, match=words):
        Crowd(*given)
    assert Crowd(4, per_neuron="V_th").per_neuron == Crowd(4, per_neuron=("V_th", "V_th")).per_neuron == ("V_th",)


@pytest.mark.parametrize("board", SOME)
def test_the_table_says_what_the_device_holds(board, tmp_path):
    entry = get_board(board)
    build(Chain(1), board, tmp_path)
    log = (tmp_path / "place-and-route.log").read_text()
    for kind, count in (
        (entry.family.cell[0], entry.cells),
        (entry.family.multiplier, entry.multipliers),
        (entry.family.block_ram, entry.block_rams),
    ):
        assert not count or re.search(rf"{kind}:\s+\d+/\s*{count}\s", log), (kind, count)


class Placed(_Flow):
    """A flow whose router writes its seed, and reaches a clock that depends on it; `asked` are its options."""

    def _run(self, step, tool, args):
        self.asked = args
        seed = args[args.index("--seed") + 1]
        for file in (self.folder / "top.routed", self.folder / "floorplan.svg", self.log(step)):
            file.write_text(seed, encoding="utf-8")
        fmax = {"clk": {"achieved": {"3": 20.0, "4": 31.0, "5": 25.0}[seed], "constraint": 12.0}}
        (self.folder / "report.json").write_text(json.dumps({"fmax": fmax}), encoding="utf-8")


def placed_for(board, folder):
    entry = get_board(board)
    found = {entry.family.router: tools.Tool("router", "1", (), "")}
    return Placed(Setup(LIFNeuron(word=16), entry), folder, folder, found, print, {"modules": {"top": {"cells": {}}}})


def test_a_device_that_is_nearly_full_is_told_from_a_tool_that_failed(tmp_path):
    log, flow = tmp_path / "place-and-route.log", placed_for("icebreaker", tmp_path)
    lines = "Info: \t         ICESTORM_LC:    {} /   5280    98%\nInfo: \t        ICESTORM_RAM:      12/     30    40%\n{}\n"
    lost = "ERROR: Unable to find legal placement for all cells, design is probably at utilisation limit."
    log.write_text(lines.format(5221, lost))
    with pytest.raises(
        DoesNotFitError, match=r"it needs 5,221 cells of 5,280, which leaves no room to place some; take a"
    ):
        flow._check_fit(log)
    for cells, reason in ((5221, "ERROR: something else"), (2000, lost)):  # these stay the tool's own
        log.write_text(lines.format(cells, reason))
        flow._check_fit(log)


def test_of_several_seeds_the_files_of_the_fastest_stay(tmp_path):
    report, clocks = placed_for("icebreaker", tmp_path).placed(range(3, 6), floorplan=True)
    assert [round(mhz, 6) for mhz in clocks] == [20.0, 31.0, 25.0] and report["fmax"]["clk"]["achieved"] == 31.0
    files = ("top.routed", "floorplan.svg", "place-and-route.log")
    assert [(tmp_path / file).read_text(encoding="utf-8") for file in files] == ["4"] * 3


@pytest.mark.parametrize("board", BOARDS)
def test_the_router_knows_the_clock(board, tmp_path):
    """From the constraints, or on its command line: without either, timing would be met at another one."""
    router = placed_for(board, tmp_path)
    router.placed(range(3, 4), floorplan=False)
    told = "--freq" in router.asked
    entry = router.board
    assert told != bool(re.search(rf"{entry.clock_hz}|frequency .* {entry.clock_mhz}", constraints(entry)))
    assert not told or float(router.asked[router.asked.index("--freq") + 1]) == entry.neuron_hz / 1e6


@pytest.mark.slow  # place and route, twice
def test_a_seed_gives_the_same_bitstream_again(tmp_path):
    first, again, other = (build(Chain(2), "icebreaker", tmp_path / str(k), seed=s) for k, s in enumerate((7, 7, 8)))
    contents = [Path(report.bitstream).read_bytes() for report in (first, again, other)]
    assert contents[0] == contents[1] != contents[2]


def test_a_report_says_what_the_bitstream_does_and_what_its_arithmetic_would():
    made = {"model": "AdExNeuron", "word": 18, "cells": 1, "multipliers": 1, "block_rams": 0, "mhz": 99.0}
    link = {"neurons": 1, "baud": 115200, "steps_per_second": 2304, "times_real_time": 0.23, "possible_neurons": 38}
    timed = {"clock_mhz": 12.0, "pll": False, "interval": 31, "latency": 31, "free_run": 0.5}
    report = BuildReport("icebreaker", **made, **timed, **link, bitstream="x.bin")
    assert re.search(r"neurons +1 in this bitstream\n", report.text())
    assert re.search(r"free-run +0.5 times real time, counted from the clock, not measured on a board\n", report.text())
    assert re.search(r"lockstep +2,304 steps a second at 115,200 baud: 0.23 times real time\n", report.text())
    assert re.search(r"arithmetic +enough for 38 neurons in real time \(from timing, not from a board\)", report.text())
    assert re.search(r"clock +99.0 MHz reached, 12 MHz on the board", report.text())


@pytest.mark.slow  # place and route, twice
def test_the_way_through_multipliers_counts(tmp_path):
    """nextpnr-ice40 leaves it out: three blocks in a row with no register would come out as fast as one."""
    reached = [build(Chain(n), "icebreaker", tmp_path / str(n)).mhz for n in (1, 2, 3)]
    assert reached == sorted(reached, reverse=True)
    for n, mhz in enumerate(reached, start=1):
        assert n * MAC16_NS < 1000 / mhz < n * (MAC16_NS + 8) + 12  # at most 8 ns of wire between, 12 about them


def test_a_design_too_large_names_what_is_short(tmp_path):
    with pytest.raises(DoesNotFitError, match="needs 12 multipliers of 8") as error:
        build(Chain(12), "icebreaker", tmp_path / "out")
    assert one_sentence(error.value)
    assert str(tmp_path / "out" / "place-and-route.log") in str(error.value)
    assert names(tmp_path / "out") == LOGS
    assert names(tmp_path) == {"out"}


def test_a_design_too_slow_names_both_clocks(tmp_path):
    with pytest.raises(TimingError, match=r"reaches \d+\.\d MHz on icebreaker, whose clock is 12 MHz") as error:
        build(Chain(8), "icebreaker", tmp_path / "out")
    assert one_sentence(error.value)
    assert names(tmp_path / "out") == LOGS
    assert names(tmp_path) == {"out"}


@pytest.mark.parametrize("missing", ["yosys", "nextpnr-ice40", "icepack"])
def test_a_missing_tool_is_said_before_anything_is_written(missing, tmp_path, monkeypatch):
    find = tools.find_tool
    monkeypatch.setattr(tools, "find_tool", lambda name: None if name == missing else find(name))
    with pytest.raises(ToolError, match=rf"{missing} .* pip install") as error:
        build(Chain(1), "icebreaker", tmp_path / "out")
    assert one_sentence(error.value)
    assert not (tmp_path / "out").exists()


def test_a_tool_that_breaks_leaves_logs_and_no_bitstream(tmp_path, monkeypatch):
    find = tools.find_tool
    broken = tools.Tool("icepack", "0", ("sh", "-c", "echo half > top.bin; echo ERROR: no more; exit 3"), "here")
    monkeypatch.setattr(tools, "find_tool", lambda name: broken if name == "icepack" else find(name))
    with pytest.raises(ToolError, match=r"icepack stopped: no more\. The log is .*pack\.log\."):
        build(Chain(1), "icebreaker", tmp_path / "out")
    assert names(tmp_path / "out") == {*LOGS, "pack.log"}
    assert names(tmp_path) == {"out"}


def test_a_folder_that_cannot_be_written_and_a_board_that_is_not(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="file is a file: out needs a folder") as error:
        build(Chain(1), "icebreaker", tmp_path / "file")
    assert one_sentence(error.value)
    with pytest.raises(UsageError, match="ulx3s"):
        build(Chain(1), "ulx3s", tmp_path / "out")
    assert names(tmp_path) == {"file"}
