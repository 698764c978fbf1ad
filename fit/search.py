"""The search of one model: a Sobol screen, CMA-ES from its best points, then CMA-ES again around the best of all."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikefab.hw.datapath import Datapath

from .loss import Loss
from .space import PEAKS, Space, measured_value
from .task import Task

SCREEN = 1024  # points of the Sobol screen
RUNS = 4  # CMA-ES runs side by side: together they fill the kernel's lanes and threads
POPULATION = 16
REFINE = 0.6  # share of the budget after which the search narrows around the best
SIGMA, SIGMA_REFINE = 0.15, 0.08


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
    params = dp.model.params()
    constants = {n: measured_value(n, params[n], task.measured) for n in params}
    loss = Loss(dp, task)
    # what a spike's peak shows is the recording's, and no search improves on it
    space = Space.of(dp, tuple(n for n in params if n not in PEAKS), task.measured, constants)
    found = Found(space.codes(space.point(constants))[0], np.inf, 0)

    def evaluate(x: np.ndarray) -> np.ndarray:
        codes = space.codes(x)
        values = loss(codes)
        best = int(np.argmin(values))
        if values[best] < found.loss:
            found.codes, found.loss = codes[best], float(values[best])
        found.evaluations = loss.evaluations
        if progress is not None:
            progress(loss.evaluations, found.loss)
        return values

    try:
        x, values = _screen(space, evaluate, constants, min(SCREEN, max(64, budget // 4)), seed)
        _evolve(space, evaluate, lambda: int(REFINE * budget) - loss.evaluations, x, values, SIGMA, seed)
        best = space.point({n: float(v) for n, v in dp.dequantise(found.codes).items()})
        _evolve(space, evaluate, lambda: budget - loss.evaluations, best[None], np.zeros(1), SIGMA_REFINE, seed + 1)
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
    measured = [k for k, n in enumerate(space.names) if not space.dp.model.params()[n].free]
    x[::2, measured] = space.point(constants)[measured]
    values = np.concatenate([evaluate(part) for part in np.array_split(x, max(1, points // 256))])
    order = np.argsort(values, kind="stable")
    return x[order], values[order]


def _apart(x: np.ndarray, count: int) -> list[np.ndarray]:
    """The first `count` points of a sorted list that are not close to a better one; then the best again."""
    chosen: list[np.ndarray] = []
    for point in x:
        if all(np.max(np.abs(point - other)) > 0.15 for other in chosen):
            chosen.append(point)
        if len(chosen) == count:
            return chosen
    return chosen + [x[0]] * (count - len(chosen))


def _evolve(
    space: Space, evaluate: Callable, left: Callable[[], int], x: np.ndarray, values: np.ndarray, sigma: float, seed: int
) -> None:
    """CMA-ES with margin, RUNS at a time, until the budget is spent; halfway the worse runs give way to restarts."""
    from cmaes import CMAwM

    dims = len(space.names)
    cube = np.tile([0.0, 1.0], (dims, 1))
    born = 0
    archive = [(values[k], x[k]) for k in range(min(len(x), 64))]

    def start(point: np.ndarray, width: float) -> CMAwM:
        nonlocal born
        born += 1
        # a mean on a side of the cube would make CMA-ES resample without end
        mean = np.clip(point, 0.02, 0.98)
        return CMAwM(mean, width, cube, space.steps, seed=seed * 1000 + born, population_size=POPULATION)

    runs = [start(point, sigma) for point in _apart(x, RUNS)]
    best = [np.inf] * len(runs)
    total, halved = left(), False
    while left() >= POPULATION:
        asked = [[run.ask() for _ in range(POPULATION)] for run in runs]
        values = evaluate(np.array([a for group in asked for a, _ in group]))
        for k, group in enumerate(asked):
            mine = values[k * POPULATION : (k + 1) * POPULATION]
            runs[k].tell([(told, value) for (_, told), value in zip(group, mine, strict=True)])
            j = int(np.argmin(mine))
            if mine[j] < best[k]:
                best[k] = float(mine[j])
                archive.append((best[k], group[j][0]))
        if not halved and left() < total / 2:
            halved = True
            keep = sorted(range(len(runs)), key=lambda k: best[k])[: max(1, RUNS // 2)]
            runs, best = [runs[k] for k in keep], [best[k] for k in keep]
        for k, run in enumerate(runs):
            if run.should_stop():
                archive.sort(key=lambda item: item[0])
                runs[k], best[k] = start(archive[0][1], sigma / 2), np.inf
