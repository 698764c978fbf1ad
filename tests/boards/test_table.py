"""The catalogue of boards, every entry against amaranth-boards, and the constraints made from it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spikefab.boards.constraints import constraints, file_name
from spikefab.boards.table import BOARDS, get_board
from spikefab.boards.top import Setup, Top
from spikefab.errors import UsageError
from spikefab.hw.datapath import WORDS
from spikefab.hw.models import LIFNeuron

EVERY = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "constraints"


@EVERY
def test_device_and_clock_are_those_of_the_platform(board):
    platform = board.platform()
    assert board.device in (getattr(platform, "device", None), getattr(platform, "family", None))
    assert platform.default_clk_frequency == board.clock_hz


@EVERY
def test_an_entry_says_where_its_figures_are_from(board):
    assert re.fullmatch(r"(Lattice|Gowin) \S+ .*; 20\d\d-\d\d; .*; 20\d\d-\d\d", board.source)
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


# the description that docs/board.md shows
OWN = re.search(
    r"^```toml\n(.*?)^```", (ROOT / "docs" / "board.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)[1]
OWN = re.sub(r" +#.*", "", OWN)


def own(folder, text=OWN, name="mine.toml"):
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


@pytest.mark.parametrize(
    ("device", "pins"),
    [("iCE40UP5K", "35 6 9 37 4 2"), ("iCE40HX8K", "J3 B10 B12 C3 R15 P16"), ("LFE5U-85F", "G2 M1 L4 B2 B11 C11"),
     ("GW1NR-9C", "52 18 17 10 25 26")],
)  # fmt: skip
def test_a_board_of_ones_own_is_a_file(device, pins, tmp_path):
    """Without a platform, it needs nothing but its device and pins: they are in the constraints, each once."""
    text = OWN.replace("iCE40UP5K", device)
    for name, pin in zip(("35", "6", "9", "37", "4", "2"), pins.split(), strict=True):
        text = text.replace(f'"{name}"', f'"{pin}"')
    board = get_board(own(tmp_path, text))
    assert board is get_board("mine")
    assert (board.name, board.device, board.clock_mhz, board.usb) == ("mine", device, 12, None)
    made = constraints(board)
    for pin in pins.split():
        assert len(re.findall(rf"\b{pin}\b\"?;?$", made, re.MULTILINE)) == 1, pin


def test_a_platform_beside_the_description(tmp_path):
    (tmp_path / "my_platform.py").write_text(
        "from amaranth_boards.icebreaker import ICEBreakerPlatform\nclass Mine(ICEBreakerPlatform):\n    pass\n",
        encoding="utf-8",
    )
    text = (
        'platform = "my_platform:Mine"\n'
        + OWN.split("[pins]")[0]
        + '[pins]\nspike = "pmod_0:1"\nvoltage = "pmod_0:2"\n'
    )
    assert type(get_board(own(tmp_path, text, "beside.toml")).platform()).__name__ == "Mine"
    for old, new, said in (
        (":Mine", ":Yours", "has no attribute 'Yours'"),
        ('"my_platform:Mine"', '"subprocess:Popen"', "missing 1 required"),
        ('"my_platform:Mine"', '"pathlib:Path"', "is no platform of amaranth-boards"),
        ('"my_platform:Mine"', '"nowhere:Mine"', "No module named 'nowhere'"),
        ('"my_platform:Mine"', '"broken:Mine"', "invalid syntax"),
        ('"pmod_0:1"', '"pmod_9:1"', "nonexistent connector pin pmod_9:1"),
        ('"pmod_0:1"', '"pmod_0:2"', "already used"),
        ("clock_mhz = 12", "clock_mhz = 13", "clock_mhz is 13, and that of my_platform:Mine is 12"),
        ("clock_mhz = 12", 'clock_mhz = 12\nclock = "clk99"', "clk99#0 does not exist"),
        ("iCE40UP5K", "iCE40HX8K", "device is iCE40HX8K, and that of my_platform:Mine is iCE40UP5K"),
    ):
        assert old in text
        (tmp_path / "broken.py").write_text("class Mine(: pass", encoding="utf-8")
        with pytest.raises(UsageError) as error:
            get_board(own(tmp_path, text.replace(old, new), "wrong.toml"))
        assert said in str(error.value) and "wrong.toml cannot be made" in str(error.value)


def test_an_led_that_shines_while_its_pin_is_low_is_inverted(tmp_path):
    texts = []
    for value in ("true", "false"):
        board = get_board(own(tmp_path, OWN.replace("led_low = true", f"led_low = {value}"), f"led_{value}.toml"))
        plan = board.platform().prepare(Top(Setup(LIFNeuron(word=16), board)), name="top", emit_src=False)
        texts.append(plan.files["top.il"])
    low, high = (text.count(b"cell $not") if isinstance(text, bytes) else text.count("cell $not") for text in texts)
    assert low == high + 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('device = "iCE40UP5K"', 'device = "XC7A35T"', "has device 'XC7A35T': spikefab builds for iCE40UP5K, "),
        ('device = "iCE40UP5K"', "", "has no device"),
        ("clock_mhz = 12", 'clock_mhz = "12"', "clock_mhz is a number, not '12'"),
        ("clock_mhz = 12", "clock_mhz = 0", "has clock_mhz 0"),
        ("clock_mhz = 12", "clock_mhz = nan", "has clock_mhz nan"),
        ("clock_mhz = 12", "clock_mhz = 12\nclok = 3", "has 'clok', which means nothing here: did you mean clock"),
        ("clock_mhz = 12", 'clock_mhz = 12\nusb = "403:6010"', "it is two numbers"),
        ('package = ["--package", "sg48"]', 'package = "sg48"', "package is a list"),
        ('spike = "4"', "spike = 4", "a pin is a text"),
        ('spike = "4"', "", "has no pins.spike"),
        ('rx = "6"', "", "has no pins.rx"),
        ('rx = "6"', 'rx = "6"\nled2 = "3"', "has pins.'led2', which means nothing here: did you mean pins.led"),
        ("[pins]", "[pins", "is not TOML"),
        ("clock_mhz = 12", "clock_mhz = 12\nport = -1", "has port -1"),
    ],
)
def test_a_description_with_a_mistake_is_a_sentence(old, new, said, tmp_path):
    assert old in OWN
    path = own(tmp_path, OWN.replace(old, new))
    with pytest.raises(UsageError) as error:
        get_board(path)
    assert said in str(error.value) and path in str(error.value) and "\n" not in str(error.value)


def test_a_description_that_cannot_be_read(tmp_path):
    for name, said in (("none.toml", "No such file"), ("icebreaker.toml", "rename the file")):
        if name == "icebreaker.toml":
            own(tmp_path, name=name)
        with pytest.raises(UsageError, match=said):
            get_board(str(tmp_path / name))


@pytest.mark.slow  # place and route
def test_a_bitstream_for_a_board_of_ones_own(tmp_path):
    words = ["build", "LIF", "--word", "16", "--json", "--out", "build", "--board"]
    command = [sys.executable, "-m", "spikefab", *words, own(tmp_path)]
    ran = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout)
    assert ran["board"] == "mine" and ran["mhz"] >= ran["clock_mhz"] == 12
    assert Path(ran["bitstream"]).name == "LIFNeuron-16-mine.bin"
    assert Path(ran["bitstream"]).stat().st_size > 50_000
