"""Moves registers around a product into the multiplier block of an iCE40 UltraPlus (SB_MAC16).

Yosys 0.70 puts that behind a product between the four partial products and their sum (PIPELINE_16x16_MULT_REG1), or leaves it
outside if some bits of the product are not read. Behind the sum (PIPELINE_16x16_MULT_REG2) the block computes the same, and its
delay is known: nextpnr has that of a register behind the sum, and would take it for one before it too.

A second register behind a product must not be in the design: yosys 0.70 takes it into the block and leaves it outside as well,
after which the product is constant.

That before an operand stays outside where yosys has made it in parts, some of which are set or reset: where one of the values in
turn is a constant. It is moved too; then a look-up table before the block does what the set or reset did.
"""

from typing import Any

STAGES = ("TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG", "PIPELINE_16x16_MULT_REG1")  # registers of the partial products
BEHIND = "PIPELINE_16x16_MULT_REG2"
REGISTERS = (*STAGES, BEHIND, "A_REG", "B_REG", "C_REG", "D_REG")
PLAIN = ("SB_DFF", "SB_DFFSR", "SB_DFFSS")  # take a value in each rising clock, and begin with 0


def _set(block: dict[str, Any], name: str) -> bool:
    return int(block["parameters"].get(name, "0"), 2) != 0


def absorb_products(netlist: dict[str, Any]) -> int:
    """Change a netlist for an iCE40 that is not yet routed. Returns how many groups of registers were moved."""
    module = netlist["modules"]["top"]
    cells = module["cells"]
    readers = _readers(module)
    blocks = [block for block in cells.values() if block["type"] == "SB_MAC16"]
    moved = sum(_absorb(cells, block, readers) for block in blocks)
    return moved + sum(_operand(module, block, side) for block in blocks for side in "AB")


def _readers(module: dict[str, Any]) -> dict[Any, list[tuple[str, str]]]:
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
    return readers


def _operand(module: dict[str, Any], block: dict[str, Any], side: str) -> bool:
    """Move the register before an operand into a block. If others read it too, it stays for them as well."""
    cells, wires = module["cells"], block["connections"]
    bits = [bit for bit in wires[side] if isinstance(bit, int)]
    idle = all(wires.get(port, ["0"]) == ["0"] for port in (f"{side}HOLD", "IRSTTOP" if side == "A" else "IRSTBOT"))
    if _set(block, f"{side}_REG") or not _set(block, BEHIND) or not idle or wires.get("CE", ["1"]) != ["1"]:
        return False
    registers = {cell["connections"]["Q"][0]: name for name, cell in cells.items() if cell["type"] in PLAIN}
    # with a constant 1, which a register would not begin with, or another clock, it stays as it is
    if not bits or "1" in wires[side] or any(bit not in registers for bit in bits):
        return False
    if any(cells[registers[bit]]["connections"]["C"] != wires.get("CLK") for bit in bits):
        return False
    new = {bit: _before(module, registers[bit]) for bit in dict.fromkeys(bits)}
    wires[side] = [new.get(bit, bit) for bit in wires[side]]
    block["parameters"][f"{side}_REG"] = "1"
    readers = _readers(module)
    for bit in new:
        if bit not in readers:
            del cells[registers[bit]]
    return True


def _before(module: dict[str, Any], register: str) -> Any:
    """The net with what a register takes: what is at its input, 0 when it is reset, or 1 when it is set."""
    wires = module["cells"][register]["connections"]
    forced = next((port for port in "RS" if port in wires), None)
    if forced is None:
        return wires["D"][0]
    every = [bits for cell in module["cells"].values() for bits in cell["connections"].values()]
    made = 1 + max(bit for bits in every for bit in bits if isinstance(bit, int))
    nets = {"I0": wires["D"], "I1": wires[forced], "I2": ["0"], "I3": ["0"], "O": [made]}
    module["cells"][f"{register}_before"] = {
        "hide_name": 0,
        "type": "SB_LUT4",
        "parameters": {"LUT_INIT": {"R": "0010", "S": "1110"}[forced] * 4},  # I0 and not I1, or I0 or I1
        "attributes": {},
        "port_directions": {port: "output" if port == "O" else "input" for port in nets},
        "connections": nets,
    }
    return made


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
            if others or not plain:
                return False
            behind[k] = reader
        clocks = {cells[register]["connections"]["C"][0] for register in behind.values()}
        if len(clocks) != 1:
            return False
        if not any(_set(block, name) for name in REGISTERS):  # it has no clock yet
            for port, bit in (("CLK", clocks.pop()), ("CE", "1")):
                wires[port], block["port_directions"][port] = [bit], "input"
        elif wires.get("CLK") != [*clocks] or wires.get("CE", ["1"]) != ["1"]:
            return False
        wires["O"] = [
            cells[behind[k]]["connections"]["Q"][0] if k in behind else bit for k, bit in enumerate(wires["O"])
        ]
        for register in behind.values():
            del cells[register]
    block["parameters"][BEHIND] = "1"
    return True
