"""Does a fit find the model that a recording came from, and its parameters? Synthetic recordings of each of the 14 models.

    python benchmarks/recovery.py OUT.json [--draws 10] [--models LIFNeuron ...] [--budget 20000] [--quick]

Recordings are made in float64 by scipy's solve_ivp from equations with no spikefab code in them (`cells.py`,
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

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # however this file was found

from cells import CELLS, X_R, Params
from machine import machine, versions, write
from synthetic import DT, NOISE, Made, make_recording

from spikefab import fit
from spikefab.fit.assess import assess
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import Loss
from spikefab.fit.search.space import bounds, unsearched
from spikefab.hw.datapath import Datapath, datapath
from spikefab.hw.models import get_model
from spikefab.sim.engine import FixedPoint

WORD = 18
REQUIRED = 0.85  # share of all draws
NEAR, NEAR_LEAST = 0.05, 0.02  # of the first's score, and in score: who is so near is tied with it
MOST_TIED = 3  # the median
CHANGE = 0.05  # of a parameter
MOVES = 0.1  # share of the loss: a change that moves it by more says that the parameter can be known

# Who contains whom, within the bounds that a fit searches. Nobody else does: QIF is Izhikevich's model without recovery but
# for the refractory time, which that has not; behind its least tau_s an alpha synapse is still 0.4 ms late; Izhikevich's
# parabola never becomes a line, nor an exponential; MAT has no reset to give up; a resonance is nobody else's.
CONTAINS = {
    # LIF: V_reset = E_L, t_ref = 0. The others, as they contain LIF.
    "LapicqueNeuron": {"LIFNeuron", "ExpIFNeuron", "AdExNeuron"},
    # With the least Delta_T, 0.2 mV, the upstroke takes over within a mV: a threshold. (What Euler is late on it, V_T and
    # t_ref give back: such fits come within 0.02 of LIF's.)
    "LIFNeuron": {"ExpIFNeuron", "AdExNeuron"},
    # a = b = 0: the same update.
    "ExpIFNeuron": {"AdExNeuron"},
    # tau y' = y^2 + eta + k_I I is QIF in mV, and the time from -inf to a reset is refractory time.
    "ThetaNeuron": {"QuadraticIFNeuron"},
}


# -- parameters that can be known ------------------------------------------------------------------------------------

RESTS = {"E_L", "v_r"}
POTENTIALS = {
    "V_th", "V_T", "V_c", "v_t", "V_reset", "c", "V_peak", "v_peak", "E_Na", "E_K", "E_Ca", "V_1", "V_3", "V_0",
}  # fmt: skip


def settings(p: Mapping[str, Any]) -> dict[str, Any]:
    return {"kinetics": p["kinetics"]} if "kinetics" in p else {}


def true_datapath(name: str, p: Params, task: Task) -> Datapath:
    return datapath(get_model(name).variant(**settings(p)), WORD, DT, task.i_span)


def true_params(dp: Datapath, p: Params, task: Task) -> Params:
    """With the level at which a fit counts spikes that are part of the solution: halfway up the recording's."""
    return p | ({"V_spike": task.measured.half} if "V_spike" in dp.params else {})


def scales(name: str, p: Params, task: Task) -> dict[str, float]:
    """What 100 % of each parameter is, in its unit."""
    rest = float(np.median([s.voltage[: round(40 / DT)] for s in task.recording.sweeps]))
    assert task.measured.onset is not None
    found = {}
    for n, value in p.items():
        if n in RESTS:
            found[n] = task.measured.onset - rest
        elif n in POTENTIALS:
            # the squid's V_T is a shift: what it shifts, sodium's activation, begins at -40 mV
            found[n] = abs(value - rest - (40 if p.get("kinetics") == "1952" and n == "V_T" else 0))
        elif not isinstance(value, str):
            found[n] = abs(value)
    return found


