"""The fastest clock of a routed design: nextpnr's figure, corrected on iCE40 for the multipliers that nextpnr omits.

nextpnr-ice40 treats the inputs and outputs of every multiplier block (SB_MAC16) as registers with almost no delay. That
is wrong for a block into which yosys has put no register: the path through it is then missing from the timing analysis,
and the reported clock was up to twice too fast. This module connects the clock input of such a block to a constant, which
does not change what the block computes. nextpnr then reports the worst path into and out of this "clock"; the delay of
the whole path is the sum of the two and of the delay of the block.
"""

from collections.abc import Iterator, Mapping
from typing import Any

# Delay of a multiplier block without registers, ns: 8.2 from input to product (Project IceStorm, timings_up5k,
# SB_MAC16_MUL_S_16X16_BYPASS), then its adder, with which yosys sums partial products; rounded up.
MAC16_NS = 12.0
# Delay, ns, from the clock of such a block to its output, if that has a register: at most 1.6 (ibid., SB_MAC16, from CLK to O), of
# which nextpnr counts 0.1. It is added to every path, as nextpnr does not tell the slowest of those that begin there.
MAC16_OUTPUT_NS = 1.5
# nextpnr's name for the constant 0 that `expose_multipliers` connects as the clock of blocks without registers.
_CONSTANT = "$PACKER_GND_NET"


def expose_multipliers(netlist: dict[str, Any]) -> None:
    """Connect the clock input of SB_MAC16 blocks without registers to constant 0, in a yosys netlist not yet routed."""
    for block in _blocks(netlist).values():
        if not _has_input_registers(block) and not _has_output_registers(block):
            block["connections"]["CLK"] = ["0"]
            block["port_directions"]["CLK"] = "input"


def reached_mhz(report: Mapping[str, Any], netlist: Mapping[str, Any], mhz: float | None = None) -> float:
    """The fastest clock, MHz, by nextpnr's report on this netlist, multipliers included.

    mhz  of a design with several clocks: what is asked of the one that is meant. If another one misses what is asked of it, this
         one counts as slow by the same ratio
    """
    clocks = list(report["fmax"].values())
    reached = min(clock["achieved"] for clock in clocks)
    if mhz is not None and len(clocks) > 1:
        meant = min(clocks, key=lambda clock: abs(clock["constraint"] - mhz))
        least = min(clock["achieved"] / clock["constraint"] for clock in clocks if clock is not meant)
        reached = meant["achieved"] if least >= 1 else min(meant["achieved"], least * mhz)
    period = 1000 / reached
    blocks = _blocks(netlist)
    if any(_has_input_registers(b) != _has_output_registers(b) for b in blocks.values()):
        # nextpnr times only one end of a block with registers at one end; at worst, the block is on the slowest path
        period += MAC16_NS
    if any(_has_output_registers(b) for b in blocks.values()):
        period += MAC16_OUTPUT_NS
    if blocks:
        period = max(period, MAC16_NS)
    depth = _depth(netlist)
    if depth:
        before, between, after = (_worst(report, *ends) for ends in ((False, True), (True, True), (True, False)))
        period = max(period, before + depth * MAC16_NS + (depth - 1) * between + after)
    return 1000 / period


def _blocks(netlist: Mapping[str, Any]) -> dict[str, Any]:
    """The multiplier blocks of a netlist by name."""
    cells = netlist["modules"]["top"]["cells"]
    return {name: cell for name, cell in cells.items() if cell["type"] == "SB_MAC16"}


def _parameter(block: Mapping[str, Any], name: str) -> int:
    return int(block["parameters"].get(name, "0"), 2)


def _has_input_registers(block: Mapping[str, Any]) -> bool:
    return all(
        _parameter(block, f"{side}_REG") or all(isinstance(bit, str) for bit in block["connections"][side])
        for side in "AB"
    )  # no path begins at a constant


def _has_output_registers(block: Mapping[str, Any]) -> bool:
    """True if both halves come from the output register (select 1) or from that behind the product (select 3).

    A register of the partial products alone (PIPELINE_16x16_MULT_REG1) has their sum behind it, whose delay nextpnr omits.
    """
    selects = {_parameter(block, f"{half}OUTPUT_SELECT") for half in ("TOP", "BOT")}
    return selects == {1} or (selects == {3} and _parameter(block, "PIPELINE_16x16_MULT_REG2") == 1)


def _worst(report: Mapping[str, Any], from_block: bool, to_block: bool) -> float:
    """Delay, ns, of the longest path that starts and ends as given: at a block without registers, or elsewhere."""
    delays = [
        sum(piece["delay"] for piece in path["path"])
        for path in report["critical_paths"]
        if (_CONSTANT in path["from"], _CONSTANT in path["to"]) == (from_block, to_block)
        and "<async>" not in path["from"]
    ]
    return max(delays, default=0.0)


def _depth(netlist: Mapping[str, Any]) -> int:
    """The most multiplier blocks without registers that one path passes in a row, with or without logic between them."""
    readers: dict[Any, set[str]] = {}
    cells = netlist["modules"]["top"]["cells"]
    for name, cell in cells.items():
        for bit in _bits(cell, "input"):
            readers.setdefault(bit, set()).add(name)
    known: dict[str, int] = {}

    def longest(name: str) -> int:
        if name not in known:
            cell = cells[name]
            block = cell["type"] == "SB_MAC16"
            if "DFF" in cell["type"] or "RAM" in cell["type"] or (block and _has_output_registers(cell)):
                known[name] = 0
            else:
                known[name] = 0  # would end the recursion in a loop without a register; no design here has one
                after = {reader for bit in _bits(cell, "output") for reader in readers.get(bit, ())}
                known[name] = block + max(map(longest, after), default=0)
        return known[name]

    return max(map(longest, _blocks(netlist)), default=0)


def _bits(cell: Mapping[str, Any], direction: str) -> Iterator[Any]:
    """The nets at the input or output ports of one element of a netlist."""
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == direction:
            yield from bits
