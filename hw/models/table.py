"""The table of the models of this package, by name. A new model needs its own file and one line here."""

from spikefab.hw.neuron import Neuron

from .adex import AdExNeuron
from .alpha import AlphaNeuron
from .exp_if import ExpIFNeuron
from .fitzhugh_nagumo import FitzHughNagumoNeuron
from .glif import GLIFNeuron
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
        GLIFNeuron,
    )
}
