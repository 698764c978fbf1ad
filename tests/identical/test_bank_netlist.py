"""The netlist of a bank, with registers moved into multipliers and block RAMs, against the reference."""

import json

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Mux, Signal, signed

from spikefab.boards.absorb import absorb, into_primitives
from spikefab.boards.netlist import synthesised, to_verilog
from spikefab.boards.product_registers import absorb_products
from spikefab.boards.table import BOARDS, ECP5
from spikefab.hw.bank import Bank
from spikefab.hw.datapath import datapath
from spikefab.hw.lowering.schedule import Timing
from spikefab.hw.models import MODELS
from spikefab.hw.spram import Spram
from spikefab.sim.bank_verify import verify_bank
from spikefab.sim.verify import require_exact
from spikefab.toolchain import tools

COUNT = 1100  # more than 1,024: block RAMs are 9 bits wide


@pytest.mark.slow  # synthesis and a simulation of its netlist
@pytest.mark.parametrize(("name", "multipliers"), [("LIFNeuron", 1), ("IzhikevichNeuron", 5), ("MATNeuron", 2)])
def test_equals_the_reference(name, multipliers):
    dp = datapath(MODELS[name], 18)
    rng = np.random.default_rng(3)
    states = np.stack([rng.integers(q.lo, q.hi + 1, COUNT) for q in dp.states.values()], axis=-1)
    neuron = MODELS[name]()
    bank = Bank(neuron, COUNT, multipliers=multipliers, timing=ECP5.timing, block=ECP5.block, initial=states)
    net = synthesised(bank, ECP5, absorbed=False)
    names = net["modules"]["top"]["cells"]
    block_rams = sum(cell["type"] == "DP16KD" for cell in names.values())
    assert absorb(net) == 4 * multipliers + block_rams  # both operands and two behind; behind what is read
    # in MAT, operands and a constant take turns: yosys resets the registers before a multiplier, and a look-up table does it
    assert any("_before_" in cell for cell in names) == (name == "MATNeuron")
    cells = names.values()
    assert all(c["parameters"]["REG_OUTPUT_CLK"] == "CLK0" for c in cells if c["type"] == "MULT18X18D")
    require_exact(verify_bank(bank, netlist=to_verilog(net, ECP5, "bank"), steps=20_000))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "multipliers", "count"),
    [("LIFNeuron", 2, 41), ("IzhikevichNeuron", 1, 7), ("IzhikevichNeuron", 5, COUNT), ("AdExNeuron", 2, 30)],
)
def test_states_in_memories_with_one_port(name, multipliers, count):
    """An iCE40 UltraPlus: its SB_SPRAM256KA, which yosys' model says is undefined after a write, and its SB_MAC16."""
    board = BOARDS["icebreaker"]
    bank = Bank(
        MODELS[name](word=16),
        count,
        multipliers=multipliers,
        timing=Timing(inverts=True),
        block=Spram(),
        broadcast=False,
    )
    net = synthesised(bank, board.family, absorbed=False, platform=board.platform())
    assert absorb_products(net) == multipliers
    cells = [cell["type"] for cell in net["modules"]["top"]["cells"].values()]
    width = sum(q.width for q in bank.datapath.states.values())
    assert cells.count("SB_SPRAM256KA") == (4 if bank.interval == 1 else min(4, -(-width // 16)))
    assert cells.count("SB_MAC16") == multipliers
    require_exact(verify_bank(bank, netlist=to_verilog(net, board.family, "bank"), steps=20_000))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "multipliers", "operands"), [("MATNeuron", 2, 2), ("GLIFNeuron", 3, 3)])
def test_constants_that_take_turns_for_an_ice40(name, multipliers, operands):
    """Of operands that take turns with constants, yosys sets and resets the register: look-up tables do it."""
    board = BOARDS["icebreaker"]
    bank = Bank(MODELS[name](word=16), 33, multipliers=multipliers, timing=board.family.timing, block=board.storage())
    net = synthesised(bank, board.family, absorbed=False, platform=board.platform())
    assert absorb_products(net) == multipliers + operands
    cells = net["modules"]["top"]["cells"]
    assert any(name.endswith("_before") for name in cells)
    blocks = [cell["parameters"] for cell in cells.values() if cell["type"] == "SB_MAC16"]
    assert all(int(block[f"{side}_REG"], 2) for block in blocks for side in "AB")
    require_exact(verify_bank(bank, netlist=to_verilog(net, board.family, "bank"), steps=20_000))


def moved(add, folder, family=ECP5, bits=18):
    """How many groups of registers are moved in a design to which a function adds registers around a product."""
    m = Module()
    a, b, enable = Signal(signed(bits)), Signal(signed(bits)), Signal()
    out, early = Signal(signed(36)), Signal(signed(36))
    add(m, a, b, out, enable, early)
    (folder / "top.il").write_text(rtlil.convert(m, ports=[a, b, out, enable, early], name="top", emit_src=False))
    tools.yosys(
        f"read_rtlil top.il\n{family.synth} -top top\nwrite_json top.json\n", cwd=folder, log=folder / "synth.log"
    )
    return into_primitives(json.loads((folder / "top.json").read_text()), family.name)


def _around(before=True, behind=1, read=False, gated=(), else_=None, **how):
    def add(m, a, b, out, enable, early):
        found = [a, b]
        for k in range(2 if before else 0):
            held = Signal(a.shape(), reset_less=True, **how)
            with m.If(enable | ("before" not in gated)):
                m.d.sync += held.eq(found[k] if else_ is None else Mux(enable, found[k], else_))
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
        (_around(else_=0), 3),  # yosys makes this a reset
        (_around(init=-1), 0),  # registers that do not begin with 0
    ],
)
def test_only_registers_that_could_be_inside_are_moved(design, groups, tmp_path):
    assert moved(design, tmp_path) == groups


@pytest.mark.parametrize(
    ("design", "groups"),
    [
        (_around(), 1),  # yosys has moved those before the product itself
        (_around(else_=3), 3),  # some bits are set, some reset
        (_around(else_=0), 3),
        (_around(gated=("before",)), 1),
        (_around(before=False), 1),
        (_around(read=True), 0),
        (_around(else_=3, read=True), 0),  # a block with registers on one side only would be slower
        (_around(else_=3, behind=0), 0),
    ],
)
def test_only_registers_that_could_be_inside_are_moved_for_an_ice40(design, groups, tmp_path):
    assert moved(design, tmp_path, BOARDS["icebreaker"].family, 16) == groups


def test_a_register_with_a_reset_stays(tmp_path):
    def add(m, a, b, out, enable, early):
        held = Signal(signed(36))
        m.d.sync += held.eq(a * b)
        m.d.comb += out.eq(held)

    assert moved(add, tmp_path) == 0
