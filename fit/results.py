"""What a fit returns: one result a model, ranked, each able to simulate, verify, build and export itself."""

import html
import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab.errors import FileError, ToolError
from spikefab.fit.features.recommend import outcome, recommend
from spikefab.hw.datapath import datapath
from spikefab.hw.models import get_model
from spikefab.hw.neuron import Neuron

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spikefab.fit.scoring.task import Task

SCHEMA = 2  # of result.json, see docs/result.md: 2 adds features and recommended

# What a table of the ranking shows: key of the scores, heading, digits.
COLUMNS = (
    ("timing", "timing", 3),
    ("count", "count", 3),
    ("masked_rmse", "masked rmse mV", 2),
    ("spike_timing_error", "spike timing ms", 2),
    ("gamma", "gamma", 2),
)
HEADS = ("", "model", "score", "training", "float64", *(heading for _, heading, _ in COLUMNS), "spikes")


@dataclass(eq=False, repr=False)
class FitResult:
    """One model, fitted.

    `settings` are the model's structural choices, such as the kinetics. `params` are physical values, exactly those that
    the integers `codes` stand for in `formats`. `train`, `held_out` and `ideal` (the same parameters in float64; None where
    the fit was interrupted before) hold the scores; `rmse` is over every sample of every sweep, so that re-simulating gives
    it; `masked_rmse`, `spike_timing_error`, `combined_score` and `gamma` are the held-out ones (the training ones where
    nothing was held out). `first` is the share of bootstrap resamples of the judged sweeps in which this model leads, `tied`
    whether it cannot be told from the first (`ranking.certainty`; None with fewer than three sweeps). `sensitivity`: of each
    parameter that was searched the (low, high) between which it alone can move before the training loss grows by a tenth;
    `searched`: the (low, high) between which it was searched.
    A result loaded from a file has no traces.
    """

    model_name: str
    settings: dict[str, Any]
    params: dict[str, float]
    codes: dict[str, int]
    initial: list[dict[str, int]]
    word: int
    dt: float
    i_span: float
    train: dict[str, Any]
    held_out: dict[str, Any] | None
    ideal: dict[str, Any]
    currents: list[np.ndarray] = field(default_factory=list)
    voltages: list[np.ndarray] = field(default_factory=list)
    spikes: list[np.ndarray] = field(default_factory=list)
    data: list[np.ndarray] = field(default_factory=list)
    stored_rmse: float | None = None
    first: float | None = None
    tied: bool | None = None
    sensitivity: dict[str, tuple[float, float]] = field(default_factory=dict)
    searched: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def validated(self) -> bool:
        """Whether it was judged on data that it had not seen."""
        return self.held_out is not None

    @property
    def judged(self) -> dict[str, Any]:
        """The scores it is ranked by: held-out, or training where nothing was held out."""
        return self.held_out or self.train

    @property
    def judged_ideal(self) -> dict[str, Any] | None:
        """The same scores of the same parameters in float64; None where they are not known."""
        return self.ideal["held_out" if self.validated else "train"]

    @property
    def rmse(self) -> float:
        """mV, over the whole recording, spikes and all."""
        if self.stored_rmse is not None:
            return self.stored_rmse
        return float(np.sqrt(np.mean(np.square(np.concatenate(self.data) - np.concatenate(self.voltages)))))

    @property
    def masked_rmse(self) -> float | None:
        return self.judged["masked_rmse"]

    @property
    def spike_timing_error(self) -> float:
        return self.judged["spike_timing_error"]

    @property
    def combined_score(self) -> float:
        return self.judged["combined_score"]

    @property
    def gamma(self) -> float | None:
        return self.judged["gamma"]

    @property
    def formats(self) -> dict[str, str]:
        return self._datapath.formats

    @property
    def current(self) -> Any:
        """nA, as resampled: (T,) for one sweep, else a list of one array a sweep."""
        return self.currents[0] if len(self.currents) == 1 else self.currents

    @property
    def simulated_voltage(self) -> Any:
        """mV, of the fixed-point model over `current`: (T,) for one sweep, else a list."""
        return self.voltages[0] if len(self.voltages) == 1 else self.voltages

    @property
    def model(self) -> type[Neuron]:
        """The class of the neuron, in the variant that was fitted."""
        return get_model(self.model_name).variant(**self.settings)

    @property
    def _datapath(self):
        return datapath(self.model, self.word, self.dt, self.i_span)

    def create_model(self, sweep: int = 0) -> Neuron:
        """The fitted neuron, in the state in which `sweep` begins; `reset()` returns to it."""
        return self.model(codes=self.codes, initial=self.initial[sweep], word=self.word, dt=self.dt, i_span=self.i_span)

    def verify(self, **options: Any) -> list[dict[str, Any]]:
        """Run the hardware against the reference (`spikefab.sim.verify.verify`); raises MismatchError if they differ."""
        from spikefab.sim.verify import require_exact, verify

        current = self.currents[0] if self.currents else None
        checks = verify(self.create_model(), **{"current": current, **options})
        require_exact(checks)
        return checks

    def build(self, board: str, out_dir: str | Path = "build", **options: Any) -> Any:
        """Synthesise, place, route and pack for a board (`spikefab.boards.build.build`)."""
        from spikefab.boards.build import build

        return build(self.create_model(), board, Path(out_dir), **options)

    def to_verilog(self) -> str:
        """One self-contained Verilog file with this neuron's codes as reset values."""
        from spikefab.hw.lowering.verilog import to_verilog

        return to_verilog(self.create_model())

    def parameters(self) -> list[dict[str, Any]]:
        """Its parameters: name, value, unit, meaning, bounds (low, high), free, at_bound, range (see `sensitivity`, or None).

        bounds are those between which it was searched; of one that was not, what the hardware takes. at_bound is true of one
        that was searched and lies within a hundredth of that range from an end, but not for 0: a refractory time or an
        adaptation of 0 is simply not there.
        """
        rows = []
        for name, p in self._datapath.params.items():
            value = self.params[name]
            lo, hi = self.searched.get(name, tuple(map(float, p.bounds)))
            ends = np.array([lo, value, hi])
            low, at, high = np.log(ends) if p.log and lo > 0 and value > 0 else ends
            near = name in self.searched and not 0.01 < (at - low) / (high - low) < 0.99
            rows.append(
                {
                    "name": name,
                    "value": value,
                    "unit": p.unit,
                    "meaning": p.doc,
                    "bounds": (lo, hi),
                    "free": p.free,
                    "at_bound": bool(near and value),
                    "range": self.sensitivity.get(name),
                }
            )
        return rows

    def to_dict(self) -> dict[str, Any]:
        """For `result.json`: numbers, names, None; no arrays, no time stamps."""
        names = "model_name settings params codes formats initial word dt i_span rmse masked_rmse spike_timing_error"
        names += " combined_score gamma validated first tied train held_out ideal"
        ranges = {name: list(ends) for name, ends in self.sensitivity.items()}
        return {name: getattr(self, name) for name in names.split()} | {
            "sensitivity": ranges,
            "searched": {name: list(ends) for name, ends in self.searched.items()},
            "scheme": self.model.scheme,
        }

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> "FitResult":
        names = "model_name settings params codes initial word dt i_span train held_out ideal"
        given = {name: d[name] for name in names.split()} | {name: d.get(name) for name in ("first", "tied")}
        ranges = {name: (low, high) for name, (low, high) in d.get("sensitivity", {}).items()}
        searched = {name: (low, high) for name, (low, high) in d.get("searched", {}).items()}
        return cls(**given, sensitivity=ranges, searched=searched, stored_rmse=d["rmse"])

    def __repr__(self) -> str:
        kind = "held-out" if self.validated else "training"
        return f"<FitResult {self.model_name}: {kind} score {self.combined_score:.3f}, rmse {self.rmse:.2f} mV>"


