"""The class `FitResult`: one fitted model with its parameters, codes and scores, and methods to verify, build and export it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np

from spikefab.calls import public, whole
from spikefab.delegates import delegate
from spikefab.errors import UsageError
from spikefab.fit.scoring.scores import Scores
from spikefab.hw.datapath import Datapath, datapath
from spikefab.hw.fixed import Q
from spikefab.hw.models import fitted_model
from spikefab.hw.neuron import Neuron
from spikefab.hw.parameter_table import ParameterTable
from spikefab.shapes import conforms

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spikefab.fit.scoring.task import Task


class Disagreement(ValueError):
    """A model in a file whose codes, parameters, formats and word do not belong together."""


class Stored(TypedDict):
    """A model in `result.json`: what is read of it, see docs/result.md."""

    model_name: str
    settings: dict[str, str | bool | int | float | None]
    params: dict[str, float]
    codes: dict[str, int]
    formats: dict[str, str]
    initial: list[dict[str, int]]
    word: int
    dt: float
    i_span: float
    rmse: float
    train: Scores
    held_out: Scores | None
    ideal: dict[str, Scores | None]
    first: NotRequired[float | None]
    tied: NotRequired[bool | None]
    sensitivity: NotRequired[dict[str, tuple[float, float]]]
    searched: NotRequired[dict[str, tuple[float, float]]]
    model_source: NotRequired[str]
    arithmetic: NotRequired[str]
    words: NotRequired[dict[str, float]]
    takes: NotRequired[dict[str, dict[str, str | int | float] | None]]


@dataclass(eq=False, repr=False)
class FitResult:
    """One fitted model.

    model_name   name of the class of the model
    settings     settings that choose its variant, such as the kinetics
    params       physical parameters: exactly the values that `codes` stand for
    codes        integers of the coefficients in the hardware
    initial      state codes in which each sweep begins
    word         word length, bits
    dt           time step of the hardware, ms
    i_span       span of the input, nA
    train        scores on the training parts
    held_out     scores on the held-out parts; None if nothing was held out
    ideal        the scores "train" and "held_out" of the same parameters in float64; None if the fit was interrupted before
    currents     injected current (T,) nA of each sweep
    voltages     voltage (T,) mV of the model in each sweep
    spikes       spike times (n,) ms of the model in each sweep
    data         recorded voltage (T,) mV of each sweep
    first        share of the bootstrap resamples of the judged sweeps in which this model is the best, see `certainty`
    tied         whether the judged sweeps cannot tell it from the first model; None with fewer than three sweeps
    sensitivity  searched parameter -> (low, high) between which it alone can change before the loss grows by a tenth
    searched     searched parameter -> (low, high) between which it was searched
    model_source  the file or module of a user's own model, see `hw.models.model_source`
    task         recording and split that it was fitted to, for `plot`; None if it was loaded from a file
    arithmetic   "float64" if the candidates were simulated without number formats; then `codes` are the nearest to `params`

    words        word -> training score with these parameters at this word, and in "float64"; empty in a fit without a target
    takes        what it takes of the target, estimated: "one" neuron, and "many", as many as the board holds, see
                 `boards.estimates.Estimate`; None in a fit without a target

    The properties `masked_rmse`, `spike_timing_error`, `combined_score` and `gamma` are scores on held-out data, or on
    training data if nothing was held out; `rmse` is over the whole recording. A result loaded from a file has no traces.
    """

    model_name: str
    settings: dict[str, Any]
    params: dict[str, float]
    codes: dict[str, int]
    initial: list[dict[str, int]]
    word: int
    dt: float
    i_span: float
    train: Scores
    held_out: Scores | None
    ideal: dict[str, Scores | None]
    currents: list[np.ndarray] = field(default_factory=list)
    voltages: list[np.ndarray] = field(default_factory=list)
    spikes: list[np.ndarray] = field(default_factory=list)
    data: list[np.ndarray] = field(default_factory=list)
    stored_rmse: float | None = None
    first: float | None = None
    tied: bool | None = None
    sensitivity: dict[str, tuple[float, float]] = field(default_factory=dict)
    searched: dict[str, tuple[float, float]] = field(default_factory=dict)
    model_source: str | None = None
    arithmetic: str | None = None
    words: dict[str, float] = field(default_factory=dict)
    takes: dict[str, dict[str, Any] | None] | None = None
    task: "Task | None" = None

    @property
    def validated(self) -> bool:
        """Whether the model was judged on data to which it was not fitted."""
        return self.held_out is not None

    @property
    def judged(self) -> Scores:
        """The scores by which the model is ranked: on held-out data, or on training data if nothing was held out."""
        return self.held_out or self.train

    @property
    def judged_ideal(self) -> Scores | None:
        """The scores like `judged`, but of the same parameters in float64; None if they are not known."""
        return self.ideal["held_out" if self.validated else "train"]

    @property
    def rmse(self) -> float:
        """Root mean square, mV, of recorded minus simulated voltage over the whole recording, spikes included."""
        if self.stored_rmse is not None:
            return self.stored_rmse
        return float(np.sqrt(np.mean(np.square(np.concatenate(self.data) - np.concatenate(self.voltages)))))

    @property
    def masked_rmse(self) -> float | None:
        return self.judged.masked_rmse

    @property
    def spike_timing_error(self) -> float:
        return self.judged.spike_timing_error

    @property
    def combined_score(self) -> float:
        return self.judged.combined_score

    @property
    def gamma(self) -> float | None:
        return self.judged.gamma

    @property
    def formats(self) -> dict[str, str]:
        return self.datapath.formats

    @property
    def current(self) -> Any:
        """The injected current, nA, as resampled: (T,) if there is one sweep, else a list of arrays, one per sweep."""
        return self.currents[0] if len(self.currents) == 1 else self.currents

    @property
    def simulated_voltage(self) -> Any:
        """The voltage, mV, of the fixed-point model under `current`: (T,) if there is one sweep, else a list of arrays."""
        return self.voltages[0] if len(self.voltages) == 1 else self.voltages

    @property
    def model(self) -> type[Neuron]:
        """The class of the model, in the variant that was fitted.

        Raises UsageError for a user's own model that this process does not know yet: `FitResults.load` can name it.
        """
        return fitted_model(self.model_name, self.model_source).variant(**self.settings)

    @property
    def datapath(self) -> Datapath:
        """Its number formats and operations."""
        return datapath(self.model, self.word, self.dt, self.i_span)

    @public
    def create_model(self, sweep: int = 0) -> Neuron:
        """The fitted neuron in the state in which a sweep begins; `reset()` returns to this state."""
        if whole(sweep, "sweep") >= len(self.initial):
            raise UsageError(f"there is no sweep {sweep}: {len(self.initial)} were fitted, counted from 0.")
        return self.model(codes=self.codes, initial=self.initial[sweep], word=self.word, dt=self.dt, i_span=self.i_span)

    @public
    def verify(self, **options: Any) -> list[dict[str, Any]]:
        """Compare the hardware with the reference, see `spikefab.sim.verify.verify`. Raises MismatchError if they differ."""
        from spikefab.sim.verify import require_exact, verify

        current = self.currents[0] if self.currents else None
        checks = verify(self.create_model(), **{"current": current, **options})
        require_exact(checks)
        return checks

    @public
    def build(self, board: str, out_dir: str | Path = "build", **options: Any) -> Any:
        """Build a bitstream for a board, see `spikefab.boards.build.build`."""
        from spikefab.boards.build import build

        return build(self.create_model(), board, out_dir, **options)

    def to_verilog(self) -> str:
        """The text of a self-contained Verilog file, in which the codes of this neuron are the reset values."""
        from spikefab.hw.lowering.verilog import to_verilog

        return to_verilog(self.create_model())

    def plot(self) -> "Figure":
        """A matplotlib figure of this model on held-out sweeps, or on training sweeps if nothing was held out.

        Raises UsageError for results loaded from a file, which hold no traces.
        """
        return delegate("plot_result")(self)

    def parameters(self) -> ParameterTable:
        """The parameters as a list of dicts, shown as a table; see `ParameterTable`. The ranges are its `sensitivity`."""
        return ParameterTable.of(self.datapath.params, self.params, self.searched, self.sensitivity)

    def to_dict(self) -> dict[str, Any]:
        """The content of `result.json` for this model: numbers, names and None, without arrays and time stamps."""
        names = "model_name settings params codes formats initial word dt i_span rmse masked_rmse spike_timing_error"
        names += " combined_score gamma validated first tied"
        return {name: getattr(self, name) for name in names.split()} | {
            "train": self.train.to_dict(),
            "held_out": _plain(self.held_out),
            "ideal": {part: _plain(scores) for part, scores in self.ideal.items()},
            "sensitivity": {name: list(ends) for name, ends in self.sensitivity.items()},
            "searched": {name: list(ends) for name, ends in self.searched.items()},
            "scheme": self.model.scheme,
            **{name: x for name in ("model_source", "arithmetic", "takes") if (x := getattr(self, name)) is not None},
            **({"words": dict(self.words)} if self.words else {}),
        }

    def agrees(self, stored: Mapping[str, Any]) -> bool:
        """Whether a model in a file is one: its parameters, formats and states are those for which the codes stand in the
        hardware of this word, and its other entries follow from each other too.

        Parameters are compared to nine digits, because the last ones of a logarithm differ between machines. True too for a
        user's own model that this process does not know: nothing can be made of it before it is known.
        """
        try:
            model = fitted_model(self.model_name, self.model_source)
        except UsageError:
            return True
        try:
            dp = datapath(model.variant(**self.settings), self.word, self.dt, self.i_span)
        except UsageError:
            return False
        registers = ((self.codes, dp.coefficients), *((state, dp.states) for state in self.initial))
        if not self.initial or not all(_held(codes, known) for codes, known in registers):
            return False
        if [*self.params] != [*dp.params] or not set(self.searched) | set(self.sensitivity) <= set(dp.params):
            return False
        codes = np.array([*self.codes.values()])
        if self.arithmetic is None:
            exact = dp.dequantise(codes)
            same = all(math.isclose(x, exact[name], rel_tol=1e-9, abs_tol=1e-12) for name, x in self.params.items())
        else:
            same = np.array_equal(dp.quantise(self.params)[0], codes)
        return same and stored["formats"] == dp.formats and _repeats(stored, self.to_dict())

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> "FitResult":
        """A result from what `to_dict` returns. Raises ValueError if it is none, and Disagreement if
        its parts do not agree, see `agrees`.
        """
        if not conforms(d, Stored):
            raise ValueError("a model lacks an entry, or has one of another kind")
        names = "model_name settings params codes initial word dt i_span"
        given = {name: d[name] for name in names.split()} | {name: d.get(name) for name in ("first", "tied")}
        made = cls(
            **given,
            train=Scores.from_dict(d["train"]),
            held_out=_scores(d["held_out"]),
            ideal={part: _scores(d["ideal"][part]) for part in ("train", "held_out")},
            sensitivity={name: (low, high) for name, (low, high) in d.get("sensitivity", {}).items()},
            searched={name: (low, high) for name, (low, high) in d.get("searched", {}).items()},
            stored_rmse=d["rmse"],
            model_source=d.get("model_source"),
            arithmetic=d.get("arithmetic"),
            words=d.get("words", {}),
            takes=d.get("takes"),
        )
        if not made.agrees(d):
            raise Disagreement(f"the entries of {made.model_name} do not belong together")
        return made

    def __repr__(self) -> str:
        kind = "held-out" if self.validated else "training"
        return f"<FitResult {self.model_name}: {kind} score {self.combined_score:.3f}, rmse {self.rmse:.2f} mV>"

    def _repr_html_(self) -> str:
        return delegate("result_html")(self)


def _held(codes: Mapping[str, int], formats: Mapping[str, Q]) -> bool:
    """Whether these are codes of just these registers, each within its range."""
    return [*codes] == [*formats] and all(q.lo <= codes[name] <= q.hi for name, q in formats.items())


def _repeats(stored: Any, made: Any) -> bool:
    """Whether all that is stored is in what was made of it; an earlier version stored less."""
    if isinstance(stored, Mapping) and isinstance(made, Mapping):
        return all(name in made and _repeats(x, made[name]) for name, x in stored.items())
    if isinstance(stored, list) and isinstance(made, list | tuple):
        return len(stored) == len(made) and all(map(_repeats, stored, made))
    return bool(stored == made) and (type(stored) is type(made) or (_number(stored) and _number(made)))


def _number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


def _plain(scores: Scores | None) -> dict[str, Any] | None:
    return None if scores is None else scores.to_dict()


def _scores(content: dict[str, Any] | None) -> Scores | None:
    return None if content is None else Scores.from_dict(content)
