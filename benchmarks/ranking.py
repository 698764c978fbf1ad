"""Rankings of three real recordings, with floor and ceiling: the figures and the picture of docs/ranking.md.

    SPIKEFAB_DATA=... python -m benchmarks.ranking benchmarks/results/ranking.json
    SPIKEFAB_DATA=... python -m benchmarks.ranking benchmarks/results/ranking.json --picture docs/ranking.png    (fits nothing)
    python -m benchmarks.ranking benchmarks/results/ranking.json --page docs/ranking.md    (fits nothing)

Each recording is fitted once as `spikefab.fit` does it (word 18, seed 0, the five best models). The page has marked parts, which
begin with `<!-- made: RECORDING -->` and end with `<!-- end -->`; the text around them is written by hand, and has to be read again
when the figures change. Recordings that the result already has are not fitted again.
"""

import json
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikefab import fit, read
from spikefab.fit.report.plots import DATA, MODEL, STYLE, new_figure
from spikefab.fit.report.scale_words import CEILING, scale_sentences
from spikefab.fit.results import FitResults
from spikefab.fit.scoring.scale import Scale
from spikefab.hw.models import MODELS

from . import running

# recording: (file, what it is)
FILES = {
    "steps": ("pyABF/18713001.abf", "regular spiking, steps of current"),
    "noise": ("QSNMC2007/challengeA_set04_4reps.csv", "layer 5, one fluctuating current four times"),
    "barrel": ("NWBShowcase/LantyerEtAl2018_180817_ME_9_CC.nwb", "barrel cortex, steps of current"),
}
PIECE = 600.0  # ms of a held-out part that the picture shows, at most


def measured(name: str, budget: int) -> dict[str, Any]:
    """A row: the ranking of the best models, the scale, and what is needed to simulate the best model again."""
    begun = time.perf_counter()
    results = fit(running.data() / FILES[name][0], budget=budget)
    best = results.best
    assert results.task is not None and results.scale is not None
    part = max(results.task.split.held_out, key=lambda p: len(results.task.part_spikes(p)))  # type: ignore[union-attr]
    return {
        "recording": name,
        "seconds": round(time.perf_counter() - begun),
        "split": results.task.split.how,
        "scale": results.scale.to_dict(),
        "sentences": scale_sentences(results),
        "tie": results.tie,
        "ended_early": results.ended_early,
        "models": ranked(results),
        "best": {
            "settings": best.settings, "codes": best.codes, "initial": best.initial[part.sweep], "i_span": best.i_span,
            "sweep": part.sweep, "start": part.start, "stop": part.stop, "dt": best.dt, "word": best.word,
        },
    }  # fmt: skip


def ranked(results: FitResults) -> list[dict[str, Any]]:
    return [
        {
            "model": r.model_name,
            "score": r.combined_score,
            "training": r.train.combined_score,
            "voltage": r.judged.voltage,
            "timing": r.judged.timing_term,
            "count": r.judged.count,
            "spikes_model": r.judged.spikes_model,
            "spikes_data": r.judged.spikes_data,
            "gamma": r.judged.gamma,
            "gamma_over_R": r.judged.to_dict().get("gamma_over_R"),
            "tied": r.tied,
        }
        for r in results
    ]


def part(row: Mapping[str, Any]) -> str:
    """The part of the page on one recording: its table, and what a fit says of it."""
    file, what = FILES[row["recording"]]
    scale = Scale.from_dict(row["scale"])
    repeated = all(m["gamma_over_R"] is not None for m in row["models"])
    heads = ["", "model", "score", "way", "training", "voltage", "timing", "count", "spikes", *["gamma/R"] * repeated]
    table = [heads, ["---"] * len(heads)]
    for rank, m in enumerate(row["models"], 1):
        way = scale.reached(m["score"])
        terms = [f"{m[name]:.3f}" for name in ("training", "voltage", "timing", "count")]
        spikes = f"{m['spikes_model']} of {m['spikes_data']}"
        cells = [
            str(rank),
            m["model"].removesuffix("Neuron"),
            f"{m['score']:.3f}",
            "" if way is None else f"{100 * way:.0f} %",
        ]
        table.append([*cells, *terms, spikes, *([f"{m['gamma_over_R']:.2f}"] if repeated else [])])
    marks = [("floor (flat line, chance)", scale.floor, "0 %")]
    if scale.ceiling is not None:
        marks.insert(0, (CEILING[scale.ceiling_from or ""], scale.ceiling, "100 %"))
    for label, level, way in marks:
        terms = ["" if x is None else f"{x:.3f}" for x in (level.voltage, level.timing, level.count)]
        table.append(["", label, f"{level.score:.3f}", way, "", *terms, *[""] * (1 + repeated)])
    what = f"`{file}`: {what}. {row['split'][0].upper() + row['split'][1:]}."
    lines = [what, "", *(f"| {' | '.join(cells)} |" for cells in table)]
    said = [*row["sentences"], *([row["tie"]] if row["tie"] else [])]
    return "\n".join([*lines, "", *(f"> {text}" for text in said)]) + "\n"


def how(result: Mapping[str, Any]) -> str:
    """How the figures were made."""
    return (
        f"Each was fitted once, as `spikefab fit FILE --budget {result['settings']['budget']}` does it (the default is 20000),\n"
        f"at word 18, on {result['date']}. The five best models are shown.\n"
    )


