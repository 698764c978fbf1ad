"""The order of a bank's steps, and its memories: no step is lost or made twice, no neuron has the state of another, none waits
for ever.

Proved for small numbers of neurons, by all states that the bank can reach with any inputs. Its pipeline is replaced by one that
carries a word of two bits past as many registers. One neuron is followed: it alone has the mark, which a write gives it, and then
each of its steps inverts the other bit.
"""

from types import SimpleNamespace

import pytest
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal

from spikefab.hw import bank, ops, spram
from spikefab.hw.fixed import Q
from spikefab.hw.lowering.schedule import Schedule, Timing
from spikefab.hw.words import Block
from tests.formal import induction
from tests.formal.reachable import Machine

WORD, BIT = Q(2, 0), Q(1, 0)


class Carried:
    """A pipeline in which a step inverts the low bit of a word that has the mark, and shows the current."""

    def __init__(self, m, trace, plan, registers, phase, own):
        word, current = (registers[ops.Input(kind, name)] for kind, name in (("state", "x"), ("current", "i")))
        value = Cat(word[0] ^ word[1], word[1], current)
        for k in range(plan.length // plan.interval):
            held = Signal(3, name=f"carried_{k}")
            with m.If(phase == plan.interval - 1 if plan.interval > 1 else Const(1)):
                m.d.sync += held.eq(value)
            value = held
        self.outputs = {"x": value[:2].as_signed(), ".v": value[2].as_signed(), ".spike": Const(0, 1)}


def made(count, interval, length, read, storage, broadcast, change=None):
    small = induction.loaded(spram, WORDS=8)
    plan = Schedule({}, {}, {}, length, interval, Timing(read=read))
    register = SimpleNamespace(kind="state", name="x", address=0, format=WORD)
    dp = SimpleNamespace(
        trace=None, states={"x": WORD}, coefficients={}, current=BIT, readout=BIT, registers=[register],
        address_bits=1, code_bits=2,
    )  # fmt: skip
    space = induction.loaded(
        bank, change, Pipeline=Carried, schedule=lambda *_: plan, shortened=lambda trace, plan, own: plan,
        interval_for=lambda *_: 1, require_neuron=lambda neuron: neuron, Spram=small["Spram"], SpramWords=small["SpramWords"],
    )  # fmt: skip
    block = small["Spram"]() if storage == "one port" else storage
    neuron = SimpleNamespace(datapath=dp, reset_codes=[0], initial={"x": 0})
    return space["Bank"](neuron, count, interval=interval, timing=plan.timing, block=block, broadcast=broadcast)


def watched(dut, follow, reads):
    """A bank with what watches it: the module, its inputs, and what can be asked. `reads`: the states between sweeps, too."""
    m, count = Module(), dut.count
    m.submodules.dut = dut
    hold, offered, current, want = induction.free("hold", "offered", "current", "want")
    which = Signal(range(count), name="which")
    asking, at = Signal(), Signal(range(count))  # a write that is asked for
    marked, low = Signal(), Signal()  # what the followed neuron has
    m.d.comb += [
        dut.hold.eq(hold), dut.i_valid.eq(offered), dut.i.eq(current.as_signed()), dut.cfg_valid.eq(asking),
        dut.cfg_neuron.eq(at), dut.cfg_data.eq(Mux(at == follow, 0b10, 0).as_signed()),
    ]  # fmt: skip
    taken, wrote = offered & dut.i_ready, asking & dut.cfg_ready
    with m.If(~asking):
        m.d.sync += asking.eq(want)
        with m.If(which < count):
            m.d.sync += at.eq(which)
    with m.If(wrote):
        m.d.sync += asking.eq(0)

    # steps that were asked for and not shown; the currents of those sweeps, or steps
    each = count if dut.broadcast else 1
    most = dut.in_flight + (2 * count if dut.broadcast else 1)
    open_, after = Signal(range(most + count + 1)), Signal(range(count))
    places = -(-most // each)
    waiting, first = Array(Signal(name=f"current_{k}") for k in range(places)), Signal(range(places + 1))
    m.d.sync += open_.eq(open_ + Mux(taken, each, 0) - dut.o_valid)
    last = (dut.o_neuron == count - 1) if dut.broadcast else Const(1)
    popped = dut.o_valid & last
    m.d.sync += first.eq(first + taken - popped)
    with m.If(popped):
        m.d.sync += [waiting[k].eq(waiting[k + 1]) for k in range(places - 1)]
    with m.If(taken):
        m.d.sync += waiting[first - popped].eq(current)
    here = dut.o_valid & (dut.o_neuron == follow)
    with m.If(dut.o_valid):
        m.d.sync += after.eq(Mux(after == count - 1, 0, after + 1))
    m.d.sync += low.eq(low ^ (here & marked))
    with m.If(wrote & (at == follow)):
        m.d.sync += [marked.eq(1), low.eq(0)]
    known = dut.lead + 4 if reads else 1  # clocks in which nothing was asked of it until a state is shown
    still = Signal(range(known + 1))
    moved = taken | (open_ != 0) | asking | (at != which)
    m.d.sync += still.eq(Mux(moved, 0, Mux(still == known, still, still + 1)))

    ok, shown, done = (Signal(name=n) for n in ("ok", "shown", "done"))
    word = Cat(low, marked)
    m.d.comb += [
        shown.eq(dut.o_valid),
        done.eq(~asking | dut.cfg_ready),
        ok.eq(
            Cat(
                ~dut.o_valid | ((open_ != 0) & (dut.o_neuron == after) & (dut.o_v[0] == waiting[0])),
                ~dut.o_valid | (dut.state_x.as_unsigned() == Mux(here & marked, Cat(~low, 1), 0)),
                ~wrote | ((open_ == 0) & (after == 0)),  # between sweeps
                open_ <= most,
                (still != known) | (not reads) | (dut.kept_x.as_unsigned() == Mux(at == follow, word, 0)),
            ).all()
        ),
    ]  # fmt: skip
    return m, [hold, offered, current, want, which], {"ok": ok, "shown": shown, "done": done}


def explored(folder, count, interval, length, read, storage, broadcast, *, reads=False, change=None, **fixed):
    """The bank, the machine and all of its states; None instead of these if something is wrong in one."""
    dut = made(count, interval, length, read, storage, broadcast, change)
    machine = Machine(*watched(dut, count - 1, reads), folder)
    return dut, machine, machine.reachable("ok", **fixed)


def goes_on(dut, machine, states, **fixed):
    """Whether a result, and the end of a write, come from each of the states, within the clocks of a few sweeps."""
    most, given = 4 * (dut.count * dut.interval + dut.latency) + 10, {"offered": 1, "hold": 0} | fixed
    return machine.within(states, "shown", most, given | {"want": 0}) and machine.within(states, "done", most, given)


CURRENTS, WRITES = {"want": 0, "which": 0}, {"current": 0}
SMALL = (
    # neurons, interval, length of the pipeline, clocks of a read, memory, one current for all
    (2, 1, 2, 1, None, True),
    (3, 1, 2, 1, None, False),
    (3, 2, 3, 2, Block(2, 2), True),
    (2, 1, 2, 1, "one port", True),
)
# with more neurons, or longer pipelines of them, states and writes have more than two million
LARGER = ((4, 1, 3, 1, None, True), *((2, interval, 4, 1, Block(2, 2), True) for interval in (1, 3)))
LARGEST = (
    *((count, 1, 3, 1, None, broadcast) for count in (5, 6, 7, 8) for broadcast in (True, False)),
    *((count, interval, 4, 1, Block(2, 2), True) for count in (3, 4, 5) for interval in (1, 3)),
    *((count, 1, 3, 1, "one port", broadcast) for count in (3, 7) for broadcast in (True, False)),
    (4, 1, 2, 3, Block(2, 2), False),
    (4, 2, 3, 1, "one port", True),
    (5, 3, 2, 1, "one port", False),
)


def cases(*slow):
    names = ("count", "interval", "length", "read", "storage", "broadcast")
    return pytest.mark.parametrize(
        names, [*SMALL[:2], *(pytest.param(*case, marks=pytest.mark.slow) for case in SMALL[2:] + slow)], ids=str
    )


@cases(*LARGER, *LARGEST)
def test_each_current_has_its_results_in_order(count, interval, length, read, storage, broadcast, tmp_path):
    dut, machine, states = explored(tmp_path, count, interval, length, read, storage, broadcast, **CURRENTS)
    assert states is not None and goes_on(dut, machine, states, **CURRENTS)


@cases(*LARGER)
def test_each_neuron_has_its_own_state(count, interval, length, read, storage, broadcast, tmp_path):
    dut, machine, states = explored(tmp_path, count, interval, length, read, storage, broadcast, **WRITES)
    assert states is not None and goes_on(dut, machine, states, want=1, **WRITES)


@pytest.mark.parametrize(
    "case", [SMALL[0], *(pytest.param(case, marks=pytest.mark.slow) for case in SMALL[1:])], ids=str
)
def test_states_are_shown_between_sweeps(case, tmp_path):
    assert explored(tmp_path, *case, reads=True, **WRITES)[2] is not None


@pytest.mark.parametrize(
    ("case", "old", "new"),
    [
        (SMALL[0], "flying != bank.count", "flying <= bank.count"),  # a neuron begins before its state is there
        (SMALL[0], "enable = bank.cfg_ready | bank.o_valid", "enable = bank.o_valid"),
        (SMALL[0], "self.quiet & self.offered & bank.cfg_valid", "self.offered & bank.cfg_valid"),  # a write in a sweep
        (SMALL[0], "idle.eq(first)", "idle.eq(1)"),
        (SMALL[1], "first & self.offered", "self.offered"),  # the rest of a sweep waits for a write, which waits for it
        (SMALL[1], "is_last.eq(neuron == bank.count - 2)", "is_last.eq(neuron == bank.count - 3)"),
        (SMALL[2], "free = free & ~bank.hold", "free = free | bank.hold"),
        (SMALL[3], "idle.eq(first), self.filling.eq(0)", "idle.eq(first)"),
    ],
    ids=str,
)
def test_another_order_is_refuted(case, old, new, tmp_path):
    for fixed, want in ((CURRENTS, {}), (WRITES, {"want": 1})):
        dut, machine, states = explored(tmp_path, *case, change=(old, new), **fixed)
        if states is None or not goes_on(dut, machine, states, **want, **fixed):
            return
    raise AssertionError("not noticed")
