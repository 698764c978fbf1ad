"""The pictures of a report, as SVG text for an HTML page. Their colours are variables of the style of the page."""

import re
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab.fit.features.extract import f_i_curve
from spikefab.fit.features.observed import observe
from spikefab.fit.scoring.split import Part

from .plots import DATA, MODEL, STYLE, chosen, draw_sweep, limit_residual, new_figure, room_for_legend, time_span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spikefab.fit.results import FitResult, FitResults

MODELS = (MODEL, "#2f7fb8", "#c98a12")  # colours of the first, second and third model
GRID = "#bfbfbf"  # colour of thin lines
SHADE = "#e8ecf2"  # background of held-out parts
# colour -> variable of the page, which has a value for a light and one for a dark page
VARIABLES = {
    "#000000": "var(--ink)",
    DATA: "var(--ink)",
    MODEL: "var(--first)",
    MODELS[1]: "var(--second)",
    MODELS[2]: "var(--third)",
    GRID: "var(--line)",
    SHADE: "var(--shade)",
}
WIDTH = 4.3  # width of a picture, inches: fits a phone, so that a page needs only one layout
SWEEPS = 3  # number of sweeps shown as traces, at most
ROWS = 12  # number of sweeps in the raster plot, at most
LEGIBLE = 40  # number of spikes that can be told apart in a row of the raster plot
FLOAT_STEPS = 20_000  # steps simulated in float64 without compiling, at most: takes a second or two
FLOAT_SHOWN = 400.0  # ms, at the end of the simulation in float64, that a picture shows
SVG: Any = STYLE | {
    "font.size": 9,
    "axes.titlesize": 9,
    "svg.fonttype": "none",
    "path.simplify_threshold": 0.3,
    "axes.linewidth": 0.7,
}


def overlays(results: "FitResults") -> list[str]:
    """Pictures of the best model on at most SWEEPS held-out sweeps: voltages, residual, current."""
    task = results.task
    assert task is not None
    parts = _spread(chosen(task), SWEEPS)

    def draw(part: Part) -> Callable[["Figure"], None]:
        def one(figure: "Figure") -> None:
            grid = figure.add_gridspec(3, 1, height_ratios=(3.2, 1.5, 1))
            axes: list[Axes] = []
            for row in range(3):
                axes.append(figure.add_subplot(grid[row], sharex=axes[0] if axes else None))
            draw_sweep(axes, task, results.best, part, first=True)
            room_for_legend(axes[0])
            limit_residual([axes])
            # the low panels have no room for longer labels
            axes[1].set_ylabel("residual (mV)")
            axes[2].set_ylabel("nA")
            figure.align_ylabels(axes)

        return one

    return [svg(draw(part), 4.6, f"o{k}") for k, part in enumerate(parts)]


def raster(results: "FitResults") -> str:
    """A raster plot of the spikes of the recording and of the first three models, in at most ROWS sweeps.

    These are the held-out sweeps, which are shaded, and some of the others.
    """
    task = results.task
    assert task is not None
    sweeps = _rows(results)
    shown = results[: len(MODELS)]

    def draw(figure: "Figure") -> None:
        ax = figure.subplots()
        lanes = 1 + len(shown)
        style: dict[str, Any] = {"linelengths": 0.78 / lanes, "linewidths": 1.0}
        low, high = time_span(task, results.best, chosen(task))
        most = max(int(np.sum((task.spikes[k].time >= low) & (task.spikes[k].time <= high))) for k in sweeps)
        span = low, low + (high - low) * min(1.0, LEGIBLE / max(1, most))
        for part in task.split.held_out:
            if part.sweep in sweeps:
                row = sweeps.index(part.sweep)
                ends = np.clip([part.start * task.dt, part.stop * task.dt], *span)
                ax.fill_between(ends, row, row + 1, color=SHADE, linewidth=0)
        for row, k in enumerate(sweeps):
            for lane in range(lanes):
                times = task.spikes[k].time if not lane else shown[lane - 1].spikes[k]
                times = times[(times >= span[0]) & (times <= span[1])]
                ax.eventplot(times, lineoffsets=row + (lane + 0.5) / lanes, colors=(DATA, *MODELS)[lane], **style)
            if row:
                ax.axhline(row, color=GRID, linewidth=0.6)
        ax.set_yticks(np.arange(len(sweeps)) + 0.5, [task.recording.sweeps[k].name for k in sweeps])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(sweeps), 0)
        ax.set_xlim(*span)
        ax.set_xlabel("time (ms)")
        ax.set_ylabel("sweep")
        _key(figure, shown)

    return svg(draw, 1.4 + (0.1 + 0.09 * (1 + len(shown))) * len(sweeps), "r")


