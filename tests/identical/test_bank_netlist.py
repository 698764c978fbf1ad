"""The netlists of banks for an ECP5 and an iCE40, with registers moved into their primitives, against the reference."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyosys
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal, signed

from spikefab.boards.absorb import absorb
from spikefab.boards.cell_models import block_ram, multiplier
from spikefab.boards.product_registers import absorb_products
from spikefab.boards.table import BOARDS, ECP5
from spikefab.hw.bank import Bank
from spikefab.hw.datapath import datapath
from spikefab.hw.lowering.schedule import Timing
from spikefab.hw.models import MODELS
from spikefab.hw.spram import Spram
from spikefab.hw.words import Block
from spikefab.sim import reference
from spikefab.toolchain import tools

pytestmark = [
    pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus Verilog is not installed: apt install iverilog"),
]
COUNT = 1100  # more than 1,024: block RAMs are 9 bits wide
SHARE = Path(pyosys.__file__).parent / "share"  # yosys' models of cells
FAST = Timing(multiply=3, saturate=2, read=3)

BENCH = """
module bench;
  reg clk = 0, rst = 1; reg [{width}-1:0] currents [0:{given}-1]; integer taken = 0, found = 0, file;
  wire i_ready, o_valid, o_spike; wire [{v}-1:0] o_v; wire [{n}-1:0] o_neuron;
  {states}
  {module} dut (.clk(clk), .rst(rst), .i_valid(!rst && taken < {given}), .i_ready(i_ready), .i(currents[taken]),
    .o_valid(o_valid), .o_neuron(o_neuron), .o_v(o_v), .o_spike(o_spike), .cfg_valid(1'b0), .cfg_neuron({n}'b0),
    .cfg_addr({address}'b0), .cfg_data({code}'b0), {connections});
  always #5 clk = ~clk;
  initial begin
    $readmemh("currents.hex", currents); file = $fopen("found.txt", "w");
    #22 rst = 0;
  end
  always @(negedge clk) begin
    if (o_valid === 1) begin
      $fwrite(file, "%0d %0d %0d{format}\\n", o_neuron, $signed(o_v), o_spike{values});
      found = found + 1;
      if (found == {steps} * {count}) begin $fclose(file); $finish; end
    end
    if ($time > 10 * ({steps} * {count} * {interval} + 2000)) begin $display("it takes too long"); $fclose(file); $finish; end
  end
  // what is taken at an edge is seen before it
  always @(posedge clk) if (!rst && i_ready && taken < {given}) taken <= #1 taken + 1;
