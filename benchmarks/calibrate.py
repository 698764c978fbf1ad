"""The weights of estimates (`boards/estimates.py`), from builds that are committed, and how far estimates are off.

    python -m benchmarks.calibrate boards/calibration.json

Reads `benchmarks/results/builds.json` (bitstreams) and `banks.json` (banks without a link). Each fabric and form: the weights
with the least relative error, none below 0; and each model left out of its own calibration: the largest error, and the median.
Runs in seconds. A test keeps the file current, and the errors within bounds.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from spikefab.boards.estimates import bank_features, bank_slowness, features, weighed
from spikefab.boards.table import BOARDS
from spikefab.hw.bank import Bank
from spikefab.hw.models import MODELS

from . import running

RESULTS = Path(__file__).parent / "results"
# A board of each fabric. Devices of an ECP5 with another speed than 6 are faster than what is told of them.
CALIBRATED = ("icebreaker", "ice40_hx8k_b_evn", "tinyfpga_bx", "ulx3s-25f", "tang_nano_9k")
# A bit of an operand that takes turns with another one is chosen by a look-up table. Too few banks have such operands to show it.
GIVEN = {"turned": 1.0}
LEAST = 8  # models without which there is no calibration
Row = dict[str, Any]
Found = dict[str, int]


def rows_of(file: str) -> list[Row]:
    return json.loads((RESULTS / file).read_text(encoding="utf-8"))["rows"]


def weights(found: Sequence[Found], sizes: Sequence[float]) -> dict[str, float]:
    """The weights with which sums of what was found are nearest to sizes, in relative error; those in `GIVEN` are not sought."""
    names = sorted({name for one in found for name in one} - {*GIVEN})
    table = np.array([[one.get(name, 0) for name in names] for one in found], dtype=float)
    rest = np.array([1 - weighed(GIVEN, one) / size for one, size in zip(found, sizes, strict=True)])
    best, _ = nnls(table / np.array(sizes)[:, None], rest)
    return GIVEN | {name: float(f"{x:.4g}") for name, x in zip(names, best, strict=True) if x > 0}


def left_out(models: Sequence[str], found: Sequence[Found], sizes: Sequence[float]) -> list[float]:
    """The relative error of each, with the weights of all other models."""
    errors = []
    for model, one, size in zip(models, found, sizes, strict=True):
        others = [k for k, other in enumerate(models) if other != model]
        errors.append(weighed(weights([found[k] for k in others], [sizes[k] for k in others]), one) / size - 1)
    return errors


def calibrated(
    rows: Sequence[Row], of: Callable[[Row], Found], slow: Callable[[Row], Found], kinds: dict[str, str], clock: str
) -> Row | None:
    """Weights and errors of the rows of one fabric. kinds: what is estimated -> its name in a row; clock: that of MHz."""
    models = [row["model"] for row in rows]
    if len({*models}) < LEAST:
        return None
    new: Row = {"builds": len(rows), "models": {model: {} for model in models}}
    for name, kind in kinds.items():
        sizes, found = [row[kind] for row in rows], [*map(of, rows)]
        new[name] = weights(found, sizes)
        _note(new, name, rows, left_out(models, found, sizes))
    periods, found = [1000 / row[clock] for row in rows], [*map(slow, rows)]  # ns
    new["period"] = weights(found, periods)
    _note(new, "mhz", rows, [1 / (1 + error) - 1 for error in left_out(models, found, periods)])
    return new


def _note(new: Row, name: str, rows: Sequence[Row], errors: Sequence[float]) -> None:
    """The largest error, and that of each model."""
    new[f"{name}_error"] = round(max(map(abs, errors)), 3)
    for row, error in zip(rows, errors, strict=True):
        new["models"][row["model"]][name] = round(error, 3)


def shared(row: Row) -> Found:
    return features(MODELS[row["model"]](word=row["word"]).datapath, BOARDS[row["board"]])


def bank_of(row: Row) -> Bank:
    board = BOARDS[row["board"]]
    neuron = MODELS[row["model"]](word=row["word"])
    return Bank(
        neuron, row["neurons"], multipliers=row["multipliers"], timing=board.family.timing, block=board.storage()
    )  # fmt: skip


def whole_bank(row: Row) -> Found:
    return bank_features(bank_of(row), BOARDS[row["board"]])


def calibration() -> dict[str, dict[str, Row]]:
    builds, banks = rows_of("builds.json"), rows_of("banks.json")
    made: dict[str, dict[str, Row]] = {"shared": {}, "pipelined": {}}
    for board in CALIBRATED:
        fabric = BOARDS[board].family.fabric
        mine = [r for r in builds if r["board"] == board and "refused" not in r]
        single = [r for r in mine if r.get("neurons", 1) == 1 and not r["pll"]]
        new = calibrated(single, shared, lambda row: {"one": 1}, {"cells": "cells"}, "mhz_median")
        if new is not None:
            made["shared"][fabric] = new
        alone = [r for r in banks if r["board"] == board]
        kinds = {"cells": "luts", "registers": "registers"} if fabric == "ECP5" else {"cells": "cells"}
        new = calibrated(alone, whole_bank, lambda row: bank_slowness(bank_of(row)), kinds, "mhz")
        if new is not None:
            # what the link of a population takes besides its banks, of bitstreams
            beside = [r["cells"] - weighed(new["cells"], whole_bank(r)) for r in mine if r.get("neurons", 1) > 1]
            if beside:
                made["pipelined"][fabric] = new | {"link": round(float(np.median(beside)))}
    return made


def main() -> None:
    options = running.parser(__doc__).parse_args()
    made = calibration()
    options.output.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    for form, fabrics in made.items():
        for fabric, new in fabrics.items():
            errors = {name.removesuffix("_error"): new[name] for name in new if name.endswith("_error")}
            print(f"{form}, {fabric}: {new['builds']} builds; largest error of a model left out: {errors}")


if __name__ == "__main__":
    main()
