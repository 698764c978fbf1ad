"""Gives results that were loaded from a file their recording again, and the traces of each model with it."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab.errors import UsageError
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring.task import Task
from spikefab.sim.ahead import Ahead
from spikefab.sim.engine import Engine, FixedPoint

from .assess import assess, ideal_engine
from .result import FitResult

if TYPE_CHECKING:
    from .results import FitResults


def recall(
    results: "FitResults", recording: Recording | str | Path, notice: Callable[[str], None] | None = None
) -> None:
    """Fill in what a `result.json` does not hold: the task, and the traces of each model, which is simulated once more.

    recording  what was fitted; a path is read as it was then
    notice     called with one sentence before kernels are compiled

    Raises UsageError if it is another recording, or was read in another way.
    """
    about = results.input or {}
    source = about.get("source", "arrays")
    if not isinstance(recording, Recording):
        recording = read(recording, **_reading(about, Path(recording)))
    if recording.sha256 != about.get("sha256"):
        raise UsageError(f"{recording.source} is not the recording of these results, {source}: its content differs.")
    options = results.options
    task = Task.of(recording, options.step, options.held_out, options.weights, options.folds, anyway=True)
    found = [_engine(result, task) for result in results]
    with Ahead([engine for engine, _ in found], notice) as ahead:
        for result, (engine, row) in zip(results, found, strict=True):
            same = len(result.initial) == len(task.recording.sweeps) and result.i_span == task.i_span
            if same:
                ahead.ready(engine)
                made = assess(engine, task, row)
                pairs = [(made.train, result.train)]
                if made.held_out is not None and result.held_out is not None:
                    pairs.append((made.held_out, result.held_out))
                same = all(math.isclose(a.combined_score, b.combined_score, rel_tol=1e-6) for a, b in pairs)
            if not same and recording.sha256 is None:
                raise UsageError("these arrays are not those of the results: voltage, current or time step differ.")
            if not same:
                reading = ", ".join(f"{name}={x!r}" for name, x in (about.get("reading") or {}).items())
                raise UsageError(
                    f"{recording.source} is the recording of these results, but was read in another way: then it was with "
                    f"{reading or 'no options'}."
                )
            for name in ("currents", "voltages", "spikes", "data", "task"):
                setattr(result, name, getattr(made, name))
    results.task = task


def _reading(about: dict[str, Any], path: Path) -> dict[str, Any]:
    """The options with which the recording was read; the path of its current is stored relative to it."""
    options = dict(about.get("reading") or {})
    if "current" in options:
        options["current"] = path.absolute().parent / options["current"]
    return options


def _engine(result: FitResult, task: Task) -> tuple[Engine, np.ndarray]:
    """What simulated the candidates of the search, and the result as one of them, (coefficients,)."""
    if result.arithmetic is None:
        return FixedPoint(result.datapath), np.array([*result.codes.values()])
    engine = ideal_engine(result.datapath, task)
    return engine, engine.quantise(result.params)[0]
