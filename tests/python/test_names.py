"""What a newcomer's editor and `help` show: the public names, their signatures and docstrings."""

import importlib
import inspect
import pickle
import pydoc
import re
import subprocess
import sys
from dataclasses import fields

import pytest

import spikefab
from spikefab import FitOptions, fit, fit_many
from spikefab.hw.models import MODELS

ORDERS = {  # what a session may import before it uses spikefab.fit
    "nothing": "import spikefab",
    "the function": "from spikefab import fit, read",
    "a module": "import spikefab.fit.results",
    "a module under a name": "import spikefab.fit.recordings.readers as readers; assert readers.read",
    "from the package": "from spikefab.fit import fit, fit_many",
    "the package under a name": "import spikefab.fit as f; assert inspect.isfunction(f), f",
    "the package by its name": "import importlib; assert inspect.ismodule(importlib.import_module('spikefab.fit'))",
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_fit_is_always_the_function(order):
    code = f"""
import inspect
{ORDERS[order]}
import spikefab
assert inspect.isfunction(spikefab.fit), spikefab.fit
import spikefab.fit.scoring.task
assert inspect.isfunction(spikefab.fit), spikefab.fit
assert spikefab.fit is spikefab.fit.fitting.fit
assert spikefab.fit.scoring.task.Task
from spikefab.fit import fit
assert fit is spikefab.fit
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("function", [fit, fit_many], ids=["fit", "fit_many"])
def test_a_fit_shows_its_options(function):
    shown = inspect.signature(function).parameters
    defaults = FitOptions()
    for option in fields(FitOptions):
        assert option.name in shown
        if shown[option.name].default is not None:
            assert shown[option.name].default == getattr(defaults, option.name)
    assert not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in shown.values())
    text = pydoc.plain(pydoc.render_doc(function))
    for name in shown:
        assert re.search(rf"^    [\w, ]*\b{name}(  |$|,)", text, re.M), (
            f"help({function.__name__}) says nothing of {name}"
        )


@pytest.mark.parametrize("name", MODELS)
def test_a_model_shows_its_parameters(name):
    model = MODELS[name]
    shown = inspect.signature(model).parameters
    for parameter, default in model.defaults().items():
        assert shown[parameter].default == default
    assert {"dt", "word", *model.settings} <= {*shown}
    for setting, values in model.settings.items():
        for value in values:
            assert inspect.signature(model.variant(**{setting: value})).parameters[setting].default == value


def test_every_public_name():
    for name in spikefab.__all__:
        shown = getattr(spikefab, name)
        assert shown is getattr(importlib.import_module("spikefab"), name)
        assert name in dir(spikefab)
        if name != "MODELS":
            assert len(inspect.getdoc(shown) or "") > 20, name
    assert {"fit", "read", "extract_features", "FitResults", "FitResult", "Recording", "simulate"} <= {
        *spikefab.__all__
    }
    assert {*MODELS} <= {*spikefab.__all__}
    assert pickle.loads(pickle.dumps(fit)) is fit


def test_editors_know_every_public_name():
    """The names under TYPE_CHECKING, which editors read, are those that `__getattr__` gives."""
    import ast

    from spikefab.hw.models import table

    tree = ast.parse(inspect.getsource(spikefab))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    names = {alias.name for node in guarded.body for alias in node.names}  # type: ignore[attr-defined]
    if "*" in names:
        names |= {*table.MODELS, "MODELS"}
    assert {*spikefab.__all__} <= names
