"""`make model-pages`: writes docs/models/, a page, a drawing and a picture for each model, and an index.

Pages and drawings come from docstring, declarations and trace (`spikefab.hw.pages`); what is
plotted of a model is in PANELS, or steps of current for a model that is not there.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from spikefab.fit.report.neuron_picture import firing_heights
from spikefab.fit.report.plots import DATA, MODEL, STYLE, new_figure
from spikefab.hw.datapath import datapath
from spikefab.hw.lowering.cost import cost
from spikefab.hw.models import MODELS, GLIFNeuron
from spikefab.hw.neuron import Neuron
from spikefab.hw.pages import description as facts
from spikefab.hw.pages.drawing import draw
from spikefab.sim.engine import SETTLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).parent / "models"
MADE = "<!-- made by `make model-pages`: do not edit -->\n"
BEFORE = 40.0  # ms before a current step
AFTER = 40.0  # ms after a current step
STEP = 400.0  # duration of a current step, ms
COLUMNS = 3


class Panel(NamedTuple):
    """A current to play to a neuron: steps of (ms from the start, ms, nA). `by`: the classmethod that makes it, if any."""

    name: str
    steps: tuple[tuple[float, float, float], ...]
    params: dict[str, Any] = {}
    stop: float = BEFORE + STEP + AFTER
    by: str = ""

    def neuron(self, model: type[Neuron]) -> Neuron:
        return (getattr(model, self.by) if self.by else model)(**self.params, word=facts.WORD)

    def current(self, dt: float) -> np.ndarray:
        nA = np.zeros(round(self.stop / dt))
        for start, length, height in self.steps:
            nA[round(start / dt) : round((start + length) / dt)] += height
        return nA

    def words(self) -> tuple[str, str]:
        """How the neuron is made, and the current."""
        given = (
            ", ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in self.params.items())
            or "the defaults"
        )
        same = len({(length, nA) for _, length, nA in self.steps}) == 1 and len(self.steps) > 1
        steps = [f"{nA:g} nA for {length:g} ms" for _, length, nA in (self.steps[:1] if same else self.steps)]
        starts = f" at {', '.join(f'{s:g}' for s, *_ in self.steps)} ms" if same else ""
        return f"`{self.by}`: {given}" if self.by else given, ", ".join(steps) + starts


def step(name: str, nA: float, ms: float = STEP, **params: Any) -> Panel:
    return Panel(name, ((BEFORE, ms, nA),), params, BEFORE + ms + AFTER)


def cell_2003(name: str, a: float, b: float, c: float, d: float, *steps: tuple[float, float, float]) -> Panel:
    return Panel(name, steps, {"a": a, "b": b, "c": c, "d": d}, 440.0, "from_2003")


# AdEx after Naud et al. 2008, table 1; Izhikevich 2007, ch. 8 and the cells of 2003; cortical cells after Pospischil et al.
# 2008 (regular spiking: 96 um by 96 um); class I of Rinzel & Ermentrout 1998; the three cells of Kobayashi et al. 2009.
NAUD = {"Delta_T": 2.0, "V_T": -50.0}
CORTICAL = {
    "kinetics": "traub-miles", "C": 0.29, "g_Na": 14.5, "g_K": 1.45, "g_L": 0.029,
    "E_Na": 50.0, "E_K": -100.0, "E_L": -70.0, "V_T": -55.0,
}  # fmt: skip
CLASS_I = {"g_Ca": 0.04, "V_3": 12.0, "V_4": 17.4, "phi": 0.0667}
PANELS: dict[str, list[Panel]] = {
    "AdExNeuron": [
        step("tonic", 0.5, C=0.2, g_L=0.010, E_L=-70, a=0.002, tau_w=30, b=0, V_reset=-58, **NAUD),
        step("adapting", 0.5, C=0.2, g_L=0.012, E_L=-70, a=0.002, tau_w=300, b=0.06, V_reset=-58, **NAUD),
        step("initial burst", 0.4, C=0.13, g_L=0.018, E_L=-58, a=0.004, tau_w=150, b=0.12, V_reset=-50, **NAUD),
        step("bursting", 0.21, C=0.2, g_L=0.010, E_L=-58, a=0.002, tau_w=120, b=0.1, V_reset=-46, **NAUD),
        step("delayed, accelerating", 0.3, C=0.2, g_L=0.012, E_L=-70, a=-0.010, tau_w=300, b=0, V_reset=-58, **NAUD),
        step("transient", 0.18, C=0.1, g_L=0.010, E_L=-65, a=0.010, tau_w=90, b=0.1, V_reset=-47, **NAUD),
    ],
    "IzhikevichNeuron": [
        step("regular spiking", 0.1, C=0.1, k=0.0007, v_r=-60, v_t=-40, v_peak=35, a=0.03, b=-0.002, c=-50, d=0.1),
        step("intrinsically bursting", 0.5, C=0.15, k=0.0012, v_r=-75, v_t=-45, v_peak=50, a=0.01, b=0.005, c=-56, d=0.13),
        step("chattering", 0.3, C=0.05, k=0.0015, v_r=-60, v_t=-40, v_peak=25, a=0.03, b=0.001, c=-40, d=0.15),
        cell_2003("fast spiking", 0.1, 0.2, -65.0, 2.0, (BEFORE, 360.0, 0.5)),
        cell_2003("low threshold", 0.02, 0.25, -65.0, 2.0, (BEFORE, 360.0, 0.5)),
        cell_2003("thalamocortical: rebound", 0.02, 0.25, -65.0, 0.05, (BEFORE, 200.0, -1.0)),
    ],
    "HodgkinHuxleyNeuron": [
        step("1952: a single spike", 5.0, 150),
        step("1952: tonic", 10.0, 150),
        step("1952: block", 170.0, 150, i_span=256),
        step("1952: a spike after inhibition", -5.0, 60),
        step("cortical", 1.0, **CORTICAL),
        step("cortical with g_M: adapting", 1.0, **CORTICAL, g_M=0.0203, tau_max=1000.0),
    ],
    "MorrisLecarNeuron": [
        step("class II: silent", 0.8, 600),
        step("class II: from a rate of its own", 0.95, 600),
        step("class II: block", 2.5, 600),
        step("class I: silent", 0.38, 600, **CLASS_I),
        step("class I: from any rate", 0.42, 600, **CLASS_I),
        step("class I: faster", 0.6, 600, **CLASS_I),
    ],
    "FitzHughNagumoNeuron": [
        step("tonic", 0.5, 200),
        step("block at strong currents", 1.6, 200),
        step("a spike after inhibition", -0.5, 100),
    ],
    "HindmarshRoseNeuron": [
        step("two spikes, then silent", 0.2, 1500),
        step("bursting", 1.0, 1500),
        step("tonic", 3.0, 1500),
    ],
    "AlphaNeuron": [
        Panel("pulses, filtered", ((40, 2, 0.5), (90, 2, 0.5), (100, 2, 0.5)), stop=160),
        step("tau_s 2 ms", 0.25, 150),
        step("tau_s 20 ms", 0.25, 150, tau_s=20),
    ],
    "ResonateAndFireNeuron": [
        Panel("pulses at its own rhythm", ((20, 2, 0.45), (45, 2, 0.45), (70, 2, 0.45), (95, 2, 0.45)), stop=200),
        Panel("the same pulses, faster", ((20, 2, 0.45), (33, 2, 0.45), (46, 2, 0.45), (59, 2, 0.45)), stop=200),
        Panel("a spike after inhibition", ((40, 80, -0.7),), stop=200),
    ],
    "MATNeuron": [
        step("regular spiking", 0.6),
        step("intrinsically bursting", 0.6, alpha_1=7.5, alpha_2=1.5, omega=19),
        step("fast spiking", 0.6, alpha_1=10, alpha_2=0.2, omega=10),
    ],
    "GLIFNeuron": [
        step("rectified threshold", 0.4),
        *(step(f"GLIF{level}", 0.3, **chosen) for level, chosen in GLIFNeuron.LEVELS.items()),
    ],
}  # fmt: skip


# -- text ------------------------------------------------------------------------------------------------------------


def page(model: type[Neuron]) -> str:
    name, doc = model.__name__, facts.doc(model)
    lines = [MADE, f"# {name}", "", _escape(doc.title), "", "```text", doc.equations, "```", ""]
    for text in doc.remarks:
        lines += [_escape(text), ""]
    lines += [line for term, text in doc.terms(model) for line in (f"**{term}**: {_escape(text)}", "")]
    lines += ["## Firing patterns", "", f"![Voltage and current of {name}]({name}.png)", ""]
    lines += [f"Voltage of the fixed-point model at word {facts.WORD} over the current, dt = 0.1 ms.", ""]
    if name in PANELS:
        lines += [*_table(("pattern", "parameters", "current"), [(p.name, *p.words()) for p in PANELS[name]], 3), ""]
    else:
        lines += [
            f"The default neuron under steps of {STEP:g} ms: below and above the least that makes it fire, and twice it.",
            "",
        ]
    for listing in facts.listings(model):
        if listing.title.startswith("Saturations"):
            lines += _flow(name)
        lines += [f"## {listing.title}", "", *_table(listing.columns, listing.rows, listing.left), "", listing.note, ""]
    return "\n".join(lines)


def _flow(name: str) -> list[str]:
    return [
        "## Data flow",
        "",
        f"[![Data flow of {name}]({name}-flow.svg)]({name}-flow.svg)",
        "",
        f"One step at word {facts.WORD} on one shared multiplier, clock by clock. Open the drawing by itself and point at an "
        "operation or a wire: it shows number, format and interval.",
        "",
    ]


def index() -> str:
    rows = []
    for name, model in MODELS.items():
        c = cost(datapath(model, facts.WORD))
        counts = (str(len(facts.free(model))), str(c["multiplies"]), str(c["latency"]))
        rows.append((f"[{name}]({name}.md)", model.best_for, *counts))
    columns = ("model", "best for", "free parameters", "multiplies", "interval, clocks")
    return "\n".join(
        [
            MADE,
            "# The models",
            "",
            *_table(columns, rows, 2),
            "",
            f"Of one step at word {facts.WORD}, on one shared multiplier. `spikefab models NAME` shows the same as a page here. "
            "Another model is one file and one line: [how](../new-model.md).",
            "",
        ]
    )


def _table(columns, rows, left: int) -> list[str]:
    rule = ["---" if k < left else "---:" for k in range(len(columns))]
    cells = [columns, rule, *([_escape(cell).replace("|", r"\|") for cell in row] for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]


def _escape(text: str) -> str:
    """Stars are products here; between backticks all is literal."""
    parts = text.split("`")
    return "`".join(part if k % 2 else part.replace("*", r"\*").replace("<", "&lt;") for k, part in enumerate(parts))


def texts() -> dict[str, str]:
    """Every text file of the folder, by name."""
    files = {"README.md": index()}
    for name, model in MODELS.items():
        files[f"{name}.md"] = page(model)
        files[f"{name}-flow.svg"] = draw(datapath(model, facts.WORD))
    return files


# -- pictures --------------------------------------------------------------------------------------------------------


def panels(model: type[Neuron]) -> list[Panel]:
    return PANELS[model.__name__] if model.__name__ in PANELS else steps(model)


def steps(model: type[Neuron]) -> list[Panel]:
    """Below and above the least current that makes a model fire, and twice it, each to two digits."""
    dp = datapath(model, facts.WORD)
    heights, fires = firing_heights(dp, dp.quantise(model.defaults()), STEP)
    if fires is None:
        return [step("silent", float(heights[-1]))]
    least = max(1, fires)
    found = [("below", heights[least - 1]), ("above", heights[least]), ("twice", min(2 * heights[least], heights[-1]))]
    return [step(f"{name}: {nA:g} nA", float(nA)) for name, nA in found]


def plot(model: type[Neuron], path: Path) -> None:
    """Small multiples, voltage over current."""
    from matplotlib import rc_context

    shown = panels(model)
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    with rc_context(STYLE | {"font.size": 8, "axes.titlesize": 9}):
        figure = new_figure(3.0 * columns, 2.3 * rows)
        grid = figure.add_gridspec(2 * rows, columns, height_ratios=[3, 1] * rows)
        for k, panel in enumerate(shown):
            row, column = divmod(k, columns)
            voltage = figure.add_subplot(grid[2 * row, column])
            current = figure.add_subplot(grid[2 * row + 1, column], sharex=voltage)
            neuron = panel.neuron(model)
            nA = panel.current(neuron.dt)
            t = np.arange(len(nA)) * neuron.dt
            neuron.run(np.zeros(round(SETTLE / neuron.dt)))
            voltage.plot(t, neuron.run(nA), color=MODEL, linewidth=0.8)
            current.plot(t, nA, color=DATA, linewidth=0.9)
            voltage.set_title(panel.name)
            voltage.tick_params(labelbottom=False)
            current.set_xlim(0, panel.stop)
            if column == 0:
                voltage.set_ylabel("mV")
                current.set_ylabel("nA")
            if k + columns >= len(shown):
                current.set_xlabel("ms")
        _save(figure, path)


def _save(figure: "Figure", path: Path) -> None:
    """A few colours are enough for lines, in a third of the bytes. Pillow comes with matplotlib."""
    from PIL import Image

    canvas: Any = figure.canvas
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    image.quantize(32, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    files = texts()
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    for name, model in MODELS.items():
        plot(model, FOLDER / f"{name}.png")
    for path in FOLDER.iterdir():
        if path.name not in files and path.stem not in MODELS:
            path.unlink()
    print(f"{len(MODELS)} models in {FOLDER}")


if __name__ == "__main__":
    main()