class FitResults(list[FitResult]):
    """Results in order of rank, with the task that they are about."""

    def __init__(self, task: "Task | None" = None, settings: dict[str, Any] | None = None):
        super().__init__()
        self.task = task
        self.settings = settings or {}
        self.input: dict[str, Any] | None = None if task is None else _about(task)
        self.interrupted = False
        self.evaluations: dict[str, int] = {}
        # far from the best after the first part of their budget: they did not get the rest
        self.ended_early: list[str] = []

    @property
    def tie(self) -> str | None:
        """In words, which models cannot be told from the first by the sweeps that they were judged on."""
        tied = [r.model_name.removesuffix("Neuron") for r in self if r.tied]
        if len(tied) < 2:
            return None
        return f"{', '.join(tied[:-1])} and {tied[-1]} cannot be told apart by these sweeps."

    @property
    def notes(self) -> list[str]:
        """What was said of the recording before it was fitted, one sentence each."""
        return (self.input or {}).get("notes", [])

    @property
    def best(self) -> FitResult:
        return self[0]

    @cached_property
    def features(self) -> dict[str, float]:
        """Features of the recording (`recording_features`); empty where there is no recording to look at."""
        if self.task is None:
            return {}
        from spikefab.fit.features.extract import recording_features

        return recording_features(self.task.recording, self.task.spikes)

    @cached_property
    def recommended(self) -> list[tuple[str, str]]:
        """The models that these features point at, (name, reason) each; see `recommend`."""
        return recommend(self.features) if self.features else []

    @property
    def outcome(self) -> str:
        """A sentence: where the recommended models came in the ranking."""
        return outcome(self.recommended, [r.model_name for r in self], [*self.evaluations])

    def to_dict(self) -> dict[str, Any]:
        """The content of `result.json`; a rerun with the same seed gives the same bytes."""
        return {
            "schema": SCHEMA,
            "results": [r.to_dict() for r in self],
            "input": self.input,
            "features": {name: x if math.isfinite(x) else None for name, x in self.features.items()},
            "recommended": {
                "models": [{"model": name, "reason": reason} for name, reason in self.recommended],
                "outcome": self.outcome,
            },
            "settings": self.settings,
            "evaluations": self.evaluations,
            "ended_early": self.ended_early,
            "interrupted": self.interrupted,
        }

    def to_dataframe(self) -> Any:
        """The ranking as a pandas DataFrame, one row a model, indexed by rank; raises ToolError without pandas.

        Columns: model, score (combined_score) and the scores that it is made of, as they were judged; train_score and
        ideal_score, on the training data and in float64; validated; spikes and evaluations. Units are in the names.
        """
        try:
            import pandas
        except ImportError:
            raise ToolError("to_dataframe needs pandas: pip install pandas.") from None
        rows = []
        for r in self:
            s, ideal = r.judged, r.judged_ideal or {}
            rows.append(
                {
                    "model": r.model_name,
                    "score": s["combined_score"],
                    "train_score": r.train["combined_score"],
                    "ideal_score": ideal.get("combined_score"),
                    "validated": r.validated,
                    "timing": s["timing"],
                    "count": s["count"],
                    "masked_rmse_mV": s["masked_rmse"],
                    "rmse_mV": r.rmse,
                    "spike_timing_error_ms": s["spike_timing_error"],
                    "gamma": s["gamma"],
                    "spikes_model": s["spikes_model"],
                    "spikes_data": s["spikes_data"],
                    "evaluations": self.evaluations.get(r.model_name),
                }
            )
        return pandas.DataFrame(rows, index=pandas.RangeIndex(1, len(rows) + 1, name="rank"))

    def plot(self) -> "Figure":
        """A matplotlib figure: the ranking, and the best model against the recording (unless loaded from a file, without
        traces). Raises UsageError where there are no results.
        """
        from spikefab.fit.report.plots import plot

        return plot(self)

    def report(self, path: str | Path) -> Path:
        """Write a self-contained HTML report; results that were loaded from a file give one without traces."""
        from spikefab.fit.report.report import write_report

        return write_report(self, path)

    def save(self, path: str | Path) -> Path:
        """Write `result.json`, to this file or into this folder, whole or not at all."""
        path = Path(path)
        path = path / "result.json" if path.is_dir() else path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(path.suffix + ".part")
        part.write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n")
        part.replace(path)
        return path

    @classmethod
    def load(cls, path: str | Path) -> "FitResults":
        """Results from `result.json` (or the folder that holds it), without traces."""
        path = Path(path)
        path = path / "result.json" if path.is_dir() else path
        try:
            content = json.loads(path.read_text())
            results = cls(settings=content["settings"])
            results.input, results.interrupted = content["input"], content["interrupted"]
            results.evaluations = content["evaluations"]
            # schema 1 had none of these
            results.ended_early = content.get("ended_early", [])
            features = content.get("features", {})
            results.features = {name: math.nan if x is None else x for name, x in features.items()}
            models = content.get("recommended", {}).get("models", [])
            results.recommended = [(m["model"], m["reason"]) for m in models]
            results.extend(FitResult.from_dict(d) for d in content["results"])
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FileError(f"{path} is not a result.json of spikefab fit.") from None
        return results

    def __repr__(self) -> str:
        if not self:
            return "<no results>"
        table = [HEADS, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = []
        for row in table:
            cells = [c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
            lines.append("  ".join(cells).rstrip())
        return "\n".join([*lines, self._basis(), *self.notes])

    def _repr_html_(self) -> str:
        """What a notebook shows: the ranking as a table."""
        if not self:
            return "<p>no results</p>"
        head = "".join(f"<th>{html.escape(name)}</th>" for name in HEADS)
        notes = "".join(f"<p>{html.escape(text)}</p>" for text in (self._basis(), *self.notes))
        rows = "".join(f"<tr>{''.join(f'<td>{html.escape(x)}</td>' for x in row)}</tr>" for row in self._rows())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{notes}"

    def _rows(self) -> list[tuple[str, ...]]:
        rows = []
        for rank, r in enumerate(self, 1):
            s, ideal = r.judged, r.judged_ideal or {}
            scores = (r.combined_score, r.train["combined_score"], ideal.get("combined_score"))
            values = [*(_text(x, 3) for x in scores), *(_text(s[key], digits) for key, _, digits in COLUMNS)]
            rows.append((f"{rank}.", r.model_name, *values, f"{s['spikes_model']}/{s['spikes_data']}"))
        return rows

    def _basis(self) -> str:
        on = "held-out data" if self.best.validated else "the data they were fitted to (not validated)"
        return f"Scores on {on}: 0 is perfect; spikes are the model's / the recording's."


def _text(x: float | None, digits: int) -> str:
    return "-" if x is None else f"{x:.{digits}f}"


def _about(task: "Task") -> dict[str, Any]:
    """What was fitted, for `result.json`."""
    recording = task.recording
    return {
        "source": Path(recording.source).name,
        "sha256": recording.sha256,
        "sweeps": len(recording.sweeps),
        "dt": recording.dt,
        "current_origin": recording.current_origin,
        "i_span": task.i_span,
        "split": task.split.how,
        "held_out": sorted({p.sweep for p in task.split.held_out} | {k for fold in task.folds for k in fold}),
        "notes": list(task.notes),
    }
