"""The regression: RTL against the exact reference, at every step, on every state, read-out and spike."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.hw.errors import MismatchError
from spikefab.hw.neuron import Neuron
from spikefab.hw.verilog import to_rtlil

from . import coverage, reference, simulate
from .stimuli import Stimulus, stimuli

Progress = Callable[[str], None]


def verify(
    neuron: Neuron,
    *,
    simulator: str = "verilator",
    steps: int = 20_000,
    seed: int = 0,
    current=None,
    progress: Progress | None = None,
    build_dir: str | Path | None = None,
    design: Neuron | None = None,
) -> list[dict[str, Any]]:
    """Simulate a neuron's hardware over at least `steps` steps of hostile stimuli; one check for each kind of them.

    `current` (T,) nA: a recorded current to play besides. `build_dir`: where compiled simulations are kept, else the
    cache. `progress` is told what takes long. `design`: simulated in the neuron's place; it is there so that a test
    can see a defect found. A mismatch raises nothing: see `require_exact`.
    """
    if progress is not None:
        progress("looking for registers that reach every corner")
    plan, missed = stimuli(neuron, steps, seed, current)
    golden = [_golden(neuron.datapath, stimulus) for stimulus in plan]
    built = simulate.build(
        to_rtlil(design or neuron, simulate.TOP),
        simulator,
        folder=None if build_dir is None else Path(build_dir),
        progress=progress,
    )
    if progress is not None:
        progress(f"simulating {sum(s.steps for s in plan)} steps of {type(neuron).__name__} in {simulator}")
    answers = simulate.play(built, simulator, _job(neuron, plan))
    head = {"model": type(neuron).__name__, "word": neuron.word, "level": "rtl", "simulator": simulator}
    return [
        head | _check(neuron.datapath, stimulus, expected, answers[f"answers_{k}"])
        for k, (stimulus, expected) in enumerate(zip(plan, golden, strict=True))
    ]


def require_exact(checks: Sequence[dict[str, Any]]) -> None:
    """Raise `MismatchError`, saying where first, unless all checks are without a mismatch."""
    for check in checks:
        if check["mismatches"]:
            first = check["first_mismatch"]
            raise MismatchError(
                f"hardware and reference of {check['model']} differ at {check['mismatches']} of {check['steps']} steps "
                f"under {check['stimulus']}: first at step {first['step']} of segment {first['segment']}, where "
                f"{first['variable']} is {first['got']} and not {first['expected']}."
            )


def _ports(dp: Datapath) -> list[str]:
    """What is recorded each step: that there is a result, read-out, spike, states."""
    return ["o_valid", "o_v", "o_spike", *(f"state_{name}" for name in dp.states)]


def _golden(dp: Datapath, stimulus: Stimulus) -> np.ndarray:
    """The reference's answer, (steps, segments, ports)."""
    v, spikes, states = reference.run(dp, stimulus.states, stimulus.coefficients, stimulus.current)
    return np.concatenate([np.stack([np.ones_like(v), v, spikes], axis=-1), states], axis=-1)


def _job(neuron: Neuron, plan: Sequence[Stimulus]) -> dict[str, Any]:
    job: dict[str, Any] = {"ports": _ports(neuron.datapath), "interval": neuron.interval, "stimuli": len(plan)}
    for k, s in enumerate(plan):
        registers = np.concatenate([s.coefficients, s.states], axis=-1)
        job |= {f"registers_{k}": registers, f"current_{k}": s.current, f"stalls_{k}": s.stalls}
    return job


def _saturations(dp: Datapath, stimulus: Stimulus, golden: np.ndarray) -> int:
    """How many of the possible saturations these steps reach."""
    before = np.concatenate([stimulus.states[None], golden[:-1, :, 3:]])
    among = [goal for goal in coverage.goals(dp) if goal.what == "saturate"]
    return len(coverage.reached(dp, before, stimulus.coefficients, stimulus.current, among))


def _check(dp: Datapath, stimulus: Stimulus, golden: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
    differs = golden != answers
    check: dict[str, Any] = {
        "stimulus": stimulus.kind,
        "steps": stimulus.steps,
        "spikes": int(golden[:, :, 2].sum()),
        "saturations": _saturations(dp, stimulus, golden),
        "mismatches": int(differs.any(axis=-1).sum()),
    }
    if check["mismatches"]:
        # in the order in which the bench played them: segment by segment
        segment, step, port = np.argwhere(differs.transpose(1, 0, 2))[0]
        check["first_mismatch"] = {
            "segment": int(segment),
            "step": int(step),
            "variable": _ports(dp)[port],
            "expected": int(golden[step, segment, port]),
            "got": int(answers[step, segment, port]),
        }
    return check
