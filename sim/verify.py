"""The regression test of hardware: compares an RTL simulation with the exact reference.

Every state, the read-out and the spike are compared at every step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.calls import public, whole
from spikefab.errors import MismatchError, SpikefabError
from spikefab.hw.datapath import Datapath
from spikefab.hw.lowering.verilog import to_rtlil
from spikefab.hw.neuron import Neuron, require_neuron
from spikefab.units import currents

from . import coverage, reference
from . import rtl_simulation as simulate
from .stimuli import SPIKES, Stimulus, stimuli

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """The stimuli for a neuron, the results of the reference for each (steps, segments, ports), and coverage goals not reached."""

    neuron: Neuron
    stimuli: list[Stimulus]
    golden: list[np.ndarray]
    missed: set[coverage.Goal]


def prepare(neuron: Neuron, *, steps: int = 20_000, seed: int = 0, current=None) -> Plan:
    """Prepare a regression of `steps` steps, or of as many as it takes, see `stimuli`.

    `current` (T,) nA is a recorded current to play in addition.
    """
    plan, missed = stimuli(neuron, steps, seed, current)
    return Plan(neuron, plan, _golden(neuron.datapath, plan), missed)


def play(
    plan: Plan,
    design: Neuron,
    simulator: str = "verilator",
    *,
    progress: Progress | None = None,
    build_dir: str | Path | None = None,
) -> list[dict[str, Any]]:
    """Simulate a design and compare it with the results in a plan: the same neuron, or one with a fault that must be found.

    The result is as in `verify`.
    """
    name, rtlil = type(plan.neuron).__name__, to_rtlil(design, simulate.TOP)
    built = simulate.build(rtlil, simulator, folder=None if build_dir is None else Path(build_dir), progress=progress)
    if progress is not None:
        progress(f"simulating {sum(s.steps for s in plan.stimuli)} steps of {name} in {simulator}")
    answers = simulate.play(built, simulator, _job(design, plan.stimuli))
    head = {"model": name, "word": plan.neuron.word, "level": "rtl", "simulator": simulator}
    checks = [
        head | _check(plan.neuron.datapath, stimulus, golden, answers[f"answers_{k}"])
        for k, (stimulus, golden) in enumerate(zip(plan.stimuli, plan.golden, strict=True))
    ]
    if plan.missed:
        unreached = [f"{goal.what} {goal.side} at operation {goal.node}" for goal in sorted(plan.missed, key=str)]
        next(check for check in checks if check["stimulus"] == "corners")["unreached"] = unreached
    return checks


@public
def verify(
    neuron: Neuron,
    *,
    simulator: str = "verilator",
    steps: int = 20_000,
    seed: int = 0,
    current=None,
    progress: Progress | None = None,
    build_dir: str | Path | None = None,
) -> list[dict[str, Any]]:
    """Simulate the hardware of a neuron over `steps` steps, and compare it with the reference.

    There are more steps if it takes more to reach 50 spikes and every corner of the arithmetic, see `stimuli`.

    Returns a list of checks, one for each kind of stimulus (see `stimuli`), with the numbers of steps, spikes, saturations
    and mismatches. A mismatch raises no error here, see `require_exact`.

    simulator  "verilator" or "icarus"
    seed       of the random stimuli
    current    (T,) nA, a recorded current to play in addition
    progress   called with a sentence before something that takes long
    build_dir  folder in which compiled simulations are kept; by default the user's cache
    """
    require_neuron(neuron)
    steps, seed = whole(steps, "steps", 1), whole(seed, "seed")
    if current is not None:
        current = currents(current, neuron.dt, several=False)
    if progress is not None:
        progress("looking for registers that reach every corner")
    plan = prepare(neuron, steps=steps, seed=seed, current=current)
    return play(plan, neuron, simulator, progress=progress, build_dir=build_dir)


def require_exact(checks: Sequence[dict[str, Any]]) -> None:
    """Raise `MismatchError`, with the first mismatch, if there is one; `SpikefabError` if the checks cover too little."""
    for check in checks:
        if check["mismatches"]:
            first = check["first_mismatch"]
            raise MismatchError(
                f"hardware and reference of {check['model']} differ at {check['mismatches']} of {check['steps']} steps "
                f"under {check['stimulus']}: first at step {first['step']} of segment {first['segment']}, where "
                f"{first['variable']} is {first['got']} and not {first['expected']}."
            )
    unreached = [text for check in checks for text in check.get("unreached", [])]
    if unreached:
        raise SpikefabError(f"the regression of {checks[0]['model']} is too weak: no stimulus reached {unreached[0]}.")
    if sum(check["spikes"] for check in checks) < SPIKES:
        raise SpikefabError(f"the regression of {checks[0]['model']} is too weak: fewer than {SPIKES} spikes.")


def _ports(dp: Datapath) -> list[str]:
    """The ports that are recorded in each step: whether there is a result, the read-out, the spike, the states."""
    return ["o_valid", "o_v", "o_spike", *(f"state_{name}" for name in dp.states)]


def _golden(dp: Datapath, plan: Sequence[Stimulus]) -> list[np.ndarray]:
    """The results of the reference for each stimulus, (steps, segments, ports). Stimuli of equal length are run together."""
    answers: dict[int, np.ndarray] = {}
    for length in {len(s.current) for s in plan}:
        group = [k for k, s in enumerate(plan) if len(s.current) == length]
        states, coefficients = (
            np.concatenate([getattr(plan[k], n) for k in group]) for n in ("states", "coefficients")
        )
        current = np.concatenate([plan[k].current for k in group], axis=1)
        v, spikes, path = reference.run(dp, states, coefficients, current)
        every = np.concatenate([np.stack([np.ones_like(v), v, spikes], axis=-1), path], axis=-1)
        ends = np.cumsum([plan[k].current.shape[1] for k in group])
        answers.update(zip(group, np.split(every, ends[:-1], axis=1), strict=True))
    return [answers[k] for k in range(len(plan))]


def _job(design: Neuron, plan: Sequence[Stimulus]) -> dict[str, Any]:
    """The arrays that the bench needs, see `bench`."""
    dp = design.datapath
    job: dict[str, Any] = {"ports": _ports(dp), "interval": design.interval, "stimuli": len(plan)}
    job["addresses"] = [register.address for register in dp.registers]
    for k, s in enumerate(plan):
        registers = dp.register_codes(s.coefficients, s.states)
        job |= {f"registers_{k}": registers, f"current_{k}": s.current, f"stalls_{k}": s.stalls}
    return job


def _saturations(dp: Datapath, stimulus: Stimulus, golden: np.ndarray) -> int:
    """The number of possible saturations that these steps reach."""
    before = np.concatenate([stimulus.states[None], golden[:-1, :, 3:]])
    among = [goal for goal in coverage.goals(dp) if goal.what == "saturate"]
    return len(coverage.reached(dp, before, stimulus.coefficients, stimulus.current, among))


def _check(dp: Datapath, stimulus: Stimulus, golden: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
    """Compare the recorded answers with those of the reference (golden)."""
    differs = golden != answers
    check: dict[str, Any] = {
        "stimulus": stimulus.kind,
        "steps": stimulus.steps,
        "spikes": int(golden[:, :, 2].sum()),
        "saturations": _saturations(dp, stimulus, golden),
        "mismatches": int(differs.any(axis=-1).sum()),
    }
    if check["mismatches"]:
        # the first one in the order in which the bench plays: segment by segment
        segment, step, port = np.argwhere(differs.transpose(1, 0, 2))[0]
        check["first_mismatch"] = {
            "segment": int(segment),
            "step": int(step),
            "variable": _ports(dp)[port],
            "expected": int(golden[step, segment, port]),
            "got": int(answers[step, segment, port]),
        }
    return check
