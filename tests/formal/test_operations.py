"""The hardware of small traces is what the definition says, for every input and whatever its registers held before.

Proved by the SAT solver of yosys. The specification is a table of all answers, worked out in exact fractions by the oracle of
`tests/identical/test_operations.py`: nothing of it comes from the hardware.
"""

import importlib.util
import itertools
from fractions import Fraction
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Cat, Module, Signal, signed

from spikefab.hw.fixed import Q
from spikefab.hw.lowering.schedule import schedule
from spikefab.hw.lowering.shared import Logic
from spikefab.hw.ops import Column, Input, Lookup, Table
from spikefab.hw.trace import Trace, select
from spikefab.toolchain.tools import ToolFailed, yosys

SPEC = importlib.util.spec_from_file_location(
    "operations", Path(__file__).parents[1] / "identical" / "test_operations.py"
)
operations = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(operations)

WORD = 8
FORMATS = [  # of a, of b, of the result
    (Q(2, 2), Q(1, 3), Q(2, 1)),
    (Q(4, 0), Q(2, 1), Q(1, 1)),
    (Q(1, 3), Q(4, -1), Q(3, -1)),
]
WORDS = (3, -4, 0, 2, -1)
PROGRAMS = {
    "add": lambda a, b, q: a + b,
    "sub": lambda a, b, q: a - b,
    "mul": lambda a, b, q: (a * b).resize(q),
    "resize": lambda a, b, q: (a + b).resize(q),
    "wrap": lambda a, b, q: (a + b).wrap(q),
    "point": lambda a, b, q: a.times2(1) + b,
    "floor": lambda a, b, q: (a - b).floor(),
    "frac": lambda a, b, q: (a - b).frac(),
    "ge": lambda a, b, q: a >= b,
    "gt": lambda a, b, q: a > b,
    "select": lambda a, b, q: select(a > b, a, b),
    "table": lambda a, b, q: a.trace.add(Lookup(TABLE, 0), (a,), Q(3, 0)) + b,
    "shift": lambda a, b, q: a.shift(b.resize(Q(3, 0))),
    "leaky step": lambda a, b, q: (a + (b * (b - a).resize(a.q)).resize(a.q)).resize(a.q),
    "two products": lambda a, b, q: (a * b).resize(q) + (a * a).resize(q),
}
TABLE = Table("drawn", float, (Column(Q(3, 0), WORDS),))


def traced(name: str, formats) -> Trace:
    trace = Trace(WORD)
    *inputs, q = formats
    a, b = (trace.input("coefficient", n, f) for n, f in zip("ab", inputs, strict=True))
    trace.outputs = {"out": PROGRAMS[name](a, b, q).index}
    return trace


def beside(trace: Trace, answers: Trace) -> tuple[Module, list[Signal], int]:
    """The hardware of `trace`, a signal that is 1 where it gives the answers of another, and the clock in which it must."""
    m, plan = Module(), schedule(trace)
    step = Signal(range(plan.length + 2), name="step")
    m.d.sync += step.eq(step + 1)
    formats = {node.op.name: node.q for node in answers.nodes if isinstance(node.op, Input)}
    inputs = {name: Signal(signed(q.width), name=f"input_{name}") for name, q in formats.items()}
    m.d.sync += [x.eq(x) for x in inputs.values()]  # of any value, which they keep
    registers = {Input("coefficient", name): x for name, x in inputs.items()}
    found, ok = Signal(signed(40)), Signal(name="ok")
    m.d.comb += found.eq(Logic(m, trace, plan, registers, step).outputs["out"])
    f_bits = trace.nodes[trace.outputs["out"]].q.f_bits
    with m.Switch(Cat(*inputs.values())):
        for codes in itertools.product(*(range(q.lo, q.hi + 1) for q in formats.values())):
            value = operations.exact(answers, dict(zip(formats, codes, strict=True)))[answers.outputs["out"]]
            code = value * Fraction(2) ** f_bits
            assert code.denominator == 1
            bits = [
                format(c & ((1 << q.width) - 1), f"0{q.width}b") for c, q in zip(codes, formats.values(), strict=True)
            ]
            with m.Case("".join(reversed(bits))):
                m.d.comb += ok.eq(found == int(code))
    return m, [ok, step], plan.length


def proved(trace: Trace, answers: Trace, folder: Path) -> bool:
    """For every input and all that the registers may hold at first."""
    m, ports, length = beside(trace, answers)
    (folder / "small.il").write_text(rtlil.convert(m, name="small", ports=ports, emit_src=False))
    script = f"""
        read_rtlil small.il
        hierarchy -top small
        proc
        flatten
        memory_map
        setattr -unset init w:*
        opt_clean
        sat -seq {length + 1} -prove-skip {length} -prove ok 1 -set-at 1 step 0 -set rst 0 -verify small
    """
    try:
        yosys(script, cwd=folder, log=folder / "log")
    except ToolFailed:
        assert "proof did fail" in (folder / "log").read_text(), (folder / "log").read_text()[-2000:]
        return False
    return True


@pytest.mark.parametrize(
    "formats", [FORMATS[0], *(pytest.param(f, marks=pytest.mark.slow) for f in FORMATS[1:])], ids=str
)
@pytest.mark.parametrize("name", PROGRAMS)
def test_hardware_is_the_definition(name, formats, tmp_path):
    trace = traced(name, formats)
    assert proved(trace, trace, tmp_path)


@pytest.mark.parametrize(("name", "wrong"), [("resize", "wrap"), ("ge", "gt"), ("add", "sub")])
def test_another_trace_is_refuted(name, wrong, tmp_path):
    """Where they differ at all, the solver finds it."""
    assert not proved(traced(name, FORMATS[0]), traced(wrong, FORMATS[0]), tmp_path)
