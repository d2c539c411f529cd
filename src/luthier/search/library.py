"""A searcher from a library: it keeps our laws as far as the library lets it.

``ask`` must change nothing here, and libraries record each proposal.  So a proposal is remembered by its place until
the trial is born, and withdrawn if something else happened first.  Where chance starts is told at each proposal, so
that a restart gives the same; and when a log is replayed the library hears of the trials as if others had chosen them,
or is asked again where only that brings its state back (:attr:`Study.retraced`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.engine import ASK
from luthier.core.events import Ended, Exited, Proposed, Reported
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import same
from luthier.core.terms import Status, Then
from luthier.core.threads import OneThread
from luthier.search.observations import finite, rung_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.events import News
    from luthier.core.goal import Goal, Score
    from luthier.core.policy import ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config, Metrics, TrialId, Why
    from luthier.search.study import Study, Suggestion


class Library:
    """Lets *study* choose the configs.

    Args:
        study: the library's record; nobody else may use it.
        seed: the experiment's, for replays.
        first: number of the first trial that is the library's to choose; those before are given.
        most: how many trials may run at a time before it says NOT_YET; None for no limit.
        also: more metrics that it hears of, after the goals' scores.
    """

    replayable = False  # the guard of the contract suite does not look inside

    def __init__(
        self, study: Study, seed: int, first: int = 0, most: int | None = None, also: Sequence[Goal] = ()
    ) -> None:
        self.study, self.seed, self.first, self.most, self.also = study, seed, first, most, also
        self._proposals, self._calm = 0, OneThread()
        self._asked: dict[int, Suggestion] = {}  # by the seed of the place where it was asked for
        self._tokens: dict[TrialId, Any] = {}  # of trials that have not ended
        self._cut: dict[TrialId, Why | None] = {}  # why trials were stopped, until they have ended

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        """Return a config, the same until something is told."""
        place = rng.seed32()
        if place not in self._asked:
            if self.most is not None and len(self._tokens) >= self.most:
                return Nothing.NOT_YET
            found = self._proposed(place)
            if isinstance(found, Nothing):
                return found
            self._asked[place] = found
        return self._asked[place].config

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear what happened."""
        if isinstance(news, Proposed):
            self._born(news)
        elif isinstance(news, Reported):
            if news.trial in self._tokens and (scores := self._scores(news.metrics, experiment)) is not None:
                self.study.hear(self._tokens[news.trial], news.seq + 1, scores)
        elif isinstance(news, Exited):
            order = experiment.trial(news.trial).order
            if order is not None and order.then is Then.STOP:
                self._cut[news.trial] = order.why
        elif isinstance(news, Ended):
            why = self._cut.pop(news.trial, news.why)
            if news.trial not in self._tokens:
                return
            self._withdraw()
            trial = experiment.trial(news.trial)
            scores = None if trial.status is Status.FAILED else self._scores(trial.metrics, experiment)
            stopped = trial.status is Status.STOPPED and rung_of(why) is not None
            self.study.settle(self._tokens.pop(news.trial), scores, stopped=stopped)

    def _proposed(self, place: int) -> Suggestion | Nothing:
        """Return what the library proposes, with one thread of linear algebra; it loads parts of itself bit by bit."""
        self._proposals += 1
        if self._proposals & (self._proposals - 1) == 0:  # a look at all that is loaded takes a millisecond
            self._calm = OneThread()
        with self._calm:
            return self.study.propose(place)

    def _born(self, news: Proposed) -> None:
        place = rng_at(self.seed, ASK, news.number).seed32()
        chosen = self._asked.pop(place, None)
        self._withdraw()
        if chosen is None and self.study.retraced and news.number >= self.first and not news.enqueued:
            again = self._proposed(place)
            chosen = None if isinstance(again, Nothing) else again
        if chosen is not None and not same(chosen.config, news.config):
            self.study.withdraw(chosen.token)
            chosen = None
        token = self.study.insert(news.config) if chosen is None else chosen.token
        if token is not None:
            self._tokens[news.trial] = token

    def _withdraw(self) -> None:
        """Forget what was asked for and not tried: the next answer may be a better one."""
        for suggestion in self._asked.values():
            self.study.withdraw(suggestion.token)
        self._asked.clear()

    def _scores(self, metrics: Metrics, experiment: ExperimentView) -> tuple[Score, ...] | None:
        scores = [goal.score(metrics) for goal in (*experiment.goals, *self.also)]
        known = tuple(score for score in scores if finite(score))
        return known if len(known) == len(scores) else None
