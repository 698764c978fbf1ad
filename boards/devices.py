"""The FPGAs that spikefab builds for, as pure data. The figures are from the makers' data sheets; each `source` says which."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from spikefab.hw.lowering.schedule import Timing
from spikefab.hw.words import Block


@dataclass(frozen=True)
class Family:
    """One family of FPGAs: the open-source tools that build for it, and the names of its resources in their reports."""

    name: str
    fabric: str  # name of its logic: designs take as many cells, and are as fast, in each device of one fabric
    synth: str  # the yosys command that synthesises for this family
    router: str  # name of the place-and-route tool
    router_args: tuple[str, ...]
    asks_clock: bool  # whether the router is told the clock on its command line, as the constraints do not have it
    packer: str  # name of the tool that makes the bitstream of a routed design
    packer_args: tuple[str, ...]
    constraints: str  # suffix of the constraints file
    bitstream: str  # suffix of the bitstream file
    cell: tuple[str, ...]  # names of what takes a logic cell in nextpnr's report
    register: str  # name of a register there, if it is not counted as a logic cell
    multiplier: str  # name of a hardware multiplier in nextpnr's report
    block_ram: str  # name of a memory block in nextpnr's report
    timing: Timing  # of a pipeline: the registers that there are in multipliers and memory blocks
    block: Block  # how a memory block holds states, where there is nothing larger
    shapes: tuple[tuple[int, int], ...]  # bits of a word and words, as which a memory block can be used
    small_memories: bool  # whether look-up tables can be memories of 16 words
    # Hz, a clock that bitstreams of most pipelines can be expected to reach with one seed: asked for 150 MHz, an ECP5 reached 147
    # to 155 with the link of a population, of which one of four missed it
    pipeline_hz: float
    pin_attrs: Mapping[str, str]  # of a pin of 3.3 V


_WIDE = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))

# Only the UltraPlus has multipliers. -device selects the delays for abc9.
ICE40 = Family(
    name="iCE40",
    fabric="iCE40 UltraPlus",
    synth="synth_ice40 -dsp -abc9 -device u",
    router="nextpnr-ice40",
    router_args=("--pcf", "top.pcf", "--asc", "top.routed"),
    asks_clock=False,
    packer="icepack",
    packer_args=("top.routed", "top.bin"),
    constraints="pcf",
    bitstream="bin",
    cell=("ICESTORM_LC",),
    register="",
    multiplier="ICESTORM_DSP",
    block_ram="ICESTORM_RAM",
    timing=Timing(inverts=True),
    block=Block(16, 256),
    shapes=((16, 256), (8, 512), (4, 1024), (2, 2048)),
    small_memories=False,
    pipeline_hz=40e6,
    pin_attrs={"IO_STANDARD": "SB_LVCMOS"},
)
ICE40_HX = replace(ICE40, fabric="iCE40 HX", synth="synth_ice40 -abc9 -device hx")
ICE40_LP = replace(ICE40, fabric="iCE40 LP", synth="synth_ice40 -abc9 -device lp")

ECP5 = Family(
    name="ECP5",
    fabric="ECP5",
    synth="synth_ecp5 -abc9",
    router="nextpnr-ecp5",
    router_args=("--lpf", "top.lpf", "--textcfg", "top.routed"),
    asks_clock=False,
    packer="ecppack",
    packer_args=("--compress", "--input", "top.routed", "--bit", "top.bit"),
    constraints="lpf",
    bitstream="bit",
    cell=("TRELLIS_COMB",),
    register="TRELLIS_FF",
    multiplier="MULT18X18D",
    block_ram="DP16KD",
    timing=Timing(multiply=4, saturate=2, read=3),
    block=Block(9, 2048),
    shapes=_WIDE,
    small_memories=True,
    pipeline_hz=130e6,
    pin_attrs={"IO_TYPE": "LVCMOS33"},
)

GOWIN = Family(
    name="Gowin",
    fabric="Gowin GW1N",
    synth="synth_gowin -family gw1n -setundef",
    router="nextpnr-himbaechel-gowin",
    router_args=("--vopt", "cst=top.cst", "--write", "top.routed"),
    asks_clock=True,
    packer="gowin_pack",
    packer_args=("-o", "top.fs", "top.routed"),
    constraints="cst",
    bitstream="fs",
    cell=("LUT4", "ALU"),
    register="DFF",
    multiplier="MULT18X18",
    block_ram="BSRAM",
    timing=Timing(),
    block=Block(16, 1024),
    shapes=_WIDE,
    small_memories=True,
    pipeline_hz=40e6,
    pin_attrs={"IO_TYPE": "LVCMOS33"},
)


@dataclass(frozen=True)
class Device:
    """One FPGA: what it has, and how the tools name it."""

    name: str
    family: Family
    cells: int  # logic cells: a 4-input look-up table and a register each
    multipliers: int  # 0: products are made from logic cells
    multiplier_bits: int  # bits of each of the two signed operands of a multiplier
    block_rams: int  # memory blocks
    block_ram_bits: int  # bits in one memory block
    spram: int  # larger memories with one port, SB_SPRAM256KA
    stimulus: int  # entries of a board's stimulus memory, a power of two
    router_args: tuple[str, ...]  # options that tell the router which device this is
    packer_args: tuple[str, ...]  # the same for the packer
    source: str  # data sheet, and the month in which it was read


def _ecp5(name: str, cells: int, multipliers: int, block_rams: int, option: str) -> Device:
    sheet = "Lattice FPGA-DS-02012 (ECP5); 2025-11"
    return Device(name, ECP5, cells, multipliers, 18, block_rams, 18432, 0, 4096, (option,), (), sheet)


_ULTRAPLUS = "Lattice FPGA-DS-02008 (iCE40 UltraPlus); 2025-11"
_LP_HX = "Lattice FPGA-DS-02029 (iCE40 LP/HX); 2026-11"
_GOWIN = "Gowin DS117 (GW1NR); 2026-11"

_ALL = (
    Device("iCE40UP5K", ICE40, 5280, 8, 16, 30, 4096, 4, 512, ("--up5k",), (), _ULTRAPLUS),
    Device("iCE40HX8K", ICE40_HX, 7680, 0, 0, 32, 4096, 0, 512, ("--hx8k",), (), _LP_HX),
    Device("iCE40LP8K", ICE40_LP, 7680, 0, 0, 32, 4096, 0, 512, ("--lp8k",), (), _LP_HX),
    # The 12F is the die of the 25F, sold with less of it tested; the open tools let all of it be used.
    _ecp5("LFE5U-12F", 24288, 28, 56, "--12k"),
    _ecp5("LFE5U-25F", 24288, 28, 56, "--25k"),
    _ecp5("LFE5U-45F", 43848, 72, 108, "--45k"),
    _ecp5("LFE5U-85F", 83640, 156, 208, "--85k"),
    _ecp5("LFE5UM5G-45F", 43848, 72, 108, "--um5g-45k"),
    _ecp5("LFE5UM5G-85F", 83640, 156, 208, "--um5g-85k"),
    Device(
        "GW1NR-9C", GOWIN, 8640, 20, 18, 26, 18432, 0, 1024,
        ("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"), ("-d", "GW1N-9C"), _GOWIN,
    ),
)  # fmt: skip

DEVICES: Mapping[str, Device] = {device.name: device for device in _ALL}
