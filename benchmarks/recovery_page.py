"""What the draws of `recovery.py` come to, and the text of docs/recovery.md."""

from collections import Counter
from collections.abc import Mapping
from statistics import median
from typing import Any

from .cells import CELLS

REQUIRED = 0.85  # share of all draws in which the true model must be recovered
MOST_TIED = 3  # median number of models that may be tied with the first


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


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of all draws, and of those of each model."""
    names = [name for name in CELLS if any(row["model"] == name for row in rows)]
    return {"all": summed(rows)} | {name: summed([r for r in rows if r["model"] == name]) for name in names}


PAGE = """\
# Recovery: does a fit find the model that a recording came from?

{made} recordings were made with known models and fitted with all models. In {share:.0%} of them the model that made the
recording is found. Its parameters come back less often: of those that shape the recording, {close} of {listed} were within 5
% of the true value. So a good rank says which model describes a cell; it does not make each fitted parameter a measurement.
What a recording says of a parameter is in `sensitivity` of a result.

{each} recordings were made with each of {models} models, with parameters drawn at random from plausible ranges. They are
solutions in continuous time, by scipy's `solve_ivp` in float64, of equations that were typed independently of the models
(`sim/continuous.py`). Half of them are driven by steps, half by noise; {noise} mV of recording noise is added. A recording is
drawn again if `find_spikes` does not find exactly the spikes that were generated, if fewer than five of them are in the
held-out sweeps, or if the neuron is chaotic, so that its spikes take another course after the least disturbance.

All models are fitted to each, at word {word} and dt = {dt} ms with {budget:,} evaluations a model.

* *recovered*: the model that made the recording ranks first on the held-out sweeps, or its score is within 5 %, or within
  0.02, of the first. A model of which it is a special case counts as well.
* *itself*: the same without such more general models.
* *median tie set*: how many models are so near to the first, median over the recordings.
* *within 5 %*: of the parameters that shape the recording, how many came back within 5 % of their true value (of a potential:
  within 5 % of its distance from rest). A parameter shapes a recording if changing it by 5 % changes the training loss by
  more than 10 %.

| made by | recovered | itself | median tie set | came first | within 5 % |
|---|---|---|---|---|---|
{table}

Over all recordings the median tie set is {tied:g}.

Why some parameters do not come back: mostly not because the search missed them. In {lower} of the {own} recordings whose
model was found in the right variant, the fitted parameters have a *lower* training loss than the true ones (medians
{fitted:.3f} and {true:.3f}). The hardware steps by {dt} ms, the recordings are of continuous time, and at that step another
set of parameters comes nearer to them than the set that made them.

{outside}

Measured {date} on {cpus} cores ({processor}), {minutes:.0f} minutes of fitting; {versions}. All draws, with true and fitted
parameters and their losses, are in `benchmarks/results/recovery.json`. To run it again (a run that is broken off goes on
where it was) and to write this page:

```sh
python -m benchmarks.recovery benchmarks/results/recovery.json
python -m benchmarks.recovery benchmarks/results/recovery.json --page docs/recovery.md
python -m benchmarks.recovery quick.json --quick        # two draws, small budget: does it run?
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
        outside = f"Not recovered (number of the recording, held-out score, and that of the first): {which}."
        outside += f" In {beyond} of these {len(missed)} a true parameter lies outside of the range that is searched."
    same = [row for row in rows if row["fitted_loss"] is not None]
    settings, where = result["settings"], result["machine"]
    return PAGE.format(
        made=len(rows), each=max(result["summary"][r["model"]]["draws"] for r in rows), models=len(table),
        noise=settings["noise"], word=settings["word"], dt=settings["dt"], budget=settings["budget"],
        table="\n".join(table), share=every["share"], tied=every["median_tied"],
        close=every["within"], listed=every["listed"],
        lower=sum(row["fitted_loss"] < row["true"]["loss"] for row in same), own=len(same),
        fitted=median(row["fitted_loss"] for row in same), true=median(row["true"]["loss"] for row in same),
        outside=outside, date=result["date"], cpus=where["cpus"],
        processor=where["processor"], minutes=every["seconds"] / 60,
        versions=", ".join(f"{k} {v}" for k, v in result["versions"].items()),
    )  # fmt: skip
