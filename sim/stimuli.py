"""Hostile inputs for a regression, the same for any model, word and time step, and the same for the same seed.

A stimulus is some segments of one kind side by side. A segment loads every register and then steps through its
current; all of a stimulus are equally long, so that the reference runs them at once.

| kind | registers | current |
|---|---|---|
| `noise` `steps` `square` `recorded` | the neuron's own | coloured noise; plateaus; between both ends of full scale; a recording |
| `random` | uniform over all codes, or the neuron's own states | each of the four in turn |
| `corners` | what `coverage.search` found | extremes |
| `stalled` | the neuron's own | noise, with inputs that come late and results that are taken late |
"""

from dataclasses import dataclass

import numpy as np

from spikefab.hw.datapath import Datapath
from spikefab.hw.neuron import Neuron

from . import coverage, kernels

SPIKES = 50  # over the segments with the neuron's own parameters
RANDOM_STEPS = 50  # of a segment with random registers: most of them soon stand at an end
CORNER_STEPS = 3
LONGEST = 8000  # steps, of a stimulus that gets few spikes out of a neuron
SILENCE = 50  # ms after which a neuron that has not fired at full scale never will
OCTAVES = 6  # amplitudes tried are full scale and its halves, quarters, …


@dataclass(frozen=True)
class Stimulus:
    """`states` (segments, states), `coefficients` (segments, coefficients), `current` (steps, segments): codes."""

    kind: str
    states: np.ndarray
    coefficients: np.ndarray
    current: np.ndarray
    stalls: bool = False

    @property
    def steps(self) -> int:
        return self.current.size


def stimuli(neuron: Neuron, steps: int, seed: int = 0, recorded=None) -> tuple[list[Stimulus], set[coverage.Goal]]:
    """At least `steps` steps in all, the neuron's own registers first; and the goals of coverage that are not met.

    `recorded` (T,) nA takes the place of a synthetic current as a cell might see it in vivo.
    """
    rng, dp = np.random.default_rng(seed), neuron.datapath
    own = _own(neuron, steps // 6, rng, recorded)
    found = coverage.search(dp, rng)
    extra = coverage.draw(dp, rng, max(steps // 100, 8))
    corner_states, corner_coefficients, first = (
        np.concatenate([a, b]) for a, b in zip((found.states, found.coefficients, found.current), extra, strict=True)
    )
    later = coverage.draw(dp, rng, (CORNER_STEPS - 1) * len(first))[2].reshape(CORNER_STEPS - 1, -1)
    corners = Stimulus("corners", corner_states, corner_coefficients, np.concatenate([first[None], later]))
    stalled = Stimulus("stalled", own[0].states, own[0].coefficients, own[0].current[: max(steps // 20, 100)], True)
    rest = steps - sum(s.steps for s in (*own, corners, stalled))
    segments = max(-(-rest // RANDOM_STEPS), 8)
    return [*own, _random(neuron, segments, rng, recorded), corners, stalled], found.missed


def _own(neuron: Neuron, steps: int, rng: np.random.Generator, recorded) -> list[Stimulus]:
    """The four kinds on the neuron's own registers, made longer until it has fired enough, if it can fire at all."""
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
            # the least amplitude that gives three quarters of the most spikes: neither silent nor always refractory
            chosen = np.flatnonzero(4 * spikes >= 3 * spikes.max())[-1]
            found.append(Stimulus(kind, states, coefficients, current[:, chosen : chosen + 1]))
            fired += int(spikes[chosen])
        silent = not fired and steps * dp.dt > SILENCE
        if fired >= SPIKES or silent or steps >= LONGEST:
            return found
        steps = min(LONGEST, max(2 * steps, round(1.2 * steps * SPIKES / max(fired, 1))))


def _random(neuron: Neuron, segments: int, rng: np.random.Generator, recorded) -> Stimulus:
    dp = neuron.datapath
    lo, hi = (np.array([getattr(q, end) for q in dp.coefficients.values()]) for end in ("lo", "hi"))
    coefficients = rng.integers(lo, hi, (segments, len(lo)), endpoint=True)
    # half of them keep most of the neuron's own, so that it still moves
    keep = (np.arange(segments) % 2 == 0)[:, None] & (rng.random(coefficients.shape) < 0.8)
    coefficients = np.where(keep, list(neuron.codes.values()), coefficients)
    lo, hi = (np.array([getattr(q, end) for q in dp.states.values()]) for end in ("lo", "hi"))
    states = rng.integers(lo, hi, (segments, len(lo)), endpoint=True)
    kinds = list(CURRENTS.values())
    current = [kinds[k % len(kinds)](dp, RANDOM_STEPS, rng, recorded) for k in range(segments)]
    return Stimulus("random", states, coefficients, np.stack(current, axis=1))


def _noise(dp: Datapath, steps: int, rng: np.random.Generator, recorded) -> np.ndarray:
    """Half white, half with a memory of 20 steps, about a drifting mean; to full scale and beyond, clipped."""
    white = rng.normal(size=steps)
    slow = np.empty(steps)
    level = 0.0
    for k, kick in enumerate(rng.normal(size=steps)):
        level += (kick * 6 - level) / 20
        slow[k] = level
    return _codes(dp, 0.35 + 0.35 * (white + slow))


def _steps(dp: Datapath, steps: int, rng: np.random.Generator, recorded) -> np.ndarray:
    """Plateaus of 1 to 30 ms, most of them depolarising."""
    current = np.empty(steps)
    at = 0
    while at < steps:
        length = max(1, round(rng.uniform(1, 30) / dp.dt))
        current[at : at + length] = rng.uniform(-0.3, 1)
        at += length
    return _codes(dp, current)


def _square(dp: Datapath, steps: int, rng: np.random.Generator, recorded) -> np.ndarray:
    """Full scale: both ends of the input's range, half periods from one step to 20 ms."""
    current = np.empty(steps, dtype=np.int64)
    at, high = 0, True
    while at < steps:
        length = max(1, round(np.exp(rng.uniform(0, np.log(20 / dp.dt)))))
        current[at : at + length] = dp.current.hi if high else dp.current.lo
        at, high = at + length, not high
    return current


def _recorded(dp: Datapath, steps: int, rng: np.random.Generator, recorded) -> np.ndarray:
    """From somewhere in the recording on, repeated where it is short."""
    if recorded is None:
        return _in_vivo(dp, steps, rng)
    codes = dp.current.encode(np.asarray(recorded, dtype=np.float64).ravel())
    start = int(rng.integers(0, max(1, len(codes) - steps)))
    return np.resize(np.roll(codes, -start), steps)


def _in_vivo(dp: Datapath, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Excitatory and inhibitory events at random times, each with an exponential tail of 3 and 8 ms."""
    current = np.zeros(steps)
    for tail, size, rate in ((3.0, 0.25, 0.8), (8.0, -0.08, 0.5)):
        level, decay = 0.0, np.exp(-dp.dt / tail)
        events = rng.poisson(rate * dp.dt, steps)
        for k in range(steps):
            level = level * decay + size * events[k]
            current[k] += level
    return _codes(dp, current)


def _codes(dp: Datapath, fraction: np.ndarray) -> np.ndarray:
    return dp.current.encode(fraction * dp.i_span)


CURRENTS = {"noise": _noise, "steps": _steps, "square": _square, "recorded": _recorded}
