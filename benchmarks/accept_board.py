"""A fitted neuron in simulated boards, behind the bytes of the link: mismatches with the reference, as JSON to a file.

    python -m benchmarks.accept_board OUT.json [--models LIF,AdEx,Izhikevich] [--seconds 10]

Each model is fitted to `18713001.abf` with a small budget, and runs one of its sweeps in lockstep; then, in free-run, the
fluctuating current of `challengeA_set00`, scaled to the input, with and without noise that the board makes. Each in the top
level simulated by Verilator, and in the reference behind the same bytes. Nothing of it is measured on a board. Ends with status 8
if a sample or spike differs.
"""

import sys
from typing import Any

import numpy as np

from spikefab.boards.session import connect
from spikefab.fit import fit
from spikefab.fit.options import FitOptions
from spikefab.fit.recordings.readers import read

from . import running

WORD, BUDGET = 16, 400
RUNS: dict[str, dict[str, Any]] = {
    "sweep, lockstep": {},
    "recorded waveform, free-run": {"free": True, "every": 4},
    "recorded waveform and noise, free-run": {"free": True, "every": 1 << 15, "noise_bits": 8},
}


def waveform(neuron: Any, seconds: float) -> np.ndarray:
    """A recorded current with a new value at each step, (T,) nA, scaled to three quarters of the input's span."""
    sweep = read(running.data() / "QSNMC2007" / "challengeA_set00_4reps.csv").resample(neuron.dt).sweeps[0]
    current = np.resize(np.asarray(sweep.current), round(1000 * seconds / neuron.dt))
    return 0.75 * neuron.datapath.i_span * current / np.max(np.abs(current))


def rows(model: str, recording: Any, seconds: float, kept: running.Rows) -> None:
    best = fit(recording, options=FitOptions(models=(model,), budget=BUDGET, word=WORD)).best
    last = len(best.currents) - 1
    neuron = best.create_model(last)
    for port in ("sim", "sim:reference"):
        for what, options in RUNS.items():
            key = {"model": type(neuron).__name__, "word": WORD, "port": port, "run": what, "seconds": seconds}
            if kept.find(key):
                continue
            current = best.currents[last]
            if "free" in options:
                current = waveform(neuron, seconds)
            with connect(port, neuron, board="ulx3s-25f") as board:
                done = board.run(current, **options)
            row = {"steps": done.steps, "samples": len(done.voltage), "spikes": len(done.spikes)}
            print(kept.keep(key | row | {"mismatches": done.mismatches, "repeats": done.repeats}), flush=True)


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--models", type=running.model_names, default=running.model_names("LIF,AdEx,Izhikevich"))
    parser.add_argument("--seconds", type=float, default=10.0, help="of model time in free-run (default 10)")
    options = parser.parse_args()
    kept = running.Rows(options.output, ("model", "word", "port", "run", "seconds"))
    recording = read(running.data() / "pyABF" / "18713001.abf")
    for model in options.models:
        rows(model, recording, options.seconds, kept)
    if any(row["mismatches"] for row in kept.rows):
        sys.exit(running.MISSED)


if __name__ == "__main__":
    main()
