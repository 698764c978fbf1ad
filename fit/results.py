"""The class `FitResults`, which a fit returns: the results of all models, ranked, and their JSON. Views are in `report`."""

import math
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from spikefab.calls import path_of, public
from spikefab.delegates import delegate
from spikefab.errors import FileError, UsageError, readable
from spikefab.files import finish, unwritable, write_json
from spikefab.fit.features.recommend import outcome, recommend
from spikefab.fit.scoring.scale import Scale
from spikefab.hw.models import resolve_models
from spikefab.shapes import conforms, load_json

from .options import FitOptions
from .result import Disagreement, FitResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spikefab.fit.recordings.recording import Recording
    from spikefab.fit.scoring.task import Task

# Version of the layout of result.json, see docs/result.md. Version 2 added features and recommended; version 3 scale, and in
# the scores voltage, pattern, timing_weight and timing_term.
SCHEMA = 3


class _Settings(TypedDict):
    """The settings that are read again; the others are checked by `FitOptions.from_dict`."""

    word: int | None
    weights: NotRequired[tuple[float, float, float]]


class _Input(TypedDict):
    source: str
    sha256: str | None
    sweeps: int
    dt: float
    reading: NotRequired[dict[str, str | int | float | bool | list[int] | None] | None]
    current_origin: str
    i_span: float
    split: str
    held_out: list[int]
    notes: list[str]


class _Recommended(TypedDict):
    models: list[dict[str, str]]
    outcome: str


class Stored(TypedDict):
    """The content of `result.json`: what is read of it, see docs/result.md."""

    schema: int
    results: list[dict[str, Any]]
    input: _Input | None
    scale: NotRequired[Scale | None]
    features: NotRequired[dict[str, float | None]]
    recommended: NotRequired[_Recommended]
    settings: _Settings
    evaluations: dict[str, int]
    ended_early: NotRequired[list[str]]
    interrupted: bool


