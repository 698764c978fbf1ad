"""Test inputs that try hard to make hardware and reference differ.

They are made in the same way for every model, word and time step, and are the same for the same seed. A stimulus consists
of several segments of one kind and one length, which the reference runs side by side. At the start of a segment every
register (coefficients and states) is loaded; then the segment plays its input current.

| kind | registers | current |
|---|---|---|
| `noise` | the neuron's own | coloured noise |
| `steps` | the neuron's own | plateaus of random height and length |
| `square` | the neuron's own | jumps between the two ends of the input's range |
| `recorded` | the neuron's own | a recorded current, or one as in vivo |
| `random` | uniform over all codes, or partly the neuron's own | each of the four above in turn |
| `corners` | those that `corners.search` found | extremes |
| `stalled` | the neuron's own | noise; inputs are offered late, and results are taken late |
"""

from dataclasses import dataclass

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.hw.neuron import Neuron

from . import corners, coverage, kernels

SPIKES = 50  # least number of spikes in all stimuli that run with the neuron's own parameters
# Steps of a segment with random registers: few, because most states soon saturate and then no longer move.
RANDOM_STEPS = 50
CORNER_STEPS = 3  # steps of a segment of the stimulus `corners`
LONGEST = 8000  # steps to which a stimulus is made longer, at most, if the neuron fires rarely
SILENCE = 50  # ms: a neuron that has not fired at full scale for so long is taken for one that cannot fire
OCTAVES = 6  # number of amplitudes tried for a current: full scale, a half, a quarter and so on


@dataclass(frozen=True)
class Stimulus:
    """One stimulus, in codes: segments that run side by side.

    states        (segments, states), loaded before the first step
    coefficients  (segments, coefficients)
    current       (steps, segments)
    stalls        whether the bench offers inputs late and takes results late
    """

    kind: str
    states: np.ndarray
    coefficients: np.ndarray
    current: np.ndarray
    stalls: bool = False

    @property
    def steps(self) -> int:
        """Steps of all segments together."""
        return self.current.size


