"""docs/board.md: its made parts are current, its figures are computed here again, and what it says that code prints is printed."""

import importlib.util
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from spikefab.boards import link
from spikefab.boards.link import Control, Flag, Kind, Op
from spikefab.boards.table import BOARDS
from spikefab.hw.datapath import WORDS, datapath
from spikefab.hw.models import MODELS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "board.md"
TEXT = PAGE.read_text(encoding="utf-8")


def loaded(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_board = loaded(ROOT / "docs" / "make_board.py")


def part(name: str) -> str:
    return re.search(rf"^<!-- made: {name} -->\n(.*?)^<!-- end -->$", TEXT, flags=re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("name", make_board.SECTIONS)
def test_a_part_is_current(name):
    assert part(name) == make_board.SECTIONS[name](), "python docs/make_board.py"


def test_only_what_is_not_current_changes():
    assert make_board.page(TEXT) == TEXT
    assert make_board.page(TEXT.replace("| `PLAY` |", "| `STALE` |")) == TEXT


def test_a_part_that_is_missing_or_unknown_is_found():
    with pytest.raises(AssertionError, match="once"):
        make_board.page(TEXT.replace("<!-- made: flags -->", ""))
    with pytest.raises(AssertionError, match="once"):
        make_board.page(TEXT.replace("<!-- made: flags -->", "<!-- made: flag -->"))


def test_every_member_is_on_the_page():
    for name, kind in (("operations", Op), ("kinds", Kind), ("flags", Flag), ("control", Control)):
        assert {f"`{member.name}`" for member in kind} <= {*re.findall(r"`\w+`", part(name))}


def test_frames_of_the_examples_say_what_the_table_says():
    rows = re.findall(r"^\| ([^|]+) \| `([0-9a-f ]+)` \| `([0-9a-f ]+)` \|$", part("examples"), flags=re.MULTILINE)
    assert len(rows) == 6
    for what, body, line in rows:
        board_sends = what.startswith(("its answer", "a record"))
        *stuffed, zero = bytes.fromhex(line)
        assert zero == 0
        assert (link.from_board if board_sends else link.from_host)(bytes(stuffed)) == bytes.fromhex(body)


def test_every_sentence_is_one_that_a_host_can_say():
    """With words in place of values, each in one table row; a new sentence without a row, or a row without one, is found."""
    said = {sentence for module in make_board.SAY for sentence in make_board.sentences(module)}
    assert len(said) == len(make_board.SENTENCES)
    make_board.SENTENCES["nobody says this"] = ("", "")
    try:
        with pytest.raises(AssertionError, match="nobody says this"):
            make_board.silence()
    finally:
        del make_board.SENTENCES["nobody says this"]


def test_numbers_of_the_filter():
    corner, constant = 1 / (2 * math.pi * 10e3 * 10e-9), 10e3 * 10e-9
    assert f"{corner / 1000:.1f} kHz" in TEXT and f"{1000 * constant:.1f} ms" in TEXT
    assert f"{3300 / 256:.1f} mV at the pin" in TEXT
    assert f"-70 mV are {3.3 * (128 - 70) / 256:.2f} V" in TEXT
    assert f"{1000 * 3.3 / 12e6 / constant:.2g} mV" in TEXT
    assert all(datapath(model, word).readout.i_bits == 8 for model in MODELS.values() for word in WORDS)


@pytest.mark.parametrize(("board", "membrane"), [("icebreaker", 0.21), ("ulx3s-25f", 0.1)])
def test_the_filtered_pin_is_near_the_voltage(board, membrane):
    """A sigma-delta modulator, and an ideal RC filter behind it, for some values of the read-out and for a few awkward ones."""
    hz = BOARDS[board].clock_hz
    share = 1 - math.exp(-1 / hz / 1e-4)
    clocks = np.arange(1, round(hz * 3e-3))
    values = (1, 255, 256, 16384, 16385, 21845, 32767, 32768, 40000, 65535)
    for value in values:
        pulses = np.diff(clocks * value // 65536, prepend=0)
        pin = lfilter([share], [1, share - 1], pulses * 3.3)
        settled = pin[round(hz * 1.5e-3) :]
        assert np.abs(settled - 3.3 * value / 65536).max() * 256 / 3.3 < membrane + 0.005, value


def test_what_the_page_says_that_python_prints(capsys):
    (block,) = re.findall(r"^```python\n((?:(?!^```).)*?)^```\n\nprints", TEXT, flags=re.MULTILINE | re.DOTALL)
    exec(compile(block, "board.md", "exec"), {})
    printed = "".join(f"    {line}\n" for line in capsys.readouterr().out.splitlines())
    assert f"\nprints\n\n{printed}\n" in TEXT


def test_the_block_about_noise_runs_by_itself():
    block = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)[-1]
    assert "noise_state" in block
    exec(compile(block, "board.md", "exec"), {})


def test_an_option_of_run_that_the_page_lacks_is_found(monkeypatch):
    monkeypatch.delitem(make_board.OPTIONS, "--noise")
    with pytest.raises(AssertionError, match="--noise"):
        make_board.options()


def test_links_within_the_page_lead_somewhere():
    heads = re.findall(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors


def test_nothing_simulated_is_said_to_have_run():
    """Words that would claim a board, outside of the sentences and tables that code makes."""
    own = re.sub(r"^<!-- made: .*?^<!-- end -->$", "", TEXT, flags=re.MULTILINE | re.DOTALL).lower()
    for claim in ("real time", "on the board", "verified on", "measured", "on hardware"):
        assert claim not in own, claim
    assert "**no board was at hand.**" in own
