"""Every model, word and board through synthesis, place and route: cells, multipliers, block RAMs, clock over seeds.

    python benchmarks/accept_builds.py OUT.json [--seeds 8] [--only icebreaker:16,ulx3s-25f:18]

The clock is what place and route reports (corrected for unregistered iCE40 multipliers, see boards/timing.py): median
and minimum over the seeds. Resumable: rows that OUT.json has are kept.
"""

import argparse
import json
import platform
import statistics
import tempfile
from datetime import date
from pathlib import Path

from spikefab.boards.build import build
from spikefab.boards.table import BOARDS
from spikefab.hw.datapath import WORDS
from spikefab.hw.models import MODELS
from spikefab.toolchain.tools import TOOLS, find_tool


def row(model: str, word: int, board: str, seeds: int) -> dict:
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, seeds + 1):
            reports.append(build(MODELS[model](word=word), board, Path(folder) / str(seed), seed=seed).as_dict())
    clocks = [r["mhz"] for r in reports]
    kept = (
        "model",
        "word",
        "board",
        "cells",
        "multipliers",
        "block_rams",
        "clock_mhz",
        "interval",
        "latency",
        "neurons",
    )
    return {k: reports[0][k] for k in kept} | {
        "mhz_median": round(statistics.median(clocks), 1),
        "mhz_least": round(min(clocks), 1),
        "seeds": seeds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--only", default=",".join(f"{board}:{word}" for board in BOARDS for word in WORDS))
    args = parser.parse_args()
    pairs = [(board, int(word)) for board, word in (pair.split(":") for pair in args.only.split(","))]
    content = json.loads(args.out.read_text()) if args.out.exists() else {"rows": []}
    rows = content["rows"]
    done = {(r["model"], r["word"], r["board"], r["seeds"]) for r in rows}
    for model in MODELS:
        for board, word in pairs:
            if (model, word, board, args.seeds) in done:
                continue
            rows.append(row(model, word, board, args.seeds))
            print(rows[-1], flush=True)
            tools = {name: tool.version for name in TOOLS if (tool := find_tool(name)) is not None}
            content = {"date": str(date.today()), "machine": platform.machine(), "tools": tools, "rows": rows}
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
