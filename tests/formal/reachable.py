"""All states that a small design can reach from its reset, whatever its inputs: what holds in each of them is proved."""

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
from amaranth.back import rtlil
from amaranth.hdl import Module, Value

from spikefab.toolchain.tools import yosys

# Gates and registers only. A memory becomes registers; a reset and an enable become gates.
SCRIPT = """
    read_rtlil small.il
    hierarchy -top small
    proc
    flatten -noscopeinfo
    memory -nomap
    memory_map
    opt -full
    dffunmap
    techmap
    abc -g AND,XOR,MUX
    opt_clean
    write_json small.json
"""
GATES = {
    "$_NOT_": lambda A: ~A,
    "$_AND_": lambda A, B: A & B,
    "$_XOR_": lambda A, B: A ^ B,
    "$_MUX_": lambda A, B, S: (A & ~S) | (B & S),
}
CHUNK = 1 << 16  # states that are looked at together


class Machine:
    """A design as gates, which computes the next states of many states at once, a bit of each in the bits of an array.

    m        the module
    inputs   signals that may have any value in any clock
    watched  names of signals of one bit that are asked for
    """

    def __init__(self, m: Module, inputs, watched: Mapping[str, Value], folder: Path):
        ports = [*inputs, *watched.values()]
        (folder / "small.il").write_text(rtlil.convert(m, name="small", ports=ports, emit_src=False))
        yosys(SCRIPT, cwd=folder, log=folder / "log")
        module = json.loads((folder / "small.json").read_text())["modules"]["small"]
        init = {}
        for net in module["netnames"].values():
            for bit, value in zip(net["bits"], reversed(net["attributes"].get("init", "")), strict=False):
                init[bit] = value
        gates, self.registers = {}, []  # output -> gate; (output, input) of each register
        for cell in module["cells"].values():
            nets = {port: bits[0] for port, bits in cell["connections"].items()}
            if cell["type"] == "$_DFF_P_":
                self.registers.append((nets["Q"], nets["D"]))
            else:
                gates[nets["Y"]] = (GATES[cell["type"]], {p: bit for p, bit in nets.items() if p != "Y"})
        # what a memory shows before it was read for the first time is undefined: all values are begun with
        begun = [(0, 1) if init.get(q, "x") == "x" else (int(init[q]),) for q, _ in self.registers]
        self.first = np.array([*product(*begun)], dtype=bool)
        bits = {name: port["bits"] for name, port in module["ports"].items()}
        self.inputs = {name: bits[name] for name in (s.name for s in inputs) if name in bits}
        self.watched = {name: bits[signal.name][0] for name, signal in watched.items()}
        self.gates = self._sorted(gates, [*self.watched.values(), *(d for _, d in self.registers)])

    @staticmethod
    def _sorted(gates, wanted):
        """The gates of which the wanted nets depend, each after those that it reads."""
        found, done = [], set()

        def visit(net):
            stack = [(net, False)]
            while stack:
                net, ready = stack.pop()
                if net in done or net not in gates:
                    continue
                if ready:
                    done.add(net)
                    found.append((net, *gates[net]))
                else:
                    stack += [(net, True), *((x, False) for x in gates[net][1].values())]

        for net in wanted:
            visit(net)
        return found

    def values(self, fixed: Mapping[str, int]):
        """All values of the inputs, each as {name: number}, but for those that are fixed."""
        free = {name: bits for name, bits in self.inputs.items() if name not in fixed}
        for numbers in product(*(range(1 << len(bits)) for bits in free.values())):
            yield dict(zip(free, numbers, strict=True)) | dict(fixed)

    def clock(self, states, given: Mapping[str, int]):
        """The states (n, registers) a clock later, and the watched signals (n,) in this clock."""
        count = len(states)
        packed = np.packbits(states, axis=0)
        zero = np.zeros(len(packed), dtype=np.uint8)
        nets = {"0": zero, "1": ~zero, "x": zero}
        nets |= {q: packed[:, k] for k, (q, _) in enumerate(self.registers)}
        for name, bits in self.inputs.items():
            nets |= {bit: nets["1" if given.get(name, 0) >> k & 1 else "0"] for k, bit in enumerate(bits)}
        for net, gate, pins in self.gates:
            nets[net] = gate(**{pin: nets.get(bit, zero) for pin, bit in pins.items()})
        later = np.stack([nets.get(d, zero) for _, d in self.registers], axis=1)
        watched = {name: np.unpackbits(nets.get(b, zero), count=count) == 1 for name, b in self.watched.items()}
        return np.unpackbits(later, axis=0, count=count), watched

    def reachable(self, claim: str, most: int = 2_000_000, **fixed: int):
        """All states that can be reached, (n, registers), or None if the watched signal `claim` is low in one of them.

        fixed  inputs that keep a value
        """
        known, frontier, every = _keys(self.first), self.first, [self.first]
        while len(frontier):
            found = []
            for begin in range(0, len(frontier), CHUNK):
                for given in self.values(fixed):
                    later, watched = self.clock(frontier[begin : begin + CHUNK], given)
                    if not watched[claim].all():
                        return None
                    found.append(later[_new(_keys(later), known)])
            states = np.concatenate(found)
            frontier = states[_new(_keys(states), known)]
            known = np.concatenate([known, _keys(frontier)])
            every.append(frontier)
            assert len(known) <= most, "too many states"
        return np.concatenate(every)

    def within(self, states, signal: str, clocks: int, given: Mapping[str, int]) -> bool:
        """Whether a watched signal is high in one of so many clocks, from each of the states, with these inputs."""
        for _ in range(clocks):
            if not len(states):
                return True
            later, watched = self.clock(states, given)
            states = later[~watched[signal]]
        return not len(states)


def _keys(states):
    """Each state as two numbers, (n, 2)."""
    packed = np.packbits(states.astype(bool), axis=1)
    assert packed.shape[1] <= 16, "more than 128 registers"
    wide = np.zeros((len(packed), 16), dtype=np.uint8)
    wide[:, : packed.shape[1]] = packed
    return wide.view(np.uint64)


def _new(keys, known):
    """The indices of keys that are not among the known ones, each once."""
    both = np.concatenate([known, keys])
    order = np.lexsort((both[:, 1], both[:, 0]))  # it is stable: known ones come first
    ordered = both[order]
    different = np.ones(len(both), dtype=bool)
    different[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    fresh = order[different]
    return fresh[fresh >= len(known)] - len(known)
