"""spikefab: from a recording of a neuron to a verified FPGA.

The names here load on first use, so that the command line answers at once.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    **dict.fromkeys(
        (
            "AdExNeuron",
            "AlphaNeuron",
            "ExpIFNeuron",
            "FitzHughNagumoNeuron",
            "HindmarshRoseNeuron",
            "HodgkinHuxleyNeuron",
            "IzhikevichNeuron",
            "LIFNeuron",
            "LapicqueNeuron",
            "MATNeuron",
            "MODELS",
            "MorrisLecarNeuron",
            "QuadraticIFNeuron",
            "ResonateAndFireNeuron",
            "ThetaNeuron",
        ),
        "hw.models",
    ),
    "Recording": "fit.recording",
    "SpikefabError": "hw.errors",
    "extract_features": "fit.features",
    "read": "fit.readers",
}
__all__ = [*_HOMES, "fit"]


def __getattr__(name: str) -> Any:
    if name == "fit":
        return import_module("spikefab.fit")
    if name not in _HOMES:
        raise AttributeError(f"module 'spikefab' has no attribute {name!r}")
    if _HOMES[name] == "hw.models":
        import_module("spikefab.sim")  # lets models step
    return getattr(import_module(f"spikefab.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
