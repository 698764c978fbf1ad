"""How sure a ranking is: the held-out sweeps drawn again, with repetition."""

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
FEWEST = 3  # sweeps: of fewer, every resample is much the same
TIED = 0.05  # share of resamples in which a model is at least as good as the first


def certainty(scores: NDArray[np.float64], seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """For scores (models, sweeps), lower is better, the first model's mean the lowest: the share (models,) of bootstrap
    resamples of the sweeps in which each is first, and whether each is tied with the first: as good in 5 % of them. Paired:
    all models meet the same sweeps. None for fewer than three sweeps. Source: Efron 1979, Ann. Statist. 7:1.
    """
    models, sweeps = scores.shape
    if sweeps < FEWEST:
        return None
    drawn = np.random.default_rng(seed).integers(0, sweeps, (DRAWS, sweeps))
    means = scores[:, drawn].mean(axis=2)
    first = np.bincount(np.argmin(means, axis=0), minlength=models) / DRAWS
    return first, np.mean(means <= means[0], axis=1) >= TIED
