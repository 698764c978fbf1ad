"""Writes a testbench in Verilog-2005 that compares an exported neuron with expected results (golden vectors)."""

from collections.abc import Iterable, Sequence

from .verilog import Design, module_name

TEMPLATE = """\
// {module}_tb: drives {module} with {steps} input samples and holds each result against the exact reference.
//
// It prints one line that starts with PASS or FAIL, and its exit status is 0 or not 0.
//
//   $ iverilog -o tb {module}_tb.v {module}.v && vvp tb
//   $ verilator --binary --top-module {module}_tb {module}_tb.v {module}.v && obj_dir/V{module}_tb
module {module}_tb;
  localparam STEPS = {steps};
  reg clk, rst, i_valid;
  wire o_ready = 1'b1;
  reg signed [{i_top}:0] i;
  wire i_ready, o_valid;
{wires}
{expected}
  reg [{top}:0] golden [0:STEPS-1];
  integer step, waited, mismatches;

  {module} dut (
    {connections},
    /* verilator lint_off PINCONNECTEMPTY */  // No register is written, so that nothing waits for this port.
    .cfg_ready(),
    /* verilator lint_on PINCONNECTEMPTY */
    .cfg_valid(1'b0), .cfg_addr({address_bits}'d0), .cfg_data({code_bits}'d0)
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
    if (waited >= 1000) begin
      $display("FAIL: no answer at step %0d of %0d", step - 1, STEPS);
      $fatal(0);
    end else if (mismatches != 0) begin
      $display("FAIL: %0d of %0d steps differ", mismatches, STEPS);
      $fatal(0);
    end else begin
      $display("PASS: %0d steps, 0 mismatches", STEPS);
      $finish;
    end
  end

  task load;
  begin
{vectors}
  end
  endtask
endmodule
"""


def testbench(
    neuron: Design,
    current: Iterable[int],
    v: Iterable[int],
    spikes: Iterable[int],
    states: Iterable[Sequence[int]],
    name: str | None = None,
) -> str:
    """The text of a self-checking testbench for the module that `to_verilog(neuron, name)` writes.

    current  input code of each step
    v        read-out code that the exact reference gives in each step, starting from reset
    spikes   spike, 0 or 1, in each step
    states   codes of the states, in the order of the registers, after each step

    The testbench prints one line that starts with PASS or FAIL; after FAIL, its exit status is not 0.
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
    return TEMPLATE.format(
        module=module,
        steps=len(vectors),
        i_top=dp.current.width - 1,
        top=total - 1,
        address_bits=dp.address_bits,
        code_bits=dp.code_bits,
        vectors="\n".join(vectors),
        wires=wires,
        expected=expected,
        wants=wants,
        results=results,
        differences=differences,
        connections=connections,
    )
