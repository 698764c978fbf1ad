"""Finds the class of a model from what a user gives: a name, a class in a file or module, or the class itself.

Models come from three places: the table of this package, installed packages (entry points of the group `spikefab.models`),
and a user's own files, given as `my.py:MyNeuron`. A model is known by the name of its class everywhere, also in results, so
two models must not have the same name.
"""

import difflib
import hashlib
import importlib
import sys
import traceback
import warnings
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from spikefab.calls import listed
from spikefab.errors import Advice, FileError, SpikefabError, UsageError, shortened
from spikefab.hw.datapath import datapath
from spikefab.hw.neuron import Neuron

from .table import MODELS

GROUP = "spikefab.models"  # group of entry points through which installed packages add models
_met: dict[str, type[Neuron]] = {}  # name -> class of users' models used in this process


def resolve_models(models: "str | type[Neuron] | Iterable[str | type[Neuron]] | None") -> list[type[Neuron]]:
    """The classes of models, each once, in the order in which they are given; None means all models.

    models  one or several of: a class, a name, `file.py:Class`, `module:Class`; a text may have several, with commas

    Raises UsageError for a model that does not exist, and FileError for a file that cannot be read.
    """
    if models is None:
        return list(every_model().values())
    given = [models] if isinstance(models, str | type) else listed(models, "models are names or classes")
    flat = [x for m in given for x in (m.split(",") if isinstance(m, str) else [m])]
    found: dict[str, type[Neuron]] = {}
    for model in map(get_model, flat):
        if found.setdefault(model.__name__, model) is not model:
            raise UsageError(f"two models are called {model.__name__}: give one of the classes another name.")
    if not found:
        raise UsageError(f"no model was named: there are {', '.join(every_model())}.")
    return list(found.values())


def get_model(model: str | type[Neuron]) -> type[Neuron]:
    """The class of one model.

    model  a class; a name with or without `Neuron`, in any case, or its capitals, such as HH, QIF, FHN; `file.py:Class` or
           `module:Class`

    Raises UsageError for a model that does not exist, and FileError for a file that cannot be read.
    """
    if not isinstance(model, str):
        return _checked(model, "models")
    model = model.strip()
    if ":" in model or model.endswith(".py"):
        return _checked(_of_source(model), model)
    return named_model(model)


