"""A neuron as Verilog: one self-contained file, and a testbench that checks it against golden vectors.

Both are plain Verilog-2005: Icarus Verilog, Verilator and any synthesis tool read them.
"""

from collections.abc import Iterable, Sequence

from amaranth.back import rtlil

from spikefab.errors import UsageError
from spikefab.hw.fixed import Q
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import State
from spikefab.toolchain.tools import rtlil_to_verilog


def module_name(neuron: Neuron, name: str | None = None) -> str:
    """The name of the Verilog module: the model's, or a plain identifier given instead."""
    if name is not None and not (name.isascii() and name.isidentifier()):
        raise UsageError(f"{name!r} cannot name a Verilog module: use letters, digits and underscores.")
    return name or type(neuron).__name__


def to_rtlil(neuron: Neuron, name: str | None = None) -> str:
    """The design in yosys's own language, without source locations: the same neuron always gives the same text."""
    return rtlil.convert(neuron, name=module_name(neuron, name), emit_src=False)


def to_verilog(neuron: Neuron, name: str | None = None) -> str:
    """The neuron as one Verilog module `name` (else the model's name), its header documenting ports and registers."""
    # The operands of a shared multiplier keep their last value in a clock that no case names: meant, and no latch.
    lint = "/* verilator lint_off CASEINCOMPLETE */\n"
    return _header(neuron, module_name(neuron, name)) + lint + rtlil_to_verilog(to_rtlil(neuron, name))


def registers(neuron: Neuron) -> list[tuple[int, str, Q, int]]:
    """The register map: (address, name, format, code after reset), coefficients first, then states."""
    dp = neuron.datapath
    formats = {**dp.coefficients, **dp.states}
    codes = {**neuron.codes, **neuron.initial}
    return [(address, name, formats[name], codes[name]) for address, name in enumerate(formats)]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _with_unit(state: State) -> str:
    return state.doc if state.unit in state.doc else f"{state.doc}, {state.unit}"


def _header(neuron: Neuron, name: str) -> str:
    dp, kind = neuron.datapath, type(neuron)
    states, params = kind.states(), kind.params()
    ports = [
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
    ]
    for state, q in dp.states.items():
        ports.append((f"state_{state}", "out", str(q.width), str(q), _with_unit(states[state])))
    widths = [q.width for q in (*dp.coefficients.values(), *dp.states.values())]
    ports += [
        ("cfg_valid", "in", "1", "", "a register write is offered"),
        ("cfg_ready", "out", "1", "", "written at the clock edge where both are high, which is between steps"),
        ("cfg_addr", "in", str(len(neuron.cfg_addr)), "", "address, see below"),
        ("cfg_data", "in", str(max(widths)), "", "the code, sign-extended: the low bits of the register's width count"),
    ]
    rows = [("address", "name", "bits", "format", "reset code", "stands for")]
    for address, register, q, code in registers(neuron):
        unit = f" {states[register].unit}" if register in states else ""
        rows.append((str(address), register, str(q.width), str(q), str(code), f"{float(q.decode(code)):.9g}{unit}"))
    values = [(key, f"{value:.9g}", params[key].unit, params[key].doc) for key, value in neuron.values.items()]
    lines = [
        f"{name}: {(kind.__doc__ or '').strip().splitlines()[0]}",
        "",
        f"Made by spikefab. Word {neuron.word} bits, time step {neuron.dt:g} ms, scheme: {kind.scheme}.",
        f"Latency {neuron.latency} clocks from an accepted input to its result, one step every {neuron.interval} clocks",
        "while o_ready is held high.",
        "",
        "Q(i, f) is signed two's complement with i integer bits, the sign among them, and f fraction bits:",
        "a code c stands for c / 2**f.",
        "",
        *_table(ports),
        "",
        "Registers, written over cfg_* at any time between steps:",
        "",
        *_table(rows),
        "",
        "The parameters that these codes stand for:",
        "",
        *_table(values),
    ]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines) + "\n"


