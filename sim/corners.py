"""Registers and inputs that reach every goal of coverage, and show it: were that operation wrong, an output would differ.

The search draws from what registers like least (their ends, zero, values that are equal in different formats), then evolves
towards each goal still open. It knows no model and asks only the exact reference.
"""

from typing import NamedTuple

import numpy as np

from spikefab.hw.datapath import Datapath

from . import reference
from .coverage import Goal, deviation, distance, goals, shown

DRAWS = 2048  # candidates a round
PARENTS = 64
CHILDREN = 512
GLANCES = 512  # candidates of a round that are looked at for whether they show a goal
BLIND_ROUNDS = 12
ROUNDS = 60  # of evolution, for one goal
SHUNNED = 2.0**60
RESTARTS = 6  # a population can settle where a goal is reached and nothing shows it


class Found(NamedTuple):
    """Single steps, (N, states), (N, coefficients), (N,).

    `hidden`: goals that some of them reach but none shows, such as a saturation whose result is never selected.
    `missed`: goals that none reaches.
    """

    states: np.ndarray
    coefficients: np.ndarray
    current: np.ndarray
    hidden: set[Goal]
    missed: set[Goal]


def search(dp: Datapath, rng: np.random.Generator) -> Found:
    """Few single steps that show all that can be shown."""
    machine = _Search(dp, rng)
    for _ in range(BLIND_ROUNDS):
        machine.harvest(machine.draw(DRAWS))
    for goal in sorted(machine.open, key=str):
        if goal in machine.open:
            machine.evolve(goal)
    chosen = np.array(machine.chosen, dtype=np.int64)
    states = len(dp.states)
    return Found(chosen[:, :states], chosen[:, states:-1], chosen[:, -1], machine.hidden, machine.open)


def draw(dp: Datapath, rng: np.random.Generator, count: int):
    """Random steps with a taste for extremes: (N, states), (N, coefficients), (N,)."""
    rows = _Search(dp, rng).draw(count)
    states = len(dp.states)
    return rows[:, :states], rows[:, states:-1], rows[:, -1]


