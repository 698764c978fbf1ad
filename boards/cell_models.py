"""Verilog models of multipliers and block RAMs that yosys has none of, to simulate a netlist with: of an ECP5 and of a Gowin.

They have what `absorb` and yosys use of them; anything else ends the simulation. Sources: Lattice FPGA-TN-02205 (sysDSP) and
FPGA-TN-02204 (memory); Gowin UG287 (DSP) and UG285 (memory).
"""


def _bus(name: str, width: int) -> str:
    """The bits of a bus that has a port for each, the highest first."""
    return ", ".join(f"{name}{k}" for k in reversed(range(width)))


def multiplier() -> str:
    """MULT18X18D: signed or unsigned operands, with or without registers before, within and behind the product."""
    stages = ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")
    parameters = ", ".join(f'parameter REG_{stage}_CLK = "NONE"' for stage in stages)
    known = " && ".join(f'(REG_{stage}_CLK == "NONE" || REG_{stage}_CLK == "CLK0")' for stage in stages)
    return f"""
module MULT18X18D #({parameters}) (
  input {_bus("A", 18)}, {_bus("B", 18)}, {_bus("C", 18)},
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0,
  output {_bus("P", 36)}
);
  wire [17:0] a = {{{_bus("A", 18)}}}, b = {{{_bus("B", 18)}}};
  reg [17:0] held_a = 0, held_b = 0;
  reg signed [37:0] inner = 0, behind = 0;
  wire [17:0] x = REG_INPUTA_CLK == "NONE" ? a : held_a, y = REG_INPUTB_CLK == "NONE" ? b : held_b;
  wire signed [18:0] long_x = {{SIGNEDA & x[17], x}}, long_y = {{SIGNEDB & y[17], y}};
  wire signed [37:0] product = long_x * long_y;
  wire signed [37:0] piped = REG_PIPELINE_CLK == "NONE" ? product : inner;
  wire signed [37:0] result = REG_OUTPUT_CLK == "NONE" ? piped : behind;
  assign {{{_bus("P", 36)}}} = result[35:0];
  always @(posedge CLK0) begin
    held_a <= a; held_b <= b; inner <= product; behind <= piped;
    if (CE0 !== 1 || RST0 !== 0) begin $display("MULT18X18D: a clock enable or a reset is not modelled"); $finish; end
  end
  initial if (!({known})) begin $display("MULT18X18D: another clock than CLK0 is not modelled"); $finish; end
endmodule
"""


def block_ram() -> str:
    """DP16KD: two ports of 1, 2, 4, 9 or 18 bits, one clock each, with or without a register behind what is read.

    Or a memory with words of 36 bits that is only read: through port B, the lower half of a word to the outputs of port A.
    """
    values = ", ".join(f"parameter [319:0] INITVAL_{k:02X} = 320'b0" for k in range(64))
    load = "\n    ".join(
        f"for (k = 0; k < 16; k = k + 1) words[{k:d} * 16 + k] = INITVAL_{k:02X}[k * 20 +: 18];".replace(
            f"words[{k:d} *", f"words[{k} *"
        )
        for k in range(64)
    )
    ports = []
    for side in "AB":
        ports.append(
            f"input {_bus('AD' + side, 14)}, {_bus('DI' + side, 18)}, CLK{side}, WE{side}, CE{side}, OCE{side}, RST{side}"
        )
        ports.append(f"input CS{side}0, CS{side}1, CS{side}2")
        ports.append(f"output {_bus('DO' + side, 18)}")
    logic = "\n".join(_port(side) for side in "AB")
    modes = ", ".join(
        f'parameter DATA_WIDTH_{s} = 18, parameter REGMODE_{s} = "NOREG", parameter WRITEMODE_{s} = "NORMAL", '
        f'parameter CLK{s}MUX = "CLK{s}", parameter CSDECODE_{s} = "0b000"'
        for s in "AB"
    )
    return f"""
module DP16KD #({values},
  {modes}, parameter RESETMODE = "SYNC", parameter ASYNC_RESET_RELEASE = "SYNC", parameter GSR = "AUTO"
) (
  {(", ").join(ports)}
);
  reg [17:0] words [0:1023];
  integer k;
  initial begin
    {load}
  end
  wire wide = DATA_WIDTH_A == 36 && DATA_WIDTH_B == 36;
  reg [17:0] low = 0, high = 0;
{logic}
  always @(posedge CLKB) if (wide) begin
    if (CEB) begin
      low <= words[{{address_B[13:5], 1'b0}}]; high <= words[{{address_B[13:5], 1'b1}}];
    end
    if (CEA !== 0 || WEB !== 0) begin $display("DP16KD: a write of 36 bits is not modelled"); $finish; end
  end
endmodule
"""