def determined(name: str, p: Mapping[str, float]) -> dict[str, float]:
    """What the equations determine, by the parameter that stands for it."""
    found = {n: value for n, value in p.items() if n not in ("V_spike", "kinetics")}
    if name == "ThetaNeuron":
        tau = found.pop("tau")
        found |= {"eta": p["eta"] / tau**2, "k_I": p["k_I"] / tau**2, "S": p["S"] * tau}
    if name == "HindmarshRoseNeuron":
        found["I_0"] += p["s"] * (found.pop("x_R") - X_R)
    return found


def sensitivity(name: str, p: Params, task: Task) -> tuple[float, dict[str, dict[str, Any]]]:
    """The training loss at the true parameters, and by parameter what it is 5 % below and above, and whether it is listed."""
    dp, scale = true_datapath(name, p, task), scales(name, p, task)
    full, names = true_params(dp, p, task), list(determined(name, p))
    around = [full | {n: full[n] + sign * CHANGE * scale[n]} for n in names for sign in (-1, 1)]
    losses = Loss(FixedPoint(dp), task)(np.concatenate([dp.quantise(q) for q in (full, *around)]))
    loss = float(losses[0])
    found = {}
    for n, (below, above) in zip(names, losses[1:].reshape(-1, 2).tolist(), strict=True):
        listed = max(abs(below - loss), abs(above - loss)) > MOVES * loss
        found[n] = {"scale": scale[n], "loss_below": below, "loss_above": above, "listed": listed}
    return loss, found


def compared(name: str, p: Params, fitted: Mapping[str, float], listed: dict[str, dict[str, Any]]) -> None:
    """Adds true and fitted values, the error in units of 100 %, and whether it is within 5 %."""
    true, found = determined(name, p), determined(name, fitted)
    for n, row in listed.items():
        # of a combination, which a change by 5 % of its own parameter changes by 5 % as well
        scale = abs(true[n]) if true[n] != p[n] else row["scale"]
        error = (found[n] - true[n]) / scale if scale else None
        row |= {"true": true[n], "fitted": found[n], "error": error}
        row["within"] = error is not None and abs(error) <= CHANGE


def outside(name: str, p: Params, task: Task) -> list[str]:
    """Parameters that lie outside the range that a fit searches."""
    dp = true_datapath(name, p, task)
    found = []
    for n in dp.params:
        if n in p and n not in unsearched(dp.params):
            low, high = bounds(dp, n, task.measured)
            value = p[n] / p["C"] if dp.params[n].per_nF is not None else p[n]
            if not low <= value <= high:
                found.append(n)
    return found


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
    same = own.settings == true.settings  # other kinetics have other parameters
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
            "train": true.train["combined_score"],
            "held_out": true.combined_score,
        },
        "parameters": parameters,
        "scores": scores,
        "train": {r.model_name: r.train["combined_score"] for r in results},
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


def within(row: dict[str, Any]) -> tuple[int, int]:
    """Listed parameters that came back within 5 %, and all that were listed."""
    listed = [q for q in row["parameters"].values() if q["listed"]]
    return sum(q.get("within", False) for q in listed), len(listed)


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    close, listed = (sum(counts) for counts in zip(*map(within, rows), strict=True))
    return {
        "draws": len(rows),
        "recovered": sum(row["recovered_or_contained"] for row in rows),
        "recovered_itself": sum(row["recovered"] for row in rows),
        "share": sum(row["recovered_or_contained"] for row in rows) / len(rows),
        "median_tied": median(len(row["tied"]) for row in rows),
        "listed": listed,
        "within": close,
        "within_share": close / listed if listed else None,
        "rejected": sum(sum(row["rejected"].values()) for row in rows),
        "seconds": round(sum(row["seconds"] for row in rows), 1),
    }


