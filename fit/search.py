"""The search of one model: a Sobol screen, CMA-ES from its best point, then again, closer, around the best so far."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from spikefab.hw.datapath import Datapath

from .loss import Loss
from .space import Freedom, Space, start
from .task import Task

SCREEN = 1024  # points of the Sobol screen
# One large population finds the same optimum from every seed where six of 16 points each ended in one of several; it
# also fills the kernel's lanes and threads.
POPULATION = 96
REFINE = 0.6  # share of the budget after which the search narrows around the best
SIGMA, SIGMA_REFINE = 0.2, 0.08


class Search:
    """One model's search, to be run in parts: `run` goes on where it stopped, with whatever `budget` then is.

    codes (coefficients,) of the best so far, its loss, and the evaluations spent.
    """

    def __init__(self, dp: Datapath, task: Task, *, budget: int, seed: int, freedom: Freedom | None = None):
        freedom = freedom or Freedom()
        self.dp, self.budget = dp, budget
        self.progress: Callable[[int, float], None] | None = None
        self._constants = start(dp, task.measured) | {n: v for n, v in freedom.fixed.items() if n in dp.params}
        self._score = Loss(dp, task)
        names = freedom.searched(dp.params)
        self._space = Space.of(dp, names, task.measured, self._constants, freedom.bounds)
        self.codes = self._space.codes(self._space.point(self._constants))[0]
        self.loss = np.inf
        self._rounds = self._search(seed)

    @property
    def evaluations(self) -> int:
        return self._score.evaluations

    def run(self, until: int) -> None:
        """Go on until so many evaluations are spent in all, or the budget is."""
        while self.evaluations < min(until, self.budget) and next(self._rounds, None) is not None:
            pass

    def _evaluate(self, x: np.ndarray) -> np.ndarray:
        codes = self._score.read_out(self._space.codes(x))
        values = self._score(codes)
        best = int(np.argmin(values))
        if values[best] < self.loss:
            self.codes, self.loss = codes[best], float(values[best])
        if self.progress is not None:
            self.progress(self.evaluations, self.loss)
        return values

    def _search(self, seed: int) -> Iterator[bool]:
        points = min(SCREEN, self.budget, max(64, self.budget // 4))
        x = _screened(self._space, self._constants, points, seed)
        values = []
        for part in np.array_split(x, max(1, points // 256)):
            values.append(self._evaluate(part))
            yield True
        order = np.argsort(np.concatenate(values), kind="stable")
        wide, narrow = (lambda: int(REFINE * self.budget)), (lambda: self.budget)
        yield from self._evolve(x[order[0]], float(np.concatenate(values)[order[0]]), SIGMA, wide, seed)
        best = self._space.point({n: float(v) for n, v in self.dp.dequantise(self.codes).items()})
        yield from self._evolve(best, np.inf, SIGMA_REFINE, narrow, seed + 1)

    def _evolve(
        self, point: np.ndarray, lowest: float, sigma: float, until: Callable[[], int], seed: int
    ) -> Iterator[bool]:
        """CMA-ES with margin from a point, again from the best so far when it has converged, until so much is spent."""
        from cmaes import CMAwM

        cube = np.tile([0.0, 1.0], (len(self._space.names), 1))
        born, run = 0, None
        while (left := until() - self.evaluations) > 0:
            if run is None or run.should_stop():
                born += 1
                # a mean on a side of the cube would make CMA-ES resample without end
                run = CMAwM(
                    np.clip(point, 0.02, 0.98),
                    sigma if born == 1 else sigma / 2,
                    cube,
                    self._space.steps,
                    seed=1000 * seed + born,
                    population_size=POPULATION,
                )
            asked = [run.ask() for _ in range(POPULATION)]
            values = self._evaluate(np.array([scored for scored, _ in asked[:left]]))
            yield True
            if len(values) < POPULATION:
                return
            run.tell([(told, value) for (_, told), value in zip(asked, values, strict=True)])
            if values.min() < lowest:
                point, lowest = asked[int(np.argmin(values))][0], values.min()


def _screened(space: Space, constants: dict[str, float], points: int, seed: int) -> np.ndarray:
    """Points of the cube. Half of them believe the measured constants.

    Neither alone will do: where the measured reset or refractory time is right, few points of the whole cube come near
    it, and where it is wrong, no point that believes it leads to the best fit.
    """
    from scipy.stats import qmc

    with warnings.catch_warnings():  # a number of points that is no power of two is meant
        warnings.simplefilter("ignore", UserWarning)
        x = qmc.Sobol(len(space.names), scramble=True, seed=seed).random(points)
    measured = [k for k, n in enumerate(space.names) if not space.dp.params[n].free]
    x[::2, measured] = space.point(constants)[measured]
    x[0] = space.point(constants)
    return x
