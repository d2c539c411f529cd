"""A searcher whose configs are tried several times each; it hears of the mean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from luthier.core.arguments import whole
from luthier.core.engine import ASK
from luthier.core.events import Ended, Exited, Proposed, Stalled
from luthier.core.explained import explained
from luthier.core.goal import lookup, number
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.terms import Status, TrialId, Why

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from luthier.core.events import Halted, News
    from luthier.core.goal import Goal, Score
    from luthier.core.policy import ExperimentView, Searcher
    from luthier.core.resources import Resources
    from luthier.core.rng import Rng
    from luthier.core.terms import Config, Label, Metrics, Ref, WorkerId

TRIAL_INDEX = "__trial_index__"  # in configs: which of the repeats a trial is, from 0


class Group:
    """Trials of one config, seen as one trial.

    Attributes:
        id: the first trial's.
        number: which group it is, from 0.
        config: what its trials share.
        label: the first trial's.
        resources: what the first asks for.
        status: RUNNING until all its trials have ended.  Then DONE; STOPPED where one was cut short, since the mean is
            not comparable; FAILED where none had a result.
        metrics: the means of the goals' metrics over trials that have them, once all have ended.
        score: by the mean of the first goal.
        checkpoint: None.
        order: None.
    """

    __slots__ = ("config", "end", "ends", "id", "label", "metrics", "number", "resources", "score", "status", "wanted")
    checkpoint: ClassVar[Ref | None] = None
    order: ClassVar[Halted | None] = None

    def __init__(self, news: Proposed, group_number: int, config: Config, wanted: int) -> None:
        self.id, self.number, self.config, self.wanted = news.trial, group_number, config, wanted
        self.label: Label = news.label
        self.resources = dict(news.resources)
        self.ends: dict[TrialId, tuple[Ended, Metrics] | None] = {news.trial: None}
        self.status, self.end = Status.RUNNING, Ended(news.trial, Status.RUNNING)
        self.metrics: Metrics = {}
        self.score: Score | None = None

    @property
    def goes_on_with(self) -> Config:
        """What its trials share."""
        return self.config

    @property
    def full(self) -> bool:
        """Whether all its trials are born."""
        return len(self.ends) >= self.wanted

    def finish(self, news: Ended, metrics: Metrics, goals: Sequence[Goal]) -> bool:
        """Note the end of a trial; return whether all have ended."""
        self.ends[news.trial] = news, {} if news.status is Status.FAILED else metrics
        told = [end for end in self.ends.values() if end is not None]
        if len(told) < self.wanted:
            return False
        means = {goal.metric: _mean([number(lookup(m, goal.metric)) for _, m in told]) for goal in goals}
        self.metrics = {name: mean for name, mean in means.items() if mean is not None}
        self.score = goals[0].score(self.metrics) if goals else None
        stopped = [end for end, _ in told if end.status is Status.STOPPED]
        cut = min(stopped, key=lambda end: "max_t" in (end.why or ()), default=None)  # the end of time cuts nothing
        if goals and not self.metrics:
            self.status = Status.FAILED
        else:
            self.status = Status.DONE if cut is None else Status.STOPPED
        about = cut if self.status is Status.STOPPED and cut is not None else news
        self.end = Ended(self.id, self.status, about.reason, about.why)
        return True


class Groups:
    """An experiment whose trials are groups: what the searcher sees.

    Args:
        groups: by their first trials.
        whole: the experiment itself.
    """

    def __init__(self, groups: Mapping[TrialId, Group], whole: ExperimentView) -> None:
        self.groups, self.whole = groups, whole

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What is to be optimised."""
        return self.whole.goals

    @property
    def closed(self) -> bool:
        """Whether no further trial is to come."""
        return self.whole.closed

    @property
    def exhausted(self) -> bool:
        """Whether there will be no more trials."""
        return self.whole.exhausted

    @property
    def offers(self) -> Sequence[Resources]:
        """What each worker has."""
        return self.whole.offers

    def room(self, request: Resources) -> WorkerId | None:
        """A worker that has *request* free, or None."""
        return self.whole.room(request)

    def trial(self, trial: TrialId) -> Group:
        """Return the group whose first trial that is."""
        return self.groups[trial]

    def having(self, status: Status) -> Collection[TrialId]:
        """Return the groups in *status*, the oldest first."""
        return [group.id for group in self.groups.values() if group.status is status]

    def __len__(self) -> int:
        return len(self.groups)


