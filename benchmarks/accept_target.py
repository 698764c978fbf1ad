"""Fits for a board, and whether what they recommend builds there.

    SPIKEFAB_DATA=... python -m benchmarks.accept_target OUT.json [--budget 3000] [--boards icebreaker,ulx3s-25f]

Each recording is fitted with `target`, for each board, with all models; the first result is built: synthesised, placed, routed
and packed, in time for the clock of the board. A row has the word and what was estimated beside what was built. Ends with status
8 if a build fails. Rows that OUT.json has are kept.
"""

import sys
import tempfile
from typing import Any

from spikefab import fit, read
from spikefab.errors import DoesNotFitError, TimingError

from . import running

FILES = {
    "steps": "pyABF/18713001.abf",
    "ca3": "neuroptimus/ca3_pc_v2_4_with_current.csv",
    "barrel": "NWBShowcase/LantyerEtAl2018_180817_ME_9_CC.nwb",
    "noise": "QSNMC2007/challengeA_set04_4reps.csv",
    "other noise": "QSNMC2007/challengeA_set05_4reps.csv",
}
BOARDS = ("icebreaker", "ulx3s-25f", "ice40_hx8k_b_evn", "tang_nano_9k")
TAKEN = ("cells", "multipliers", "block_rams", "mhz")


def row(head: dict[str, Any]) -> dict[str, Any]:
    recording = read(running.data() / FILES[head["recording"]])
    results = fit(recording, target=head["board"], budget=head["budget"], progress=False)
    best = results.best
    assert best.takes is not None and best.takes["one"] is not None
    found = {
        "model": best.model_name, "word": best.word, "score": best.combined_score, "words": best.words,
        "estimated": {name: best.takes["one"][name] for name in TAKEN},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = best.build(head["board"], folder).as_dict()
        except (DoesNotFitError, TimingError) as error:
            return head | found | {"refused": str(error).partition(" The log is")[0]}
    return head | found | {"built": {name: report[name] for name in TAKEN}}


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--budget", type=int, default=3000)
    parser.add_argument("--boards", default=",".join(BOARDS))
    options = parser.parse_args()
    rows = running.Rows(options.output, ("recording", "board", "budget"))
    for board in options.boards.split(","):
        for recording in FILES:
            key = {"recording": recording, "board": board, "budget": options.budget}
            if not rows.find(key):
                print(rows.keep(row(key)), flush=True)
    refused = [r for r in rows.rows if "refused" in r]
    print(f"{len(rows.rows)} fits, {len(refused)} that do not build")
    return running.MISSED if refused else 0


if __name__ == "__main__":
    sys.exit(main())
