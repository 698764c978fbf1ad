"""The cocotb test bench of banks: has the player around a bank play files, one after the other.

It runs inside the simulator, see `bank_player`. Files `stimuli-0.bin`, `stimuli-1.bin` ... in the working folder become
`results-0.bin`, `results-1.bin` ...; Python runs once a file, not once per clock or step.
"""

import time
from itertools import count
from pathlib import Path

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge, Timer


@cocotb.test()
async def play(dut):
    """Reset the design, play all files, and write to `seconds` how long the simulator played, on the clock and of the processor."""
    dut.rst.value, dut.go.value = 1, 0
    await Timer(9, "step")
    dut.rst.value = 0
    seconds = [0.0, 0.0]
    clocks = (time.perf_counter, time.process_time)
    for k in count():
        if not Path(f"stimuli-{k}.bin").exists():
            break
        Path(f"stimuli-{k}.bin").replace("stimuli.bin")
        start = [clock() for clock in clocks]
        dut.go.value = 1
        await RisingEdge(dut.done)
        seconds = [had + clock() - then for had, clock, then in zip(seconds, clocks, start, strict=True)]
        dut.go.value = 0
        await FallingEdge(dut.done)
        Path("results.bin").replace(f"results-{k}.bin")
    Path("seconds").write_text(" ".join(map(str, seconds)), encoding="utf-8")
