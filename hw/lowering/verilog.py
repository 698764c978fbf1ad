"""Writes a neuron as Verilog-2005: one self-contained file for Icarus Verilog, Verilator and any synthesis tool."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from amaranth.back import rtlil

from spikefab.errors import UsageError, shortened
from spikefab.hw.datapath import Datapath
from spikefab.hw.spec import State
from spikefab.toolchain.tools import rtlil_to_verilog


class Design(Protocol):
    """What this module can export: an Amaranth component with a datapath and its ports, such as a `Neuron`."""

    @property
    def datapath(self) -> Datapath: ...
    @property
    def reset_codes(self) -> Sequence[int]: ...
    @property
    def values(self) -> Mapping[str, float]: ...
    @property
    def latency(self) -> int: ...
    @property
    def interval(self) -> int: ...


def module_name(neuron: Design, name: str | None = None) -> str:
    """The name of the Verilog module: the given name, else that of the model. Raises UsageError if it is no identifier."""
    if name is not None and not (isinstance(name, str) and name.isascii() and name.isidentifier()):
        raise UsageError(f"{shortened(name)} cannot name a Verilog module: use letters, digits and underscores.")
    return name or neuron.datapath.model.__name__


def to_rtlil(neuron: Design, name: str | None = None) -> str:
    """The design in RTLIL, the language of yosys. Without source locations, the same neuron always gives the same text."""
    return rtlil.convert(cast(Any, neuron), name=module_name(neuron, name), emit_src=False)


def to_verilog(neuron: Design, name: str | None = None) -> str:
    """The neuron as a Verilog module. A comment at the top documents ports and registers."""
    return _header(neuron, module_name(neuron, name)) + rtlil_to_verilog(to_rtlil(neuron, name))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines of text with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _with_unit(state: State) -> str:
    return state.doc if state.unit in state.doc else f"{state.doc}, {state.unit}"


def _header(neuron: Design, name: str) -> str:
    """The comment at the top of the file."""
    dp = neuron.datapath
    params, doc = dp.model.params(), (dp.model.__doc__ or "").strip()
    values = [(key, f"{value:.9g}", params[key].unit, params[key].doc) for key, value in neuron.values.items()]
    lines = [
        f"{name}: {doc.splitlines()[0]}",
        "",
        f"Made by spikefab. Word {dp.word} bits, time step {dp.dt:g} ms, scheme: {dp.model.scheme}.",
        f"Latency {neuron.latency} clocks from an accepted input to its result, one step every {neuron.interval} clocks",
        "while o_ready is held high.",
        "",
        "Q(i, f) is signed two's complement with i integer bits, the sign among them, and f fraction bits:",
        "a code c stands for c / 2**f.",
        "",
        *_table(_ports(dp)),
        "",
        "Registers, written over cfg_* at any time between steps:",
        "",
        *_table(_registers(neuron)),
        "",
        "The parameters that these codes stand for:",
        "",
        *_table(values),
    ]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines) + "\n"


def _ports(dp: Datapath) -> list[tuple[str, ...]]:
    states = dp.model.states()
    return [
        ("port", "direction", "bits", "format", "meaning"),
        ("clk", "in", "1", "", "clock, rising edge"),
        ("rst", "in", "1", "", "synchronous reset: every register returns to its code below"),
        ("i_valid", "in", "1", "", "an input sample is offered"),
        ("i_ready", "out", "1", "", "a step starts at the clock edge where i_valid and i_ready are high"),
        ("i", "in", str(dp.current.width), str(dp.current), f"input current, nA, -{dp.i_span:g} to {dp.i_span:g}"),
        ("o_valid", "out", "1", "", "a result is offered; it stands until it is taken"),
        ("o_ready", "in", "1", "", "the result is taken at the clock edge where o_valid and o_ready are high"),
        ("o_v", "out", str(dp.readout.width), str(dp.readout), "membrane potential to show, mV"),
        ("o_spike", "out", "1", "", "1: the step ended in a spike"),
        *((f"state_{n}", "out", str(q.width), str(q), _with_unit(states[n])) for n, q in dp.states.items()),
        ("cfg_valid", "in", "1", "", "a register write is offered"),
        ("cfg_ready", "out", "1", "", "written at the clock edge where both are high, which is between steps"),
        ("cfg_addr", "in", str(dp.address_bits), "", "address, see below"),
        (
            "cfg_data",
            "in",
            str(dp.code_bits),
            "",
            "the code, sign-extended: the low bits of the register's width count",
        ),
    ]


def _registers(neuron: Design) -> list[tuple[str, ...]]:
    dp = neuron.datapath
    rows: list[tuple[str, ...]] = [("address", "name", "bits", "format", "reset code", "stands for")]
    for register, code in zip(dp.registers, neuron.reset_codes, strict=True):
        q, unit = register.format, f" {dp.model.states()[register.name].unit}" if register.kind == "state" else ""
        value = f"{float(q.decode(code)):.9g}{unit}"
        rows.append((str(register.address), register.name, str(q.width), str(q), str(code), value))
    return rows
