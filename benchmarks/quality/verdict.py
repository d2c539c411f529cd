"""What the runs say: medians, ranks, and whether one is no worse than another.

The rules were fixed before the first whole run:

* *By medians*: the median regret over the seeds is not above the other's.  What is below a ten-thousandth of random
  search's median regret counts as that, for both: nobody wants to know which of 1e-9 and 1e-11 is less.
* *By the test*: the one-sided test of Mann and Whitney does not say at 5 % that regrets are larger than the other's.

"The better of two", or "the best of all", is whoever has the least median on that task.  A target is reached if it is
by medians; how it comes out by the test is said beside it.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.quality.contenders import AUTO, HYPEROPT, NGOPT, OPTUNA, RANDOM, TPE
from benchmarks.quality.tasks import TASKS
from benchmarks.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.quality.cells import Run
    from benchmarks.quality.tasks import Task

FLOOR, REJECTED, RESAMPLED = 1e-4, 0.05, 2000
Regrets = dict[str, dict[str, list[float]]]  # of a task, of a contender, by seed


class Line(NamedTuple):
    """Something that is to be reached.

    Attributes:
        who: whose regrets are compared.
        others: with whose: on each task those of the one with the least median.
        kinds: on which tasks.
        least: on how many of the nine; None for all.
    """

    who: str
    others: tuple[str, ...]
    kinds: tuple[str, ...]
    least: int | None = None

    def __str__(self) -> str:
        rivals = {RANDOM: "random", NGOPT: "NGOpt"}.get(self.others[0]) if len(self.others) == 1 else None
        rivals = rivals or ("the better of both TPEs" if len(self.others) == 2 else "the best of all")
        return f"{self.who} no worse than {rivals}"


ALL = ("continuous", "mixed", "real")
LINES = (
    Line(TPE, (OPTUNA, HYPEROPT), ALL, 7),
    Line(TPE, (RANDOM,), ALL),
    Line(AUTO, (NGOPT,), ("continuous",)),
    Line(AUTO, (TPE, OPTUNA, HYPEROPT, NGOPT, RANDOM), ("mixed", "real")),
)


def leasts(runs: Iterable[Run]) -> dict[str, float]:
    """Return the least loss of each task: as it is known, or as somebody found it."""
    found: dict[str, float] = {}
    for run in runs:
        known = TASKS[run.cell.task].least
        found[run.cell.task] = min(found.get(run.cell.task, run.loss), run.loss) if known is None else known
    return found


def regrets(runs: Iterable[Run]) -> Regrets:
    """Return how far above the least loss each run ended."""
    runs = list(runs)
    least, found = leasts(runs), Regrets()
    for run in runs:
        mine = found.setdefault(run.cell.task, {}).setdefault(run.cell.contender, [])
        mine.append(max(run.loss - least[run.cell.task], 0.0))
    return found


def floor(of: dict[str, list[float]]) -> float:
    """Return the regret on a task below which all is alike."""
    return FLOOR * statistics.median(of[RANDOM]) if RANDOM in of else 0.0


def by_medians(ours: Sequence[float], theirs: Sequence[float], least: float = 0.0) -> bool:
    """Whether *ours* are no worse than *theirs*, by medians.

    >>> by_medians([1.0, 2.0, 9.0], [2.0, 2.0, 2.0]), by_medians([0.2], [0.1]), by_medians([0.2], [0.1], least=0.3)
    (True, False, True)
    """
    return max(statistics.median(ours), least) <= max(statistics.median(theirs), least)


def by_test(ours: Sequence[float], theirs: Sequence[float], least: float = 0.0) -> bool:
    """Whether *ours* are no worse than *theirs*, by the test of Mann and Whitney.

    >>> by_test([1.0, 2.0, 3.0, 4.0], [1.5, 1.6, 1.7, 1.8]), by_test([5.0, 6.0, 7.0, 8.0], [1.0, 2.0, 3.0, 4.0])
    (True, False)
    """
    from scipy.stats import mannwhitneyu

    one, two = ([max(regret, least) for regret in side] for side in (ours, theirs))
    if len(set(one + two)) == 1:
        return True
    return float(mannwhitneyu(one, two, alternative="greater").pvalue) >= REJECTED


def targets(found: Regrets, *, held_out: bool = False) -> list[Target]:
    """Return what is to be reached: on how many tasks, by medians and by the test; none of those who did not run."""
    rows = []
    for line in LINES:
        tasks = [name for name in found if TASKS[name].held_out == held_out and TASKS[name].kind in line.kinds]
        if not tasks or not all({line.who, *line.others} <= found[name].keys() for name in tasks):
            continue
        pairs = [(found[name][line.who], _best(found[name], line.others), floor(found[name])) for name in tasks]
        whole = len(tasks)
        wanted = line.least if line.least is not None and whole == 9 else whole
        on = f"{whole} held-out tasks" if held_out else f"{whole} tasks"
        for rule, holds in (("medians", by_medians), ("test", by_test)):
            count = sum(holds(mine, theirs, least) for mine, theirs, least in pairs)
            rows.append(Target(f"{line}, of {on}, by {rule}", count, least=wanted))
    return rows


def _best(of: dict[str, list[float]], names: Sequence[str]) -> list[float]:
    return min((of[name] for name in names), key=statistics.median)


class Rank(NamedTuple):
    """The mean rank of a contender over tasks (1 is the best), with its 95 % interval."""

    name: str
    mean: float
    low: float
    high: float


def ranks(found: Regrets, tasks: Sequence[Task]) -> list[Rank]:
    """Return how contenders stand by their medians on *tasks*, best first; intervals by resampling the seeds."""
    import numpy as np
    from scipy.stats import rankdata

    names = [name for name in next(iter(found.values())) if all(name in found[task.name] for task in tasks)]
    chance = np.random.default_rng(0)
    drawn = np.zeros((RESAMPLED, len(names)))
    means = np.zeros(len(names))
    for task in tasks:
        of = found[task.name]
        values = np.maximum(np.array([of[name] for name in names]), floor(of))  # (contenders, seeds)
        means += rankdata(np.median(values, axis=1)) / len(tasks)
        seeds = chance.integers(0, values.shape[1], (RESAMPLED, len(names), values.shape[1]))
        medians = np.median(np.take_along_axis(values[None], seeds, axis=2), axis=2)
        drawn += rankdata(medians, axis=1) / len(tasks)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    found_ranks = [Rank(name, float(means[k]), float(low[k]), float(high[k])) for k, name in enumerate(names)]
    return sorted(found_ranks, key=lambda rank: rank.mean)
