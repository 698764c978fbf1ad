"""Every file of the folder of real recordings loads, warns or is refused as its README says."""

import os
from pathlib import Path

import pytest

from spikefab.errors import FileError, RecordingError, UsageError
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.spikes import find_spikes

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")

KHZ, PASSIVE, DEPOLARISED = "below 5 kHz", "no spikes", "depolarised"
BRIDGE, DRIFT = "bridge", "drifts"

# What can be fitted: spikes of each sweep (None: nobody counted them), and a word of each warning.
FITTED = {
    "QSNMC2007/challengeA_set00_4reps.csv": ([935, 875, 899, 911], ()),
    "QSNMC2007/challengeA_set04_4reps.csv": ([606, 656, 631, 624], ()),
    "QSNMC2007/challengeA_set05_4reps.csv": ([45, 40, 43, 44], ()),
    "QSNMC2007/challengeA_set12_4reps.csv": ([92, 82, 115, 73], ()),
    "QSNMC2007/challengeB_C010302A1_IDRest.csv": ([8, 9, 11, 13, 15, 18, 21, 24, 27, 30], (KHZ,)),
    "QSNMC2007/challengeB_C140201C_IDRest.csv": ([0, 14, 22, 29, 33], (KHZ,)),
    "QSNMC2007/traceascii_C140201C_IDRest_103.asc": ([22], (KHZ,)),
    "GIFFittingToolbox/gif_cell3_frozen_noise_9reps.nwb": ([0, 224, 220, 221, 226, 225, 231, 233, 234, 236], (DRIFT,)),
    "neuroptimus/ca3_pc_v2_4_with_current.csv": ([0, 2, 5, 17], ()),
    "pyABF/18713001.abf": ([0] * 8 + [1, 2, 3, 4, 5, 6, 6, 7, 7, 7] + [8] * 4 + [9] * 6 + [10, 9], ()),
    "pyABF/171116sh_0016.abf": ([0] * 7 + [1, 2, 3, 4], ()),
    "pyABF/File_axon_5.abf": ([0] * 6 + [2, 2, 3], ()),
    "pyABF/171116sh_0017.abf": ([0, 0, 0], (PASSIVE,)),
    "pyABF/190619B_0003.abf": ([0, 0, 0, 0, 3, 6, 8, 12, 13, 16], (BRIDGE, DRIFT)),
    "pyABF/2020_03_02_0000.abf": ([0] * 16, (DEPOLARISED, PASSIVE)),
    "NWBShowcase/PYR2.abf": ([0, 0, 1, 2, 3, 4, 7, 7, 8, 8, 10, 8, 9], ()),
    "NWBShowcase/LantyerEtAl2018_180817_ME_9_CC.nwb": ([0, 0, 0, 9, 21, 27, 33, 37, 42, 46], ()),
    "derived_odd/lantyer_nwb1_allen_layout.nwb": ([0, 9, 21, 33, 46], ()),
    "BluePyEfe/99111002.nwb": ([None] * 16, (DEPOLARISED,)),
}
# What can be seen but not fitted: spikes of each sweep, and why.
VIEWED = {
    "pyABF/opto_aps_good_units.abf": ([50, 50, 50], "its command is flat at 0 nA"),
    "derived_odd/lantyer_no_stimulus.nwb": ([0, 9, 21, 33], "the file holds no stimulus"),
}
REFUSED = {
    "pyABF/17o05024_vc_steps.abf": (FileError, "is a voltage-clamp recording"),
    "pyABF/130618-1-12.abf": (FileError, "is a voltage-clamp recording"),
    "pyABF/sine sweep magnitude 20.abf": (FileError, "holds no voltage"),  # the stimulus file of 171116sh_0017
    "NWBShowcase/LantyerEtAl2018_170328_AB_277_ST50_C.nwb": (FileError, "is a voltage-clamp recording"),
    "derived_odd/18713001_truncated.abf": (FileError, "is truncated or damaged"),
    "derived_odd/not_an_abf.abf": (FileError, "is not an Axon Binary Format file"),
    "neuroptimus/ca3_pc_v2_4.csv": (UsageError, "no time column: pass dt="),
}


def near(recording, counts):
    found = [len(find_spikes(s.voltage, recording.dt)) for s in recording.sweeps]
    assert len(found) == len(counts)
    assert all(b is None or abs(a - b) <= 1 for a, b in zip(found, counts, strict=True)), found


@real
@pytest.mark.parametrize("name", [*FITTED, *VIEWED, *REFUSED])
def test_every_file(name):
    path = Path(str(DATA)) / name
    if name in REFUSED:
        kind, sentence = REFUSED[name]
        with pytest.raises(kind, match=sentence) as caught:
            read(path)
        assert path.name in str(caught.value) and "\n" not in str(caught.value)
        return
    recording = read(path)
    assert len(recording.sha256) == 64
    counts, said = {**FITTED, **VIEWED}[name]
    near(recording, counts)
    if name in VIEWED:
        with pytest.raises(RecordingError, match=said):
            recording.require_fit()
        return
    recording.require_fit()
    warnings = recording.warnings()
    assert len(warnings) == len(said)
    assert all(word in sentence for word, sentence in zip(said, warnings, strict=True))


@real
def test_no_file_is_forgotten():
    root = Path(str(DATA))
    files = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.name != "README.md"}
    files = {
        name for name in files if not name.startswith("strangers/")
    }  # inputs of others that are not all understood yet
    assert files == {*FITTED, *VIEWED, *REFUSED}
