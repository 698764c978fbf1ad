"""The plain loops that the kernels are measured against compute what the models' float64 ideals compute."""

import numpy as np
import pytest

from benchmarks.plain import LOOPS
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.sim import ideal

STEPS = 3000
LEVELS = {  # nA, about which the current wanders: the models fire on it
    "LapicqueNeuron": 0.3,
    "LIFNeuron": 0.3,
    "QuadraticIFNeuron": 0.15,
    "ExpIFNeuron": 0.1,
    "AdExNeuron": 1.0,
    "IzhikevichNeuron": 0.15,
    "HodgkinHuxleyNeuron": 10.0,
    "MorrisLecarNeuron": 1.0,
    "FitzHughNagumoNeuron": 0.8,
    "HindmarshRoseNeuron": 2.0,
    "AlphaNeuron": 0.3,
    "ThetaNeuron": 0.4,
    "ResonateAndFireNeuron": 1.2,
    "MATNeuron": 1.0,
    "GLIFNeuron": 0.4,
}


def test_there_is_one_for_every_model():
    assert set(LOOPS) == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_plain_loop_is_the_ideal(name):
    """The model's own parameters and seven around them, under a fluctuating and a constant current."""
    rng = np.random.default_rng(1)
    # in the longest word: the ideal's cosine and some constants of the datapath end a code short of what they should be
    dp, level = datapath(MODELS[name], 24), LEVELS[name]
    around = {n: p.default * np.append(1.0, rng.uniform(0.95, 1.05, 7)) for n, p in dp.params.items()}
    params = {n: np.clip(x, *dp.params[n].bounds)[:, None] for n, x in around.items()}
    coefficients = ideal.real_coefficients(dp, params)
    states = {n: x + np.zeros((8, 1)) for n, x in ideal.rest(dp, coefficients).items()}
    wander = level * (1 + 0.5 * np.convolve(rng.normal(size=STEPS + 200), np.ones(200) / 200**0.5, "valid")[:STEPS])
    current = np.stack([wander, np.full(STEPS, level)])
    v, fired, _ = ideal.run(dp, states, coefficients, np.repeat(current.T[:, None], 8, axis=1))

    start = np.concatenate([states[n] for n in dp.states], axis=1)
    data, outside = rng.normal(-60, 10, current.shape), (rng.random(current.shape) < 0.8) * 1.0
    count, masked = np.zeros((8, 2), dtype=np.int64), np.zeros((8, 2))
    spikes, trace = np.zeros((8, 2, STEPS), dtype=np.int32), np.zeros((8, 2, STEPS))
    table = np.concatenate([params[n] for n in dp.params], axis=1)
    LOOPS[name](table, start, current, data, outside, dp.dt, count, spikes, masked, trace)

    assert fired.any(axis=0).all()
    for n, s in np.ndindex(8, 2):
        assert np.array_equal(spikes[n, s, : count[n, s]], np.flatnonzero(fired[:, n, s]))
    # an exponential never adds less than 6e-8 mV a step in the ideal, which an upstroke amplifies
    assert trace == pytest.approx(
        v.transpose(1, 2, 0), rel=1e-6, abs=1e-3 if name in ("ExpIFNeuron", "AdExNeuron") else 1e-5
    )
    assert masked == pytest.approx((outside * (trace - data) ** 2).sum(axis=2), rel=1e-12)
