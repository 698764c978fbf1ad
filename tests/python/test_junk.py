"""Every argument of every public function is given what it is not: the call works, or is refused in a sentence.

An exception of another kind, a ValueError, a TypeError or an AttributeError say, fails the test. The valid calls below are
such that they end soon, because they are refused at their last check.
"""

import inspect
from pathlib import Path

import numpy as np
import pytest

from spikefab import LIFNeuron, Recording, extract_features, fit_many, read, simulate
from spikefab.boards.build import build
from spikefab.boards.session import connect
from spikefab.errors import SpikefabError
from spikefab.fit.features.extract import f_i_curve, recording_features
from spikefab.fit.features.recommend import recommend
from spikefab.fit.fitting import fit
from spikefab.fit.many import files
from spikefab.fit.many.collect import collect
from spikefab.fit.options import FitOptions
from spikefab.fit.results import FitResults
from spikefab.hw.models import resolve_models
from spikefab.sim.export import export_verilog
from spikefab.studio import show

V = np.full(300, -65.0) + np.arange(300) % 3
I = np.where(np.arange(300) > 100, 0.1, 0.0)  # noqa: E741 - as everybody calls it
RECORDING = Recording.from_arrays(V, I, 0.1)
SILENT = Recording.from_arrays(V, None, 0.1)  # which is not fitted, but only after the options are checked
NEURON = LIFNeuron()
RESULTS = FitResults()
FEATURES = recording_features(RECORDING)


class Broken:
    """An object that raises when numpy looks at it."""

    def __array__(self, *_, **__):
        raise RuntimeError("no array")


JUNK = [
    10**30, 10**400, [10**400],
    None, True, -1, 0, 2.5, float("nan"), float("inf"), 1j, "", "x", "\0", "é" * 300, b"x", [], [None], ["a"], [[]],
    [[1, 2], [3]], (), {}, {"a": 1}, {1, 2}, range(3), object(), int, print, Broken(), iter([1]), slice(3), Ellipsis,
    np.array(1), np.array([]), np.zeros(3), np.zeros((2, 2, 2)), np.array(["a"]), np.array([None]), np.array(True),
    np.ma.masked, np.datetime64("2020"), np.timedelta64(1, "us"), np.zeros(2, "f4,f4"), SILENT, LIFNeuron, NEURON, RESULTS,
]  # fmt: skip


def board_run(**given):
    with connect("sim:reference", NEURON) as board:
        return board.run(**given)


def fit_none(**given):
    return fit_many([], **given)


def find(recordings):
    return files.find(recordings, Path("out"))


def slow_build(**given):
    """A build that no PLL can make: the clock is too slow."""
    return build(**given, clock_mhz=0.1)


def shown(**given):
    show("/dev/null/studio", **given)


# public function, arguments with which it works or is refused at its last check, arguments that are left as they are
CALLS = [
    (Recording.from_arrays, {"voltage": V, "current": I, "dt": 0.1}, "spike_prominence"),
    (RECORDING.resample, {"dt": 0.2}, ""),
    (RECORDING.select, {"indices": [0]}, ""),
    (RECORDING.compensated, {"sweep": RECORDING.sweeps[0]}, ""),
    (Recording, {"sweeps": RECORDING.sweeps, "dt": 0.1}, ""),
    (read, {"path": "nowhere.csv"},
     "dt current voltage_channel current_channel units electrode sweeps spike_prominence"),
    (extract_features, {"voltage": V, "dt": 0.1, "current": I}, "extra spike_prominence"),
    (recording_features, {"recording": RECORDING}, ""),
    (f_i_curve, {"recording": RECORDING}, "times"),
    (recommend, {"features": FEATURES}, ""),
    (fit, {"recording": SILENT}, "voltage current dt spike_prominence options notice callback journal engine models fixed"),
    (FitOptions, {}, " ".join(FitOptions.__dataclass_fields__)),
    (fit_none, {"out": "out"}, "executor shard jobs"),
    (find, {"recordings": "nowhere.csv"}, ""),
    (collect, {"out": "nowhere"}, ""),
    (simulate, {"model": LIFNeuron, "params": {}, "currents": I}, "dt word i_span max_spikes"),
    (lambda **given: simulate(LIFNeuron, given, I), {"tau_m": 10}, ""),
    (resolve_models, {"models": LIFNeuron}, ""),
    (LIFNeuron, {"tau_m": 10}, "dt word i_span codes initial"),
    (NEURON.step, {"i_nA": 0.5}, ""),
    (NEURON.run, {"current": I}, ""),
    (NEURON.ideal().step, {"i_nA": 0.5}, ""),
    (NEURON.ideal().run, {"current": I}, ""),
    (connect, {"port": "nowhere", "neuron": NEURON}, "board baud"),
    (board_run, {"current": I[:20]}, "noise_bits"),
    (slow_build, {"neuron": NEURON, "board_name": "icebreaker", "out_dir": "out"}, "seed baud"),
    (export_verilog, {"neuron": NEURON, "current_nA": I[:3], "out_dir": "/dev/null/out"}, "name steps"),
    (RESULTS.save, {"path": "/dev/null/result.json"}, ""),
    (FitResults.load, {"path": "nowhere.json"}, "models"),
    (RESULTS.report, {"path": "report.html"}, ""),
    (shown, {"port": 0}, "height"),
]  # fmt: skip
ROWS = [(function, given, name) for function, given, more in CALLS for name in [*given, *more.split()]]


@pytest.mark.parametrize(
    ("function", "given", "name"), ROWS, ids=[f"{getattr(f, '__qualname__', f)}-{name}" for f, _, name in ROWS]
)
@pytest.mark.filterwarnings("ignore")  # of numpy and of features, about numbers that make no sense
def test_is_refused_in_a_sentence_or_works(function, given, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for junk in JUNK:
        try:
            function(**{**given, name: junk})
        except Exception as error:
            kind = type(error).__name__
            if not isinstance(error, SpikefabError) or not str(error).strip() or "\n" in str(error):
                pytest.fail(f"{name}={type(junk).__name__} raises {kind}: {error}")


@pytest.mark.parametrize(("function", "given"), [row[:2] for row in CALLS if hasattr(row[0], "__wrapped__")])
def test_an_argument_that_is_not_there(function, given):
    with pytest.raises(SpikefabError, match="nothing_of_the_kind"):
        function(**given, nothing_of_the_kind=1)


def test_a_public_function_shows_its_signature():
    assert [*inspect.signature(read).parameters][:2] == ["path", "dt"]
    assert read.__doc__ is not None and read.__doc__.startswith("Read a recording")
