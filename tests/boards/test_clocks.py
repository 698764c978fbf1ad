"""The settings of the PLLs against the data sheets, and bitstreams whose clock is above the crystal."""

import itertools
import json
import re

import pytest
from amaranth.sim import Simulator

from spikefab.boards import clocks
from spikefab.boards.build import build
from spikefab.boards.clocks import pll, slowest
from spikefab.boards.population import Crowd
from spikefab.boards.table import BOARDS, get_board
from spikefab.boards.top import Setup, Top
from spikefab.errors import UsageError
from spikefab.hw.models import LIFNeuron

CLOCKS = [mhz / 4 for mhz in range(1, 1700)]


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_setting_is_within_the_data_sheet_and_near_what_was_asked_for(board):
    made = []
    for mhz in CLOCKS:
        try:
            s = pll(board.family.name, board.clock_hz, mhz * 1e6)
        except UsageError:
            continue
        made.append(mhz)
        assert abs(s.hz / 1e6 - mhz) <= 0.01 * mhz
        if board.family.name == "iCE40":
            divr, divf, divq = s.divide // s.output - 1, s.multiply - 1, s.output.bit_length() - 1
            assert s.divide == (divr + 1) * 2**divq
            assert 0 <= divr <= 15
            assert 0 <= divf <= 127
            assert 1 <= divq <= 6
            assert 10e6 <= s.crystal / (divr + 1) <= 133e6
            assert 533e6 <= s.crystal * (divf + 1) / (divr + 1) <= 1066e6
            assert 16e6 <= s.hz <= 275e6
        else:
            assert (
                all(1 <= n <= 128 for n in (s.divide, s.multiply, s.output))
                and s.multiply <= 80
                and s.feedback in (0, 2)
            )
            assert s.hz * s.output / (s.feedback or s.output) == pytest.approx(s.crystal * s.multiply / s.divide)
            assert s.hz * s.output / (s.feedback or s.output) <= 400e6
            assert 8e6 <= s.crystal / s.divide <= 400e6
            assert 400e6 <= s.hz * s.output <= 800e6
            assert 3.125e6 <= s.hz <= 400e6
    usual = {"iCE40": {24, 36, 48}, "ECP5": {50, 75, 100, 125}, "Gowin": set()}[board.family.name]
    assert usual <= set(made)
    assert bool(made) == (board.family.name in clocks.OUTPUT)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_the_slowest_clock_is_fast_enough_and_near(board):
    if board.family.name not in clocks.OUTPUT:
        with pytest.raises(UsageError, match=r"no PLL of this board makes a clock of 60\.0 MHz"):
            slowest(board.family.name, board.clock_hz, 60e6)
        return
    for mhz in range(30, 200):
        made = slowest(board.family.name, board.clock_hz, mhz * 1e6 + 1).hz / 1e6
        assert (
            mhz < made <= (1 + 1 / (533e6 // board.clock_hz)) * mhz + 1e-6
        )  # an iCE40's oscillator is a multiple of it


@pytest.mark.parametrize("mhz", [0, -24, 1e-9, 5000, 1e30, float("nan"), float("inf")])
@pytest.mark.parametrize("board", BOARDS)
def test_a_clock_that_cannot_be_is_said(board, mhz, tmp_path):
    with pytest.raises(UsageError, match=r"cannot be made|clock_mhz is one number in MHz"):
        build(LIFNeuron(word=16), board, tmp_path / "out", clock_mhz=mhz)
    assert not (tmp_path / "out").exists()


def test_a_line_too_fast_for_the_clock_or_the_neuron_is_said():
    class Slow(LIFNeuron):
        latency = 200

    with pytest.raises(UsageError, match="too fast for this neuron"):
        Setup(Slow(word=16), get_board("icebreaker"), baud=1_500_000)
    Setup(Slow(word=16), get_board("icebreaker"), baud=1_000_000)
    with pytest.raises(UsageError, match="cannot be made from a clock of 12 MHz"):
        Setup(LIFNeuron(word=16), get_board("icebreaker"), baud=5_000_000)


def test_the_boards_own_clock_needs_no_pll():
    for board in BOARDS.values():
        assert Setup(LIFNeuron(word=16), board, board.clock_hz).pll is None
        assert (Setup(LIFNeuron(word=16), board).pll is None) == (board.neuron_hz == board.clock_hz)


@pytest.mark.parametrize(("board", "mhz"), [("icebreaker", 24), ("ulx3s-25f", 50)])
def test_tick_and_baud_are_counted_from_the_clock_that_is_made(board, mhz):
    setup = Setup(LIFNeuron(word=16), get_board(board), mhz * 1e6)
    assert setup.clock_hz == mhz * 1e6
    assert setup.tick == mhz * 100
    assert setup.identity["clock"] == mhz * 1e6


def test_the_pll_is_given_its_dividers_and_its_lock_is_read():
    """That it locks is for a board to show."""
    board = get_board("icebreaker")
    setup = Setup(LIFNeuron(word=16), board, 24e6)
    text, cell = design(board, setup, "SB_PLL40_PAD")
    assert "parameter \\DIVR 4'0000" in cell
    assert "parameter \\DIVF 7'0111111" in cell
    assert "parameter \\DIVQ 3'101" in cell
    lock = re.search(r"connect \\LOCK (\S+)", cell)[1]
    assert len(re.findall(rf"{re.escape(lock)}\b", text)) > 2, "something reads the lock"
    assert clocks.SETTLED / 50e6 > 9e-6


def test_a_crystal_that_is_not_at_the_pin_of_a_pll_goes_to_it_inside():
    """And with two clocks, the crystal's is that of the pin, as nothing keeps it from there."""
    board = get_board("upduino_v3")
    text, cell = design(board, Setup(LIFNeuron(word=16), board, 24e6), "SB_PLL40_CORE")
    assert re.search(r"connect \\REFERENCECLK \S+", cell) and "PACKAGEPIN" not in cell and "SB_PLL40_PAD" not in text
    setup = Setup(LIFNeuron(word=16), board, crowd=Crowd(3000))
    text, cell = design(board, setup, "SB_PLL40_CORE")
    assert setup.crosses and "SB_PLL40_2_PAD" not in text and "PLLOUTGLOBALA" not in cell


def test_a_second_output_closes_the_loop_of_an_ecp5():
    """575 MHz, a quarter of which is the clock; the loop's is the half, and 23 times half the crystal's."""
    board = get_board("ulx3s-25f")
    assert pll("ECP5", board.clock_hz, 143.75e6).hz == 143.75e6
    cell, dividers = instance(board, Setup(LIFNeuron(word=16), board, 143.75e6), "EHXPLLL")
    assert dividers == {"CLKI_DIV": 2, "CLKFB_DIV": 23, "CLKOP_DIV": 2, "CLKOS_DIV": 4}
    assert connected(cell, "CLKFB") == connected(cell, "CLKOP") != connected(cell, "CLKOS") == r"\start_clk"
    assert 'parameter \\CLKOS_ENABLE "ENABLED"' in cell and 'parameter \\FEEDBK_PATH "CLKOP"' in cell
    cell, dividers = instance(board, Setup(LIFNeuron(word=16), board, 50e6), "EHXPLLL")
    assert dividers == {"CLKI_DIV": 1, "CLKFB_DIV": 2, "CLKOP_DIV": 12}
    assert connected(cell, "CLKFB") == connected(cell, "CLKOP")


def test_a_population_on_the_icebreaker_has_two_clocks():
    """The crystal's for the link, through the PLL; and that which the PLL makes, for the neurons."""
    board = get_board("icebreaker")
    setup = Setup(LIFNeuron(word=16), board, crowd=Crowd(3000))
    assert setup.crosses and setup.link_hz == board.clock_hz and setup.clock_hz > 30e6
    cell, _ = instance(board, setup, "SB_PLL40_2_PAD")
    assert 'parameter \\PLLOUT_SELECT_PORTB "GENCLK"' in cell
    assert connected(cell, "PLLOUTGLOBALA") != connected(cell, "PLLOUTGLOBALB") == r"\start_clk"


def design(board, setup, kind):
    """The RTLIL of a board's design, and in it a primitive."""
    text = board.platform().prepare(Top(setup), name="top", emit_src=False).files["top.il"]
    text = text if isinstance(text, str) else text.decode()
    return text, re.search(rf"cell \\{kind} .*?\n  end", text, re.DOTALL)[0]


def instance(board, setup, kind):
    """A primitive, and its dividers."""
    _, cell = design(board, setup, kind)
    return cell, {name: int(value) for name, value in re.findall(r"\\(CLK\w+_DIV) (\d+)", cell)}


def connected(cell, port):
    return re.search(rf"connect \\{port} (\S+)", cell)[1]


def test_the_reset_is_high_from_the_first_clock_until_the_lock_has_lasted():
    dut, told = clocks.Release(), []

    async def bench(ctx):
        for locked, lasting in ((0, 20), (1, 300), (0, 5), (1, 700), (0, 5), (1, 700)):
            ctx.set(dut.locked, locked)
            for _ in range(lasting):
                told.append(ctx.get(dut.reset))
                await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    held = [
        20 + 300 + 5 + clocks.SETTLED,
        5 + clocks.SETTLED,
    ]  # clocks with reset, but for those of synchroniser and register
    runs = [(high, len(list(group))) for high, group in itertools.groupby(told)]
    assert [high for high, _ in runs] == [1, 0, 1, 0]
    assert [length for high, length in runs if high] == [pytest.approx(n, abs=4) for n in held]


@pytest.mark.slow  # place and route
@pytest.mark.parametrize(
    ("board", "mhz", "cell"),
    [("icebreaker", 24, "SB_PLL40_PAD"), ("ulx3s-25f", 50, "EHXPLLL"), ("ulx3s-25f", 52.083333, "EHXPLLL")],
)
def test_a_bitstream_with_a_pll_is_timed_at_its_clock(board, mhz, cell, tmp_path):
    report = build(LIFNeuron(word=16), board, tmp_path, clock_mhz=mhz)
    assert (report.pll, report.clock_mhz) == (True, pytest.approx(mhz))
    assert report.mhz >= mhz
    assert report.free_run == pytest.approx(1, abs=1e-4)  # a whole number of clocks is a step
    assert "MHz from a PLL" in report.text()
    log = (tmp_path / "place-and-route.log").read_text()
    assert re.search(r"(ICESTORM_PLL|EHXPLLL):\s+1/", log)
    assert cell in (tmp_path / "synthesise.log").read_text()
    assert re.search(rf"PASS at {mhz:.2f}", log), "nextpnr was given this clock"
    assert json.loads(json.dumps(report.as_dict()))["pll"] is True
