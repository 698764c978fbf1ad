"""The race of the models of a fit: which of them are still searched, because they may come among the first."""

from collections.abc import Mapping

import numpy as np

from spikefab.fit.scoring.certainty import DRAWS

from .search import Search

FIRST = 3000  # evaluations that every model gets before the first comparison: fewer tell little about ten parameters
VARIANT = 2400  # evaluations of each variant of a model before the best is chosen: some of its first run, on all sweeps
LAP = 1000  # evaluations between two comparisons
PLACES = 3  # models that cannot come among so many first ones are stopped; fewer if fewer results are wanted
PROMISE = 500  # evaluations: after n, a search is expected to lower its loss by at most the share PROMISE / n of it
LATE = 4000  # evaluations after which the fall of the loss in the last lap limits what is expected of the rest as well:
SLOWING = 2.0  # to this multiple of that fall,
MARGIN = 0.03  # plus this share of the loss
CERTAIN = 0.9  # share of the bootstrap resamples in which a model must stay behind to be stopped


def hopeful(searches: Mapping[str, Search], places: int, before: Mapping[str, float] | None = None) -> set[str]:
    """The models that may still come among the first `places`, from their best losses so far on each part of the training data.

    `before` are the losses a lap ago, of the models that have run one.

    A model is out if it stays behind the model on the last of these places in CERTAIN of the bootstrap resamples of the parts,
    even if its own loss falls as far as can be expected, and that of the other no further. It is in if it is as good or better.
    """
    names = [*searches]
    if len(names) <= places or all(s.over for s in searches.values()):
        return set(names)
    each = np.array([searches[name].each() for name in names])
    best = np.array([_promise(search, (before or {}).get(name)) for name, search in searches.items()])
    last = each[np.argsort(each.mean(axis=1), kind="stable")[places - 1]]
    parts = each.shape[1]
    drawn = np.random.default_rng(0).integers(0, parts, (DRAWS, parts))
    behind = ((each * (1 - best)[:, None])[:, drawn].mean(axis=2) > last[drawn].mean(axis=1)).mean(axis=1)
    return {name for name, share in zip(names, behind, strict=True) if share < CERTAIN}


def _promise(search: Search, before: float | None) -> float:
    """The share of its loss by which a search may still lower it; `before` is its loss a lap ago."""
    if search.over:
        return 0.0
    promise = PROMISE / max(search.evaluations, PROMISE)
    if before is not None and search.evaluations >= LATE and search.loss > 0:
        promise = min(promise, SLOWING * max(0.0, before / search.loss - 1) + MARGIN)
    return promise
