"""`spikefab demo`: all that spikefab does, on one recording: read, fit, rank, draw, verify in hardware, build."""

import time
from argparse import Namespace
from itertools import pairwise
from pathlib import Path
from typing import Any

from spikefab import interrupts
from spikefab.commands import deliver, run_build, run_fit, run_verify
from spikefab.console import Screen
from spikefab.fit.report.folder import OutputFolder

WORD = 16  # bits of the word, the operand width of a multiplier of the UP5K
BUDGET = 3_000  # evaluations per model: enough for good fits of all models, in about a minute on two cores
STEPS = 20_000  # time steps in which hardware and reference are compared

# Parameters of the synthetic cell, "RS" of Pospischil et al. 2008: conductances mS/cm2, potentials mV, capacitance uF/cm2.
CELL = {
    "kinetics": "traub-miles", "C": 1.0, "g_Na": 56.0, "g_K": 6.0, "g_M": 0.075, "g_L": 0.0205, "E_Na": 50.0, "E_K": -100.0,
    "E_L": -70.3, "V_T": -56.2, "V_S": 0.0, "phi_m": 1.0, "phi_h": 1.0, "phi_n": 1.0, "tau_max": 608.0,
}  # fmt: skip
AREA = 1.18e-4  # membrane area of the synthetic recording, cm2; 118 pF at 1 uF/cm2
# Current steps of the synthetic recording, nA, one per sweep: from below threshold to firing at 50 Hz.
AMPLITUDES = (-0.05, 0.05, 0.10, 0.13, 0.16, 0.20, 0.24, 0.29, 0.34)
BEFORE = 100.0  # ms of a sweep before its current step
STEP = 500.0  # ms for which the current step lasts
AFTER = 100.0  # ms of a sweep after its current step
SAMPLE = 0.1  # sample step of the synthetic recording, ms
NOISE = 0.5  # noise added to the synthetic voltage, mV rms
SEED = 1952  # seed of the added noise, so that the recording is the same on every run


def demo(args: Namespace, screen: Screen) -> int:
    """Run the demo on the recording given, or on a synthetic one. Returns the exit code."""
    from spikefab.boards.table import get_board
    from spikefab.fit.options import FitOptions
    from spikefab.fit.recordings.readers import read

    board = get_board(args.board).name  # a wrong name is refused before the long work, not after it
    folder = OutputFolder(args.out)
    began = time.monotonic()
    if args.file is None:
        file = args.out / "recording.csv"
        screen.heading("1. A recording: a Hodgkin-Huxley neuron of cortex, integrated by scipy, with noise")
        text = recording_csv()
        folder.fill(lambda scratch: _write(scratch / file.name, text))
        steps = f"{len(AMPLITUDES)} current steps of {STEP:g} ms, {AMPLITUDES[0]:g} to {AMPLITUDES[-1]:g} nA"
        screen.say(f"{steps}: {file}")
    else:
        file = args.file
        screen.heading(f"1. The recording {file}")
    recording = read(file, dt=args.dt)
    recording.require_fit(args.anyway)
    screen.say(f"read: {len(recording.sweeps)} sweeps, dt {recording.dt:g} ms, current: {recording.current_origin}")

    screen.heading(f"2. Fit all models in the {WORD}-bit arithmetic of the hardware")
    step = 0.1 if args.dt is None else args.dt
    options = FitOptions(word=WORD, step=step, budget=BUDGET, anyway=args.anyway, target=args.board)
    with interrupts.deferred():
        results, timings = run_fit(screen, recording, options=options)
        if not results:
            raise KeyboardInterrupt
        fitted = time.monotonic()
        timings["total"] = round(fitted - began, 3)
        deliver(screen, results, lambda: folder.save_fit(results, timings))
    if results.interrupted or interrupts.arrived():
        what = "the best so far" if results.interrupted else "the finished fit"
        screen.err.print(f"spikefab: interrupted; {what} is in {args.out}.", soft_wrap=True)
        return interrupts.exit_code()

    best = results.best
    screen.heading(f"3. Prove the winner: {best.model_name} in hardware against the reference, step by step")
    strongest = max(range(len(best.currents)), key=lambda k: len(best.spikes[k]))
    neuron = best.create_model(strongest)
    checks = run_verify(screen, neuron, steps=STEPS, current=best.currents[strongest])
    verified = time.monotonic()

    screen.heading(f"4. A bitstream for {board}")
    report = run_build(screen, neuron, board, args.out / "build")
    built = time.monotonic()

    files = [
        *([file] if args.file is None else []),
        *(args.out / name for name in folder.written),
        Path(report["bitstream"]),
    ]
    seconds = {"fit": fitted - began, "verify": verified - fitted, "build": built - verified}
    screen.heading("Written")
    for path, what in zip(files, _meanings(files), strict=True):
        screen.say(f"  {_short(path)}  {what}")
    screen.say("Time: " + ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items()) + ".")
    screen.result(
        {
            "recording": str(file),
            "fit": results.to_dict(),
            "verify": {"checks": checks},
            "build": report,
            "files": [str(path) for path in files],
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
        }
    )
    return 0


