"""Proofs by induction over the clocks, with the SAT solver of yosys, of claims about Amaranth's modules."""

import inspect
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Module, Signal, Value

from spikefab.toolchain.tools import ToolFailed, yosys


def loaded(module, change=None, **names):
    """What a module of the product holds, with a piece of its text changed, and with other things under some of its names.

    Its components keep in `inner`, once elaborated, what their `elaborate` has made: the registers that a proof speaks of.
    """
    text = inspect.getsource(module)
    if change is not None:
        old, new = change
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    text = text.replace("        return m\n", "        self.inner = locals()\n        return m\n")
    space = {"__name__": module.__name__, "__package__": module.__package__}
    exec(compile(text, module.__file__, "exec"), space)
    assert names.keys() <= space.keys()
    space.update(names)
    return space


def free(*names, width=1):
    """Signals that may have any value in any clock, if nothing drives them."""
    return [Signal(width, name=name) for name in names]


def solved(m: Module, ports, folder: Path, goal: str) -> bool:
    """Whether yosys proves a goal. False only if there is a run from a reset in which it is missed."""
    (folder / "small.il").write_text(rtlil.convert(m, name="small", ports=[*map(Value.cast, ports)], emit_src=False))
    script = f"""
        read_rtlil small.il
        hierarchy -top small
        proc
        flatten
        opt -full
        sat -tempinduct {goal} -set rst 0 -verify small
    """
    try:
        yosys(script, cwd=folder, log=folder / "log")
    except ToolFailed:
        text = (folder / "log").read_text()
        assert "model found for base case: FAIL" in text, text[-3000:]
        return False
    return True


def proved(m: Module, ports, folder: Path) -> bool:
    """Whether the signal `ok` is high in all clocks after a reset, whatever the free signals are."""
    return solved(m, ports, folder, "-maxsteps 2 -prove ok 1")


def refuted(m: Module, ports, folder: Path, clocks: int) -> bool:
    """Whether the signal `seen` is low in a clock of a run from a reset, so many clocks long: something is wrong at the ports."""
    return not solved(m, ports, folder, f"-tempinduct-baseonly -maxsteps {clocks} -prove seen 1")
