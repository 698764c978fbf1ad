"""The boards: one description a file, in `boards/files`, and the user's own."""

import difflib
import importlib
import importlib.util
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from amaranth.build import Attrs, Clock, Pins, Platform, Resource
from amaranth.vendor import GowinPlatform, LatticeECP5Platform, LatticeICE40Platform

from spikefab.errors import UsageError, shortened
from spikefab.hw.datapath import WORDS
from spikefab.hw.spram import Spram
from spikefab.hw.words import Block

from .clocks import OUTPUT
from .devices import DEVICES, ECP5, ICE40, Device, Family

__all__ = ["BOARDS", "ECP5", "ICE40", "Board", "get_board", "suited"]

FOLDER = Path(__file__).parent / "files"
# what a description may have: key -> type. Those without a default are required
KEYS: Mapping[str, tuple[type, Any]] = {
    "platform": (str, ""),  # `module:class` of amaranth-boards, or of a file beside; "": the pins are all here
    "device": (str, None),  # of `devices.DEVICES`
    "package": (list, None),  # options that tell the router package and speed
    "packer": (list, []),  # options of the packer
    "clock": (str, ""),  # the platform's name of the clock, if it is not its default
    "pll_pad": (bool, False),  # of an iCE40, whether the clock's pin is that of a PLL
    "clock_mhz": (float, None),  # of the crystal
    "neuron_mhz": (float, 0.0),  # which a PLL makes for one neuron, if nothing else is asked for; 0: the crystal's
    "baud": (int, 1_000_000),  # of the serial line: what the board's USB chip makes exactly, and the clock too
    "usb": (str, ""),  # vendor:product of the USB chip, by which the line is found; "": it has none on the serial line
    "port": (int, 0),  # of a chip with several
    "programmers": (list, []),  # commands that load a bitstream, the first that is installed is taken
    "source": (str, None),  # of the pins, and the month in which it was read
    "pins_are": (str, None),  # where the pins are, in words for people
    "pins": (dict, None),
}
PINS = ("clock", "rx", "tx", "led", "spike", "voltage")


