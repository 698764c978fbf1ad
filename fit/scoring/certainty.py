"""How certain a ranking of models is, by bootstrap: the held-out sweeps are drawn again and again, with repetition."""

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000  # number of bootstrap resamples
FEWEST = 3  # number of sweeps below which there is no bootstrap, because all resamples would be nearly the same
# A model is tied with the first if it is at least as good as the first in this share of the resamples.
TIED = 0.05


def certainty(scores: NDArray[np.float64], seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """How certain it is that the first model is the best, from scores (models, sweeps); lower scores are better.

    The first row is the model with the lowest mean. Returns, for each model, the share (models,) of the bootstrap
    resamples in which it is the best, and whether it is tied with the first model (models,): at least as good in 5 % of
    the resamples. Each resample has the same sweeps for all models. Returns None if there are fewer than three sweeps.
    Source: Efron 1979, Ann. Statist. 7:1.
    """
    models, sweeps = scores.shape
    if sweeps < FEWEST:
        return None
    drawn = np.random.default_rng(seed).integers(0, sweeps, (DRAWS, sweeps))
    means = scores[:, drawn].mean(axis=2)
    first = np.bincount(np.argmin(means, axis=0), minlength=models) / DRAWS
    return first, np.mean(means <= means[0], axis=1) >= TIED
