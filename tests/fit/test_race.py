"""The race of the models: who is stopped, and that nobody is who may still win."""

from dataclasses import dataclass

import numpy as np
import pytest

from spikefab.fit.search.race import FIRST, LATE, PROMISE, hopeful


@dataclass
class Runner:
    """A search: losses on each part of the data, evaluations so far, whether it has ended."""

    losses: list[float]
    evaluations: int = FIRST
    over: bool = False

    @property
    def loss(self):
        return float(np.mean(self.losses))

    def each(self):
        return np.array(self.losses)


def race(places=1, **losses):
    return hopeful({k: x if isinstance(x, Runner) else Runner(x) for k, x in losses.items()}, places)


def test_who_is_far_behind_on_every_part_is_out():
    assert race(a=[0.1] * 5, b=[0.9] * 5) == {"a"}
    assert race(2, a=[0.1] * 5, b=[0.9] * 5) == {"a", "b"}
    assert race(2, a=[0.1] * 5, b=[0.5] * 5, c=[0.9] * 5, d=[0.2] * 5) == {"a", "d"}


def test_what_a_search_may_still_gain_counts():
    falls_to = 1 - PROMISE / FIRST
    assert race(a=[0.1] * 5, b=[0.099 / falls_to] * 5) == {"a", "b"}
    assert race(a=[0.1] * 5, b=[0.101 / falls_to] * 5) == {"a"}
    assert race(a=[0.1] * 5, b=Runner([0.099 / falls_to] * 5, evaluations=4 * FIRST)) == {"a"}
    # one that has ended will not get better, and the one in front is not taken to either
    assert race(a=[0.1] * 5, b=Runner([0.11] * 5, over=True)) == {"a"}
    assert race(a=Runner([0.1] * 5, over=True), b=[0.11] * 5) == {"a", "b"}


def test_who_has_nearly_stopped_improving_late_is_out():
    def late(before, evaluations=LATE):
        runners = {"a": Runner([0.1] * 5, over=True), "b": Runner([0.11] * 5, evaluations)}
        return hopeful(runners, 1, {"b": before})

    assert late(0.1101) == {"a"}  # 0.1 % in its last lap: it will not fall by the 9 % that are missing
    assert late(0.115) == {"a", "b"}
    assert late(0.1101, evaluations=LATE - 1) == {"a", "b"}  # early on, a run may stand still before it falls
    assert hopeful({"a": Runner([0.1] * 5, over=True), "b": Runner([0.11] * 5, LATE)}, 1) == {"a", "b"}


def test_parts_that_disagree_leave_hope():
    """By its mean, b cannot win any more; but it is the better one on half of the parts, and in a seventh of the resamples."""
    falls_to = 1 - PROMISE / FIRST
    a = [0.1, 0.5] * 4
    assert race(a=a, b=[x / falls_to for x in (0.6, 0.1) * 4]) == {"a", "b"}
    assert race(a=a, b=[x / falls_to for x in (0.8, 0.1) * 4]) == {"a", "b"}
    assert race(a=a, b=[x / falls_to for x in (1.5, 0.1) * 4]) == {"a"}
    assert race(a=a, b=[x / falls_to for x in (0.21, 0.61) * 4]) == {"a"}


@pytest.mark.parametrize("seed", range(20))
def test_the_best_are_never_out(seed):
    rng = np.random.default_rng(seed)
    losses = rng.random((8, 6))
    runners = {
        str(k): Runner(list(x), int(rng.integers(100, 9000)), bool(rng.random() < 0.3)) for k, x in enumerate(losses)
    }
    order = [str(k) for k in np.argsort(losses.mean(axis=1))]
    for places in (1, 3, 8):
        assert set(order[:places]) <= hopeful(runners, places)


def test_nothing_is_simulated_when_all_have_ended():
    class Ended(Runner):
        def each(self):
            raise AssertionError("simulated")

    assert race(a=Ended([0.1], over=True), b=Ended([0.9], over=True)) == {"a", "b"}
