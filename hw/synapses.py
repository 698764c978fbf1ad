"""The synapses of a network: a table (source, target, weight), and the number formats of the currents that they cause."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from spikefab.calls import whole
from spikefab.errors import UsageError
from spikefab.units import number

from .datapath import Datapath, guard_bits
from .fixed import Q

SLOWEST = 1000.0  # ms: the longest time constant; a slower current would take more guard bits


class Synapses:
    """Exponential synapses between `count` neurons of one datapath. `sim.network` defines what they compute.

    | attribute | meaning |
    |---|---|
    | `sources` `targets` `weights` | (synapses,) int64, sorted by source; of one source, in the order in which they were given |
    | `first` | (count + 1,) the synapses of source n are those from `first[n]` to `first[n + 1]` - 1 |
    | `fan_in` | the largest number of synapses of a target |
    | `arrivals` | format of the sum of all weights that can reach a neuron in a step: it never wraps |
    | `current` | format of a weight, of the external current and of the total: that of the neurons' input |
    | `synaptic` | format of a synaptic current, with guard bits |
    | `k` `decay` | format and code of the share 1 - exp(-dt/tau_s) of a synaptic current that decays in a step |
    """

    def __init__(
        self,
        datapath: Datapath,
        count: int,
        sources: ArrayLike,
        targets: ArrayLike,
        weights: ArrayLike,
        *,
        tau_s: float = 5.0,
    ):
        """
        datapath          of the neurons
        count             number of neurons, 2 or more
        sources, targets  (synapses,) numbers of neurons; a pair may occur several times, and a neuron be its own target
        weights           (synapses,) codes of the format `datapath.current`: by how much a spike raises the current of its target
        tau_s             time constant of the synaptic currents, ms; `tau_s` becomes the value that its code stands for

        Raises UsageError for values that cannot be.
        """
        self.datapath, self.count, q = datapath, whole(count, "count", 2), datapath.current
        rows = [
            _column(name, values, *ends)
            for name, values, ends in (
                ("sources", sources, (0, self.count - 1)),
                ("targets", targets, (0, self.count - 1)),
                ("weights", weights, (q.lo, q.hi)),
            )
        ]
        if len({len(row) for row in rows}) > 1:
            told = ", ".join(str(len(row)) for row in rows)
            raise UsageError(f"sources, targets and weights are of one length, not {told}.")
        order = np.argsort(rows[0], kind="stable")
        self.sources, self.targets, self.weights = (row[order] for row in rows)
        self.first = np.searchsorted(self.sources, np.arange(self.count + 1))
        self.fan_in = int(np.bincount(self.targets, minlength=1).max())
        tau_s = number(tau_s, "ms", "tau_s")
        if not datapath.dt <= tau_s <= SLOWEST:
            raise UsageError(f"tau_s = {tau_s:g} ms is outside {datapath.dt:g}..{SLOWEST:g} ms.")
        self.current = q
        self.arrivals = Q(q.i_bits + max(0, self.fan_in - 1).bit_length(), q.f_bits)
        self.synaptic = Q(q.i_bits, q.f_bits + guard_bits(tau_s, datapath.dt))
        share = -np.expm1(-datapath.dt / tau_s)
        self.k = Q.covering(share * (1 + 2.0 ** (1 - datapath.word)), datapath.word)
        self.decay = int(self.k.encode(share))

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def tau_s(self) -> float:
        """The time constant of the synaptic currents, ms."""
        return float(-self.datapath.dt / np.log1p(-self.k.decode(self.decay)))


def _column(name: str, values: ArrayLike | Sequence, lowest: int, highest: int) -> np.ndarray:
    """The whole numbers (synapses,) of a column of the table. Raises UsageError."""
    found = np.asarray(values)
    if not found.size:
        return np.zeros(0, dtype=np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iu" or not ((lowest <= found) & (found <= highest)).all():
        raise UsageError(f"{name} are whole numbers from {lowest} to {highest}, one for each synapse.")
    return found.astype(np.int64)
