"""Units and conversions of NWB files that contradict each other: repaired with a notice, or refused with the unit named."""

import numpy as np
import pytest

from spikefab.cli import main
from spikefab.errors import RecordingError
from spikefab.fit.recordings.readers import read

from .conftest import RESPONSE, STIMULUS, I, V, check

RIGHT = (1e-3, "volts", 1.0), (1e-9, "amperes", 1.0)


def written(nwb, voltage=RIGHT[0], current=RIGHT[1]):
    """A file whose numbers are V (mV) and I (nA) times a factor, under a unit and a conversion."""

    def build(put):
        for k in range(2):
            for path, values, kind, (factor, unit, conversion) in (
                ("acquisition/r", V, RESPONSE, voltage),
                ("stimulus/presentation/s", k * I, STIMULUS, current),
            ):
                put(f"{path}{k}", values * factor, unit, kind, k, conversion=conversion)

    return nwb(build)


@pytest.mark.parametrize(
    ("factor", "unit", "conversion", "units", "reading"),
    [
        (1.0, "mV", 1e-3, "mV", "data x conversion taken as volts"),
        (1.0, "millivolts", np.float32(1e-3), "millivolts", "data x conversion taken as volts"),
        (1e3, "uV", 1e-6, "uV", "data x conversion taken as volts"),
        (1e-3, "volts", 1e-3, "mV", "taken as volts, without the conversion"),
        (1e-3, "mV", 1.0, "mV", "data x conversion taken as volts"),
        (1.0, "mV", 1e-6, "mV", "taken as mV, without the conversion"),
        (1e-3, "volts", 1e3, "volts", "taken as mV"),
        (1.0, "volts", 1e3, "volts", "taken as mV, without the conversion"),
        (1.0, "volts", 1.0, "V", "taken as mV"),
    ],
)
def test_voltages_are_repaired_with_a_notice(nwb, factor, unit, conversion, units, reading):
    recording = read(written(nwb, voltage=(factor, unit, conversion)))
    for sweep, k in zip(recording.sweeps, (0, 1), strict=True):
        check(sweep, V, k * I)
    assert len(recording.notes) == 1
    assert reading in recording.notes[0]
    assert recording.notes[0].startswith("the voltage would reach ")
    assert recording.units == f"{units}, A"


@pytest.mark.parametrize(
    ("factor", "unit", "conversion", "reading"),
    [
        (1e3, "pA", 1e-12, "data x conversion taken as amperes"),
        (1.0, "nA", 1e-9, "data x conversion taken as amperes"),
        (1e3, "picoamperes", 1e-12, "data x conversion taken as amperes"),
        (1e-9, "amperes", 1e-9, "taken as amperes, without the conversion"),
        (1e-9, "pA", 1.0, "data x conversion taken as amperes"),
        (1e3, "pA", 1e-9, "taken as pA, without the conversion"),
        (1e-9, "amperes", 1e12, "taken as pA"),
        (1e3, "amperes", 1.0, "taken as pA"),
        (1.0, "amperes", 1.0, "taken as nA"),
    ],
)
def test_currents_are_repaired_with_a_notice(nwb, factor, unit, conversion, reading):
    recording = read(written(nwb, current=(factor, unit, conversion)))
    for sweep, k in zip(recording.sweeps, (0, 1), strict=True):
        check(sweep, V, k * I)
    assert len(recording.notes) == 1
    assert reading in recording.notes[0]
    assert recording.notes[0].startswith("the current would reach ")


@pytest.mark.parametrize(
    ("voltage", "current"),
    [
        ((1e-3, "volts", 1.0), (1e-9, "amperes", 1.0)),
        ((1.0, "mV", 1.0), (1e3, "pA", 1.0)),
        ((1.0, "volts", 1e-3), (1e3, "amperes", 1e-12)),
        ((32.0, "volts", 3.125e-5), (8000.0, "amperes", 1.25e-13)),
        ((0.1, "volts", 0.01), (1.0, "nA", 1.0)),
    ],
)
def test_what_a_cell_can_have_is_left_as_it_is(nwb, voltage, current):
    recording = read(written(nwb, voltage, current))
    check(recording.sweeps[1])
    assert recording.notes == ()


