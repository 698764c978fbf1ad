"""Output of a command: tables on stdout, progress and notices on stderr; with `--json`, one JSON object on stdout."""

import json
import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from spikefab.errors import on_command_line, worded
from spikefab.progress import Bars, Clock, Display, Lines

PIPED_WIDTH = 120  # characters per line of output that goes to a file or a pipe, not to a terminal


def number(value: float | None, digits: int = 3) -> str:
    """A number as text for a table, with `digits` decimals; a dash if there is no number."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


class Screen:
    """The standard output and standard error of one command. With `as_json`, only `result` writes to standard output."""

    def __init__(self, as_json: bool = False):
        from rich.console import Console

        self.as_json = as_json
        plain: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}
        self.out = Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPED_WIDTH, **plain)
        self.err = Console(file=sys.stderr, width=None if sys.stderr.isatty() else PIPED_WIDTH, **plain)

    @property
    def live(self) -> bool:
        """Whether standard error is a terminal on which a line can be drawn again, which one with TERM=dumb cannot."""
        return self.err.is_terminal and not self.err.is_dumb_terminal

    def say(self, text: str = "") -> None:
        """Print a line for people, unless the output is JSON. Long lines are not folded: commands and paths can be copied."""
        if not self.as_json:
            self.out.print(text, soft_wrap=True)

    def heading(self, text: str) -> None:
        """Print a blank line and a title, unless the output is JSON."""
        if not self.as_json:
            self.out.print()
            self.out.print(text, style="bold", soft_wrap=True)

    def notice(self, text: str) -> None:
        """Print a note to standard error, with JSON output too."""
        self.err.print(f"note: {worded(text, on_command_line)}", style="yellow", soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> None:
        """Print a table. The first `left` columns are text, aligned left; the others are numbers, aligned right."""
        if self.as_json:
            return
        from rich import box
        from rich.table import Table

        if title:
            self.heading(title)
        # the same lines in ASCII: rich would draw a grid where the encoding is not UTF
        lines = str(box.SIMPLE_HEAD).replace("─", "-")
        plain = not self.out.encoding.lower().startswith("utf")
        table = Table(box=box.Box(lines, ascii=True) if plain else box.SIMPLE_HEAD, pad_edge=False)
        for k, name in enumerate(columns):
            table.add_column(name, justify="left" if k < left else "right")
        for row in rows:
            table.add_row(*row)
        self.out.print(table)

    def result(self, content: Any) -> None:
        """Print the result of the command as one JSON object, if the user asked for JSON."""
        if self.as_json:
            from spikefab.fit.report.json_values import finite

            sys.stdout.write(json.dumps(finite(content, on_command_line), indent=1, allow_nan=False) + "\n")

    def fitting(self, clock: Clock) -> Display:
        """A context that shows the progress of a fit, and the function to call with it."""
        if self.live:
            return Bars(clock, self.err)
        return Lines(clock, lambda text: self.err.print(text, soft_wrap=True))

    @contextmanager
    def steps(self) -> Iterator["Steps"]:
        """Show the steps of a longer command, and how long each took. The last one ends with the `with` block."""
        steps = Steps(self)
        try:
            yield steps
        except BaseException:
            steps.leave("stopped")
            raise
        steps.leave("done")


class Steps:
    """Shows the step that is running: a spinner while it runs (on a terminal only), and a line when it ends."""

    def __init__(self, screen: Screen):
        self.screen = screen
        self.name = ""
        self.began = 0.0
        self._status: Any = None

    def enter(self, name: str) -> None:
        """Start a new step; the step before it counts as done."""
        self.leave("done")
        self.name, self.began = name, time.monotonic()
        if self.screen.live:
            self._status = self.screen.err.status(name)
            self._status.start()

    def leave(self, how: str, more: str = "") -> None:
        """End the step that is running, if there is one, and print how it ended, with its time."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        if self.name:
            detail = f": {more}" if more else ""
            self.screen.err.print(
                f"  {self.name}{detail} ({how}, {time.monotonic() - self.began:.1f} s)", soft_wrap=True
            )
        self.name = ""

    def build(self, step: str, state: str, text: str) -> None:
        """Show the progress of `boards.build`: this method can be its `progress` argument."""
        if state == "start":
            self.enter(f"{step} ({text})")
        elif state == "done":
            self.leave("done", text)
        else:
            self.screen.notice(text)
