"""Files of strangers that once went wrong, with what is right: how each is read, and what every command says of it."""

import os
from pathlib import Path

import numpy as np
import pytest

from spikefab import read
from spikefab.cli import main
from spikefab.errors import SpikefabError

DATA = os.environ.get("SPIKEFAB_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")

FOUR = ([0, 2, 5, 10], (-0.05, 0.15))  # spikes of each sweep, and the ends of the current over all sweeps, nA
ONE = ([5], (0.0, 0.1))
PADDED = ([2, 5], (0.0, 0.1))
# file -> spikes of each sweep, ends of the current (None if it is unknown), exit code of a fit, words of the notes or doubts
READ = {
    "18425108.abf": ([20], (0.021, 2.576), 0, ""),
    "2019_05_02_DIC2_0011.abf": ([0, 0, 1], (0.013, 0.018), 4, "does not drive the cell"),
    "File_axon_3.abf": ([5, 7, 7, 15, 14], None, 4, "ADC 1 (VmRK) is used"),
    "stim_cwd/171116sh_0017.abf": ([0, 0, 0], (-0.02, 0.02), 0, ""),
    **dict.fromkeys(("trigger_in_volts.csv", "aux_led.csv", "photodiode.csv"), (*ONE, 0, "left out")),
    **dict.fromkeys(("date_row.csv", "meta_rows.csv", "labview_lvm.txt", "labchart_one.txt"), (*ONE, 0, "")),
    "spike2_export.txt": (*ONE, 0, ""),
    "german_thousands.csv": ([52], (0.0, 0.15), 0, "1.000,0"),
    "sagtrace_1.txt": ([0], None, 4, "resampled"),
    "init_burst3.txt": ([7], None, 4, "resampled"),
    **dict.fromkeys(("stim_early.nwb", "stim_early_timestamps.nwb"), (*FOUR, 0, "begins 100 ms before")),
    "stim_late_same_len.nwb": (*FOUR, 4, "check both times"),
    "double_conv.nwb": (*FOUR, 0, "taken as volts"),
    **dict.fromkeys(("neuroconv_concat.nwb", "heka_patchmaster.asc", "labchart_blocks.txt"), (*FOUR, 0, "")),
    "tiny_current.csv": ([5], (0.0, 0.0), 4, "too little for a cell"),
    "noise_current.csv": ([5], (0.013, 0.017), 4, "does not drive the cell"),
    **dict.fromkeys(("nan_padding.csv", "empty_padding.csv"), (*PADDED, 0, "filled up")),
    "spikelets.csv": ([0, 0, 0], (0.0, 0.15), 0, "peaks of 13 mV recur"),
}
# file -> exit code of every command, and words of the sentence
REFUSED = {
    "paired_cells.csv": (2, "not sweeps of one cell"),
    "rows.csv": (2, "a sweep in each line"),
    "zstd_missing.nwb": (3, "Zstandard (HDF5 filter 32015)"),
    "ext_link.nwb": (3, "raw_missing.h5"),
}


def path_of(name: str) -> Path:
    return Path(str(DATA)) / "strangers" / name


@pytest.mark.parametrize("name", READ)
def test_it_is_read_as_it_is(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spikes, ends, _, words = READ[name]
    for options in ({}, {"dt": 0.1}) if name.endswith(("csv", "txt", "asc")) else ({},):
        recording = read(path_of(name), **options)
        assert [len(s) for s in recording.spikes()] == spikes
        currents = [s.current for s in recording.sweeps]
        if ends is None:
            assert all(i is None for i in currents)
        else:
            assert (min(map(np.min, currents)), max(map(np.max, currents))) == pytest.approx(ends, abs=6e-4)
        said = "\n".join([*recording.notes, *recording.doubts, *recording.warnings()])
        assert words in said


def test_sweeps_that_an_output_does_not_drive():
    """Alternating outputs: the second, fourth, ... sweep is at holding."""
    currents = [s.current for s in read(path_of("alternate_dac.abf")).sweeps]
    assert not any(np.any(i) for i in currents[1::2])
    assert all(np.any(i) for i in currents[::2])


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_a_sentence(name):
    code, words = REFUSED[name]
    with pytest.raises(SpikefabError) as caught:
        read(path_of(name))
    assert caught.value.exit_code == code and words in str(caught.value)


@pytest.mark.slow  # a fit of each
@pytest.mark.parametrize("name", [*READ, *REFUSED, "alternate_dac.abf"])
def test_every_command_ends_as_it_should(name, tmp_path, monkeypatch, capsys):
    """Status and one sentence, from a folder that has nothing to do with the file."""
    monkeypatch.chdir(tmp_path)
    refused = REFUSED.get(name, (0, ""))[0]
    fitted = REFUSED.get(name, (READ.get(name, (0, 0, 0))[2], ""))[0]
    for command, code in (
        (["info"], refused),
        (["features"], refused),
        (["fit", "--models", "LIF", "--budget", "8"], fitted),
    ):
        assert main([command[0], str(path_of(name)), *command[1:]]) == code, command
        err = capsys.readouterr().err
        assert "Traceback" not in err and "defect" not in err
        assert err.count("spikefab:") == (code != 0)
