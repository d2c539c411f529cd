"""Asynchronous successive halving (ASHA) that promotes: trials wait at a rung until they are among its best.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar: "A System for Massively Parallel Hyperparameter
Tuning", MLSys 2020 (arXiv 1810.05934), Algorithm 2.  Its ``get_job`` is two halves here: what may be promoted is
resumed as soon as it may be, and :meth:`AshaPromotion.pick` gives a free worker to the highest rung first; where
nothing waits the engine lets a new trial be born, which grows the bottom rung.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, NamedTuple

from luthier.core.arguments import check, more_than
from luthier.core.events import Ended, Proposed, Reported, Stalled
from luthier.core.goal import WORST, Score, lookup, number
from luthier.core.policy import Pause, Resume, Stop
from luthier.core.terms import Status, TrialId
from luthier.schedulers.arguments import check_spread, goal_in, metric_name, own_goal, rung_at
from luthier.schedulers.fifo import Fifo, left_behind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from luthier.core.events import News
    from luthier.core.goal import Goal
    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Why


class Place(NamedTuple):
    """A trial at a rung; the better is the smaller, the earlier trial of equals."""

    score: Score
    number: int
    trial: TrialId


class Landing:
    """A rung at which trials wait to be promoted.

    Attributes:
        level: time of the rung, in units of the scheduler's ``time_attr``.
        came: all that came here, best first.
        waiting: those of them that were not promoted, best first.
    """

    __slots__ = ("came", "level", "waiting")

    def __init__(self, level: float) -> None:
        self.level = level
        self.came: list[Place] = []
        self.waiting: list[Place] = []

    def __repr__(self) -> str:
        return f"Landing({self.level:g}, {len(self.waiting)} of {len(self.came)} wait)"

    def rank(self, place: Place) -> int:
        """Return the how-manieth *place* is among all that came, from 1."""
        return bisect_left(self.came, place) + 1

    def promotable(self, factor: float) -> Place | None:
        """Return the best that waits, if it is among the best 1/*factor* of all that came.

        >>> landing = Landing(1)
        >>> landing.came = landing.waiting = [Place(0.1, 1, "b"), Place(0.2, 0, "a")]
        >>> landing.promotable(2).trial, landing.promotable(3)
        ('b', None)
        """
        if not self.waiting:
            return None
        first = self.waiting[0]
        return first if self.rank(first) <= int(len(self.came) / factor) else None

    def leave(self, place: Place) -> None:
        """Take *place* off those that wait."""
        del self.waiting[bisect_left(self.waiting, place)]


class AshaPromotion(Fifo):
    """Pauses every trial at its rung; whoever is among the best ``1/reduction_factor`` there goes on.

    Rungs are at ``grace_period * reduction_factor**k`` below *max_t*.  Unlike :class:`~luthier.schedulers.asha.Asha`,
    which lets the first that come to a rung pass and never takes a stop back, it promotes late: a trial that was paused
    goes on once enough worse ones have come.  It needs checkpoints, or promoted trials begin anew.

    A trial that may be promoted when it comes to a rung goes on without letting go of its worker.  One whose score is
    NaN or the worst infinity is stopped at its rung, and counts among those that came.  Where nothing can run any more,
    the best trial of the highest rung goes on unless somebody has reached *max_t* (or came to its own end); then those
    that were never promoted are stopped.

    Args:
        time_attr: metric that says how far a trial is.
        goal: what is compared; the experiment's first goal where None.
        max_t: time at which a trial has had enough.
        grace_period: time of the lowest rung.
        reduction_factor: how many come to a rung for one that goes on, and how far apart rungs are.

    Raises:
        BadArgument: for an argument out of its range.

    >>> AshaPromotion(max_t=9, reduction_factor=3)
    AshaPromotion(rungs at 1, 3; ends at 9)
    """

    def __init__(
        self,
        time_attr: str = "training_iteration",
        goal: Goal | None = None,
        max_t: float = 100,
        grace_period: float = 1,
        reduction_factor: float = 4,
    ) -> None:
        self.time_attr, self.goal = metric_name("time_attr", time_attr), own_goal(goal)
        self.max_t = more_than("max_t", max_t, 0)
        least = more_than("grace_period", grace_period, 0)
        check("grace_period", grace_period, least <= max_t, f"a number <= max_t, which is {max_t}")
        self.reduction_factor = more_than("reduction_factor", reduction_factor, 1)
        check_spread(self.reduction_factor, least, self.max_t)
        levels = [least]
        while levels[-1] < self.max_t:
            levels.append(rung_at(least, self.reduction_factor, len(levels)))
        self._landings = [Landing(level) for level in levels[:-1]]
        self._next: dict[TrialId, int] = {}  # the rung that a trial is on its way to
        self._held: dict[TrialId, tuple[Landing, Place]] = {}  # where those are that wait to be promoted
        self._ready: dict[TrialId, tuple[int, Place]] = {}  # who was promoted and has not reported since
        self._kept = 0  # how many of these there were when they were last looked through
        self._arrived = False  # somebody came as far as anybody may

    def __repr__(self) -> str:
        rungs = ", ".join(f"{landing.level:g}" for landing in self._landings)
        return f"{type(self).__name__}(rungs at {rungs}; ends at {self.max_t:g})"

    # -- what it hears -------------------------------------------------------------------------------------------------
    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return who pauses, who goes on and who is stopped after *news*.

        Raises:
            BadArgument: there is nothing to compare: neither this scheduler nor the experiment has a goal.
        """
        match news:
            case Reported():
                return self._judge(news, experiment)
            case Proposed():
                goal_in(self.goal, experiment, type(self).__name__)  # complains before anything has run
            case Ended(trial, status):
                self._arrived |= status is Status.DONE
                self._forget(trial)
            case Stalled():
                return self._unstick(experiment)
            case _:
                pass
        return ()

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return who was promoted from the highest rung, the best of these first; else the first that waits."""
        promoted = [t for t in self._ready if experiment.trial(t).status is Status.PENDING]
        if not promoted:
            return next(iter(waiting), None)
        offered = waiting if isinstance(waiting, AbstractSet) else dict.fromkeys(waiting)
        best = min(((self._ready[t], t) for t in promoted if t in offered), default=None)
        return next(iter(offered), None) if best is None else best[1]

    def _forget(self, trial: TrialId) -> None:
        self._next.pop(trial, None)
        self._ready.pop(trial, None)
        self._release(trial)

    def _release(self, trial: TrialId) -> None:
        if trial in self._held:
            landing, place = self._held.pop(trial)
            landing.leave(place)

    # -- what it decides -----------------------------------------------------------------------------------------------
    def _judge(self, news: Reported, experiment: ExperimentView) -> Sequence[Decision]:
        trial = news.trial
        if trial in self._held:
            if experiment.trial(trial).status is not Status.RUNNING:
                return ()  # a late result: it is letting go
            self._release(trial)  # somebody else had it go on
        self._ready.pop(trial, None)
        goal = goal_in(self.goal, experiment, type(self).__name__)
        now, score = number(lookup(news.metrics, self.time_attr)), goal.score(news.metrics)
        if now is None or score is None:
            return ()
        self._heed(trial, now, score)
        if now >= self.max_t:
            self._arrived = True
            why = {"time_attr": self.time_attr, "time": now, "max_t": self.max_t}
            return (Stop(trial, f"reached max_t: {self.time_attr} is {now:g} of {self.max_t:g}", why),)
        at, landings = self._next.get(trial, 0), self._landings
        if at >= len(landings) or not now >= landings[at].level:  # NaN is no time
            return ()
        t = experiment.trial(trial)
        if t.status is Status.HALTING:
            return ()  # a late result
        while at < min(self._most(), len(landings) - 1) and now >= landings[at + 1].level:  # it skipped a rung
            at += 1
        self._next[trial] = at + 1
        return self._land(Place(score, t.number, trial), at, goal, experiment)

    def _land(self, place: Place, at: int, goal: Goal, experiment: ExperimentView) -> Sequence[Decision]:
        """Record *place* at a rung; let it wait there, and promote whoever may be."""
        landing, trial = self._landings[at], place.trial
        insort(landing.came, place)
        why = self._why(landing, place, goal)
        if place.score == WORST:
            reason = f"rung {landing.level:g}: {goal.metric} is {goal.value(WORST):g} or no number"
            return [Stop(trial, reason, why), *self._promoted(goal, experiment)]
        insort(landing.waiting, place)
        self._held[trial] = landing, place
        self._compare(place, at)
        promoted = [p for p in self._promoted(goal, experiment) if p.trial != trial]
        if trial not in self._held:
            return promoted
        reason = f"rung {landing.level:g}: {goal.metric} {goal.value(place.score):.6g} is {_ranked(why)}"
        return [Pause(trial, f"{reason}, waits", why), *promoted]

    def _promoted(self, goal: Goal, experiment: ExperimentView) -> Iterator[Resume]:
        """Promote all that may be, from the highest rung down."""
        for at in range(self._most() - 1, -1, -1):
            landing = self._landings[at]
            while (place := landing.promotable(self.reduction_factor)) is not None:
                why = self._why(landing, place, goal)
                yield self._resume(place, at, f"promoted from rung {landing.level:g}: {_ranked(why)}", why, experiment)

    def _resume(self, place: Place, at: int, reason: str, why: Why, experiment: ExperimentView) -> Resume:
        self._release(place.trial)
        self._ready[place.trial] = -at, place
        if len(self._ready) > 2 * self._kept + 8:  # those that run have been picked
            running = [t for t in self._ready if experiment.trial(t).status is Status.RUNNING]
            for trial in running:
                del self._ready[trial]
            self._kept = len(self._ready)
        return Resume(place.trial, reason, why)

    def _unstick(self, experiment: ExperimentView) -> Sequence[Decision]:
        """Let the best of the highest rung go on if nobody came to the end, else stop all that wait."""
        strangers = left_behind(experiment, self._held)
        if strangers or not self._held:
            return strangers
        goal = goal_in(self.goal, experiment, type(self).__name__)
        if not self._is_over():
            for at in range(self._most() - 1, -1, -1):
                landing = self._landings[at]
                if landing.waiting:
                    place = landing.waiting[0]
                    why = self._why(landing, place, goal)
                    reason = f"nothing else can run: the best at rung {landing.level:g} goes on ({_ranked(why)})"
                    return (self._resume(place, at, reason, why, experiment),)
        stops = []
        for trial, (landing, place) in self._held.items():
            why = self._why(landing, place, goal)
            stops.append(Stop(trial, f"rung {landing.level:g}: never promoted, {_ranked(why)}", why))
        return stops

    def _why(self, landing: Landing, place: Place, goal: Goal) -> Why:
        return {
            "metric": goal.metric,
            "value": goal.value(place.score),
            "rung": landing.level,
            "bracket": 0,
            "rank": landing.rank(place),
            "of": len(landing.came),
        }

    # -- what a variant may change -------------------------------------------------------------------------------------
    def _most(self) -> int:
        """Return from how many rungs trials may be promoted."""
        return len(self._landings)

    def _is_over(self) -> bool:
        """Return whether somebody came as far as anybody may."""
        return self._arrived

    def _heed(self, trial: TrialId, now: float, score: Score) -> None:
        """Hear every result that has a time and a score."""

    def _compare(self, place: Place, at: int) -> None:
        """Hear who came to which rung."""


def _ranked(why: Why) -> str:
    return f"rank {why['rank']} of {why['of']}"