def recording_csv() -> str:
    """The synthetic recording as CSV text: a column of times, then voltage and current of each sweep. Always the same text."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    columns: list[Any] = []
    names = ["t_ms"]
    for k, amplitude in enumerate(AMPLITUDES):
        t, voltage, current = hodgkin_huxley(amplitude)
        if not columns:
            columns.append(t)
        # rounded, as an amplifier does, because the last digits of an ODE solver differ between processors
        columns += [np.round(voltage, 3) + np.round(rng.normal(0, NOISE, len(t)), 3), current]
        names += [f"V{k}_mV", f"I{k}_nA"]
    formats = ["%.1f"] + ["%.2f", "%.3f"] * len(AMPLITUDES)
    rows = (",".join(f % x for f, x in zip(formats, row, strict=True)) for row in np.column_stack(columns))
    return "\n".join([",".join(names), *rows]) + "\n"


def hodgkin_huxley(amplitude: float) -> tuple[Any, Any, Any]:
    """One sweep of the synthetic recording: t (ms), V (mV) and I (nA) for a current step of `amplitude` nA.

    Hodgkin and Huxley's equations with the kinetics of cortical cells and a slow potassium current, which makes the cell
    adapt as a regular-spiking pyramidal cell does; solved by scipy, without any model of spikefab.
    Source: Pospischil et al. 2008, Biol. Cybern. 99:427, the cell "RS" that they fitted.
    """
    import numpy as np
    from scipy.integrate import solve_ivp

    from spikefab.sim import continuous

    def derivatives(t: float, y: Any, density: float) -> list[float]:
        return continuous.hodgkin_huxley(CELL, y.tolist(), density)

    def solve(begin: float, end: float, y: Any, density: float, times: Any = None) -> Any:
        return solve_ivp(derivatives, (begin, end), y, "LSODA", times, args=(density,), rtol=1e-7, atol=1e-9).y

    t = np.arange(round((BEFORE + STEP + AFTER) / SAMPLE)) * SAMPLE
    edges = np.rint(np.cumsum([0.0, BEFORE, STEP, AFTER]) / SAMPLE).astype(int)
    current = np.zeros(len(t))
    current[edges[1] : edges[2]] = amplitude
    state = solve(0.0, 2000.0, [-70.3, 0.0, 1.0, 0.0, 0.03], 0.0)[:, -1]  # at rest after 2 s without current
    pieces = []
    for first, last in pairwise(edges):
        times = np.arange(first, last + 1) * SAMPLE
        # one run for each stretch of constant current: a solver must not step over an edge of the current
        y = solve(times[0], times[-1], state, current[first] * 1e-3 / AREA, times)
        pieces.append(y[0, :-1])
        state = y[:, -1]
    return t, np.concatenate(pieces), current


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _short(path: Path) -> str:
    """The path relative to the current folder if it lies in that folder; else the path as it is."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _meanings(files: list[Path]) -> list[str]:
    """What each of the files written holds, in words for the user."""
    known = {
        "recording.csv": "the recording",
        "result.json": "all models: parameters, codes, formats, scores",
        "timings.json": "how long it took",
        "traces.npz": "recorded and simulated voltages, spikes",
        "ranking.png": "the ranking, drawn",
        "best.png": "the winner against the recording",
        "report.html": "all of it on one page",
    }
    return [known.get(file.name, "the bitstream") for file in files]
