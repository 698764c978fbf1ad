"""spikefab: from a recording of a neuron to a verified FPGA.

Each public name is imported on first use, so that `spikefab --help` need not wait for numpy and the models.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors, which do not run `__getattr__`
    from spikefab.errors import SpikefabError as SpikefabError
    from spikefab.fit.features.extract import extract_features as extract_features
    from spikefab.fit.fitting import fit as fit
    from spikefab.fit.many.run import fit_many as fit_many
    from spikefab.fit.options import FitOptions as FitOptions
    from spikefab.fit.recordings.readers import read as read
    from spikefab.fit.recordings.recording import Recording as Recording
    from spikefab.fit.result import FitResult as FitResult
    from spikefab.fit.results import FitResults as FitResults
    from spikefab.hw.models.table import *  # noqa: F403
    from spikefab.sim.batch import simulate as simulate

__version__ = "0.2.0.dev0"

# public name: the module that defines it
_HOMES = {
    "FitOptions": "fit.options",
    "FitResult": "fit.result",
    "FitResults": "fit.results",
    "MODELS": "hw.models",
    "Recording": "fit.recordings.recording",
    "SpikefabError": "errors",
    "extract_features": "fit.features.extract",
    "fit": "fit.fitting",
    "fit_many": "fit.many.run",
    "read": "fit.recordings.readers",
    "simulate": "sim.batch",
}


def _models() -> dict[str, Any]:
    return import_module("spikefab.hw.models").every_model()


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return [*_HOMES, *_models()]
    if name.endswith("Neuron") and name in _models():
        return _models()[name]
    if name not in _HOMES:
        raise AttributeError(f"module 'spikefab' has no attribute {name!r}")
    return getattr(import_module(f"spikefab.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__getattr__("__all__")])


class _Face(ModuleType):
    """This package, whose attribute `fit` is always the function.

    The import system sets it to the subpackage when anything in `spikefab.fit` is imported. The modules of the subpackage are
    attributes of the function too, because it has the dictionary of the subpackage: so `spikefab.fit.results` can be written.
    """

    @property
    def fit(self) -> Any:
        function = __getattr__("fit")
        package = vars(sys.modules["spikefab.fit"])
        if vars(function) is not package:
            package.update(vars(function))
            function.__dict__ = package
        return function

    @fit.setter
    def fit(self, package: ModuleType) -> None:
        pass


sys.modules[__name__].__class__ = _Face
