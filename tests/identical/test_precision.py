"""The benchmark of what fixed point costs: its matching on made trains, and one cheap model through its own functions."""

import numpy as np
import pytest

from benchmarks import precision
from spikefab.hw.models import MODELS, LIFNeuron
from spikefab.hw.pages.literature import CELLS

TRAIN = np.arange(1, 21) * 40.0


def test_an_extra_spike_does_not_shift_the_rest():
    """The k-th with the k-th would give ten shifts of 20 to 40 ms."""
    shifts, unmatched = precision.differ(TRAIN, np.sort(np.append(TRAIN + 0.1, 421.0)))
    assert shifts == pytest.approx(np.full(20, 0.1))
    assert unmatched == 1


def test_a_missing_spike_does_not_shift_the_rest():
    shifts, unmatched = precision.differ(TRAIN, np.delete(TRAIN - 0.2, 9))
    assert shifts == pytest.approx(np.full(19, -0.2))
    assert unmatched == 1


def test_the_window():
    """5 ms, or 0.4 of the median interval: no spike is the partner of one nearer to another."""
    assert precision.window(TRAIN) == 5.0
    assert precision.window(TRAIN / 10) == pytest.approx(1.6)
    assert precision.window(TRAIN[:1]) == 5.0
    shifts, unmatched = precision.differ(TRAIN, TRAIN + 5.5)
    assert len(shifts) == 0
    assert unmatched == 40
    assert [len(precision.differ(*pair)[0]) for pair in ((TRAIN, TRAIN[:0]), (TRAIN[:0], TRAIN))] == [0, 0]


def test_measures_of_made_trains():
    v = np.full((2, 10_000), -70.0)
    near = v + 0.5
    near[0, 395:405] = 30.0  # within 2 ms of the spike at 40 ms
    wanted, found = [TRAIN, TRAIN[:5]], [TRAIN + 0.1, TRAIN[:4] - 0.3]
    row = precision.compare(wanted, found, v, near)
    assert row["shifts"] == {0.1: 20, 0.3: 4}
    assert (row["spikes"], row["unmatched"]) == (25, 1)
    assert row["rate_error_percent"] == pytest.approx(4.0)
    assert row["rmse_mV"] == pytest.approx(0.5)
    assert precision.quantile([row], 0.5) == pytest.approx(0.1)


def test_nothing_matched_passes_no_gate():
    v = np.zeros((1, 10_000))
    lost, kept = (precision.compare([TRAIN], [x], v, v) for x in (TRAIN + 10, TRAIN))
    row = {"model": "LIFNeuron", "cell": "made", "16": lost, "18": kept, "24": kept}
    assert precision.misses("LIFNeuron", [row]) == ["LIFNeuron, word 16: median shift inf ms, allowed 0.5 ms."]


def test_every_model_has_cells():
    assert set(CELLS) == set(MODELS)
    for name, some in CELLS.items():
        assert len(some) >= 3
        assert len({cell.name for cell in some}) == len(some)
        for cell in some:
            kind = MODELS[name].variant(**cell.settings)
            assert set(cell.params) <= set(kind.params()), cell.name
            assert precision.widest(kind, cell) >= 0.125


def test_lif_passes_its_gate():
    cells = CELLS["LIFNeuron"][:2]
    rows = [
        {"model": "LIFNeuron", "cell": cell.name} | row
        for cell, row in zip(cells, precision.measure(LIFNeuron, cells), strict=True)
    ]
    assert precision.misses("LIFNeuron", rows) == []
    for row in rows:
        assert min(row["inputs"].values()) >= 5
        assert precision.quantile([row["24"]], 0.95) == 0
        assert 0 < precision.quantile([row["dt"]], 0.5) < 1
    assert "LIF" in precision.table(rows)
