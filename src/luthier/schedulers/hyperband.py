"""HyperBand: successive halving in brackets that trade many short trials for few long ones.

Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: "Hyperband: A Novel Bandit-Based Approach to Hyperparameter
Optimization", JMLR 18 (2018), Algorithm 1.  Brackets have the shapes that Ray Tune's users know.
"""

from __future__ import annotations

from collections.abc import KeysView
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from luthier.core.arguments import at_least, flag, more_than
from luthier.core.events import Ended, Exited, Proposed, Reported, Stalled
from luthier.core.goal import WORST, lookup, number
from luthier.core.policy import Pause, Resume, Stop
from luthier.core.terms import Status
from luthier.schedulers.arguments import check_spread, goal_in, metric_name, own_goal
from luthier.schedulers.bracket import Bracket, Came, most_halvings, shape_of
from luthier.schedulers.fifo import LEFT_BEHIND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from luthier.core.events import News
    from luthier.core.goal import Goal
    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import TrialId, Why
    from luthier.schedulers.bracket import Shape

_MOST_RUNGS = 1_000  # of one bracket; there are as many brackets


class Hyperband:
    """Trials wait at a rung until all of their bracket came; the best ``1/reduction_factor`` go on, the others stop.

    Trials fill one bracket after the other, in rounds ("bands") of ``s_max + 1`` brackets: first the one that halves
    never, last the one that halves most.  A trial that comes to a rung is paused, which sets its worker free for the
    rest of the bracket; who comes last is judged at once, and goes on without a pause if it is good enough.  A trial
    that ends inside a rung is not waited for.  A bracket that will not fill is halved as it is: when it is known that
    no further trial comes, or that nobody else can go on.

    A trial is judged by its first result at or after the milestone that holds the metric; NaN is worst, and among
    equals the older trial is better.  A trial that starts anew after a pause, for want of a checkpoint, is next judged
    at the next milestone.  A result without *time_attr* changes nothing.

    Args:
        time_attr: metric that says how far a trial is.
        goal: what is compared; the experiment's first goal where None.
        max_t: time at which a trial has had enough, 1 or more; rungs are at whole numbers.
        reduction_factor: how many come to a rung for one that goes on, and how far apart rungs are (``eta``).
        stop_last_trials: whether a trial is stopped at its bracket's last milestone.

    Raises:
        BadArgument: for an argument out of its range.

    >>> Hyperband(max_t=9, reduction_factor=3)
    Hyperband(3 from 9, 5 from 3, 9 from 1)
    """

    def __init__(
        self,
        time_attr: str = "training_iteration",
        goal: Goal | None = None,
        max_t: float = 81,
        reduction_factor: float = 3,
        stop_last_trials: bool = True,
    ) -> None:
        self.time_attr, self.goal = metric_name("time_attr", time_attr), own_goal(goal)
        self.max_t, self.stop_last_trials = at_least("max_t", max_t, 1), flag("stop_last_trials", stop_last_trials)
        self.eta = more_than("reduction_factor", reduction_factor, 1)
        check_spread(self.eta, 1, self.max_t, _MOST_RUNGS)
        self._of: dict[TrialId, Bracket] = {}
        self._brackets: dict[int, Bracket] = {}  # those that have trials, in the order in which they were opened
        self._filling: Bracket | None = None  # the one that the next trial joins
        self._opened = 0
        self._shapes = self._plan()

    def __repr__(self) -> str:
        brackets = (f"{shape.sizes[0]} from {shape.milestones[0]}" for shape in self._shapes)
        return f"{type(self).__name__}({', '.join(brackets)})"

    def _plan(self) -> list[Shape]:
        """Return the shapes of a band, in the order in which they are filled."""
        shapes = (shape_of(s, self.max_t, self.eta) for s in range(most_halvings(self.max_t, self.eta) + 1))
        return [shape for shape in shapes if shape is not None]

    @property
    def budgets(self) -> tuple[int, ...]:
        """All milestones, the least first: a result was had at the last budget that its time reached.

        >>> Hyperband(max_t=9).budgets
        (1, 3, 9)
        """
        return tuple(sorted({at for shape in self._shapes for at in shape.milestones}))

    # -- the protocol --------------------------------------------------------------------------------------------------
    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return pauses at a rung, and what becomes of a bracket's trials when all came there.

        Raises:
            BadArgument: there is nothing to compare: neither this scheduler nor the experiment has a goal.
        """
        decisions: Sequence[Decision] = ()
        if isinstance(news, Reported):
            decisions = self._hear(news, experiment)
        elif isinstance(news, Proposed):
            goal_in(self.goal, experiment, "HyperBand")  # complains before anything has run
            self._place(news.trial, news.number)
        elif isinstance(news, Ended):
            decisions = self._leave(news.trial, experiment)
        elif isinstance(news, Exited):
            bracket = self._of.get(news.trial)
            if bracket is not None and news.trial in bracket.live and news.trial not in bracket.came:
                bracket.ready[news.trial] = None
        elif isinstance(news, Stalled):
            return self._unstick(experiment)
        last = self._filling
        if last is not None and last.gathered and not decisions and experiment.closed:
            return self._halve(last, experiment)
        return decisions

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return one of the earliest band, of the bracket in it that is least complete; there, first come first."""
        offered = waiting if isinstance(waiting, KeysView) else dict.fromkeys(waiting)
        for bracket in self._in_turn():
            for trial in bracket.ready:
                if trial in offered:
                    return trial
        return next(iter(offered), None)

    def _in_turn(self) -> Iterator[Bracket]:
        """Yield the brackets that have trials to pick, in the order in which they are served."""
        for _, band in groupby(self._brackets.values(), key=attrgetter("band")):
            yield from sorted((bracket for bracket in band if bracket.ready), key=attrgetter("completeness"))

    # -- coming and going ----------------------------------------------------------------------------------------------
    def _place(self, trial: TrialId, trial_number: int) -> None:
        bracket = self._filling
        if bracket is None:
            band, turn = divmod(self._opened, len(self._shapes))
            bracket = self._filling = self._brackets[self._opened] = Bracket(self._shapes[turn], band, self._opened)
            self._opened += 1
        bracket.join(trial, trial_number)
        self._of[trial] = bracket
        if bracket.full:
            self._filling = None

    def _leave(self, trial: TrialId, experiment: ExperimentView) -> Sequence[Decision]:
        bracket = self._of.get(trial)
        if bracket is None:
            return ()
        self._drop(trial, bracket)
        return self._halve(bracket, experiment) if self._is_due(bracket, experiment) else ()

    def _drop(self, trial: TrialId, bracket: Bracket) -> None:
        bracket.drop(trial)
        if bracket.full and not bracket.live:
            self._brackets.pop(bracket.opened, None)

    def _hear(self, news: Reported, experiment: ExperimentView) -> Sequence[Decision]:
        trial, bracket = news.trial, self._of.get(news.trial)
        now = number(lookup(news.metrics, self.time_attr))
        if bracket is None or now is None or not -WORST < now < WORST:
            return ()
        bracket.hear(trial, now)
        if now < bracket.milestone and trial in bracket.live:
            return ()
        view = experiment.trial(trial)
        if (bracket.last and not self.stop_last_trials) or view.status is not Status.RUNNING:
            return ()  # nobody is judged there any more, or the result is late: the trial was judged before
        if trial not in bracket.live:  # it was started again after its end
            bracket.live[trial] = view.number
            self._brackets[bracket.opened] = bracket
            self._brackets = dict(sorted(self._brackets.items()))
            if now < bracket.milestone:
                return ()
        return self._come(news, bracket, now, experiment)

    def _come(self, news: Reported, bracket: Bracket, now: float, experiment: ExperimentView) -> Sequence[Decision]:
        trial, goal = news.trial, goal_in(self.goal, experiment, "HyperBand")
        score = goal.score(news.metrics)
        if bracket.last or (score is None and self.stop_last_trials and now >= bracket.shape.milestones[-1]):
            stop = self._enough(trial, bracket, now, "" if bracket.last else f" without {goal.metric}")
            return (stop, *self._leave(trial, experiment))
        if score is None:
            return ()
        came = bracket.came[trial] = Came(score, bracket.live[trial], now)
        decisions = self._halve(bracket, experiment, here=trial) if self._is_due(bracket, experiment) else []
        if trial not in bracket.came:
            return decisions
        there, live = len(bracket.came), len(bracket.live)
        reason = f"{_place_of(bracket)}: waits, {there} of {live} came{'' if bracket.full else '; more may follow'}"
        why = {**self._where(bracket, now), "metric": goal.metric, "value": goal.value(came.score)}
        return (*decisions, Pause(trial, reason, {**why, "there": there, "of": live}))

    # -- halving -------------------------------------------------------------------------------------------------------
    def _is_due(self, bracket: Bracket, experiment: ExperimentView) -> bool:
        return bracket.gathered and (bracket.full or experiment.closed)

    def _halve(self, bracket: Bracket, experiment: ExperimentView, here: TrialId | None = None) -> list[Decision]:
        """Send the best of *bracket* on to the next rung; the trial that is *here*, on its worker, needs no order."""
        if self._filling is bracket:
            self._filling, bracket.full = None, True
        goal = goal_in(self.goal, experiment, "HyperBand")
        decisions: list[Decision] = []
        while bracket.gathered and not bracket.last:
            decisions += self._climb(bracket, goal, here)
        return decisions

    def _climb(self, bracket: Bracket, goal: Goal, here: TrialId | None) -> Iterator[Decision]:
        ranked, came, where, place = bracket.rank(), bracket.came, self._where(bracket), _place_of(bracket)
        of = len(ranked)
        stay, bracket.came = min(bracket.climb(self.eta), of), {}
        cutoff = goal.value(came[ranked[stay - 1]].score)
        where.update(metric=goal.metric, cutoff=cutoff, of=of)
        for rank, trial in enumerate(ranked, 1):
            value, now = goal.value(came[trial].score), came[trial].time
            why, had = {**where, "time": now, "value": value, "rank": rank}, f"{place}: {goal.metric} {value:.6g}"
            if rank > stay:
                self._drop(trial, bracket)
                reason = f"rank {rank} of {of} at {had} is not among the best {stay} (cutoff {cutoff:.6g})"
                yield Stop(trial, reason, why)
            elif now < bracket.milestone or (bracket.last and not self.stop_last_trials):
                if trial != here:
                    bracket.ready[trial] = None
                    reason = f"rank {rank} of {of} at {had} goes on to {bracket.milestone}"
                    yield Resume(trial, reason, {**why, "next": bracket.milestone})
            elif bracket.last:
                self._drop(trial, bracket)
                yield self._enough(trial, bracket, now)
            else:  # its result was far beyond the rung: it came to the next one already
                bracket.came[trial] = came[trial]

    def _unstick(self, experiment: ExperimentView) -> Sequence[Decision]:
        """Nobody runs: halve what has gathered, however few they are."""
        decisions: list[Decision] = []
        for trial in experiment.having(Status.PAUSED):
            bracket = self._of.get(trial)
            if bracket is not None and trial not in bracket.live:
                decisions.append(Stop(trial, f"{_place_of(bracket)}: its bracket went on without it"))
            elif bracket is None or trial not in bracket.came:
                decisions.append(Resume(trial, LEFT_BEHIND))
        if not decisions:
            for bracket in list(self._brackets.values()):
                decisions += self._halve(bracket, experiment)
        return decisions

    # -- saying why ----------------------------------------------------------------------------------------------------
    def _where(self, bracket: Bracket, now: float | None = None) -> Why:
        where: Why = {"time_attr": self.time_attr, "time": now}
        return where | {"bracket": bracket.shape.s, "band": bracket.band, "rung": bracket.milestone}

    def _enough(self, trial: TrialId, bracket: Bracket, now: float, short: str = "") -> Stop:
        at = bracket.shape.milestones[-1]
        reason = f"bracket {bracket.shape.s}: reached its last rung{short}: {self.time_attr} is {now:g} of {at}"
        return Stop(trial, reason, {**self._where(bracket, now), "rung": at, "max_t": self.max_t})


def _place_of(bracket: Bracket) -> str:
    return f"bracket {bracket.shape.s}, rung {bracket.milestone}"
