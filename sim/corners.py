"""Searches for registers and inputs that reach every coverage goal and *show* it.

A step shows a goal if an error in the operation that the goal is about would change an output of the step. The search first
draws random candidates, with a preference for critical codes: both ends of a format, zero, values that are equal in
different formats. Then an evolutionary search approaches each goal that is still open. It works for any model, because it
only uses the exact reference.
"""

from typing import NamedTuple

import numpy as np

from spikefab.hw.datapath import Datapath

from . import reference
from .coverage import Goal, deviation, distance, goals, shown

DRAWS = 2048  # number of random candidates per round
PARENTS = 64  # number of candidates that survive a generation of the evolution
CHILDREN = 512  # number of new candidates per generation of the evolution
# Most candidates of a generation that are tested for showing a goal (making an output differ): the test takes long.
GLANCES = 512
BLIND_ROUNDS = 12  # number of rounds of random candidates before the evolution
ROUNDS = 60  # number of generations for one goal
SHUNNED = 2.0**60  # added to the distance of candidates on the side of a goal that the search avoids
RESTARTS = 6  # number of attempts per goal: a population can get stuck where the goal is reached but nothing shows it


class Found(NamedTuple):
    """The steps that the search has found, in codes.

    states        (N, states) before each step
    coefficients  (N, coefficients)
    current       (N,)
    hidden        goals that a step reaches but none shows, for example a saturation whose result is never selected
    missed        goals that no step reaches
    """

    states: np.ndarray
    coefficients: np.ndarray
    current: np.ndarray
    hidden: set[Goal]
    missed: set[Goal]


def search(dp: Datapath, rng: np.random.Generator) -> Found:
    """A small set of steps that shows all goals that can be shown."""
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
    """Random steps with a preference for critical codes: (N, states), (N, coefficients), (N,)."""
    rows = _Search(dp, rng).draw(count)
    states = len(dp.states)
    return rows[:, :states], rows[:, states:-1], rows[:, -1]


class _Search:
    """The state of a search. A candidate is a row of codes: states, coefficients, current."""

    def __init__(self, dp: Datapath, rng: np.random.Generator):
        self.dp, self.rng = dp, rng
        self.formats = [*dp.states.values(), *dp.coefficients.values(), dp.current]
        self.lo = np.array([q.lo for q in self.formats])
        self.hi = np.array([q.hi for q in self.formats])
        self.f_bits = np.array([q.f_bits for q in self.formats])
        self.goals = goals(dp)
        self.open = set(self.goals)  # goals that no chosen candidate shows yet
        self.hidden: set[Goal] = set()  # goals that were reached but could not be shown
        self.chosen: list[np.ndarray] = []  # candidates that are kept

    def evaluate(self, rows: np.ndarray) -> list:
        """Codes of all operations for each candidate, by the exact reference."""
        states = len(self.dp.states)
        return reference.evaluate(self.dp, rows[:, :states], rows[:, states:-1], rows[:, -1])

    def draw(self, count: int) -> np.ndarray:
        """Random candidates.

        Each register is an end of its format, zero, uniform, a small code, or a value that several registers share.
        """
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
        # each candidate mixes the six kinds in its own proportions: some are all extremes, others nearly all zero
        taste = np.cumsum(rng.dirichlet(np.full(len(kinds), 0.6), count), axis=1)
        pick = (rng.random(shape)[..., None] > taste[:, None, :-1]).sum(axis=-1)
        return np.take_along_axis(kinds, pick[None], axis=0)[0]

    def harvest(self, rows: np.ndarray) -> None:
        """Choose candidates, greedily, that show the most open goals, until no candidate shows another one."""
        still = [g for g in self.goals if g in self.open]
        if not still:
            return
        codes = self.evaluate(rows)
        # whether each candidate shows an error in the word that a lookup reads, by lookup
        shows: dict[int, np.ndarray] = {}
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
        """How far each candidate is from showing a goal: twice its distance; 1 if it reaches the goal but does not show it.

        Candidates whose deviation has the sign `shun` count as very far: some goals cannot be reached from that side.
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
        """Search for a candidate that shows one goal: keep the nearest, change one or two registers of each, and repeat."""
        hidden = None
        for restart in range(RESTARTS):
            # try each side too: an entry between two peaks of a table may be reachable only from the farther side
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
        """The chosen candidates nearest to a goal: one that reads a table entry is only a few codes from reading the next."""
        rows = np.array(self.chosen, dtype=np.int64).reshape(-1, len(self.formats))
        return rows[np.argsort(self.misses(goal, self.evaluate(rows), len(rows), shun), kind="stable")[:CHILDREN]]

    def mutate(self, rows: np.ndarray) -> np.ndarray:
        """Change one or two registers of each candidate: draw it again, move it by a power of two, or copy another's value."""
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
