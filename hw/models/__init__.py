"""The models, by name: a new one is one file and one line here."""

import difflib

from ..errors import UsageError
from ..neuron import Neuron
from .adex import AdExNeuron
from .izhikevich import IzhikevichNeuron
from .lif import LIFNeuron

MODELS: dict[str, type[Neuron]] = {m.__name__: m for m in (LIFNeuron, IzhikevichNeuron, AdExNeuron)}


def get_model(name: str) -> type[Neuron]:
    """A model by its name, with or without `Neuron`, in any case."""
    known = {key.lower(): m for key, m in MODELS.items()} | {
        key.lower().removesuffix("neuron"): m for key, m in MODELS.items()
    }
    if name.lower() in known:
        return known[name.lower()]
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {known[close[0]].__name__}?" if close else f"there are {', '.join(MODELS)}."
    raise UsageError(f"there is no model {name!r}: {hint}")


__all__ = ["MODELS", "AdExNeuron", "IzhikevichNeuron", "LIFNeuron", "get_model"]