def stimuli(neuron: Neuron, steps: int, seed: int = 0, recorded=None) -> tuple[list[Stimulus], set[coverage.Goal]]:
    """The stimuli of a regression, `steps` steps in all, and the coverage goals that they do not reach.

    There are more steps than that if it takes more to reach SPIKES spikes and the corners. The stimuli with the neuron's own
    registers come first. `recorded` is a current (T,) nA to play for the kind `recorded`; without it, a synthetic current as a
    cell receives it in vivo is played.
    """
    rng, dp = np.random.default_rng(seed), neuron.datapath
    own = _own(neuron, steps // 6, rng, recorded)
    found = corners.search(dp, rng)
    extra = corners.draw(dp, rng, max(steps // 100, 8))
    corner_states, corner_coefficients, first = (
        np.concatenate([a, b]) for a, b in zip((found.states, found.coefficients, found.current), extra, strict=True)
    )
    later = corners.draw(dp, rng, (CORNER_STEPS - 1) * len(first))[2].reshape(CORNER_STEPS - 1, -1)
    cornered = Stimulus("corners", corner_states, corner_coefficients, np.concatenate([first[None], later]))
    length = max(steps // 20, 100)
    rest = steps - sum(s.steps for s in (*own, cornered)) - length
    segments = max(rest // RANDOM_STEPS, 8)
    length += max(rest - segments * RANDOM_STEPS, 0)  # so that the steps are as many as were asked
    stalled = Stimulus("stalled", own[0].states, own[0].coefficients, own[0].current[:length], True)
    return [*own, _random(neuron, segments, rng, recorded), cornered, stalled], found.missed


def _own(neuron: Neuron, steps: int, rng: np.random.Generator, recorded) -> list[Stimulus]:
    """The four kinds with the neuron's own registers, made longer until there are enough spikes or the neuron seems silent."""
    dp = neuron.datapath
    states, coefficients = np.array([list(neuron.initial.values())]), np.array([list(neuron.codes.values())])
    amplitudes = np.exp2(-np.arange(OCTAVES))
    while True:
        found, fired = [], 0
        for kind, make in CURRENTS.items():
            current = make(dp, steps, rng, recorded)[:, None]
            if kind in ("noise", "steps"):
                current = np.rint(current * amplitudes).astype(np.int64)
            spikes = kernels.simulate(dp, coefficients, current.T, initial=states, max_spikes=1).count[0]
            # the last, and smallest, amplitude with at least 3/4 of the most spikes: a larger one may keep the neuron refractory
            chosen = np.flatnonzero(4 * spikes >= 3 * spikes.max())[-1]
            found.append(Stimulus(kind, states, coefficients, current[:, chosen : chosen + 1]))
            fired += int(spikes[chosen])
        silent = not fired and steps * dp.dt > SILENCE
        if fired >= SPIKES or silent or steps >= LONGEST:
            return found
        steps = min(LONGEST, max(2 * steps, round(1.2 * steps * SPIKES / max(fired, 1))))


def _random(neuron: Neuron, segments: int, rng: np.random.Generator, recorded) -> Stimulus:
    """Segments that start from random registers."""
    dp = neuron.datapath
    lo, hi = (np.array([getattr(q, end) for q in dp.coefficients.values()]) for end in ("lo", "hi"))
    coefficients = rng.integers(lo, hi, (segments, len(lo)), endpoint=True)
    # every second segment keeps each of the neuron's own coefficients with a probability of 0.8, the rest are random: with random
    # coefficients alone, the states soon stand still at an end of their range
    keep = (np.arange(segments) % 2 == 0)[:, None] & (rng.random(coefficients.shape) < 0.8)
    coefficients = np.where(keep, list(neuron.codes.values()), coefficients)
    lo, hi = (np.array([getattr(q, end) for q in dp.states.values()]) for end in ("lo", "hi"))
    states = rng.integers(lo, hi, (segments, len(lo)), endpoint=True)
    kinds = list(CURRENTS.values())
    current = [kinds[k % len(kinds)](dp, RANDOM_STEPS, rng, recorded) for k in range(segments)]
    return Stimulus("random", states, coefficients, np.stack(current, axis=1))


def _noise(dp: Datapath, steps: int, rng: np.random.Generator, recorded) -> np.ndarray:
    """Half white noise, half noise with a memory of 20 steps, around a positive mean; clipped at full scale."""
    white = rng.normal(size=steps)
    slow = np.empty(steps)
    level = 0.0
    for k, kick in enumerate(rng.normal(size=steps)):
        level += (kick * 6 - level) / 20
        slow[k] = level
    return _codes(dp, 0.35 + 0.35 * (white + slow))


def _steps(dp: Datapath, steps: int, rng: np.random.Generator, recorded) -> np.ndarray:
    """Constant currents for 1 to 30 ms each, most of them depolarising."""
    current = np.empty(steps)
    at = 0
    while at < steps:
        length = max(1, round(rng.uniform(1, 30) / dp.dt))
        current[at : at + length] = rng.uniform(-0.3, 1)
        at += length
    return _codes(dp, current)


def _square(dp: Datapath, steps: int, rng: np.random.Generator, recorded) -> np.ndarray:
    """The two ends of the input's range in turn, each for a random time between one step and 20 ms."""
    current = np.empty(steps, dtype=np.int64)
    at, high = 0, True
    while at < steps:
        length = max(1, round(np.exp(rng.uniform(0, np.log(20 / dp.dt)))))
        current[at : at + length] = dp.current.hi if high else dp.current.lo
        at, high = at + length, not high
    return current


def _recorded(dp: Datapath, steps: int, rng: np.random.Generator, recorded) -> np.ndarray:
    """The recorded current from a random sample on, repeated if it is too short."""
    if recorded is None:
        return _in_vivo(dp, steps, rng)
    codes = dp.current.encode(np.asarray(recorded, dtype=np.float64).ravel())
    start = int(rng.integers(0, max(1, len(codes) - steps)))
    return np.resize(np.roll(codes, -start), steps)


def _in_vivo(dp: Datapath, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Excitatory and inhibitory synaptic events at random times, which decay exponentially with 3 ms and 8 ms."""
    current = np.zeros(steps)
    # time constant (ms), size (share of full scale) and rate (events per ms) of excitation and of inhibition
    for tail, size, rate in ((3.0, 0.25, 0.8), (8.0, -0.08, 0.5)):
        level, decay = 0.0, np.exp(-dp.dt / tail)
        events = rng.poisson(rate * dp.dt, steps)
        for k in range(steps):
            level = level * decay + size * events[k]
            current[k] += level
    return _codes(dp, current)


def _codes(dp: Datapath, fraction: np.ndarray) -> np.ndarray:
    """Input codes of currents that are given as fractions of full scale; clipped."""
    return dp.current.encode(fraction * dp.i_span)


CURRENTS = {"noise": _noise, "steps": _steps, "square": _square, "recorded": _recorded}
