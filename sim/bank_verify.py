"""The regression test of banks: compares a simulation of RTL or of a netlist with the reference, at every step of every neuron."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.back import rtlil

from spikefab.calls import whole
from spikefab.errors import ToolError
from spikefab.files import temporary_prefix
from spikefab.hw.bank import Bank
from spikefab.toolchain.tools import kill_with_us, rtlil_to_verilog

from . import coverage
from . import rtl_simulation as simulate
from .bank_player import RESULT, decoded, fields, player, row_bytes
from .bank_stimuli import Golden, Segment, items, segments
from .verify import Progress

# cocotb needs nothing but the ports of the player: Verilator may change all that is inside
OPTIONS = {"verilator": ("--no-public-flat-rw", "--timing"), "icarus": ("-g2012",)}
# A netlist is so much C++ that to compile it takes longer than to run it: it is not optimised.
OPTIMISED = {"rtl": ("-CFLAGS", "-O2"), "netlist": ("-CFLAGS", "-O0")}
MAIN = Path(__file__).with_name("soak.cpp")


def design(bank: Bank) -> str:
    """A bank in Verilog: the module `bank`."""
    return rtlil_to_verilog(rtlil.convert(bank, name="bank", emit_src=False))


def verify_bank(
    bank: Bank,
    *,
    netlist: str | None = None,
    simulator: str = "verilator",
    steps: int = 50_000,
    seed: int = 0,
    progress: Progress | None = None,
    build_dir: str | Path | None = None,
) -> list[dict[str, Any]]:
    """Simulate a bank over at least `steps` steps of a neuron, and compare each with the reference.

    Returns a list of checks, one for each kind of stimulus (see `bank_stimuli`), with the numbers of steps, spikes, saturations,
    states that were read between sweeps ("shown", in neurons), and mismatches. A mismatch raises no error here, see
    `verify.require_exact`.

    netlist    Verilog of the module `bank` and of all cells in it, to be simulated in place of the RTL
    simulator  "verilator" or "icarus"
    seed       of the random stimuli
    progress   called with a sentence before something that takes long
    build_dir  folder in which compiled simulations are kept; by default the user's cache
    """
    steps, seed = whole(steps, "steps", 1), whole(seed, "seed")
    plan = [*segments(bank, steps, seed)]
    found, _ = play(bank, plan, netlist=netlist, simulator=simulator, seed=seed, progress=progress, build_dir=build_dir)
    golden, checks = Golden(bank), _Checks(bank, _head(bank, netlist, simulator))
    for segment, (rows, asked) in zip(plan, found, strict=True):
        expected, before = golden.play(segment, asked)
        checks.add(segment.kind, expected, rows)
        checks.saturate(segment, before, golden.coefficients)
    return checks.checks


def play(
    bank: Bank,
    plan: Sequence[Segment],
    *,
    netlist: str | None = None,
    simulator: str = "verilator",
    seed: int = 0,
    progress: Progress | None = None,
    build_dir: str | Path | None = None,
) -> tuple[list[tuple[np.ndarray, np.ndarray]], tuple[float, float]]:
    """What a bank shows in each segment, (rows, fields), with the order (count,) in which its states were asked for.

    Also the seconds that the simulator took, on the clock and of the processor. Arguments as in `verify_bank`.
    """
    text = (design(bank) if netlist is None else netlist) + player(bank)
    folder = None if build_dir is None else Path(build_dir)
    more = OPTIONS.get(simulator, ())
    if simulator == "verilator":
        more += OPTIMISED["rtl" if netlist is None else "netlist"]
    built = simulate.build(text, simulator, folder=folder, progress=progress, verilog=True, more=more)
    if progress is not None:
        steps = sum(len(s.current) for s in plan) * bank.count
        progress(f"simulating {steps} steps of a bank of {bank.datapath.model.__name__} in {simulator}")
    rng, orders, rows = np.random.default_rng([seed, 1]), [], []
    with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as scratch:
        place = Path(scratch)
        for k, segment in enumerate(plan):
            some, asked = items(bank, segment, rng)
            some.tofile(place / f"stimuli-{k}.bin")
            orders.append(asked)
        log = simulate.run(built, simulator, "spikefab.sim.bank_bench", place)
        if not (place / "seconds").exists():
            raise ToolError(f"the simulation in {simulator} broke off: see {log}.")
        for k in range(len(plan)):
            rows.append(decoded(bank, (place / f"results-{k}.bin").read_bytes()))
        log.unlink(missing_ok=True)
        wall, processor = map(float, (place / "seconds").read_text(encoding="utf-8").split())
        return [*zip(rows, orders, strict=True)], (wall, processor)


class _Checks:
    """The checks of a run, one for each kind of stimulus."""

    def __init__(self, bank: Bank, head: dict[str, Any]):
        self.bank, self.head, self.segments = bank, head, 0
        self.checks: list[dict[str, Any]] = []
        self.goals = [goal for goal in coverage.goals(bank.datapath) if goal.what == "saturate"]
        self.reached: dict[str, set[coverage.Goal]] = {}

    def of(self, kind: str) -> dict[str, Any]:
        for check in self.checks:
            if check["stimulus"] == kind:
                return check
        zeros = dict.fromkeys(("steps", "spikes", "saturations", "shown", "mismatches"), 0)
        self.checks.append(self.head | {"stimulus": kind} | zeros)
        return self.checks[-1]

    def add(self, kind: str, expected: np.ndarray, rows: np.ndarray) -> None:
        """Compare the rows of a segment. Rows that are missing or too many are mismatches too."""
        check, number = self.of(kind), self.segments
        self.segments += 1
        results = expected[:, 0] == RESULT
        check["steps"] += int(results.sum())
        check["spikes"] += int(expected[results, 2].sum())
        check["shown"] += int((~results).sum())
        both = min(len(expected), len(rows))
        if np.array_equal(expected, rows):
            return
        differs = (expected[:both] != rows[:both]).any(axis=1)
        check["mismatches"] += int(differs.sum()) + abs(len(expected) - len(rows))
        check.setdefault("first_mismatch", self._first(number, expected, rows, differs))

    def _first(self, number: int, expected: np.ndarray, rows: np.ndarray, differs: np.ndarray) -> dict[str, Any]:
        at = int(differs.argmax()) if differs.any() else len(differs)
        where = {"segment": number, "step": at // self.bank.count}
        if at == len(differs):
            return where | {"variable": "the number of results", "expected": len(expected), "got": len(rows)}
        column = int((expected[at] != rows[at]).argmax())
        name = f"{fields(self.bank)[column][0]} of neuron {expected[at, 1]}"
        return where | {"variable": name, "expected": int(expected[at, column]), "got": int(rows[at, column])}

    def saturate(self, segment: Segment, before: np.ndarray, coefficients: np.ndarray) -> None:
        """Count which of the possible saturations these steps reach."""
        dp, sweeps = self.bank.datapath, len(before)
        every = self.reached.setdefault(segment.kind, set())
        among = [goal for goal in self.goals if goal not in every]
        if among:
            current = np.broadcast_to(segment.current, (sweeps, self.bank.count))
            every |= coverage.reached(dp, before, coefficients, current, among)
        self.of(segment.kind)["saturations"] = len(every)


def soak(
    bank: Bank, *, steps: int, seed: int = 0, netlist: str | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Simulate a bank over at least `steps` steps of a neuron in Verilator without Python, and compare each with the reference.

    The results go through a pipe, and are compared, segment by segment, while the simulation goes on. Returns one check, as
    those of `verify_bank`, over all kinds of stimuli.
    """
    steps = whole(steps, "steps", 1)
    text = (design(bank) if netlist is None else netlist) + player(bank, clocked=True)
    program = simulate.program(text, MAIN, progress=progress, verilog=True)
    checks, golden = _Checks(bank, _head(bank, netlist, "verilator")), Golden(bank)
    rng, orders = np.random.default_rng([seed, 1]), []
    with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as scratch:
        with (Path(scratch) / "stimuli.bin").open("wb") as stimuli:
            for segment in segments(bank, steps, seed):
                some, asked = items(bank, segment, rng)
                stimuli.write(some.tobytes())
                orders.append(asked)
        inward, outward = os.pipe()
        (Path(scratch) / "results.bin").symlink_to(f"/dev/fd/{outward}")
        with open(inward, "rb") as results, (Path(scratch) / "log").open("w+b") as log:
            process = subprocess.Popen(
                [*kill_with_us(), str(program)],
                cwd=scratch, pass_fds=[outward], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
            os.close(outward)
            for segment, asked in zip(segments(bank, steps, seed), orders, strict=True):
                expected, _ = golden.play(segment, asked)
                checks.add("soak", expected, decoded(bank, results.read(len(expected) * row_bytes(bank))))
            checks.of("soak")["mismatches"] += len(results.read()) // row_bytes(bank)
            if process.wait():
                log.seek(0)
                raise ToolError(f"the simulation of {bank.datapath.model.__name__} broke off: {log.read().decode()}")
    return checks.of("soak")


def _head(bank: Bank, netlist: str | None, simulator: str) -> dict[str, Any]:
    dp, level = bank.datapath, "rtl" if netlist is None else "netlist"
    head = {"model": dp.model.__name__, "word": dp.word, "level": level, "simulator": simulator}
    return head | {"neurons": bank.count, "interval": bank.interval}
