"""The clock that a routed design reaches: nextpnr's figure, and on an iCE40 what that figure leaves out.

nextpnr-ice40 takes both ends of an SB_MAC16 for registers with next to no delay, on the block's own clock. Where yosys
found no register to absorb into it, the path through the multiplier is in no figure: the reported clock was up to
twice too fast here. Such a block is therefore given a constant as its clock, which changes nothing in its function:
nextpnr then reports the worst paths to and from this clock, and the sum with the block's own delay is the path.
"""

from collections.abc import Iterator, Mapping
from typing import Any

# Input to product: 8.2 ns (Project IceStorm, timings_up5k, SB_MAC16_MUL_S_16X16_BYPASS); then its adder, with
# which yosys sums partial products; rounded up.
MAC16_NS = 12.0
_CONSTANT = "$PACKER_GND_NET"  # nextpnr's name of the constant that is the clock of blocks without registers


def expose_multipliers(netlist: dict[str, Any]) -> None:
    """Give the SB_MAC16 blocks without registers a clock of their own, in a netlist of yosys, before it is routed."""
    for block in _blocks(netlist).values():
        if not _has_input_registers(block) and not _has_output_registers(block):
            block["connections"]["CLK"] = ["0"]
            block["port_directions"]["CLK"] = "input"


def reached_mhz(report: Mapping[str, Any], netlist: Mapping[str, Any]) -> float:
    """The highest clock, MHz, of nextpnr's report on this netlist. A top level here has one clock."""
    period = 1000 / min(clock["achieved"] for clock in report["fmax"].values())
    blocks = _blocks(netlist)
    if any(_has_input_registers(b) != _has_output_registers(b) for b in blocks.values()):
        period += MAC16_NS  # one end is timed as if it were the other: its worst case is the worst path and the block
    if blocks:
        period = max(period, MAC16_NS)
    depth = _depth(netlist)
    if depth:
        before, between, after = (_worst(report, *ends) for ends in ((False, True), (True, True), (True, False)))
        period = max(period, before + depth * MAC16_NS + (depth - 1) * between + after)
    return 1000 / period


def _blocks(netlist: Mapping[str, Any]) -> dict[str, Any]:
    cells = netlist["modules"]["top"]["cells"]
    return {name: cell for name, cell in cells.items() if cell["type"] == "SB_MAC16"}


def _parameter(block: Mapping[str, Any], name: str) -> int:
    return int(block["parameters"].get(name, "0"), 2)


def _has_input_registers(block: Mapping[str, Any]) -> bool:
    return all(_parameter(block, name) for name in ("A_REG", "B_REG"))


def _has_output_registers(block: Mapping[str, Any]) -> bool:
    """Both halves from the output register (select 1), or from the product (3) behind its pipeline register."""
    selects = {_parameter(block, f"{half}OUTPUT_SELECT") for half in ("TOP", "BOT")}
    return selects == {1} or (selects == {3} and _parameter(block, "PIPELINE_16x16_MULT_REG1") == 1)


def _worst(report: Mapping[str, Any], from_block: bool, to_block: bool) -> float:
    """Delay, ns, of the worst path between blocks without registers and the rest, in either direction."""
    delays = [
        sum(piece["delay"] for piece in path["path"])
        for path in report["critical_paths"]
        if (_CONSTANT in path["from"], _CONSTANT in path["to"]) == (from_block, to_block)
        and "<async>" not in path["from"]
    ]
    return max(delays, default=0.0)


def _depth(netlist: Mapping[str, Any]) -> int:
    """How many blocks without registers the longest path passes, with or without logic between them."""
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
                known[name] = 0  # a loop, which a design of registers has only through them, would end here
                after = {reader for bit in _bits(cell, "output") for reader in readers.get(bit, ())}
                known[name] = block + max(map(longest, after), default=0)
        return known[name]

    return max(map(longest, _blocks(netlist)), default=0)


def _bits(cell: Mapping[str, Any], direction: str) -> Iterator[Any]:
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == direction:
            yield from bits
