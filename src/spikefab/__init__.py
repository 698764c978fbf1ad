"""spikefab: from a recording of a neuron to a verified FPGA.

The names here load on first use, so that the command line answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "AdExNeuron": "sim",
    "IzhikevichNeuron": "sim",
    "LIFNeuron": "sim",
    "MODELS": "sim",
    "Recording": "fit.recording",
    "SpikefabError": "hw.errors",
    "extract_features": "fit.features",
    "fit": "fit",
    "read": "fit.readers",
}
__all__ = list(_HOMES)

if TYPE_CHECKING:
    from spikefab.hw.models import MODELS, AdExNeuron, IzhikevichNeuron, LIFNeuron
