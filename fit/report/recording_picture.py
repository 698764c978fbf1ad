"""Draws traces, such as those of a recording: the voltages of all sweeps, and below them the currents."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import RecordingError, readable
from spikefab.files import write_whole
from spikefab.fit.recordings.recording import Recording

from .plots import STYLE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

# Number of bins of a long trace; only the lowest and highest sample of each is drawn. The picture has fewer pixel columns.
BINS = 3000
NAMED = 12  # number of sweeps above which the legend names only the first and the last
DENSE = 60  # number of spikes in a sweep above which they cannot be told apart, so that an enlarged part is drawn too
CLOSER = 20  # number of spikes in the enlarged part of a sweep with too many spikes
COLOURS = ("#30638e", "#d1495b", "#edae49")  # colours of the first, middle and last sweep; others lie between


class Trace(NamedTuple):
    """What is drawn of a sweep: its name, voltage (T,) mV, current (T,) nA as used, and as recorded if that differs."""

    name: str
    voltage: Floats
    current: Floats | None
    recorded: Floats | None = None


def picture_recording(recording: Recording, path: str | Path) -> None:
    """Draw the recording into a file, whose suffix tells the format (png, svg, pdf). Raises OSError if that fails."""
    figure = plot_recording(recording)
    kind = Path(path).suffix[1:]
    write_whole(Path(path), lambda scratch: figure.savefig(scratch, dpi=130, format=kind), parents=False)


def plot_recording(recording: Recording) -> "Figure":
    """The figure of a recording, see `Recording.plot`."""
    sweeps = recording.sweeps
    if not sweeps:
        raise RecordingError(f"{recording.source} holds no sweeps to draw.")
    count = f"{len(sweeps)} sweeps" if len(sweeps) > 1 else "one sweep"
    return draw_traces(
        [Trace(s.name, s.voltage, s.current, s.recorded) for s in sweeps],
        recording.dt,
        f"{readable(Path(recording.source).name)}: {count}, dt {recording.dt:g} ms",
        _closer(recording),
    )


def draw_traces(traces: Sequence[Trace], dt: float, title: str, closer: Sequence[tuple[float, float]] = ()) -> "Figure":
    """A figure of voltages, and of currents below them; `closer` are (start, stop) ms of parts to draw enlarged beside them."""
    from matplotlib import rc_context
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("sweeps", COLOURS)(np.linspace(0, 1, max(2, len(traces))))
    known = any(t.current is not None for t in traces)
    spans = [(0.0, max(len(t.voltage) for t in traces) * dt), *closer]
    with rc_context(STYLE):
        figure = new_figure(6.0 + 4.5 * len(spans), 6.4 if known else 4.6)
        grid = figure.subplots(
            1 + known, len(spans), sharex="col", sharey="row", squeeze=False, height_ratios=(2.6, 1)[: 1 + known]
        )
        for column, (start, stop) in enumerate(spans):
            for k, trace in enumerate(traces):
                if trace.recorded is not None:
                    ax = grid[1, column]
                    ax.plot(*_outline(trace.recorded, dt, start, stop), color="#999999", linewidth=0.4, zorder=1)
                for ax, values in zip(grid[:, column], (trace.voltage, trace.current), strict=False):
                    if values is not None:
                        name = trace.name if column == 0 else None
                        ax.plot(*_outline(values, dt, start, stop), color=colours[k], linewidth=0.8, label=name)
            grid[-1, column].set_xlim(start, stop)
            grid[-1, column].set_xlabel("time (ms)")
        grid[0, 0].set_ylabel("voltage (mV)")
        if known:
            as_used = "\ngrey: as recorded" if any(t.recorded is not None for t in traces) else ""
            grid[1, 0].set_ylabel(f"current (nA){as_used}")
        _legend(figure, grid[0, 0], len(traces))
        grid[0, 0].set_title(title)
        for ax, (start, stop) in zip(grid[0, 1:], spans[1:], strict=True):
            ax.set_title(f"closer: {start:.0f} to {stop:.0f} ms")
    return figure


def _closer(recording: Recording) -> list[tuple[float, float]]:
    """(start, stop) in ms of the part to enlarge: some spikes in the middle of the sweep with the most spikes.

    The list is empty if no sweep has too many spikes to be told apart.
    """
    times = max((spikes.time for spikes in recording.spikes()), key=len)
    if len(times) <= DENSE:
        return []
    first = (len(times) - CLOSER) // 2
    return [(float(times[first]) - 5.0, float(times[first + CLOSER]) - 5.0)]


def _outline(values: Floats, dt: float, start: float, stop: float) -> tuple[Floats, Floats]:
    """Times (ms) and values of a trace between start and stop (ms); of a long one, only the extremes of each of BINS bins."""
    first = max(0, round(start / dt))
    shown = values[first : round(stop / dt) + 1]
    width = -(-len(shown) // BINS)
    if width < 3:
        return (np.arange(first, first + len(shown)) * dt).astype(np.float64), shown
    bins = np.pad(shown, (0, -len(shown) % width), mode="edge").reshape(-1, width)
    at = np.arange(first, first + len(bins) * width, width) * dt
    ends = np.stack([bins.min(axis=1), bins.max(axis=1)], axis=1)
    return np.repeat(at, 2).astype(np.float64), ends.ravel()


def _legend(figure: "Figure", ax: "Axes", sweeps: int) -> None:
    """A legend with the names of the sweeps beside the traces; of many sweeps, only of the first and the last."""
    handles, names = ax.get_legend_handles_labels()
    if sweeps > NAMED:
        handles, names = [handles[0], handles[-1]], [f"{names[0]} (first)", f"{names[-1]} (last)"]
    if sweeps > 1:
        figure.legend(handles, names, title="sweep", loc="outside right upper", frameon=False, fontsize=8)
