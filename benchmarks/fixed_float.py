"""What fixed point costs a fit: the same codes in float64, and the same search in float64, on three recordings.

    SPIKEFAB_DATA=... python -m benchmarks.fixed_float benchmarks/results/fixed_float.json
        [--models LIF,AdEx] [--recordings steps,noise,barrel] [--seeds 5] [--budget 20000]
    python -m benchmarks.fixed_float benchmarks/results/fixed_float.json --page docs/fixed-float.md    (runs nothing)

Each model is fitted alone, at word 18 and dt = 0.1 ms, with `fit`'s own rule of what is held out. *Same codes*: the fixed-point
fit's `combined_score`, and that of its parameters in the float64 ideal. *Search*: `fit` once more, with the same seed, screen,
CMA-ES, loss and box, where neither parameters nor current nor anything computed has a format: each candidate is the ideal
(`sim.engine.Float64`) with the parameters of its point. Only a refractory time is still whole steps, as in the ideal, and what
clamps in the equations still clamps.

Gates, for each model and recording: the same codes differ by at most 2 % in every seed's fit, and the fixed-point search's
median over seeds is at most 5 % above the float64 search's, both held out. Ends with status 8 if one is missed. Some hours; rows
that the file already has, of the same settings and code, are not run again.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from spikefab import Recording, fit, read
from spikefab.fit import fitting
from spikefab.fit.options import FitOptions
from spikefab.fit.results import FitResult
from spikefab.hw.datapath import Datapath, datapath
from spikefab.hw.models import MODELS
from spikefab.sim.engine import Engine, FixedPoint, Float64

from . import running

DT, WORD = 0.1, 18
SAME_CODES, SEARCH = 2.0, 5.0  # %
RECORDINGS = {
    "steps": ("pyABF/18713001.abf", "regular spiking, steps"),
    "noise": ("QSNMC2007/challengeA_set04_4reps.csv", "L5 pyramid, in-vivo-like noise, four repeats"),
    "barrel": ("NWBShowcase/LantyerEtAl2018_180817_ME_9_CC.nwb", "barrel cortex, steps"),
}
DECIDES = (
    "fit/fitting", "fit/freedom", "fit/search/loss", "fit/search/search", "fit/search/searches", "fit/search/space",
    "fit/features/measured", "fit/scoring/scores", "fit/scoring/split", "fit/scoring/task", "fit/recordings/spikes",
    "sim/elementary", "sim/engine", "sim/ideal_kernel",
)  # fmt: skip
Scores = dict[str, dict[str, float]]


# -- a row: one model, one recording, one seed -----------------------------------------------------------------------


@cache
def code() -> str:
    """Of all that decides what a search finds: a row is kept as long as none of it changes."""
    root = Path(fitting.__file__).parents[1]
    said = [(root / f"{name}.py").read_text(encoding="utf-8") for name in DECIDES]
    for model in MODELS.values():
        for choice in model.tried:
            said += datapath(model.variant(**choice), WORD, DT).trace.lines()
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


def head(recording: str, model: str, seed: int, budget: int) -> dict[str, Any]:
    """What says whether a row is the one that is wanted."""
    return {"recording": recording, "model": model, "seed": seed, "budget": budget, "word": WORD, "dt": DT,
            "version": version("spikefab"), "code": code()}  # fmt: skip


def told(scores: Mapping[str, Any]) -> Scores:
    """What a row keeps of the scores on either part."""
    names = ("combined_score", "masked_rmse", "timing", "count", "spikes_model")
    return {part: {name: getattr(scores[part], name) for name in names} for part in ("train", "held_out")}


def run(recording: Recording, model: str, seed: int, budget: int) -> dict[str, Any]:
    """Both fits of a model: scores in fixed point, of the same codes in float64, and of the float64 search."""

    def one(engine: Callable[[Datapath], Engine]) -> tuple[FitResult, float]:
        begun = time.perf_counter()
        (result,) = fit(recording, dt=DT, word=WORD, models=[model], budget=budget, seed=seed, engine=engine)
        return result, round(time.perf_counter() - begun, 1)

    fixed, fixed_seconds = one(FixedPoint)
    real, real_seconds = one(Float64)
    return {
        "fixed": told(vars(fixed)),
        "same_codes": told(fixed.ideal),
        "float64": told(vars(real)),
        "settings": {"fixed": fixed.settings, "float64": real.settings},
        "seconds": {"fixed": fixed_seconds, "float64": real_seconds},
    }


# -- tables and gates ------------------------------------------------------------------------------------------------


def percent(found: float, wanted: float) -> float:
    """How much more `found` is."""
    return 100 * (found - wanted) / wanted if wanted else 0.0 if found == wanted else float("inf")


def summary(rows: list[dict[str, Any]], part: str = "held_out") -> dict[str, float]:
    """Over the seeds of a model on a recording, of `combined_score`: medians of either search and how they differ; of the
    same codes the median and the largest difference; `apart`, what lies between the seeds of the float64 search, in %.
    """
    fixed, same, real = (
        np.array([row[name][part]["combined_score"] for row in rows]) for name in ("fixed", "same_codes", "float64")
    )
    differ = [abs(percent(a, b)) for a, b in zip(fixed, same, strict=True)]
    f, r = float(np.median(fixed)), float(np.median(real))
    return {
        "same_median": float(np.median(differ)),
        "same_largest": max(differ),
        "same_absolute": float(np.abs(fixed - same).max()),
        "fixed": f,
        "float64": r,
        "percent": percent(f, r),
        "absolute": f - r,
        "apart": 100 * float(np.ptp(real)) / r if r else 0.0,
    }


def groups(rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Rows of each model and recording, in the order of either."""
    found = {(m, r): [row for row in rows if (row["model"], row["recording"]) == (m, r)]
             for m in MODELS for r in RECORDINGS}  # fmt: skip
    return {key: part for key, part in found.items() if part}


