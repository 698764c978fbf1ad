"""Every model on every board through synthesis, place and route: cells, multipliers, block RAMs, clock over seeds.

    python -m benchmarks.accept_builds OUT.json [--seeds 2] [--models LIF,AdEx] [--only icebreaker:16,ulx3s-25f:18]
    python -m benchmarks.accept_builds OUT.json --only icebreaker:16 --clock 24
    python -m benchmarks.accept_builds OUT.json --only icebreaker:16 --neurons 256

The clock is what place and route reports (corrected for unregistered iCE40 multipliers, see boards/timing.py): median
and minimum over the seeds. A model that does not fit a board has a row that says why. Resumable: rows that OUT.json has are kept.
"""

import tempfile

from spikefab.boards.build import build
from spikefab.boards.population import Crowd
from spikefab.boards.table import BOARDS
from spikefab.errors import DoesNotFitError, TimingError
from spikefab.hw.models import MODELS
from spikefab.toolchain.tools import TOOLS, find_tool

from . import running

KEPT = (
    "form", "cells", "multipliers", "block_rams", "pll", "interval", "latency", "steps_per_second", "free_run", "possible_neurons",
    "mhz_median", "mhz_least",
)  # fmt: skip


def row(head: dict) -> dict:
    neuron, crowd = MODELS[head["model"]](word=head["word"]), None if head["neurons"] == 1 else Crowd(head["neurons"])
    own = head["clock_mhz"] == BOARDS[head["board"]].neuron_hz / 1e6
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = build(
                neuron,
                head["board"],
                folder,
                seeds=head["seeds"],
                crowd=crowd,
                clock_mhz=None if own else head["clock_mhz"],
            ).as_dict()
        except (DoesNotFitError, TimingError) as error:
            return head | {"refused": str(error).partition(" The log is")[0]}
    return head | {key: report[key] for key in KEPT}


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--models", type=running.model_names, default=list(MODELS), help="such as LIF,AdEx")
    parser.add_argument("--only", default=",".join(f"{b.name}:{b.usual_word}" for b in BOARDS.values()))
    parser.add_argument("--clock", type=float, help="MHz, from a PLL (default: the board's)")
    parser.add_argument("--neurons", type=int, default=1, help="of a population (default: one neuron)")
    options = parser.parse_args()
    pairs = [(board, int(word)) for board, word in (pair.split(":") for pair in options.only.split(","))]
    tools = {name: tool.version for name in TOOLS if (tool := find_tool(name)) is not None}
    rows = running.Rows(options.output, ("model", "word", "board", "seeds", "clock_mhz", "neurons"), tools=tools)
    for board, word in pairs:
        for model in options.models:
            key = {"model": model, "word": word, "board": board, "seeds": options.seeds}
            key["clock_mhz"] = options.clock or BOARDS[board].neuron_hz / 1e6
            key["neurons"] = options.neurons
            if not rows.find(key):
                print(rows.keep(row(key)), flush=True)


if __name__ == "__main__":
    main()
