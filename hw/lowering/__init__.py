"""From a trace to hardware: schedule, shared multipliers, Verilog, and what it costs."""