def misses(rows: list[dict[str, Any]]) -> list[str]:
    """What the rows fall short of, in words."""
    missed = []
    for (model, recording), part in groups(rows).items():
        x, name = summary(part), f"{model.removesuffix('Neuron')} on {recording}"
        if x["same_largest"] > SAME_CODES:
            beyond = sum(
                abs(percent(*(row[n]["held_out"]["combined_score"] for n in ("fixed", "same_codes")))) > SAME_CODES
                for row in part
            )
            missed.append(
                f"{name}: the same codes differ by up to {x['same_largest']:.1f} % ({x['same_absolute']:.3f}),"
                f" by more than {SAME_CODES:g} % in {beyond} of {len(part)} fits"
            )
        if x["percent"] > SEARCH:
            missed.append(
                f"{name}: the fixed-point search's median is {x['percent']:.1f} % ({x['absolute']:.3f}) above the float64"
                f" search's, whose own seeds lie {x['apart']:.0f} % apart"
            )
    return missed


def line(model: str, recording: str, rows: list[dict[str, Any]]) -> str:
    x, t = summary(rows), summary(rows, "train")
    return "  ".join(
        (
            f"{model.removesuffix('Neuron'):16} {recording:7} {len(rows)} seeds",
            f"same codes {x['same_median']:6.2f} {x['same_largest']:6.2f} %",
            f"fixed {x['fixed']:.3f} float64 {x['float64']:.3f} {x['percent']:+6.1f} % {x['absolute']:+.3f}",
            f"apart {x['apart']:.0f} %",
            f"train: same {t['same_largest']:5.2f} %  {t['fixed']:.3f} {t['float64']:.3f} {t['percent']:+6.1f} %",
        )
    )


PAGE = """\
# Fixed point against float64, in a fit

Does it cost anything that a fit is in fixed point? Hardly: over all {cells} pairs of a model and a recording, the score of
the fixed-point fit and that of a float64 fit differ by {overall:+.1f} % at the median. Two things are compared, for every
model at word {word} and dt = {dt} ms, on three recordings:

* *The same codes*: the held-out score of a fit as the hardware computes it, against the score of the same parameters in
  float64.
* *The search*: `fit` against the same fit in float64. Seeds, starting points, CMA-ES, loss and ranges are the same, but no
  number has a format (`sim/ideal_kernel.py`). Each model is fitted alone, with {budget:,} evaluations and {seeds} seeds.

{recordings}

The columns: *same codes* is the median and the largest difference over the seeds, in % of the score in float64. *fixed,
float64* are the median scores of the two searches (0 is perfect). *%* says how much higher that of the fixed-point search is,
and in brackets how far the scores of the float64 search lie apart from seed to seed (greatest minus least, in % of their
median): a difference well below the number in brackets is chance.

{table}

Where the same codes differ by more than {same:g} %, or the fixed-point search is more than {search:g} % above the float64
search:

{verdict}

Of the {cells} pairs the fixed-point search has the higher score in {above}, the float64 search in the others.

The same on the training part: the largest difference of the same codes, and the difference of the two searches, in %:

{training}

## How it is made

```sh
python -m benchmarks.fixed_float benchmarks/results/fixed_float.json    # SPIKEFAB_DATA names the folder of the recordings
python -m benchmarks.fixed_float benchmarks/results/fixed_float.json --page docs/fixed-float.md
```

The first takes hours, and goes on where it was broken off; the second writes this page. Of {date}, {processor}.
"""


