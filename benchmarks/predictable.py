"""How stable a ranking is where a cell does not determine its single spikes: the score as it is, and with spike times only.

    SPIKEFAB_DATA=... python -m benchmarks.predictable benchmarks/results/predictable.json
    python -m benchmarks.predictable benchmarks/results/predictable.json --page docs/predictable.md    (fits nothing)

The neighbour oracle of every recording with steps is read: it predicts a sweep from those of the two neighbouring amplitudes.
The recordings whose oracle has a `timing` above 0.65, and made ones, are fitted once, at word 18, and the spikes of all models
in the held-out sweeps are kept. Then the held-out sweeps are drawn again and again, with repetition; Kendall's tau between
the rankings of two draws, as a mean over all pairs of draws, says how stable the ranking is. *With spike times only*, the
timing term is `timing`, as it was before the oracle had a say. Ends with status 8 if the score as it is ranks less stably
on any of them. Fits that the file already has are not run again; rankings are computed anew.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from spikefab import Recording, read
from spikefab.fit.assess import assess
from spikefab.fit.options import FitOptions
from spikefab.fit.result import FitResult
from spikefab.fit.scoring import scores
from spikefab.fit.scoring.pattern import Step, pattern
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.search import Search
from spikefab.fit.search.searches import Searches

from . import running

DT = 0.1  # time step of the hardware and of made recordings, ms
HIGH = 0.65  # timing of the oracle from which on rankings must be more stable
FEWEST = 3  # number of held-out sweeps from which on draws of them differ enough to be compared
DRAWS, MANY = 20, 500  # numbers of resamplings of the held-out sweeps: as required, and for a steadier figure
MODELS = "LIF,QuadraticIF,ExpIF,AdEx,Izhikevich,MAT,Theta,ResonateAndFire"
BEFORE, STEP, AFTER = 50.0, 500.0, 50.0  # ms of a sweep of a made recording

FILES = {
    "18713001": "pyABF/18713001.abf",
    "190619B": "pyABF/190619B_0003.abf",
    "File_axon_5": "pyABF/File_axon_5.abf",
    "PYR2": "NWBShowcase/PYR2.abf",
    "180817_ME_9": "NWBShowcase/LantyerEtAl2018_180817_ME_9_CC.nwb",
    "99111002": "BluePyEfe/99111002.nwb",
    "C010302A1": "QSNMC2007/challengeB_C010302A1_IDRest.csv",
    "C140201C": "QSNMC2007/challengeB_C140201C_IDRest.csv",
    "ca3": "neuroptimus/ca3_pc_v2_4_with_current.csv",
}


def noisy_cell(
    seed: int, amplitudes: np.ndarray, *, tau: float, threshold: float, reset: float, noise: float, adapt: float
) -> Recording:
    """A leaky cell of 100 MOhm with noise of its own, under steps: nobody can know its single spikes.

    amplitudes  nA
    tau         membrane time constant, ms
    threshold, reset  mV; it rests at -70
    noise       of the current that it makes itself, nA rms, with a correlation time of 4 ms
    adapt       nA by which each spike raises a current of 120 ms against the next spikes
    """
    rng, n = np.random.default_rng(seed), round((BEFORE + STEP + AFTER) / DT)
    current = np.zeros((len(amplitudes), n))
    current[:, round(BEFORE / DT) : round((BEFORE + STEP) / DT)] = amplitudes[:, None]
    voltage = np.empty_like(current)
    v, own, w, held = (np.zeros(len(amplitudes)) for _ in range(4))
    v += -70.0
    for k in range(n):
        own += -own * DT / 4.0 + noise * np.sqrt(2 * DT / 4.0) * rng.normal(size=len(v))
        w -= w * DT / 120.0
        free = held <= 0
        v = np.where(free, v + DT / tau * (-70.0 - v + 100.0 * (current[:, k] + own - w)), v)
        held -= DT
        fired = free & (v >= threshold)
        # a spike: threshold, peak one sample later, and back at the reset after 0.4 ms
        voltage[:, k] = np.where(held > 0.8, 20.0, v)
        v[fired], w[fired], held[fired] = reset, w[fired] + adapt, 1.0
        voltage[fired, k] = threshold
    return Recording.from_arrays(voltage + rng.normal(0, 0.3, voltage.shape), current, DT)


MADE: dict[str, tuple[str, Callable[[], Recording]]] = {
    "regular": (
        "made: a regular cell with jitter",
        lambda: noisy_cell(1, np.linspace(0.2, 0.4, 20), tau=20, threshold=-50, reset=-62, noise=0.015, adapt=0.0),
    ),
    "noisy": (
        "made: the same cell with twice the jitter",
        lambda: noisy_cell(2, np.linspace(0.2, 0.4, 20), tau=20, threshold=-50, reset=-62, noise=0.03, adapt=0.0),
    ),
    "fast": (
        "made: a fast-spiking cell with jitter",
        lambda: noisy_cell(3, np.linspace(0.19, 0.4, 20), tau=7, threshold=-52, reset=-66, noise=0.06, adapt=0.0),
    ),
    "adapting": (
        "made: an adapting cell with jitter",
        lambda: noisy_cell(4, np.linspace(0.22, 0.6, 20), tau=20, threshold=-50, reset=-60, noise=0.03, adapt=0.02),
    ),
}


# why a ranking is no more stable
REMARKS = {
    "99111002": (
        "spikefab itself doubts this recording. It rests at -15 mV and fires\nirregularly, even below its baseline current; all"
        " models are silent in half of its held-out sweeps, and are told apart there by the\nvoltage alone"
    )
}


def recording_of(name: str) -> Recording:
    return MADE[name][1]() if name in MADE else read(running.data() / FILES[name])


def oracle(task: Task) -> dict[str, Any]:
    """What the neighbours predict in a recording, and the weight that follows."""
    found, smooth = (task.predictability[kind] for kind in ("neighbours", "interpolated"))
    return {
        "spikes": sum(map(len, task.spikes)),
        "neighbour_timing": None if found is None else found[0],
        "interpolated_timing": None if smooth is None else smooth[0],
        "sweeps": 0 if found is None else found[1],
        "chance": task.chance,
        "timing_weight": task.timing_weight,
    }


def fitted(task: Task, models: list[str], budget: int) -> list[FitResult]:
    """One fit of each model to the training parts of a task."""
    options = FitOptions.of(models=models, budget=budget, top_k=len(models), step=DT)
    searches = Searches(
        options.models, word=options.word, step=DT, budget=budget, top_k=options.top_k, seed=options.seed,
        freedom=options.freedom,
    )  # fmt: skip
    found: dict[str, Search] = {}
    searches.run(task, found)
    return [assess(search.engine, task, search.codes) for search in found.values()]


def kept(task: Task, results: list[FitResult]) -> dict[str, Any]:
    """Of the held-out parts: the step, the recorded spikes, and of each model the voltage error and the spikes."""
    parts = task.split.held_out
    models = {}
    for r in results:
        each = [task.score([p], r.voltages, r.spikes) for p in parts]
        models[r.model_name] = {
            "voltage": [None if s is None else s.voltage for s in each],
            "spikes": [task.within(p, r.spikes[p.sweep]).round(4).tolist() for p in parts],
        }
    steps = [task.steps[p.sweep] for p in parts]
    return {
        "steps": [None if s is None else [s.start, s.stop, s.amplitude] for s in steps],
        "spikes": [task.part_spikes(p).round(4).tolist() for p in parts],
        "models": models,
    }


def totals(row: Mapping[str, Any], drawn: np.ndarray, weight: float) -> list[float]:
    """The combined score of each model over the held-out sweeps `drawn`, with this weight of the spike times."""
    steps = [None if row["steps"][k] is None else Step(*row["steps"][k]) for k in drawn]
    data = [np.array(row["spikes"][k]) for k in drawn]
    taus = [scores.timing_tau(a, False) for a in data]
    found = []
    for model in row["models"].values():
        trains = [np.array(model["spikes"][k]) for k in drawn]
        each = [
            scores.combined_score(
                model["voltage"][k],
                1.0,
                scores.timing_term(scores.timing(a, b, tau), wrong, weight),
                scores.count_error(len(a), len(b)),
            )
            for k, a, b, tau, wrong in zip(drawn, data, trains, taus, pattern(steps, data, trains, taus), strict=True)
        ]
        found.append(float(np.mean(each)))
    return found


def stability(row: Mapping[str, Any], weight: float, draws: int) -> float:
    """Kendall's tau between the rankings of two draws of the held-out sweeps, as a mean over all pairs of draws."""
    rng, sweeps = np.random.default_rng(0), len(row["spikes"])
    ranked = np.array([totals(row, rng.integers(0, sweeps, sweeps), weight) for _ in range(draws)])
    # the sign of the difference of each pair of models in each draw: tau is the mean product of two draws' signs
    first, second = np.array([*combinations(range(ranked.shape[1]), 2)]).T
    signs = np.sign(ranked[:, first] - ranked[:, second])
    agree = signs @ signs.T / signs.shape[1]
    return float((agree.sum() - np.trace(agree)) / (draws * (draws - 1)))


