"""The weights of estimates (`boards/estimates.py`), from builds that are committed, and how far estimates are off.

    python -m benchmarks.calibrate boards/calibration.json

Reads `benchmarks/results/builds.json` (bitstreams), `banks.json` (banks without a link) and `pareto.json` (bitstreams, some of
populations). Each fabric and form: the weights with the least relative error, none below 0; and each model left out of its own
calibration: the largest error, and that of each model.
Runs in seconds. A test keeps the file current, and the errors within bounds.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from spikefab.boards.estimates import bank_features, bank_slowness, features, link_features, weighed
from spikefab.boards.population import Crowd
from spikefab.boards.table import BOARDS
from spikefab.boards.top import Setup
from spikefab.hw.bank import Bank
from spikefab.hw.models import MODELS

from . import running

RESULTS = Path(__file__).parent / "results"
# A board of each fabric, whose banks were built. Of single neurons, the builds for all boards with the fabric count
CALIBRATED = ("icebreaker", "ice40_hx8k_b_evn", "tinyfpga_bx", "ulx3s-25f", "tang_nano_9k")
# but those whose devices have a higher speed than 6: they are faster than what is told of them.
FASTER = ("orangecrab_r0_2", "ecpix5")
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
    """The largest error, of all models and of each."""
    new[f"{name}_error"] = round(max(map(abs, errors)), 3)
    for row, error in zip(rows, errors, strict=True):
        known = new["models"][row["model"]]
        known[name] = max(known.get(name, 0.0), round(error, 3), key=abs)


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


def populations() -> list[Row]:
    """The bitstreams of populations, of which it is known what they take."""
    found = [row for row in rows_of("builds.json") if row.get("neurons", 1) > 1 and "refused" not in row]
    fronts = [row | row["built"] for row in rows_of("pareto.json") if row["form"] == "pipelined" and "built" in row]
    return found + [row for row in fronts if BOARDS[row["board"]].multipliers_each(row["word"]) == 1]


def setup_of(row: Row) -> Setup:
    return Setup(
        MODELS[row["model"]](word=row["word"]), BOARDS[row["board"]], crowd=Crowd(row["neurons"], 1, row["multipliers"])
    )


def linked(banks: Sequence[Row], rows: Sequence[Row], cells: dict[str, float]) -> tuple[dict[str, float], list[float]]:
    """Weights of what populations take beside their banks, whose cells are known by weights; and the errors of their cells, where
    each model is left out of the calibration of banks and link.
    """

    def link(rows: Sequence[Row], cells: dict[str, float]) -> dict[str, float]:
        found = weights([link_features(setup_of(r)) for r in rows], [r["cells"] - weighed(cells, of(r)) for r in rows])
        return {name: x for name, x in found.items() if name not in GIVEN}

    def of(row: Row) -> Found:
        return bank_features(setup_of(row).part.lanes.banks[0], BOARDS[row["board"]])

    errors = []
    for row in rows:
        others = [r for r in banks if r["model"] != row["model"]]
        kind = "luts" if BOARDS[row["board"]].family.name == "ECP5" else "cells"
        alone = weights([whole_bank(r) for r in others], [r[kind] for r in others])
        beside = link([r for r in rows if r["model"] != row["model"]], alone)
        errors.append((weighed(alone, of(row)) + weighed(beside, link_features(setup_of(row)))) / row["cells"] - 1)
    return link(rows, cells), errors


def clocked(rows: Sequence[Row], period: dict[str, float]) -> dict[str, float]:
    """The clock, MHz, above which no population gets by faster banks, as its link and its crossing bound it: that with the least
    largest error; and this error, where each model is left out.
    """

    def errors(limit: np.ndarray, rows: Sequence[Row]) -> np.ndarray:
        banks = [1000 / weighed(period, bank_slowness(setup_of(r).part.lanes.banks[0])) for r in rows]
        return np.minimum.outer(limit, banks) / [r["mhz"] for r in rows] - 1

    def best(rows: Sequence[Row]) -> float:
        limits = np.arange(1, 400, 0.1)
        return float(limits[np.abs(errors(limits, rows)).max(axis=1).argmin()])

    found = [errors(np.array([best([r for r in rows if r["model"] != row["model"]])]), [row]) for row in rows]
    return {"linked_mhz": round(best(rows), 1), "linked_error": round(float(np.abs(found).max()), 3)}


def calibration() -> dict[str, dict[str, Row]]:
    builds, banks, crowds = rows_of("builds.json"), rows_of("banks.json"), populations()
    made: dict[str, dict[str, Row]] = {"shared": {}, "pipelined": {}}
    for board in CALIBRATED:
        fabric = BOARDS[board].family.fabric
        mine = [r for r in builds if BOARDS[r["board"]].family.fabric == fabric and r["board"] not in FASTER]
        single = [r for r in mine if "refused" not in r and r.get("neurons", 1) == 1 and not r["pll"]]
        new = calibrated(single, shared, lambda row: {"one": 1}, {"cells": "cells"}, "mhz_median")
        if new is not None:
            made["shared"][fabric] = new
        alone = [r for r in banks if r["board"] == board]
        kinds = {"cells": "luts", "registers": "registers"} if fabric == "ECP5" else {"cells": "cells"}
        new = calibrated(alone, whole_bank, lambda row: bank_slowness(bank_of(row)), kinds, "mhz")
        if new is not None:
            whole = [r for r in crowds if r["board"] == board]
            if whole:
                new["link"], errors = linked(alone, whole, new["cells"])
                new["cells_error"] = round(max(new["cells_error"], *map(abs, errors)), 3)
                new["populations"] = len(whole)
                new |= clocked([r for r in whole if setup_of(r).crosses], new["period"])
                made["pipelined"][fabric] = new
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
