"""The base of all models: one final class each, an Amaranth component and a user's simulator in one."""

import difflib
from abc import abstractmethod
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Elaboratable, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from spikefab.errors import UsageError
from spikefab.hw.lowering.schedule import schedule
from spikefab.hw.lowering.shared import OVERHEAD, lower

from .datapath import Datapath, datapath
from .spec import Param, State
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
    | `cfg_addr` | in | unsigned | coefficients in order, then states in order |
    | `cfg_data` | in | signed | the code; low bits count |

    With `o_ready` held high a step takes `latency` clocks from input to result, and one starts every `interval` clocks.

    In Python, `step(i_nA)` advances it by `dt` through the exact integer reference; `v` (mV), `spiked` and `codes`
    are its outputs, `reset()` returns to the initial state, `ideal()` gives the same neuron in float64.
    """

    settings: ClassVar[Mapping[str, tuple]] = {}  # structural choices: their values, the default first
    chosen: ClassVar[Mapping[str, Any]] = {}  # the choices of this variant
    tried: ClassVar[tuple[dict[str, Any], ...]] = ({},)  # the variants that a fit tries
    resting: ClassVar[Any] = None  # where a formula says it: the states at rest, a function of parameters
    whole_steps: ClassVar[frozenset[str]] = frozenset()  # coefficients that count steps
    fastest: ClassVar[
        Mapping[str, float]
    ] = {}  # coefficients dt/tau: the least tau, ms, where the box would allow less
    i_span: ClassVar[float] = 4.0  # nA, of a bare model; a fit takes it from the recording
    simulator: ClassVar[Callable[["Neuron"], Any] | None] = None  # set by spikefab.sim
    _MustUse__silence = True  # a neuron that is only simulated in Python is no forgotten piece of hardware
    scheme: ClassVar[str]
    _states: ClassVar[dict[str, State]]
    _params: ClassVar[dict[str, Param]]
    _all_states: ClassVar[dict[str, State]]  # of every variant
    _every: ClassVar[dict[str, Param]] = {}
    _variants: ClassVar[dict[tuple, "type[Neuron]"]]
    best_for: ClassVar[str]

    def __new__(cls, *args: Any, src_loc_at: int = 0, **given: Any):
        choice = {k: v for k, v in given.items() if k in cls.settings}
        for p in (cls._every[k] for k in given if k in cls._every):
            if p.only is not None:  # a parameter that only a variant has asks for that variant
                choice.setdefault(*p.only)
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
        widest = max(q.width for q in (*self.datapath.coefficients.values(), *self.datapath.states.values()))
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
                "cfg_addr": In(bits_for(len(self.datapath.coefficients) + len(self.datapath.states) - 1)),
                "cfg_data": In(signed(widest)),
            }
        )
        self._sim = None

    # -- what a model gives --------------------------------------------------------------------------------------

    @staticmethod
    @abstractmethod
    def coefficients(p: SimpleNamespace, dt: float) -> dict[str, Any]:
        """Real-valued coefficients, in register order, of physical parameters (numbers or arrays)."""

    @staticmethod
    @abstractmethod
    def parameters(c: SimpleNamespace, dt: float) -> dict[str, Any]:
        """The inverse of `coefficients`."""

    @staticmethod
    @abstractmethod
    def equations(dp: Datapath, s: SimpleNamespace, c: SimpleNamespace, i: Value) -> dict[str, Value]:
        """One step: next states by name, `.v` to show and `.spike`, of states, coefficients and the input current."""

    @staticmethod
    def shown(s: SimpleNamespace, p: SimpleNamespace) -> float:
        """mV of states and parameters, in their units, before the first step."""
        return next(iter(vars(s).values()))

    @classmethod
    def adapted(cls) -> dict[str, Param]:
        """The parameters that are others under the settings of this variant."""
        return {}

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "chosen" not in vars(cls):
            # Declarations leave the class's own names: a state may be called v, and `neuron.v` is the read-out.
            cls._all_states = {k: v for k, v in vars(cls).items() if isinstance(v, State)}
            cls._every = {k: v for k, v in vars(cls).items() if isinstance(v, Param)}
            for name in (*cls._all_states, *cls._every):
                delattr(cls, name)
            cls.chosen = {name: values[0] for name, values in cls.settings.items()}
            cls._variants = {tuple(cls.chosen.values()): cls}
        there = {(None, None), *cls.chosen.items()}
        cls._states = {k: s for k, s in cls._all_states.items() if (s.only or (None, None)) in there}
        every = {**cls._every, **cls.adapted()}
        cls._params = {k: p for k, p in every.items() if (p.only or (None, None)) in there}

    @classmethod
    def variant(cls, **choice: Any) -> "type[Neuron]":
        """This model under other settings: a class of the same name, one for each choice."""
        for name, value in choice.items():
            if name not in cls.settings or value not in cls.settings[name]:
                offered = "; ".join(f"{n}: {', '.join(map(str, values))}" for n, values in cls.settings.items())
                raise UsageError(f"{cls.__name__} has no setting {name} = {value}: there are {offered or 'none'}.")
        chosen = {**cls.chosen, **choice}
        key = tuple(chosen.values())
        if key not in cls._variants:
            body = {"chosen": chosen, "__doc__": cls.__doc__, "__module__": cls.__module__}
            cls._variants[key] = type(cls.__name__, (cls,), body)
        return cls._variants[key]

    @classmethod
    def states(cls) -> dict[str, State]:
        return cls._states

    @classmethod
    def params(cls) -> dict[str, Param]:
        return cls._params

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
        for name, value in kind.coefficients(SimpleNamespace(**wanted), self.dt).items():
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
    def values(self) -> dict[str, float]:
        """The physical parameters that the codes stand for, exactly."""
        exact = self.datapath.dequantise(list(self._codes.values()))
        return {name: float(exact[name]) for name in type(self).params()}

    # -- the simulator: spikefab.sim sets it, so that hw needs nothing of sim ---------------------------------------

    @property
    def simulation(self) -> Any:
        if self._sim is None:
            if Neuron.simulator is None:
                raise UsageError("stepping a model needs spikefab.sim: import the model from spikefab.")
            self._sim = Neuron.simulator(self)
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
        return lower(self)
