"""What a fit returns: a result for each model, ranked; data and JSON, whose views are in `report`."""

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikefab.delegates import delegate
from spikefab.errors import FileError
from spikefab.fit.features.recommend import outcome, recommend

from .options import FitOptions
from .result import FitResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spikefab.fit.scoring.task import Task

SCHEMA = 2  # of result.json, see docs/result.md: 2 adds features and recommended


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

    @cached_property
    def options(self) -> FitOptions:
        """What the fit was asked, from `settings`. Raises UsageError where one of its models is not known here."""
        return FitOptions.from_dict(self.settings)

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
        """Features of the recording (`recording_features`), at its own rate; empty where there is no recording to look at."""
        if self.task is None:
            return {}
        from spikefab.fit.features.extract import recording_features

        return recording_features(self.task.recorded)

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
        return delegate("ranking_frame")(self)

    def plot(self) -> "Figure":
        """A matplotlib figure: the ranking, and the best model against the recording (unless loaded from a file, without
        traces). Raises UsageError where there are no results.
        """
        return delegate("plot")(self)

    def report(self, path: str | Path) -> Path:
        """Write a self-contained HTML report; results that were loaded from a file give one without traces."""
        return delegate("report")(self, path)

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
        return delegate("ranking_text")(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the ranking as a table."""
        return delegate("ranking_html")(self)


def _about(task: "Task") -> dict[str, Any]:
    """What was fitted, for `result.json`."""
    recording = task.recording
    return {
        "source": Path(recording.source).name,
        "sha256": recording.sha256,
        "sweeps": len(recording.sweeps),
        "dt": recording.dt,
        "reading": _reading(recording.source, task.recorded.reading),
        "current_origin": recording.current_origin,
        "i_span": task.i_span,
        "split": task.split.how,
        "held_out": sorted({p.sweep for p in task.split.held_out} | {k for fold in task.folds for k in fold}),
        "notes": list(task.notes),
    }


def _reading(source: str, reading: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The options of `read` for JSON; a file of the current as seen from the recording's folder, on any machine the same."""
    if reading is None or "current" not in reading:
        return None if reading is None else dict(reading)
    current = Path(reading["current"]).absolute()
    with suppress(ValueError):  # of a file on another drive
        current = Path(os.path.relpath(current, Path(source).absolute().parent))
    return {**reading, "current": current.as_posix()}
