"""The regression of banks: RTL and netlists against the reference; defects that are planted in them, which it must find."""

import shutil

import numpy as np
import pytest
from amaranth.hdl import Module, Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from benchmarks.accept_banks import BANKS, row
from spikefab.boards.netlist import synthesised, to_verilog
from spikefab.boards.table import BOARDS, ECP5
from spikefab.errors import MismatchError, ToolError
from spikefab.hw.bank import Bank
from spikefab.hw.datapath import datapath
from spikefab.hw.lowering.schedule import Timing
from spikefab.hw.models import MODELS
from spikefab.hw.words import Block
from spikefab.sim import bank_stimuli
from spikefab.sim.bank_player import UNKNOWN, decoded, fields, row_bytes
from spikefab.sim.bank_verify import design, play, soak, verify_bank
from spikefab.sim.verify import require_exact

SEED = 21
icarus = pytest.mark.skipif(
    not shutil.which("iverilog"), reason="Icarus Verilog is not installed: apt install iverilog"
)


def made(name="IzhikevichNeuron", count=20, *, word=18, own=("d",), seed=SEED, **more):
    """A bank whose neurons begin anywhere, and differ in some coefficients."""
    dp, rng = datapath(MODELS[name], word), np.random.default_rng(seed)
    given = {n: rng.integers(q.lo, q.hi + 1, count) for n, q in dp.coefficients.items() if n in own}
    states = np.stack([rng.integers(q.lo, q.hi + 1, count) for q in dp.states.values()], axis=-1)
    return Bank(MODELS[name](word=word), count, own=given, initial=states, **more)


def mismatches(checks):
    return {check["stimulus"]: check["mismatches"] for check in checks}


@pytest.mark.parametrize("model", MODELS)
def test_rtl_equals_the_reference(model, word):
    own = [*datapath(MODELS[model], word).coefficients][:2]
    bank = made(model, 40, word=word, own=own, multipliers=2, timing=Timing(3, 2, 2), block=Block(9, 16))
    checks = verify_bank(bank, steps=6_000)
    require_exact(checks)
    assert [check["stimulus"] for check in checks] == ["built", "random", "corners"]
    assert sum(check["steps"] for check in checks) >= 6_000 and all(check["shown"] >= bank.count for check in checks)
    assert checks[2]["saturations"] > 0


@pytest.mark.parametrize("name", ["icebreaker", pytest.param("ulx3s-25f", marks=pytest.mark.slow)])
@pytest.mark.parametrize("model", MODELS)
def test_netlist_equals_the_reference(model, name):
    found = row(model, BOARDS[name], 25_000)
    assert (
        found["met"] and found["mismatches"] == 0 and found["steps"] >= 25_000 and found["shown"] >= 3 * BANKS[name][1]
    )


@pytest.mark.slow
@icarus
@pytest.mark.parametrize("broadcast", [True, False])
@pytest.mark.parametrize("count", [2, 5, 33])
def test_any_number_of_neurons(count, broadcast):
    bank = made(count=count, broadcast=broadcast, multipliers=5)
    assert set(mismatches(verify_bank(bank, simulator="icarus", steps=1_500)).values()) == {0}


@icarus
@pytest.mark.slow
def test_every_mutation_is_caught(mutate):
    bank, planted = Bank(MODELS["IzhikevichNeuron"](), 9, multipliers=2), 0
    for name, mutant in mutate.mutations(MODELS["IzhikevichNeuron"]()):
        checks = verify_bank(bank, netlist=design(Bank(mutant, 9, multipliers=2)), simulator="icarus", steps=1_000)
        assert sum(mismatches(checks).values()), name
        planted += 1
    assert planted >= 7


@pytest.mark.slow
@icarus
def test_defects_of_the_bank_are_caught(monkeypatch):
    more = {"count": 6, "multipliers": 5, "block": Block(9, 4)}
    bank = made(**more)

    def first(text):
        checks = verify_bank(bank, netlist=text, simulator="icarus", steps=600)
        with pytest.raises(MismatchError, match=r"first at step \d+ of segment \d+"):
            require_exact(checks)
        return checks[0]["first_mismatch"]

    other = made(**more)
    other.initial["u"] = other.initial["u"].copy()
    other.initial["u"][[2, 3]] = other.initial["u"][[3, 2]]  # states of neighbours exchanged
    found = first(design(other))
    assert found["step"] == 0 and "of neuron 2" in found["variable"]
    other = made(**more)
    other.own["d"] = other.own["d"] ^ (np.arange(6) == 5)  # one bit of a coefficient of one neuron
    found = first(design(other))
    assert "of neuron 5" in found["variable"]
    # a neuron's next step begins before its last one is written
    monkeypatch.setattr(Bank, "in_flight", property(lambda self: 1))
    first(design(made(**more)))


