"""Population based training: at intervals the worst go on from the best, with a config that is a little different.

Jaderberg, Dalibard, Osindero, Czarnecki, Donahue, Razavi, Vinyals, Green, Dunning, Simonyan, Fernando, Kavukcuoglu:
"Population Based Training of Neural Networks", 2017 (arXiv 1711.09846): algorithm 1, with truncation selection (section
4.1.1, "exploit"); ``synch`` is appendix A.1.  What is explored is the business of :mod:`luthier.schedulers.explore`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from luthier.core.arguments import at_least, flag, more_than, share, whole
from luthier.core.errors import BadArgument
from luthier.core.events import Ended, Exited, Proposed, Reported, Stalled
from luthier.core.goal import WORST, lookup, number
from luthier.core.policy import Exploit, Pause, Resume
from luthier.core.space import same
from luthier.core.terms import Status, Then
from luthier.schedulers.arguments import goal_in, metric_name, own_goal
from luthier.schedulers.deferred import Deferred, Promise
from luthier.schedulers.fifo import left_behind
from luthier.schedulers.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luthier.core.events import News
    from luthier.core.goal import Goal
    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config, Metrics, TrialId
    from luthier.schedulers.explore import Explore

_LATEST = 1.7976931348623157e308  # the greatest float: a milestone that is never infinite
WHO = "population based training"


class Member:
    """A trial of the population.

    Attributes:
        last: time of its last perturbation; that of the trial it went on from, where it did.
        time: how far it is, as far as it was recorded; the least goes first where some must wait.
        attempt: the latest attempt that was heard of.
        fence: the attempt up to which its checkpoints are not of what it is now: it has exploited since.
        saved: whether it has a checkpoint of its own since then.
        turn: its place among those with the same time: who came to it first goes first.
    """

    __slots__ = ("attempt", "fence", "id", "last", "number", "saved", "time", "turn")

    def __init__(self, trial: TrialId, number_: int) -> None:
        self.id, self.number = trial, number_
        self.last = self.time = 0.0
        self.attempt = self.fence = self.turn = 0
        self.saved = False

    def __repr__(self) -> str:
        return f"Member({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


class Pbt:
    """Lets the lower quantile of a population go on from the checkpoints of the upper one, with explored configs.

    A trial is looked at when a report comes *perturbation_interval* or more after its last perturbation, and not before
    *burn_in_period*.  Its score is recorded; if it is then in the lower quantile of all that were recorded and have not
    ended, one of the upper quantile is drawn, and it restarts from that one's last checkpoint with a config that
    *explore* makes.  A trial that is drawn and has saved none, or scores no better than NaN, is not followed: then
    nothing changes.

    More trials than there is room for are a population all the same.  A trial that is looked at lets those go first
    that wait (of which the one with the least time does), if its report came with a checkpoint.  Before all have begun
    it pauses for a new one, and is judged when the last one begins.

    With *synch* all wait for each other at each multiple of the interval.

    Args:
        explore: makes the config to go on with.
        time_attr: metric that says how far a trial is.
        goal: what trials are compared by; the experiment's first goal where None.
        perturbation_interval: in units of *time_attr*, above 0.
        burn_in_period: time before which nothing happens.
        quantile_fraction: share of the population in each outer quantile, 0 to 0.5; 0 for no exploitation.
        require_attrs: whether a result without *time_attr* or the metric is an error, or is passed over.
        synch: whether all are perturbed at once.
        population: how many trials there will be; None where nobody knows: then it is those that have begun.

    Raises:
        BadArgument: for an argument out of its range.

    >>> from luthier.schedulers.explore import Mutations
    >>> Pbt(Mutations({"lr": [0.1, 0.2]}), "training_iteration", perturbation_interval=5)
    Pbt(every 5 of training_iteration)
    """

    def __init__(
        self,
        explore: Explore,
        time_attr: str = "time_total_s",
        goal: Goal | None = None,
        perturbation_interval: float = 60.0,
        burn_in_period: float = 0.0,
        quantile_fraction: float = 0.25,
        require_attrs: bool = True,
        *,
        synch: bool = False,
        population: int | None = None,
    ) -> None:
        self.explore, self.time_attr, self.goal = explore, metric_name("time_attr", time_attr), own_goal(goal)
        self.perturbation_interval = more_than("perturbation_interval", perturbation_interval, 0)
        self.burn_in_period = at_least("burn_in_period", burn_in_period, 0)
        self.quantile_fraction = share("quantile_fraction", quantile_fraction, 0.5)
        self.require_attrs, self.synch = flag("require_attrs", require_attrs), flag("synch", synch)
        self.population = None if population is None else whole("population", population, 1)
        self._members: dict[TrialId, Member] = {}  # those that have not ended
        self._ids: dict[int, TrialId] = {}  # by number
        self._ranking = Ranking()
        self._line: list[tuple[float, int, TrialId]] = []  # the members, by time
        self._turns = 0
        self._arrived: dict[TrialId, None] = {}  # where all wait for each other: those at the milestone
        self._benched: dict[TrialId, None] = {}  # those that were paused and not let go on
        self._milestone = max(self.perturbation_interval, self.burn_in_period)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(every {self.perturbation_interval:g} of {self.time_attr})"

    # -- the protocol --------------------------------------------------------------------------------------------------
    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return who goes on from whom, who lets others go first and who may go on.

        Raises:
            BadArgument: there is nothing to compare by, or a result lacks what is required.
        """
        self.explore.tell(news, experiment)
        if isinstance(news, Reported):
            return self._look(news, experiment, rng)
        if isinstance(news, Proposed):
            goal_in(self.goal, experiment, WHO)  # complains before anything has run
            self._join(news.trial, news.number)
            if not self.synch and len(experiment) == self.population:
                return self._release(experiment, rng, "all trials have begun")
        elif isinstance(news, Exited):
            member = self._member(news.trial, experiment)
            member.attempt = news.attempt
            self._note(member, news)
        elif isinstance(news, Ended):
            self._leave(news.trial)
            if self._arrived and self._all_here(experiment):
                return self._round(None, experiment, rng)
        elif isinstance(news, Stalled):
            strangers = left_behind(experiment, self._benched)
            if strangers:
                return strangers
            if self._arrived:
                return self._round(None, experiment, rng)
            return self._release(experiment, rng, "there is room again")
        return ()

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return the one of *waiting* that has come the least far."""
        if isinstance(waiting, AbstractSet):
            return next((trial for _, _, trial in self._line if trial in waiting), None)
        return min(waiting, key=self._place, default=None)

    # -- a report ------------------------------------------------------------------------------------------------------
    def _look(self, news: Reported, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        member = self._member(news.trial, experiment)
        member.attempt = news.attempt
        if news.checkpoint is not None:
            self._note(member, news)
        goal = goal_in(self.goal, experiment, WHO)
        now, score = number(lookup(news.metrics, self.time_attr)), goal.score(news.metrics)
        if now is None or score is None:
            if self.require_attrs:
                raise _missing(("time_attr", self.time_attr) if now is None else ("metric", goal.metric), news.metrics)
            return ()
        if now < self.burn_in_period or not self.perturbation_interval <= now - member.last < WORST:
            return ()  # NaN and the infinities too: they are no times
        if experiment.trial(member.id).status is not Status.RUNNING:
            return ()  # a late result: what becomes of the trial is decided already
        self._move(member, now)
        self._ranking.put(member.number, score)
        self.explore.record(member.id, now, score, experiment)
        if self.synch:
            return self._arrive(member, experiment, rng)
        member.last = now
        if news.checkpoint is not None and self._growing(experiment):
            self._benched[member.id] = None
            return (Pause(member.id, "makes room for a trial that has not begun"),)
        if self._ranking.at_bottom(member.number, self.quantile_fraction):
            source = self._source(experiment, rng)
            if source is not None:
                return Deferred([self._exploit(member, source, experiment, rng)])
        if news.checkpoint is not None and experiment.having(Status.PENDING):  # else it would lose what it has done
            return (
                Pause(news.trial, "lets those go first that wait"),
                Resume(news.trial, "goes on when there is room"),
            )
        return ()

    def _source(self, experiment: ExperimentView, rng: Rng) -> Member | None:
        """Return one of the upper quantile that can be followed, or None where the one that was drawn cannot."""
        n = self._ranking.nth_best(rng.below(self._ranking.size(self.quantile_fraction)))
        source = self._members[self._ids[n]]
        order = experiment.trial(source.id).order
        if order is not None and order.then is Then.STOP:  # it is as good as over: who followed it would overshoot
            return None
        return source if source.saved and self._ranking.score(n) < WORST else None

    def _exploit(self, member: Member, source: Member, experiment: ExperimentView, rng: Rng) -> Promise:
        """Let *member* be where *source* is; return the decision, still to be made: no state depends on it."""
        why = self._why(member, experiment)
        why["source"] = source.id
        checkpoint = experiment.trial(source.id).checkpoint
        member.last = source.last
        self._move(member, source.time)
        member.fence, member.saved = member.attempt, False

        def make() -> Exploit:
            target, better = experiment.trial(member.id), experiment.trial(source.id)
            explored = self.explore(target, better, experiment, rng.split(member.number))
            old, new = changes(target.config, explored.config)
            why.update(old=old, new=new, operations=explored.operations)
            reason = (
                f"{why['metric']} {why['value']:.6g} is in the lower quantile (rank {why['rank']} of {why['of']}): "
                f"goes on from {source.id}"
            )
            changed = ", ".join(f"{name} {_spelled(old.get(name))} -> {_spelled(value)}" for name, value in new.items())
            reason += f", with {changed}" if changed else ""
            return Exploit(member.id, explored.config, checkpoint, reason, why)

        return Promise(member.id, make)

    def _why(self, member: Member, experiment: ExperimentView) -> dict[str, Any]:
        goal = goal_in(self.goal, experiment, WHO)
        return {
            "metric": goal.metric,
            "value": goal.value(self._ranking.score(member.number)),
            "time_attr": self.time_attr,
            "time": member.time,
            "rank": self._ranking.rank(member.number),
            "of": len(self._ranking),
        }

    # -- all at once ---------------------------------------------------------------------------------------------------
    def _arrive(self, member: Member, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        if member.time < self._milestone:
            return ()
        self._arrived[member.id] = None
        if self._all_here(experiment):
            return self._round(member.id, experiment, rng)
        self._benched[member.id] = None
        return (Pause(member.id, f"waits for the others at {self.time_attr} {self._milestone:g}"),)

    def _all_here(self, experiment: ExperimentView) -> bool:
        return len(self._arrived) == len(self._members) and not self._growing(experiment)

    def _round(self, latest: TrialId | None, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Perturb all, *latest* (which runs) too; the next milestone is the first one that nobody has come to."""
        furthest = max(member.time for member in self._members.values())
        for member in self._members.values():
            member.last = member.time
        self._arrived.clear()
        behind = (furthest - self._milestone) / self.perturbation_interval
        steps = max(1, int(behind) + 1) if behind < WORST else behind
        self._milestone = min(self._milestone + steps * self.perturbation_interval, _LATEST)
        return self._release(experiment, rng, "all have come to the milestone", latest)

    def _release(
        self, experiment: ExperimentView, rng: Rng, reason: str, latest: TrialId | None = None
    ) -> Sequence[Decision]:
        """Let all that pause go on; those of them (and *latest*) that are in the lower quantile, from better trials."""
        lower = [self._ids[n] for n in self._ranking.worst(self.quantile_fraction)]
        judged = [trial for trial in lower if trial in self._benched or trial == latest]
        chosen = {trial: source for trial in judged if (source := self._source(experiment, rng)) is not None}
        exploits = [self._exploit(self._members[trial], source, experiment, rng) for trial, source in chosen.items()]
        going = [trial for trial in self._benched if trial not in chosen]
        self._benched.clear()
        return Deferred([*exploits, *(Resume(trial, reason) for trial in going)])

    # -- who is there --------------------------------------------------------------------------------------------------
    def _growing(self, experiment: ExperimentView) -> bool:
        return self.population is not None and len(experiment) < self.population and not experiment.exhausted

    def _member(self, trial: TrialId, experiment: ExperimentView) -> Member:
        found = self._members.get(trial)
        return self._join(trial, experiment.trial(trial).number) if found is None else found  # it is run once more

    def _join(self, trial: TrialId, number_: int) -> Member:
        member = self._members[trial] = Member(trial, number_)
        self._ids[number_] = trial
        self._queue(member)
        return member

    def _leave(self, trial: TrialId) -> None:
        member = self._members.pop(trial, None)
        if member is not None:
            self._ranking.drop(member.number)
            self._arrived.pop(trial, None)
            self._benched.pop(trial, None)
            del self._line[bisect_left(self._line, (member.time, member.turn, trial))]

    def _move(self, member: Member, time: float) -> None:
        del self._line[bisect_left(self._line, (member.time, member.turn, member.id))]
        member.time = time
        self._queue(member)

    def _queue(self, member: Member) -> None:
        """Put *member* last of those with its time: who goes on from another one must not keep that from running."""
        self._turns += 1
        member.turn = self._turns
        insort(self._line, (member.time, member.turn, member.id))

    def _place(self, trial: TrialId) -> tuple[float, int]:
        member = self._members.get(trial)
        return (0.0, 0) if member is None else (member.time, member.turn)

    @staticmethod
    def _note(member: Member, news: Reported | Exited) -> None:
        if news.checkpoint is not None and news.attempt > member.fence:
            member.saved = True


def changes(old: Config, new: Config) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what differs between two configs: the values before and after, nested names joined by ``/``.

    >>> changes({"lr": 1, "net": {"width": 8, "depth": 2}}, {"lr": 1, "net": {"width": 16, "depth": 2}})
    ({'net/width': 8}, {'net/width': 16})
    """
    before, after = dict(_leaves(old)), dict(_leaves(new))
    names = [name for name in after if name not in before or not same(before[name], after[name])]
    gone = [name for name in before if name not in after]
    return {n: before[n] for n in [*names, *gone] if n in before}, {n: after[n] for n in names}


def _leaves(config: Config, where: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{where}{name}/")
        else:
            yield f"{where}{name}", value


def _missing(what: tuple[str, str], metrics: Metrics) -> BadArgument:
    argument, name = what
    return BadArgument(
        argument,
        name,
        "one of these, or require_attrs=False to pass such results over",
        f"a result lacks it; it has {', '.join(sorted(metrics))}",
    )


def _spelled(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
