"""Translates a trace to hardware: the schedule, the datapath with shared multipliers, Verilog, and a cost estimate."""
