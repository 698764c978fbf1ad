"""The Verilog around a bank that plays a file of stimuli, and writes all that the bank shows into another file.

It is the same in every simulator, for RTL and for netlists. cocotb, or a program in C++, only starts it and waits until it has
played the whole file, so that nothing but the simulator works in each clock.

The module `dut` contains the module `bank`. When `go` rises, it reads `stimuli.bin` in the working folder, an array of ITEM. An
item waits for `pause` clocks and is then offered until the bank takes it; all inputs of the bank but the two `valid` have
the values of the item meanwhile. `results.bin` becomes an array of rows, see `decoded`. `done` rises when the items are used up, or
the bank does not take one, and that for longer than a sweep.
"""

import numpy as np

from spikefab.hw.bank import Bank

CURRENT, WRITE, SHOW = (
    0,
    1,
    2,
)  # kinds of items: a current; a write to a register; the states of a neuron between sweeps
ITEM = np.dtype([("kind", "u1"), ("pause", "u1", 3), ("neuron", ">u2"), ("address", ">u2"), ("data", ">i8")])
RESULT, SHOWN, UNKNOWN = (
    0,
    1,
    2,
)  # kinds of rows: a result; states that were asked for; UNKNOWN is added for undefined bits
PUBLIC = "/*verilator public_flat_rw*/"  # so that cocotb can read and write it
Field = tuple[str, int, int, bool]  # name, lowest bit in the row, width, whether it is signed


def settled(bank: Bank) -> int:
    """Clocks after the last current of a sweep after which all of its steps are certainly finished."""
    a_step = bank.interval if bank.count >= bank.in_flight else bank.interval + bank.latency
    return bank.count * a_step + 2 * bank.latency + 8


def fields(bank: Bank) -> list[Field]:
    """What is in a row: its kind, `o_neuron`, `o_spike`, `o_v` and the states. None lies in more than two words of 32 bits."""
    dp, at, found = bank.datapath, 0, []
    ports = [("kind", 2, False), ("o_neuron", (bank.count - 1).bit_length(), False), ("o_spike", 1, False)]
    ports += [("o_v", dp.readout.width, True), *((f"state_{name}", q.width, True) for name, q in dp.states.items())]
    for name, width, signed in ports:
        if at % 32 + width > 64:
            at += -at % 32
        found.append((name, at, width, signed))
        at += width
    return found


def row_bytes(bank: Bank) -> int:
    """The length of a row."""
    *_, (_, at, width, _) = fields(bank)
    return -(-(at + width) // 32) * 4


def decoded(bank: Bank, content: bytes) -> np.ndarray:
    """The rows in a file of results, (rows, fields) int64. What follows the last whole row is left out."""
    size = row_bytes(bank) // 4
    whole = len(content) // (4 * size)
    words = np.frombuffer(content, dtype="<u4", count=whole * size).reshape(whole, size)
    words = np.concatenate([words, np.zeros((whole, 1), dtype="<u4")], axis=1).astype(np.uint64)
    found = np.empty((whole, len(fields(bank))), dtype=np.int64)
    for k, (_, at, width, signed) in enumerate(fields(bank)):
        bits = (words[:, at // 32] | words[:, at // 32 + 1] << np.uint64(32)) >> np.uint64(at % 32)
        left = 64 - width
        up = (bits << np.uint64(left)).view(np.int64)
        found[:, k] = up >> left if signed else up.view(np.uint64) >> np.uint64(left)
    return found


def player(bank: Bank, *, clocked: bool = False) -> str:
    """The module `dut` in Verilog, with the ports `rst`, `go` and `done`.

    clocked  whether the clock is a port too, `clk`; otherwise the module makes it
    """
    dp = bank.datapath
    results = fields(bank)[1:]
    wires = {"i_ready": 1, "o_valid": 1, "cfg_ready": 1} | {name: width for name, _, width, _ in results}
    wires |= {f"kept_{name}": q.width for name, q in dp.states.items()}
    at_neuron = wires["o_neuron"] - 1
    kept = {"o_neuron": f"neuron[{at_neuron}:0]", "o_spike": "1'b0", "o_v": f"{dp.readout.width}'b0"}
    kept |= {f"state_{name}": f"kept_{name}" for name in dp.states}
    return f"""
module dut ({"input clk, " if clocked else ""}input rst {PUBLIC}, input go {PUBLIC}, output reg done {PUBLIC});
  {"" if clocked else "reg clk = 0; always #1 clk = !clk;"}
  {" ".join(f"wire [{width - 1}:0] {name};" for name, width in wires.items())}
  reg [127:0] item = 0, next;
  reg [23:0] pause = 0;
  integer idle = 0, stimuli, results, got;  // idle: clocks since an item was taken
  reg playing = 0, left = 0;  // left: there is an item
  wire [7:0] kind = item[127:120];
  wire [15:0] neuron = item[95:80], address = item[79:64];
  wire [63:0] data = item[63:0];
  wire offered = playing && left && pause == 0;
  wire i_valid = offered && kind == {CURRENT}, cfg_valid = offered && kind == {WRITE};
  wire taken = kind == {CURRENT} ? i_ready : kind == {WRITE} ? cfg_ready : 1'b1;
  wire unknown = ^{{o_valid, {", ".join(name for name, *_ in results)}}} === 1'bx;
  wire unknown_kept = ^{{{", ".join(f"kept_{name}" for name in dp.states)}}} === 1'bx;
  bank bank (.clk(clk), .rst(rst), .i_valid(i_valid), .i(data[{dp.current.width - 1}:0]),
    .hold(1'b0), .cfg_valid(cfg_valid), .cfg_neuron(neuron[{at_neuron}:0]), .cfg_addr(address[{dp.address_bits - 1}:0]),
    .cfg_data(data[{dp.code_bits - 1}:0]), {", ".join(f".{name}({name})" for name in wires)});
  initial done = 0;
  always @(posedge clk) begin
    if (rst) begin
      playing <= 0; done <= 0;
    end else if (!playing) begin
      if (!go) done <= 0;
      else if (!done) begin
        stimuli = $fopen("stimuli.bin", "rb"); results = $fopen("results.bin", "wb");
        got = $fread(next, stimuli);
        item <= next; pause <= next[119:96]; left <= got == 16; idle <= 0; playing <= 1;
      end
    end else begin
      idle <= idle + 1;
      if (left && pause != 0) begin
        pause <= pause - 1; idle <= 0;
      end else if (left && taken === 1'b1) begin
        got = $fread(next, stimuli);
        item <= next; pause <= next[119:96]; left <= got == 16; idle <= 0;
      end
      if (o_valid !== 1'b0)
        $fwrite(results, "%u", {_row(bank, f"unknown, 1'd{RESULT}", {name: name for name in wires})});
      if (offered && kind == {SHOW})
        $fwrite(results, "%u", {_row(bank, f"unknown_kept, 1'd{SHOWN}", kept)});
      if (idle == {2 * settled(bank)}) begin
        $fclose(stimuli); $fclose(results);
        playing <= 0; done <= 1;
      end
    end
  end
endmodule
"""


def _row(bank: Bank, kind: str, values: dict[str, str]) -> str:
    """A row as a vector: `$fwrite` writes the lowest word first, so that the first field has the lowest bits."""
    parts, end = [kind], 2
    for name, at, width, _ in fields(bank)[1:]:
        parts += ([f"{at - end}'b0"] if at > end else []) + [values[name]]
        end = at + width
    rest = 8 * row_bytes(bank) - end
    return f"{{{', '.join(reversed(parts + ([f'{rest}' + chr(39) + 'b0'] if rest else [])))}}}"
