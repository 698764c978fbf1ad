"""The front of what scores cost, of two recordings on two boards: each point is built, in time, and verified.

    SPIKEFAB_DATA=... python -m benchmarks.accept_pareto OUT.json [--budget 3000] [--recordings steps,ca3] [--knees]

All models are fitted; `seconds` is how long `pareto` takes after the fit. Each point of the front is then synthesised, placed,
routed and packed as the estimate says, and its hardware is compared with the reference: of one neuron as `spikefab verify` does,
of a population a bank with its parameters, over at least 20,000 steps of a neuron. `--knees` does so for the knees only. Ends with
status 8 if something does not build or differs. Rows that OUT.json has are kept.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from spikefab import fit, read
from spikefab.boards.build import build
from spikefab.boards.population import Crowd
from spikefab.boards.table import BOARDS
from spikefab.errors import DoesNotFitError, MismatchError, TimingError
from spikefab.fit.pareto import Point
from spikefab.sim.bank_verify import verify_bank
from spikefab.sim.verify import require_exact, verify

from . import running
from .accept_target import FILES

PLACES = ("icebreaker", "ulx3s-25f")
STEPS = 20_000
TAKEN = ("cells", "multipliers", "block_rams", "mhz", "clock_mhz")


def built(point: Point, folder: Path) -> dict[str, Any]:
    """What was built and verified, or why not."""
    neuron, takes = point.result.create_model(), point.takes
    crowd = None if takes.form == "shared" else Crowd(takes.neurons, takes.lanes, takes.each)
    try:
        report = build(neuron, takes.board, folder, crowd=crowd).as_dict()
        if crowd is None:
            checks = verify(neuron, steps=STEPS)
        else:
            checks = verify_bank(crowd.lanes_of(neuron, BOARDS[takes.board]).banks[0], steps=STEPS)
        require_exact(checks)
    except (DoesNotFitError, TimingError, MismatchError) as error:
        return {"refused": str(error).partition(" The log is")[0]}
    return {"built": {name: report[name] for name in TAKEN}, "verified": sum(check["steps"] for check in checks)}


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--budget", type=int, default=3000)
    parser.add_argument("--recordings", default="steps,ca3")
    parser.add_argument("--knees", action="store_true")
    options = parser.parse_args()
    rows = running.Rows(options.output, ("recording", "board", "budget", "model", "word", "form", "neurons"))
    for recording in options.recordings.split(","):
        results = None
        for board in PLACES:
            if results is None:
                data = read(running.data() / FILES[recording])
                results = fit(data, budget=options.budget, word=BOARDS[board].usual_word, top_k=15, progress=False)
            began = time.monotonic()
            found = results.pareto(board)
            seconds = round(time.monotonic() - began, 1)
            print(
                f"{recording}, {board}: {len(found.points)} points in {seconds} s",
                *found.sentences,
                sep="\n",
                flush=True,
            )
            for point in found.front:
                key = {"recording": recording, "board": board, "budget": options.budget, "model": point.takes.model}
                key |= {"word": point.takes.word, "form": point.takes.form, "neurons": point.takes.neurons}
                if rows.find(key) or (options.knees and not point.knee):
                    continue
                about = {"score": point.score, "knee": point.knee, "seconds": seconds}
                about["estimated"] = {name: getattr(point.takes, name) for name in TAKEN}
                with tempfile.TemporaryDirectory() as folder:
                    print(rows.keep(key | about | built(point, Path(folder))), flush=True)
    refused = [r for r in rows.rows if "refused" in r]
    print(f"{len(rows.rows)} points, {len(refused)} that do not build or differ")
    return running.MISSED if refused else 0


if __name__ == "__main__":
    sys.exit(main())
