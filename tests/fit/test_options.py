"""What a fit is asked, once: its checks, and the ways to write it, each of which gives the same options again."""

import inspect
import json
import shlex
from argparse import ArgumentParser
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import numpy as np
import pytest

from spikefab.errors import UsageError
from spikefab.fit import fit
from spikefab.fit.flags import FIT, READING, add_fit, add_reading, fit_words, options_of, reading_of, reading_words
from spikefab.fit.options import FitOptions
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.report.again import fit_command, fit_python
from spikefab.fit.report.report import report
from spikefab.fit.results import FitResults
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import Loss
from spikefab.hw.datapath import datapath
from spikefab.sim.engine import FixedPoint

DT = 0.1
EVERY = {
    "models": ["LIFNeuron", "AdExNeuron"], "word": 16, "step": 0.2, "top_k": 1, "budget": 64, "seed": 7,
    "held_out": "amplitudes", "weights": (1, 2, 0.5), "free": ["V_th", "R_m", "V_T", "g_L"], "fixed": {"E_L": -70},
    "bounds": {"R_m": (90, 150), "V_th": (-55, -45)}, "anyway": True, "whole_budget": True, "target": "ulx3s-25f",
}  # fmt: skip
OTHERS = [
    {},
    EVERY,
    {"folds": 3, "free": {"AdEx": ["V_peak"], "lif": ["V_peak"]}},
    {"step": 0.30000000000000004, "models": "HH"},
    {"models": ["LIF", "adex"], "free": [], "bounds": {"V_th": (-60, -40), "V_T": (-60, -40)}},
    {"target": "icebreaker"},
    {"fixed": {"E_L": np.float64(-70.25)}, "weights": (0, 1e-5, 1)},
]


def parsed(words):
    parser = ArgumentParser(allow_abbrev=False)
    add_reading(parser)
    add_fit(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("given", OTHERS)
def test_every_way_to_write_them_gives_them_again(given):
    options = FitOptions(**given)
    assert FitOptions.from_dict(json.loads(json.dumps(options.to_dict(), allow_nan=False))) == options
    assert options_of(parsed(fit_words(options))) == options
    call = f"FitOptions({', '.join(options.to_python())})"
    assert eval(call, {"FitOptions": FitOptions}) == options


def test_every_option_has_a_flag_and_every_flag_an_option():
    assert [flag.option for flag in FIT] == [f.name for f in fields(FitOptions)]
    every = FitOptions(**EVERY)
    different = {f.name for f in fields(every) if getattr(every, f.name) != getattr(FitOptions(), f.name)}
    assert different == {f.name for f in fields(every)} - {"folds"}, "EVERY sets every option"


def test_the_command_line_has_the_same_defaults():
    assert options_of(parsed([])) == FitOptions()
    assert options_of(parsed(["--dt", "0.2"])).step == 0.2
    assert options_of(parsed(["--dt", "0.2", "--step", "0.05"])).step == 0.05
    with pytest.raises(UsageError, match=r"names or MODEL\.NAME, not both"):
        options_of(parsed(["--free", "V_th,AdEx.V_peak"]))


@pytest.mark.parametrize(
    "reading",
    [
        {},
        {"dt": 0.05},
        {"current": "-i.csv"},
        {"current_channel": 2, "sweeps": [0, 3, 4, 5, 9]},
        {"voltage_channel": "-10_Vm x", "current_channel": "Im"},
        {"voltage_channel": 0, "units": ",pA"},
        {"electrode": "-a b"},
        {"spike_prominence": 7.3},
    ],
)
def test_options_of_reading_too(reading):
    found = reading_of(parsed(reading_words(reading)))
    if "current" in reading:
        found["current"] = str(found["current"])
    if "sweeps" in reading:
        assert found.pop("sweeps") == "0,3-5,9"
        reading = {name: x for name, x in reading.items() if name != "sweeps"}
    assert found == reading
    assert {flag.option for flag in READING} == set(inspect.signature(read).parameters) - {"path"}


def test_they_are_frozen_and_normal():
    options = FitOptions(models="lif,LIF", fixed={"E_L": -70}, budget=np.int64(64))
    assert [m.__name__ for m in options.models] == ["LIFNeuron"]
    assert json.dumps(options.fixed) == '{"E_L": -70.0}' and type(options.budget) is int
    with pytest.raises(FrozenInstanceError):
        options.word = 24
    assert replace(options, word=24).word == 24
    assert FitOptions.of(options, seed=3, word=None) == replace(options, seed=3)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"bugdet": 9}, "no option 'bugdet': did you mean budget"),
        ({"models": 5}, "models are names or classes"),
        ({"models": []}, "no model"),
        ({"word": 20}, "word 20"),
        ({"word": "18"}, "word must be a whole number"),
        ({"step": 5.0}, "dt = 5"),
        ({"step": "fast"}, "step is one number in ms"),
        ({"top_k": True}, "whole numbers of at least 1"),
        ({"budget": 0}, "whole numbers of at least 1"),
        ({"seed": -1}, "seed must be a whole number from 0 to"),
        ({"seed": 5_000_000_000}, "seed must be a whole number from 0 to"),
        ({"held_out": "half"}, "held_out is one of"),
        ({"folds": 1}, "folds must be a whole number of at least 2"),
        ({"folds": 2, "held_out": "none"}, "either held_out or folds"),
        ({"weights": (1, 1)}, "weights are three numbers"),
        ({"weights": 1}, "weights are three numbers"),
        ({"weights": "111"}, "weights are three numbers"),
        ({"free": "V_th"}, "not the text 'V_th'"),
        ({"free": [3]}, "free takes names"),
        ({"fixed": {"E_L": "low"}}, "fixed takes a number"),
        ({"fixed": ["E_L"]}, "fixed takes a number"),
        ({"bounds": {"E_L": -70}}, "bounds takes two numbers"),
        ({"bounds": {"E_L": (-70, None)}}, "a bound of E_L is one number in mV, not None"),
        ({"fixed": {"tau_x": 5.0}}, "none of the models has a parameter tau_x"),
    ],
)
def test_refused(given, sentence):
    with pytest.raises(UsageError, match=sentence) as refused:
        FitOptions.of(**given)
    assert str(refused.value).endswith((".", "?"))


