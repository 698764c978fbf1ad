"""The results of a fit in the form in which the page shows the ranking."""

from typing import TYPE_CHECKING, Any

from spikefab.fit.report.scale_words import scale_sentences

if TYPE_CHECKING:
    from spikefab.fit.options import FitOptions
    from spikefab.fit.recordings.recording import Recording
    from spikefab.fit.results import FitResult, FitResults

SCORES = ("voltage", "timing_term", "timing", "count", "masked_rmse", "gamma", "spikes_model", "spikes_data")


def ranking(results: "FitResults") -> dict[str, Any]:
    return {
        "rows": [_row(rank, r) for rank, r in enumerate(results, 1)],
        "how": results.task.split.how if results.task else "",
        "tie": results.tie,
        "outcome": results.outcome,
        "ended_early": results.ended_early,
        "interrupted": results.interrupted,
        "validated": results.best.validated,
        "scale": None if results.scale is None else results.scale.marks(),
        "scale_sentences": scale_sentences(results),
    }


def split_rows(recording: "Recording", options: "FitOptions") -> dict[str, Any]:
    """Which parts of a recording a fit will hold out, in ms of each sweep.

    With folds, no part is held out of the search that gives the parameters. Raises RecordingError if it cannot be fitted.
    """
    from spikefab.fit.scoring.task import Task

    task = Task.of(recording, options.step, options.held_out, options.weights, options.folds, options.anyway)
    held = [{"sweep": p.sweep, "start": p.start * task.dt, "stop": p.stop * task.dt} for p in task.split.held_out]
    return {"held_out": held, "how": task.split.how}


def _row(rank: int, r: "FitResult") -> dict[str, Any]:
    ideal = r.judged_ideal
    return {
        "rank": rank,
        "model": r.model_name,
        "settings": r.settings,
        "combined_score": r.combined_score,
        "training": r.train.combined_score,
        "float64": ideal.combined_score if ideal else None,
        **{name: getattr(r.judged, name) for name in SCORES},
        "tied": r.tied,
        "word": r.word,
        "dt": r.dt,
        "i_span": r.i_span,
        "codes": r.codes,
        "params": r.parameters(),
    }
