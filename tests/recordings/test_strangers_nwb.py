"""The NWB files of the folder `strangers`: what its README says of each."""

import os
from pathlib import Path

import h5py
import pytest

from spikefab.cli import main
from spikefab.errors import FileError
from spikefab.fit.recordings.readers import read

DATA = os.environ.get("SPIKEFAB_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")


@pytest.mark.parametrize(
    ("name", "window", "said"),
    [
        ("stim_early", (100.0, 500.0), "begins 100 ms before its response"),
        ("stim_early_timestamps", (100.0, 500.0), "begins 100 ms before its response"),
        (
            "stim_late_same_len",
            (200.0, 600.0),
            "is as long as its response but begins at another time: check both times",
        ),
        ("neuroconv_concat", (100.0, 500.0), ""),
        ("double_conv", (100.0, 500.0), "taken as volts"),
    ],
)
def test_what_is_read(name, window, said):
    recording = read(f"{DATA}/strangers/{name}.nwb")
    assert [len(train.time) for train in recording.spikes()] == [0, 2, 5, 10]
    assert {sweep.window for sweep in recording.sweeps} == {window}
    assert [len(sweep.voltage) for sweep in recording.sweeps] == [6000] * 4
    assert said in " ".join(recording.notes)
    assert recording.sweeps[3].current.max() == pytest.approx(0.15, rel=0.2)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "zstd_missing",
            "is compressed with Zstandard (HDF5 filter 32015), which is not installed: pip install hdf5plugin",
        ),
        ("ext_link", "acquisition/cc_0 is in the file raw_missing.h5, which is missing: put it beside the recording"),
    ],
)
def test_what_is_missing(name, sentence, capsys):
    if name == "zstd_missing" and h5py.h5z.filter_avail(32015):
        pytest.skip("the filter is installed")
    path = Path(f"{DATA}/strangers/{name}.nwb")
    with pytest.raises(FileError) as caught:
        read(path)
    assert sentence in str(caught.value)
    for command in ("info", "features", "fit"):
        assert main([command, str(path)]) == 3
        assert sentence in capsys.readouterr().err