@dataclass(frozen=True)
class Board:
    """One board: its FPGA, clock, serial line and pins. The fields are those of a description (`KEYS`)."""

    name: str
    platform_class: str
    chip: Device
    clock_hz: int
    neuron_hz: int
    clock_name: str
    pll_pad: bool  # whether the clock's pin is that of a PLL, of an iCE40
    router_args: tuple[str, ...]
    packer_args: tuple[str, ...]
    uart_baud: int
    usb: tuple[int, int, int] | None  # vendor, product and interface (port) of the USB chip
    programmers: tuple[str, ...]
    stimulus: int  # entries of the stimulus memory, a power of two
    pins: Mapping[str, str]
    led_low: bool  # whether the LED shines while its pin is low; read if its pin is among `pins`
    pins_are: str
    source: str  # of the device's figures and of the pins
    folder: Path = FOLDER  # of the description
    words: tuple[int, ...] = WORDS

    @property
    def family(self) -> Family:
        return self.chip.family

    @property
    def path(self) -> str:
        """What `get_board` takes: the name, or the file of a user's own board."""
        return self.name if self.folder == FOLDER else str(self.folder / f"{self.name}.toml")

    @property
    def device(self) -> str:
        """The part number of the FPGA."""
        return self.chip.name

    @property
    def cells(self) -> int:
        return self.chip.cells

    @property
    def multipliers(self) -> int:
        return self.chip.multipliers

    @property
    def multiplier_bits(self) -> int:
        return self.chip.multiplier_bits

    @property
    def block_rams(self) -> int:
        return self.chip.block_rams

    @property
    def block_ram_bits(self) -> int:
        return self.chip.block_ram_bits

    @property
    def clock_mhz(self) -> float:
        return self.clock_hz / 1e6

    @property
    def pipeline_hz(self) -> float:
        """Hz, the clock that pipelines can be expected to reach, if a PLL can make it."""
        return self.family.pipeline_hz if self.family.name in OUTPUT else self.clock_hz

    @property
    def usual_word(self) -> int:
        """The word that is told where nobody has chosen one: the longest of which one multiplier takes a product, but 24."""
        return 18 if self.multiplier_bits >= 18 else 16

    def multipliers_each(self, word: int) -> int:
        """How many multipliers a product of two words takes."""
        return (-(-word // self.multiplier_bits)) ** 2 if self.multipliers else 0

    def storage(self, lanes: int = 1) -> Block | Spram:
        """Where the states of a bank are, if there are so many side by side."""
        each = self.chip.spram // lanes
        return Spram(each) if each in (2, 4) else self.family.block

    def platform(self) -> Platform:
        """A new platform object of amaranth-boards. One object can serve only one design, so each build needs its own."""
        made = self._class()
        if self.clock_name:
            made.default_clk = self.clock_name
        return made

    def request(self, platform: Platform) -> dict[str, Any]:
        """The ports at the pins: those that the description names, and the UART and LED of amaranth-boards for others."""
        attrs = Attrs(**self.family.pin_attrs)
        named = {name: pin for name, pin in self.pins.items() if name != "clock"}
        for name, pin in named.items():
            low = self.led_low and name == "led"
            pins = Pins(pin, dir="i" if name == "rx" else "o", invert=low)
            platform.add_resources([Resource(f"spikefab_{name}", 0, pins, attrs)])
        found = {name: platform.request(f"spikefab_{name}", 0, dir="-") for name in named}
        if "rx" not in found:
            uart = platform.request("uart", dir="-")
            found |= {"rx": uart.rx, "tx": uart.tx}
        if "led" not in found:
            found["led"] = platform.request("led", 0, dir="-")
        return found

    @cached_property
    def _class(self) -> Any:
        if not self.platform_class:
            return _plain(self)
        module, _, name = self.platform_class.partition(":")
        beside = self.folder / f"{module}.py"
        if beside.is_file():
            spec = importlib.util.spec_from_file_location(module, beside)
            assert spec is not None and spec.loader is not None
            loaded = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(loaded)
        else:
            loaded = importlib.import_module(module)
        return getattr(loaded, name)


def _check(path: Path, board: Board) -> None:
    """Raise UsageError, in a sentence, if a board's description and its platform do not go together."""
    try:
        platform = board.platform()
        if not isinstance(platform, Platform):
            raise TypeError(f"{board.platform_class} is no platform of amaranth-boards")
        hz, device = (
            platform.default_clk_frequency,
            getattr(platform, "device", None) or getattr(platform, "family", ""),
        )
        if board.device != device:
            raise ValueError(f"device is {board.device}, and that of {board.platform_class} is {device}")
        if board.clock_hz != hz:
            raise ValueError(f"clock_mhz is {board.clock_mhz:g}, and that of {board.platform_class} is {hz / 1e6:g}")
        platform.request(platform.default_clk, dir="-")
        board.request(platform)
    except Exception as error:  # whatever a platform, which may be the user's own code, raises
        raise UsageError(
            f"the board {path} cannot be made: {str(error).rstrip('.') or type(error).__name__}."
        ) from None


def _plain(board: Board) -> type[Platform]:
    """The platform of a board that amaranth-boards does not have: a device and a clock pin."""
    bases = {"iCE40": LatticeICE40Platform, "ECP5": LatticeECP5Platform, "Gowin": GowinPlatform}
    attrs = Attrs(**board.family.pin_attrs)
    clock = Resource("clk", 0, Pins(board.pins["clock"], dir="i"), Clock(board.clock_hz), attrs)
    # package and speed are for Amaranth's own scripts, which are not used
    body: dict[str, Any] = {"device": board.device, "package": "BG381", "speed": "6", "default_clk": "clk"}
    body |= {"resources": [clock], "connectors": []}
    if board.family.name == "Gowin":
        del body["device"]
        body |= {"part": board.chip.router_args[1], "family": board.device}
    return type("PlainPlatform", (bases[board.family.name],), body)


def described(path: Path) -> Board:
    """The board that a file describes. Raises `UsageError`, naming the file, if it is none."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the board {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the board {path} is not TOML: {error}.") from None
    entry = {key: _value(path, given, key) for key in KEYS}
    _refuse_others(path, given, KEYS)
    pins = dict(entry["pins"])
    led_low = pins.pop("led_low", False)
    _refuse_others(path, pins, PINS, "pins.")
    plain = not entry["platform"]
    for name in PINS if plain else ("spike", "voltage"):
        if name not in pins:
            raise UsageError(f"the board {path} has no pins.{name}{', which one without a platform needs' * plain}.")
    if ("rx" in pins) != ("tx" in pins):
        raise UsageError(f"the board {path} has one of pins.rx and pins.tx: the serial line needs both.")
    if not (isinstance(led_low, bool) and all(isinstance(pin, str) for pin in pins.values())):
        raise UsageError(
            f'the board {path}: a pin is a text, such as "pmod_0:1" or "A9", and led_low is true or false.'
        )
    if entry["device"] not in DEVICES:
        raise UsageError(
            f"the board {path} has device {shortened(entry['device'])}: spikefab builds for {', '.join(DEVICES)}."
        )
    return _board(path, entry, pins, led_low)


def _board(path: Path, entry: Mapping[str, Any], pins: Mapping[str, str], led_low: bool) -> Board:
    chip = DEVICES[entry["device"]]
    usb = re.fullmatch(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})", entry["usb"])
    if entry["usb"] and usb is None:
        raise UsageError(f'the board {path} has usb {shortened(entry["usb"])}: it is two numbers, such as "0403:6010".')
    for key in ("clock_mhz", "neuron_mhz", "baud", "port"):
        if not (0 <= entry[key] < 1e9) or (entry[key] == 0 and key in ("clock_mhz", "baud")):
            raise UsageError(f"the board {path} has {key} {entry[key]:g}, which makes no sense.")
    return Board(
        name=path.stem,
        platform_class=entry["platform"],
        chip=chip,
        clock_hz=round(entry["clock_mhz"] * 1e6),
        neuron_hz=round((entry["neuron_mhz"] or entry["clock_mhz"]) * 1e6),
        clock_name=entry["clock"],
        pll_pad=entry["pll_pad"],
        router_args=(*chip.router_args, *map(str, entry["package"])),
        packer_args=(*chip.packer_args, *map(str, entry["packer"])),
        uart_baud=entry["baud"],
        usb=None if usb is None else (int(usb[1], 16), int(usb[2], 16), entry["port"]),
        programmers=tuple(map(str, entry["programmers"])),
        stimulus=chip.stimulus,
        pins=pins,
        led_low=led_low,
        pins_are=entry["pins_are"],
        source=f"{chip.source}; {entry['source']}",
        folder=path.parent,
    )


def _value(path: Path, given: Mapping[str, Any], key: str) -> Any:
    kind, default = KEYS[key]
    if key not in given:
        if default is None:
            raise UsageError(f"the board {path} has no {key}: see docs/board.md for what a description has.")
        return default
    value = float(given[key]) if kind is float and type(given[key]) is int else given[key]
    if type(value) is not kind:
        names = {
            str: "a text",
            list: "a list",
            float: "a number",
            int: "a whole number",
            dict: "a table",
            bool: "true or false",
        }
        raise UsageError(f"the board {path}: {key} is {names[kind]}, not {shortened(given[key])}.")
    return value


def _refuse_others(path: Path, given: Mapping[str, Any], known: Any, within: str = "") -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f": did you mean {within}{near[0]}" if near else ""
            raise UsageError(f"the board {path} has {within}{shortened(key)}, which means nothing here{hint}.")


# the boards in the order in which they are told
_ORDER = (
    "icebreaker", "upduino_v3", "icesugar", "ice40_hx8k_b_evn", "tinyfpga_bx", "ulx3s-12f", "ulx3s-25f", "ulx3s-45f", "ulx3s-85f",
    "orangecrab_r0_2", "colorlight_5a75b_r7_0", "ecpix5", "tang_nano_9k",
)  # fmt: skip
BOARDS: Mapping[str, Board] = {name: described(FOLDER / f"{name}.toml") for name in _ORDER}
_own: dict[str, Board] = {}  # boards of the user's files that were read, by name


def get_board(name: str) -> Board:
    """The board of this name, or that a file (`.toml`) describes. Raises `UsageError`, listing the boards, if there is none."""
    if isinstance(name, str) and name in BOARDS:
        return BOARDS[name]
    if isinstance(name, str) and name in _own:
        return _own[name]
    if isinstance(name, str | Path) and str(name).endswith(".toml"):
        board = described(Path(name).absolute())
        if board.name in BOARDS:
            raise UsageError(f"the board {name} has the name of one that is there already: rename the file.")
        _check(Path(name).absolute(), board)
        _own[board.name] = board
        return board
    near = difflib.get_close_matches(str(name).lower(), BOARDS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"there is no board {shortened(name)}: {hint}the boards are {', '.join(BOARDS)}, or give a file.")


def suited(word: int) -> Board:
    """The board that is told where nobody has chosen one: the iCEBreaker if its multipliers take a product of two words whole."""
    return BOARDS["icebreaker" if word <= BOARDS["icebreaker"].multiplier_bits else "ulx3s-25f"]
