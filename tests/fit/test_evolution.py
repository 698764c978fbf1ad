"""Whole generations of CMA-ES against the package, one candidate at a time: the same numbers, bit for bit."""

import numpy as np
import pytest
from cmaes import CMAwM

from spikefab.fit.search.evolution import Evolution

POPULATION = 96


def landscape(kind: str, x: np.ndarray) -> np.ndarray:
    """Values (N,) of points (N, dimensions): a valley, or one whose best point lies beyond a corner, so that most is refused."""
    if kind == "corner":
        return np.sum((x - 3.0) ** 2, axis=1)
    return np.sum(100.0 ** np.linspace(0, 1, x.shape[1]) * (x - 0.3) ** 2, axis=1) + 0.01 * np.sin(40 * x).sum(axis=1)


@pytest.mark.parametrize("kind", ["valley", "corner"])
@pytest.mark.parametrize("steps", [(0.0,) * 2, (0.0,) * 7, (0.1, 0.0, 0.0, 0.03, 0.0), (0.5, 0.1)], ids=str)
@pytest.mark.parametrize("resampling", [100, 2])
def test_a_generation_is_what_the_package_samples(kind, steps, resampling):
    n = len(steps)
    arguments = (np.full(n, 0.4), 0.3, np.tile([0.0, 1.0], (n, 1)), np.array(steps), resampling)
    theirs = CMAwM(*arguments, seed=5, population_size=POPULATION)
    ours = Evolution(*arguments, seed=5, population_size=POPULATION)
    for generation in range(30):
        asked = [theirs.ask() for _ in range(POPULATION)]
        scored, told = ours.ask_all()
        assert np.array_equal(scored, [a for a, _ in asked]), generation
        assert np.array_equal(told, [b for _, b in asked]), generation
        assert np.all((scored >= 0) & (scored <= 1))
        values = landscape(kind, scored)
        theirs.tell([(b, float(v)) for (_, b), v in zip(asked, values, strict=True)])
        ours.tell_all(told, values)
        assert theirs.should_stop() == ours.should_stop()
        if ours.should_stop():
            break
    assert generation > 9
    assert np.array_equal(theirs._rng.randn(5), ours._rng.randn(5)), "as many random numbers were drawn"
