"""Results from a file with their recording: what they then hold is what they held after the fit."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spikefab.errors import UsageError
from spikefab.fit import fit
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.results import FitResults
from spikefab.sim.engine import Float64

DT = 0.1


@pytest.fixture(scope="module")
def arrays(membrane, steps):
    currents = steps([0.1, 0.19, 0.22, 0.26, 0.31], DT)
    return [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)], currents


@pytest.fixture(scope="module")
def results(arrays):
    voltage, current = arrays
    return fit(voltage=voltage, current=current, dt=DT, models=["LIF", "AdEx"], budget=96, progress=False)


def same(found, expected, alike=np.array_equal):
    assert [r.model_name for r in found] == [r.model_name for r in expected]
    for a, b in zip(found, expected, strict=True):
        for name in ("currents", "voltages", "spikes", "data"):
            assert all(map(alike, getattr(a, name), getattr(b, name))) and getattr(a, name)
    assert found.to_dict() == expected.to_dict()


def test_they_are_whole_again(results, arrays, tmp_path):
    found = FitResults.load(results.save(tmp_path), recording=Recording.from_arrays(*arrays, DT))
    same(found, results)
    assert [p.to_dict() for p in found.pareto("icebreaker").points] == [
        p.to_dict() for p in results.pareto("icebreaker").points
    ]
    assert len(found.plot().axes) == len(results.plot().axes)
    assert "<svg" in found.report(tmp_path / "report.html").read_text()


def test_of_a_cross_validation_and_of_a_search_in_float64(arrays, tmp_path):
    voltage, current = arrays
    asked = {"voltage": voltage, "current": current, "dt": DT, "models": "LIF", "budget": 96, "progress": False}
    # real coefficients are made of real parameters again: their last digits differ
    for expected, alike in ((fit(folds=2, **asked), np.array_equal), (fit(engine=Float64, **asked), np.allclose)):
        recording = Recording.from_arrays(voltage, current, DT)
        same(FitResults.load(expected.save(tmp_path / "result.json"), recording=recording), expected, alike)


@pytest.fixture
def files(arrays, tmp_path):
    """A recording whose current is in a file of its own, its fit, and where that is."""
    voltage, current = arrays
    for name, values in (("voltage", voltage), ("current", current)):
        np.savetxt(tmp_path / f"{name}.csv", np.array(values).T, delimiter=",")
    recording = read(tmp_path / "voltage.csv", current=tmp_path / "current.csv", dt=DT, units="mV,nA")
    expected = fit(recording, models="LIF", budget=96, progress=False)
    return tmp_path / "voltage.csv", expected, expected.save(tmp_path / "result.json")


def test_a_path_is_read_as_it_was(files, tmp_path, monkeypatch):
    file, expected, path = files
    same(FitResults.load(path, recording=file), expected)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    monkeypatch.chdir(moved)  # the path of the current is relative to the recording, not to where one is
    same(FitResults.load(path, recording="../voltage.csv"), expected)


def test_another_recording_is_refused(files, results, arrays, tmp_path):
    file, _, path = files
    other = tmp_path / "other.csv"
    other.write_text(file.read_text().replace("e+01", "0e+01", 1))  # the same numbers
    with pytest.raises(UsageError, match=r"is not the recording of these results, voltage\.csv: its content differs"):
        FitResults.load(path, recording=other)
    doubled = read(file, current=tmp_path / "current.csv", dt=2 * DT, units="mV,nA")
    fewer = read(file, current=tmp_path / "current.csv", dt=DT, units="mV,nA", sweeps=[0, 1, 2, 3])
    for wrong in (doubled, fewer):
        with pytest.raises(UsageError, match=r"read in another way: then it was with dt=0\.1, current='current\.csv'"):
            FitResults.load(path, recording=wrong)
    voltage, current = arrays
    path = results.save(tmp_path / "arrays.json")
    held = results.input["held_out"][0]
    for k, wrong in [(k, list(voltage)) for k in (held, held - 1)]:
        wrong[k] = wrong[k] + 1e-3
        with pytest.raises(UsageError, match="these arrays are not those of the results"):
            FitResults.load(path, recording=Recording.from_arrays(wrong, current, DT))
    for wrong in (
        Recording.from_arrays(voltage, [0.99 * i for i in current], DT),
        Recording.from_arrays(voltage, [2 * i for i in current], DT),
    ):
        with pytest.raises(UsageError, match="these arrays are not those of the results"):
            FitResults.load(path, recording=wrong)


def test_the_file_stays_what_it_was(files):
    file, _, path = files
    before = path.read_bytes()
    found = FitResults.load(path, recording=file)
    assert json.dumps(found.to_dict()) == json.dumps(FitResults.load(path).to_dict())
    found.save(path)
    assert path.read_bytes() == before
    assert replace(found[0]).task is found.task
