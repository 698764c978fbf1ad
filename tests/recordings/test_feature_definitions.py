"""Features mean what the field means by their names, and each has its definition wherever it is shown."""

import importlib.util
import math
import os
from pathlib import Path

import numpy as np
import pytest

from spikefab.fit.features.definitions import FEATURES, feature
from spikefab.fit.features.extract import SHAPES, extract_features, recording_features, spike_shapes, sweep_features
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording

DOCS = Path(__file__).parents[2] / "docs"
DATA = os.environ.get("SPIKEFAB_DATA")
DT = 0.02
REST, ONSET, PEAK = -65.0, -45.0, 35.0
TROUGH = -57.0


def made(times, amplitude=0.2, start=50.0, stop=250.0, trough=TROUGH, length=300.0):
    """A step to a plateau of -50 mV, with spikes of known onset, peak, width and trough at `times`."""
    t = np.arange(round(length / DT)) * DT
    inside = (t >= start) & (t < stop)
    charge = np.where(t < stop, 1 - np.exp(-np.maximum(t - start, 0) / 5), np.exp(-np.maximum(t - stop, 0) / 5))
    v = REST + 15 * charge  # a membrane that charges: a jump with the current would be an electrode
    for time in times:
        x, y = np.array([(-3.0, -50.0), (0.0, ONSET), (0.5, PEAK), (1.5, trough), (15.0, -50.0)]).T
        here = (t >= time - 3) & (t <= min(time + 15, stop))
        v[here] = np.interp(t[here] - time, x, y)
    return v, np.where(inside, amplitude, 0.0)


def of(times, **options):
    v, i = made(times, **options)
    return extract_features(v, DT, i)


def test_the_shape_of_a_spike_is_measured_from_its_onset():
    """The trough is 17 mV below the onset, and 3 mV above the resting potential, which is another feature."""
    found = of([80, 120, 160, 200], trough=-62.0)
    assert found["ap_threshold"] == pytest.approx(ONSET, abs=0.5)
    assert found["ap_height"] == pytest.approx(PEAK - ONSET, abs=0.5)
    assert found["ap_width"] == pytest.approx(0.25 + 40 / 97, abs=0.01)
    assert found["ahp_depth"] == pytest.approx(17, abs=0.5)
    v, i = made([80, 120, 160, 200], trough=-62.0)
    assert extract_features(v, DT, i, extra=("AHP_depth",))["AHP_depth"] == pytest.approx(3, abs=0.1)


def test_width_is_interpolated_between_samples():
    v, i = made([80, 120, 160, 200], trough=-62.0)
    coarse = extract_features(v[::5], 5 * DT, i[::5])
    assert coarse["ap_width"] == pytest.approx(0.25 + 40 / 97, abs=0.04)


def test_the_end_of_a_step_is_no_trough():
    """10 ms after the last spike the voltage falls back to rest; only the first spike shows what the cell does."""
    assert of([100, 240], trough=-55.0)["ahp_depth"] == pytest.approx(10, abs=0.5)
    assert math.isnan(of([240], trough=-55.0)["ahp_depth"])


def test_each_spike_has_its_own_shape():
    """Spikes of one sweep with different troughs; the last one is so near the end of the step that none is seen of it."""
    times = [80, 120, 160, 245]
    v, i = made(times, trough=-62.0)
    t = np.arange(len(v)) * DT
    v[(t > 121) & (t < 123)] -= 4.0
    recording = Recording.from_arrays([0 * v + REST, v], [0 * i, i], DT)
    found = spike_shapes(recording, 1)
    assert found["time"] == pytest.approx([x + 0.25 for x in times], abs=0.1)
    assert found["onset_time"] == pytest.approx(times, abs=0.2)
    assert found["ap_threshold"] == pytest.approx([ONSET] * 4, abs=0.6)
    assert found["ahp_depth"][:3] == pytest.approx([17, 21, 17], abs=0.6) and math.isnan(found["ahp_depth"][3])
    of_sweep = sweep_features(recording)[1]
    for name in SHAPES:
        assert np.nanmedian(found[name]) == pytest.approx(of_sweep[name]), name
    assert all(len(x) == 0 for x in spike_shapes(recording, 0).values())