def _rows(results: "FitResults") -> list[int]:
    """The sweeps for the raster plot: first the held-out ones, then others in which the cell or the best model fires."""
    task = results.task
    assert task is not None
    every = range(len(task.recording.sweeps))
    held = sorted({p.sweep for p in task.split.held_out})
    firing = [k for k in every if k not in held and (len(task.spikes[k]) or len(results.best.spikes[k]))]
    held = _spread(held, ROWS)
    return sorted([*held, *_spread(firing, ROWS - len(held))]) or _spread([*every], ROWS)


def _spread(items: list[Any], most: int) -> list[Any]:
    """At most `most` of the items, evenly spaced."""
    if most < 1 or not items:
        return []
    return [items[k] for k in np.unique(np.linspace(0, len(items) - 1, most).round().astype(int))]


def f_i(results: "FitResults") -> str | None:
    """The f-I curves of the recording and of the first three models; None if there are not two different current steps."""
    task = results.task
    assert task is not None
    observed = observe(task.recording, task.spikes)
    current, rate = f_i_curve(observed)
    if len(np.unique(np.round(current, 4))) < 2:
        return None
    shown = results[: len(MODELS)]

    def draw(figure: "Figure") -> None:
        ax = figure.subplots()
        ax.plot(current, rate, "o-", color=DATA, markersize=5, linewidth=1)
        for r, colour in zip(shown, MODELS, strict=False):
            ax.plot(*f_i_curve(observed, r.spikes), ".-", color=colour, markersize=6, linewidth=0.9)
        ax.set_ylim(bottom=0)
        ax.set_xlabel("step above the baseline (nA)")
        ax.set_ylabel("rate (Hz)")
        _key(figure, shown)

    return svg(draw, 3.1, "f")


def rounding(results: "FitResults") -> tuple[str, str]:
    """A picture of the best model in fixed point and in float64, started in the same state, and a sentence about both."""
    task, best = results.task, results.best
    assert task is not None
    part = min(chosen(task), key=lambda p: p.stop)
    stop = min(part.stop, FLOAT_STEPS)
    start = max(0, stop - round(FLOAT_SHOWN / task.dt))
    neuron = best.create_model(part.sweep).ideal()
    # the voltage of a float64 model may become infinite: that is shown, without warnings of numpy
    with np.errstate(all="ignore"):
        ideal = neuron.run(best.currents[part.sweep][:stop])
    t = np.arange(start, stop) * task.dt
    fixed = best.voltages[part.sweep][start:stop]
    mine = int(np.sum(best.spikes[part.sweep] < stop * task.dt))
    exact = len(neuron.spikes)

    def draw(figure: "Figure") -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
        above.plot(t, ideal[start:stop], color=DATA, linewidth=1.6, label="float64")
        above.plot(t, fixed, color=MODEL, linewidth=0.9, label=f"{best.word} bits")
        above.set_ylabel("voltage (mV)")
        room_for_legend(above)
        below.axhline(0, color=GRID, linewidth=0.8)
        below.plot(t, fixed - ideal[start:stop], color=MODEL, linewidth=0.8)
        below.set_ylabel("difference (mV)")
        below.set_xlabel("time (ms)")
        below.set_xlim(t[0], t[-1])
        above.set_title(f"sweep {task.recording.sweeps[part.sweep].name}")

    name = best.model_name.removesuffix("Neuron")
    text = f"Over the first {stop * task.dt:,.0f} ms of this sweep {name} fires {mine} times in fixed point, {exact} in float64."
    return svg(draw, 3.6, "p"), text


def svg(draw: Callable[["Figure"], None], height: float, prefix: str) -> str:
    """An <svg> element of what `draw` draws, `height` inches high. Its ids begin with `prefix`, unique in the page."""
    from matplotlib import rc_context

    with rc_context(SVG | {"svg.hashsalt": prefix}):
        figure = new_figure(WIDTH, height)
        draw(figure)
        out = StringIO()
        nothing: Any = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    # removed, as a style element in one picture would apply to the whole page
    text = re.sub(r"<(metadata|style).*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r'<svg .*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" role="img">', text, count=1, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}-', text).replace("url(#", f"url(#{prefix}-")
    text = text.replace('href="#', f'href="#{prefix}-')
    for colour, variable in VARIABLES.items():
        text = text.replace(f": {colour}", f": {variable}")
    # the font of the page is used, which is about as wide as the one that the picture was drawn with
    text = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", text)
    return text.strip()


def _key(figure: "Figure", shown: "list[FitResult]") -> None:
    """Draw a legend with the recording and the models."""
    from matplotlib.lines import Line2D

    names = ["recording", *(r.model_name.removesuffix("Neuron") for r in shown)]
    lines = [Line2D([], [], color=colour, linewidth=2) for colour in (DATA, *MODELS)]
    figure.legend(lines[: len(names)], names, loc="outside upper center", ncols=2, frameon=False, fontsize=8)
