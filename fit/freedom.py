"""What a user decides about a search, and which parameters of a model it leaves to be searched."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from spikefab.errors import UsageError
from spikefab.hw.models import get_model
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role


def solved(params: Mapping[str, Param]) -> list[str]:
    """Names of offset and scale of the read-out, which are solved and not searched (`loss.Loss.read_out`); [] without one."""
    found = {p.role: n for n, p in params.items()}
    return [found[role] for role in (Role.OFFSET, Role.SCALE)] if {Role.OFFSET, Role.SCALE} <= found.keys() else []


def unsearched(params: Mapping[str, Param]) -> set[str]:
    """What the recording says and no search improves on: a spike's peak and level, and a read-out, which is solved.

    The level of a model with a read-out is searched: its spikes may be shown lower than the recording's.
    """
    read_out = solved(params)
    known = {Role.PEAK} if read_out else {Role.PEAK, Role.SPIKE_LEVEL}
    return {*read_out, *(n for n, p in params.items() if p.role in known)}


@dataclass(frozen=True)
class Freedom:
    """What a user decides about the search, by names of parameters.

    free    those that are searched; all that a recording does not say, if None
    fixed   values that are held
    bounds  (lo, hi) to search between, instead of what was measured
    also    by model, those that are searched in it besides
    """

    free: tuple[str, ...] | None = None
    fixed: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def check(self, models: Iterable[type[Neuron]]) -> None:
        """Raise UsageError for a name that none of the models has, or a value that one of them cannot take."""
        params = [(m.__name__, m.params()) for m in models]
        for model, names in self.also.items():
            for name in names:
                get_model(model).check_parameter(name)
        for name in (*(self.free or ()), *self.fixed, *self.bounds):
            if not any(name in p for _, p in params):
                raise UsageError(f"none of the models has a parameter {name}.")
        freed = {*(self.free or ()), *(name for names in self.also.values() for name in names)}
        for name in self.fixed.keys() & {*freed, *self.bounds}:
            raise UsageError(f"{name} cannot be fixed and searched at once.")
        for model, p in params:
            if not self.searched(model, p):
                raise UsageError(
                    f"{model}: no parameter is left to be searched; name models that have {self._named()}."
                )
        ends = {n: (v, v) for n, v in self.fixed.items()} | dict(self.bounds)
        for name, (low, high) in ends.items():
            if name in self.bounds and not low < high:
                raise UsageError(f"the bounds of {name} must be two rising numbers, not {low:g} and {high:g}.")
            for model, p in params:
                # bounds that go with the current's span are known once there is a recording
                if name in p and not p[name].per_input and not p[name].bounds[0] <= low <= high <= p[name].bounds[1]:
                    lo, hi = p[name].bounds
                    raise UsageError(f"{model}: {name} can be {lo:g} to {hi:g} {p[name].unit}.")

    def _named(self) -> str:
        return " or ".join(self.free) if self.free else "others"

    def searched(self, model: str, params: Mapping[str, Param]) -> tuple[str, ...]:
        """Names that are searched in a model, in its order."""
        held = unsearched(params) if self.free is None else params.keys() - {*self.free}
        held -= {*self.also.get(model, ())}
        return tuple(n for n in params if n in self.bounds or (n not in held and n not in self.fixed))
