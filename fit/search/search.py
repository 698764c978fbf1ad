"""The search for the parameters of one model.

It has four stages: a screen of random (Sobol) points; runs of CMA-ES, an evolution strategy, from the best of them; narrower
runs around the best result so far; and changes of single codes. With more than 100,000 steps of training data, the screen and the
first 12 generations of each run of the second stage use only a part of them; with more than a million, so does the rest of that
stage. Where good fits of a model may lie on a ridge, it declares quantities along it (`hw.spec.Quantity.in_turn`), and every second
run of the second stage varies these in the place of their parameters.

With at most 50,000 steps of training data, a search spends its whole budget: where there are few spikes, each of them moves the
loss by a jump, and other starts and narrower runs go on finding better results; and an evaluation costs little. With more, it
ends when it has converged:
* A run of the second stage is abandoned when it has not lowered its loss by 1 % within 1,000 evaluations. One from another start
  is also abandoned when after 12 generations or more it is 5 % behind where the best run was after as many, or when its best
  point is worse than the best one and within 5 % of the searched range (rms) of it: it would end there. (This does not hold for
  the first run that varies quantities.) When a run from another start, far from those before, has not lowered the best loss by
  1 %, the third stage begins.
* The third stage is one run, which goes on where the best one was, now on all training data. It ends when the best loss has not
  fallen by 0.5 % within 700 evaluations. If the second stage has used all training data, there is no third: it finds nothing more.
* The fourth stage ends when no change of a code lowers the loss.
In all of these, a change of the loss by less than 0.0005 counts as none. Where the budget ends the second stage before, the third
and the fourth share what is left of it.
"""

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

SCREEN = 1024  # number of points of the Sobol screen, at most
# Population of CMA-ES. With one large population, all seeds find the same optimum; with six populations of 16, they found
# different ones. A large population also makes full use of the kernel's vector instructions and threads.
POPULATION = 96
STALLED = 1000  # evaluations: a CMA-ES run that has not improved its loss by 1 % (GAIN) within so many is abandoned
GAIN = 0.99  # factor to which the loss of a CMA-ES run must fall to count as an improvement
GROWN_UP = 12  # generations of a CMA-ES run before it is compared with the best run so far
SAME = 0.05  # distance, rms, as a share of the searched range, below which the best point of a run is where the best one is
BEHIND = 1.05  # factor by which the loss of a run may be above that of the best run after as many generations
SETTLED = 700  # evaluations: the third stage ends if the best loss has not fallen by 0.5 % (FINE) within so many
FINE = 0.995  # factor to which the best loss must fall in the third stage to count as an improvement
LITTLE = 50_000  # steps of training data up to which a search spends its whole budget
LEAST = 5e-4  # loss: a change by less, of which 0 is perfect and 1 is poor, is no improvement either
NEXT = 64  # number of best points of the screen among which the start of the next run is chosen
REFINE = 0.6  # share of the budget after which narrower CMA-ES runs start around the best result so far
POLISH = 0.95  # share of the budget after which the search changes single codes of the best result
SIGMA = 0.2  # initial standard deviation of a CMA-ES run, as a share of the searched range
SIGMA_REFINE = 0.08  # initial standard deviation of a narrower CMA-ES run, as a share of the searched range
WIDER = 2.0  # factor by which a run that goes on with other data begins wider than the run before was
MOVES = (1, -1, 4, -4, 16, -16, 64, -64, 256, -256)  # changes of a single code that are tried at the end of a search
# distances, as shares of the searched range, at which `sensitivity` tries a parameter
STRIDES = 0.5 ** np.arange(10, 0.5, -0.5)
GROWN = 1.1  # factor by which the loss may grow within the range that `sensitivity` returns


