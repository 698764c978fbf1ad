"""What a search that ends when it has converged gives away, against one that spends its whole budget.

    SPIKEFAB_DATA=... python -m benchmarks.converged OUT.json [--seeds 5] [--recordings steps,ca3,barrel,noise] [--models LIF,AdEx]

Each recording is fitted twice a seed with all models and 20,000 evaluations at most: with the defaults (converged, in a race), and
with `whole_budget` without a race. For each model that was not stopped: the held-out score, over that with the whole budget. For
each fit: whether the first three are the same in the same order. Where they are not, the model that stands in a place and the one
that stands there with the whole budget must be tied: at least as good as each other in 5 % of the bootstrap resamples of the
held-out parts, with the scores of the whole budget.
Ends with status 8 if the median of the ratios is above 1.01, the median of a model above 1.05, or fewer than 90 % of the
orders hold. Rows that the file has are not run again.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikefab import FitOptions, FitResult, Recording, fit, read
from spikefab.fit.scoring.certainty import certainty
from spikefab.fit.scoring.task import Task
from spikefab.hw.models import MODELS

from . import running

FILES = {
    "steps": "pyABF/18713001.abf",
    "ca3": "neuroptimus/ca3_pc_v2_4_with_current.csv",
    "barrel": "NWBShowcase/LantyerEtAl2018_180817_ME_9_CC.nwb",
    "noise": "QSNMC2007/challengeA_set04_4reps.csv",
}
PLACES = 3
MOST, WORST, LEAST = 1.01, 1.05, 0.9  # median of all ratios, median of a model, share of orders that hold


def ranked(results: Sequence[FitResult], task: Task) -> dict[str, Any]:
    """The scores of models, best first, and those of each held-out part."""
    order, parts = sorted(results, key=lambda r: r.combined_score), task.split.held_out
    return {
        "held_out": {r.model_name: r.combined_score for r in order},
        "parts": {r.model_name: task.each_score(parts, r.voltages, r.spikes) for r in order},
        "train": {r.model_name: r.train.combined_score for r in order},
    }


def both(recording: Recording, models: list[str], seed: int) -> dict[str, Any]:
    """The fit with the defaults, and that with the whole budget: of each model alone, so that none is stopped."""
    asked: dict[str, Any] = {"seed": seed, "progress": False, "notice": lambda text: None}
    task = Task.of(recording, FitOptions.step)
    begun = time.perf_counter()
    found = fit(recording, models=models, top_k=len(models), **asked)
    middle = time.perf_counter()
    whole = [fit(recording, models=[name], whole_budget=True, **asked)[0] for name in models]
    return {
        "converged": ranked(found, task),
        "whole": ranked(whole, task),
        "ended_early": found.ended_early,
        "evaluations": found.evaluations,
        "seconds": [middle - begun, time.perf_counter() - middle],
    }


def holds(row: Mapping[str, Any]) -> bool:
    """Whether the first three are the same models in the same order, as far as the bootstrap can tell them apart."""
    first, second = (list(row[kind]["held_out"])[:PLACES] for kind in ("converged", "whole"))
    return all(a == b or tied(row["whole"]["parts"], a, b) for a, b in zip(first, second, strict=True))


def tied(parts: Mapping[str, Sequence[float]], a: str, b: str) -> bool:
    """Whether the held-out parts cannot tell two models apart; never with fewer than three parts."""
    sure = certainty(np.array(sorted((parts[a], parts[b]), key=np.mean)))
    return sure is not None and bool(sure[1][1])


def summary(rows: list[running.Row]) -> dict[str, Any]:
    ratios: dict[str, list[float]] = {}
    for row in rows:
        for name, score in row["converged"]["held_out"].items():
            if name not in row["ended_early"]:
                ratios.setdefault(name, []).append(score / row["whole"]["held_out"][name])
    return {
        "median": float(np.median([x for each in ratios.values() for x in each])),
        "models": {name: float(np.median(each)) for name, each in ratios.items()},
        "compared": {name: len(each) for name, each in ratios.items()},
        "orders": float(np.mean([holds(row) for row in rows])),
        "seconds": [sum(row["seconds"][k] for row in rows) for k in (0, 1)],
    }


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--recordings", default=",".join(FILES))
    parser.add_argument("--models", type=running.model_names, default=list(MODELS), help="such as LIF,AdEx")
    options = parser.parse_args()
    data: Path = running.data()
    rows = running.Rows(options.output, ("recording", "seed", "models"), ("numpy", "scipy", "numba", "cmaes"), summary)
    for seed in range(options.seeds):
        for name in options.recordings.split(","):
            wanted = {"recording": name, "seed": seed, "models": options.models}
            row = rows.find(wanted) or rows.keep(wanted | both(read(data / FILES[name]), options.models, seed))
            early, late = ([*row[kind]["held_out"].items()][:PLACES] for kind in ("converged", "whole"))
            told = " against ".join(" ".join(f"{m} {x:.3f}" for m, x in place) for place in (early, late))
            print(f"{name} {seed}: {told}; {row['seconds'][0]:.0f} s for {row['seconds'][1]:.0f}", flush=True)
    found = summary(rows.rows)
    for model, ratio in sorted(found["models"].items(), key=lambda item: -item[1]):
        print(f"{model:22} {ratio:.3f} ({found['compared'][model]} fits)")
    print(f"all: {found['median']:.3f}; the order of the first {PLACES} holds in {100 * found['orders']:.0f} %")
    good = found["median"] <= MOST and max(found["models"].values()) <= WORST and found["orders"] >= LEAST
    return 0 if good else running.MISSED


if __name__ == "__main__":
    sys.exit(main())
