"""spikefab: from a recording of a neuron to a verified FPGA.

Each public name is imported on first use, so that `spikefab --help` need not wait for numpy and the models.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# public name: the module that defines it
_HOMES = {
    "MODELS": "hw.models",
    "Recording": "fit.recordings.recording",
    "SpikefabError": "errors",
    "extract_features": "fit.features.extract",
    "fit_many": "fit.many.run",
    "read": "fit.recordings.readers",
    "simulate": "sim.batch",
}


def _models() -> dict[str, Any]:
    return import_module("spikefab.hw.models").every_model()


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return [*_HOMES, *_models(), "fit"]
    if name == "fit":
        return import_module("spikefab.fit")
    if name.endswith("Neuron") and name in _models():
        return _models()[name]
    if name not in _HOMES:
        raise AttributeError(f"module 'spikefab' has no attribute {name!r}")
    return getattr(import_module(f"spikefab.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__getattr__("__all__")])