def page(result: Mapping[str, Any], text: str) -> str:
    """The page with its marked parts made anew."""
    parts = {row["recording"]: part(row) for row in result["rows"]} | {"how": how(result)}
    for name, made in parts.items():
        found = rf"(^<!-- made: {name} -->\n).*?(^<!-- end -->$)"
        text, count = re.subn(found, lambda m, made=made: m[1] + made + m[2], text, flags=re.MULTILINE | re.DOTALL)
        assert count == 1, f"the page must have the part {name} once"
    return text


def picture(result: Mapping[str, Any], path: Path) -> None:
    """For each recording, a held-out piece with the best model beside its scale, with all models on it."""
    from matplotlib import rc_context

    with rc_context(STYLE | {"font.size": 9}):
        figure = new_figure(10.0, 2.3 * len(result["rows"]))
        grid = figure.add_gridspec(len(result["rows"]), 2, width_ratios=[2.2, 1])
        for k, row in enumerate(result["rows"]):
            trace, line = figure.add_subplot(grid[k, 0]), figure.add_subplot(grid[k, 1])
            _draw_trace(trace, row)
            _draw_scale(line, row)
            if k == len(result["rows"]) - 1:
                trace.set_xlabel("ms")
                line.set_xlabel("score: 0 is perfect")
        figure.savefig(path, dpi=110)


def _draw_trace(axes: Any, row: Mapping[str, Any]) -> None:
    best, model = row["best"], MODELS[row["models"][0]["model"]].variant(**row["best"]["settings"])
    recording = read(running.data() / FILES[row["recording"]][0]).cleaned().resample(best["dt"])
    sweep = recording.sweeps[best["sweep"]]
    neuron = model(
        codes=best["codes"], initial=best["initial"], word=best["word"], dt=best["dt"], i_span=best["i_span"]
    )
    voltage = neuron.run(sweep.current)
    # the busiest stretch of the part: where most recorded spikes lie within PIECE
    spikes, dt = recording.spikes()[best["sweep"]].time, best["dt"]
    inside = spikes[(spikes >= best["start"] * dt) & (spikes < best["stop"] * dt)]
    length = min(PIECE, (best["stop"] - best["start"]) * dt)
    start = max(inside, key=lambda t: np.sum((inside >= t) & (inside < t + length)), default=best["start"] * dt) - 30
    start = min(max(start, best["start"] * dt), best["stop"] * dt - length)
    cut = slice(round(start / dt), round((start + length) / dt))
    t = np.arange(len(voltage))[cut] * dt - start
    axes.plot(t, sweep.voltage[cut], color=DATA, linewidth=0.8)
    axes.plot(t, voltage[cut], color=MODEL, linewidth=0.8)
    axes.set_ylabel("mV")
    axes.set_title(
        f"{row['recording']}: recorded (black) and {row['models'][0]['model'].removesuffix('Neuron')} (red)", loc="left"
    )


def _draw_scale(axes: Any, row: Mapping[str, Any]) -> None:
    scale = Scale.from_dict(row["scale"])
    if scale.ceiling is not None:
        axes.axvspan(0, scale.ceiling.score, color="#1d7a46", alpha=0.18, linewidth=0)
        axes.text(
            scale.ceiling.score / 2, 1.04, "ceiling", ha="center", color="#1d7a46", transform=axes.get_xaxis_transform()
        )
    axes.axvspan(scale.floor.score, 1.1, color="#5b6270", alpha=0.18, linewidth=0)
    axes.text(
        (scale.floor.score + 1.1) / 2, 1.04, "floor", ha="center", color="#5b6270", transform=axes.get_xaxis_transform()
    )
    scores = [m["score"] for m in row["models"]]
    axes.plot(scores[1:], range(1, len(scores)), "o", color="black", markersize=3)
    axes.plot(scores[:1], [0], "o", color=MODEL, markersize=5)
    axes.set_xlim(0, 1.1)
    axes.set_ylim(len(scores) - 0.5, -0.5)
    axes.set_yticks(range(len(scores)), [m["model"].removesuffix("Neuron") for m in row["models"]])
    axes.tick_params(axis="y", length=0)


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--recordings", default=",".join(FILES))
    parser.add_argument("--budget", type=int, default=20_000, help="evaluations a model (default 20000, as of a fit)")
    parser.add_argument("--page", type=Path, help="make the marked parts of the page anew from OUTPUT, and fit nothing")
    parser.add_argument("--picture", type=Path, help="draw the picture from OUTPUT and the recordings, and fit nothing")
    options = parser.parse_args()
    if options.page or options.picture:
        result = json.loads(options.output.read_text(encoding="utf-8"))
        if options.page:
            running.write(options.page, page(result, options.page.read_text(encoding="utf-8")))
        if options.picture:
            picture(result, options.picture)
        return 0
    names = [*FILES]
    rows = running.Rows(
        options.output, ("recording",), ("numpy", "numba", "cmaes"), order=lambda r: names.index(r["recording"]),
        settings={"budget": options.budget},
    )  # fmt: skip
    for name in options.recordings.split(","):
        row = rows.find({"recording": name}) or rows.keep(measured(name, options.budget))
        print(
            f"{name}: {row['seconds']} s, best {row['models'][0]['model']} {row['models'][0]['score']:.3f}", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