def test_the_step_and_the_sample_step_are_two(membrane, steps):
    currents = steps([0.2, 0.25], DT)
    arrays = {"voltage": [membrane(i, DT) for i in currents], "current": currents, "dt": DT}
    asked = {"models": "LIF", "budget": 64}
    results = fit(**arrays, step=0.2, **asked)
    assert (results.settings["dt"], results.input["dt"], results.input["reading"]) == (0.2, 0.2, {"dt": DT})
    assert repr(results.features) == repr(fit(**arrays, **asked).features)  # of the recording at its own rate
    recording = Recording.from_arrays(**arrays)
    assert fit(recording, dt=0.2, **asked).to_dict() == results.to_dict()
    with pytest.raises(UsageError, match="give step"):
        fit(recording, dt=0.1, step=0.2)
    with pytest.raises(UsageError, match="current goes with voltage"):
        fit(recording, current=currents)
    task = Task.of(recording, 0.2)
    with pytest.raises(AssertionError, match=r"steps 0\.1 ms meets a recording of 0\.2 ms"):
        Loss(FixedPoint(datapath(results.best.model, 18, 0.1, task.i_span)), task)


# -- "The same again" --------------------------------------------------------------------------------------------------


def printed(text):
    """The commands of a report."""
    import html
    import re

    return [html.unescape(x) for x in re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL)]


@pytest.fixture
def file(tmp_path, membrane, steps):
    """A recording of six sweeps without a time, and its current in another folder."""
    currents = steps([0.1, 0.2, 0.22, 0.24, 0.26, 0.28], DT, 150)
    voltages = [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)]
    for path, name, columns in (("-the cell.csv", "V{}_mV", voltages), ("i/of it.csv", "I{}_nA", currents)):
        path = tmp_path / path
        path.parent.mkdir(exist_ok=True)
        names = ",".join(name.format(k) for k in range(len(columns)))
        np.savetxt(path, np.column_stack(columns), "%.6g", ",", header=names, comments="")
    return tmp_path / "-the cell.csv"


@pytest.mark.slow
def test_the_same_again_in_python(file, monkeypatch, tmp_path):
    recording = read(file, dt=DT, current=tmp_path / "i" / "of it.csv", sweeps="0,2-5")
    results = fit(recording, **EVERY)
    wanted = results.save(tmp_path / "result.json").read_bytes()
    assert b"fixed" in wanted and str(tmp_path).encode() not in wanted
    (command, python) = printed(report(results))
    assert printed(report(FitResults.load(tmp_path / "result.json"))) == [command, python]
    monkeypatch.chdir(tmp_path)
    there = {}
    exec(python, there)
    assert there["results"].save(tmp_path / "again.json").read_bytes() == wanted
    assert "--sweeps 0,2-5" in command and "--step 0.2" in command and "--dt 0.1" in command


@pytest.mark.slow
def test_the_same_again_of_arrays(membrane, steps, tmp_path):
    current = steps([0.1, 0.2, 0.25, 0.3], DT, 150)
    voltage = [membrane(i, DT, 0.3, k) for k, i in enumerate(current)]
    results = fit(voltage=voltage, current=current, dt=DT, **EVERY)
    (python,) = printed(report(results))
    there = {"voltage": voltage, "current": current}
    exec(python, there)
    assert there["results"].to_dict() == results.to_dict()


def test_what_was_changed_after_reading_is_not_said_to_be_the_file(file):
    recording = read(file, dt=DT, current=file.parent / "i" / "of it.csv")
    assert recording.reading is not None
    for changed in (recording.select([1, 2]), recording.resample(0.2)):
        assert changed.reading is None
        python = fit_python("cell.csv", changed.reading, FitOptions())
        assert "read(" not in python and "fit(recording," in python


def test_sweeps_that_do_not_rise_have_no_words():
    assert fit_command("cell.csv", {"sweeps": [3, 1]}, FitOptions()) is None
    assert "sweeps=[3, 1]" in fit_python("cell.csv", {"sweeps": [3, 1]}, FitOptions())
    assert shlex.split(fit_command("-a b.csv", {}, FitOptions()))[2] == "./-a b.csv"


def test_an_own_model_is_named_by_its_file(tmp_path):
    lif = Path(__file__).parents[2] / "hw" / "models" / "lif.py"
    own = tmp_path / "my.py"
    text = lif.read_text().replace("LIFNeuron", "SameAgainNeuron").replace("from ..", "from spikefab.hw.")
    own.write_text(text)
    options = FitOptions(models=f"{own}:SameAgainNeuron")
    assert options.to_dict()["models"] == ["SameAgainNeuron"]
    assert options_of(parsed(fit_words(options))) == options
    assert FitOptions.from_dict(options.to_dict(sources=True), run_files=True) == options
