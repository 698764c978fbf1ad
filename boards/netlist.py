"""What synthesis makes of a design, as Verilog that can be simulated: to prove the netlist and not only the RTL."""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyosys
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable

from spikefab.files import temporary_prefix
from spikefab.toolchain import tools

from .absorb import into_primitives
from .cell_models import block_ram, gowin_block_ram, gowin_multiplier, multiplier
from .table import Family


def synthesised(design: Elaboratable, family: Family, *, absorbed: bool = True, platform: Any = None) -> dict[str, Any]:
    """The netlist (JSON of yosys, module `top`) of a component.

    absorbed  whether registers are moved into the primitives
    platform  for which the component is made, if it has parts that only some devices have
    """
    text = tools.without_collisions(rtlil.convert(design, platform=platform, name="top", emit_src=False))
    with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as scratch:
        folder = Path(scratch)
        (folder / "top.il").write_text(text, encoding="utf-8")
        script = f"read_rtlil top.il\n{family.synth} -top top\nwrite_json top.json\n"
        tools.yosys(script, cwd=folder, log=folder / "synth.log")
        netlist = json.loads((folder / "top.json").read_text(encoding="utf-8"))
    if absorbed:
        into_primitives(netlist, family.name)
    return netlist


def cells(netlist: Mapping[str, Any]) -> Counter[str]:
    """How many cells of each type a netlist has."""
    return Counter(cell["type"] for cell in netlist["modules"]["top"]["cells"].values())


def to_verilog(netlist: Mapping[str, Any], family: Family, name: str) -> str:
    """A netlist as the Verilog module `name`, and the modules of all its cells."""
    with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as scratch:
        folder = Path(scratch)
        (folder / "top.json").write_text(json.dumps(netlist), encoding="utf-8")
        script = f"read_json top.json\nrename top {name}\nwrite_verilog -noattr top.v\n"
        tools.yosys(script, cwd=folder, log=folder / "verilog.log")
        return (folder / "top.v").read_text(encoding="utf-8") + _models(family)


def _models(family: Family) -> str:
    """Simulation models of the cells of a family: those of yosys, and ours of what it has none of."""
    share = Path(pyosys.__file__).parent / "share"
    if family.name == "iCE40":
        return (share / "ice40" / "cells_sim.v").read_text(encoding="utf-8")
    if family.name == "Gowin":
        text = (share / "gowin" / "cells_sim.v").read_text(encoding="utf-8")
        # of memories it has only the ports, and modes in which Icarus 11 cannot read it
        text = re.sub(r"\(\* *blackbox *\*\)\s*module .*?endmodule", "", text, flags=re.DOTALL)
        return text + gowin_multiplier() + gowin_block_ram()
    files = (share / "ecp5" / name for name in ("common_sim.vh", "ccu2c_sim.vh"))
    found = "".join(file.read_text(encoding="utf-8") for file in files)
    found = re.sub(r"`include .*", "", found)  # of cells that yosys does not choose by itself
    # Icarus 11 cannot read this statement
    return found.replace('$error("unsupported COMB mode %s", MODE);', "") + multiplier() + block_ram()
