"""Moves registers into the multipliers and block RAMs of an ECP5, which yosys leaves outside.

A MULT18X18D has registers before its operands, within, and behind its product; a DP16KD has one behind what it reads. A design
that has such registers anyway becomes faster, and smaller, if they are the ones inside. What the netlist computes in each clock
stays the same: a register is only moved if it takes a new value in each clock, has no reset, begins with 0, and has the same
clock, and one behind a primitive only if nothing else reads what it holds back. One before a factor may be reset to 0 in some
clocks, as yosys makes it where one of the values in turn is a constant: then a look-up table before the multiplier does this.
"""

from collections.abc import Iterable
from typing import Any

from .product_registers import absorb_products

Bit = int | str  # a net, or a constant "0", "1" or "x"
# parameters of a register that is as those inside are: rising clock, reset not inverted, 0 at the start
USUAL = {"CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}


class _Netlist:
    """The module `top` of a netlist that yosys has written as JSON."""

    def __init__(self, netlist: dict[str, Any]):
        module = netlist["modules"]["top"]
        self.cells: dict[str, Any] = module["cells"]
        self.registers: dict[Bit, str] = {}  # output -> name of the register
        self.last = max(bit for port in module["ports"].values() for bit in (0, *port["bits"]) if isinstance(bit, int))
        # net -> (cell, port) that read it; an output of the module is ("", its name)
        self.readers: dict[Bit, list[tuple[str, str]]] = {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                self.last = max([self.last, *(bit for bit in bits if isinstance(bit, int))])
                if cell["port_directions"][port] == "input":
                    for bit in bits:
                        self.readers.setdefault(bit, []).append((name, port))
            if cell["type"] == "TRELLIS_FF":
                self.registers[cell["connections"]["Q"][0]] = name
        for name, port in module["ports"].items():
            if port["direction"] != "input":
                for bit in port["bits"]:
                    self.readers.setdefault(bit, []).append(("", name))

    def of(self, name: str, port: str, default: Bit = "0") -> Bit:
        """The net at a port of one bit."""
        return self.cells[name]["connections"].get(port, [default])[0]

    def plain(self, register: str, clock: Bit, resets: bool = False) -> bool:
        """Whether a register could be one inside a primitive with this clock. `resets`: but for a synchronous reset."""
        given = self.cells[register]["parameters"]
        usual = all(given.get(name, value) == value for name, value in USUAL.items())
        always = given.get("CEMUX") == "1" or self.of(register, "CE", "1") == "1"
        free = self.of(register, "LSR") == "0" or (resets and given.get("SRMODE") == "LSR_OVER_CE")
        return usual and always and free and self.of(register, "CLK") == clock

    def before(self, register: str) -> Bit:
        """The net with what a register takes: what is at its input, or 0 when it is reset."""
        value, reset = self.of(register, "DI"), self.of(register, "LSR")
        if reset == "0":
            return value
        self.last += 1
        nets = {"A": [value], "B": [reset], "C": ["0"], "D": ["0"], "Z": [self.last]}
        self.cells[f"{register}_before_{self.last}"] = {
            "hide_name": 0,
            "type": "LUT4",
            "parameters": {"INIT": "0010001000100010"},  # A and not B
            "attributes": {},
            "port_directions": {port: "output" if port == "Z" else "input" for port in nets},
            "connections": nets,
        }
        return self.last

    def behind(self, name: str, ports: Iterable[str], clock: Bit | None) -> dict[str, str] | None:
        """port -> register behind it, if there is a plain one behind each that is read, and nothing else reads it."""
        found: dict[str, str] = {}
        for port in ports:
            bit = self.of(name, port)
            readers = self.readers.get(bit, []) if isinstance(bit, int) else []
            if not readers:
                continue
            ((reader, at), *others) = readers
            if others or at != "DI" or self.cells[reader]["type"] != "TRELLIS_FF":
                return None
            clock = self.of(reader, "CLK") if clock is None else clock
            if not self.plain(reader, clock):
                return None
            found[port] = reader
        return found or None

    def take(self, name: str, registers: dict[str, str]) -> None:
        """Let the ports of a primitive drive what the registers behind them drove."""
        for port, register in registers.items():
            self.cells[name]["connections"][port] = [self.of(register, "Q")]
            del self.cells[register]


def into_primitives(netlist: dict[str, Any], family: str) -> int:
    """Change a netlist that is not yet routed, for a family of FPGAs. Returns how many groups of registers were moved."""
    return absorb(netlist) if family == "ECP5" else absorb_products(netlist)


def absorb(netlist: dict[str, Any]) -> int:
    """Change a netlist for an ECP5 that is not yet routed. Returns how many groups of registers were moved."""
    moved = 0
    for name, cell in [*netlist["modules"]["top"]["cells"].items()]:
        if cell["type"] == "MULT18X18D":
            moved += _product(netlist, name) + sum(_factor(netlist, name, side) for side in "AB")
        elif cell["type"] == "DP16KD":
            moved += sum(_word(netlist, name, side) for side in "AB")
    _sweep(netlist)
    return moved


def _clocked(cell: dict[str, Any], stage: str, clock: Bit) -> None:
    """Switch a register of a multiplier on."""
    cell["parameters"][f"REG_{stage}_CLK"] = "CLK0"
    for port, bit in (("CLK0", clock), ("CE0", "1"), ("RST0", "0")):
        cell["connections"][port], cell["port_directions"][port] = [bit], "input"


def _product(netlist: dict[str, Any], name: str) -> int:
    """Move one or two registers behind a product into the multiplier."""
    ports, stages = [f"P{k}" for k in range(36)], 0
    for stage in ("OUTPUT", "PIPELINE"):
        nets = _Netlist(netlist)
        cell = nets.cells[name]
        clock = cell["connections"]["CLK0"][0] if stages else None
        registers = nets.behind(name, ports, clock)
        if registers is None:
            break
        clock = nets.of(next(iter(registers.values())), "CLK")
        nets.take(name, registers)
        _clocked(cell, stage, clock)
        stages += 1
    return stages


def _factor(netlist: dict[str, Any], name: str, side: str) -> int:
    """Move the register before an operand into the multiplier. If others read it too, it stays for them as well."""
    nets = _Netlist(netlist)
    cell = nets.cells[name]
    ports = [f"{side}{k}" for k in range(18)]
    found = {port: nets.registers.get(nets.of(name, port)) for port in ports if isinstance(nets.of(name, port), int)}
    registers = [r for r in found.values() if r is not None]
    clock = cell["connections"].get("CLK0", ["0"])[0]
    if clock == "0" and registers:
        clock = nets.of(registers[0], "CLK")
    constant = any(nets.of(name, port) == "1" for port in ports)  # a register would begin with 0
    if (
        constant
        or not registers
        or len(registers) < len(found)
        or not all(nets.plain(r, clock, True) for r in registers)
    ):
        return 0
    for port, register in found.items():
        assert register is not None
        cell["connections"][port] = [nets.before(register)]
    _clocked(cell, f"INPUT{side}", clock)
    return 1


def _word(netlist: dict[str, Any], name: str, side: str) -> int:
    """Move the register behind a port of a block RAM into it."""
    nets = _Netlist(netlist)
    cell = nets.cells[name]
    if any(int(cell["parameters"][f"DATA_WIDTH_{s}"], 2) > 18 for s in "AB"):
        return 0  # a word over both ports, of 36 bits
    registers = nets.behind(name, [f"DO{side}{k}" for k in range(18)], nets.of(name, f"CLK{side}"))
    if registers is None:
        return 0
    nets.take(name, registers)
    cell["parameters"][f"REGMODE_{side}"] = "OUTREG"
    cell["connections"][f"OCE{side}"] = ["1"]
    return 1


def _sweep(netlist: dict[str, Any]) -> None:
    """Remove registers that nothing reads any more."""
    nets = _Netlist(netlist)
    for bit, register in nets.registers.items():
        if bit not in nets.readers:
            del nets.cells[register]
