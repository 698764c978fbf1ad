"""The reference of networks: neurons whose spikes come back to them as current, in exact integers.

In each step t, each neuron gets, in this order:

    a[t] = sum of the weights of its synapses whose sources spiked in step t - 1      in the format `arrivals`, exact
    s[t] = s[t-1] - k s[t-1] + a[t]                                                   in `synaptic`, saturated once
    i[t] = external current + s[t]                                                    in `current`, saturated once
    one step of its model with the input current i[t], and perhaps a spike

so that a spike of step t acts in step t + 1, in whatever order spikes and synapses are gone through. k is 1 - exp(-dt/tau_s):
without spikes, s decays by exp(-dt/tau_s) a step, to a weight of one code and less (`synaptic` has guard bits). In k s, s is
rounded to the format `current`, as a factor is no wider than a word, and the product to the format `synaptic`. All formats are
attributes of `hw.synapses.Synapses`. At the start, s is 0 and no neuron has spiked.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spikefab.errors import UsageError
from spikefab.hw.fixed import Q, rounded_shift
from spikefab.hw.synapses import Synapses

from . import reference


class Activity(NamedTuple):
    """What the neurons of a network do in T steps.

    v         (T, count) read-out codes
    spikes    (T, count) 0 or 1
    states    (T, count, states) codes after each step
    synaptic  (T, count) codes of the synaptic currents s
    """

    v: np.ndarray
    spikes: np.ndarray
    states: np.ndarray
    synaptic: np.ndarray


def _resized(code: np.ndarray, f_bits: int, q: Q) -> np.ndarray:
    """Codes with `f_bits` fraction bits, in a format: rounded half up, then saturated."""
    return np.clip(rounded_shift(code, f_bits - q.f_bits), q.lo, q.hi)


def synaptic_step(synapses: Synapses, s: np.ndarray, arrivals: np.ndarray, external: np.ndarray):
    """The next synaptic currents and the input currents of the neurons, codes (count,) each."""
    q, k, current = synapses.synaptic, synapses.k, synapses.current
    guard = q.f_bits - current.f_bits
    decayed = _resized(synapses.decay * _resized(s, q.f_bits, current), k.f_bits + current.f_bits, q)
    s = np.clip(s - decayed + (arrivals << guard), q.lo, q.hi)
    return s, _resized((external << guard) + s, q.f_bits, current)


def arrivals(synapses: Synapses, spiked: np.ndarray) -> np.ndarray:
    """The sums of the weights (count,) that reach the neurons after a step in which `spiked` (count,) are not 0."""
    acts = np.asarray(spiked)[synapses.sources] != 0
    found = np.zeros(synapses.count, dtype=np.int64)
    np.add.at(found, synapses.targets[acts], synapses.weights[acts])
    return found


def _codes(name: str, given: ArrayLike, shapes: Sequence[tuple[int, ...]], formats: Sequence[Q]) -> np.ndarray:
    """Codes of one of some shapes, within their formats, one for each column or one for all. Raises UsageError."""
    found = np.asarray(given)
    if found.shape not in shapes or found.dtype.kind not in "iu":
        told = " or ".join(map(str, shapes))
        raise UsageError(f"{name} are codes, whole numbers of shape {told}: not {found.dtype} of shape {found.shape}.")
    lowest, highest = np.array([[q.lo, q.hi] for q in formats]).T
    if ((found < lowest) | (found > highest)).any():
        raise UsageError(f"{name} are codes of {', '.join(map(str, formats))}, and some do not fit.")
    return found.astype(np.int64)


def run(synapses: Synapses, states: ArrayLike, coefficients: ArrayLike, external: ArrayLike) -> Activity:
    """T steps of a network.

    states        (count, states) codes at the start, or (states,) for all neurons the same
    coefficients  (count, coefficients) codes, or (coefficients,)
    external      (T, count) codes of the external current, or (T,) for all neurons the same

    Raises UsageError if a shape is wrong or a code does not fit its format.
    """
    dp, count = synapses.datapath, synapses.count
    steps = int(np.shape(external)[0]) if np.ndim(external) else 0
    every = _codes("external currents", external, [(steps,), (steps, count)], [synapses.current])
    every = np.broadcast_to(every if every.ndim == 2 else every[:, None], (steps, count))
    held, constant = (
        np.broadcast_to(_codes(name, codes, [(count, len(q)), (len(q),)], [*q.values()]), (count, len(q)))
        for name, codes, q in (("states", states, dp.states), ("coefficients", coefficients, dp.coefficients))
    )
    v, spikes, synaptic = (np.empty((steps, count), dtype=np.int64) for _ in range(3))
    path = np.empty((steps, *held.shape), dtype=np.int64)
    s = spiked = np.zeros(count, dtype=np.int64)
    for t, sample in enumerate(every):
        s, current = synaptic_step(synapses, s, arrivals(synapses, spiked), sample)
        held, v[t], spiked = reference.step(dp, held, constant, current)
        spikes[t], path[t], synaptic[t] = spiked, held, s
    return Activity(v, spikes, path, synaptic)