def report(rows: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in CELLS if any(row["model"] == name for row in rows)]
    summary = {"all": summed(rows)} | {name: summed([r for r in rows if r["model"] == name]) for name in names}
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions("spikefab", "numpy", "scipy", "numba", "cmaes"),
        "machine": machine(),
        "settings": settings,
        "summary": summary,
        "rows": rows,
    }


def load(path: Path, settings: dict[str, Any]) -> dict[tuple[int, str], dict[str, Any]]:
    """Draws that are done, by number and model."""
    if not path.exists():
        return {}
    before = json.loads(path.read_text())
    if before["settings"] != settings:
        raise SystemExit(
            f"{path} holds draws of other settings, {before['settings']}: move it away, or name another file."
        )
    return {(row["draw"], row["model"]): row for row in before["rows"]}


def save(path: Path, done: dict[tuple[int, str], dict[str, Any]], settings: dict[str, Any]) -> None:
    order = sorted(done, key=lambda key: (key[0], list(CELLS).index(key[1])))
    write(path, json.dumps(report([done[k] for k in order], settings), indent=1, allow_nan=False) + "\n")


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


PAGE = """\
# Recovery: does a fit find the model that a recording came from?

{made} synthetic recordings, {each} from each of {models} models, with parameters drawn at random from plausible ranges. scipy's
`solve_ivp` makes them in float64 and continuous time, from equations typed in `benchmarks/cells.py` and not from spikefab's.
Even draws are steps, odd ones noise; {noise} mV of recording noise is added. A draw counts only where `find_spikes` finds exactly
the spikes that were generated, and at least five of them in the sweeps that are held out; others are drawn again. Nor does
one whose spikes follow another course after the least disturbance (chaos).

All models are fitted to each, at word {word} and dt = {dt} ms with {budget:,} evaluations a model. A recording is *recovered* if
the model that made it ranks first on the held-out sweeps, or within max(5 %, 0.02) of first; a model that contains it (the
benchmark lists which) counts as it. *Tie set*: the models so near to the first.

A parameter is *listed*, before fitting, if 5 % more or less of it moves the training loss at the true parameters by more than
10 %; how many came back within 5 % is in the last column. (5 % of a potential: of its distance from rest.)

| generated by | recovered | itself | median tie set | came first | listed within 5 % |
|---|---|---|---|---|---|
{table}

**Required**: at least {required:.0%} of all draws recovered ({share:.0%}), a median tie set of at most {most} ({tied:g}), and every
listed parameter within 5 % ({close} of {listed}).

Not every listed parameter comes back, and mostly not for want of search: in {lower} of the {own} draws whose variant was
found, the fitted parameters have a lower training loss than the true ones (medians {fitted:.3f} and {true:.3f}). The recordings
are solutions in continuous time; at a step of {dt} ms another set of parameters is nearer to them than the one that made
them. And as the least loss is small, nearly everything moves it by 10 %.

{outside}

Measured {date} on {cpus} cores ({processor}), {minutes:.0f} minutes of fitting; {versions}. All draws, with true and fitted
parameters and their losses, are in `benchmarks/results/recovery.json`. To run it again (a run that is broken off goes on where
it was) and to write this page:

```
python benchmarks/recovery.py benchmarks/results/recovery.json
python benchmarks/recovery.py benchmarks/results/recovery.json --page docs/recovery.md
python benchmarks/recovery.py quick.json --quick        # two draws, small budget: does it run?
```
"""


