"""The command `pareto`: a fit, or one that was made before, and what its scores cost on a board."""

import shlex
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spikefab import interrupts
from spikefab.commands import ended, run_fit
from spikefab.console import Screen
from spikefab.errors import UsageError

if TYPE_CHECKING:
    from spikefab.fit.pareto import Pareto


def pareto(args: Namespace, screen: Screen) -> int:
    from spikefab.fit.flags import options_of, reading_of
    from spikefab.fit.recordings.readers import read
    from spikefab.fit.report.folder import OutputFolder
    from spikefab.fit.target import suited

    if args.board is None:
        raise UsageError("pareto needs a board: pass --board NAME, see spikefab boards.")
    if args.result is not None:
        return _of_result(args, screen)
    out = None if args.out is None else OutputFolder(args.out)
    started = time.monotonic()
    recording = read(args.file, **reading_of(args))
    options = suited(options_of(args), screen.notice)
    board = options.board
    assert board is not None
    # all models are shown, at each word: the fit need not choose one
    options = replace(options, target=None, word=options.searched_word, top_k=len(options.models))
    with interrupts.deferred():
        results, timings = run_fit(screen, recording, options=options, journal=args.journal)
        if not results:
            raise KeyboardInterrupt
        timings["total"] = round(time.monotonic() - started, 3)
        if out is not None:
            out.save_fit(results, timings)
        try:
            with interrupts.interruptible():
                found = results.pareto(board.path, screen.notice)
        except KeyboardInterrupt:
            return ended(screen, results, out, early=True)
        written = [] if out is None else [*out.written, *found.save(out.path)]
    _show(screen, found, None if out is None else out.path, written)
    return ended(screen, results, out)


def _of_result(args: Namespace, screen: Screen) -> int:
    """What the scores of a finished fit cost: nothing is searched again."""
    from spikefab.files import require_writable
    from spikefab.fit.flags import given_fit, reading_of
    from spikefab.fit.options import known_board
    from spikefab.fit.recordings.readers import read
    from spikefab.fit.results import FitResults

    # a model of one's own has to be named with its file
    own = {"target", "models"} if ":" in (args.models or "") else {"target"}
    asked = [flag.name for flag in given_fit(args) if flag.option not in own]
    asked += ["--journal"] * (args.journal is not None)
    if asked:
        raise UsageError(f"{asked[0]} is for a fit, and --result has one: leave out one of the two.")
    known_board(args.board)
    if args.out is not None:
        require_writable(args.out)
    reading = reading_of(args)
    results = FitResults.load(
        args.result, args.models, read(args.file, **reading) if reading else args.file, screen.notice
    )
    found = results.pareto(args.board, screen.notice)
    _show(screen, found, args.out, [] if args.out is None else found.save(args.out))
    return 0


def _show(screen: Screen, found: "Pareto", folder: Path | None, written: Sequence[str]) -> None:
    """Print the front, and the commands that build its knees."""
    heads, rows = found.rows()
    screen.table(f"On {found.board.name}", heads, rows, left=2)
    for sentence in (*found.sentences, found.basis):
        screen.say(sentence)
    if folder is not None:
        screen.heading(f"Written to {folder}: {', '.join(written)}")
        for knee in (point for point in found.points if point.knee):
            file = shlex.quote(str(folder / knee.name / "neuron.json"))
            takes = knee.takes
            many = f" --neurons {takes.neurons} --multipliers {takes.each}" if takes.form == "pipelined" else ""
            screen.say(f"  spikefab build {file} --board {shlex.quote(found.board.path)}{many}")
    screen.result(found.to_dict())
