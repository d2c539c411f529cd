"""One run of one scheduler in one world, and what many of them say together."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.regret.contenders import CONTENDERS, EVERY, NOBODY, SPACE
from benchmarks.regret.training import Kind, R, Training, best_possible, cost, seconds
from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.search.variants import Variants
from luthier.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

GRID = 240  # points of time at which a run is looked at


class Course(NamedTuple):
    """A race.

    Attributes:
        kind: of training.
        workers: how many.
        trainings: how long it is, in full trainings.
        others: how long those go who do stop trials; fewer trainings, to spare time.
    """

    kind: Kind
    workers: int
    trainings: float
    others: float

    def __str__(self) -> str:
        return f"{self.kind.name} curves, {self.workers} workers, {self.trainings:g} trainings long"


class Run(NamedTuple):
    """One run.

    Attributes:
        name: the scheduler's.
        course: where it ran.
        seed: of the world.
        regrets: at GRID equal steps of the course's time; infinite before the first result, NaN where it had ended.
        history: (share of the course's time, loss of the model in hand).
        reports: how many results there were.
    """

    name: str
    course: Course
    seed: int
    regrets: list[float]
    history: list[tuple[float, float]]
    reports: int


def run(name: str, course: Course, seed: int) -> Run:
    """Let the scheduler called *name* tune until its time is up; the same configs for all, in the same order."""
    training = Training(seed, course.kind)
    engine = Engine(Limits(seed=seed), Variants(SPACE, -1), CONTENDERS[name](), (Goal("loss", "min"),))
    world = World(engine, training, cost, R, course.workers, save_every=EVERY, keep_log=False)
    training.world = world
    whole = course.trainings * seconds()
    share = 1.0 if name == NOBODY else course.others / course.trainings
    world.run(until=share * whole)
    history = [(now / whole, loss) for now, loss in training.history]
    times, best = [at for at, _ in history], best_possible(course.kind)
    regrets = []
    for point in range(1, GRID + 1):
        at = point / GRID
        known = bisect_right(times, at)
        regrets.append(math.nan if at > share + 1e-9 else history[known - 1][1] - best if known else math.inf)
    return Run(name, course, seed, regrets, history, world.reports)


def reaching(theirs: Run, base: Run) -> float:
    """Return the share of *base*'s time after which *theirs* has in hand what *base* has at its end; else infinity."""
    wanted = base.history[-1][1]
    return next((at for at, loss in theirs.history if loss <= wanted), math.inf)


class Standing(NamedTuple):
    """How one scheduler did over all seeds: medians, and the quartiles of *reached*."""

    name: str
    course: Course
    regrets: list[float]
    low: list[float]
    high: list[float]
    reached: float
    reached_low: float
    reached_high: float
    reports: int

    def at(self, share: float) -> float:
        """Return the median regret at *share* of the time."""
        return self.regrets[round(share * GRID) - 1]


def standings(runs: Sequence[Run]) -> list[Standing]:
    """Return how each did, in the order of the contenders, course by course."""
    by: dict[tuple[Course, str], dict[int, Run]] = {}
    for each in runs:
        by.setdefault((each.course, each.name), {})[each.seed] = each
    found = []
    for course in dict.fromkeys(course for course, _ in by):
        base = by[course, NOBODY]
        for name in CONTENDERS:
            mine = by.get((course, name), {})
            if not mine:
                continue
            columns = [sorted(column) for column in zip(*(r.regrets for r in mine.values()), strict=True)]
            ratios = sorted(reaching(r, base[seed]) for seed, r in mine.items())
            found.append(
                Standing(
                    name, course,
                    [quantile(column, 0.5) for column in columns],
                    [quantile(column, 0.25) for column in columns],
                    [quantile(column, 0.75) for column in columns],
                    quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75),
                    round(statistics.mean(r.reports for r in mine.values())),
                )
            )  # fmt: skip
    return found


def quantile(values: Sequence[float], q: float) -> float:
    """Return the *q*-quantile of sorted *values*: between two of them, the mean of both."""
    at = q * (len(values) - 1)
    low, high = values[math.floor(at)], values[math.ceil(at)]
    return low if low == high else (low + high) / 2
