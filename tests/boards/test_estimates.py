"""Estimates against the builds that are committed: multipliers and block RAMs exactly, cells and clocks within bounds."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import calibrate
from spikefab.boards import estimates
from spikefab.boards.capacity import bank_memories, block_rams, memories
from spikefab.boards.estimates import estimate, fitting, population
from spikefab.boards.population import Crowd
from spikefab.boards.table import BOARDS
from spikefab.boards.top import Setup
from spikefab.hw.models import MODELS, AdExNeuron, HodgkinHuxleyNeuron, IzhikevichNeuron, LIFNeuron

BUILDS = [row for row in calibrate.rows_of("builds.json") if "refused" not in row]
SINGLE = [row for row in BUILDS if row.get("neurons", 1) == 1]


def named(row):
    return f"{row['model']}-{row['board']}-{row.get('neurons', 1)}"


def test_the_calibration_is_that_of_the_committed_builds():
    """If this fails: `python -m benchmarks.calibrate boards/calibration.json`."""
    assert json.loads(estimates.CALIBRATION.read_text(encoding="utf-8")) == json.loads(
        json.dumps(calibrate.calibration())
    )


@pytest.mark.parametrize("form", ["shared", "pipelined"])
def test_a_model_that_was_left_out_is_estimated_within_bounds(form):
    known = estimates.calibration()[form]
    assert {"iCE40 UltraPlus", "ECP5"} <= {*known}
    for fabric, made in known.items():
        # yosys packs a Gowin's selections into multiplexers behind its look-up tables, more of them in some models than in others
        assert made["cells_error"] <= (0.22 if fabric == "Gowin GW1N" else 0.2), fabric
        assert made["mhz_error"] <= 0.25, fabric


@pytest.mark.parametrize("row", BUILDS, ids=named)
def test_multipliers_and_block_rams_are_counted_exactly(row):
    neuron, board = MODELS[row["model"]](word=row["word"]), BOARDS[row["board"]]
    crowd = Crowd(row["neurons"]) if row.get("neurons", 1) > 1 else None
    setup = Setup(neuron, board, crowd=crowd)
    assert row["block_rams"] == block_rams(memories(setup), board.family)
    found = estimate(neuron, board, crowd)
    if found is not None:
        assert (found.multipliers, found.block_rams) == (row["multipliers"], row["block_rams"])
        assert found.interval == row["interval"]


@pytest.mark.parametrize("row", calibrate.rows_of("banks.json"), ids=named)
def test_those_of_a_bank_too(row):
    bank, board = calibrate.bank_of(row), BOARDS[row["board"]]
    assert block_rams(bank_memories(bank, board), board.family) == row["block_rams"]


@pytest.mark.parametrize("row", calibrate.populations(), ids=named)
def test_a_population_is_within_what_is_said(row):
    crowd = Crowd(row["neurons"], 1, row["multipliers"])
    found = estimate(MODELS[row["model"]](word=row["word"]), BOARDS[row["board"]], crowd)
    assert abs(found.cells / row["cells"] - 1) <= found.cells_error + 0.001
    assert (found.multipliers, found.block_rams) == (row["multipliers"], row["block_rams"])
    if calibrate.setup_of(row).crosses:
        assert row["mhz"] >= found.mhz * (1 - found.mhz_error) - 0.1


def test_a_device_is_not_filled_to_the_brim():
    """With six multipliers, a population of AdEx takes 5,221 of 5,280 cells, and nextpnr finds no place for some."""
    neuron, board = AdExNeuron(word=16), BOARDS["icebreaker"]
    full = estimate(neuron, board, Crowd(2560, 1, 6))
    assert full.cells == pytest.approx(5221, rel=full.cells_error) and "of which 85% can be placed" in full.refused
    most = population(neuron, board)
    assert not most.refused and most.cells * (1 + most.cells_error) <= 0.85 * board.cells


@pytest.mark.parametrize("row", SINGLE, ids=named)
def test_cells_and_clock_are_within_what_is_said(row):
    found = estimate(MODELS[row["model"]](word=row["word"]), BOARDS[row["board"]])
    if found is not None and not row["pll"]:
        assert abs(found.cells / row["cells"] - 1) <= found.cells_error + 0.001
        least = found.mhz / row["mhz_median"] - 1
        assert (least if row["board"] in calibrate.FASTER else abs(least)) <= found.mhz_error + 0.001
        assert not found.refused


def test_what_does_not_fit_says_why():
    found = estimate(HodgkinHuxleyNeuron(word=24), BOARDS["icebreaker"])
    assert "of 30 block RAMs" in found.refused and "of 5,280 cells" in found.refused
    for name, board in BOARDS.items():
        if (models := fitting(board)) is not None:
            assert "LIFNeuron" in models["16"], name
            assert len(models["16"]) >= len(models["24"])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"cells_error": 0.4}, r"cells, of which 85% can be placed and routed$"),
        ({"mhz_error": 0.7}, r"12\.0 MHz where about .* are reached$"),
    ],
)
def test_what_fits_only_if_the_estimate_is_exact_is_refused(change, why, monkeypatch):
    """Hodgkin-Huxley takes three quarters of the iCEBreaker, and reaches some 34 of 12 MHz."""
    neuron, board, known = HodgkinHuxleyNeuron(word=16), BOARDS["icebreaker"], estimates.calibration()
    assert estimate(neuron, board).refused == ""
    shared = {**known["shared"], board.family.fabric: known["shared"][board.family.fabric] | change}
    monkeypatch.setattr(estimates, "calibration", lambda: {**known, "shared": shared})
    assert re.search(why, estimate(neuron, board).refused)


def test_a_larger_population_takes_more():
    few, many = (
        estimate(IzhikevichNeuron(word=18), BOARDS["ulx3s-85f"], Crowd(n, k)) for n, k in ((512, 1), (40_000, 4))
    )
    assert (few.lanes, many.lanes) == (1, 4) and 4 * few.multipliers == many.multipliers
    assert few.cells < many.cells < 4 * few.cells and few.block_rams < many.block_rams


def test_what_was_never_built_is_not_estimated(monkeypatch):
    monkeypatch.setattr(estimates, "calibration", lambda: {"shared": {}, "pipelined": {}})
    assert estimate(LIFNeuron(word=16), BOARDS["icebreaker"]) is None
    assert estimates.estimates(LIFNeuron(word=16), BOARDS["icebreaker"]) == []
    assert fitting(BOARDS["icebreaker"]) is None


def test_the_files_are_in_the_package():
    assert Path(estimates.__file__).parent == estimates.CALIBRATION.parent