def _port(side: str) -> str:
    """One port of a block RAM. Narrow words are parts of those of 18 bits, the first in the lowest bits; of 9 bits, the halves."""
    return f"""
  wire [13:0] address_{side} = {{{_bus("AD" + side, 14)}}};
  wire [17:0] data_{side} = {{{_bus("DI" + side, 18)}}};
  reg [17:0] read_{side} = 0, held_{side} = 0;
  wire [17:0] word_{side} = words[address_{side}[13:4]];
  wire [17:0] shown_{side} = REGMODE_{side} == "OUTREG" ? held_{side} : read_{side};
  assign {{{_bus("DO" + side, 18)}}} = wide ? {"low" if side == "A" else "high"} : shown_{side};
  // where the bits of a narrow word are: 8 of each half in a group, the ninth at its end
  wire [4:0] at_{side} = DATA_WIDTH_{side} == 18 ? 0 : DATA_WIDTH_{side} == 9 ? 9 * address_{side}[3]
    : 9 * address_{side}[3] + (address_{side}[2:0] & ~(DATA_WIDTH_{side} - 1));
  always @(posedge CLK{side}) begin
    if (OCE{side}) held_{side} <= read_{side};
    if (CE{side} && !wide) begin
      read_{side} <= word_{side} >> at_{side} & ((1 << DATA_WIDTH_{side}) - 1);
      if (WE{side}) begin
        if (DATA_WIDTH_{side} == 18) begin
          if (address_{side}[0]) words[address_{side}[13:4]][8:0] <= data_{side}[8:0];
          if (address_{side}[1]) words[address_{side}[13:4]][17:9] <= data_{side}[17:9];
        end else for (k = 0; k < DATA_WIDTH_{side}; k = k + 1)
          words[address_{side}[13:4]][at_{side} + k] <= data_{side}[k];
      end
    end
    if (RST{side} !== 0) begin $display("DP16KD: a reset is not modelled"); $finish; end
  end
  wire right_{side} = wide ? REGMODE_{side} == "NOREG" : DATA_WIDTH_{side} <= 18;
  initial if (!right_{side} || CLK{side}MUX != "CLK{side}" || WRITEMODE_{side} == "WRITETHROUGH") begin
    $display("DP16KD: this mode is not modelled"); $finish;
  end"""


def gowin_multiplier() -> str:
    """MULT18X18: signed or unsigned operands, without registers."""
    registers = ("AREG", "BREG", "OUT_REG", "PIPE_REG", "ASIGN_REG", "BSIGN_REG", "SOA_REG")
    parameters = ", ".join(f"parameter {name} = 1'b0" for name in registers)
    return f"""
module MULT18X18 #({parameters}, parameter MULT_RESET_MODE = "SYNC") (
  input [17:0] A, SIA, B, SIB, input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET, output [35:0] DOUT, output [17:0] SOA, SOB
);
  wire signed [18:0] long_a = {{ASIGN & A[17], A}}, long_b = {{BSIGN & B[17], B}};
  wire signed [37:0] product = long_a * long_b;
  assign DOUT = product[35:0];
  always @* if (ASEL === 1 || BSEL === 1) begin $display("MULT18X18: a chain is not modelled"); $finish; end
  initial if ({" || ".join(registers)}) begin $display("MULT18X18: a register is not modelled"); $finish; end
endmodule
"""


def gowin_block_ram() -> str:
    """SPX9: a memory with words of 9, 18 or 36 bits that is only read, without a register behind what is read."""
    values = ", ".join(f"parameter [287:0] INIT_RAM_{k:02X} = 288'b0" for k in range(64))
    load = "\n    ".join(
        f"for (k = 0; k < 8; k = k + 1) words[{8 * k} + k] = INIT_RAM_{k:02X}[k * 36 +: 36];" for k in range(64)
    )
    return f"""
module SPX9 #({values}, parameter READ_MODE = 1'b0, parameter WRITE_MODE = 2'b00, parameter BIT_WIDTH = 36,
  parameter BLK_SEL = 3'b000, parameter RESET_MODE = "SYNC"
) (output [35:0] DO, input [35:0] DI, input [2:0] BLKSEL, input [13:0] AD, input WRE, CLK, CE, OCE, RESET);
  reg [35:0] words [0:511];
  integer k;
  initial begin
    {load}
  end
  reg [35:0] held = 0;
  wire [35:0] word = words[AD[13:5]];
  // the narrow words of a wide one, the first in its lowest bits
  wire [5:0] at = BIT_WIDTH == 36 ? 0 : BIT_WIDTH == 18 ? 18 * AD[4] : 9 * AD[4:3];
  assign DO = held;
  always @(posedge CLK) begin
    if (CE) held <= word >> at & ({{36{{1'b1}}}} >> (36 - BIT_WIDTH));
    if (WRE !== 0 || RESET !== 0) begin $display("SPX9: a write or a reset is not modelled"); $finish; end
    if (BLKSEL !== BLK_SEL) begin $display("SPX9: a memory that is not selected is not modelled"); $finish; end
  end
  initial if (READ_MODE || (BIT_WIDTH != 9 && BIT_WIDTH != 18 && BIT_WIDTH != 36)) begin
    $display("SPX9: this mode is not modelled"); $finish;
  end
endmodule
"""
