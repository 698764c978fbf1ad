"""The base of all models: one final class each, an Amaranth component and a user's simulator in one."""

import difflib
import inspect
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Elaboratable, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikefab.delegates import delegate
from spikefab.errors import UsageError
from spikefab.hw.lowering.schedule import schedule
from spikefab.hw.lowering.shared import OVERHEAD, lower

from .datapath import Datapath, datapath
from .spec import Names, Param, Spec, State, Trait
from .trace import Value


class Neuron(wiring.Component):
    """A point neuron in fixed point.

    As an Amaranth component it takes one input sample a step and gives the read-out, the spike and every state:

    | port | dir | shape | meaning |
    |---|---|---|---|
    | `i_valid` `i_ready` | in, out | 1 | a step is taken when both are high |
    | `i` | in | signed(word) | input current, code of `datapath.current` |
    | `o_valid` `o_ready` | out, in | 1 | a result is taken when both are high |
    | `o_v` | out | signed | membrane potential to show, code of `datapath.readout` |
    | `o_spike` | out | 1 | the step ended in a spike |
    | `state_NAME` | out | signed | each state after the step |
    | `cfg_valid` `cfg_ready` | in, out | 1 | a register is written when both are high: between steps |
    | `cfg_addr` | in | unsigned | the address of one of `datapath.registers` |
    | `cfg_data` | in | signed | the code; low bits count |

    With `o_ready` held high a step takes `latency` clocks from input to result, and one starts every `interval` clocks.

    In Python, `step(i_nA)` advances it by `dt` through the exact integer reference; `v` (mV), `spiked` and `codes`
    are its outputs, `reset()` returns to the initial state, `ideal()` gives the same neuron in float64.
    """

    # Declared by a model, beside its states and parameters, which are attributes of its class (`State`, `Param`):
    scheme: ClassVar[str]  # how it is integrated, for people
    best_for: ClassVar[str]  # what it is good at, for people
    traits: ClassVar[frozenset[Trait]] = frozenset()  # the same for a fit, which recommends models by it
    settings: ClassVar[Mapping[str, tuple]] = {}  # structural choices: their values, the default first
    tried: ClassVar[tuple[dict[str, Any], ...]] = ({},)  # the variants that a fit tries
    adapted: ClassVar[Mapping[tuple[str, Any], Mapping[str, Param]]] = {}  # by (setting, value): parameters that differ
    first: ClassVar[tuple[str, ...]] = ()  # coefficients whose registers come before those of the others
    resting: ClassVar[Any] = None  # where a formula says it: the states at rest, a function of parameters
    i_span: ClassVar[float] = 4.0  # nA, of a bare model; a fit takes it from the recording
    # Made of it:
    spec: ClassVar[Spec]  # of this variant
    chosen: ClassVar[Mapping[str, Any]] = {}  # the settings of this variant
    _variants: ClassVar[dict[tuple, "type[Neuron]"]]
    _MustUse__silence = True  # a neuron that is only simulated in Python is no forgotten piece of hardware

    def __new__(cls, *args: Any, src_loc_at: int = 0, **given: Any):
        choice = {k: v for k, v in given.items() if k in cls.settings}
        for declared in (cls.spec.every[k] for k in given if k in cls.spec.every):
            if declared.only is not None:  # a parameter that only a variant has asks for that variant
                choice.setdefault(*declared.only)
        return super().__new__(cls.variant(**choice), src_loc_at=src_loc_at + 1)

    def __init__(
        self,
        *,
        dt: float = 0.1,
        word: int = 18,
        i_span: float | None = None,
        codes: Mapping[str, int] | None = None,
        initial: Mapping[str, int] | None = None,
        **params: Any,
    ):
        """`params` in physical units and settings, or `codes` (by coefficient) instead; `initial` state codes, else rest."""
        kind = type(self)
        params = {name: value for name, value in params.items() if name not in kind.settings}
        self.datapath: Datapath = datapath(kind, word, dt, i_span)
        self.word, self.dt = word, self.datapath.dt
        self._codes = self._quantised(params) if codes is None else self._given(codes, self.datapath.coefficients)
        if codes is not None and params:
            raise UsageError(f"{kind.__name__}: give parameters or codes, not both.")
        rest = dict(zip(self.datapath.states, map(int, self.datapath.rest(list(self._codes.values()))), strict=True))
        self.initial = rest if initial is None else self._given(initial, self.datapath.states)
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i": In(signed(self.datapath.current.width)),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_v": Out(signed(self.datapath.readout.width)),
                "o_spike": Out(1),
                **{f"state_{name}": Out(signed(q.width)) for name, q in self.datapath.states.items()},
                "cfg_valid": In(1),
                "cfg_ready": Out(1),
                "cfg_addr": In(self.datapath.address_bits),
                "cfg_data": In(signed(self.datapath.code_bits)),
            }
        )
        self._sim = None

    # -- what a model gives --------------------------------------------------------------------------------------

    @staticmethod
    @abstractmethod
    def equations(dp: Datapath, s: Names, c: Names, i: Value) -> dict[str, Value]:
        """One step: next states by name, `.v` to show and `.spike`, of states, coefficients and the input current."""

    @staticmethod
    def shown(s: Names, p: Names) -> float:
        """mV of states and parameters, in their units, before the first step: the first state, unless a model says else."""
        return next(iter(s))

    def __init_subclass__(cls, variant: Mapping[str, Any] | None = None, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        declared = {k: v for k, v in vars(cls).items() if isinstance(v, State | Param)}
        for name in declared:
            if hasattr(Neuron, name):  # a state may be called v, and `neuron.v` is the read-out all the same
                setattr(cls, name, inspect.getattr_static(Neuron, name))
        inherited = cls.spec.every if hasattr(cls, "spec") else {}
        if variant is None:
            cls._variants = {}
        cls.chosen = variant or {name: values[0] for name, values in cls.settings.items()}
        cls._variants[tuple(cls.chosen.values())] = cls
        cls.spec = Spec(cls.__name__, cls.chosen, {**inherited, **declared}, cls.adapted, cls.first)

    @classmethod
    def variant(cls, **choice: Any) -> "type[Neuron]":
        """This model under other settings: a subclass of the same name, one for each choice.

        A class, because a variant has states, registers and ports of its own, and whatever compiles, draws or fits a model
        takes a class. Hence calling the model with settings of another variant makes a neuron of that subclass.
        """
        for name, value in choice.items():
            if name not in cls.settings or value not in cls.settings[name]:
                offered = "; ".join(f"{n}: {', '.join(map(str, values))}" for n, values in cls.settings.items())
                raise UsageError(f"{cls.__name__} has no setting {name} = {value}: there are {offered or 'none'}.")
        chosen = {**cls.chosen, **choice}
        key = tuple(chosen.values())
        if key not in cls._variants:
            body = {"__doc__": cls.__doc__, "__module__": cls.__module__}
            type(cls.__name__, (cls,), body, variant=chosen)  # which puts itself there
        return cls._variants[key]

    @classmethod
    def states(cls) -> dict[str, State]:
        return cls.spec.states

    @classmethod
    def params(cls) -> dict[str, Param]:
        return cls.spec.params

    @classmethod
    def defaults(cls) -> dict[str, float]:
        return {k: p.default for k, p in cls.params().items()}

    # -- numbers in, numbers out ---------------------------------------------------------------------------------

    @classmethod
    def check_parameter(cls, name: str) -> None:
        if name not in cls.params():
            close = difflib.get_close_matches(name, cls.params(), n=1)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(cls.params())}."
            raise UsageError(f"{cls.__name__} has no parameter {name!r}: {hint}")

    def _quantised(self, params: Mapping[str, float]) -> dict[str, int]:
        kind = type(self)
        for name in params:
            kind.check_parameter(name)
        wanted = {**kind.defaults(), **params}
        with np.errstate(all="ignore"):  # of values that are refused below
            row = self.datapath.quantise(wanted)[0]
        for name, value in params.items():
            lo, hi = self.datapath.params[name].bounds
            # what a register stands for may lie just outside: its code is then that of the bound, or a hundredth away
            near = lo - 1e-2 * abs(lo) <= value <= hi + 1e-2 * abs(hi)
            inside = {**wanted, name: np.clip(value, lo, hi)}
            if not near and not (np.isfinite(value) and np.array_equal(row, self.datapath.quantise(inside)[0])):
                unit = kind.params()[name].unit
                raise UsageError(f"{kind.__name__}: {name} = {value} {unit} is outside {lo:g}..{hi:g} {unit}.")
        for name, value in kind.spec.coefficients(wanted, self.dt).items():
            q = self.datapath.coefficients[name]
            if not q.lo - 0.5 <= value / q.lsb <= q.hi + 1:
                raise UsageError(
                    f"{kind.__name__}: these parameters need {name} = {value:.4g}, beyond the {q.hi * q.lsb:.4g} that its "
                    f"register holds at dt = {self.dt} ms: take a smaller dt or slower parameters."
                )
        return dict(zip(self.datapath.coefficients, map(int, row), strict=True))

    def _given(self, codes: Mapping[str, int], formats: Mapping[str, Any]) -> dict[str, int]:
        if set(codes) != set(formats):
            raise UsageError(f"{type(self).__name__} needs a code for each of {', '.join(formats)}.")
        for name, q in formats.items():
            if not q.lo <= codes[name] <= q.hi:
                raise UsageError(f"{type(self).__name__}: code {codes[name]} of {name} is outside {q}.")
        return {name: int(codes[name]) for name in formats}

    @property
    def codes(self) -> dict[str, int]:
        """The integers in the coefficient registers, by name."""
        return dict(self._codes)

    @property
    def reset_codes(self) -> tuple[int, ...]:
        """The integers in all registers after a reset, in the order of `datapath.registers`."""
        return tuple(map(int, self.datapath.register_codes([*self._codes.values()], [*self.initial.values()])))

    @property
    def values(self) -> dict[str, float]:
        """The physical parameters that the codes stand for, exactly."""
        exact = self.datapath.dequantise(list(self._codes.values()))
        return {name: float(exact[name]) for name in type(self).params()}

    # -- the simulator, which spikefab.sim has -----------------------------------------------------------------------

    @property
    def simulation(self) -> Any:
        """The `spikefab.sim.simulator.Simulator` of this neuron."""
        if self._sim is None:
            self._sim = delegate("simulator")(self)
        return self._sim

    def step(self, i_nA: float) -> float:
        """Advance by dt under `i_nA`; returns the membrane potential, mV."""
        return self.simulation.step(i_nA)

    def run(self, current) -> np.ndarray:
        """Step through `current` (T,) nA; returns the voltage (T,) mV. `spikes` then holds the steps that spiked."""
        return self.simulation.run(current)

    def reset(self) -> None:
        self.simulation.reset()

    def ideal(self, *, tables: bool = False) -> Any:
        """The same neuron in float64: no rounding, true functions (or, with `tables`, the same tables)."""
        return self.simulation.ideal(tables=tables)

    @property
    def v(self) -> float:
        """Membrane potential after the last step, mV."""
        return self.simulation.v

    @property
    def spiked(self) -> bool:
        """Whether the last step ended in a spike."""
        return self.simulation.spiked

    @property
    def spikes(self) -> np.ndarray:
        """Times (ms) of the spikes of the last `run`: k dt for step k, whose voltage is sample k of what `run` returns."""
        return self.simulation.spikes

    @property
    def state(self) -> dict[str, float]:
        """State variables, in their units."""
        return self.simulation.state

    # -- the hardware ----------------------------------------------------------------------------------------------

    @property
    def latency(self) -> int:
        """Clocks from an accepted input to its result."""
        return schedule(self.datapath.trace).length + OVERHEAD

    @property
    def interval(self) -> int:
        """Clocks between two steps: the next input is accepted in the clock that delivers the result."""
        return self.latency

    def elaborate(self, platform: Any) -> Elaboratable:
        return lower(self, self.datapath, self.reset_codes)