def page(result: Mapping[str, Any]) -> str:
    """The text of docs/recovery.md."""
    rows, every = result["rows"], result["summary"]["all"]
    table = []
    for name in CELLS:
        own = [row for row in rows if row["model"] == name]
        if own:
            found = result["summary"][name]
            firsts = Counter(row["first"].removesuffix("Neuron") for row in own).most_common()
            cells = [
                name.removesuffix("Neuron"),
                f"{found['recovered']} of {found['draws']}",
                f"{found['recovered_itself']}",
                f"{found['median_tied']:g}",
                ", ".join(f"{who} {n}" for who, n in firsts),
                f"{found['within']} of {found['listed']}",
            ]
            table.append(f"| {' | '.join(cells)} |")
    missed = [row for row in rows if not row["recovered_or_contained"]]
    beyond = sum(bool(set(row["outside_search"]) & set(row["parameters"])) for row in missed)
    outside = "Every draw was recovered."
    if missed:
        which = ", ".join(
            f"{row['model'].removesuffix('Neuron')} {row['draw']} ({row['scores'][row['model']]:.3f}, first"
            f" {row['first'].removesuffix('Neuron')} {row['scores'][row['first']]:.3f})"
            for row in missed
        )
        outside = f"Not recovered (held-out score, and the first's): {which}. In {beyond} of these {len(missed)}"
        outside += " a true parameter lies outside of what is searched."
    same = [row for row in rows if row["fitted_loss"] is not None]
    settings, where = result["settings"], result["machine"]
    return PAGE.format(
        made=len(rows), each=max(result["summary"][r["model"]]["draws"] for r in rows), models=len(table),
        noise=settings["noise"], word=settings["word"], dt=settings["dt"], budget=settings["budget"],
        table="\n".join(table), required=REQUIRED, share=every["share"], most=MOST_TIED, tied=every["median_tied"],
        close=every["within"], listed=every["listed"],
        lower=sum(row["fitted_loss"] < row["true"]["loss"] for row in same), own=len(same),
        fitted=median(row["fitted_loss"] for row in same), true=median(row["true"]["loss"] for row in same),
        outside=outside, date=result["date"], cpus=where["cpus"],
        processor=where["processor"], minutes=every["seconds"] / 60,
        versions=", ".join(f"{k} {v}" for k, v in result["versions"].items()),
    )  # fmt: skip


def numbers(text: str) -> range:
    """`10` is the first ten, `3:5` the fourth and fifth."""
    first, _, last = text.rpartition(":")
    return range(int(first or 0), int(last))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--draws", type=numbers, default=range(10), help="of each model: how many, or FROM:TO")
    parser.add_argument(
        "--models", nargs="+", default=list(CELLS), choices=CELLS, metavar="MODEL", help="that generate"
    )
    parser.add_argument("--budget", type=int, default=20_000, help="evaluations a fit of a model")
    parser.add_argument("--quick", action="store_true", help="2 draws, 2,000 evaluations: to see that it runs")
    parser.add_argument("--page", type=Path, help="write the page from what OUT.json has, and run nothing")
    options = parser.parse_args()
    if options.page:
        write(options.page, page(json.loads(options.out.read_text())))
        return 0
    draws, budget = (range(2), 2000) if options.quick else (options.draws, options.budget)
    settings = {"models": len(CELLS), "budget": budget, "dt": DT, "noise": NOISE, "word": WORD, "seed": 0}
    done = load(options.out, settings)
    print("generated by    no. input  spikes   true    fit  first by              ties   known seconds  recovered")
    for draw in draws:
        for name in options.models:
            if (draw, name) not in done:
                row = run_draw(name, draw, budget)
                done = load(options.out, settings) | {(draw, name): row}  # another part may have been at work
                save(options.out, done, settings)
            print(line(done[draw, name]), flush=True)
    summary = report(list(done.values()), settings)["summary"]
    for name, found in summary.items():
        print(
            f"{name}: {found['recovered']} of {found['draws']} recovered ({found['recovered_itself']} as themselves),"
            f" median tie set {found['median_tied']:g}, {found['within']} of {found['listed']} listed parameters within 5 %"
        )
    found = summary["all"]
    print(f"required: {REQUIRED:.0%} of all draws and a median tie set of at most {MOST_TIED}: {found['share']:.0%}")
    return 0 if found["share"] >= REQUIRED and found["median_tied"] <= MOST_TIED else 1


if __name__ == "__main__":
    sys.exit(main())
