"""What accuracy costs on a board: each fitted model at each word and in each form, its score against what it takes.

A point is on the front if no other of its form takes as little or less of everything (logic cells, multipliers, block RAMs, and
one over the neurons in real time) and less of something, for a score at most 2 % (`target.COST`) higher. The knee is where the
front bends: the point farthest below the line from the cheapest point of the front to the best one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikefab.boards.estimates import Estimate, estimate, population
from spikefab.boards.table import Board
from spikefab.calls import path_of, public
from spikefab.delegates import delegate
from spikefab.errors import DoesNotFitError, UsageError
from spikefab.files import unwritable, write_json
from spikefab.markup import table, tag, view

from .options import known_board
from .result import FitResult
from .target import COST, at_each_word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .results import FitResults

FORMS = {"shared": "one neuron", "pipelined": "as many as fit"}
RESOURCES = ("cells", "multipliers", "block_rams")


@dataclass(frozen=True)
class Point:
    """A model at a word and in a form: its score, and what it takes.

    score  on held-out data; on training data if nothing was held out, or in a cross-validation; 0 is perfect
    takes  estimated
    front  whether no other point is cheaper and as good
    knee   whether it is where the front of its form bends
    """

    score: float
    takes: Estimate
    result: FitResult = field(repr=False, compare=False)
    front: bool = False
    knee: bool = False

    @property
    def name(self) -> str:
        """Such as "AdEx-18"."""
        return f"{self.takes.model.removesuffix('Neuron')}-{self.takes.word}"

    @property
    def costs(self) -> tuple[float, ...]:
        return (*(getattr(self.takes, kind) for kind in RESOURCES), -self.takes.neurons)

    def beats(self, other: "Point") -> bool:
        """Whether it makes the other one pointless."""
        if self.costs == other.costs:
            return self.score < other.score
        cheaper = all(a <= b for a, b in zip(self.costs, other.costs, strict=True))
        return cheaper and self.score <= (1 + COST) * other.score

    def to_dict(self) -> dict[str, Any]:
        return {
            "score": self.score,
            "front": self.front,
            "knee": self.knee,
            "settings": dict(self.result.settings),
            **self.takes.as_dict(),
        }


@dataclass(frozen=True)
class Pareto:
    """All points, those of one neuron first, the best first. A notebook shows the front as a table, `plot` draws all."""

    board: Board
    points: list[Point]
    validated: bool = True  # whether the scores are on held-out data

    @property
    def front(self) -> list[Point]:
        return [point for point in self.points if point.front]

    def of(self, form: str) -> list[Point]:
        """The points of a form, "shared" or "pipelined"."""
        return [point for point in self.points if point.takes.form == form]

    def share(self, point: Point) -> float:
        """The share, 0 to 1, that a point takes of what the device has least of for it."""
        return max(getattr(point.takes, kind) / (getattr(self.board, kind) or 1) for kind in RESOURCES)

    def expense(self, point: Point) -> float:
        """What is weighed against the score: of one neuron its logic cells, of many, how few there are."""
        return point.takes.cells if point.takes.form == "shared" else -log(point.takes.neurons)

    @property
    def sentences(self) -> list[str]:
        """For each form, which point is the knee, and what the best one and the cheapest one are beside it."""
        return [self._sentence(form) for form in FORMS if self.of(form)]

    def _sentence(self, form: str) -> str:
        front = [point for point in self.of(form) if point.front]
        knee = next(point for point in front if point.knee)
        best, cheapest = min(front, key=lambda p: p.score), min(front, key=self.expense)
        told = f"{FORMS[form].capitalize()}: the knee is {_named(knee)} with a score of {knee.score:.3f}, {self._taken(knee)}"
        if knee is best is cheapest:
            return f"{told}: nothing is better or cheaper."
        others = []
        if best is not knee:
            others.append(f"{_named(best)}, the best, has {best.score:.3f} and takes {self._taken(best)}")
        if cheapest is not knee:
            kind = "the cheapest" if form == "shared" else "the one with the most neurons"
            others.append(f"{_named(cheapest)}, {kind}, has {cheapest.score:.3f} and takes {self._taken(cheapest)}")
        return f"{told}; {'; '.join(others)}."

    def _taken(self, point: Point) -> str:
        if point.takes.form == "shared":
            return f"{point.takes.cells:,} cells ({point.takes.cells / self.board.cells:.0%} of the device)"
        return f"{self.share(point):.0%} of the device for {point.takes.neurons:,} neurons"

    def rows(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """The front as a table: heads and rows."""
        heads = ("form", "model", "word", "score", "cells", "multipliers", "block RAMs", "MHz", "neurons", "")
        rows = []
        for p in self.front:
            numbers = (p.takes.cells, p.takes.multipliers, p.takes.block_rams, p.takes.mhz, p.takes.neurons)
            name = p.takes.model.removesuffix("Neuron")
            texts = [f"{x:,}" for x in numbers]
            rows.append((FORMS[p.takes.form], name, str(p.takes.word), f"{p.score:.3f}", *texts, "knee" * p.knee))
        return heads, rows

    @property
    def basis(self) -> str:
        """What the columns are."""
        cells, mhz = (max(getattr(p.takes, f"{name}_error") for p in self.points) for name in ("cells", "mhz"))
        data = "held-out" if self.validated else "training"
        return (
            f"score: on {data} data, 0 is perfect. Estimated, not built: cells may be off by {cells:.0%}, the clock by "
            f"{mhz:.0%}. {len(self.points)} points, of which {len(self.front)} are on the front; what costs more and gains less "
            f"than {COST:.0%} of the score is not."
        )

    def to_dict(self) -> dict[str, Any]:
        """The content of `pareto.json`."""
        return {
            "board": self.board.name,
            "validated": self.validated,
            "points": [point.to_dict() for point in self.points],
            "sentences": self.sentences,
        }

    @public
    def save(self, folder: str | Path) -> list[str]:
        """Write `pareto.json`, `pareto.png`, and for each point of the front a `neuron.json`, which `verify` and `build` take.

        Returns the names of the files. Raises FileError if they cannot be written.
        """
        folder = path_of(folder, "save")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / "pareto.json", self.to_dict())
            self.plot().savefig(folder / "pareto.png", dpi=130)
            for name, point in {point.name: point for point in self.front}.items():
                neuron = point.result.create_model()
                (folder / name).mkdir(exist_ok=True)
                content: dict[str, Any] = {
                    "model": point.takes.model,
                    "settings": dict(point.result.settings),
                    "codes": dict(neuron.codes),
                }
                content |= {"word": neuron.word, "dt": neuron.dt, "i_span": neuron.datapath.i_span}
                write_json(folder / name / "neuron.json", content)
        except OSError as error:
            raise unwritable(folder, error) from None
        return [
            "pareto.json",
            "pareto.png",
            *(f"{name}/neuron.json" for name in dict.fromkeys(p.name for p in self.front)),
        ]

    def plot(self) -> "Figure":
        """A matplotlib figure: score against the logic cells of one neuron, and against the number of neurons."""
        return delegate("plot_pareto")(self)

    def __str__(self) -> str:
        heads, rows = self.rows()
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        lines = [
            "  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip() for row in (heads, *rows)
        ]
        return "\n".join([*lines, *self.sentences, self.basis])

    def _repr_html_(self) -> str:
        heads, rows = self.rows()
        said = [tag("p", text) for text in self.sentences]
        return view(
            tag("p", f"On {self.board.name}", css="title"),
            table(heads, rows, 2),
            *said,
            tag("p", self.basis, css="soft"),
        )


@public
def pareto(results: "FitResults", board: str | Path, notice: Callable[[str], None] | None = None) -> Pareto:
    """Score and estimate the models of a fit at every word and in every form in which they fit a board.

    results  of a fit, with their recording; `top_k` decided how many models there are
    board    its name, or the file of one's own
    notice   called with one sentence before kernels are compiled

    Raises UsageError for results that were loaded from a file without their recording, or if nothing is known of such a board;
    DoesNotFitError if no model fits it.
    """
    if not results:
        raise UsageError("there are no results: no model was fitted.")
    task = results.task
    if task is None:
        raise UsageError("pareto needs the recording too: FitResults.load(path, recording=...).")
    known = known_board(board)
    there = at_each_word(results, task, known, known.words, notice or (lambda text: None))
    # A cross-validation has judged each model at one word only; what it then returns is fitted to all data.
    validated = bool(task.split.held_out)
    points = []
    for at_word in there:
        for result in at_word.values():
            neuron = result.create_model()
            for takes in (estimate(neuron, known), population(neuron, known)):
                if takes is not None and not takes.refused:
                    judged = (validated and result.held_out) or result.train
                    points.append(Point(judged.combined_score, takes, result))
    if not points:
        names = ", ".join(result.model_name for result in results)
        raise DoesNotFitError(f"none of these models fits {known.name} at any word: {names}.")
    points.sort(key=lambda p: ([*FORMS].index(p.takes.form), p.score, p.costs))
    made = Pareto(known, with_front(points), validated)
    knees = [knee_of([p for p in made.of(form) if p.front], made.expense) for form in FORMS]
    return replace(made, points=[replace(p, knee=any(p is knee for knee in knees)) for p in made.points])


def with_front(points: Sequence[Point]) -> list[Point]:
    """The points, of which each says whether it is on the front of its form."""
    return [
        replace(p, front=not any(other.takes.form == p.takes.form and other.beats(p) for other in points))
        for p in points
    ]


def knee_of(front: Sequence[Point], expense: Callable[[Point], float]) -> Point | None:
    """The point farthest below the line from the cheapest point to the best one; the best one if none is below it.

    None if there are no points.
    """
    if not front:
        return None
    costs, scores = [expense(p) for p in front], [p.score for p in front]
    wide, high = max(costs) - min(costs) or 1.0, max(scores) - min(scores) or 1.0
    below = [1 - (c - min(costs)) / wide - (s - min(scores)) / high for c, s in zip(costs, scores, strict=True)]
    k = max(range(len(front)), key=below.__getitem__)
    return front[k] if below[k] > 1e-9 else min(front, key=lambda p: p.score)


def _named(point: Point) -> str:
    return f"{point.takes.model.removesuffix('Neuron')} at word {point.takes.word}"
