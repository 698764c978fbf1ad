"""What a whole fit costs and is worth, against what a user would write in an afternoon (`afternoon.py`).

    SPIKEFAB_DATA=... python -m benchmarks.fit OUT.json [--runs 3] [--seeds 5]

Time: `fit` with its defaults, all models at word 18, and the script's AdEx alone with 10,000 evaluations, in turns on
`RECORDINGS[0]`: medians of the runs and their ratio. Both are told to compile beforehand.
Quality: held-out score of our fixed-point AdEx, with the default budget, and of the script's, over seeds and recordings: the
medians of all of them, and of each recording. Ends with status 8 where the ratio is above 3 or our median above the script's.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from spikefab import fit, read
from spikefab.fit.options import FitOptions

from . import running

RECORDINGS = (
    "pyABF/18713001.abf",
    "neuroptimus/ca3_pc_v2_4_with_current.csv",
    "NWBShowcase/LantyerEtAl2018_180817_ME_9_CC.nwb",
)
LONGEST = 3.0  # factor by which spikefab may take longer than the script


def script(path: Path, seed: int, evaluations: int) -> dict[str, Any]:
    """What the script prints: it runs by itself, as a user's would."""
    command = [sys.executable, "-m", "benchmarks.afternoon", str(path), "--seed", str(seed)]
    command += ["--evaluations", str(evaluations)]
    done = subprocess.run(command, cwd=running.ROOT, check=True, capture_output=True, text=True, encoding="utf-8")
    return json.loads(done.stdout)


def ours(path: Path, budget: int) -> tuple[float, dict[str, Any]]:
    """Seconds of the default fit of all models, reading included, and how its models came out."""
    begun = time.perf_counter()
    results = fit(read(path), budget=budget)
    seconds = time.perf_counter() - begun
    return seconds, {"scores": {r.model_name: r.combined_score for r in results}, "ended_early": results.ended_early}


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=FitOptions.budget, help="evaluations a model of ours")
    parser.add_argument("--evaluations", type=int, default=10_000, help="of the script")
    options = parser.parse_args()
    data = running.data()
    first = data / RECORDINGS[0]
    fit(read(first), budget=64)  # compiles kernels that are not in the cache
    times = []
    for seed in range(options.runs):
        seconds, ranking = ours(first, options.budget)
        times.append({"ours": seconds, "script": script(first, seed, options.evaluations)["seconds"], **ranking})
        print(f"all models {seconds:.1f} s, the script's AdEx {times[-1]['script']:.1f} s", flush=True)
    ratio = median(t["ours"] for t in times) / median(t["script"] for t in times)
    print(f"ratio of medians {ratio:.2f} (at most {LONGEST:g} wanted)", flush=True)
    rows = []
    for name in RECORDINGS:
        for seed in range(options.seeds):
            (mine,) = fit(read(data / name), models=["AdEx"], budget=options.budget, seed=seed)
            theirs = script(data / name, seed, options.evaluations)
            rows.append(
                {
                    "recording": name,
                    "seed": seed,
                    "ours": {"train": mine.train.combined_score, "held_out": mine.combined_score},
                    "script": {part: theirs[part]["combined_score"] for part in ("train", "held_out")},
                }
            )
        part = [row for row in rows if row["recording"] == name]
        told = "  ".join(
            f"{who} {median(r[who]['held_out'] for r in part):.3f} (training {median(r[who]['train'] for r in part):.3f})"
            for who in ("ours", "script")
        )
        print(f"{name}: held out, median of {len(part)} seeds: {told}", flush=True)
    medians = {who: median(row[who]["held_out"] for row in rows) for who in ("ours", "script")}
    print(f"all: ours {medians['ours']:.3f}, the script's {medians['script']:.3f}", flush=True)
    content = running.head("numpy", "scipy", "numba", "cmaes") | {
        "budget": options.budget,
        "ratio": ratio,
        "times": times,
        "medians": medians,
        "rows": rows,
    }
    running.write(options.output, content)
    return running.MISSED if ratio > LONGEST or medians["ours"] > medians["script"] else 0


if __name__ == "__main__":
    sys.exit(main())