def compared(row: Mapping[str, Any]) -> dict[str, float]:
    """The stability of the score as it is, and with spike times only, over DRAWS and over MANY draws."""
    weights = {"now": row["timing_weight"], "spike_times_only": 1.0}
    return {f"{name}_{n}": stability(row, w, n) for name, w in weights.items() for n in (DRAWS, MANY)}


def measured(name: str, models: list[str], budget: int, old: Mapping[str, Any]) -> dict[str, Any]:
    """A row: the oracle of a recording, and, if its timing is above HIGH, the spikes of a fit (those of an old row)."""
    task = Task.of(recording_of(name), DT, "none")
    said = oracle(task)
    if said["neighbour_timing"] is None or said["neighbour_timing"] <= HIGH:
        return said
    if "models" in old:
        return said | {key: old[key] for key in ("steps", "spikes", "models")}
    begun = time.perf_counter()
    # more is held out than in a fit, so that there is something to draw from: every second stimulus that evokes spikes
    firing = [group for group in task.groups if any(len(task.spikes[k]) for k in group)]
    halved = task.without([k for group in firing[1:-1:2] for k in group])
    results = fitted(halved, models, budget)
    print(f"{name}: fitted in {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    return said | kept(halved, results)


PAGE = """\
# Where single spikes cannot be predicted

The score of a model has three parts: voltage, timing and spike count. *Timing* compares spike by spike. A cell with noise of its
own does not determine single spikes: no model can then predict them, and a score that asks for them ranks by luck.

**How much it determines is measured.** The *neighbour oracle* predicts a sweep from the two sweeps with the neighbouring
amplitudes: the k-th spike is the mean of their k-th spikes, as far as both have one, and the count is the mean of their counts.
Its `timing` is the mean over the *interior spiking sweeps*: those that spike and whose two neighbours spike. There must be at
least three; where an amplitude was repeated, all pairs of neighbours are averaged. Steps of another start or length are no
neighbours. Spikes at random times have a `timing` of about 0.76 (chance; for a cell that fires so fast that the window of `timing`
is at its least, 2 ms, it is less, and measured). Where a cell determines each spike and the amplitudes are close, the oracle
has nearly 0.

Where the amplitudes are further apart, the mean of the k-th spikes is off even for a cell that fires like clockwork, as rates are
nearly linear in the current, and times are not. So the same neighbours are asked a second time (*interpolated*): the k-th spike is
where the mean of their numbers of spikes so far reaches k. The cell of `spikefab demo`, a Hodgkin-Huxley neuron that has no noise
of its own, reads 0.76 by the first and 0.29 by the second.

**The rule.** With o the better `timing` of the two, spike times have the weight

    w = 1                    where o <= 0.38, half of chance
    w = (0.76 - o) / 0.38    in between
    w = 0                    where o >= 0.76, chance (0.76 and 0.38 are less where chance is less)

and the timing term of the score is `w x timing + (1 - w) x pattern`. Where steps were repeated, the `timing` of one repeat against
another is a third reading, and the best of the three is o. Noise stimuli, stimuli other than steps, and recordings with fewer
than three such sweeps have w = 1: they are scored by spike times. So is a cell that repeats itself exactly, to the
last bit.

**`pattern`** (0..1, 0 for the cell's own spikes) is what such a cell does determine. It is the mean of four errors of a sweep:

* *latency* of the first spike after the onset of the step: the difference, divided by the longer of the two latencies (or by
  the window of `timing`, if that is longer);
* *rate profile*, the spike train smoothed by a window of a quarter of the step: the area between both curves, divided by the
  sum of the areas below them;
* *adaptation*, (late - early) / (late + early) of the mean intervals of the second and the first half of the train: the
  difference; left out where the recording has fewer than three spikes;
* *slope of the f-I curve*, a straight line through the counts of all judged sweeps over their amplitudes: the difference of
  both slopes, divided by the larger; left out where only one amplitude is judged.

## Is the ranking more stable?

{count} models at word 18, fitted once to each recording with {budget:,} evaluations. Every second stimulus that evokes spikes is
held out, but never the strongest; the held-out sweeps are then drawn {draws} times ({many} times), with repetition. Kendall's tau
between the rankings of two draws, mean over all pairs of draws: 1 if all draws rank alike, 0 if they have nothing in
common.

{table}

{verdict}

The oracle of all recordings with steps:

{oracles}

`benchmarks/predictable.py`, of {date}, {processor}; results in `benchmarks/results/predictable.json`.
"""


def page(result: Mapping[str, Any]) -> str:
    """The text of docs/predictable.md."""
    lines = [
        "| recording | held-out sweeps | oracle, interpolated | w | tau, spike times only | tau, the score as it is |",
        "|---|---|---|---|---|---|",
    ]
    oracles = ["| recording | sweeps predicted | oracle's `timing`, interpolated | w |", "|---|---|---|---|"]
    for row in result["rows"]:
        label = MADE[row["recording"]][0] if row["recording"] in MADE else f"`{FILES[row['recording']]}`"
        reading = "–"
        if row["neighbour_timing"] is not None:
            reading = f"{row['neighbour_timing']:.2f}, {row['interpolated_timing']:.2f}"
        weight = f"{row['timing_weight']:.2f}"
        oracles.append(f"| {label} | {row['sweeps']} | {reading} | {weight} |")
        if "tau" in row:
            old, new = (
                f"{row['tau'][f'{n}_{DRAWS}']:.2f} ({row['tau'][f'{n}_{MANY}']:.2f})"
                for n in ("spike_times_only", "now")
            )
            lines.append(f"| {label} | {len(row['spikes'])} | {reading} | {weight} | {old} | {new} |")
    missed = short(result["rows"])
    judged = [r for r in result["rows"] if "tau" in r and len(r["spikes"]) >= FEWEST]
    told = (
        f"It is more stable on {len(judged) - len(missed)} of the {len(judged)} recordings with at least {FEWEST} held-out\n"
        "sweeps; of fewer, there are too few different draws."
    )
    told = "\n".join(
        [told, *(f"Not on `{FILES.get(name, name)}`: {REMARKS.get(name, 'unexplained')}." for name in missed)]
    )
    return PAGE.format(
        count=len(result["settings"]["models"]), budget=result["settings"]["budget"], draws=DRAWS, many=MANY,
        table="\n".join(lines), verdict=told, oracles="\n".join(oracles), date=result["date"],
        processor=result["machine"]["processor"],
    )  # fmt: skip


def short(rows: list[dict[str, Any]]) -> list[str]:
    """The recordings on which the score as it is ranks no more stably than spike times only."""
    found = []
    for row in rows:
        if "tau" in row and len(row["spikes"]) >= FEWEST:
            now, before = (row["tau"][f"{name}_{DRAWS}"] for name in ("now", "spike_times_only"))
            if now <= before:
                found.append(row["recording"])
    return found


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--recordings", default=",".join([*MADE, *FILES]))
    parser.add_argument("--models", type=running.model_names, default=running.model_names(MODELS))
    parser.add_argument("--budget", type=int, default=2000)
    parser.add_argument("--page", type=Path, help="write the page from what OUTPUT has, and fit nothing")
    options = parser.parse_args()
    if options.page:
        running.write(options.page, page(json.loads(options.output.read_text(encoding="utf-8"))))
        return 0
    settings = {"dt": DT, "models": options.models, "budget": options.budget}
    names = [*MADE, *FILES]
    rows = running.Rows(
        options.output, ("recording",), ("numpy", "numba", "cmaes"), order=lambda r: names.index(r["recording"]),
        settings=settings,
    )  # fmt: skip
    for name in options.recordings.split(","):
        old = rows.find({"recording": name}) or {}
        row = {"recording": name} | measured(name, options.models, options.budget, old)
        if "models" in row:
            row = row | {"tau": compared(row)}
        rows.keep(row)
        reading = "none" if row["neighbour_timing"] is None else f"{row['neighbour_timing']:.3f}"
        print(
            f"{name:12} oracle {reading} ({row['sweeps']} sweeps), weight {row['timing_weight']:.2f}",
            row.get("tau", ""),
        )
    missed = short(rows.rows)
    for name in missed:
        print(f"{name}: the ranking is no more stable than by spike times only", file=sys.stderr)
    return running.MISSED if missed else 0


if __name__ == "__main__":
    sys.exit(main())
