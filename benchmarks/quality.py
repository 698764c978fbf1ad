"""How well fits predict spikes that they have not seen, on recordings whose figures are known.

    SPIKEFAB_DATA=... python -m benchmarks.quality OUT.json [--cases qsnmc,gif,steps] [--models LIF,AdEx,MAT] [--seeds 5]

qsnmc  QSNMC 2007 challenge A, sets 04 and 05: one parameter set for both, from the first two thirds of repeat 1 of each
gif    nine repeats of one noise: from the first two thirds of repeat 1
steps  pyABF/18713001.abf: every third amplitude held out
For the first two gamma/R on the last third of all repeats (mean of the sets), Delta 2 ms, word 18; for the third `timing`
and spike count of the best model. Medians over seeds. Rows that the file has, of the same version, are not run again.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import spikefab
from spikefab import Recording, fit, read
from spikefab.fit.assess import assess
from spikefab.fit.scoring.task import Task
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.sim.engine import FixedPoint

from . import running

DT = 0.1


def cases(data: Path) -> dict[str, tuple[Recording, list[Recording]]]:
    """For each case what is fitted (its last thirds held out), and each set of repeats to be judged on."""
    sets = [read(data / f"QSNMC2007/challengeA_set{n}_4reps.csv").resample(DT) for n in ("04", "05")]
    first = [s.sweeps[0] for s in sets]
    both = Recording.from_arrays([s.voltage for s in first], [s.current for s in first], DT)
    gif = read(data / "GIFFittingToolbox/gif_cell3_frozen_noise_9reps.nwb")
    noise = gif.select(
        [k for k, s in enumerate(gif.sweeps) if s.current is not None and len(s.voltage) * gif.dt > 15e3]
    )
    one = noise.select([0]).resample(DT)
    return {"qsnmc": (both, sets), "gif": (one, [noise.resample(DT)])}


def gammas(result: Any, sets: list[Recording]) -> dict[str, float]:
    """gamma/R of a fitted neuron on the last third of each set of repeats, mean over sets; and its masked rmse over theirs."""
    ratios, errors = [], []
    for recording in sets:
        task = Task.of(recording, DT, "tail")
        dp = datapath(result.model, result.word, DT, max(task.i_span, result.i_span))
        codes = dp.quantise({n: np.array([v]) for n, v in result.params.items()})[0]
        held = assess(FixedPoint(dp), task, codes).held_out
        assert held is not None and held.gamma_over_R is not None
        ratios.append(held.gamma_over_R)
        errors.append(held.masked_rmse / held.repeat_rmse)
    return {"gamma_over_R": float(np.mean(ratios)), "rmse_over_repeats": float(np.mean(errors))}


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--cases", default="qsnmc,gif,steps")
    parser.add_argument("--models", type=running.model_names, default=list(MODELS), help="such as LIF,AdEx")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=20_000)
    options = parser.parse_args()
    data = running.data()
    noise = cases(data)
    rows = running.Rows(options.output, ("case", "model", "budget"), ("numpy", "scipy", "numba", "cmaes"))
    for case in options.cases.split(","):
        for model in options.models:
            wanted = {"case": case, "model": model, "budget": options.budget, "version": spikefab.__version__}
            old = rows.find(wanted)
            found: list[dict[str, Any]] = old["seeds"] if old else []
            for seed in range(len(found), options.seeds):
                begun = time.perf_counter()
                recording = read(data / "pyABF/18713001.abf") if case == "steps" else noise[case][0]
                (result,) = fit(
                    recording, dt=DT, models=[model], budget=options.budget, seed=seed,
                    held_out="amplitudes" if case == "steps" else "tail",
                )  # fmt: skip
                assert result.held_out is not None
                if case == "steps":
                    held = result.held_out
                    scores = {k: getattr(held, k) for k in ("combined_score", "timing", "spikes_model", "spikes_data")}
                else:
                    scores = gammas(result, noise[case][1])
                found.append({"seed": seed, "train": result.train.combined_score, **scores})
                print(case, model, found[-1], f"{time.perf_counter() - begun:.1f} s", file=sys.stderr, flush=True)
            medians = {k: float(np.median([f[k] for f in found])) for k in found[0] if k != "seed"}
            rows.keep(wanted | {"median": medians, "seeds": found})
            print(f"{case:6} {model:22}", "  ".join(f"{k} {v:.3f}" for k, v in medians.items()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