@pytest.mark.parametrize(
    ("voltage", "sentence"),
    [
        ((1e-6, "volts", 1.0), r"the voltage of r0 reaches 0\.07 mV by its unit \(volts\) and conversion \(1\)"),
        ((1e-5, "volts", 0.1), r"reaches 0\.07 mV by its unit \(volts\) and conversion \(0\.1\)"),
        ((1e9, "volts", 1.0), "which no cell does"),
        ((1e6, "mV", 1.0), "by its unit .mV."),
        ((1e6, "unknown", 1.0), "by its unit .unknown."),
    ],
)
def test_a_voltage_of_no_cell_is_refused_with_its_unit(nwb, capsys, voltage, sentence):
    path = written(nwb, voltage=voltage)
    with pytest.raises(RecordingError, match=sentence) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    if voltage[0] == 1e-6:
        assert main(["info", str(path)]) == 4
        assert "Traceback" not in capsys.readouterr().err


def test_a_current_that_may_be_one_of_two_is_refused(nwb):
    """Data of 20 under pA with a conversion of 1e-9: 20 nA, or 20 pA."""
    with pytest.raises(RecordingError, match="data x conversion taken as amperes or the data taken as pA"):
        read(written(nwb, current=(200.0, "pA", 1e-9)))


def test_noise_of_a_command_at_zero_is_no_unit(nwb):
    noise = np.random.default_rng(0).normal(0, 2e-4, len(V))  # nA

    def build(put):
        put("acquisition/r", V / 1e3, "volts", RESPONSE, 0)
        put("stimulus/presentation/s", noise / 1e9 / 3.05e-14, "amperes", STIMULUS, 0, conversion=3.05e-14)

    recording = read(nwb(build))
    check(recording.sweeps[0], V, noise)
    assert recording.notes[0].startswith("the current reaches 0.000")


def test_a_series_with_a_conversion_of_its_own_is_repaired_alone(nwb):
    def build(put):
        for k in range(3):
            put(f"acquisition/r{k}", V if k == 1 else V / 1e3, "mV" if k == 1 else "volts", RESPONSE, k,
                conversion=1e-3 if k == 1 else 1.0)  # fmt: skip
            put(f"stimulus/presentation/s{k}", I / 1e9, "amperes", STIMULUS, k)

    recording = read(nwb(build))
    for sweep in recording.sweeps:
        check(sweep)
    assert len(recording.notes) == 1


@pytest.mark.parametrize(
    ("voltage", "current", "units"),
    [
        ((1.0, "mV", 1e-3), (1e3, "pA", 1e-12), "mV,pA"),
        ((1.0, "kV", 1.0), (1e3, "A", 1.0), "mV,pA"),
        ((1e3, "volts", 1e-3), (1e-9, "amperes", 1.0), "uV"),
        ((1e-3, "volts", 1.0), (0.5, "amperes", 2.0), ",nA"),  # a conversion that is a gain is applied
        ((20.0, "volts", 1.0), (-1e3, "amperes", 1e-12), "0.05mV,-pA"),
        ((1.0, "pA", 1.0), (1.0, "mV", 1.0), "mV,nA"),  # the file exchanges the units
    ],
)
def test_units_of_the_user_overrule_those_of_the_file(nwb, voltage, current, units):
    recording = read(written(nwb, voltage, current), units=units)
    for sweep, k in zip(recording.sweeps, (0, 1), strict=True):
        check(sweep, V, k * I)
    assert recording.notes == ()
    assert recording.reading == {"units": units}
    for unit in units.split(","):
        assert unit in recording.units
