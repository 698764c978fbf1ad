"""Models that are not spikefab's own: as classes and as files, in Python and on the command line; what is wrong in a sentence."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from spikefab import LIFNeuron, fit, simulate
from spikefab.errors import FileError, UsageError
from spikefab.hw.models import MODELS, get_model, model_source, resolve_models
from spikefab.hw.models.resolve import _installed

PAGE = (Path(__file__).parents[2] / "docs" / "new-model.md").read_text()
(SOURCE,) = re.findall(r"^```python\n(.*?class .*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)[:1]
NAME = "AdaptiveLIFNeuron"
CURRENT = np.repeat([0.0, 0.45, 0.0], [500, 3000, 500])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(SOURCE)
    return path


def test_names_classes_and_files_mix(path):
    own = get_model(f"{path}:{NAME}")
    assert own is get_model(f"{path}:{NAME}")
    assert resolve_models(["hh", own, f" lif , {path}:{NAME}"]) == [get_model("hh"), own, LIFNeuron]
    assert resolve_models(LIFNeuron) == resolve_models("LIF") == [LIFNeuron]
    assert resolve_models(None) == [*MODELS.values()]
    assert (model_source(own), model_source(LIFNeuron)) == (f"{path}:{NAME}", None)
    path.write_text(SOURCE.replace("b = Param(0.05,", "b = Param(0.06,"))
    assert get_model(f"{path}:{NAME}").defaults()["b"] == 0.06


def test_a_fit_of_a_class_and_its_result(path, tmp_path):
    own = get_model(f"{path}:{NAME}")
    results = fit(voltage=own(b=0.03).run(CURRENT), current=CURRENT, dt=0.1, models=[own, "LIF"], budget=128, seed=1)
    assert {r.model_name for r in results} == {NAME, "LIFNeuron"}
    content = json.loads(json.dumps([r.to_dict() for r in results]))
    by_name = {d["model_name"]: d for d in content}
    assert by_name[NAME]["model_source"] == f"{path}:{NAME}"
    assert "model_source" not in by_name["LIFNeuron"]
    best = next(r for r in results if r.model_name == NAME)
    assert np.array_equal(best.create_model().run(CURRENT), best.simulated_voltage)


@pytest.mark.slow
def test_many_recordings_in_processes_of_their_own(path, tmp_path):
    from spikefab import fit_many
    from spikefab.fit.results import FitResults

    voltage = LIFNeuron().run(CURRENT)
    rows = "".join(f"{0.1 * k:.1f},{v:.4f},{i:.2f}\n" for k, (v, i) in enumerate(zip(voltage, CURRENT, strict=True)))
    (tmp_path / "cell.csv").write_text(f"t_ms,V_mV,I_nA\n{rows}")
    (done,) = fit_many(tmp_path / "cell.csv", out=tmp_path / "out", models=f"{path}:{NAME}", budget=64, jobs=1)
    assert (done.state, done.model) == ("done", NAME)
    (file,) = (tmp_path / "out" / "cells").glob("*.json")
    assert FitResults.load(file, models=f"{path}:{NAME}").best.create_model().run(CURRENT).shape == CURRENT.shape


@pytest.mark.slow
def test_a_class_that_was_typed_into_a_session():
    class TypedNeuron(LIFNeuron):
        best_for = "nothing in particular"

    assert model_source(TypedNeuron) is None
    results = fit(voltage=LIFNeuron().run(CURRENT), current=CURRENT, dt=0.1, models=[TypedNeuron], budget=64, seed=1)
    assert results.best.model is TypedNeuron
    assert simulate(TypedNeuron, {"tau_m": [10.0, 20.0]}, CURRENT).counts.shape == (2, 1)


WRONG = {
    "no such file": ("nothing.py:A", None, FileError, "cannot be read: No such file"),
    "no such class": ("own.py:Adaptive", None, UsageError, f"no class Adaptive: did you mean {NAME}?"),
    "no class named": ("own.py", None, UsageError, f"write .*own.py:{NAME}"),
    "no model": ("own.py:A", "A = 3", UsageError, "A in .* is no model"),
    "no class of models": ("own.py:A", "class A:\n    pass", UsageError, "A in .* is no model"),
    "a file that is no Python": ("own.py:A", "def f(:", FileError, "does not run: SyntaxError.*line 1"),
    "a file that fails": ("own.py:A", "\n1 / 0", FileError, r"does not run: ZeroDivisionError.*own.py, line 2\)"),
    "a name that is taken": (
        "own.py:LIFNeuron", SOURCE.replace(NAME, "LIFNeuron"), UsageError, "LIFNeuron, as a model that is there already",
    ),
    "no equations": (
        "own.py:A", "from spikefab.hw.neuron import Neuron\nclass A(Neuron):\n    scheme = best_for = ''", UsageError,
        "A has no equations",
    ),
    "equations that fail": (
        f"own.py:{NAME}", SOURCE.replace("c.k_w *", "c.k_ww *"), UsageError, r"did you mean k_w\? \(.*own.py, line \d+\)",
    ),
    "no module": ("nowhere.at_all:A", None, UsageError, "no module nowhere.at_all"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_sentence(case, path, monkeypatch):
    asked, source, kind, text = WRONG[case]
    if source is not None:
        path.write_text(source)
    monkeypatch.chdir(path.parent)
    with pytest.raises(kind, match=text) as caught:
        resolve_models(asked)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [3, [3], int, [int], object()])
def test_what_is_no_model_at_all(wrong):
    with pytest.raises(UsageError, match=r"^models "):
        resolve_models(wrong)


def test_two_models_of_one_name(path, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(SOURCE + "\n")
    with pytest.raises(UsageError, match=f"two models are called {NAME}"):
        resolve_models(f"{path}:{NAME},{other}:{NAME}")


@pytest.mark.parametrize("command", ["models", pytest.param("verify", marks=pytest.mark.slow), "export"])
def test_the_command_line(command, path, monkeypatch, capsys, tmp_path):
    from spikefab.cli import main

    monkeypatch.chdir(tmp_path)
    more = {"models": [], "verify": ["--steps", "100"], "export": ["--to", "verilog", "--out", "v"]}[command]
    assert main([command, f"own.py:{NAME}", "--json", *more]) == 0
    assert NAME in capsys.readouterr().out
    assert main([command, f"{tmp_path}/own.py:{NAME}s", "--json", *more]) == 2
    said = capsys.readouterr().err.strip()
    assert said.endswith(f"has no class {NAME}s: did you mean {NAME}?")
    assert "\n" not in said


def test_no_file_is_run_because_a_result_names_it(path, tmp_path, monkeypatch, capsys):
    from spikefab.cli import main
    from spikefab.fit.options import FitOptions
    from spikefab.fit.results import FitResults

    own = get_model(f"{path}:{NAME}")
    fit(voltage=own().run(CURRENT), current=CURRENT, dt=0.1, models=[own], budget=64, seed=1).save(tmp_path)
    monkeypatch.setattr("spikefab.hw.models.resolve._met", {})
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n{SOURCE}")
    loaded = FitResults.load(tmp_path)
    for use in (lambda: loaded.best.create_model(), lambda: loaded.best.parameters(), lambda: loaded.options):
        with pytest.raises(UsageError):
            use()
    with pytest.raises(UsageError, match="no model"):
        FitOptions.from_dict({"models": [f"{path}:{NAME}"]})
    command = ["export", str(tmp_path), "--to", "verilog", "--out", str(tmp_path / "v")]
    assert main(command) == 2
    assert capsys.readouterr().err.strip().endswith("give its file and class with --models SOURCE.")
    assert not (tmp_path / "ran").exists()
    assert main([*command, "--models", f"{path}:{NAME}"]) == 0
    assert (tmp_path / "ran").exists()


def test_a_result_whose_model_is_gone(path, monkeypatch):
    own = get_model(f"{path}:{NAME}")
    result = fit(voltage=own().run(CURRENT), current=CURRENT, dt=0.1, models=[own], budget=64, seed=1).best
    made = result.to_dict()
    monkeypatch.setattr("spikefab.hw.models.resolve._met", {})
    path.unlink()
    loaded = type(result).from_dict(made)
    with pytest.raises(
        UsageError, match="no file is run because a result names it: give its file and class with models=SOURCE"
    ):
        loaded.create_model()
    made.pop("model_source")
    loaded.model_source = None
    with pytest.raises(UsageError, match="install it, or give its file and class with models="):
        loaded.create_model()


class Point:
    """An entry point of an installed package."""

    def __init__(self, name, found):
        self.name, self.value, self.found = name, f"package:{name}", found

    def load(self):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def test_installed_models(path, monkeypatch):
    own = get_model(f"{path}:{NAME}")
    monkeypatch.setattr("spikefab.hw.models.resolve._met", {})
    points = [Point("Broken", ImportError("no such thing")), Point("Own", own), Point("Text", "text")]
    monkeypatch.setattr("spikefab.hw.models.resolve.entry_points", lambda group: points)
    _installed.cache_clear()
    try:
        with pytest.warns(UserWarning, match="is left out") as told:
            assert resolve_models(None) == [*MODELS.values(), own]
        assert [str(w.message).split(" (")[0] for w in told] == ["the model Broken", "the model Text"]
        assert get_model("adaptivelif") is own
        assert model_source(own) is None
    finally:
        _installed.cache_clear()
