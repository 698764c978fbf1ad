"""The boards, as pure data. The figures are from the makers' data sheets; each `source` says which, and when it was read."""

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.build import Platform

from spikefab.errors import UsageError, shortened
from spikefab.hw.lowering.schedule import Timing
from spikefab.hw.spram import Spram
from spikefab.hw.words import Block


@dataclass(frozen=True)
class Family:
    """One family of FPGAs: the open-source tools that build for it, and the names of its resources in their reports."""

    name: str
    synth: str  # the yosys command that synthesises for this family
    router: str  # name of the place-and-route tool
    router_args: tuple[str, ...]
    packer: str  # name of the tool that makes the bitstream of a routed design
    packer_args: tuple[str, ...]
    constraints: str  # suffix of the constraints file
    bitstream: str  # suffix of the bitstream file
    cell: str  # name of a logic cell in nextpnr's report
    multiplier: str  # name of a hardware multiplier in nextpnr's report
    block_ram: str  # name of a memory block in nextpnr's report
    timing: Timing  # of a pipeline: the registers that there are in multipliers and memory blocks
    block: Block  # how a memory block holds states, where there is nothing larger
    # Hz, a clock that most pipelines can be expected to reach: benchmarks/results/hardware.json
    pipeline_hz: float


ICE40 = Family(
    name="iCE40",
    # -device u selects the delays of the UltraPlus for abc9. Only this kind of iCE40 has multipliers.
    synth="synth_ice40 -dsp -abc9 -device u",
    router="nextpnr-ice40",
    router_args=("--pcf", "top.pcf", "--asc", "top.routed"),
    packer="icepack",
    packer_args=("top.routed", "top.bin"),
    constraints="pcf",
    bitstream="bin",
    cell="ICESTORM_LC",
    multiplier="ICESTORM_DSP",
    block_ram="ICESTORM_RAM",
    timing=Timing(inverts=True),
    block=Block(16, 256),
    pipeline_hz=40e6,
)

ECP5 = Family(
    name="ECP5",
    synth="synth_ecp5 -abc9",
    router="nextpnr-ecp5",
    router_args=("--lpf", "top.lpf", "--textcfg", "top.routed"),
    packer="ecppack",
    packer_args=("--compress", "--input", "top.routed", "--bit", "top.bit"),
    constraints="lpf",
    bitstream="bit",
    cell="TRELLIS_COMB",
    multiplier="MULT18X18D",
    block_ram="DP16KD",
    timing=Timing(multiply=4, saturate=2, read=3),
    block=Block(9, 2048),
    pipeline_hz=150e6,
)


@dataclass(frozen=True)
class Board:
    """One board: its FPGA, the resources of the FPGA, and the clock."""

    name: str
    platform_class: str  # `module:class` of amaranth-boards, imported when used
    family: Family
    device: str  # part number of the FPGA
    cells: int  # logic cells: a 4-input look-up table and a register each
    multipliers: int
    multiplier_bits: int  # bits of each of the two signed operands of a multiplier
    block_rams: int  # memory blocks
    block_ram_bits: int  # bits in one memory block
    spram: int  # larger memories with one port, SB_SPRAM256KA
    clock_hz: int
    words: tuple[int, ...]  # bits: word lengths for which one product takes at most a few of these multipliers
    router_args: tuple[str, ...]  # options that tell the router which device and package this is
    source: str  # data sheets of the figures, and the month in which they were read
    uart_baud: int  # bits per second of the serial line: what the board's USB chip makes exactly, and the clock too
    usb: tuple[int, int, int]  # vendor, product and interface (port) of the USB chip, by which the line is found
    programmers: tuple[str, ...]  # commands that load a bitstream, the first that is installed is taken
    stimulus: int  # entries of the stimulus memory, a power of two
    connector: tuple[str, int]  # amaranth-boards' name of the connector with the next two pins
    spike_pin: str
    voltage_pin: str
    pins_are: str  # where these pins are, in words for people
    pin_attrs: Mapping[str, str]

    @property
    def clock_mhz(self) -> float:
        return self.clock_hz / 1e6

    def multipliers_each(self, word: int) -> int:
        """How many multipliers a product of two words takes."""
        return (-(-word // self.multiplier_bits)) ** 2

    def storage(self, lanes: int = 1) -> Block | Spram:
        """Where the states of a bank are, if there are so many side by side."""
        each = self.spram // lanes
        return Spram(each) if each in (2, 4) else self.family.block

    def platform(self) -> Platform:
        """A new platform object of amaranth-boards. One object can serve only one design, so each build needs its own."""
        module, _, name = self.platform_class.partition(":")
        return getattr(importlib.import_module(module), name)()


_ALL = (
    Board(
        name="icebreaker",
        platform_class="amaranth_boards.icebreaker:ICEBreakerPlatform",
        family=ICE40,
        device="iCE40UP5K",
        cells=5280,
        multipliers=8,
        multiplier_bits=16,
        block_rams=30,
        block_ram_bits=4096,
        spram=4,
        clock_hz=12_000_000,
        words=(16, 18, 24),
        router_args=("--up5k", "--package", "sg48"),
        source="Lattice FPGA-DS-02008 (iCE40 UltraPlus), 1bitsquared iCEBreaker 1.0e; 2025-11",
        uart_baud=1_000_000,
        usb=(0x0403, 0x6010, 1),
        programmers=("iceprog {bitstream}", "openFPGALoader -b ice40_generic {bitstream}"),
        stimulus=512,
        connector=("pmod", 0),
        spike_pin="1",
        voltage_pin="2",
        pins_are="PMOD 1A: pin 1 is the spike, pin 2 the voltage, pin 5 ground",
        pin_attrs={"IO_STANDARD": "SB_LVCMOS"},
    ),
    Board(
        name="ulx3s-25f",
        platform_class="amaranth_boards.ulx3s:ULX3S_25F_Platform",
        family=ECP5,
        device="LFE5U-25F",
        cells=24288,
        multipliers=28,
        multiplier_bits=18,
        block_rams=56,
        block_ram_bits=18432,
        spram=0,
        clock_hz=25_000_000,
        words=(16, 18, 24),
        router_args=("--25k", "--package", "CABGA381", "--speed", "6"),
        source="Lattice FPGA-DS-02012 (ECP5), Radiona ULX3S 3.0; 2025-11",
        uart_baud=1_000_000,
        usb=(0x0403, 0x6015, 0),
        programmers=("openFPGALoader -b ulx3s {bitstream}",),
        stimulus=4096,
        connector=("gpio", 0),
        spike_pin="0+",
        voltage_pin="0-",
        pins_are="header J1: GP0 is the spike, GN0 the voltage",
        pin_attrs={"IO_TYPE": "LVCMOS33"},
    ),
)

BOARDS: Mapping[str, Board] = {board.name: board for board in _ALL}


def get_board(name: str) -> Board:
    """The board of this name. Raises `UsageError`, listing the boards, if there is none."""
    if isinstance(name, str) and name in BOARDS:
        return BOARDS[name]
    near = difflib.get_close_matches(str(name).lower(), BOARDS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"there is no board {shortened(name)}: {hint}the boards are {', '.join(BOARDS)}.")


def suited(word: int) -> Board:
    """The first board whose multipliers take a product of two words of this length whole, or else the one with most cells."""
    whole = [board for board in BOARDS.values() if board.multiplier_bits >= word]
    return whole[0] if whole else max(BOARDS.values(), key=lambda board: board.cells)