class Repeat:
    """Has each config of *searcher* tried *repeat* times; *searcher* hears of each once, of the mean.

    Values that are missing or NaN, and those of trials that failed, stay out of the mean.  What trials report on the
    way *searcher* does not hear.

    Args:
        searcher: who chooses; it sees groups of trials as trials, numbered from 0.
        repeat: how often, at least 1.
        set_index: whether configs say under ``"__trial_index__"`` which of the repeats they are, from 0.
        seed: the experiment's.

    Raises:
        BadArgument: *repeat* is no whole number above 0.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.search.fixed import Fixed
    >>> Repeat(Fixed([{"x": 1}]), 3).ask(0, rng_at(7, 0))
    {'x': 1, '__trial_index__': 0}
    """

    def __init__(self, searcher: Searcher, repeat: int = 1, set_index: bool = True, seed: int = 0) -> None:
        self.searcher, self.repeat, self.set_index, self.seed = (
            searcher,
            whole("repeat", repeat, 1),
            bool(set_index),
            seed,
        )
        self.replayable = getattr(searcher, "replayable", True)
        self._groups: dict[TrialId, Group] = {}  # by their first trials
        self._of: dict[TrialId, Group] = {}
        self._cut: dict[TrialId, Why] = {}  # why trials are to stop that are on their way out
        self._filling: Group | None = None

    def __repr__(self) -> str:
        filling = self._filling and (self._filling.config, list(self._filling.ends))
        return f"Repeat({self.searcher!r}, {self.repeat}, {self.set_index}: {len(self._groups)} groups, {filling})"

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        """Return the config that is being repeated, or a new one."""
        group = self._filling
        if group is not None:
            return self._indexed(group.config, len(group.ends))
        place = len(self._groups)
        found = self.searcher.ask(place, rng_at(self.seed, ASK, place))
        return found if isinstance(found, Nothing) else self._indexed(found, 0)

    def explain(self, number: int) -> Why | None:
        """Return what the searcher says of a new config; of a repeat there is nothing to say."""
        return None if self._filling is not None else explained(self.searcher, len(self._groups))

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear what happened; pass on what it means for groups."""
        groups = Groups(self._groups, experiment)
        if isinstance(news, Proposed):
            self._born(news, groups)
        elif isinstance(news, Ended) and news.trial in self._of:
            group, cut = self._of[news.trial], self._cut.pop(news.trial, news.why)
            end = Ended(news.trial, news.status, news.reason, cut)
            if group.finish(end, experiment.trial(news.trial).metrics, experiment.goals):
                self.searcher.tell(group.end, groups)
        elif isinstance(news, Exited):
            order = experiment.trial(news.trial).order
            if order is not None and order.why is not None:  # the log does not say it again at the end
                self._cut[news.trial] = order.why
        elif isinstance(news, Stalled):
            self.searcher.tell(news, groups)

    def _born(self, news: Proposed, groups: Groups) -> None:
        group = None if news.enqueued else self._filling
        if group is not None:
            group.ends[news.trial] = None
        else:
            bare = {k: v for k, v in news.config.items() if k != TRIAL_INDEX} if self.set_index else news.config
            place = len(self._groups)
            group = Group(news, place, bare, 1 if news.enqueued else self.repeat)
            self._groups[news.trial] = group
            proposed = Proposed(news.trial, place, bare, news.resources, news.label, news.enqueued)
            self.searcher.tell(proposed, groups)
        self._of[news.trial] = group
        if not news.enqueued:
            self._filling = None if group.full else group

    def _indexed(self, config: Config, index: int) -> Config:
        return {**config, TRIAL_INDEX: index} if self.set_index else dict(config)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and not math.isnan(value)]
    return sum(known) / len(known) if known else None
