"""The oracle's half of these tests: scipy integrates the published equations, which are in `spikefab.sim.continuous`."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import solve_ivp


def integrate(
    rhs: Callable, start, stop: float, level: float, jump: Callable, t_ref: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Spike times (ms) and the state at `stop` of y' = rhs(y) from `start`.

    Where y[0] reaches `level`, the state becomes jump(y); y[0] is then held for t_ref ms while the others go on.
    """

    def crossing(t, y):
        return y[0] - level

    crossing.terminal, crossing.direction = True, 1  # type: ignore[attr-defined]

    def held(t, y):
        return [0.0, *rhs(y)[1:]]

    def advance(f, t, y, end, events=None):
        part = solve_ivp(f, (t, end), y, method="DOP853", events=events, rtol=1e-10, atol=1e-11)
        assert part.success, part.message
        return part

    t, y, spikes = 0.0, np.asarray(start, dtype=np.float64), []
    while t < stop:
        part = advance(lambda t, y: rhs(y), t, y, stop, crossing)
        t, y = float(part.t[-1]), part.y[:, -1]
        if part.status == 1:
            spikes.append(t)
            y = np.asarray(jump(y), dtype=np.float64)
            end = min(t + t_ref, stop)
            if end > t:
                y = advance(held, t, y, end).y[:, -1]
                t = end
    return np.array(spikes), y


@pytest.fixture(name="integrate", scope="session")
def _integrate():
    return integrate


def order(steps, errors) -> float:
    """The power of the step with which errors fall, by least squares on logarithms."""
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


@pytest.fixture(name="order", scope="session")
def _order():
    return order