class Search:
    """The search of one model. It can be run in parts: `run` continues where the last call stopped; `budget` may be changed.

    codes        best candidate so far, a row (coefficients,) of the engine; codes, if the engine is fixed point
    evaluations  number of evaluations so far
    loss         loss of the best candidate over all training data; valid when `run` has returned
    over         whether it has converged or spent its budget, so that `run` does nothing more
    lowest       loss of the best candidate over the training data that the current stage uses
    journal      folder in which every loss is kept, so that a search that was killed can be repeated fast
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
        whole_budget: bool = False,
    ):
        """whole_budget  whether to spend the whole budget, even if the search has converged, and look at all sweeps in all runs"""
        freedom = freedom or Freedom()
        self.engine, self.budget, self._whole_budget = engine, budget, whole_budget
        dp = engine.dp
        self.progress: Callable[[int, float], None] | None = None
        self._constants = start(dp, task.measured) | {n: v for n, v in freedom.fixed.items() if n in dp.params}
        self._whole = Loss(engine, task)
        part, few = task.shortened(), task.thinned()
        self._part = self._whole if part is task else Loss(engine, part)
        self._whole_budget |= bool(self._whole.length.sum() <= LITTLE)
        self._few = self._score = screen = self._part if few is part else Loss(engine, few)
        self._journal: Journal | None = None
        if journal is not None:
            digests = b"".join(x.digest() for x in (screen, self._part, self._whole))
            lossy = hashlib.blake2b(digests, digest_size=12).hexdigest()
            self._journal = Journal(journal / f"{dp.model.__name__}-{lossy}-{seed}.losses")
        names = freedom.searched(dp.model.__name__, dp.params)
        spaces = [
            Space.of(engine, names, task.measured, self._constants, freedom.bounds, turned=turned)
            for turned in (False, True)
        ]
        self._space = spaces[0]
        # in which CMA-ES runs in turn
        self._spaces = spaces[: 1 + (spaces[0].quantities != spaces[1].quantities)]
        self.codes = self._space.codes(self._space.point(self._constants))[0]
        self.loss = self.lowest = np.inf
        self._found_in = self._space  # the space of the run that found `codes`,
        self._spread: tuple[float, np.ndarray] | None = None  # and its sigma and covariance then
        self._parts: np.ndarray | None = None  # losses of `codes` on each part of the training data, if they are known
        self.evaluations, self._settled, self._converged = 0, False, False
        self._leading, self._losses = self.codes[:0].reshape(0, len(self.codes)), np.empty(0)
        self._rounds = self._search(seed)

    @property
    def over(self) -> bool:
        return self._converged or self.evaluations >= self.budget

    def run(self, until: int) -> None:
        """Continue until `until` evaluations are spent, counted from the start of the search, or the budget is spent."""
        try:
            while self.evaluations < until and not self.over:
                self._converged = next(self._rounds, None) is None
        finally:  # also after an interruption, as models are compared by their loss over all training data
            self.loss = self.lowest
            if self._score is not self._whole and self.evaluations:
                self.loss = float(self.each().mean())

    def each(self) -> np.ndarray:
        """The losses (parts,) of the best candidate on each part of the training data; their mean is `loss`."""
        if self._parts is None:
            self._parts = self._whole.each(self._whole.read_out(self.codes[None]))[0]
        return self._parts

    @property
    def share(self) -> float:
        """The share of the training samples, 0 to 1, that the current stage uses, and to which `lowest` belongs."""
        return float(self._score.length.sum() / self._whole.length.sum())

    def searched(self, params: Mapping[str, float]) -> dict[str, tuple[float, float]]:
        """(lo, hi) between which each parameter was searched. Ranges of conductances depend on C, given in `params`."""
        return self._space.box(params)

    def sensitivity(self) -> dict[str, tuple[float, float]]:
        """For each searched parameter, the range (low, high) in which it can change before the loss grows by a tenth.

        Only this parameter changes; the others keep the values of the best candidate.
        """
        there = self._point(self.codes, self._space)
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

    def _evaluate(self, x: np.ndarray, space: Space) -> np.ndarray:
        """Losses (N,) of points (N, dimensions) of a space."""
        return self._try(space.codes(x))

    def _try(self, codes: np.ndarray) -> np.ndarray:
        """Losses (N,) of candidates (N, coefficients); the best one is remembered."""
        codes, values, each = self._scored(codes, self._score)
        self.evaluations += len(codes)
        best = int(np.argmin(values))
        if values[best] < self.lowest:
            self.codes, self.lowest = codes[best], float(values[best])
            self._parts = each[best] if each is not None and self._score is self._whole else None
        if self._score is self._part is not self._whole:
            leading, losses = np.concatenate([self._leading, codes]), np.concatenate([self._losses, values])
            first = np.argsort(losses, kind="stable")[:POPULATION]
            self._leading, self._losses = leading[first], losses[first]
        if self.progress is not None:
            self.progress(self.evaluations, self.lowest)
        return values

    def _glance(self, x: np.ndarray, space: Space) -> np.ndarray:
        """Losses (N,) of points (N, dimensions) of a space on the data of the screen; no candidate counts as the best one."""
        _, values, _ = self._scored(space.codes(x), self._few)
        self.evaluations += len(x)
        if self.progress is not None:
            self.progress(self.evaluations, self.lowest)
        return values

    def _scored(self, codes: np.ndarray, score: Loss) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The candidates with their best read-out, their losses, and those on each part of the data.

        Candidates and losses are from the journal if it has them; then there are no losses on the parts.
        """
        solved = self._whole.solved
        kept = None if self._journal is None else self._journal.find(codes)
        if kept is not None:
            codes = codes.copy()
            codes[:, solved] = kept[:, 1:]
            return codes, kept[:, 0], None
        done = score.read_out(codes)
        each = score.each(done)
        values = each.mean(axis=1)
        if self._journal is not None:
            self._journal.keep(codes, np.column_stack([values, done[:, solved]]))
        return done, values, each

    def _search(self, seed: int) -> Iterator[bool]:
        """The four stages; yields after each batch of evaluations, so that the search can pause there."""
        points = min(SCREEN, self.budget, max(64, self.budget // 4))
        x = _screened(self._space, self._constants, points, seed)
        found = []
        for part in np.array_split(x, max(1, points // 256)):
            found.append(self._evaluate(part, self._space))
            yield True
        order = np.argsort(np.concatenate(found), kind="stable")
        x = x[order[:POPULATION]]
        if self._score is not self._part and self.evaluations < self.budget:
            self._use(self._part)
            x = x[: self.budget - self.evaluations]
            x = x[np.argsort(self._evaluate(x, self._space), kind="stable")]
            yield True
        yield from self._wide(x, lambda: int(REFINE * self.budget), seed)
        if self._score is not self._whole and self.evaluations < self.budget:
            self._use(self._whole)
            self._try(self._leading[: self.budget - self.evaluations])
            yield True
        if not self._settled:
            yield from self._narrow(lambda: int(POLISH * self.budget), seed + 1)
            yield from self._polish()
            yield from self._narrow(lambda: self.budget, seed + 2)
            return
        if self._part is not self._whole:
            yield from self._narrow(lambda: self.budget, seed + 1)
        yield from self._polish()

    def _use(self, score: Loss) -> None:
        """Change to other training data. Losses on the data before cannot be compared with those on it."""
        self._score, self.lowest = score, np.inf

    def _point(self, codes: np.ndarray, space: Space) -> np.ndarray:
        """The point of a space that corresponds to a candidate."""
        return space.point({n: float(v) for n, v in self.engine.dequantise(codes).items()})

    def _distance(self, point: np.ndarray, space: Space) -> float:
        """The distance (rms over the dimensions) of a point of a space from the best candidate."""
        return float(np.sqrt(np.mean((point - self._point(self.codes, space)) ** 2)))

    def _generations(
        self,
        point: np.ndarray,
        space: Space,
        sigma: float,
        until: Callable[[], int],
        seed: int,
        cov: np.ndarray | None = None,
        early: int = 0,
    ) -> Iterator[tuple[np.ndarray, float]]:
        """Run CMA-ES (with margin) from a point of a space until it converges or `until()` evaluations are spent.

        sigma is the initial standard deviation, cov the initial covariance in units of sigma^2. The first `early` generations
        are compared on the data of the screen. Yields the best point of each generation, and its loss.
        """
        from .evolution import Evolution

        cube = np.tile([0.0, 1.0], (len(space.names), 1))
        # if the mean were on a side of the cube, CMA-ES would resample endlessly
        run = Evolution(
            np.clip(point, 0.02, 0.98), sigma, cube, space.steps, seed=seed, population_size=POPULATION, cov=cov
        )
        while (left := until() - self.evaluations) > 0 and not run.should_stop():
            scored, told = run.ask_all()
            before = self.lowest
            values = (self._glance if early > 0 else self._evaluate)(scored[:left], space)
            early -= 1
            best = int(np.argmin(values))
            if self.lowest < before:
                self._found_in, self._spread = space, run.spread
            yield scored[best], float(values[best])
            if len(values) == POPULATION:
                run.tell_all(told, values)

    def _wide(self, points: np.ndarray, until: Callable[[], int], seed: int) -> Iterator[bool]:
        """Runs of CMA-ES from several points of the screen (sorted, best first), each until it stops improving.

        Each run starts at the point, among the NEXT best, that is farthest from the starts of earlier runs. If the model has
        quantities that are searched in turn, every second run is in the space of these.
        """
        born, begun = 0, points[:1]
        early = 0 if self._few is self._score or self._whole_budget else GROWN_UP
        pace = [np.inf]  # lowest loss of the best run so far after each of its generations
        while until() > self.evaluations:
            born += 1
            lowest, since, before, own = np.inf, self.evaluations, self.lowest, list[float]()
            space = self._spaces[(born - 1) % len(self._spaces)]
            begin = space.point({n: v[0] for n, v in self._space.physical(begun[-1:]).items()})
            for at, loss in self._generations(begin, space, SIGMA, until, 1000 * seed + born, early=early):
                yield True
                if len(own) == early:  # losses on other data than those before
                    lowest, since = np.inf, self.evaluations
                own.append(min(loss, own[-1] if own and len(own) != early else np.inf))
                if _improved(lowest, loss, GAIN):
                    lowest, since = loss, self.evaluations
                elif self.evaluations - since >= STALLED:
                    break
                if born > len(self._spaces) and len(own) >= GROWN_UP and not self._whole_budget:
                    behind = own[-1] > BEHIND * pace[min(len(own), len(pace)) - 1]
                    there = len(own) > early and loss > self.lowest and self._distance(at, space) < SAME
                    if behind or there:
                        break
            if born > 1 and not self._whole_budget and not _improved(before, self.lowest, GAIN):
                self._settled = True
                return
            pace = own or pace  # a later run that comes here has found the best result
            among = points[:NEXT]
            apart = np.linalg.norm(among[:, None] - begun[None], axis=2).min(axis=1)
            begun = np.concatenate([begun, among[[np.argmax(apart)]]])

    def _narrow(self, until: Callable[[], int], seed: int) -> Iterator[bool]:
        """Narrower runs of CMA-ES around the best point, each from the best point of the run before."""
        space = self._found_in
        point, born, lowest = self._point(self.codes, space), 0, np.inf
        mark, since = self.lowest, self.evaluations
        while until() > self.evaluations:
            born += 1
            sigma, cov = SIGMA_REFINE if born == 1 else SIGMA_REFINE / 2, None
            if self._settled and self._spread is not None:
                sigma, cov = min(sigma, WIDER * self._spread[0]), self._spread[1]
            for at, loss in self._generations(point, space, sigma, until, 1000 * seed + born, cov):
                yield True
                if loss < lowest:
                    point, lowest = at, loss
                if _improved(mark, self.lowest, FINE):
                    mark, since = self.lowest, self.evaluations
                elif self._settled and self.evaluations - since >= SETTLED:
                    return

    def _polish(self) -> Iterator[bool]:
        """Change single codes of the best candidate, until no change improves it."""
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


def _improved(before: float, after: float, factor: float) -> bool:
    """Whether a loss has fallen to less than `factor` of it, and by more than LEAST."""
    return after < min(factor * before, before - LEAST)


def _screened(space: Space, constants: dict[str, float], points: int, seed: int) -> np.ndarray:
    """The points of the screen, (points, dimensions). In every second one, measured parameters have their measured value.

    Both halves are needed. If the measured reset or refractory time is right, only few random points are close to it. If it
    is wrong, points that have it do not lead to the best fit.
    """
    from scipy.stats import qmc

    # scipy warns if the number of points is not a power of two, which does not matter here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        x = qmc.Sobol(len(space.names), scramble=True, seed=seed).random(points)
    measured = [k for k, n in enumerate(space.names) if not space.engine.params[n].free]
    x[::2, measured] = space.point(constants)[measured]
    x[0] = space.point(constants)
    return x
