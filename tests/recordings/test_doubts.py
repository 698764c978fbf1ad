"""Recordings with wrong units or a current that did not drive the cell: none is fitted without a word, no true one is stopped."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from spikefab import Recording, extract_features, fit, read
from spikefab.errors import RecordingError

from .made import neuron, stimulus

DATA = os.environ.get("SPIKEFAB_DATA")
DT = 0.1
KINDS = ("steps", "noise", "pulses", "ramp", "quiet steps")


def cell(kind: str, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Voltages and currents of five sweeps; `quiet steps` evoke no spikes, and some hyperpolarise."""
    rng = np.random.default_rng(seed)
    amplitudes = np.linspace(-0.1, 0.15, 5) if kind == "quiet steps" else np.linspace(0.18, 0.5, 5)
    if kind == "ramp":
        currents = [np.r_[np.zeros(1000), np.linspace(0, 1.5 * a, 3000), np.zeros(500)] for a in amplitudes]
    else:
        currents = [stimulus(kind.removeprefix("quiet "), rng, a, 400.0, DT) for a in amplitudes]
    currents = [i + 0.002 * rng.normal(size=len(i)) for i in currents]
    return [neuron(i, DT, rng) for i in currents], currents


def wrong(kind: str, seed: int):
    """(name, voltages, currents) of what may be wrong with the recording of a cell."""
    v, i = cell(kind, seed)
    rng = np.random.default_rng(seed + 100)
    other = cell(KINDS[(KINDS.index(kind) + 1) % 3], seed + 50)[1]
    later = [np.roll(np.resize(x, len(y)), 700) for x, y in zip(other, v, strict=True)]
    yield "exchanged, nA", i, v
    yield "exchanged, pA", [1e3 * x for x in i], [1e-3 * x for x in v]
    yield "current flipped", v, [-x for x in i]
    yield "voltage flipped", [-x for x in v], i
    yield "V for mV", [1e-3 * x for x in v], i
    yield "uV for mV", [1e3 * x for x in v], i
    yield "pA for nA", v, [1e3 * x for x in i]
    yield "uA for nA", v, [1e-3 * x for x in i]
    yield "noise", v, [0.015 + 0.0005 * rng.normal(size=len(x)) for x in i]
    yield "another recording", v, later


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrong_is_doubted(kind, seed):
    """Ten faults of five kinds of recordings, two cells each: a hundred cases."""
    assert not Recording.from_arrays(*cell(kind, seed), DT).doubts
    for name, v, i in wrong(kind, seed):
        recording = Recording.from_arrays(v, i, DT)
        assert recording.doubts, name
        with pytest.raises(RecordingError, match="anyway=True"):
            recording.require_fit()
        recording.require_fit(anyway=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("exchanged, nA", "exchanged"),
        ("current flipped", "falls when the current rises"),
        ("voltage flipped", "sign is wrong"),
        ("V for mV", "as if it were in V"),
        ("uA for nA", "too little for a cell"),
        ("noise", "does not drive the cell"),
    ],
)
def test_a_doubt_calls_it_by_name(name, words):
    v, i = next((v, i) for n, v, i in wrong("steps", 1) if n == name)
    (doubt, *_) = Recording.from_arrays(v, i, DT).doubts
    assert words in doubt
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        extract_features(v, DT, i)
    assert any(words in str(w.message) for w in warned)


def test_sweeps_in_another_order():
    """The currents of the same protocol, but not of these sweeps."""
    v, i = cell("quiet steps", 3)
    assert Recording.from_arrays(v, i[::-1], DT).doubts


def test_a_voltage_that_rests_at_zero():
    v, i = cell("quiet steps", 1)
    exchanged = Recording.from_arrays([1e3 * x - 1.0 for x in i], [1e-3 * x for x in v], DT)
    assert any("its unit is wrong" in doubt for doubt in exchanged.doubts)