endmodule
"""


def netlist(bank, folder, synth=ECP5.synth, platform=None):
    """Synthesise a bank; the netlist is in `top.json`."""
    text = rtlil.convert(bank, platform=platform, name="top", emit_src=False)
    (folder / "top.il").write_text(tools.without_collisions(text))
    tools.yosys(f"read_rtlil top.il\n{synth} -top top\nwrite_json top.json\n", cwd=folder, log=folder / "synth.log")
    return json.loads((folder / "top.json").read_text())


def ecp5_cells():
    """Models of the cells of an ECP5, and the folder of files that they include."""
    # yosys has models of all cells but two; Icarus 11 cannot read one statement in them
    there = SHARE / "ecp5"
    cells = "".join((there / file).read_text() for file in ("common_sim.vh", "ccu2c_sim.vh"))
    return cells.replace('$error("unsupported COMB mode %s", MODE);', "") + multiplier() + block_ram(), there


def simulated(bank, net, currents, folder, cells, there):
    """What a netlist computes in Icarus: rows of neuron, read-out, spike and states."""
    (folder / "changed.json").write_text(json.dumps(net))
    tools.yosys("read_json changed.json\nwrite_verilog -noattr net.v\n", cwd=folder, log=folder / "verilog.log")
    dp = bank.datapath
    (folder / "models.v").write_text(cells)
    width = dp.current.width
    (folder / "currents.hex").write_text("\n".join(f"{int(c) & ((1 << width) - 1):x}" for c in currents))
    names = [f"state_{n}" for n in dp.states]
    (folder / "bench.v").write_text(
        BENCH.format(
            width=width,
            steps=len(currents) // (1 if bank.broadcast else bank.count),
            given=len(currents),
            count=bank.count,
            interval=bank.interval,
            v=dp.readout.width,
            n=len(bank.o_neuron),
            module="top",
            states=" ".join(f"wire [{q.width}-1:0] state_{n};" for n, q in dp.states.items()),
            address=dp.address_bits,
            code=dp.code_bits,
            connections=", ".join(f".{n}({n})" for n in names),
            format=" %0d" * len(names),
            values="".join(f", $signed({n})" for n in names),
        )
    )
    command = [
        "iverilog",
        "-g2012",
        "-DNO_ICE40_DEFAULT_ASSIGNMENTS",
        "-I",
        there,
        "-s",
        "bench",
        "-o",
        "bench",
        "bench.v",
        "models.v",
        "net.v",
    ]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run(["vvp", "bench"], cwd=folder, check=True, capture_output=True, text=True)
    assert not done.stdout.strip(), done.stdout
    return np.loadtxt(folder / "found.txt", dtype=np.int64, ndmin=2)


@pytest.mark.parametrize(
    ("name", "multipliers", "registers"),
    # of each multiplier both operands, and two behind it; of each block RAM one
    [
        ("LIFNeuron", 1, 4 + 4),
        pytest.param("IzhikevichNeuron", 5, 20 + 7, marks=pytest.mark.slow),
    ],
)
def test_equals_the_reference(name, multipliers, registers, tmp_path):
    dp = datapath(MODELS[name], 18)
    rng = np.random.default_rng(3)
    states = np.stack([rng.integers(q.lo, q.hi + 1, COUNT) for q in dp.states.values()], axis=-1)
    neuron = MODELS[name]()
    bank = Bank(neuron, COUNT, multipliers=multipliers, timing=FAST, block=Block(9, 2048), initial=states)
    currents = rng.integers(dp.current.lo, dp.current.hi + 1, 3)
    net = netlist(bank, tmp_path)
    assert absorb(net) == registers
    cells = net["modules"]["top"]["cells"].values()
    assert all(c["parameters"]["REG_OUTPUT_CLK"] == "CLK0" for c in cells if c["type"] == "MULT18X18D")
    found = simulated(bank, net, currents, tmp_path, *ecp5_cells())
    agree(found, bank, neuron, states, currents)


def agree(found, bank, neuron, states, currents, spiking=True):
    """All rows are those of the reference, and there are spikes among them, if there are enough steps."""
    each = np.broadcast_to(currents[:, None], (len(currents), bank.count)) if bank.broadcast else currents
    codes, (steps, count) = np.tile([*neuron.codes.values()], (bank.count, 1)), each.shape
    v, spikes, path = reference.run(bank.datapath, states, codes, each)
    rows = [np.tile(np.arange(count), steps), v.ravel(), spikes.ravel(), path.reshape(steps * count, -1)]
    assert np.array_equal(found, np.column_stack(rows))
    assert spikes.any() == spiking


@pytest.mark.parametrize(
    ("name", "multipliers", "count", "steps"),
    [
        ("LIFNeuron", 2, 41, 60),
        ("IzhikevichNeuron", 1, 7, 50),
        pytest.param("IzhikevichNeuron", 5, 1100, 6, marks=pytest.mark.slow),
        pytest.param("AdExNeuron", 2, 30, 60, marks=pytest.mark.slow),
    ],
)
def test_states_in_memories_with_one_port(name, multipliers, count, steps, tmp_path):
    """An iCE40 UltraPlus: its SB_SPRAM256KA, which yosys' model says is undefined after a write, and its SB_MAC16."""
    board = BOARDS["icebreaker"]
    neuron = MODELS[name](word=16)
    bank = Bank(neuron, count, multipliers=multipliers, timing=Timing(inverts=True), block=Spram(), broadcast=False)
    dp, rng = bank.datapath, np.random.default_rng(4)
    # other currents for each neuron, or they would all be alike
    currents = rng.integers(dp.current.hi // 2, dp.current.hi + 1, (steps, count))
    net = netlist(bank, tmp_path, board.family.synth, board.platform())
    assert absorb_products(net) == multipliers
    cells = [cell["type"] for cell in net["modules"]["top"]["cells"].values()]
    width = sum(q.width for q in dp.states.values())
    assert cells.count("SB_SPRAM256KA") == (4 if bank.interval == 1 else min(4, -(-width // 16)))
    assert cells.count("SB_MAC16") == multipliers
    there = SHARE / "ice40"
    found = simulated(bank, net, currents.ravel(), tmp_path, (there / "cells_sim.v").read_text(), there)
    agree(found, bank, neuron, np.tile([*neuron.initial.values()], (count, 1)), currents, spiking=steps > 30)


def moved(add, folder):
    """How many groups of registers are moved in a design to which a function adds registers around a product."""
    m = Module()
    a, b, enable = Signal(signed(18)), Signal(signed(18)), Signal()
    out, early = Signal(signed(36)), Signal(signed(36))
    add(m, a, b, out, enable, early)
    (folder / "top.il").write_text(rtlil.convert(m, ports=[a, b, out, enable, early], name="top", emit_src=False))
    tools.yosys(
        f"read_rtlil top.il\n{ECP5.synth} -top top\nwrite_json top.json\n", cwd=folder, log=folder / "synth.log"
    )
    return absorb(json.loads((folder / "top.json").read_text()))


def _around(before=True, behind=1, read=False, gated=(), **how):
    def add(m, a, b, out, enable, early):
        found = [a, b]
        for k in range(2 if before else 0):
            held = Signal(signed(18), reset_less=True, **how)
            with m.If(enable | ("before" not in gated)):
                m.d.sync += held.eq(found[k])
            found[k] = held
        product = found[0] * found[1]
        value = product
        for _ in range(behind):
            held = Signal(signed(36), reset_less=True, **how)
            with m.If(enable | ("behind" not in gated)):
                m.d.sync += held.eq(value)
            value = held
        m.d.comb += [out.eq(value), early.eq(product if read else 0)]

    return add


@pytest.mark.parametrize(
    ("design", "groups"),
    [
        (_around(), 3),
        (_around(behind=2), 4),
        (_around(behind=3), 4),  # a third one stays outside
        (_around(before=False), 1),
        (_around(behind=0), 2),
        (_around(read=True), 2),  # the product is read before the register too
        (_around(gated=("behind",)), 2),  # registers that keep their value
        (_around(gated=("before",)), 1),
        (_around(gated=("before", "behind")), 0),
        (_around(init=-1), 0),  # registers that do not begin with 0
    ],
)
def test_only_registers_that_could_be_inside_are_moved(design, groups, tmp_path):
    assert moved(design, tmp_path) == groups


def test_a_register_with_a_reset_stays(tmp_path):
    def add(m, a, b, out, enable, early):
        held = Signal(signed(36))
        m.d.sync += held.eq(a * b)
        m.d.comb += out.eq(held)

    assert moved(add, tmp_path) == 0