def test_a_trough_may_come_late():
    """The medium after-hyperpolarisation of many cells has its lowest voltage 20 to 60 ms after the spike."""
    v, i = made([100], start=50.0, stop=250.0, trough=-52.0)
    t = np.arange(len(v)) * DT
    v -= np.where((t > 115) & (t < 175), 8 * np.sin(np.pi * (t - 115) / 60), 0.0)
    assert extract_features(v, DT, i)["ahp_depth"] == pytest.approx(-45 + 58, abs=0.5)


def test_nor_is_the_end_of_a_sweep():
    assert math.isnan(of([245], stop=260.0, length=250.0)["ahp_depth"])


@pytest.mark.parametrize(
    ("sweeps", "rheobase"),
    [
        ([(0.2, 3)], math.nan),  # one sweep: the cell might fire at less
        ([(0.2, 3), (0.2, 3)], math.nan),  # so might it with repeats of it
        ([(0.2, 3), (0.3, 3)], math.nan),
        ([(0.1, 0), (0.2, 3), (0.3, 4)], 0.2),
        ([(0.3, 4), (0.2, 3), (0.1, 0)], 0.2),
        ([(-0.1, 0), (0.2, 3)], 0.2),
        ([(0.1, 0), (0.2, 3), (0.25, 0), (0.3, 4)], 0.2),
        ([(0.1, 0), (0.2, 0)], math.nan),
        ([(-0.2, 0), (-0.1, 2), (0.1, 3)], math.nan),  # a cell that fires by itself
    ],
)
def test_rheobase_is_of_a_recording(sweeps, rheobase):
    arrays = [made([80.0 + 40 * k for k in range(n)], amplitude) for amplitude, n in sweeps]
    found = extract_features([v for v, _ in arrays], DT, [i for _, i in arrays])
    assert found["rheobase"] == pytest.approx(rheobase, nan_ok=True)


def test_pulses_and_noise_have_no_rheobase():
    """A short pulse needs more current than a step: how much more depends on its length."""
    pulses = [made([n], amplitude, start=79.0, stop=82.0) for amplitude, n in ((1.0, 500.0), (2.0, 80.0))]
    assert math.isnan(extract_features([v for v, _ in pulses], DT, [i for _, i in pulses])["rheobase"])


def test_a_sweep_shows_no_rheobase():
    arrays = [made([], 0.1), made([80, 120], 0.2)]
    recording = Recording.from_arrays([v for v, _ in arrays], [i for _, i in arrays], DT)
    assert recording_features(recording)["rheobase"] == pytest.approx(0.2)
    assert all(math.isnan(sweep["rheobase"]) for sweep in sweep_features(recording))


def test_every_feature_has_a_definition_and_every_definition_a_feature():
    v, i = made([80, 120])
    recording = Recording.from_arrays([v, v], [i, i], DT)
    assert set(recording_features(recording)) | set(sweep_features(recording)[0]) == set(FEATURES)
    for name, known in FEATURES.items():
        assert known.label and known.definition.endswith((".", ".)")), name
    labels = [known.label for known in FEATURES.values()]
    assert len(set(labels)) == len(labels)


def test_a_feature_of_efel_has_its_name_and_unit():
    known = feature("AHP_depth")
    assert (known.label, known.unit) == ("AHP_depth", "mV")
    assert "AHP_depth" in known.definition
    assert feature("sag_ratio2").unit == ""


def test_page_is_current():
    spec = importlib.util.spec_from_file_location("make_features", DOCS / "make_features.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "features.md").read_text(encoding="utf-8") == module.page(), "make feature-page"


@pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")
@pytest.mark.parametrize(("name", "low", "high"), [("pyABF/18713001.abf", 10.5, 13), ("NWBShowcase/PYR2.abf", 3, 6)])
def test_real_troughs_are_what_a_physiologist_reads(name, low, high):
    assert low < recording_features(read(Path(str(DATA)) / name))["ahp_depth"] < high
