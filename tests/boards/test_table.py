"""The catalogue of boards, every entry against amaranth-boards, and the constraints made from it."""

import re
from pathlib import Path

import pytest

from spikefab.boards.constraints import constraints, file_name
from spikefab.boards.table import BOARDS, get_board
from spikefab.errors import UsageError
from spikefab.hw.datapath import WORDS

EVERY = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
COMMITTED = Path(__file__).parents[2] / "constraints"


@EVERY
def test_device_and_clock_are_those_of_the_platform(board):
    platform = board.platform()
    assert platform.device == board.device
    assert platform.default_clk_frequency == board.clock_hz


@EVERY
def test_an_entry_says_where_its_figures_are_from(board):
    assert re.search(r"Lattice \S+ .*; 20\d\d-\d\d$", board.source)
    assert set(board.words) <= set(WORDS)
    assert get_board(board.name) is board


def test_an_unknown_board_names_the_near_one_and_all():
    with pytest.raises(UsageError) as error:
        get_board("Icebraker")
    assert "did you mean icebreaker?" in str(error.value)
    assert all(name in str(error.value) for name in BOARDS)
    assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match=r"the boards are icebreaker"):
        get_board("zzz")


@EVERY
def test_constraints_are_current(board):
    """If this fails: `python -m spikefab.boards.constraints`."""
    assert (COMMITTED / file_name(board)).read_text() == constraints(board)


def test_there_are_no_other_constraints():
    assert {path.name for path in COMMITTED.iterdir()} == {file_name(board) for board in BOARDS.values()}