def testbench(
    neuron: Neuron,
    current: Iterable[int],
    v: Iterable[int],
    spikes: Iterable[int],
    states: Iterable[Sequence[int]],
    name: str | None = None,
) -> str:
    """A self-checking testbench of `to_verilog(neuron, name)`, golden vectors inside.

    One entry a step: the input code, and the read-out code, spike and state codes (in register order) that the exact
    reference gives from reset. It prints one line that starts with PASS or FAIL.
    """
    dp, module = neuron.datapath, module_name(neuron, name)
    outputs = [("o_v", dp.readout.width), ("o_spike", 1), *((f"state_{s}", q.width) for s, q in dp.states.items())]
    widths = [dp.current.width, *(width for _, width in outputs)]
    total = sum(widths)
    vectors: list[str] = []
    for row in zip(current, v, spikes, states, strict=True):
        word = 0
        for code, width in zip((*row[:3], *row[3]), widths, strict=True):
            word = word << width | int(code) & ((1 << width) - 1)
        vectors.append(f"    golden[{len(vectors)}] = {total}'h{word:x};")
    names = [port for port, _ in outputs]
    results = ", ".join(names)
    wires = "\n".join(f"  wire signed [{width - 1}:0] {port};" for port, width in outputs)
    expected = "\n".join(f"  reg signed [{width - 1}:0] want_{port};" for port, width in outputs)
    wants = ", ".join(f"want_{port}" for port in names)
    differences = "\n".join(
        f'          if ({port} !== want_{port}) $display("step %0d: {port} is %0d, expected %0d", '
        f"step, {port}, want_{port});"
        for port in names
    )
    connections = ",\n    ".join(
        f".{port}({port})" for port in ("clk", "rst", "i_valid", "i_ready", "i", "o_valid", "o_ready", *names)
    )
    return f"""\
// {module}_tb: drives {module} with {len(vectors)} input samples and holds each result against the exact reference.
//
//   $ iverilog -o tb {module}_tb.v {module}.v && vvp tb
//   $ verilator --binary --top-module {module}_tb {module}_tb.v {module}.v && obj_dir/V{module}_tb
/* verilator lint_off WIDTH */
`timescale 1ns/1ps
module {module}_tb;
  localparam STEPS = {len(vectors)};
  reg clk, rst, i_valid;
  wire o_ready = 1'b1;
  reg signed [{dp.current.width - 1}:0] i;
  wire i_ready, o_valid;
{wires}
{expected}
  reg [{total - 1}:0] golden [0:STEPS-1];
  integer step, waited, mismatches;

  {module} dut (
    {connections},
    .cfg_valid(1'b0), .cfg_ready(), .cfg_addr({len(neuron.cfg_addr)}'d0), .cfg_data({len(neuron.cfg_data)}'d0)
  );

  always #5 clk = ~clk;

  // Everything is driven and looked at on the falling edge, half a clock away from where the design moves.
  initial begin
    load;
    clk = 0; rst = 1; i_valid = 0; i = 0; mismatches = 0; waited = 0;
    @(negedge clk); @(negedge clk);
    rst = 0;
    for (step = 0; step < STEPS && waited < 1000; step = step + 1) begin
      {{i, {wants}}} = golden[step];
      i_valid = 1;
      waited = 0;
      while (i_ready !== 1'b1 && waited < 1000) begin @(negedge clk); waited = waited + 1; end
      @(negedge clk);
      i_valid = 0;
      while (o_valid !== 1'b1 && waited < 1000) begin @(negedge clk); waited = waited + 1; end
      if (waited >= 1000)
        $display("step %0d: the handshake hangs", step);
      else if ({{{results}}} !== {{{wants}}}) begin
        mismatches = mismatches + 1;
        if (mismatches <= 10) begin
{differences}
        end
      end
    end
    if (waited >= 1000) $display("FAIL: no answer at step %0d of %0d", step - 1, STEPS);
    else if (mismatches != 0) $display("FAIL: %0d of %0d steps differ", mismatches, STEPS);
    else $display("PASS: %0d steps, 0 mismatches", STEPS);
    $finish;
  end

  task load;
  begin
{chr(10).join(vectors)}
  end
  endtask
endmodule
"""
