"""Moves the register behind a product into the multiplier block of an iCE40 UltraPlus (SB_MAC16).

Yosys 0.70 puts it between the four partial products and their sum (PIPELINE_16x16_MULT_REG1), or leaves it outside if some bits of
the product are not read. Behind the sum (PIPELINE_16x16_MULT_REG2) the block computes the same, and its delay is known: nextpnr has
that of a register behind the sum, and would take it for one before it too.

A second register behind a product must not be in the design: yosys 0.70 takes it into the block and leaves it outside as well,
after which the product is constant.
"""

from typing import Any

STAGES = ("TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG", "PIPELINE_16x16_MULT_REG1")  # registers of the partial products
BEHIND = "PIPELINE_16x16_MULT_REG2"


def _set(block: dict[str, Any], name: str) -> bool:
    return int(block["parameters"].get(name, "0"), 2) != 0


def absorb_products(netlist: dict[str, Any]) -> int:
    """Change a netlist for an iCE40 that is not yet routed. Returns how many blocks then have a register behind their product."""
    module = netlist["modules"]["top"]
    cells = module["cells"]
    readers: dict[Any, list[tuple[str, str]]] = {}  # net -> (cell, port); an output of the module is ("", its name)
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for bit in bits:
                    readers.setdefault(bit, []).append((name, port))
    for name, port in module["ports"].items():
        if port["direction"] != "input":
            for bit in port["bits"]:
                readers.setdefault(bit, []).append(("", name))
    return sum(_absorb(cells, block, readers) for block in [*cells.values()] if block["type"] == "SB_MAC16")


def _absorb(cells: dict[str, Any], block: dict[str, Any], readers: dict[Any, list[tuple[str, str]]]) -> bool:
    if _set(block, BEHIND) or any(int(block["parameters"][f"{half}OUTPUT_SELECT"], 2) != 3 for half in ("TOP", "BOT")):
        return False
    wires = block["connections"]
    if all(_set(block, name) for name in STAGES):
        block["parameters"] |= dict.fromkeys(STAGES, "0")
    else:
        behind: dict[int, str] = {}  # bit of the product -> register
        for k, bit in enumerate(wires["O"]):
            if bit not in readers:
                continue
            ((reader, port), *others) = readers[bit]
            # a plain register: it takes a value in each rising clock, has no reset, and begins with 0
            plain = bool(reader) and cells[reader]["type"] == "SB_DFF" and port == "D"
            if others or not plain or cells[reader]["connections"]["C"] != wires.get("CLK"):
                return False
            behind[k] = reader
        if not behind or wires.get("CE", ["1"]) != ["1"]:
            return False
        wires["O"] = [
            cells[behind[k]]["connections"]["Q"][0] if k in behind else bit for k, bit in enumerate(wires["O"])
        ]
        for register in behind.values():
            del cells[register]
    block["parameters"][BEHIND] = "1"
    return True
