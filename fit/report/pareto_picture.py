"""The picture of `fit.pareto.Pareto`: score against the logic cells of one neuron, and against neurons."""

from typing import TYPE_CHECKING, Any

from .plots import MODEL, STYLE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spikefab.fit.pareto import Pareto, Point

OFF, LINE = "#b9bfc9", "#30638e"  # colours of the points that are not on the front, and of the front
MARKS = {16: "o", 18: "s", 24: "D"}  # of a word


def plot_pareto(pareto: "Pareto") -> "Figure":
    """A matplotlib figure with a panel for each form that fits the board."""
    from matplotlib import rc_context

    forms = [form for form in ("shared", "pipelined") if pareto.of(form)]
    with rc_context(STYLE):
        figure = new_figure(6.4 * len(forms), 5.2)
        axes = figure.subplots(1, len(forms), squeeze=False)[0]
        for ax, form in zip(axes, forms, strict=True):
            _panel(ax, pareto, form)
        axes[0].set_ylabel("score (0 is perfect)")
        for word, mark in MARKS.items():
            axes[0].scatter([], [], marker=mark, s=34, color=LINE, label=f"word {word}")
        axes[0].scatter([], [], s=20, color=OFF, label="costs more, for no better score")
        figure.legend(
            *axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=4, fontsize=9
        )
    return figure


def _panel(ax: "Axes", pareto: "Pareto", form: str) -> None:
    def at(point: "Point") -> tuple[float, float]:
        return (point.takes.cells if form == "shared" else point.takes.neurons), point.score

    points = pareto.of(form)
    for word, mark in MARKS.items():
        for front in (False, True):
            some = [at(p) for p in points if p.takes.word == word and p.front == front]
            if some:
                x, y = zip(*some, strict=True)
                look: Any = {"s": 34, "color": LINE, "zorder": 3} if front else {"s": 20, "color": OFF, "zorder": 2}
                ax.scatter(x, y, marker=mark, **look)
    if form == "shared":
        cells = max(p.takes.cells for p in points)
        ax.set(xlabel=f"logic cells of {pareto.board.cells:,}, estimated", title="One neuron", xlim=(0, 1.05 * cells))
        ax.xaxis.set_major_formatter("{x:,.0f}")
    else:
        ax.set(xlabel="neurons in real time, estimated", title="As many as fit", xscale="log")
        ax.xaxis.set_major_formatter("{x:,.0f}")
        ax.xaxis.set_minor_formatter(lambda x, _: f"{x:,.0f}" if f"{x:.0e}"[0] in "25" else "")
    best = sorted((p for p in points if p.front), key=pareto.expense)
    lowest, steps = float("inf"), []  # of the front, the points that nothing cheaper beats in this picture
    for p in best:
        if p.score < lowest:
            steps.append(p)
            lowest = p.score
    x, y = zip(*map(at, steps), strict=True)
    ax.step(x, y, where="post", color=LINE, linewidth=1, zorder=1)
    high = max(p.score for p in points if p.front)
    margin = max(0.25 * (high - lowest), 0.03)
    ax.set_ylim(max(0, lowest - margin), high + margin)
    for p in steps:
        # to the left of the front, where no point is; the neurons of a population grow to the right
        ax.annotate(
            p.name, at(p), textcoords="offset points", xytext=(-9, -3) if form == "shared" else (7, -11), fontsize=8,
            ha="right" if form == "shared" else "left", color=MODEL if p.knee else "black",
            fontweight="bold" if p.knee else "normal",
        )  # fmt: skip
        if p.knee:
            ax.scatter(*at(p), s=150, facecolor="none", edgecolor=MODEL, linewidth=1.6, zorder=4)
    if form == "pipelined":
        ax.set_xlim(right=2.2 * max(p.takes.neurons for p in points))  # room for names
