"""What `fit_many` refuses before anything runs, and a file that is not there."""

from pathlib import Path

import numpy as np
import pytest

from spikefab import fit_many
from spikefab.errors import FileError, UsageError

from .cells import OPTIONS, Inline


def test_an_absent_file_is_a_failed_cell(tmp_path):
    (cell,) = fit_many(tmp_path / "absent.csv", Inline(), tmp_path / "out", **OPTIONS)
    assert (cell.state, cell.exit_code, cell.error) == ("failed", 3, "absent.csv does not exist.")


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"out": None}, UsageError, "out=DIR"),
        ({"recordings": []}, FileError, "no recordings"),
        ({"recordings": [np.zeros(3)]}, UsageError, "takes paths of files, not ndarray"),
        ({"models": ["lyf"]}, UsageError, "did you mean LIFNeuron"),
        ({"models": []}, UsageError, "no model"),
        ({"word": 20}, UsageError, "word 20"),
        ({"dt": 5.0}, UsageError, "dt = 5"),
        ({"budget": 0}, UsageError, "at least 1"),
        ({"held_out": "half"}, UsageError, "held_out is one of"),
        ({"bugdet": 9}, UsageError, "no option 'bugdet'"),
        ({"seed": object()}, UsageError, "seed must be a whole number"),
        ({"reading": {"electrode": object()}}, UsageError, "must be numbers, names"),
        ({"shard": (3, 2)}, UsageError, "shard 3/2 does not exist"),
        ({"jobs": 0}, UsageError, "jobs is a whole number of 1 or more"),
        ({"reading": {"current": Path("absent.csv")}}, FileError, "does not exist"),
        ({"reading": {"current": "absent.csv"}}, FileError, "does not exist"),
        ({"reading": {"units": "mV,m"}}, UsageError, "such as mV,pA"),
        ({"reading": {"voltage_channel": -1}}, UsageError, "a number from 0 on, or a name"),
    ],
)
def test_wrong_options_are_refused_before_anything_runs(folder, tmp_path, change, error, match):
    given = {"recordings": folder, "out": tmp_path / "out", **OPTIONS, **change}
    with pytest.raises(error, match=match):
        fit_many(**given)
    assert not (tmp_path / "out").exists()


def test_folders_that_hold_nothing_or_the_recordings(folder, tmp_path):
    with pytest.raises(FileError, match="holds no recordings: no file of csv"):
        fit_many(tmp_path, out=tmp_path / "out", **OPTIONS)
    with pytest.raises(UsageError, match="choose another folder"):
        fit_many(folder, out=folder, **OPTIONS)
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="file is a file: out needs a folder"):
        fit_many(folder, out=tmp_path / "file", **OPTIONS)
