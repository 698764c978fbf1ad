"""The cocotb bench of every model: plays a job's vectors through a neuron's ports and records the answers.

It judges nothing: `verify` wrote the job with the golden trace at hand and compares whole arrays at the end, so that
Python is woken once a step and not once a clock. The job is an .npz of (for stimulus k) `registers_k` (segments,
registers) in the order of `addresses`, `current_k` (steps, segments) and `stalls_k`; `ports` names what is recorded.
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

CLOCK = 2  # simulator time steps in a clock
UNKNOWN = np.iinfo(np.int64).min  # recorded for what has no value, or never came: no port is that wide
PATIENCE = 50  # times the interval that a step may take under back-pressure before it counts as hung


@cocotb.test()
async def play(dut):
    """Reset, then every segment of the job that SPIKEFAB_JOB names; answers go to SPIKEFAB_ANSWERS."""
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
            if not fresh:  # the first segment runs on the registers as they were built
                await bench.load(codes)
            fresh = False
            await run(current[:, segment].tolist(), recorded[:, segment])
    np.savez(os.environ["SPIKEFAB_ANSWERS"], clocks=get_sim_time("step") // CLOCK, **answers)


def code(handle) -> int:
    """The value of a port: two's complement if it is a vector, UNKNOWN if a bit of it is."""
    value = handle.value
    try:
        return value.to_signed() if isinstance(value, LogicArray) else int(value)
    except ValueError:
        return UNKNOWN


class Bench:
    """A neuron under a clock. Everything is driven and read at falling edges, where its registers stand still."""

    def __init__(self, dut, ports: list[str], addresses: list[int], interval: int):
        self.dut, self.addresses, self.interval = dut, addresses, interval
        self.ports = [getattr(dut, name) for name in ports]
        self.random = random.Random(interval)

    async def reset(self) -> None:
        for name in ("i_valid", "i", "cfg_valid", "cfg_addr", "cfg_data"):
            getattr(self.dut, name).value = 0
        self.dut.o_ready.value = 1
        self.dut.rst.value = 1
        Clock(self.dut.clk, CLOCK, unit="step").start(start_high=True)
        await Timer(2 * CLOCK + CLOCK // 2, "step")
        self.dut.rst.value = 0

    async def load(self, codes: list[int]) -> None:
        """Write every register, between steps."""
        self.dut.cfg_valid.value = 1
        clock = Timer(CLOCK, "step")
        for address, value in zip(self.addresses, codes, strict=True):
            self.dut.cfg_addr.value = address
            self.dut.cfg_data.value = value
            await clock
        self.dut.cfg_valid.value = 0

    async def streamed(self, current: list[int], answers: np.ndarray) -> None:
        """Inputs and results flow freely: each result must stand there exactly `interval` clocks after its input."""
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
        """Inputs come late, results are taken late, and register writes are offered while a step runs, and refused."""
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