class Stuck(wiring.Component):
    """A bank of which one output always has the same value."""

    def __init__(self, bank, port, value):
        super().__init__(bank.signature)
        self.bank, self.port, self.value = bank, port, value

    def elaborate(self, platform):
        m = Module()
        m.submodules.bank = self.bank
        for name, member in self.bank.signature.members.items():
            inner, outer = getattr(self.bank, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow is In else outer.eq(self.value if name == self.port else inner)
        return m


@pytest.mark.slow
@icarus
@pytest.mark.parametrize(
    ("port", "value"), [("i_ready", 0), ("cfg_ready", 0), ("o_valid", 1), ("o_valid", 0), ("o_neuron", 2)]
)
def test_a_bank_that_hangs_or_never_stops_ends(port, value):
    bank = made(count=4, multipliers=5)
    stuck = design(Stuck(made(count=4, multipliers=5), port, value))
    assert sum(mismatches(verify_bank(bank, netlist=stuck, simulator="icarus", steps=200)).values())


@pytest.mark.slow
@icarus
def test_undefined_bits_are_seen():
    bank = made(count=4, multipliers=5)
    ports = [
        f"{'input' if m.flow is In else 'output'} [{Shape.cast(m.shape).width - 1}:0] {n}"
        for n, m in bank.signature.members.items()
    ]
    empty = f"module bank (input clk, input rst, {', '.join(ports)}); assign i_ready = 1, cfg_ready = 1; endmodule"
    checks = verify_bank(bank, netlist=empty, simulator="icarus", steps=200)
    assert (
        checks[0]["first_mismatch"]["variable"] == "kind of neuron 0" and checks[0]["first_mismatch"]["got"] == UNKNOWN
    )


@icarus
@pytest.mark.slow
def test_defects_of_a_netlist_are_caught():
    bank = made("LIFNeuron", 6, own=(), timing=Timing(3, 2, 3), block=Block(9, 2048))
    netlist = synthesised(bank, ECP5)
    assert not differs(bank, netlist)
    cells = netlist["modules"]["top"]["cells"]
    rng = np.random.default_rng(SEED)
    luts = [name for name, cell in cells.items() if cell["type"] == "LUT4"]
    for name in rng.choice(luts, 2, replace=False):
        parameters, was = cells[name]["parameters"], cells[name]["parameters"]["INIT"]
        parameters["INIT"] = was.translate(str.maketrans("01", "10"))
        assert differs(bank, netlist), name
        parameters["INIT"] = was
    for kind, parameter in (("MULT18X18D", "REG_OUTPUT_CLK"), ("DP16KD", "INITVAL_00")):
        name = next(name for name, cell in cells.items() if cell["type"] == kind)
        parameters, was = cells[name]["parameters"], cells[name]["parameters"][parameter]
        parameters[parameter] = "NONE" if kind == "MULT18X18D" else was[:-1] + "10"[int(was[-1])]
        assert differs(bank, netlist), kind
        parameters[parameter] = was


def differs(bank, netlist):
    """Whether a netlist differs from the reference in the first segment, or in the last, whose registers are written."""
    first, *_, last = bank_stimuli.segments(bank, 100)
    text, golden = to_verilog(netlist, ECP5, "bank"), bank_stimuli.Golden(bank)
    found, _ = play(bank, [first, last], netlist=text, simulator="icarus")
    rows = [golden.play(segment, asked)[0] for segment, (_, asked) in zip((first, last), found, strict=True)]
    return not all(np.array_equal(expected, got) for expected, (got, _) in zip(rows, found, strict=True))


def test_a_soak_without_python_compares_everything():
    bank = made(count=64, multipliers=5)
    check = soak(bank, steps=40_000)
    assert check["mismatches"] == 0 and check["steps"] >= 40_000 and check["spikes"] >= 50
    other = made(count=64, multipliers=5)
    other.own["d"] = other.own["d"] ^ (np.arange(64) == 63)
    assert soak(bank, steps=2_000, netlist=design(other))["mismatches"]


def test_a_soak_that_breaks_off_says_so():
    bank = made(count=4, multipliers=5)
    with pytest.raises(ToolError, match="broke off"):
        soak(bank, steps=200, netlist=design(bank).replace("endmodule", "initial $fatal;\nendmodule", 1))


def test_rows_are_packed_and_read():
    """Fields of any width, in words of 32 bits."""
    bank, rng = made("HindmarshRoseNeuron", 300, word=24, own=()), np.random.default_rng(SEED)
    found = fields(bank)
    values = np.zeros((50, len(found)), dtype=np.int64)
    content = b""
    for line in values:
        packed = 0
        for k, (_, at, width, signed) in enumerate(found):
            low = -(1 << width - 1) if signed else 0
            line[k] = rng.choice([low, low + (1 << width) - 1, rng.integers(low, low + (1 << width))])
            packed |= (int(line[k]) & (1 << width) - 1) << at
        content += packed.to_bytes(row_bytes(bank), "little")
    assert np.array_equal(decoded(bank, content + b"\0\0\0"), values)
    assert all(at // 32 + 2 >= -(-(at + width) // 32) for _, at, width, _ in found)


@icarus
def test_pauses_of_any_length():
    """Currents, writes and questions come at random: an item's three bytes of pause are those that were meant."""
    bank = made(count=3, multipliers=5)
    some = np.zeros(3, bank_stimuli.ITEM)
    bank_stimuli._pause(some, np.array([0, 258, 2**24 - 1]))
    assert some["pause"].tolist() == [[0, 0, 0], [0, 1, 2], [255, 255, 255]]
    plan = [*bank_stimuli.segments(bank, 100)]
    found, seconds = play(bank, plan, simulator="icarus")
    assert len(found) == len(plan) and min(seconds) > 0
