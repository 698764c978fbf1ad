"""The models, by name: a new one is one file and one line here."""

import difflib

from spikefab.errors import UsageError
from spikefab.hw.neuron import Neuron

from .adex import AdExNeuron
from .alpha import AlphaNeuron
from .exp_if import ExpIFNeuron
from .fitzhugh_nagumo import FitzHughNagumoNeuron
from .hindmarsh_rose import HindmarshRoseNeuron
from .hodgkin_huxley import HodgkinHuxleyNeuron
from .izhikevich import IzhikevichNeuron
from .lapicque import LapicqueNeuron
from .lif import LIFNeuron
from .mat import MATNeuron
from .morris_lecar import MorrisLecarNeuron
from .quadratic_if import QuadraticIFNeuron
from .resonate_and_fire import ResonateAndFireNeuron
from .theta import ThetaNeuron

MODELS: dict[str, type[Neuron]] = {
    m.__name__: m
    for m in (
        LapicqueNeuron,
        LIFNeuron,
        QuadraticIFNeuron,
        ExpIFNeuron,
        AdExNeuron,
        IzhikevichNeuron,
        HodgkinHuxleyNeuron,
        MorrisLecarNeuron,
        FitzHughNagumoNeuron,
        HindmarshRoseNeuron,
        AlphaNeuron,
        ThetaNeuron,
        ResonateAndFireNeuron,
        MATNeuron,
    )
}


def get_model(name: str) -> type[Neuron]:
    """A model by its name, with or without `Neuron`, in any case, or by its capitals: HH, QIF, FHN."""
    known: dict[str, type[Neuron]] = {}
    for key, model in MODELS.items():
        base = key.removesuffix("Neuron")
        capitals = "".join(c for c in base if c.isupper())
        known |= {key.lower(): model, base.lower(): model}
        if len(capitals) > 1:
            known.setdefault(capitals.lower(), model)
    if name.lower() in known:
        return known[name.lower()]
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {known[close[0]].__name__}?" if close else f"there are {', '.join(MODELS)}."
    raise UsageError(f"there is no model {name!r}: {hint}")


__all__ = ["MODELS", "get_model", *MODELS]
