"""Writes soc.v and tb.v: a SoC of LiteX without a processor. A bus master plays plan.json to a neuron's CSRs, and compares.

Called with the name of the module, in the folder of its files. The plan: (CSR, "write", "read" or "wait", value).
"""

import json
import sys
from importlib import import_module
from pathlib import Path

from litex.build.generic_platform import Pins
from litex.build.io import CRG
from litex.build.sim import SimPlatform
from litex.soc.integration.soc_core import SoCMini
from litex.soc.interconnect import wishbone
from migen import FSM, Array, Constant, Display, Finish, If, NextState, NextValue, Signal

MASK = (1 << 32) - 1
TESTBENCH = """\
module tb;
  reg clk = 0;
  always #5 clk = ~clk;
  soc dut(.sys_clk(clk));
  initial begin #40000000 $display("it hangs"); $finish; end
endmodule
"""


class SoC(SoCMini):
    """accesses: (address, word to write or None, word that is read or None, its mask, whether to repeat until it is read)."""

    csr_map = {"neuron": 5}  # as LiteX wants it

    def __init__(self, module, accesses=()):
        platform = SimPlatform("SIM", [("sys_clk", 0, Pins(1)), ("sys_rst", 0, Pins(1))])
        super().__init__(platform, clk_freq=1_000_000)
        self.crg = CRG(platform.request("sys_clk"))
        self.neuron = getattr(import_module(f"{module}_litex"), module)(platform)
        if accesses:
            self.play(accesses)

    def play(self, accesses):
        bus = wishbone.Interface()
        self.bus.add_master(name="bench", master=bus)
        k, wrong = Signal(max=len(accesses) + 1), Signal(32)

        def chosen(values, bits=32):
            return Array([Constant(int(value) & MASK, bits) for value in values])[k]

        addresses, written, read, masks, waits = zip(*accesses, strict=True)
        writes, repeats = chosen([word is not None for word in written], 1), chosen(waits, 1)
        same = (bus.dat_r & chosen(masks)) == (chosen([word or 0 for word in read]) & chosen(masks))
        self.fsm = fsm = FSM(reset_state="ACCESS")
        fsm.act(
            "ACCESS",
            bus.cyc.eq(1),
            bus.stb.eq(1),
            bus.sel.eq(15),
            bus.we.eq(writes),
            bus.adr.eq(chosen(addresses) >> 2),
            bus.dat_w.eq(chosen([word or 0 for word in written])),
            If(
                bus.ack,
                If(~repeats | same, NextState("NEXT")),
                If(~repeats & ~writes & ~same, NextValue(wrong, wrong + 1)),
            ),
        )
        fsm.act("NEXT", NextValue(k, k + 1), If(k == len(accesses) - 1, NextState("END")).Else(NextState("ACCESS")))
        fsm.act("END", NextState("DONE"))
        fsm.act("DONE")
        self.sync += If(fsm.ongoing("END"), Display("%d accesses, %d wrong", k, wrong), Finish())


def accesses_of(module, plan):
    """The accesses of a plan: a CSR of more than 32 bits has two words, the upper one first."""
    soc = SoC(module)
    soc.finalize()
    region = soc.csr.regions["neuron"]
    places, address = {}, region.origin
    for csr in region.obj:
        words = range((csr.size + 31) // 32)[::-1]
        places[csr.name] = [(address + 4 * k, 32 * w, min(32, csr.size - 32 * w)) for k, w in enumerate(words)]
        address += 4 * len(words)
    found = []
    for name, kind, value in plan:
        for place, low, bits in places[name]:
            word = (value >> low) & MASK
            written, read = (word, None) if kind == "write" else (None, word)
            found.append((place, written, read, (1 << bits) - 1, kind == "wait"))
    return found


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    soc = SoC(sys.argv[1], accesses_of(sys.argv[1], json.loads(Path("plan.json").read_text())))
    soc.finalize()
    soc.platform.get_verilog(soc, name="soc", regular_comb=False).write("soc.v")
    Path("tb.v").write_text(TESTBENCH)
