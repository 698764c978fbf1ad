"""The search of one model: a Sobol screen, CMA-ES from its best point, then again, closer, around the best so far."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikefab.hw.datapath import Datapath

from .loss import Loss
from .space import Space, start, unsearched
from .task import Task

SCREEN = 1024  # points of the Sobol screen
# One large population finds the same optimum from every seed where six of 16 points each ended in one of several; it
# also fills the kernel's lanes and threads.
POPULATION = 96
REFINE = 0.6  # share of the budget after which the search narrows around the best
SIGMA, SIGMA_REFINE = 0.2, 0.08


@dataclass
class Found:
    """The best of a search: codes (coefficients,), its loss, evaluations spent, and whether it was cut short."""

    codes: np.ndarray
    loss: float
    evaluations: int
    interrupted: bool = False


def search(
    dp: Datapath,
    task: Task,
    *,
    budget: int,
    seed: int,
    progress: Callable[[int, float], None] | None = None,
) -> Found:
    """Minimise the training loss of one model within `budget` evaluations. Ctrl-C ends it with the best so far."""
    params = dp.params
    constants = start(dp, task.measured)
    loss = Loss(dp, task)
    held = unsearched(params)
    space = Space.of(dp, tuple(n for n in params if n not in held), task.measured, constants)
    found = Found(space.codes(space.point(constants))[0], np.inf, 0)

    def evaluate(x: np.ndarray) -> np.ndarray:
        codes = loss.read_out(space.codes(x))
        values = loss(codes)
        best = int(np.argmin(values))
        if values[best] < found.loss:
            found.codes, found.loss = codes[best], float(values[best])
        found.evaluations = loss.evaluations
        if progress is not None:
            progress(loss.evaluations, found.loss)
        return values

    try:
        x, values = _screen(space, evaluate, constants, min(SCREEN, budget, max(64, budget // 4)), seed)
        _evolve(space, evaluate, lambda: int(REFINE * budget) - loss.evaluations, x, values, SIGMA, seed)
        best = space.point({n: float(v) for n, v in dp.dequantise(found.codes).items()})
        _evolve(
            space, evaluate, lambda: budget - loss.evaluations, best[None], np.array([np.inf]), SIGMA_REFINE, seed + 1
        )
    except KeyboardInterrupt:
        found.interrupted = True
    return found


def _screen(
    space: Space, evaluate: Callable, constants: dict[str, float], points: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points of the cube, best first, and their losses. Half of them believe the measured constants.

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
    values = np.concatenate([evaluate(part) for part in np.array_split(x, max(1, points // 256))])
    order = np.argsort(values, kind="stable")
    return x[order], values[order]


def _evolve(
    space: Space,
    evaluate: Callable,
    left: Callable[[], int],
    x: np.ndarray,
    values: np.ndarray,
    sigma: float,
    seed: int,
) -> None:
    """CMA-ES with margin from the best point, again from the best so far when it has converged, until `left` is spent."""
    from cmaes import CMAwM

    cube = np.tile([0.0, 1.0], (len(space.names), 1))
    point, lowest = x[0], values[0]
    born, run = 0, None
    while left() > 0:
        if run is None or run.should_stop():
            born += 1
            # a mean on a side of the cube would make CMA-ES resample without end
            run = CMAwM(
                np.clip(point, 0.02, 0.98),
                sigma if born == 1 else sigma / 2,
                cube,
                space.steps,
                seed=1000 * seed + born,
                population_size=POPULATION,
            )
        asked = [run.ask() for _ in range(POPULATION)]
        values = evaluate(np.array([scored for scored, _ in asked[: left()]]))
        if len(values) < POPULATION:
            return
        run.tell([(told, value) for (_, told), value in zip(asked, values, strict=True)])
        if values.min() < lowest:
            point, lowest = asked[int(np.argmin(values))][0], values.min()
