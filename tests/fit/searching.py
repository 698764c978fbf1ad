"""What the tests of the search share."""

from spikefab.fit.search.search import Search
from spikefab.sim.engine import FixedPoint


def search(dp, task, budget, seed=0, progress=None, **more):
    found = Search(FixedPoint(dp), task, budget=budget, seed=seed, **more)
    found.progress = progress
    found.run(budget)
    return found
