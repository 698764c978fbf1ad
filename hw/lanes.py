"""Lanes: banks of one model side by side, which compute the steps of several neurons at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Elaboratable, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from numpy.typing import ArrayLike

from spikefab.calls import whole
from spikefab.errors import UsageError

from .bank import Bank
from .neuron import Neuron


class Lanes(wiring.Component):
    """`count` neurons of the same model in `lanes` banks. Lane k has the neurons from k * count / lanes on.

    | port | dir | shape | meaning |
    |---|---|---|---|
    | `i_valid` `i_ready` `i` | | | as of a bank; without `broadcast`, `i` is an array, of the next neuron of each lane |
    | `hold` | in | 1 | as of a bank |
    | `o_valid` `o_neuron` `o_v` `o_spike` `state_NAME` | out | array | of each lane, `o_neuron` counted within it |
    | `cfg_valid` `cfg_ready` `cfg_addr` `cfg_data` | | | as of a bank |
    | `cfg_lane` `cfg_neuron` | in | unsigned | which neuron, if the register is a state or a coefficient in `own` |
    | `kept_NAME` | out | array | of each lane, the state of its neuron `cfg_neuron` |

    All lanes do the same in the same clock. Coefficients that are not in `own` are written in all of them.
    """

    _MustUse__silence = True

    def __init__(
        self,
        neuron: Neuron,
        count: int,
        lanes: int,
        *,
        own: Mapping[str, ArrayLike] | None = None,
        initial: ArrayLike | None = None,
        **more: Any,
    ):
        """All as of a bank: `own` and `initial` of all neurons, `multipliers`, `timing` and what else there is of each lane.

        Raises UsageError for values that cannot be.
        """
        count, lanes = whole(count, "count", 2), whole(lanes, "lanes", 1)
        if count % lanes or count < 2 * lanes:
            raise UsageError(f"{count} neurons cannot be in {lanes} lanes of as many neurons each, at least 2.")
        parts = [slice(first, first + count // lanes) for first in range(0, count, count // lanes)]
        given = {name: np.asarray(codes) for name, codes in (own or {}).items()}
        first = None if initial is None else np.asarray(initial)
        for name, codes in {**given, **({} if first is None else {"the initial states": first})}.items():
            if codes.shape[:1] != (count,):
                raise UsageError(f"{name}: one value for each of {count} neurons is needed, not {codes.shape}.")
        self.count = count
        self.banks = [
            Bank(
                neuron, count // lanes, own={name: codes[part] for name, codes in given.items()},
                initial=None if first is None else first[part], **more,
            )
            for part in parts
        ]  # fmt: skip
        bank = self.banks[0]
        self.members = bank.signature.members
        each = {name: member for name, member in self.members.items() if self._each(name)}
        super().__init__(
            {
                **{name: member for name, member in self.members.items() if name not in each},
                **{name: member.array(lanes) for name, member in each.items()},
                "cfg_lane": In(range(lanes)),
            }
        )

    def _each(self, port: str) -> bool:
        """Whether each lane has such a port."""
        return port.startswith(("o_", "state_", "kept_")) or (port == "i" and not self.banks[0].broadcast)

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        own = {*self.banks[0].own}
        # After a write, banks are offered none for a clock: one that was meant before would begin with the next before the others.
        # A clock later, when they see none, no sweep may slip in. A bank that is alone waits for no other.
        alone, done = len(self.banks) == 1, Signal(2)
        if not alone:
            m.d.sync += done.eq(Cat(self.cfg_ready, done))
        ready = Cat(bank.i_ready for bank in self.banks).all() & ~done[1]
        m.d.comb += [self.i_ready.eq(ready), self.cfg_ready.eq(Cat(bank.cfg_ready for bank in self.banks).any())]
        common = [r.address for r in self.banks[0].datapath.registers if r.kind == "coefficient" and r.name not in own]
        for k, bank in enumerate(self.banks):
            m.submodules[f"lane_{k}"] = bank
            meant = (self.cfg_lane == k) | (self.cfg_addr.matches(*common) if common else 0)
            m.d.comb += [
                bank.i_valid.eq(self.i_valid if alone else self.i_valid & ready),
                bank.cfg_valid.eq(self.cfg_valid & meant & ~done[0]),
            ]
            for name, member in self.members.items():
                outer, inner = getattr(self, name), getattr(bank, name)
                outer = outer[k] if self._each(name) else outer
                if member.flow is In and name not in ("i_valid", "cfg_valid"):
                    m.d.comb += inner.eq(outer)
                elif self._each(name):
                    m.d.comb += outer.eq(inner)
        return m
