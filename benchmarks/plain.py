"""Plain float64 numba loops: what a user would write by hand, for the batch kernel to be measured against.

One function a model, the published equations by the scheme and at the time step of the hardware, one candidate after the
other, real exp, no fastmath; what does not change within a sweep is computed before it. All share one signature:

    params (N, P), start (N, K)       physical parameters and initial states, in the model's order
    current, data, outside (S, T)     nA; mV to compare with; 1 where the error counts, else 0
    dt                                ms
    count (N, S), spikes (N, S, max)  out: spikes, and the steps that spiked as far as there is room
    masked (N, S)                     out: sum of squared error where it counts
    trace (N, S, T) or None           out: mV

The counter of a refractory time and the flag of a level to be crossed start at rest, whatever `start` says of them.
Each model is a loop of its own and shares nothing, as by hand. No spikefab code in here.
`tests/identical/test_plain.py` holds every loop against the model's float64 ideal.
"""

from .plain_reset import (
    adex,
    alpha,
    exp_if,
    glif,
    izhikevich,
    lapicque,
    lif,
    mat,
    quadratic_if,
    resonate_and_fire,
    theta,
)
from .plain_spiking import fitzhugh_nagumo, hindmarsh_rose, hodgkin_huxley, morris_lecar

LOOPS = {
    "LapicqueNeuron": lapicque,
    "LIFNeuron": lif,
    "QuadraticIFNeuron": quadratic_if,
    "ExpIFNeuron": exp_if,
    "AdExNeuron": adex,
    "IzhikevichNeuron": izhikevich,
    "HodgkinHuxleyNeuron": hodgkin_huxley,
    "MorrisLecarNeuron": morris_lecar,
    "FitzHughNagumoNeuron": fitzhugh_nagumo,
    "HindmarshRoseNeuron": hindmarsh_rose,
    "AlphaNeuron": alpha,
    "ThetaNeuron": theta,
    "ResonateAndFireNeuron": resonate_and_fire,
    "MATNeuron": mat,
    "GLIFNeuron": glif,
}
