"""What a whole fit costs and is worth, against what a user would write in an afternoon (`afternoon.py`).

    SPIKEFAB_DATA=... python -m benchmarks.fit OUT.json [--runs 5] [--seeds 5]

Time: `fit` with its defaults, all models at word 18, and the script's AdEx alone with 10,000 evaluations, in turns, each in a
process of its own that has compiled before: medians of the runs. On the steps of `18713001.abf` (the script too), the 500 samples
of the tutorial, nine repeats of one noise, and a fast-spiking cell; and on the steps with an empty cache. Two currents with four
repeats each, and with one, get 2,000 evaluations a model, and the last third of all of them is held out.
Quality: held-out score of our fixed-point AdEx, with the default budget, and of the script's, over seeds and recordings: the
medians of all of them, and of each recording. Ends with status 8 where a ratio is above what is wanted (`WANTED`), or our median
above the script's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from spikefab import HodgkinHuxleyNeuron, Recording, fit, read
from spikefab.fit.options import FitOptions

from . import running

RECORDINGS = (
    "pyABF/18713001.abf",
    "neuroptimus/ca3_pc_v2_4_with_current.csv",
    "NWBShowcase/LantyerEtAl2018_180817_ME_9_CC.nwb",
)
REPEATED = ("two currents", "one of each")
CASES = ("steps", "tutorial", "repeats", "barrel", *REPEATED)
ALIKE = 2000  # evaluations of each model where two cases are to do the same
# what is divided by what, and how large it may be
WANTED = {
    ("steps", "script"): 0.8,
    ("tutorial", "script"): 0.15,
    ("two currents", "one of each"): 1.3,
    ("steps, empty cache", "steps"): 2.0,
}


def case(name: str) -> Recording:
    """The recording of a case."""
    data = running.data()
    if name == "tutorial":
        current = np.zeros(500)
        current[50:450] = 10.0
        return Recording.from_arrays(HodgkinHuxleyNeuron().run(current), current, 0.1)
    if name == "repeats":
        whole = read(data / "GIFFittingToolbox/gif_cell3_frozen_noise_9reps.nwb")
        return whole.select([k for k, s in enumerate(whole.sweeps) if len(s.voltage) * whole.dt > 15e3])
    if name in REPEATED:
        sets = [read(data / f"QSNMC2007/challengeA_set{n}_4reps.csv").resample(0.1) for n in ("04", "05")]
        sweeps = [s for r in sets for s in r.sweeps[: 4 if name == "two currents" else 1]]
        return Recording.from_arrays([s.voltage for s in sweeps], [s.current for s in sweeps], 0.1)
    return read(data / RECORDINGS[0 if name == "steps" else 2])


def timed(name: str, budget: int) -> dict[str, Any]:
    """Seconds of the default fit of all models of a case, reading included, and how its models came out."""
    alike: dict[str, Any] = {"held_out": "tail", "budget": min(budget, ALIKE), "whole_budget": True}
    begun = time.perf_counter()
    results = fit(case(name), **(alike if name in REPEATED else {"budget": budget}), progress=False)
    seconds = time.perf_counter() - begun
    return {
        "seconds": seconds,
        "evaluations": results.evaluations,
        "scores": {r.model_name: r.combined_score for r in results},
        "ended_early": results.ended_early,
    }


def apart(*words: str, **environment: str) -> dict[str, Any]:
    """What a module of this package prints, run in a process of its own."""
    command = [sys.executable, "-m", *words]
    done = subprocess.run(
        command, cwd=running.ROOT, check=True, capture_output=True, text=True, encoding="utf-8",
        env={**os.environ, **environment},
    )  # fmt: skip
    return json.loads(done.stdout)


def script(path: Path, seed: int, evaluations: int) -> dict[str, Any]:
    """What the script prints: it runs by itself, as a user's would."""
    return apart("benchmarks.afternoon", str(path), "--seed", str(seed), "--evaluations", str(evaluations))


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cases", default=",".join(CASES), help="some of the cases")
    parser.add_argument("--budget", type=int, default=FitOptions.budget, help="evaluations a model of ours, at most")
    parser.add_argument("--evaluations", type=int, default=10_000, help="of the script")
    parser.add_argument("--one", metavar="CASE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    data = running.data()
    if options.one:
        print(json.dumps(timed(options.one, options.budget)))
        return 0
    first = data / RECORDINGS[0]
    fit(read(first), budget=64)  # compiles kernels that are not in the cache
    times: dict[str, list[dict[str, Any]]] = {}
    for seed in range(options.runs):

        def one(name: str, **environment: str) -> dict[str, Any]:
            return apart(
                "benchmarks.fit", "-", "--one", name, "--budget", str(options.budget), **environment
            )  # fmt: skip

        found = {name: one(name) for name in options.cases.split(",")}
        with tempfile.TemporaryDirectory() as empty:
            found["steps, empty cache"] = one("steps", XDG_CACHE_HOME=empty)
        found["script"] = script(first, seed, options.evaluations)
        for name, what in found.items():
            times.setdefault(name, []).append(what)
        print("  ".join(f"{name} {what['seconds']:.1f} s" for name, what in found.items()), flush=True)
    seconds = {name: median(x["seconds"] for x in found) for name, found in times.items()}
    ratios = {
        f"{a} / {b}": (seconds[a] / seconds[b], most)
        for (a, b), most in WANTED.items()
        if a in seconds and b in seconds
    }
    for name, (ratio, most) in ratios.items():
        print(f"{name}: {ratio:.2f} (at most {most:g} wanted)", flush=True)
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
        "seconds": seconds,
        "ratios": {name: ratio for name, (ratio, _) in ratios.items()},
        "times": times,
        "medians": medians,
        "rows": rows,
    }
    running.write(options.output, content)
    slow = any(ratio > most for ratio, most in ratios.values())
    return running.MISSED if slow or medians["ours"] > medians["script"] else 0


if __name__ == "__main__":
    sys.exit(main())