class FitResults(list[FitResult]):
    """The results of a fit in the order of their rank, with the task (recording and split) that was fitted.

    `print` writes the ranking as a table, a notebook shows it as one, and `plot` draws it.
    """

    def __init__(self, task: "Task | None" = None, settings: dict[str, Any] | None = None):
        super().__init__()
        self.task = task
        self.settings = settings or {}
        self.input: dict[str, Any] | None = None if task is None else _about(task)
        self.interrupted = False
        self.evaluations: dict[str, int] = {}
        # models that were stopped early, because they could not come among the first ones
        self.ended_early: list[str] = []

    @cached_property
    def options(self) -> FitOptions:
        """The options of the fit, from `settings`. Raises UsageError if one of the models is not known on this machine."""
        return FitOptions.from_dict(self.settings)

    @property
    def tie(self) -> str | None:
        """In words, which models the judged sweeps cannot tell from the first; None if there are none."""
        tied = [r.model_name.removesuffix("Neuron") for r in self if r.tied]
        if len(tied) < 2:
            return None
        return f"{', '.join(tied[:-1])} and {tied[-1]} cannot be told apart by these sweeps."

    @property
    def notes(self) -> list[str]:
        """The notices about the recording, one sentence each."""
        return (self.input or {}).get("notes", [])

    @property
    def best(self) -> FitResult:
        """The first result. Raises UsageError if there is none."""
        if not self:
            raise UsageError("there are no results: no model was fitted.")
        return self[0]

    @cached_property
    def features(self) -> dict[str, float]:
        """Features of the recording with its own sample step, see `recording_features`; empty for results from a file
        without them.
        """
        if self.task is None:
            return {}
        from spikefab.fit.features.extract import recording_features

        return recording_features(self.task.recorded)

    @cached_property
    def scale(self) -> Scale | None:
        """Floor and ceiling of the scores by which the models are ranked; None for results from a file without them."""
        if self.task is None:
            return None
        from spikefab.fit.scoring.scale import scale

        return scale(self.task)

    @cached_property
    def recommended(self) -> list[tuple[str, str]]:
        """The models recommended for these features, as (name, reason); see `recommend`."""
        return recommend(self.features) if self.features else []

    @property
    def outcome(self) -> str:
        """A sentence that tells the ranks of the recommended models."""
        return outcome(self.recommended, [r.model_name for r in self], [*self.evaluations])

    def to_dict(self) -> dict[str, Any]:
        """The content of `result.json`. The same fit with the same seed gives the same bytes."""
        return {
            "schema": SCHEMA,
            "results": [r.to_dict() for r in self],
            "input": self.input,
            "scale": None if self.scale is None else self.scale.to_dict(),
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
        """The ranking as a pandas DataFrame with one row per model, indexed by rank. Raises ToolError without pandas.

        Columns: model; score (the combined score) and the scores from which it is made; train_score, on training data;
        ideal_score, in float64; validated; numbers of spikes and evaluations. Units are in the names.
        """
        return delegate("ranking_frame")(self)

    @public
    def plot(self) -> "Figure":
        """A matplotlib figure with the ranking and the best model against the recording.

        Results loaded from a file have no traces and show only the ranking. Raises UsageError if there are no results.
        """
        return delegate("plot")(self)

    @public
    def report(self, path: str | Path) -> Path:
        """Write a self-contained HTML report. Results loaded from a file give one without traces."""
        return delegate("report")(self, path)

    def pareto(self, board: str | Path, notice: Callable[[str], None] | None = None) -> Any:
        """What the score of each model costs on a board, at each word and in each form: a `fit.pareto.Pareto`.

        Results loaded from a file need their recording, see `load`.
        """
        return delegate("pareto")(self, board, notice)

    @public
    def save(self, path: str | Path) -> Path:
        """Write `result.json` to this file, or into this folder. The file is complete or not written at all.

        Raises FileError if it cannot be written.
        """
        path = path_of(path, "save")
        path = path / "result.json" if path.is_dir() else path
        try:
            write_json(path, self.to_dict())
        except OSError as error:
            raise unwritable(path, error) from None
        return path

    @classmethod
    @public
    def load(
        cls,
        path: str | Path,
        models: Any = None,
        recording: "Recording | str | Path | None" = None,
        notice: Callable[[str], None] | None = None,
    ) -> "FitResults":
        """Results from a `result.json`, or from the folder that holds it.

        models     classes, or `file.py:Class`, of a user's own models. No file is run because a result names it
        recording  what was fitted, or its path: then they have traces as after the fit, for `plot`, `report` and `pareto`
        notice     called with one sentence before kernels are compiled for them

        Raises FileError for the file, UsageError if the recording is another one.
        """
        if models is not None:
            resolve_models(models)
        path = path_of(path, "load")
        path = path / "result.json" if path.is_dir() else path
        try:
            finish(path.parent)
            content = load_json(path)
            if not conforms(content, Stored):
                raise ValueError("an entry is missing, or is of another kind")
            if content["schema"] > SCHEMA:
                raise FileError(f"{path} was written by a later version of spikefab: install that one.")
            results = cls(settings=content["settings"])
            results.input, results.interrupted = content["input"], content["interrupted"]
            results.evaluations = content["evaluations"]
            # files of schema 1 have none of the following, files of schema 2 no scale
            results.scale = Scale.from_dict(content["scale"]) if content.get("scale") else None
            results.ended_early = content.get("ended_early", [])
            features = content.get("features", {})
            results.features = {name: math.nan if x is None else x for name, x in features.items()}
            models = content.get("recommended", {}).get("models", [])
            results.recommended = [(m["model"], m["reason"]) for m in models]
            results.extend(FitResult.from_dict(d) for d in content["results"])
        except Disagreement as error:
            raise FileError(f"{path} was changed after it was written: {error}. Fit again.") from None
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FileError(f"{path} is not a result.json of spikefab fit, or is damaged.") from None
        if recording is not None:
            delegate("recall")(results, recording, notice)
        return results

    def __str__(self) -> str:
        return delegate("ranking_text")(self)

    def __repr__(self) -> str:
        source = (self.input or {}).get("source", "arrays")
        first = ", ".join(f"{r.model_name} {r.combined_score:.3f}" for r in self[:3])
        more = f" and {len(self) - 3} more" if len(self) > 3 else ""
        return f"<FitResults of {source}: {first or 'none'}{more}>"

    def _repr_html_(self) -> str:
        """The ranking as an HTML table, which notebooks show."""
        return delegate("ranking_html")(self)


def _about(task: "Task") -> dict[str, Any]:
    """The entry `input` of `result.json`: what was fitted."""
    recording = task.recording
    return {
        "source": readable(Path(recording.source).name),
        "sha256": recording.sha256,
        "sweeps": len(recording.sweeps),
        "dt": recording.dt,
        "reading": _reading(recording.source, task.recorded.reading),
        "current_origin": readable(recording.current_origin),
        "i_span": task.i_span,
        "split": task.split.how,
        "held_out": sorted({p.sweep for p in task.split.held_out} | {k for fold in task.folds for k in fold}),
        "notes": [readable(note) for note in task.notes],
    }


def _reading(source: str, reading: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The options of `read` for JSON. The path of a current's file is relative to the recording, so that no result depends on
    the folders of a machine.
    """
    if reading is None or "current" not in reading:
        return None if reading is None else dict(reading)
    current = Path(reading["current"]).absolute()
    with suppress(ValueError):  # raised if the file is on another drive
        current = Path(os.path.relpath(current, Path(source).absolute().parent))
    return {**reading, "current": current.as_posix()}