def named_model(model: str) -> type[Neuron]:
    """The class of a model that is known by name. No file is run: for names that come from data, such as a result or a page.

    Raises UsageError for another text.
    """
    every = every_model() | _met
    known: dict[str, type[Neuron]] = {}
    for key, kind in every.items():
        base = key.removesuffix("Neuron")
        capitals = "".join(c for c in base if c.isupper())
        known |= {key.lower(): kind, base.lower(): kind}
        if len(capitals) > 1:
            known.setdefault(capitals.lower(), kind)
    if model.lower() in known:
        return known[model.lower()]
    close = difflib.get_close_matches(model.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {known[close[0]].__name__}?" if close else f"there are {', '.join(every)}."
    raise UsageError(f"there is no model {model!r}: {hint}")


def model_source(model: type[Neuron]) -> str | None:
    """The text (`file.py:Class` with an absolute path, or `module:Class`) by which another process can find a model.

    None for a model of this package or of an installed one, which is found by its name, and for a model that was typed into
    an interactive session, which no other process can find.
    """
    name = model.__name__
    if every_model().get(name) in model.__mro__:
        return None
    module = sys.modules.get(model.__module__)
    file = getattr(module, "__file__", None)
    # defined in an interactive session or within a function
    if file is None or getattr(module, name, None) not in model.__mro__:
        return None
    if "." in model.__module__ and not model.__module__.startswith(_PREFIX):
        return f"{model.__module__}:{name}"
    return f"{Path(file).resolve()}:{name}"


def fitted_model(name: str, source: str | None) -> type[Neuron]:
    """The class of a model in a result, from its name and the `model_source` that it had when it was fitted.

    A user's own model must have been used in this process before: a result is data, whoever sent it, and reading it runs no
    file that it names. Raises UsageError, which says what to do, if the model is not known.
    """
    if name in _met:
        return _met[name]
    if source is None and name in every_model():
        return every_model()[name]
    if source is None:
        raise UsageError(
            f"{name} is a model of neither spikefab nor a package that is installed: install it, or ",
            Advice.NAME_THE_MODEL,
            ".",
        )
    raise UsageError(
        f"{name} is a model of a user's own, which was at {source} when it was fitted; no file is run because a result names it: ",
        Advice.NAME_THE_MODEL,
        ".",
    )


def every_model() -> dict[str, type[Neuron]]:
    """All models by name: those of this package, then those of installed packages. A model that cannot be imported is left
    out with a warning.
    """
    return MODELS | _installed()


@cache
def _installed() -> dict[str, type[Neuron]]:
    """The models of installed packages, by name."""
    found: dict[str, type[Neuron]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        try:
            model = _neuron(_loaded(point), f"the entry point {point.name} of {GROUP}")
            if model.__name__ in MODELS.keys() | found.keys():
                raise UsageError(f"there is a model called {model.__name__} already.")
            found[model.__name__] = model
        except SpikefabError as e:
            warnings.warn(f"the model {point.name} ({point.value}) is left out: {e}", stacklevel=2)
    return found


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as e:
        raise FileError(f"it cannot be imported: {_one_line(e)}") from e


def _checked(found: Any, source: str) -> type[Neuron]:
    """The class, remembered by its name. Raises UsageError if it is not a model or has the name of another model."""
    model = _neuron(found, source)
    name = model.__name__
    there = every_model().get(name)
    if there is None:
        # a model that this process has not used yet, nor another variant of it
        if not issubclass(model, _met.get(name, ())):
            _try(model)
            _met[name] = model
    elif there not in model.__mro__ or there.__module__ != model.__module__:  # another model
        raise UsageError(f"{source} is called {name}, as a model that is there already: give the class another name.")
    return model


def _neuron(found: Any, source: str) -> type[Neuron]:
    """The class, if it is a model. Raises UsageError if it is not."""
    if not (isinstance(found, type) and issubclass(found, Neuron) and found is not Neuron):
        if isinstance(found, Neuron):
            kind = type(found).__name__
            raise UsageError(f"{source} takes the class of a model, {kind}, and not a neuron, {kind}(...).")
        raise UsageError(f"{source} takes a subclass of Neuron, not {shortened(found)}.")
    return found


def _try(model: type[Neuron]) -> None:
    """Build the datapath of a new model, so that its author is told of a mistake in one sentence."""
    missing = [name for name in ("scheme", "best_for") if not hasattr(model, name)]
    missing += ["equations"] * getattr(model.equations, "__isabstractmethod__", False)
    if missing:
        raise UsageError(f"{model.__name__} has no {' and no '.join(missing)}: see docs/new-model.md.")
    try:
        datapath(model)
    except SpikefabError:
        raise
    except Exception as e:
        file = getattr(sys.modules.get(model.__module__), "__file__", None)
        raise UsageError(f"{model.__name__} cannot be built: {_one_line(e, file)}") from e


# -- files and modules -----------------------------------------------------------------------------------------------

_PREFIX = "spikefab_user_"  # prefix of the module names given to users' files


def _of_source(source: str) -> Any:
    """The class that `file.py:Class` or `module:Class` names."""
    place, _, name = source.rpartition(":") if ":" in source else (source, "", "")
    module = _file(Path(place)) if place.endswith(".py") else _module(place)
    if not name:
        here = [n for n, x in vars(module).items() if isinstance(x, type) and x.__module__ == module.__name__]
        raise UsageError(f"{place} does not say which class: write {place}:{(here or ['MyNeuron'])[0]}.")
    if not hasattr(module, name):
        close = difflib.get_close_matches(name, vars(module), n=1)
        hint = f": did you mean {close[0]}?" if close else "."
        raise UsageError(f"{place} has no class {name}{hint}")
    found = getattr(module, name)
    if not (isinstance(found, type) and issubclass(found, Neuron)):
        raise UsageError(
            f"{name} in {place} is no model: it must be a class that inherits from spikefab.hw.neuron.Neuron."
        )
    return found


def _file(path: Path) -> ModuleType:
    """The module made of a Python file. The file is executed again only if its content has changed."""
    try:
        content = path.read_bytes()
    except OSError as e:
        raise FileError(f"{path} cannot be read: {e.strerror}.") from None
    path = path.resolve()
    name = _PREFIX + hashlib.blake2b(str(path).encode() + content, digest_size=8).hexdigest()
    if name not in sys.modules:
        spec = spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise FileError(f"{path} is no Python file.")
        module = module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as e:
            del sys.modules[name]
            raise FileError(f"{path} does not run: {_one_line(e, str(path))}") from e
    return sys.modules[name]


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as e:
        raise UsageError(f"there is no module {name} to take a model from: {_one_line(e)}") from e


def _one_line(error: Exception, file: str | None = None) -> str:
    """The kind of an error, its text, and the last line of `file` that was running."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f" ({file}, line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".: ") + where + "."
