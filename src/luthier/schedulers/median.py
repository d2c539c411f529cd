"""The median stopping rule.

Golovin, Solnik, Moitra, Kochanski, Karro, Sculley: "Google Vizier: A Service for Black-Box Optimization", KDD 2017,
section 3.2.2: a trial is stopped where its best result so far is worse than the median of the running averages of the
other trials' results up to the same time.  As Ray Tune's users know it: trials that have not ended count, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.arguments import at_least, flag, whole
from luthier.core.events import Proposed, Reported, Stalled
from luthier.core.goal import WORST
from luthier.core.policy import Pause, Resume, Stop
from luthier.core.terms import Status
from luthier.schedulers.arguments import goal_in, own_goal
from luthier.schedulers.clock import Clock
from luthier.schedulers.course import Course, Field
from luthier.schedulers.fifo import Fifo, left_behind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.events import News
    from luthier.core.goal import Goal, Score
    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import TrialId


class MedianRule(Fifo):
    """Stops a trial whose best result is worse than what half of the others have been on average.

    At a result of a trial, at time t >= *grace_period*: the median is that of the other trials which have reported at t
    or later, each with the mean of its results from *grace_period* up to t.  Trials that have ended count like those
    that run; means that are not finite do not.  Equal is not worse.  NaN counts as the worst there is.

    Where fewer than *min_samples_required* can be compared with, the trial goes on; if trials that have not come as far
    wait for a worker, and it had its turn of *min_time_slice*, it yields its own to them, and waits behind them with
    its checkpoint.

    A trial that was judged once is not judged again: with *hard_stop* it has ended; otherwise it is paused, and goes on
    to its end when nothing else is left to run.

    Args:
        time_attr: metric that says how far a trial is.
        goal: what is compared; the experiment's first goal where None.
        grace_period: time before which no trial is judged and no result enters an average.
        min_samples_required: how many other trials it takes to judge one.
        min_time_slice: time for which a trial has its worker before it yields it.
        hard_stop: whether what is worse ends; it is put off otherwise.

    Raises:
        BadArgument: for an argument out of its range.

    >>> MedianRule("training_iteration", grace_period=3)
    MedianRule(by training_iteration, from 3 on, with 3 or more others)
    """

    def __init__(
        self,
        time_attr: str = "time_total_s",
        goal: Goal | None = None,
        grace_period: float = 60.0,
        min_samples_required: int = 3,
        min_time_slice: float = 0,
        hard_stop: bool = True,
    ) -> None:
        self._clock, self.goal, self.hard_stop = Clock(time_attr), own_goal(goal), flag("hard_stop", hard_stop)
        self.grace_period = at_least("grace_period", grace_period, 0)
        self.min_samples_required = whole("min_samples_required", min_samples_required, 1)
        self.min_time_slice = at_least("min_time_slice", min_time_slice, 0)
        self._field = Field(self.grace_period)
        self._courses: dict[TrialId, Course] = {}
        self._judged: set[TrialId] = set()
        self._put_off: dict[TrialId, None] = {}
        self._yielded: dict[TrialId, float] = {}  # when a trial last did

    @property
    def time_attr(self) -> str:
        """The metric that says how far a trial is."""
        return self._clock.time_attr

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(by {self.time_attr}, from {self.grace_period:g} on, "
            f"with {self.min_samples_required} or more others)"
        )

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return what becomes of the trial in the news, if it is not to go on; and who goes on when all else is done.

        Raises:
            BadArgument: there is nothing to compare: neither this scheduler nor the experiment has a goal.
        """
        if isinstance(news, Reported):
            return self._hear(news, experiment)
        if isinstance(news, Proposed):
            goal_in(self.goal, experiment, "the median stopping rule")  # complains before anything has run
        elif isinstance(news, Stalled):
            return self._take_up(experiment)
        return ()

    def _hear(self, news: Reported, experiment: ExperimentView) -> Sequence[Decision]:
        trial = news.trial
        if trial in self._judged:
            return ()
        goal = self.goal or goal_in(None, experiment, "the median stopping rule")
        now, score = self._clock.read(news.metrics), goal.score(news.metrics)
        if now is None or score is None or now == WORST:
            return ()
        course = self._courses.get(trial)
        if course is None:
            course = self._courses[trial] = Course()
        field, best = self._field, min(course.best, score)
        field.leave(course, now)
        less = count = 0
        median: Score | None = None
        if now >= self.grace_period:
            less, count = field.below(now, best)
            if count >= self.min_samples_required and 2 * less >= count:
                median = field.median(now)
        field.enter(course, now, score)
        if median is not None and best > median:
            return self._judge(trial, now, goal, best, median, less + 1, count + 1)
        if count < self.min_samples_required and now >= self.grace_period:
            return self._make_way(trial, now, count, experiment)
        return ()

    def _judge(
        self, trial: TrialId, now: float, goal: Goal, best: Score, median: Score, rank: int, of: int
    ) -> Sequence[Decision]:
        self._judged.add(trial)
        reason = (
            f"worse than the median {goal.value(median):.6g} of {of - 1} others: {goal.metric} was "
            f"{goal.value(best):.6g} at best when {self.time_attr} was {now:g} (rank {rank} of {of})"
        )
        why = {
            "metric": goal.metric,
            "value": goal.value(best),
            "time_attr": self.time_attr,
            "time": now,
            "cutoff": goal.value(median),
            "rank": rank,
            "of": of,
        }
        if self.hard_stop:
            return (Stop(trial, reason, why),)
        self._put_off[trial] = None
        return (Pause(trial, reason, why),)

    def _make_way(self, trial: TrialId, now: float, count: int, experiment: ExperimentView) -> Sequence[Decision]:
        """Let *trial* wait behind those that wait, if it had its turn and some of them have yet to come as far."""
        turn = now - self._yielded.get(trial, -WORST)
        if turn <= self.min_time_slice or not any(self._is_behind(t, now) for t in experiment.having(Status.PENDING)):
            return ()
        self._yielded[trial] = now
        reason = (
            f"yields to trials that wait: when {self.time_attr} was {now:g} there were {count} others to compare it "
            f"with, of {self.min_samples_required}"
        )
        why = {"time_attr": self.time_attr, "time": now, "of": count}
        return (Pause(trial, reason, why), Resume(trial, reason, why))

    def _is_behind(self, trial: TrialId, now: float) -> bool:
        course = self._courses.get(trial)
        return trial not in self._judged and (course is None or course.last is None or course.last < now)

    def _take_up(self, experiment: ExperimentView) -> Sequence[Decision]:
        """Let the trials that were put off go on: nothing else is left to run."""
        put_off, self._put_off = self._put_off, {}
        reason = "was put off by the median stopping rule; nothing else is left to run"
        own = [Resume(t, reason) for t in put_off if experiment.trial(t).status is Status.PAUSED]
        return [*own, *left_behind(experiment, put_off)]
