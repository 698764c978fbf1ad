"""Pictures of the results of a fit: the ranking of the models, and the best model against the recording."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab.errors import UsageError
from spikefab.fit.recordings.stimuli import stimuli
from spikefab.fit.scoring.rules import WEIGHTS
from spikefab.fit.scoring.scale import Level
from spikefab.fit.scoring.scores import Scores
from spikefab.fit.scoring.split import Part
from spikefab.fit.scoring.task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

    from spikefab.fit.results import FitResult, FitResults

CUT = 1.5  # largest score on the axis of the ranking; a score of 1 is that of a useless model
DATA = "black"  # colour of the recording
MODEL = "#d1495b"  # colour of the best model
TERMS = (("voltage", "#30638e"), ("timing", "#edae49"), ("spike count", "#8d96a3"))  # terms of the score: colour
FLOOR, CEILING = "#5b6270", "#1d7a46"  # colours of the marks of floor and ceiling, see `Scale`
MOST = 4  # number of sweeps that are drawn, at most
LONGEST = 1200.0  # ms of a sweep with spikes that are drawn, at most
CROWD = 25  # number of spikes to draw of a sweep with many: more could not be told apart
SHORTEST = 150.0  # ms of a sweep that are drawn, at least, however many spikes they have
MOST_SPIKES = 80  # number of spikes in a row of the raster plot, at most
MARGIN = 60.0  # ms drawn before and after a stimulus
WIDTH = 10.0  # inches, of all sweeps side by side
RASTER = 3.2  # inches, width of the raster plot
STYLE: Any = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10}


def plot_ranking(results: "FitResults", path: str | Path) -> None:
    """Draw the score of each model as a bar of its three terms, with marks for the training score and the score in float64."""
    from matplotlib import rc_context

    if not results:
        raise UsageError("there are no results to plot.")
    with rc_context(STYLE):
        figure = new_figure(8.0, ranking_height(results))
        draw_ranking(figure, results)
        figure.savefig(path, dpi=130)


def plot_best(results: "FitResults", path: str | Path) -> None:
    """Draw the best model on held-out sweeps, or on training sweeps if nothing was held out.

    The picture has voltages, residuals and currents of some sweeps, and the spikes of all sweeps.
    """
    from matplotlib import rc_context

    if not results or results.task is None:
        raise UsageError("there are no traces to plot: results that were loaded from a file hold none.")
    with rc_context(STYLE):
        figure = new_figure(WIDTH + RASTER, best_height(results.task))
        draw_fitted(figure, results.task, results.best)
        figure.savefig(path, dpi=130)


def plot(results: "FitResults") -> "Figure":
    """One figure with the best model above the ranking; without traces (results from a file), only the ranking."""
    from matplotlib import rc_context

    if not results:
        raise UsageError("there are no results to plot.")
    with rc_context(STYLE):
        if results.task is None:
            figure = new_figure(8.0, ranking_height(results))
            draw_ranking(figure, results)
            return figure
        heights = best_height(results.task), ranking_height(results)
        figure = new_figure(WIDTH + RASTER, sum(heights))
        parts: Any = figure.subfigures(2, 1, height_ratios=heights)
        above, below = parts
        draw_fitted(above, results.task, results.best)
        draw_ranking(below, results)
        return figure


def ranking_height(results: "FitResults") -> float:
    """Height of the ranking, inches."""
    return 1.75 + 0.55 * len(results)


def best_height(task: Task) -> float:
    """Height of the picture of the best model, inches."""
    return min(8.0, max(6.2, 3.5 + 0.15 * len(task.recording.sweeps)))


def draw_ranking(figure: "FigureBase", results: "FitResults") -> None:
    """Draw what `plot_ranking` writes."""
    ax = figure.subplots()
    rows = np.arange(len(results))
    left = np.zeros(len(results))
    for term, (label, colour) in enumerate(TERMS):
        width = np.array([terms(r.judged, shares(results))[term] for r in results])
        ax.barh(rows, width, left=left, height=0.55, color=colour, label=label)
        left += width
    for row, r in enumerate(results):
        ax.text(float(left[row]), row, f" {r.combined_score:.3f}", va="center", fontweight="bold")
    # an interrupted fit has no scores in float64
    known = [r.judged_ideal for r in results]
    ideal = [np.nan if scores is None else scores.combined_score for scores in known]
    validated = all(r.validated for r in results)
    train = [r.train.combined_score for r in results]
    largest = float(np.nanmax([*left, *ideal, *(train if validated else [])]))
    if results.scale is not None:
        largest = max(largest, results.scale.floor.score)
    # a mark on an end of the axis is drawn whole; a score far above 1 (a useless model) is cut off, with its mark
    marks: dict[str, Any] = {"linestyle": "none", "clip_on": largest > CUT, "zorder": 3}
    ax.plot(ideal, rows, "|", color=DATA, markersize=20, markeredgewidth=1.8, label="in float64", **marks)
    scale = results.scale
    if scale is not None:
        ax.axvline(scale.floor.score, color=FLOOR, linewidth=1.2, linestyle="--", label="floor", zorder=0)
        if scale.ceiling is not None:
            ax.axvline(scale.ceiling.score, color=CEILING, linewidth=1.8, label="ceiling")
    if validated:
        ax.plot(train, rows, "o", color="white", markeredgecolor=DATA, markersize=7, label="training", **marks)
    ax.set_yticks(rows, [f"{k}. {r.model_name.removesuffix('Neuron')}" for k, r in enumerate(results, 1)])
    ax.set_ylim(len(results) - 0.5, -0.5)
    ax.set_xlim(0, 1.12 * min(CUT, largest))  # leaves room for the number at the end of the longest bar
    basis = "held-out score" if validated else "training score (not validated)"
    ax.set_xlabel(f"{basis}: 0 is perfect; {shared(results)} of voltage, timing and spike count")
    figure.legend(loc="outside upper center", ncols=4, frameon=False)


def plot_result(result: "FitResult") -> "Figure":
    """The figure of one fitted model, see `FitResult.plot`."""
    from matplotlib import rc_context

    if result.task is None:
        raise UsageError("there are no traces to plot, as a result that was loaded from a file holds none: fit again.")
    with rc_context(STYLE):
        figure = new_figure(WIDTH + RASTER, best_height(result.task))
        draw_fitted(figure, result.task, result)
        return figure


def draw_fitted(figure: "FigureBase", task: Task, best: "FitResult") -> None:
    """Draw what `plot_best` writes, of any of the fitted models."""
    parts = chosen(task)
    grid = figure.add_gridspec(
        3, len(parts) + 1, height_ratios=(3.2, 1.3, 1), width_ratios=[WIDTH / len(parts)] * len(parts) + [RASTER]
    )
    columns: list[list[Axes]] = []
    for k, part in enumerate(parts):
        share = columns[0] if columns else [None] * 3  # type: ignore[list-item]
        axes: list[Axes] = []
        for row in range(3):
            axes.append(figure.add_subplot(grid[row, k], sharey=share[row], sharex=axes[0] if axes else None))
        draw_sweep(axes, task, best, part, first=k == 0)
        columns.append(axes)
    room_for_legend(columns[0][0])
    limit_residual(columns)
    _raster(figure.add_subplot(grid[:, -1]), task, best, parts)
    figure.suptitle(_title(best), fontweight="bold", fontsize=11)


def new_figure(width: float, height: float) -> "Figure":
    """A new figure (width and height in inches) without pyplot, whose global state belongs to the user's own figures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class Picture(Figure):
        def _repr_png_(self) -> bytes:
            """Lets a notebook display the figure, although it was not made by pyplot."""
            from io import BytesIO

            self.savefig(buffer := BytesIO(), format="png")
            return buffer.getvalue()

    figure = Picture(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def shares(results: "FitResults") -> tuple[float, float, float]:
    """Shares of voltage, timing and count in the score: a third each, unless the user chose other weights."""
    voltage, timing, count = results.settings.get("weights") or WEIGHTS
    total = voltage + timing + count
    return voltage / total, timing / total, count / total


def shared(results: "FitResults") -> str:
    """The shares of voltage, timing and count in words."""
    each = shares(results)
    return "one third each" if len(set(each)) == 1 else ", ".join(f"{100 * x:.0f} %" for x in each)


def terms(scores: Scores, share: tuple[float, float, float]) -> tuple[float, float, float]:
    """What voltage, timing and count each contribute to the combined score, which is their sum."""
    return level_terms(Level.of(scores), share)


def level_terms(level: Level, share: tuple[float, float, float]) -> tuple[float, float, float]:
    """What voltage, timing and count each contribute to the score of a level, which is their sum."""
    timing, count = share[1] * level.timing, share[2] * level.count
    return max(0.0, level.score - timing - count), timing, count


def _title(best: "FitResult") -> str:
    """The title of the picture of the best model."""
    scores = best.judged
    basis = "held-out sweeps" if best.validated else "training sweeps (not validated)"
    masked = "" if scores.masked_rmse is None else f", masked rmse {scores.masked_rmse:.1f} mV"
    return (
        f"{best.model_name}, word {best.word}, dt {best.dt:g} ms, on {basis}: score {scores.combined_score:.3f}, "
        f"{scores.spikes_model} spikes for {scores.spikes_data}{masked}"
    )


def chosen(task: Task) -> list[Part]:
    """The parts of sweeps to draw: at most MOST, spread evenly from weak to strong stimuli, each cut to a readable length."""
    order = {k: rank for rank, group in enumerate(stimuli(task.recording.sweeps, task.recording.dt)) for k in group}
    parts = sorted(task.split.held_out or task.split.train, key=lambda p: (order[p.sweep], p.sweep))
    places = np.unique(np.linspace(0, len(parts) - 1, MOST).round().astype(int))
    return [_cut(task, parts[k]) for k in places]


def _cut(task: Task, part: Part) -> Part:
    """The part cut to its stimulus; if that is too long to read, to the stretch whose firing rate is closest to the mean."""
    dt = task.dt
    start, stop = part.start, part.stop
    window = task.recording.sweeps[part.sweep].window
    if window is not None:
        start = max(start, int((window[0] - MARGIN) / dt))
        stop = min(stop, int((window[1] + MARGIN) / dt))
    if stop <= start:
        start, stop = part.start, part.stop
    times = task.spikes[part.sweep].time / dt
    times = times[(times >= start) & (times < stop)]
    if not len(times):
        return Part(part.sweep, start, stop)
    size = int(np.clip(CROWD * (stop - start) / len(times), SHORTEST / dt, LONGEST / dt))
    if stop - start <= size:
        return Part(part.sweep, start, stop)
    starts = np.arange(start, stop - size + 1, max(1, size // 4))
    counts = np.array([np.sum((times >= a) & (times < a + size)) for a in starts])
    a = int(starts[np.argmin(np.abs(counts - len(times) * size / (stop - start)))])
    return Part(part.sweep, a, a + size)


def _current(task: Task, part: Part) -> np.ndarray:
    """The injected current of a part, nA."""
    current = task.recording.sweeps[part.sweep].current
    assert current is not None  # `require_fit` was called before the task was made
    return current[part.start : part.stop]


def draw_sweep(axes: "Sequence[Axes]", task: Task, best: "FitResult", part: Part, first: bool) -> None:
    """Draw one part of a sweep in a column of three axes: voltages, residual, current."""
    voltage, residual, current = axes
    t = np.arange(part.start, part.stop) * task.dt
    data = task.part_voltage(part)
    model = best.voltages[part.sweep][part.start : part.stop]
    voltage.plot(t, data, color=DATA, linewidth=0.9, label="recording")
    voltage.plot(t, model, color=MODEL, linewidth=0.9, alpha=0.85, label=best.model_name.removesuffix("Neuron"))
    difference = np.minimum(data, task.clip) - np.minimum(model, task.clip)
    # no residual around the recording's spikes, as in the score; with NaN, no line is drawn across the gap
    difference[task.part_mask(part)] = np.nan
    residual.axhline(0, color="0.75", linewidth=0.8)
    residual.plot(t, difference, color=MODEL, linewidth=0.8)
    if (recorded := task.recording.sweeps[part.sweep].recorded) is not None:
        current.plot(t, recorded[part.start : part.stop], color="0.7", linewidth=0.6, label="as recorded")
    current.plot(t, _current(task, part), color=DATA, linewidth=0.9, label="as used")
    if first and recorded is not None:
        current.legend(loc="upper right", fontsize=7, frameon=False)
    mine, real = (np.sum((s >= t[0]) & (s <= t[-1])) for s in (best.spikes[part.sweep], task.spikes[part.sweep].time))
    counts = f": {mine} spikes for {real}" if mine or real else ""
    voltage.set_title(f"sweep {task.recording.sweeps[part.sweep].name}{counts}")
    current.set_xlabel("time (ms)")
    current.set_xlim(t[0], t[-1])
    for ax in axes[:2]:
        ax.tick_params(labelbottom=False)
    if first:
        voltage.set_ylabel("voltage (mV)")
        residual.set_ylabel("recording − model\noutside spikes (mV)")
        current.set_ylabel("current (nA)")
    else:
        for ax in axes:
            ax.tick_params(labelleft=False)


def room_for_legend(ax: "Axes") -> None:
    """Make room above the spikes and put the legend there. Call it after all columns are drawn: they share this axis."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.12 * (high - low))
    ax.legend(loc="upper left", ncols=2, frameon=False, fontsize=9, borderaxespad=0, columnspacing=1, handlelength=1.4)


def limit_residual(columns: "list[list[Axes]]") -> None:
    """Set one symmetric range for the residuals in all columns.

    It holds 99 % of the samples, so that the large residual of a single shifted spike does not flatten the others.
    """
    values = np.concatenate([np.asarray(line.get_ydata(), float) for c in columns for line in c[1].lines[1:]])
    values = np.abs(values[np.isfinite(values)])
    if len(values):
        limit = max(2.0, 1.15 * float(np.percentile(values, 99.0)))
        columns[0][1].set_ylim(-limit, limit)


def _raster(ax: "Axes", task: Task, best: "FitResult", shown: list[Part]) -> None:
    """Draw the spikes of all sweeps, one row per sweep: above those of the recording, below those of the model.

    Held-out parts are shaded.
    """
    sweeps = task.recording.sweeps
    rows = np.arange(len(sweeps))
    for part in task.split.held_out:
        x = [part.start * task.dt, part.stop * task.dt]
        ax.fill_between(x, part.sweep - 0.5, part.sweep + 0.5, color="#e8ecf2", linewidth=0)
    style: dict[str, Any] = {"linelengths": 0.36, "linewidths": 1.1}
    ax.eventplot([s.time for s in task.spikes], lineoffsets=list(rows - 0.2), colors=DATA, **style)
    ax.eventplot(list(best.spikes), lineoffsets=list(rows + 0.2), colors=MODEL, **style)
    every = max(1, -(-len(sweeps) // 20))
    ax.set_yticks(rows[::every], [s.name for s in sweeps[::every]])
    ax.set_ylim(len(sweeps) - 0.4, -0.6)
    ax.set_xlim(*time_span(task, best, shown))
    ax.set_xlabel("time (ms)")
    ax.set_ylabel("sweep")
    ax.set_title("spikes, all sweeps (shaded: held out)" if task.split.held_out else "spikes, all sweeps")
    if not sum(map(len, task.spikes)) + sum(map(len, best.spikes)):
        ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", color="0.4")


def time_span(task: Task, best: "FitResult", shown: list[Part]) -> tuple[float, float]:
    """The time range (ms) of the raster plot: it contains all spikes and stimuli, or, of trains with very many spikes, a part."""
    sweeps = task.recording.sweeps
    longest = max(len(s.voltage) for s in sweeps) * task.dt
    if max(len(s) for s in task.spikes) > MOST_SPIKES:
        rate = max(len(s) for s in task.spikes) / longest
        first = min(p.start for p in shown) * task.dt
        return first, min(longest, first + MOST_SPIKES / rate)
    times = np.concatenate([*(s.time for s in task.spikes), *best.spikes])
    windows = [s.window for s, p in zip(sweeps, task.spikes, strict=True) if s.window is not None and len(p)]
    low = min([*times, *(a for a, _ in windows)], default=0.0)
    high = max([*times, *(b for _, b in windows)], default=longest)
    return max(0.0, low - MARGIN), min(longest, high + MARGIN)
