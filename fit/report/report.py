"""The report of a fit: one self-contained HTML file, for a computer or a phone, with a light and a dark style."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab.calls import path_of
from spikefab.errors import UsageError, readable
from spikefab.files import save_text, unwritable
from spikefab.fit.features.definitions import feature
from spikefab.fit.features.recommend import ordinal
from spikefab.fit.scoring.scale import Level
from spikefab.markup import Markup, definitions, hint, join, table, tag

from . import figures
from .again import fit_command, fit_python
from .board_table import board_sentences, board_table
from .html import bar, figure, key, page
from .plots import level_terms, shared, shares
from .scale_picture import PARTS, scale_picture
from .scale_words import levels, scale_sentences

if TYPE_CHECKING:
    from spikefab.fit.results import FitResult, FitResults
    from spikefab.fit.scoring.scores import Scores

TERMS = (("voltage", "voltage"), ("timing", "times"), ("spike count", "count"))


def write_report(results: "FitResults", path: str | Path) -> Path:
    """Write the report. Raises UsageError if there are no results, FileError if the file cannot be written.

    Without traces (results loaded from a file), the report has no pictures and says so.
    """
    path = path_of(path, "report")
    if not results:
        raise UsageError("there are no results to report.")
    content = readable(report(results))
    try:
        save_text(path, content)
    except OSError as error:
        raise unwritable(path, error) from None
    return path


def report(results: "FitResults") -> str:
    """The text of the HTML file. The same results give the same text."""
    source = (results.input or {}).get("source", "arrays")
    body = [
        _head(results, source),
        *_recorded(results),
        *_features(results),
        *_ranking(results),
        *_traces(results),
        *_precision(results),
        *_parameters(results),
        *_again(results, source),
    ]
    return page(f"spikefab: {source}", body)


def _head(results: "FitResults", source: str) -> Markup:
    best, s = results.best, results.best.judged
    on = "held-out data" if best.validated else "the data it was fitted to"
    ideal = best.judged_ideal
    tiles = [
        (_short(best), "best model"),
        (_number(best.combined_score), f"score on {on}: 0 is perfect{_between(results)}"),
        (f"{s.spikes_model} / {s.spikes_data}", "spikes of the model / of the recording, same data"),
        (_number(s.masked_rmse, 1, " mV"), "voltage error outside spikes"),
        (f"{best.word} bits", f"{_number(best.combined_score)} in fixed point, {_number(_score(ideal))} in float64"),
    ]
    return join(
        [
            tag("h1", f"Neuron models fitted to {source}"),
            tag("p", "A report of spikefab. ", "" if best.validated else _unvalidated(), css="soft"),
            tag("div", *(tag("div", tag("b", a), tag("span", b), css="tile") for a, b in tiles), css="tiles"),
        ]
    )


def _between(results: "FitResults") -> str:
    """Floor and ceiling for the tile of the score."""
    scale = results.scale
    if scale is None:
        return ", a flat line has about 1"
    ceiling = "" if scale.ceiling is None else f", the cell itself has {scale.ceiling.score:.2f}"
    return f"{ceiling}, the floor is {scale.floor.score:.2f}"


def _unvalidated() -> Markup:
    return tag("span", "Nothing was held out: these scores are not validated.", css="warn")


def _recorded(results: "FitResults") -> list[Markup]:
    about, task = results.input or {}, results.task
    pairs: list[tuple[object, object]] = [("source", about.get("source", "-"))]
    if about.get("sha256"):
        pairs.append(("sha256", tag("code", about["sha256"])))
    pairs.append(("sweeps", about.get("sweeps", "-")))
    if task is not None:
        lengths = [len(s.voltage) * task.dt for s in task.recording.sweeps]
        pairs.append(("duration", _range(lengths, "ms a sweep", 0)))
        currents = [s.current for s in task.recording.sweeps if s.current is not None]
        extremes = [float(f(i)) for i in currents for f in (np.min, np.max)]
        pairs.append(("current", _range(extremes, "nA", 3)))
        pairs.append(("spikes", sum(map(len, task.spikes))))
    pairs += [
        ("time step", f"{about.get('dt', math.nan):g} ms, as fitted"),
        ("current from", about.get("current_origin", "-")),
        ("training and test", about.get("split", "-")),
    ]
    notes = [tag("li", note) for note in about.get("notes", [])]
    return [
        tag("h2", "What was recorded"),
        definitions(pairs),
        *([tag("h3", "Notes and warnings"), tag("ul", *notes)] if notes else []),
    ]


def _features(results: "FitResults") -> list[Markup]:
    found = results.features
    if not found:
        return []
    rows = []
    for name, value in found.items():
        if math.isfinite(value):
            digits = 0 if name in ("spike_count", "noise") else 3 if abs(value) < 1 else 2
            known = feature(name)
            rows.append((hint(known.label, known.definition), known.unit, f"{value:.{digits}f}"))
    half = -(-len(rows) // 2)
    ranked = [r.model_name for r in results]
    advised = []
    for name, reason in results.recommended:
        place = f"came {ordinal(ranked.index(name) + 1)}. " if name in ranked else ""
        advised.append(tag("li", tag("b", f"{name.removesuffix('Neuron')}: ", place), reason))
    unknown = [feature(name).label for name, x in found.items() if not math.isfinite(x)]
    meanings = definitions((feature(name).label, feature(name).definition) for name in found)
    heads = ("feature", "unit", "value")
    return [
        tag("h2", "What the cell does"),
        tag(
            "div",
            *(tag("div", table(heads, part, 2)) for part in (rows[:half], rows[half:]) if part),
            css="grid",
        ),
        tag("p", f"Not shown by this recording: {', '.join(unknown)}.", css="soft") if unknown else Markup(""),
        tag("details", tag("summary", "What these features are"), meanings),
        tag("h3", "Recommended from these features, before the fit"),
        tag("ol", *advised),
        tag("p", tag("b", "What came of it: "), results.outcome or "nothing was recommended."),
    ]


def _ranking(results: "FitResults") -> list[Markup]:
    wanted, marks = {name for name, _ in results.recommended}, levels(results.scale)
    bars = [*(r.combined_score for r in results), *(level.score for _, level in marks)]
    full = max(1.0, *(min(1.5, x) for x in bars))
    more = _more(results)
    rows: list[list[object]] = []
    for rank, r in enumerate(results, 1):
        s = r.judged
        rows.append(
            [
                f"{rank}.",
                _short(r) + (" ★" if r.model_name in wanted else ""),
                _bar(results, Level.of(s), full),
                tag("b", _number(r.combined_score)),
                _number(r.train.combined_score),
                _number(_score(r.judged_ideal)),
                *_parts(Level.of(s)),
                _number(s.masked_rmse, 1),
                _number(s.spike_timing_error, 1),
                *(_number(getattr(s, name), 2) for name, _ in more),
                f"{s.spikes_model}/{s.spikes_data}",
            ]
        )
    for label, level in marks:
        row = ["", label, _bar(results, level, full), _number(level.score), "", "", *_parts(level), "", ""]
        rows.append([*row, *("" for _ in more), ""])
    on = "held-out data" if results.best.validated else "the data they were fitted to (not validated)"
    fitted = len(results.evaluations)
    kept = "" if fitted <= len(results) else f" The first {len(results)} of {fitted} fitted models."
    board = board_table(results)
    columns = ["", "model", "", "score", "training", "float64", *(name for _, name in PARTS[1:])]
    columns += ["masked mV", "timing ms", *(heading for _, heading in more), "spikes"]
    return [
        tag("h2", "Ranking"),
        tag(
            "p",
            f"Ranked by the score on {on}: {shared(results)} of three errors, 0 is perfect.{kept} ★ had been recommended.",
            key(TERMS),
        ),
        table(columns, rows, 2, limits=len(marks)),
        tag("h3", "How good is that?"),
        *scale_picture(results),
        *(tag("p", sentence, css="" if k == 0 else "soft") for k, sentence in enumerate(scale_sentences(results))),
        *([] if board is None else [tag("h3", "On the board"), table(*board, 2)]),
        *(tag("p", sentence, css="soft") for sentence in board_sentences(results)),
    ]


def _more(results: "FitResults") -> list[tuple[str, str]]:
    """Scores that exist only for some recordings, with their headings: for noise and repeats, or where a pattern counts."""
    names = [("gamma", "gamma"), ("gamma_over_R", "gamma/R")]
    if results.best.judged.timing_weight < 1:
        names += [("timing", "spike times"), ("pattern", "pattern")]
    return [(n, heading) for n, heading in names if any(getattr(r.judged, n) is not None for r in results)]


def _bar(results: "FitResults", level: Level, full: float) -> Markup:
    """A bar of the three terms of a score; one that is too long for `full` is cut."""
    cut = min(1.0, full / max(level.score, 1e-9))
    pieces = zip(level_terms(level, shares(results)), TERMS, strict=True)
    return bar([(x * cut, name) for x, (_, name) in pieces], full)


def _parts(level: Level) -> list[str]:
    return [_number(level.voltage), _number(level.timing), _number(level.count)]


def _traces(results: "FitResults") -> list[Markup]:
    if results.task is None:
        return [tag("h2", "Traces"), tag("p", "These results were loaded from a file, which holds no traces.")]
    held = results.best.validated
    part = "held-out sweeps" if held else "sweeps that it was fitted to"
    name = _short(results.best)
    pictures = [figure(svg) for svg in figures.overlays(results)]
    trains = [
        figure(
            figures.raster(results),
            "The recording's spikes, then the first three models', in each row; held out where shaded.",
        )
    ]
    curve = figures.f_i(results)
    if curve is not None:
        trains.append(figure(curve, "f-I curves of the recording and of the first three models, all sweeps."))
    return [
        tag("h2", f"{name} on {part}"),
        tag("p", "Voltage, residual outside the spikes of the recording (as it is scored), and current.", css="soft"),
        tag("div", *pictures, css="grid"),
        tag("h2", "Spike trains and rates"),
        tag("div", *trains, css="grid"),
    ]


def _precision(results: "FitResults") -> list[Markup]:
    rows = []
    for rank, r in enumerate(results, 1):
        row: list[object] = [f"{rank}.", _short(r)]
        for part in ("train", "held_out"):
            fixed, ideal = getattr(r, part), r.ideal[part]
            row += [_number(_score(fixed)), _number(_score(ideal))]
            spikes = "-" if fixed is None or ideal is None else f"{fixed.spikes_model}/{ideal.spikes_model}"
            row.append(spikes)
        rows.append(row)
    columns = ["", "model", "training, fixed", "float64", "spikes", "held out, fixed", "float64", "spikes"]
    word = results.best.word
    out = [
        tag("h2", "Fixed point against float64"),
        tag("p", f"The same parameters in the {word}-bit integers of the hardware, and without rounding.", css="soft"),
        table(columns, rows, 2),
    ]
    if results.task is not None:
        svg, sentence = figures.rounding(results)
        out.append(tag("div", figure(svg, sentence), css="grid"))
    return out


def _parameters(results: "FitResults") -> list[Markup]:
    out = [tag("h2", "Parameters")]
    if any(r.sensitivity for r in results):
        told = "Range: where a parameter alone can move before the training loss grows by a tenth."
        out.append(tag("p", told, css="soft"))
    for rank, r in enumerate(results, 1):
        rows = []
        for p in r.parameters():
            flag: object = "" if p["free"] else "measured, refined"
            if p["at_bound"]:
                flag = tag("span", "at its bound", css="warn")
            lo, hi = p["bounds"]
            value, bounds = f"{p['value']:.5g}", f"{lo:.4g} .. {hi:.4g}"
            span = "" if p["range"] is None else "{:.4g} .. {:.4g}".format(*p["range"])
            rows.append((p["name"], p["unit"], value, span, bounds, flag, tag("td", p["meaning"], css="wrap")))
        choice = "".join(f", {name.replace('_', ' ')} {x}" for name, x in r.settings.items() if x)
        bounded = sum(p["at_bound"] for p in r.parameters())
        count = f"{bounded} of {len(rows)} at a bound" if bounded else "none at a bound"
        head = f"{rank}. {r.model_name}{choice}: word {r.word}, current within ±{r.i_span:g} nA; {count}"
        listing = table(("name", "unit", "value", "range", "bounds", "", "meaning"), rows, 2)
        opened = " open" if rank == 1 else ""
        out.append(Markup(f"<details{opened}>{tag('summary', head)}{listing}</details>"))
    return out


def _again(results: "FitResults", source: str) -> list[Markup]:
    if not results.settings:
        return []
    file, reading = None if source == "arrays" else source, (results.input or {}).get("reading")
    command = None if file is None or reading is None else fit_command(file, reading, results.options)
    shown = [*([command] if command else []), fit_python(file, reading, results.options)]
    if reading is None:  # the recording was changed after it had been read, or the file is of an earlier version
        where = "With the recording as it was fitted, the"
    else:
        where = "With the same voltage and current, the" if file is None else "In the folder of the recording, the"
    same = f"{where} same seed gives the same result to the last bit."
    stopped = "The fit was interrupted: a rerun would go further. " if results.interrupted else ""
    calls = ", ".join(f"{name.removesuffix('Neuron')} {n:,}" for name, n in results.evaluations.items())
    return [
        tag("h2", "The same again"),
        *(tag("pre", text) for text in shown),
        tag("p", f"{stopped}{same} Evaluations: {calls}.", css="soft"),
    ]


def _short(r: "FitResult") -> str:
    return r.model_name.removesuffix("Neuron")


def _score(s: "Scores | None") -> float | None:
    return None if s is None else s.combined_score


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) and math.isfinite(x)


def _number(x: Any, digits: int = 3, unit: str = "") -> str:
    return f"{x:.{digits}f}{unit}" if _is_number(x) else "-"


def _range(values: list[float], unit: str, digits: int) -> str:
    low, high = f"{min(values):,.{digits}f}", f"{max(values):,.{digits}f}"
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
