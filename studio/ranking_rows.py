"""The results of a fit in the form in which the page shows the ranking."""

from typing import TYPE_CHECKING, Any

from spikefab.fit.report.scale_words import scale_sentences

if TYPE_CHECKING:
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
        "params": [{k: v for k, v in p.items() if k != "bounds"} for p in r.parameters()],
    }
