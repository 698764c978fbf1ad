"""Every model, word and board through synthesis, place and route: cells, multipliers, block RAMs, clock over seeds.

    python -m benchmarks.accept_builds OUT.json [--seeds 8] [--models LIF,AdEx] [--only icebreaker:16,ulx3s-25f:18]
    python -m benchmarks.accept_builds OUT.json --only icebreaker:16 --clock 24

The clock is what place and route reports (corrected for unregistered iCE40 multipliers, see boards/timing.py): median
and minimum over the seeds. Resumable: rows that OUT.json has are kept.
"""

import statistics
import tempfile
from pathlib import Path

from spikefab.boards.build import build
from spikefab.boards.table import BOARDS
from spikefab.hw.datapath import WORDS
from spikefab.hw.models import MODELS
from spikefab.toolchain.tools import TOOLS, find_tool

from . import running


def row(model: str, word: int, board: str, seeds: int, clock: float | None) -> dict:
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, seeds + 1):
            reports.append(
                build(MODELS[model](word=word), board, Path(folder) / str(seed), seed=seed, clock_mhz=clock).as_dict()
            )
    clocks = [r["mhz"] for r in reports]
    kept = (
        "model",
        "word",
        "board",
        "cells",
        "multipliers",
        "block_rams",
        "clock_mhz",
        "pll",
        "interval",
        "latency",
        "steps_per_second",
        "free_run",
        "possible_neurons",
    )
    return {k: reports[0][k] for k in kept} | {
        "mhz_median": round(statistics.median(clocks), 1),
        "mhz_least": round(min(clocks), 1),
        "seeds": seeds,
    }


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--models", type=running.model_names, default=list(MODELS), help="such as LIF,AdEx")
    parser.add_argument("--only", default=",".join(f"{board}:{word}" for board in BOARDS for word in WORDS))
    parser.add_argument("--clock", type=float, help="MHz, from a PLL (default: the board's)")
    options = parser.parse_args()
    pairs = [(board, int(word)) for board, word in (pair.split(":") for pair in options.only.split(","))]
    tools = {name: tool.version for name in TOOLS if (tool := find_tool(name)) is not None}
    rows = running.Rows(options.output, ("model", "word", "board", "seeds", "clock_mhz"), tools=tools)
    for model in options.models:
        for board, word in pairs:
            key = {"model": model, "word": word, "board": board, "seeds": options.seeds}
            key["clock_mhz"] = options.clock or BOARDS[board].clock_mhz
            if not rows.find(key):
                print(rows.keep(row(model, word, board, options.seeds, options.clock)), flush=True)


if __name__ == "__main__":
    main()
