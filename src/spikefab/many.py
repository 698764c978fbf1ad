"""The commands for many recordings: fit-many and collect."""

import re
import shlex
from argparse import Namespace
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from spikefab import interrupts
from spikefab.console import Screen, number
from spikefab.errors import UsageError
from spikefab.fit.flags import options_of, reading_of

if TYPE_CHECKING:
    from spikefab.fit.many.jobs import Cell

INCOMPLETE = 4  # exit code if some recordings have no result


def fit_many(args: Namespace, screen: Screen) -> int:
    """`spikefab fit-many`: fit many recordings. Returns the exit code."""
    from spikefab.fit.many.run import fit_many as fit

    shard = _shard(args.shard)

    def progress(cell: "Cell", finished: int, total: int) -> None:
        if cell.state == "kept":
            return
        what = cell.error or f"{cell.model} {number(cell.score)} ({cell.seconds:.1f} s)"
        screen.err.print(f"{finished} of {total}: {cell.file}: {what}", soft_wrap=True)

    try:
        cells = fit(
            args.files,
            out=args.out,
            resume=not args.again,
            shard=shard,
            jobs=args.jobs,
            reading=reading_of(args),
            progress=progress,
            options=options_of(args),
        )
    except KeyboardInterrupt:
        screen.err.print(
            f"spikefab: interrupted; what is finished is kept in {args.out}, and the same again does the rest.",
            soft_wrap=True,
        )
        return interrupts.exit_code()
    count = Counter(cell.state for cell in cells)
    part = "" if shard == (1, 1) else f"shard {args.shard}: "
    screen.say(f"{part}{count['done']} fitted, {count['kept']} kept from before, {count['failed']} failed.")
    for cell in cells:
        if cell.state == "failed":
            screen.say(f"  {cell.file}: {cell.error}")
    screen.say(f"  spikefab collect {shlex.quote(str(args.out))}")
    screen.result(
        {
            "fitted": count["done"],
            "kept": count["kept"],
            "failed": count["failed"],
            "cells": [asdict(cell) for cell in cells],
        }
    )
    return INCOMPLETE if count["failed"] else 0


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    if not re.fullmatch(r"[0-9]+/[0-9]+", text):
        raise UsageError(f"--shard {text} is not of the form i/N, such as 1/4.")
    index, count = text.split("/")
    return int(index), int(count)


def collect(args: Namespace, screen: Screen) -> int:
    """`spikefab collect`: make one table of the results of fit-many. Returns the exit code."""
    from spikefab.fit.many.collect import collect as gather

    table = gather(args.folder)
    runs = len({row["run"] for row in table["cells"]})
    rows = []
    for row in table["cells"]:
        scores = row["scores"]
        score = number(scores.get("combined_score")) + ("" if scores.get("validated", True) else " not validated")
        what = row["model"] or row["error"] or row["state"]
        rows.append((row["file"], *([row["run"]] if runs > 1 else []), what, score, number(scores.get("rmse"), 2)))
    headers = ("file", *(["run"] if runs > 1 else []), "best model", "score", "rmse mV")
    screen.table(f"{len(rows)} cells (score: 0 is perfect)", headers, rows, left=len(headers) - 2)
    if runs > 1:
        screen.notice(f"{args.folder} holds {runs} runs with different settings: see its shards folder.")
    screen.say(f"{table['done']} done, {table['failed']} failed, {table['missing']} missing.")
    screen.say(f"Written to {args.folder}: table.csv, table.json")
    screen.result(table)
    return INCOMPLETE if table["failed"] or table["missing"] else 0