def page(result: Mapping[str, Any], budget: int) -> str:
    """The text of docs/fixed-float.md, from what the results hold of a budget."""
    rows = [row for row in result["rows"] if row["budget"] == budget]
    there = [name for name in RECORDINGS if any(row["recording"] == name for row in rows)]
    held = ["| model | " + " | ".join(f"{n}: same codes | fixed, float64 | %" for n in there) + " |",
            "|---|" + "---|" * 3 * len(there)]  # fmt: skip
    trained = ["| model | " + " | ".join(f"{n}: same codes | search" for n in there) + " |",
               "|---|" + "---|" * 2 * len(there)]  # fmt: skip
    found = groups(rows)
    for model in dict.fromkeys(m for m, _ in found):
        cells, more = [], []
        for name in there:
            if (model, name) in found:
                x, t = (summary(found[model, name], part) for part in ("held_out", "train"))
                cells += [
                    f"{x['same_median']:.2f} / {x['same_largest']:.2f}",
                    f"{x['fixed']:.3f}, {x['float64']:.3f}",
                    f"{x['percent']:+.1f} ({x['apart']:.0f})",
                ]
                more += [f"{t['same_largest']:.2f}", f"{t['percent']:+.1f}"]
            else:
                cells, more = [*cells, *["–"] * 3], [*more, *["–"] * 2]
        label = model.removesuffix("Neuron")
        held.append(f"| {label} | " + " | ".join(cells) + " |")
        trained.append(f"| {label} | " + " | ".join(more) + " |")
    missed, every = misses(rows), [summary(part)["percent"] for part in found.values()]
    if len({row["code"] for row in rows}) > 1:
        print("some rows are of an older code: run the benchmark again before the page is kept", file=sys.stderr)
    return PAGE.format(
        word=WORD, dt=DT, budget=budget, seeds=len({row["seed"] for row in rows}),
        recordings="\n".join(f"* *{name}*: `{RECORDINGS[name][0]}`, {RECORDINGS[name][1]}" for name in there),
        table="\n".join(held), training="\n".join(trained), same=SAME_CODES, search=SEARCH,
        verdict="\n".join(f"* {text}." for text in missed or ["nowhere"]),
        cells=len(every), above=sum(x > 0 for x in every), overall=float(np.median(every)),
        date=result["date"], processor=result["machine"]["processor"],
    )  # fmt: skip


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--models", type=running.model_names, default=list(MODELS), help="such as LIF,AdEx")
    parser.add_argument("--recordings", default=",".join(RECORDINGS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=FitOptions.budget)
    parser.add_argument("--page", type=Path, help="write the page from what OUTPUT has, and run nothing")
    options = parser.parse_args()
    if options.page:
        running.write(options.page, page(json.loads(options.output.read_text(encoding="utf-8")), options.budget))
        return 0
    settings = {"word": WORD, "dt": DT, "gates": {"same_codes": SAME_CODES, "search": SEARCH}, "files": RECORDINGS}
    key = ("recording", "model", "seed", "budget")
    rows = running.Rows(options.output, key, ("numpy", "scipy", "numba", "cmaes"), settings=settings)
    current: list[dict[str, Any]] = []
    for name in options.recordings.split(","):
        recording = read(running.data() / RECORDINGS[name][0])
        for model in options.models:
            for seed in range(options.seeds):
                wanted = head(name, model, seed, options.budget)
                row = rows.find(wanted)
                current.append(row or rows.keep(wanted | run(recording, model, seed, options.budget)))
            part = [row for row in current if (row["model"], row["recording"]) == (model, name)]
            print(line(model, name, part), flush=True)
    missed = misses(current)
    for text in missed:
        print(text, file=sys.stderr)
    return running.MISSED if missed else 0


if __name__ == "__main__":
    sys.exit(main())
