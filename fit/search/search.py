"""The search of one model: a Sobol screen, CMA-ES from its best points, again, closer, around the best so far, then moves
of single codes. Where there is much to train on, the first two see only a part of it."""

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from spikefab.fit.freedom import Freedom
from spikefab.fit.scoring.task import Task
from spikefab.sim.engine import Engine

from .journal import Journal
from .loss import Loss
from .space import Space, start

SCREEN = 1024  # points of the Sobol screen
# One large population finds the same optimum from every seed where six of 16 points each ended in one of several; it
# also fills the kernel's lanes and threads.
POPULATION = 96
STALLED, GAIN = 1000, 0.99  # evaluations in which a run must come below this share of its loss, or another begins
NEXT = 64  # screened points of which the next run begins at the one farthest from those before
REFINE = 0.6  # share of the budget after which the search narrows around the best,
POLISH = 0.95  # and after which it moves single codes
SIGMA, SIGMA_REFINE = 0.2, 0.08
MOVES = (1, -1, 4, -4, 16, -16, 64, -64, 256, -256)  # codes
STRIDES, GROWN = 0.5 ** np.arange(10, 0.5, -0.5), 1.1  # of the unit cube; see `sensitivity`


class Search:
    """One model's search, to be run in parts: `run` goes on where it stopped, with whatever `budget` then is.

    codes: the row (coefficients,) of the best so far: codes, if the engine is fixed point. evaluations: how many are spent.
    loss: of this row over all that is trained on, once `run` has returned; lowest: the same over what the search is looking
    at. journal: a folder; a search that is in it is repeated from there.
    """

    def __init__(
        self,
        engine: Engine,
        task: Task,
        *,
        budget: int,
        seed: int,
        freedom: Freedom | None = None,
        journal: Path | None = None,
    ):
        freedom = freedom or Freedom()
        self.engine, self.budget = engine, budget
        dp = engine.dp
        self.progress: Callable[[int, float], None] | None = None
        self._constants = start(dp, task.measured) | {n: v for n, v in freedom.fixed.items() if n in dp.params}
        short = task.shortened()
        self._whole = Loss(engine, task)
        self._score = self._whole if short is task else Loss(engine, short)
        self._journal: Journal | None = None
        if journal is not None:
            lossy = hashlib.blake2b(self._whole.digest() + self._score.digest(), digest_size=12).hexdigest()
            self._journal = Journal(journal / f"{dp.model.__name__}-{lossy}-{seed}.losses")
        names = freedom.searched(dp.model.__name__, dp.params)
        self._space = Space.of(engine, names, task.measured, self._constants, freedom.bounds)
        self.codes = self._space.codes(self._space.point(self._constants))[0]
        self.loss = self.lowest = np.inf
        self.evaluations = 0
        self._leading, self._losses = self.codes[:0].reshape(0, len(self.codes)), np.empty(0)
        self._rounds = self._search(seed)

    def run(self, until: int) -> None:
        """Go on until so many evaluations are spent in all, or the budget is."""
        try:
            while self.evaluations < min(until, self.budget) and next(self._rounds, None) is not None:
                pass
        finally:  # also when it is interrupted: models are compared by all that they were trained on
            self.loss = self.lowest
            if self._score is not self._whole and self.evaluations:
                self.loss = float(self._whole(self._whole.read_out(self.codes[None]))[0])

    def searched(self, params: Mapping[str, float]) -> dict[str, tuple[float, float]]:
        """(lo, hi) between which each parameter was searched, beside these values of the others."""
        return self._space.box(params)

    def sensitivity(self) -> dict[str, tuple[float, float]]:
        """(low, high) of each searched parameter between which, from the best, it alone can move before the loss grows by a
        tenth."""
        there = self._point(self.codes)
        away = np.concatenate([-STRIDES[::-1], [0.0], STRIDES])
        points = np.repeat(there[None], len(there) * len(away), axis=0)
        points[np.arange(len(points)), np.repeat(np.arange(len(there)), len(away))] += np.tile(away, len(there))
        points = np.clip(points, 0, 1)
        losses = self._whole(self._whole.read_out(self._space.codes(points))).reshape(len(there), -1)
        physical = self._space.physical(points)
        found, middle = {}, len(STRIDES)
        for k, name in enumerate(self._space.names):
            values = physical[name].reshape(len(there), -1)[k]
            bad = losses[k] > GROWN * losses[k, middle]
            low = middle - int(np.argmax(np.append(bad[:middle][::-1], True)))
            high = middle + int(np.argmax(np.append(bad[middle + 1 :], True)))
            found[name] = (float(values[low]), float(values[high]))
        return found

    def _evaluate(self, x: np.ndarray) -> np.ndarray:
        return self._try(self._space.codes(x))

    def _try(self, codes: np.ndarray) -> np.ndarray:
        codes, values = self._scored(codes)
        self.evaluations += len(codes)
        best = int(np.argmin(values))
        if values[best] < self.lowest:
            self.codes, self.lowest = codes[best], float(values[best])
        if self._score is not self._whole:
            leading, losses = np.concatenate([self._leading, codes]), np.concatenate([self._losses, values])
            first = np.argsort(losses, kind="stable")[:POPULATION]
            self._leading, self._losses = leading[first], losses[first]
        if self.progress is not None:
            self.progress(self.evaluations, self.lowest)
        return values

    def _scored(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes with their read-out solved, and their losses: from the journal, where it has them."""
        solved = self._whole.solved
        kept = None if self._journal is None else self._journal.find(codes)
        if kept is not None:
            codes = codes.copy()
            codes[:, solved] = kept[:, 1:]
            return codes, kept[:, 0]
        done = self._score.read_out(codes)
        values = self._score(done)
        if self._journal is not None:
            self._journal.keep(codes, np.column_stack([values, done[:, solved]]))
        return done, values

    def _search(self, seed: int) -> Iterator[bool]:
        points = min(SCREEN, self.budget, max(64, self.budget // 4))
        x = _screened(self._space, self._constants, points, seed)
        found = []
        for part in np.array_split(x, max(1, points // 256)):
            found.append(self._evaluate(part))
            yield True
        order = np.argsort(np.concatenate(found), kind="stable")
        yield from self._wide(x[order], lambda: int(REFINE * self.budget), seed)
        if self._score is not self._whole and self.evaluations < self.budget:
            self._score, self.lowest = self._whole, np.inf
            self._try(self._leading[: self.budget - self.evaluations])
            yield True
        yield from self._narrow(self._point(self.codes), lambda: int(POLISH * self.budget), seed + 1)
        yield from self._polish()
        yield from self._narrow(self._point(self.codes), lambda: self.budget, seed + 2)

    def _point(self, codes: np.ndarray) -> np.ndarray:
        return self._space.point({n: float(v) for n, v in self.engine.dequantise(codes).items()})

    def _generations(
        self, point: np.ndarray, sigma: float, until: Callable[[], int], seed: int
    ) -> Iterator[tuple[np.ndarray, float]]:
        """CMA-ES with margin from a point until it has converged or so much is spent: each generation's best and its loss."""
        from cmaes import CMAwM

        cube = np.tile([0.0, 1.0], (len(self._space.names), 1))
        # a mean on a side of the cube would make CMA-ES resample without end
        run = CMAwM(np.clip(point, 0.02, 0.98), sigma, cube, self._space.steps, seed=seed, population_size=POPULATION)
        while (left := until() - self.evaluations) > 0 and not run.should_stop():
            asked = [run.ask() for _ in range(POPULATION)]
            values = self._evaluate(np.array([scored for scored, _ in asked[:left]]))
            best = int(np.argmin(values))
            yield asked[best][0], float(values[best])
            if len(values) == POPULATION:
                run.tell([(told, value) for (_, told), value in zip(asked, values, strict=True)])

    def _wide(self, points: np.ndarray, until: Callable[[], int], seed: int) -> Iterator[bool]:
        """Runs from several of the screened points (best first): each until it stalls."""
        born, begun = 0, points[:1]
        while until() > self.evaluations:
            born += 1
            lowest, since = np.inf, self.evaluations
            for _, loss in self._generations(begun[-1], SIGMA, until, 1000 * seed + born):
                yield True
                if loss < GAIN * lowest:
                    lowest, since = loss, self.evaluations
                elif self.evaluations - since >= STALLED:
                    break
            among = points[:NEXT]
            apart = np.linalg.norm(among[:, None] - begun[None], axis=2).min(axis=1)
            begun = np.concatenate([begun, among[[np.argmax(apart)]]])

    def _narrow(self, point: np.ndarray, until: Callable[[], int], seed: int) -> Iterator[bool]:
        """Runs around the best, each from where the last one ended."""
        born, lowest = 0, np.inf
        while until() > self.evaluations:
            born += 1
            sigma = SIGMA_REFINE if born == 1 else SIGMA_REFINE / 2
            for at, loss in self._generations(point, sigma, until, 1000 * seed + born):
                yield True
                if loss < lowest:
                    point, lowest = at, loss

    def _polish(self) -> Iterator[bool]:
        """The best with one code moved, as long as that helps."""
        free = self._space.moved()
        while (left := self.budget - self.evaluations) > 0:
            before, near = self.lowest, np.repeat(self.codes[None], len(free) * len(MOVES), axis=0)
            moved = np.repeat(free, len(MOVES))
            near[np.arange(len(near)), moved] += np.tile(MOVES, len(free)) * self.engine.moves[moved]
            near = near[self._space.holds(near, self.codes)][:left]
            if not len(near):
                return
            self._try(near)
            yield True
            if self.lowest == before:
                return


def _screened(space: Space, constants: dict[str, float], points: int, seed: int) -> np.ndarray:
    """Points of the cube. Half of them believe the measured constants.

    Neither alone will do: where the measured reset or refractory time is right, few points of the whole cube come near
    it, and where it is wrong, no point that believes it leads to the best fit.
    """
    from scipy.stats import qmc

    with warnings.catch_warnings():  # a number of points that is no power of two is meant
        warnings.simplefilter("ignore", UserWarning)
        x = qmc.Sobol(len(space.names), scramble=True, seed=seed).random(points)
    measured = [k for k, n in enumerate(space.names) if not space.engine.params[n].free]
    x[::2, measured] = space.point(constants)[measured]
    x[0] = space.point(constants)
    return x
