"""One Hodgkin-Huxley neuron in RTL whose shifts and speeds of the gates are written between steps == fresh references."""

import numpy as np
import pytest

from spikefab import HodgkinHuxleyNeuron
from spikefab.sim import reference
from spikefab.sim.stimuli import Stimulus
from spikefab.sim.verify import Plan, play

STEPS = 250
SEGMENTS = (
    {},
    {"V_T": -4.0},
    {"V_S": 5.0},
    {"phi_m": 0.7},
    {"phi_h": 2.0},
    {"phi_n": 1.6},
    {"V_T": 3.0, "V_S": -2.0, "phi_m": 1.5, "phi_h": 0.8, "phi_n": 0.7},
    {},
)


def answers(neuron, current):
    """The reference's, (steps, ports): that there is a result, read-out, spike, states."""
    dp = neuron.datapath
    v, spikes, path = reference.run(dp, list(neuron.initial.values()), list(neuron.codes.values()), current)
    return np.concatenate([np.stack([np.ones_like(v), v, spikes], axis=-1), path], axis=-1)


@pytest.mark.slow  # the largest model
def test_gates_are_shifted_and_sped_up_between_steps():
    """Each segment goes on from where V and gates were; as no table depends on these five, no table is loaded."""
    built = HodgkinHuxleyNeuron()
    current = built.datapath.current.encode(np.full(STEPS, 12.0))
    initial, neurons, golden = built.initial, [], []
    for parameters in SEGMENTS:
        neurons.append(HodgkinHuxleyNeuron(**parameters, initial=initial))
        golden.append(answers(neurons[-1], current))
        left_alone = answers(HodgkinHuxleyNeuron(initial=initial), current)
        changed = golden[-1][:, 2] != left_alone[:, 2]
        assert changed.any() == bool(parameters), "a write that changes no spike proves nothing"
        initial = dict(zip(built.initial, golden[-1][-1, 3:].tolist(), strict=True))
    states, coefficients = (
        np.array([list(codes.values()) for codes in every])
        for every in ([n.initial for n in neurons], [n.codes for n in neurons])
    )
    stimulus = Stimulus("written", states, coefficients, np.repeat(current[:, None], len(neurons), axis=1))
    (check,) = play(Plan(built, [stimulus], [np.stack(golden, axis=1)], set()), built)
    assert check["mismatches"] == 0, check["first_mismatch"]
    assert check["steps"] == STEPS * len(SEGMENTS)
    assert check["spikes"] >= 12
