"""A model with a given word length, time step and input span: its number formats, its trace, and the codes of parameters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from numbers import Integral
from typing import Any, Literal, cast

import numpy as np

from spikefab.errors import UsageError, shortened
from spikefab.units import step

from .fixed import Q
from .spec import Param, State
from .trace import Trace

# A class of models (a subclass of `hw.neuron.Neuron`, which cannot be imported here because it imports this file).
Model = type[Any]
WORDS = (16, 18, 24)  # word lengths, bits


def guard_bits(slowest: float, dt: float) -> int:
    """Bits that a state needs below the word of its operand, so that a time constant of `slowest` ms still moves it.

    Without them, the change in one step of `dt` ms would be rounded to zero.
    """
    return max(0, math.ceil(math.log2(slowest / dt)) - 1)


@dataclass(frozen=True)
class Register:
    """A register that can be written through the configuration ports: its address on `cfg_addr`, kind, name and format."""

    address: int
    kind: Literal["coefficient", "state"]
    name: str
    format: Q


class Datapath:
    """What all neurons of one model with the same formats share. The function `datapath` returns it."""

    def __init__(self, model: Model, word: int, dt: float, i_span: float):
        self.model, self.word, self.dt, self.i_span = model, word, dt, i_span
        self.current = Q.covering(i_span, word)
        self.params: dict[str, Param] = {
            name: replace(p, bounds=(p.bounds[0] / i_span, p.bounds[1] / i_span)) if p.per_input else p
            for name, p in model.params().items()
        }
        self.coefficients = self._coefficient_formats()
        self.states = {name: self._state_format(name, s) for name, s in model.states().items()}
        self.registers = self._register_map()
        self.trace = Trace(word)
        s, c = (
            model.spec.names({name: self.trace.input(kind, name, q) for name, q in formats.items()})
            for kind, formats in (("state", self.states), ("coefficient", self.coefficients))
        )
        current = self.trace.input("current", "i", self.current)
        outputs = model.equations(self, s, c, current)
        if set(outputs) != {*self.states, ".v", ".spike"}:
            raise AssertionError(f"{model.__name__}.equations must give each state, .v and .spike, not {set(outputs)}")
        for name, value in outputs.items():
            held = value.resize(self.states[name]) if name in self.states else value
            self.trace.outputs[name] = held.index
        self.readout = self.trace.nodes[self.trace.outputs[".v"]].q

    def __repr__(self) -> str:
        return f"Datapath({self.model.__name__}, word={self.word}, dt={self.dt}, i_span={self.i_span})"

    def _state_format(self, name: str, state: State) -> Q:
        if state.unit == "flag":
            return Q(2, 0)
        if state.unit == "steps":
            return Q.covering(state.span / self.dt + 1, math.ceil(math.log2(state.span / self.dt + 1)) + 1)
        if not (state.slowest > 0 and state.span > 0):
            raise AssertionError(f"State {name} needs a span and its slowest time constant")
        scale = self.i_span if state.per_input else 1
        q = Q.covering(state.span * scale, self.word)
        operand = Q.covering((state.operand_span or state.span) * scale, self.word)
        return Q(q.i_bits, operand.f_bits + guard_bits(state.slowest, self.dt))

    def _coefficient_formats(self) -> dict[str, Q]:
        """Formats of the coefficients that hold every parameter set within the bounds.

        The largest coefficients are found at the corners of the box of bounds and at points inside.
        """
        params = self.params
        ends = np.array([p.bounds for p in params.values()], float)
        bits = np.arange(2 ** len(ends)) >> np.arange(len(ends))[:, None] & 1  # (parameters, corners): low or high end
        corners = np.where(bits, ends[:, 1:], ends[:, :1])
        inner = np.array([np.linspace(lo, hi, 9) for lo, hi in ends])
        box = {name: np.concatenate([corners[k], inner[k]]) for k, name in enumerate(params)}
        spec, formats = self.model.spec, {}
        conversions = spec.conversions
        for name, value in spec.coefficients(box, self.dt).items():
            conversion = conversions.get(name)
            largest = float(np.max(np.abs(value)))
            if not 0 < largest < np.inf:
                raise AssertionError(f"coefficient {name} reaches {largest} over the parameter box: it has no format")
            if conversion and conversion.fastest is not None:
                largest = min(largest, self.dt / conversion.fastest)
            if conversion and conversion.whole:
                formats[name] = Q.covering(largest + 1, math.ceil(math.log2(largest + 1)) + 1)
            else:
                formats[name] = Q.covering(largest * (1 + 2.0 ** (1 - self.word)), self.word)
        return formats

    def _register_map(self) -> tuple[Register, ...]:
        """All registers: at addresses from 0, first the coefficients in order, then the states in order."""
        kinds: dict[Literal["coefficient", "state"], dict[str, Q]] = {
            "coefficient": self.coefficients,
            "state": self.states,
        }
        every = [(kind, name, q) for kind, formats in kinds.items() for name, q in formats.items()]
        return tuple(Register(address, *register) for address, register in enumerate(every))

    @property
    def address_bits(self) -> int:
        """Width of the port `cfg_addr`, bits."""
        return max(1, self.registers[-1].address.bit_length())

    @property
    def code_bits(self) -> int:
        """Width of the port `cfg_data`, bits: that of the widest register."""
        return max(register.format.width for register in self.registers)

    def register_codes(self, coefficients, states) -> np.ndarray:
        """The codes (..., registers) in the order of `registers`, made of the codes of coefficients and of states.

        coefficients (..., coefficients) and states (..., states) are in their own orders.
        """
        held = {("coefficient", name): np.asarray(coefficients)[..., k] for k, name in enumerate(self.coefficients)}
        held |= {("state", name): np.asarray(states)[..., k] for k, name in enumerate(self.states)}
        return np.stack([held[register.kind, register.name] for register in self.registers], axis=-1)

    def quantise(self, params: Mapping[str, Any]) -> np.ndarray:
        """The codes (N, coefficients), int64, of physical parameters, each a number or an array (N,).

        A coefficient beyond the range of its register is limited to the end of the range; `dequantise` tells its value.
        """
        arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(params[n], float)) for n in self.params))
        values = self.model.spec.coefficients(dict(zip(self.params, arrays, strict=True)), self.dt)
        return np.stack([q.encode(values[name]) for name, q in self.coefficients.items()], axis=-1)

    def dequantise(self, codes) -> dict[str, np.ndarray]:
        """The exact physical parameters, name -> (...), that codes (..., coefficients) stand for."""
        codes = np.asarray(codes)
        values = {name: q.decode(codes[..., k]) for k, (name, q) in enumerate(self.coefficients.items())}
        return self.model.spec.parameters(values, self.dt)

    def rest(self, codes) -> np.ndarray:
        """The state codes (..., states) at rest for coefficient codes (..., coefficients)."""
        codes = np.asarray(codes, dtype=np.int64)
        if self.model.resting is not None:
            values = self.model.resting(self.model.spec.names(self.dequantise(codes)))
            return np.stack(
                [np.broadcast_to(q.encode(values[n]), codes.shape[:-1]) for n, q in self.states.items()], axis=-1
            )
        columns = []
        for name, state in self.model.states().items():
            if state.rest is None:
                columns.append(np.zeros(codes.shape[:-1], dtype=np.int64))
            else:
                source, target = self.coefficients[state.rest], self.states[name]
                code = codes[..., list(self.coefficients).index(state.rest)]
                columns.append(np.clip(code << (target.f_bits - source.f_bits), target.lo, target.hi))
        return np.stack(columns, axis=-1)

    @property
    def formats(self) -> dict[str, str]:
        """The formats of all registers and ports by name, as text: coefficients, states, input `i`, read-out `o_v`."""
        every = {register.name: register.format for register in self.registers}
        return {name: str(q) for name, q in (every | {"i": self.current, "o_v": self.readout}).items()}


def datapath(model: Model, word: int = 18, dt: float = 0.1, i_span: float | None = None) -> Datapath:
    """The datapath of a model for a word of `word` bits, a time step of `dt` ms, and input currents -i_span..i_span nA.

    `i_span` must be a power of two; None takes that of the model. Raises UsageError for values that are not supported.
    """
    dt = step(dt)
    check_numbers(word, dt)
    span = model.i_span if i_span is None else i_span
    if not (span > 0 and math.frexp(span)[0] == 0.5):
        raise UsageError(f"the input span, {span} nA, must be a power of two, such as 0.5, 1 or 2.")
    return _cached(cast(Any, model), word, float(dt), float(span))


def check_numbers(word: int, dt: float) -> None:
    """Raise UsageError for a word (bits) or a step (ms) that no model can have."""
    if isinstance(word, bool) or not isinstance(word, Integral) or word not in WORDS:
        raise UsageError(f"word {shortened(word)} is not one of {', '.join(map(str, WORDS))} bits.")
    if not 0.005 <= dt <= 1:
        raise UsageError(f"dt = {dt} ms is outside 0.005..1 ms.")


@cache
def _cached(model: Model, word: int, dt: float, i_span: float) -> Datapath:
    return Datapath(model, word, dt, i_span)
