"""The resting potential of models whose net current has to be solved for it."""

import numpy as np
import pytest

from spikefab.hw.gates import at_rest


@pytest.mark.parametrize("shape", [(), (200,), (20, 7)])
def test_the_lowest_fall_through_zero_is_found_wherever_it_is(shape):
    """A current that falls through zero twice, rising between, at potentials up to 120 mV above the lowest."""
    rng = np.random.default_rng(0)
    lowest = rng.uniform(-90, -60, shape)
    first = lowest + rng.uniform(-19, 110, shape)
    found = at_rest(lambda V: -(V - first) * (V - first - 3) * (V - first - 6), lambda V: {"g": V + 1}, lowest)
    assert found["V"] == pytest.approx(first, abs=1e-6)
    assert np.array_equal(found["g"], found["V"] + 1) and np.all(found["armed"] == 1)


def test_a_current_that_never_falls_through_zero_gives_a_potential_in_the_range():
    lowest = np.array([-80.0, -70.0, -60.0])
    found = at_rest(lambda V: np.ones_like(V), lambda V: {}, lowest)
    assert np.all((found["V"] > lowest) & (found["V"] < lowest + 120))
