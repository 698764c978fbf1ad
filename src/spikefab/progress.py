"""Shows the progress of a fit: as bars on a terminal, as a table in a notebook, or as lines of text.

The command line, Python and notebooks share it. What is shown is a `FitClock`, which `fit.search` keeps.
"""

import math
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

from spikefab.markup import Markup, table, tag, view

BAR = 24  # characters of a bar; half as many on a narrow terminal
WIDE = 105  # columns of a terminal from which on bars and words have their full length
PER_SECOND = 5  # times a second that a terminal is drawn again
EVERY = 0.4  # s between two pictures in a notebook


class Run(Protocol):
    """The searches of one model: evaluations so far, and at most or, once it has ended, in all; and the best loss."""

    evaluations: int
    budget: int
    loss: float

    @property
    def ended(self) -> bool: ...


class Clock(Protocol):
    """What is shown of a fit, see `fit.search.clock`."""

    @property
    def runs(self) -> Mapping[str, Run]: ...
    @property
    def elapsed(self) -> float: ...
    @property
    def remaining(self) -> float | None: ...
    def tell(self, model: str, evaluations: int, budget: int, loss: float) -> None: ...
    def portion(self, model: str, evaluations: int, share: float) -> None: ...


class Display:
    """Shows the progress of a fit within a `with` block. It is called as the argument `progress` of `fit` is."""

    def __init__(self, clock: Clock):
        self.clock = clock
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the display; what was shown last stays."""
        self.ended = True
        self.end()

    def end(self) -> None:
        """Show the state at the end."""

    def __call__(self, model: str, evaluations: int, budget: int, loss: float) -> None:
        self.clock.tell(model, evaluations, budget, loss)
        self.show(model)

    def times(self) -> str:
        """Elapsed and remaining time of the fit."""
        left = self.clock.remaining
        rest = "" if left is None or self.ended else f", about {duration(left)} left" if left >= 1 else ", scoring"
        return f"{duration(self.clock.elapsed)} elapsed{rest}"

    def show(self, model: str) -> None:
        """Show the state of a model, which has changed."""

    def notice(self, text: str) -> None:
        """Show a notice, one sentence."""


class Lines(Display):
    """A line of text for each model at each quarter of its budget, and one when it ends."""

    def __init__(self, clock: Clock, write: Callable[[str], object]):
        super().__init__(clock)
        self.write = write
        self.written: dict[str, int] = {}  # model -> evaluations in its last line

    def show(self, model: str) -> None:
        run, written = self.clock.runs[model], self.written.get(model, 0)
        quarter = math.floor(4 * run.evaluations / run.budget) > math.floor(4 * written / run.budget)
        if quarter or (run.ended and run.evaluations != written):
            self.line(model)

    def line(self, model: str) -> None:
        """Write the state of a model."""
        run = self.clock.runs[model]
        self.written[model] = run.evaluations
        self.write(f"{model}: {evaluations(run)}")

    def end(self) -> None:
        for model, run in self.clock.runs.items():  # the last state of models that were interrupted
            if run.evaluations != self.written.get(model):
                self.line(model)

    def notice(self, text: str) -> None:
        self.write(f"note: {text}")


class Bars(Display):
    """A bar for each model on a terminal, below one for all, with the elapsed and the remaining time."""

    def __init__(self, clock: Clock, console: Any):
        super().__init__(clock)
        from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
        from rich.table import Column
        from rich.text import Text

        class State(ProgressColumn):
            """Text that changes between two calls too: the time goes on."""

            def render(self, task: Any) -> Text:
                return Text(task.fields["state"]())

        self.console = console
        wide = console.width >= WIDE
        self.words = evaluations if wide else state
        bar = BarColumn(bar_width=BAR if wide else BAR // 2)
        plain = TextColumn("{task.description}", markup=False)
        last = State(table_column=Column(no_wrap=True))
        self.live = Progress(plain, bar, last, console=console, refresh_per_second=PER_SECOND)
        self.tasks: dict[str, Any] = {}
        self.whole: Any = None

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def end(self) -> None:
        if self.whole is not None:
            self.live.update(self.whole, completed=1, total=1)
        self.live.stop()

    def show(self, model: str) -> None:
        runs = self.clock.runs
        if self.whole is None:
            self.whole = self.live.add_task("all models", total=None, state=self.times)
        if model not in self.tasks:
            run = runs[model]
            self.tasks[model] = self.live.add_task(model, total=run.budget, state=lambda: self.words(run))
        for name, task in self.tasks.items():
            self.live.update(task, completed=runs[name].evaluations, total=runs[name].budget)
        self.live.update(self.whole, completed=self.clock.elapsed, total=_whole(self.clock))

    def notice(self, text: str) -> None:
        self.console.print(f"note: {text}", style="yellow")


class Cell(Display):
    """A table in the output of a notebook's cell, which is replaced as the fit goes on."""

    def __init__(self, clock: Clock, display: Callable[..., Any]):
        super().__init__(clock)
        self.display = display  # IPython's
        self.notices: list[str] = []
        self.handle: Any = None
        self.drawn = -math.inf

    def show(self, model: str) -> None:
        if time.monotonic() - self.drawn >= EVERY:
            self.draw()

    def notice(self, text: str) -> None:
        self.notices.append(text)
        self.draw()

    def end(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Show the present state in the place of the one before."""
        if self.handle is None:
            self.handle = self.display(self, display_id=True)
        else:
            self.handle.update(self)
        self.drawn = time.monotonic()

    def __repr__(self) -> str:
        states = [f"{model}: {evaluations(run)}" for model, run in self.clock.runs.items()]
        return "\n".join([self.heading(), *states, *(f"note: {text}" for text in self.notices)])

    def heading(self) -> str:
        """What the fit does, and since when."""
        runs = self.clock.runs.values()
        if not self.ended:
            return f"Fitting: {self.times()}"
        return f"{sum(run.evaluations for run in runs):,} evaluations in {duration(self.clock.elapsed)}"

    def _repr_html_(self) -> str:
        rows = [
            (model, Markup(f'<td><progress max="{run.budget}" value="{run.evaluations}"></progress></td>'), state(run))
            for model, run in self.clock.runs.items()
        ]
        models = table(("model", "searched", "evaluations"), rows) if rows else Markup("")
        if self.ended and rows:
            models = tag("details", tag("summary", self.heading()), models)
        else:
            models = Markup(tag("p", self.heading()) + models)
        return view(models, *(tag("p", text, css="note") for text in self.notices))


def evaluations(run: Run) -> str:
    """How far the searches of a model are."""
    most = "" if run.ended else f" of {run.budget:,}"
    return f"{run.evaluations:,}{most} evaluations, best loss {run.loss:.4f}"


def state(run: Run) -> str:
    """The same in short, for a column."""
    most = "" if run.ended else f" / {run.budget:,}"
    return f"{run.evaluations:,}{most}, loss {run.loss:.4f}"


def duration(seconds: float) -> str:
    """A time as people read it: 42 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _whole(clock: Clock) -> float | None:
    """The time of the whole fit, s, as far as it is known."""
    return None if clock.remaining is None else clock.elapsed + clock.remaining


def fitting_display(clock: Clock, even_without: bool = False) -> Display:
    """The display of a fit that was started from Python: a table in a notebook, bars on a terminal, else none.

    even_without  without notebook and terminal, lines on standard error

    None is shown in a child process or thread, as several of these would write over each other.
    """
    if multiprocessing.parent_process() is None and threading.current_thread() is threading.main_thread():
        display = _notebook()
        if display is not None:
            return Cell(clock, display)
        if sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console

            console = Console(file=sys.stderr, markup=False, highlight=False, emoji=False)
            if console.is_terminal and not console.is_dumb_terminal:
                return Bars(clock, console)
    if even_without:
        return Lines(clock, lambda text: print(text, file=sys.stderr))
    return Display(clock)


def _notebook() -> Callable[..., Any] | None:
    """IPython's function `display` if this process runs the cells of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:
        return None
    from IPython.display import display

    return display
