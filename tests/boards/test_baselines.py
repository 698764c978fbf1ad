"""What builds take, against the builds that are committed: a model and a board a day."""

import datetime
import json
from pathlib import Path

import pytest

from spikefab.boards.build import build
from spikefab.boards.table import BOARDS
from spikefab.hw.models import MODELS
from spikefab.toolchain.tools import find_tool

STORED = json.loads((Path(__file__).parents[2] / "benchmarks/results/builds.json").read_text())
ROWS = [
    row
    for row in STORED["rows"]
    if row["form"] == "shared" and row["clock_mhz"] == BOARDS[row["board"]].neuron_hz / 1e6
]
# successive days go to other boards and other models: 31 and the number of rows have no common factor
TODAY = ROWS[31 * datetime.date.today().toordinal() % len(ROWS)]
# of the logic cells: the same tools differ with the seed by what is packed together, others by what they optimise
SAME, OTHER = 0.03, 0.15
CLOCK = 0.25


def test_each_day_has_its_build():
    assert len({31 * day % len(ROWS) for day in range(len(ROWS))}) == len(ROWS)
    assert {row["model"] for row in ROWS} == {*MODELS} and len({row["board"] for row in ROWS}) >= 4


@pytest.mark.parametrize("row", [TODAY], ids=[f"{TODAY['model']}-{TODAY['word']}-{TODAY['board']}"])
def test_a_build_takes_what_it_took(row, tmp_path):
    report = build(MODELS[row["model"]](word=row["word"]), row["board"], tmp_path).as_dict()
    tools = ("yosys", BOARDS[row["board"]].family.router)
    room = SAME if all(find_tool(name).version == STORED["tools"][name] for name in tools) else OTHER
    assert report["cells"] == pytest.approx(row["cells"], rel=room)
    for name in ("multipliers", "block_rams", "interval", "latency", "steps_per_second", "free_run"):
        assert report[name] == row[name], name
    assert report["mhz"] == pytest.approx(row["mhz_median"], rel=CLOCK)
