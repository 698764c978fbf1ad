"""Does a fit find the model that a recording came from, and its parameters? Synthetic recordings of each of the 15 models.

    python -m benchmarks.recovery OUT.json [--draws 10] [--models LIF,AdEx] [--budget 20000] [--quick]

Recordings are made in float64 by scipy's solve_ivp from equations that are not the models' (`cells.py`,
`synthetic.py`): even draws are steps, odd ones noise; 0.5 mV of recording noise on each. All models are fitted to each.

Recovered: the generating model ranks first, or within max(5 %, 0.02) of first, by held-out score; a model that contains it
(CONTAINS) counts as it. The models so near to the first, it included, are the tie set.

Parameters: *listed*, before the fit, are those whose change by 5 %, up or down, moves the training loss at the true
parameters by more than 10 % of it; they should come back within 5 %. 5 % of a potential is 5 % of its distance from where
the cell rests, and of the resting or leak potential itself 5 % of the distance from rest to the onset of a spike; of
anything else 5 % of its value. Losses are kept beside: where the least is near 0, anything moves it by 10 %. Not
parameters of a cell, and left out: the level at which a fit counts a spike that is part of the solution. Where only a
combination of parameters is determined by the equations, it is what is compared, in place of the one that is moved:

    ThetaNeuron          eta/tau^2, k_I/tau^2 and S tau: y = tan(theta/2) has no scale but that of its read-out's limits, 8 S
                         to either side, which are reached within tau/8 of a spike, where no score looks
    HindmarshRoseNeuron  I_0 + s (x_R + 1.6): z has no origin

Draws already in OUT.json with the same settings are skipped, so that a run can be broken off, taken up again, and made in
parts: --models and --draws 3:5. The first draw of every model comes first.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from spikefab import fit
from spikefab.fit.assess import assess
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import Loss
from spikefab.sim.engine import FixedPoint

from . import running
from .cells import CELLS
from .recovery_page import MOST_TIED, REQUIRED, page, summary, within
from .recovery_parameters import WORD, compared, outside, sensitivity, true_datapath, true_params
from .synthetic import DT, NOISE, Made, make_recording

NEAR = 0.05  # a model is tied with the first if its score is within this share of the first's score
NEAR_LEAST = 0.02  # a model is also tied with the first if their scores differ by no more than this

# model -> models that contain it as a special case within the bounds that a fit searches. There are no other such pairs: QIF
# without recovery would be Izhikevich's model but for the refractory time, which that does not have; an alpha synapse with
# the smallest tau_s still delays by 0.4 ms; Izhikevich's parabola never becomes a line or an exponential; MAT has no reset;
# and no other model has a resonance.
CONTAINS = {
    # LIF with V_reset = E_L and t_ref = 0 is Lapicque's model; the others contain LIF
    "LapicqueNeuron": {"LIFNeuron", "ExpIFNeuron", "AdExNeuron"},
    # with the smallest Delta_T, 0.2 mV, the upstroke is as sharp as a threshold (Euler's delay on it is compensated by V_T and
    # t_ref: such fits score within 0.02 of those of LIF)
    "LIFNeuron": {"ExpIFNeuron", "AdExNeuron"},
    # AdEx with a = b = 0 is ExpIF
    "ExpIFNeuron": {"AdExNeuron"},
    # the theta model is QIF in other units; the time from -infinity to the reset corresponds to a refractory time
    "ThetaNeuron": {"QuadraticIFNeuron"},
    # GLIF whose threshold does not follow the voltage (kappa = 0) is MAT
    "MATNeuron": {"GLIFNeuron"},
}


# -- draws -----------------------------------------------------------------------------------------------------------


def recorded(name: str, draw: int) -> tuple[Made, Counter[str]]:
    """A recording, and why earlier tries at the same draw were none."""
    rng = np.random.default_rng([list(CELLS).index(name), draw])
    rejected: Counter[str] = Counter()
    while isinstance(made := make_recording(CELLS[name], rng, bool(draw % 2)), str):
        rejected[made] += 1
    return made, rejected


def run_draw(name: str, draw: int, budget: int) -> dict[str, Any]:
    """One recording, all models fitted, who came first, and the parameters of the model that made it."""
    made, rejected = recorded(name, draw)
    params, task = made.params, Task.of(made.recording, DT)
    dp = true_datapath(name, params, task)
    true = assess(FixedPoint(dp), task, dp.quantise(true_params(dp, params, task))[0])
    loss, parameters = sensitivity(name, params, task)
    begun = time.perf_counter()
    results = fit(made.recording, dt=DT, top_k=len(CELLS), word=WORD, budget=budget, seed=0)
    seconds = time.perf_counter() - begun
    scores = {r.model_name: r.combined_score for r in results}
    first = results.best.model_name
    limit = scores[first] + max(NEAR * scores[first], NEAR_LEAST)
    tied = [n for n, score in scores.items() if score <= limit]
    own = next(r for r in results if r.model_name == name)
    same = own.settings == true.settings  # the parameters can be compared only with the same kinetics
    if same:
        compared(name, params, own.params, parameters)
        fitted_loss = float(Loss(FixedPoint(dp), task)(np.array([list(own.codes.values())]))[0])
    return {
        "model": name,
        "draw": draw,
        "stimulus": "noise" if draw % 2 else "steps",
        "params": params,
        "rejected": dict(rejected),
        "held_out_spikes": made.held_out,
        "outside_search": outside(name, params, task),
        "true": {
            "loss": loss,
            "train": true.train.combined_score,
            "held_out": true.combined_score,
        },
        "parameters": parameters,
        "scores": scores,
        "train": {r.model_name: r.train.combined_score for r in results},
        "ended_early": results.ended_early,
        "settings": own.settings,
        "fitted": own.params,
        "fitted_loss": fitted_loss if same else None,
        "first": first,
        "tied": tied,
        "recovered": name in tied,
        "recovered_or_contained": any(n in tied for n in (name, *CONTAINS.get(name, ()))),
        "seconds": round(seconds, 1),
    }


# -- what came out ---------------------------------------------------------------------------------------------------


def line(row: dict[str, Any]) -> str:
    scores, name = row["scores"], row["model"]
    mark = "yes" if row["recovered"] else "as one that contains it" if row["recovered_or_contained"] else "NO"
    close, listed = within(row)
    return (
        f"{name.removesuffix('Neuron'):15} {row['draw']:3} {row['stimulus']:6} {row['held_out_spikes']:6}"
        f" {row['true']['held_out']:6.3f} {scores[name]:6.3f} {scores[row['first']]:6.3f}"
        f" {row['first'].removesuffix('Neuron'):15} {len(row['tied']):4} {close:3} of {listed:2}"
        f" {row['seconds']:6.0f}  {mark}"
    )


def numbers(text: str) -> range:
    """`10` is the first ten, `3:5` the fourth and fifth."""
    first, _, last = text.rpartition(":")
    return range(int(first or 0), int(last))


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--draws", type=numbers, default=range(10), help="of each model: how many, or FROM:TO")
    parser.add_argument("--models", type=running.model_names, default=list(CELLS), help="that generate: LIF,AdEx")
    parser.add_argument("--budget", type=int, default=20_000, help="evaluations a fit of a model")
    parser.add_argument("--quick", action="store_true", help="2 draws, 2,000 evaluations: to see that it runs")
    parser.add_argument("--page", type=Path, help="write the page from what OUT.json has, and run nothing")
    options = parser.parse_args()
    if options.page:
        running.write(options.page, page(json.loads(options.output.read_text(encoding="utf-8"))))
        return 0
    draws, budget = (range(2), 2000) if options.quick else (options.draws, options.budget)
    settings = {"models": len(CELLS), "budget": budget, "dt": DT, "noise": NOISE, "word": WORD, "seed": 0}
    rows = running.Rows(
        options.output, ("draw", "model"), ("numpy", "scipy", "numba", "cmaes"), settings=settings,
        summary=lambda rows: {"summary": summary(rows)}, order=lambda row: (row["draw"], list(CELLS).index(row["model"])),
    )  # fmt: skip
    print("generated by    no. input  spikes   true    fit  first by              ties   known seconds  recovered")
    for draw in draws:
        for name in options.models:
            row = rows.find({"draw": draw, "model": name}) or rows.keep(run_draw(name, draw, budget))
            print(line(row), flush=True)
    every = summary(rows.rows)
    for name, found in every.items():
        print(
            f"{name}: {found['recovered']} of {found['draws']} recovered ({found['recovered_itself']} as themselves),"
            f" median tie set {found['median_tied']:g}, {found['within']} of {found['listed']} listed parameters within 5 %"
        )
    found = every["all"]
    print(f"required: {REQUIRED:.0%} of all draws and a median tie set of at most {MOST_TIED}: {found['share']:.0%}")
    return 0 if found["share"] >= REQUIRED and found["median_tied"] <= MOST_TIED else running.MISSED


if __name__ == "__main__":
    sys.exit(main())
