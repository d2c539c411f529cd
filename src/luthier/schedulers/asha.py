"""Asynchronous successive halving (ASHA), the variant that stops and never pauses.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar: "A System for Massively Parallel Hyperparameter
Tuning", MLSys 2020 (arXiv 1810.05934), section 3.2.  The cutoff is the one that Ray Tune's users know: a percentile of
what was recorded at the rung *before*, with linear interpolation.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from luthier.core.arguments import check, flag, more_than, whole
from luthier.core.events import Proposed, Reported
from luthier.core.goal import WORST, lookup, number
from luthier.core.policy import Stop
from luthier.core.terms import Status
from luthier.schedulers.arguments import MOST_RUNGS, check_spread, goal_in, metric_name, own_goal, rung_at
from luthier.schedulers.fifo import Fifo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.events import News
    from luthier.core.goal import Goal, Score
    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import TrialId


class Rung:
    """What was recorded at one milestone.

    Attributes:
        milestone: time at which trials are compared, in units of the scheduler's ``time_attr``.
        scores: finite scores recorded so far, best (lowest) first.
        seen: the trials that were recorded, those without a finite score among them.
    """

    __slots__ = ("milestone", "scores", "seen")

    def __init__(self, milestone: float) -> None:
        self.milestone = milestone
        self.scores: list[Score] = []
        self.seen: set[TrialId] = set()

    def cutoff(self, quantile: float) -> Score | None:
        """Return the worst score that still passes, or None where nothing was recorded yet.

        It is what ``-numpy.nanpercentile(-scores, 100 * quantile)`` is, to the last bit.

        >>> rung = Rung(1)
        >>> rung.scores = [1.0, 2.0, 3.0]
        >>> rung.cutoff(0.75)
        1.5
        """
        scores = self.scores
        if not scores:
            return None
        last = len(scores) - 1
        at = last * quantile  # counted from the worst
        below = int(at)
        share = at - below
        low = -scores[last - below]
        if not share:
            return -low
        high = -scores[last - below - 1]
        step = high - low
        if high == low or step == WORST:  # scores of -inf: nothing lies between one and another
            return -low
        return -(low + step * share if share < 0.5 else high - step * (1 - share))  # noqa: PLR2004 (as numpy rounds)


class Asha(Fifo):
    """Stops a trial at a rung where it is not among the best ``1/reduction_factor`` that came there before it.

    Bracket ``s`` has its rungs at ``grace_period * reduction_factor**(k + s)``, k = 0, 1, ..., up to *max_t*.  A trial
    joins one bracket when it is proposed, with a probability that is the softmax of the brackets' numbers of rungs.
    At a report it is judged at the highest rung that it has reached and was not recorded at; the first to come to a
    rung passes.  A report without *time_attr* or without the metric changes nothing.  NaN and the worst infinity are
    stopped wherever there is a cutoff, and leave the cutoff as it is.

    Args:
        time_attr: metric that says how far a trial is; it never decreases within an attempt.
        goal: what is compared; the experiment's first goal where None.
        max_t: time at which a trial has had enough.
        grace_period: time before which no trial is judged.
        reduction_factor: how many come to a rung for one that passes it, and how far apart rungs are.
        brackets: how many sets of rungs there are.
        stop_last_trials: whether a trial is stopped at *max_t*.

    Raises:
        BadArgument: for an argument out of its range.

    >>> Asha(max_t=9, reduction_factor=3)
    Asha(rungs at 1, 3, 9)
    """

    def __init__(
        self,
        time_attr: str = "training_iteration",
        goal: Goal | None = None,
        max_t: float = 100,
        grace_period: float = 1,
        reduction_factor: float = 4,
        brackets: int = 1,
        stop_last_trials: bool = True,
    ) -> None:
        self.time_attr, self.goal = metric_name("time_attr", time_attr), own_goal(goal)
        self.max_t, self.stop_last_trials = more_than("max_t", max_t, 0), flag("stop_last_trials", stop_last_trials)
        least = more_than("grace_period", grace_period, 0)
        check("grace_period", grace_period, least <= max_t, f"a number <= max_t, which is {max_t}")
        check_spread(more_than("reduction_factor", reduction_factor, 1), least, self.max_t)
        self._quantile = (1 - 1 / reduction_factor) * 100 / 100  # in this order, or it is not the percentile's number
        milestones = [grace_period]
        while milestones[-1] * reduction_factor <= max_t:
            milestones.append(rung_at(grace_period, reduction_factor, len(milestones)))
        sets = whole("brackets", brackets, 1)
        wanted = f"a whole number <= {MOST_RUNGS // len(milestones)}: {MOST_RUNGS} rungs in all brackets"
        check("brackets", brackets, sets * len(milestones) <= MOST_RUNGS, wanted)
        # Highest rung first: that is the order in which they are asked.
        self._brackets = [[Rung(at) for at in reversed(milestones[s:])] for s in range(sets)]
        self._bracket_of: dict[TrialId, int] = {}
        self._stopped = 0
        most = len(milestones)
        weights = [math.exp(len(bracket) - most) for bracket in self._brackets]
        self._weights = [weight / sum(weights) for weight in weights]

    def __repr__(self) -> str:
        rungs = sorted({rung.milestone for bracket in self._brackets for rung in bracket})
        return f"{type(self).__name__}(rungs at {', '.join(f'{at:g}' for at in rungs)})"

    def spelled(self) -> str:
        """Return how many were stopped, and what it takes to pass the rungs of each bracket, highest first.

        >>> print(Asha(max_t=4, reduction_factor=2).spelled())
        Using AsyncHyperBand: num_stopped=0
        Bracket: Iter 4.000: None | Iter 2.000: None | Iter 1.000: None
        """
        lines = [f"Using AsyncHyperBand: num_stopped={self._stopped}"]
        value = self.goal.value if self.goal is not None else float
        for bracket in self._brackets:
            cutoffs = [(rung.milestone, rung.cutoff(self._quantile)) for rung in bracket]
            shown = [f"Iter {at:.3f}: {None if cutoff is None else value(cutoff)}" for at, cutoff in cutoffs]
            lines.append(f"Bracket: {' | '.join(shown)}")
        return "\n".join(lines)

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return ``(Stop,)`` where the trial in the news fell behind or is done; else nothing.

        Raises:
            BadArgument: there is nothing to compare: neither this scheduler nor the experiment has a goal.
        """
        if isinstance(news, Reported):
            return self._judge(news, experiment)
        if isinstance(news, Proposed):
            goal_in(self.goal, experiment, "ASHA")  # complains before anything has run
            if len(self._brackets) > 1:
                self._bracket_of[news.trial] = self._draw(rng.random())
        return super().decide(news, experiment, rng)

    def _draw(self, u: float) -> int:
        for bracket, weight in enumerate(self._weights):
            u -= weight
            if u < 0:
                return bracket
        return 0  # the weights' sum fell short of u by rounding

    def _judge(self, news: Reported, experiment: ExperimentView) -> Sequence[Decision]:
        goal, trial = goal_in(self.goal, experiment, "ASHA"), news.trial
        now, score = number(lookup(news.metrics, self.time_attr)), goal.score(news.metrics)
        if now is None or score is None:
            return ()
        if self.stop_last_trials and now >= self.max_t:
            why = {"time_attr": self.time_attr, "time": now, "max_t": self.max_t}
            self._stopped += 1
            return (Stop(trial, f"reached max_t: {self.time_attr} is {now:g} of {self.max_t:g}", why),)
        for rung in self._brackets[self._bracket_of.get(trial, 0)]:
            if now < rung.milestone or now != now:  # noqa: PLR0124 (NaN)
                continue
            if trial not in rung.seen:
                if experiment.trial(trial).status is Status.HALTING:
                    return ()  # a late result: it is letting go
                return self._compare(rung, trial, goal, score)
            if not self.stop_last_trials:
                return ()
        return ()

    def _compare(self, rung: Rung, trial: TrialId, goal: Goal, score: Score) -> Sequence[Decision]:
        cutoff = rung.cutoff(self._quantile)
        rung.seen.add(trial)
        if score < WORST:
            insort(rung.scores, score)
        if cutoff is None or score <= cutoff:
            return ()
        self._stopped += 1
        rank, of = bisect_left(rung.scores, score) + 1, len(rung.scores) + (score == WORST)
        reason = (
            f"rung {rung.milestone:g}: {goal.metric} {goal.value(score):.6g} is worse than the cutoff "
            f"{goal.value(cutoff):.6g} (rank {rank} of {of})"
        )
        why = {
            "metric": goal.metric,
            "value": goal.value(score),
            "rung": rung.milestone,
            "bracket": self._bracket_of.get(trial, 0),
            "cutoff": goal.value(cutoff),
            "rank": rank,
            "of": of,
        }
        return (Stop(trial, reason, why),)
