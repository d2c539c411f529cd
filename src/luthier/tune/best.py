"""Which trial is best."""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING

from luthier.core.errors import BadArgument
from luthier.core.goal import Goal, lookup, number
from luthier.core.terms import AUTOMATIC
from luthier.tune.error import NoResult
from luthier.tune.flat import flattened
from luthier.tune.history import SCOPES, History

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.state import TrialState


def goal_of(metric: str | None, mode: str | None, goals: Sequence[Goal] = ()) -> Goal:
    """Return what to rank by: what is given, else the one of *goals*.

    Raises:
        BadArgument: something is missing, or there are several goals and none is named.
    """
    if metric is None and len(goals) > 1:
        names = ", ".join(goal.metric for goal in goals)
        raise BadArgument("metric", metric, f"one of {names}, or ask for pareto_front()", "there are several goals")
    name = metric or (goals[0].metric if goals else None)
    own = [goal.mode for goal in goals if goal.metric == name or len(goals) == 1]
    end = mode or (own[0] if own else None)
    if name is None:
        raise BadArgument("metric", metric, "the name of a reported metric, here or in TuneConfig")
    if end is None:
        raise BadArgument("mode", mode, "'min' or 'max', here or in TuneConfig")
    return Goal(name, end)


def ranked(
    trials: Iterable[TrialState], history: History, goal: Goal, scope: str = "last", *, only_finite: bool = True
) -> list[TrialState]:
    """Return the trials that have a value under *goal* in *scope*, the best first.

    Raises:
        BadArgument: there is no such scope.
    """
    if scope not in SCOPES:
        raise BadArgument("scope", scope, f"one of {', '.join(SCOPES)}")
    scored: list[tuple[float, int, TrialState]] = []
    values: dict[str, float] | None = None if scope == "last" else history.values(goal, scope, only_finite=only_finite)
    for t in trials:
        if scope == "last":
            value = number(lookup(t.metrics, goal.metric))
            if value is None and t.metrics:  # reported before, maybe, only not in the last result
                if values is None:
                    values = history.values(goal, scope, only_finite=only_finite)
                value = values.get(t.id)
            if value is not None and only_finite and not math.isfinite(value):
                value = None
        else:
            value = values.get(t.id) if values is not None else None
        if value is not None:
            score = float("inf") if math.isnan(value) else -value if goal.mode == "max" else value
            scored.append((score, t.number, t))
    return [t for _, _, t in sorted(scored, key=lambda s: s[:2])]


def undominated(trials: Iterable[TrialState], goals: Sequence[Goal]) -> list[TrialState]:
    """Return the trials that no other is better than: as good under all *goals*, and better under one.

    By the trials' last results; those without a finite value under each goal are left out.  The best by the first goal
    comes first.
    """
    import numpy as np

    from luthier.search.dominance import front

    scored = []
    for t in trials:
        scores = [goal.score(t.metrics) for goal in goals]
        known = [score for score in scores if score is not None and math.isfinite(score)]
        if len(known) == len(goals):
            scored.append((known, t))
    if not scored:
        return []
    on_front = front(np.array([scores for scores, _ in scored]))
    best = [(scores, t) for (scores, t), best in zip(scored, on_front, strict=True) if best]
    return [t for _, t in sorted(best, key=lambda pair: (pair[0], pair[1].number))]


def nobody_reported(metric: str, trials: Iterable[TrialState]) -> NoResult:
    """Return the error that says what was reported instead."""
    names: set[str] = set()
    count = 0
    for t in trials:
        count += 1
        names.update(flattened(t.metrics))
    own = sorted(names - AUTOMATIC)
    text = f"None of the {count} trials has a" if count > 1 else "The trial has no"
    text += f" (finite) value of {metric!r}."
    if own or names:
        text += f" Reported were: {', '.join(own or sorted(names))}."
        if metric not in names and (near := difflib.get_close_matches(metric, names, n=1)):
            text += f" Is {near[0]!r} meant?"
    else:
        text += " None has reported anything."
    return NoResult(text)
