"""A search that was broken off goes on where it was: to the same result, without simulating anything twice."""

import errno
import io

import numpy as np
import pytest

from spikefab.errors import UsageError
from spikefab.fit import fit
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import Loss
from spikefab.fit.search.race import FIRST
from spikefab.fit.search.search import Search
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.sim.engine import FixedPoint

DT, BUDGET = 0.1, 1500


@pytest.fixture(scope="module")
def recording(membrane, steps):
    currents = [steps([a], DT, 250)[0] for a in (-0.1, 0.1, 0.2, 0.24, 0.28, 0.32)]
    return Recording.from_arrays([membrane(i, DT, 0.3, k) for k, i in enumerate(currents)], currents, DT)


@pytest.fixture(scope="module")
def task(recording):
    return Task.of(recording, DT)


@pytest.fixture
def simulated(monkeypatch):
    """How many candidates were simulated so far."""
    counts, whole = [], Loss.each

    def counting(self, codes):
        counts.append(len(codes))
        return whole(self, codes)

    monkeypatch.setattr(Loss, "each", counting)
    return counts


def search(dp, task, journal=None, until=BUDGET):
    found = Search(FixedPoint(dp), task, budget=BUDGET, seed=0, journal=journal)
    found.run(until)
    return found


LARGER = [pytest.param(name, marks=pytest.mark.slow) for name in ("AdExNeuron", "HindmarshRoseNeuron")]


@pytest.mark.parametrize("name", ["LIFNeuron", *LARGER])
def test_a_killed_search_goes_on(name, task, tmp_path, simulated):
    dp = datapath(MODELS[name], 18, DT, task.i_span)
    alone = search(dp, task)
    whole = sum(simulated)
    spent = 0
    for until in (1, 400, 1000, BUDGET):  # each time as if the one before had been killed
        simulated.clear()
        found = search(dp, task, tmp_path, until)
        assert sum(simulated) == found.evaluations - spent
        spent = found.evaluations
    assert spent == whole == BUDGET
    assert found.loss == alone.loss and np.array_equal(found.codes, alone.codes)


def test_a_torn_or_foreign_end_is_searched_again(task, tmp_path, simulated):
    dp = datapath(MODELS["LIFNeuron"], 18, DT, task.i_span)
    alone = search(dp, task, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    assert 8 * BUDGET < len(whole) < 9 * BUDGET
    rng = np.random.default_rng(0)
    for cut in (0, 1, 23, 24, 25, len(whole) - 1, *rng.integers(26, len(whole), 3)):
        torn = bytearray(whole[:cut])
        if cut > 30 and cut % 2:  # another search's record
            torn[:16] = bytes(16)
        path.write_bytes(torn)
        simulated.clear()
        found = search(dp, task, tmp_path)
        assert found.loss == alone.loss and np.array_equal(found.codes, alone.codes)
        assert 0 < sum(simulated) <= BUDGET
        assert path.read_bytes() == whole


def test_a_full_disk_stops_no_search(task, tmp_path, monkeypatch):
    dp = datapath(MODELS["LIFNeuron"], 18, DT, task.i_span)
    alone = search(dp, task)
    found = Search(FixedPoint(dp), task, budget=BUDGET, seed=0, journal=tmp_path)
    found.run(300)
    (path,) = tmp_path.iterdir()
    found._journal._file = Full(path)
    found.run(BUDGET)
    assert found.loss == alone.loss
    assert search(dp, task, tmp_path).loss == alone.loss


class Full(io.FileIO):
    """A file on a disk that has no room."""

    def __init__(self, path):
        super().__init__(path, "r+")
        self.seek(0, io.SEEK_END)

    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_journal_that_cannot_be_is_said(recording, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        fit(recording, models=["LIF"], budget=64, journal=tmp_path / "file" / "folder")


def test_what_decides_a_loss_has_a_journal_of_its_own(recording, task, tmp_path):
    louder = Recording.from_arrays(
        [s.voltage + 1e-3 for s in recording.sweeps], [s.current for s in recording.sweeps], DT
    )
    tasks = [
        (task, 18),
        (task, 16),
        (Task.of(recording, DT, weights=(1.0, 2.0, 1.0)), 18),
        (Task.of(recording, DT, "none"), 18),
        (Task.of(louder, DT), 18),
    ]
    for k, (other, word) in enumerate(tasks, 1):
        search(datapath(MODELS["LIFNeuron"], word, DT, other.i_span), other, tmp_path, 1)
        assert len(list(tmp_path.iterdir())) == k


@pytest.mark.slow  # eight searches
def test_a_fit_that_was_broken_off_ends_the_same(recording, tmp_path, simulated):
    models = ["LIF", "HodgkinHuxley", "Lapicque", "AdEx"]  # one has variants, and one ends early
    options = {"dt": DT, "models": models, "budget": 4 * FIRST, "top_k": 1, "folds": 2}
    alone = fit(recording, **options)

    def stop(model, evaluations, budget, loss):
        if evaluations >= stops[0]:
            stops.pop(0)
            raise KeyboardInterrupt

    stops = [700, 2 * FIRST + 1]
    for _ in range(2):
        assert fit(recording, **options, progress=stop, journal=tmp_path).interrupted
    simulated.clear()
    found = fit(recording, **options, journal=tmp_path)
    assert found.to_dict() == alone.to_dict()
    assert found.evaluations == alone.evaluations
    assert sum(simulated) < sum(alone.evaluations.values())