PROTOCOLS = {
    "two steps around a fixed one": lambda t, a: (
        a * ((t > 30) & (t < 130) | (t >= 330) & (t < 430)) - 0.1 * ((t > 230) & (t < 330))
    ),
    "a step and a larger one back": lambda t, a: a * ((t > 100) & (t < 250)) - 1.5 * a * ((t > 300) & (t < 350)),
    "a weak ramp": lambda t, a: 0.01 * a * t / 500,
    "a staircase": lambda t, a: a * np.floor(t / 100) / 5,
    "hyperpolarising only": lambda t, a: -abs(a) / 3 * ((t > 100) & (t < 400)),
    "waves that begin with a jump": lambda t, a: a / 3 * np.sin(0.05 * t) * (t > 50),
    "single short pulses": lambda t, a: 3 * a * ((t > 100) & (t < 110)),
}


@pytest.mark.parametrize("monitor", [0.0, 0.005])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_protocols_of_others_are_believed(protocol, monitor):
    """Also of a cell that fires without a stimulus, and whose current is a command or measured with noise."""
    rng = np.random.default_rng(1)
    t = np.arange(0, 500, DT)
    commands = [PROTOCOLS[protocol](t, a) for a in np.linspace(-0.15, 0.3, 9)]
    for held in (0.0, 0.23):
        if held and monitor and protocol in ("a weak ramp", "single short pulses"):
            continue  # too little for anybody to tell
        before = np.full(2000, held)
        v = [neuron(np.r_[before, i + held], DT, rng)[2000:] for i in commands]
        i = [i + monitor * rng.normal(size=len(i)) for i in commands]
        recording = Recording.from_arrays(v, i, DT)
        assert not recording.doubts, f"held at {held} nA: {recording.doubts}"
        assert recording.image is None, f"held at {held} nA: {recording.image}"


def test_a_command_too_weak_to_show_is_believed():
    """A ramp of 5 pA into a cell that fires by itself."""
    rng = np.random.default_rng(0)
    commands = [np.zeros(10_000), np.linspace(0, 0.005, 10_000)]
    v = [neuron(np.r_[np.full(n, 0.23), i + 0.23], DT, rng)[n:] for n, i in zip((2000, 2700), commands, strict=True)]
    assert not Recording.from_arrays(v, commands, DT).doubts
    measured = [i + 0.002 * rng.normal(size=len(i)) for i in commands]
    assert Recording.from_arrays(v, measured, DT).doubts  # whether it is the current of this cell, nobody can tell


def test_anyway_fits_it_and_says_why_not():
    v, i = cell("steps", 1)
    noise = [0.015 + 0.0005 * np.random.default_rng(k).normal(size=len(x)) for k, x in enumerate(i)]
    with pytest.raises(RecordingError, match="does not drive the cell") as refused:
        fit(voltage=v, current=noise, dt=DT, models="LIF", budget=10)
    assert refused.value.exit_code == 4
    results = fit(voltage=v, current=noise, dt=DT, models="LIF", budget=10, anyway=True)
    assert any("does not drive the cell" in note for note in results.task.notes)
    assert results.settings["anyway"] is True


@pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set")
def test_no_true_recording_is_doubted():
    names = (
        "BluePyEfe/99111002.nwb", "GIFFittingToolbox/gif_cell3_frozen_noise_9reps.nwb", "NWBShowcase/PYR2.abf",
        "NWBShowcase/LantyerEtAl2018_180817_ME_9_CC.nwb", "QSNMC2007/challengeA_set00_4reps.csv",
        "QSNMC2007/challengeA_set04_4reps.csv", "QSNMC2007/challengeA_set05_4reps.csv",
        "QSNMC2007/challengeA_set12_4reps.csv", "QSNMC2007/challengeB_C010302A1_IDRest.csv",
        "QSNMC2007/challengeB_C140201C_IDRest.csv", "neuroptimus/ca3_pc_v2_4_with_current.csv", "pyABF/171116sh_0016.abf",
        "pyABF/171116sh_0017.abf", "pyABF/18713001.abf", "pyABF/190619B_0003.abf", "pyABF/2020_03_02_0000.abf",
        "pyABF/File_axon_5.abf", "strangers/18425108.abf",
    )  # fmt: skip
    for name in names:
        recording = read(Path(DATA) / name)
        assert not recording.doubts, f"{name}: {recording.doubts}"
        assert name == "NWBShowcase/PYR2.abf" or recording.image is None, name
