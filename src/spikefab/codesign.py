"""The command `pareto`: a fit, and what its scores cost on a board."""

import shlex
import time
from argparse import Namespace
from dataclasses import replace

from spikefab import interrupts
from spikefab.commands import ended, run_fit
from spikefab.console import Screen
from spikefab.errors import UsageError


def pareto(args: Namespace, screen: Screen) -> int:
    from spikefab.fit.flags import options_of, reading_of
    from spikefab.fit.recordings.readers import read
    from spikefab.fit.report.folder import OutputFolder
    from spikefab.fit.target import suited

    if args.board is None:
        raise UsageError("pareto needs a board: pass --board NAME, see spikefab boards.")
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
        written = [] if out is None else found.save(out.path)
    heads, rows = found.rows()
    screen.table(f"On {board.name}", heads, rows, left=2)
    for sentence in (*found.sentences, found.basis):
        screen.say(sentence)
    if out is not None:
        screen.heading(f"Written to {out.path}: {', '.join(out.written)}, {', '.join(written)}")
        for knee in (point for point in found.points if point.knee):
            file = shlex.quote(str(out.path / knee.name / "neuron.json"))
            takes = knee.takes
            many = f" --neurons {takes.neurons} --multipliers {takes.each}" if takes.form == "pipelined" else ""
            screen.say(f"  spikefab build {file} --board {shlex.quote(board.path)}{many}")
    screen.result(found.to_dict())
    return ended(screen, results, out)