class _Search:
    """Candidates are rows of codes: states, coefficients, current."""

    def __init__(self, dp: Datapath, rng: np.random.Generator):
        self.dp, self.rng = dp, rng
        self.formats = [*dp.states.values(), *dp.coefficients.values(), dp.current]
        self.lo = np.array([q.lo for q in self.formats])
        self.hi = np.array([q.hi for q in self.formats])
        self.f_bits = np.array([q.f_bits for q in self.formats])
        self.goals = goals(dp)
        self.open = set(self.goals)
        self.hidden: set[Goal] = set()
        self.chosen: list[np.ndarray] = []

    def evaluate(self, rows: np.ndarray) -> list:
        states = len(self.dp.states)
        return reference.evaluate(self.dp, rows[:, :states], rows[:, states:-1], rows[:, -1])

    def draw(self, count: int) -> np.ndarray:
        """Each register of each candidate: an end, zero, uniform, small of any size, or the candidate's own value."""
        shape, rng = (count, len(self.formats)), self.rng
        small = np.floor(self.hi ** rng.random(shape)).astype(np.int64) * rng.choice([-1, 1], shape)
        shared = rng.choice([-1, 1], (count, 1)) * np.exp2(rng.uniform(-12, 8, (count, 1)))
        shared = np.round(shared * np.exp2(rng.integers(-2, 13, (count, 1)))) * np.exp2(-8.0)
        kinds = np.stack(
            [
                np.broadcast_to(self.lo, shape),
                np.broadcast_to(self.hi, shape),
                np.zeros(shape, dtype=np.int64),
                rng.integers(self.lo, self.hi, shape, endpoint=True),
                small,
                np.clip(np.floor(shared * np.exp2(self.f_bits)), self.lo, self.hi).astype(np.int64),
            ]
        )
        # every candidate has its own taste among the six, so that some are all extremes and some nearly all zero
        taste = np.cumsum(rng.dirichlet(np.full(len(kinds), 0.6), count), axis=1)
        pick = (rng.random(shape)[..., None] > taste[:, None, :-1]).sum(axis=-1)
        return np.take_along_axis(kinds, pick[None], axis=0)[0]

    def harvest(self, rows: np.ndarray) -> None:
        """Greedily keep the rows that reach the most goals still open."""
        still = [g for g in self.goals if g in self.open]
        if not still:
            return
        codes = self.evaluate(rows)
        shows: dict[int, np.ndarray] = {}  # of a table's word, whichever it is: one look serves all its entries
        hits = np.empty((len(still), len(rows)), dtype=bool)
        for k, goal in enumerate(still):
            if goal.what == "read":
                if goal.node not in shows:
                    shows[goal.node] = np.broadcast_to(shown(self.dp, goal, codes), len(rows))
                hits[k] = (distance(self.dp, goal, codes) == 0) & shows[goal.node]
            else:
                hits[k] = self.misses(goal, codes, len(rows)) == 0
        while hits.any():
            best = int(hits.sum(axis=0).argmax())
            self.chosen.append(rows[best])
            self.open -= {g for g, hit in zip(still, hits[:, best], strict=True) if hit}
            hits[hits[:, best]] = False

    def misses(self, goal: Goal, codes: list, count: int, shun: int = 0) -> np.ndarray:
        """How far each candidate is from showing a goal: twice its distance, and one more while nothing shows.

        `shun`: the sign of a deviation that counts as far off, for a goal that cannot be reached from that side.
        """
        away = np.broadcast_to(deviation(self.dp, goal, codes), count)
        far = 2.0 * np.abs(away) + np.where(np.sign(away) == shun, SHUNNED, 0.0) * (away != 0)
        there = np.flatnonzero(far == 0)
        far[there] = 1
        if len(there) > GLANCES:
            there = self.rng.choice(there, GLANCES, replace=False)
        if len(there):
            far[there] -= shown(self.dp, goal, [c if c is None or np.ndim(c) == 0 else c[there] for c in codes])
        return far

    def evolve(self, goal: Goal) -> None:
        """Towards one goal: keep the nearest, change a register or two of each, again."""
        hidden = None
        for restart in range(RESTARTS):
            # what lies between two peaks of a table is sought from either side as well: the nearer may be the wrong one
            shun = (0, -1, 1)[restart % 3]
            rows = np.concatenate([self.draw(CHILDREN), self.nearest(goal, shun)])
            for _ in range(ROUNDS):
                far = self.misses(goal, self.evaluate(rows), len(rows), shun)
                order = np.lexsort((self.rng.random(len(rows)), far))[:PARENTS]
                parents = rows[order]
                if far[order[0]] == 0:
                    self.harvest(parents[:1])
                    return
                children = self.mutate(np.repeat(parents, CHILDREN // PARENTS, axis=0))
                rows = np.concatenate([parents, children, self.draw(PARENTS)])
            if far[order[0]] == 1:
                hidden = parents[0]
        if hidden is not None:
            self.chosen.append(hidden)
            self.open.remove(goal)
            self.hidden.add(goal)

    def nearest(self, goal: Goal, shun: int) -> np.ndarray:
        """Of the rows kept so far, those nearest to a goal: one that reads an entry is a few codes from reading the next."""
        rows = np.array(self.chosen, dtype=np.int64).reshape(-1, len(self.formats))
        return rows[np.argsort(self.misses(goal, self.evaluate(rows), len(rows), shun), kind="stable")[:CHILDREN]]

    def mutate(self, rows: np.ndarray) -> np.ndarray:
        """One register of each, or two: drawn afresh, moved by a power of two, or set to the value of another."""
        rng, rows = self.rng, rows.copy()
        fresh = self.draw(len(rows))
        each = np.arange(len(rows))
        for again in (1.0, 0.4):
            at, source = rng.integers(0, len(self.formats), (2, len(rows)))
            old = rows[each, at]
            moved = old + rng.choice([-1, 1], len(rows)) * (1 << rng.integers(0, self._widths()[at]))
            real = rows[each, source] * np.exp2(-self.f_bits[source].astype(float))
            same = np.floor(real * np.exp2(self.f_bits[at].astype(float)))
            kind = rng.integers(0, 3, len(rows))
            new = np.select([kind == 0, kind == 1], [fresh[each, at], moved], same)
            new = np.where(rng.random(len(rows)) < again, new, old)
            rows[each, at] = np.clip(new, self.lo[at], self.hi[at]).astype(np.int64)
        return rows

    def _widths(self) -> np.ndarray:
        return np.array([q.width for q in self.formats])
