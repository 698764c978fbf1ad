"""The cocotb test bench for all models: plays stimuli into the ports of a neuron and records its outputs.

It runs inside the simulator. It does not compare anything: `verify` compares whole arrays afterwards, so that Python runs
only once per step, not once per clock. The stimuli are in a .npz file (the job) with, for stimulus k, `registers_k`
(segments, registers) in the order of `addresses`, `current_k` (steps, segments) and `stalls_k`; `ports` are the names of the
ports to record.
"""

import os
import random
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, Timer
from cocotb.types import LogicArray
from cocotb.utils import get_sim_time

CLOCK = 2  # time units of the simulator in one clock period
# Recorded for a port with undefined bits, and for a result that never came. No port is wide enough for this number.
UNKNOWN = np.iinfo(np.int64).min
# A step with stalls may take, on average, this many times the normal interval; after that, the design counts as hung.
PATIENCE = 50


@cocotb.test()
async def play(dut):
    """Reset the design, play all segments of the job, and write the recorded outputs.

    The environment variable SPIKEFAB_JOB is the path of the job, SPIKEFAB_ANSWERS that of the file to write.
    """
    job = np.load(os.environ["SPIKEFAB_JOB"])
    bench = Bench(dut, [str(name) for name in job["ports"]], job["addresses"].tolist(), int(job["interval"]))
    await bench.reset()
    fresh = True
    answers: dict[str, Any] = {}
    for k in range(int(job["stimuli"])):
        registers, current = job[f"registers_{k}"].tolist(), job[f"current_{k}"]
        answers[f"answers_{k}"] = recorded = np.full((*current.shape, len(bench.ports)), UNKNOWN)
        run = bench.stalled if job[f"stalls_{k}"] else bench.streamed
        for segment, codes in enumerate(registers):
            if not fresh:  # the first segment tests the values that the registers have after reset
                await bench.load(codes)
            fresh = False
            await run(current[:, segment].tolist(), recorded[:, segment])
    np.savez(os.environ["SPIKEFAB_ANSWERS"], clocks=get_sim_time("step") // CLOCK, **answers)


def code(handle) -> int:
    """The value of a port, signed if it has several bits; UNKNOWN if one of its bits is undefined."""
    value = handle.value
    try:
        return value.to_signed() if isinstance(value, LogicArray) else int(value)
    except ValueError:
        return UNKNOWN


class Bench:
    """Drives a neuron. Ports are written and read at falling edges of the clock, when no register changes."""

    def __init__(self, dut, ports: list[str], addresses: list[int], interval: int):
        self.dut, self.addresses, self.interval = dut, addresses, interval
        self.ports = [getattr(dut, name) for name in ports]
        self.random = random.Random(interval)

    async def reset(self) -> None:
        """Start the clock and reset the design."""
        for name in ("i_valid", "i", "cfg_valid", "cfg_addr", "cfg_data"):
            getattr(self.dut, name).value = 0
        self.dut.o_ready.value = 1
        self.dut.rst.value = 1
        Clock(self.dut.clk, CLOCK, unit="step").start(start_high=True)
        await Timer(2 * CLOCK + CLOCK // 2, "step")
        self.dut.rst.value = 0

    async def load(self, codes: list[int]) -> None:
        """Write all registers. No step may be running."""
        self.dut.cfg_valid.value = 1
        clock = Timer(CLOCK, "step")
        for address, value in zip(self.addresses, codes, strict=True):
            self.dut.cfg_addr.value = address
            self.dut.cfg_data.value = value
            await clock
        self.dut.cfg_valid.value = 0

    async def streamed(self, current: list[int], answers: np.ndarray) -> None:
        """Play inputs without a pause, and record each result exactly `interval` clocks after its input."""
        step = Timer(self.interval * CLOCK, "step")
        self.dut.i_valid.value = 1
        rows = []
        for sample in current:
            self.dut.i.value = sample
            await step
            rows.append([code(port) for port in self.ports])
        self.dut.i_valid.value = 0
        answers[:] = rows

    async def stalled(self, current: list[int], answers: np.ndarray) -> None:
        """Play inputs with random pauses, accept results late, and try to write registers while a step runs.

        Such a write must be refused.
        """
        dut, chance = self.dut, self.random
        sent = taken = 0
        just_started = False
        for _ in range(PATIENCE * self.interval * len(current)):
            offer, accept = sent < len(current) and chance.random() < 0.5, chance.random() < 0.3
            dut.i_valid.value, dut.o_ready.value = int(offer), int(accept)
            dut.i.value = current[sent] if offer else chance.randint(-1, 0)
            dut.cfg_valid.value = int(just_started)
            dut.cfg_addr.value, dut.cfg_data.value = chance.randint(0, 1), chance.randint(-1, 0)
            await ReadOnly()
            just_started = bool(offer and code(dut.i_ready) == 1)
            sent += just_started
            if accept and code(dut.o_valid) == 1:
                answers[taken] = [code(port) for port in self.ports]
                taken += 1
                if taken == len(current):
                    break
            await Timer(CLOCK, "step")
        await Timer(CLOCK, "step")
        dut.i_valid.value, dut.o_ready.value, dut.cfg_valid.value = 0, 1, 0
