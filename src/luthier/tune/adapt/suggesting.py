"""User-written search algorithms with Ray Tune's methods, as the core's searcher."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.engine import ASK
from luthier.core.errors import BadArgument
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import Space, holds_domains, same
from luthier.core.terms import Status, TrialId, Why
from luthier.tune.flat import flattened
from luthier.tune.search.around import Around
from luthier.tune.search.chance import tamed
from luthier.tune.search.searcher import Searcher
from luthier.tune.search.space_searcher import SpaceSearcher
from luthier.tune.trial import row
from luthier.worker.trainable import fresh_copy

if TYPE_CHECKING:
    from luthier.core.goal import Goal
    from luthier.core.policy import ExperimentView
    from luthier.core.policy import Searcher as Policy
    from luthier.core.rng import Rng
    from luthier.core.terms import Config

log = logging.getLogger("luthier")

HEAR = 4  # a stream of randomness
METHODS = ("suggest", "on_trial_result", "on_trial_complete")


def policy_of(searcher: Searcher, space: Space | None, goals: tuple[Goal, ...], seed: int) -> Policy:
    """Return the policy that *searcher* describes, or that calls its methods where a user wrote them."""
    if isinstance(searcher, SpaceSearcher) and not any(_written(searcher, method) for method in METHODS):
        if isinstance(searcher, Around):
            return searcher.around(policy_of(searcher.searcher, space, goals, seed), seed)
        return searcher.build(space, goals, seed)
    return suggesting(searcher, space, goals, seed)


def suggesting(searcher: Searcher, space: Space | None, goals: tuple[Goal, ...], seed: int) -> Suggesting:
    """Return the policy that calls the methods of a copy of *searcher*.

    Raises:
        BadArgument: it cannot be copied, or has a space of its own beside the Tuner's.
    """
    name = type(searcher).__name__
    try:
        own = copy.deepcopy(searcher)
    except Exception as error:
        raise BadArgument(
            "search_alg", searcher, "one that copy.deepcopy can copy", f"each restart begins with a copy; {error}"
        ) from error
    constants: Config = {}
    if isinstance(own, SpaceSearcher) and not isinstance(own, Around):
        own.begin(space, goals, seed)
    else:
        constants = {} if space is None else dict(space.description)
        metric, mode = _spoken(goals)
        accepted = own.set_search_properties(metric, mode, dict(constants))
        if not accepted and holds_domains(constants):
            wanted = f"the space in {name} alone, or a set_search_properties(metric, mode, config) that takes it over"
            raise BadArgument("param_space", constants, wanted, f"{name}.set_search_properties returned {accepted!r}")
    kind: type[Suggesting] = type(name, (Suggesting,), {"__doc__": Suggesting.__doc__})  # complaints name the user's
    return kind(own, constants, seed)


def christen(policy: Any, prefix: str) -> None:
    """Say with what the ids of trials begin, to all in *policy* who tell users of trials that are not born yet."""
    while policy is not None:
        if isinstance(policy, Suggesting):
            policy.prefix = prefix
        policy = getattr(policy, "searcher", None)


class Suggesting:
    """Calls the methods of *searcher* as Ray Tune does.

    What it suggested for a place is remembered until the trial of that place is born.  When a log is told again it is
    asked again, too, at the births of its trials; the log is believed, and a difference is warned of once.  Global
    generators of ``random`` and ``numpy.random`` are seeded by the place in the log for each call.

    Args:
        searcher: the user's object; nobody else may use it.
        constants: what goes into each config beside what it suggests.
        seed: the experiment's.

    Attributes:
        prefix: what the ids of trials begin with.
    """

    replayable = False  # the guard of the contract suite does not look inside

    def __init__(self, searcher: Searcher, constants: Config, seed: int) -> None:
        self._user, self._constants, self.seed, self.prefix = searcher, constants, seed, "t"
        self._name = type(searcher).__name__
        self._results = _written(searcher, "on_trial_result") or isinstance(searcher, SpaceSearcher)
        self._asked: dict[int, Config] = {}  # suggested, and not born yet
        self._not_yet: set[int] = set()  # where it said None, since something last happened
        self._names: dict[TrialId, str] = {}  # what it knows trials by that have not ended
        self._cut: dict[TrialId, Why] = {}  # why trials are to stop that are on their way out
        self._told = 0
        self._exhausted = False
        self._differs = False

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        """Return what it suggests, the same until something is told."""
        if number in self._asked:
            return self._asked[number]
        if self._exhausted:
            return Nothing.EXHAUSTED
        if number in self._not_yet:
            return Nothing.NOT_YET
        found = self._suggest(number, rng)
        if isinstance(found, Nothing):
            self._exhausted = found is Nothing.EXHAUSTED
            if not self._exhausted:
                self._not_yet.add(number)
        else:
            self._asked[number] = found
        return found

    def tell(self, news: ev.News, experiment: ExperimentView) -> None:
        """Hear what happened."""
        self._not_yet.clear()
        self._told += 1
        if isinstance(news, ev.Proposed):
            if not news.enqueued:
                self._born(news)
        elif isinstance(news, ev.Reported):
            if self._results and news.trial in self._names:
                result = flattened(fresh_copy(row(experiment.trial(news.trial), news.metrics)))  # type: ignore[arg-type]
                self._call("on_trial_result", self._names[news.trial], result)
        elif isinstance(news, ev.Exited) and news.trial in self._names:
            order = experiment.trial(news.trial).order
            if order is not None and order.why is not None:  # the log does not say it again at the end
                self._cut[news.trial] = order.why
        elif isinstance(news, ev.Ended) and news.trial in self._names:
            self._end(news, experiment)

    def _born(self, news: ev.Proposed) -> None:
        known = self._asked.pop(news.number, None)
        if known is None:
            again = self._suggest(news.number, rng_at(self.seed, ASK, news.number))
            if not self._differs and (isinstance(again, Nothing) or not same(again, news.config)):
                self._differs = True
                log.warning(
                    "%s suggests %r for trial %s, and suggested %r before the restart: it goes by something that it "
                    "was not told (a clock, a generator without a seed). The log is believed.",
                    self._name, again, news.trial, news.config,
                )  # fmt: skip
        self._names[news.trial] = self._id(news.number)

    def _end(self, news: ev.Ended, experiment: ExperimentView) -> None:
        name, trial = self._names.pop(news.trial), experiment.trial(news.trial)
        failed, result = news.status is Status.FAILED, None
        if trial.metrics and not failed:
            result = flattened(fresh_copy(row(trial, trial.metrics)))  # type: ignore[arg-type]
        if isinstance(self._user, SpaceSearcher):
            self._user.ending = ev.Ended(news.trial, news.status, news.reason, self._cut.pop(news.trial, news.why))
        self._call("on_trial_complete", name, result=result, error=failed)

    def _suggest(self, number: int, rng: Rng) -> Config | Nothing:
        with tamed(rng):
            found = self._tried("suggest", self._id(number))
        if found is None:
            return Nothing.NOT_YET
        if isinstance(found, str) and found == Searcher.FINISHED:
            return Nothing.EXHAUSTED
        if not isinstance(found, dict):
            raise TypeError(f"{self._name}.suggest returned {found!r}: it must return a dict, None or 'FINISHED'")
        config: Config = fresh_copy(_merged(self._constants, found))
        return Space(config).sample(rng) if holds_domains(config) else config

    def _id(self, number: int) -> str:
        return f"{self.prefix}_{number:05d}"

    def _call(self, method: str, name: str, *more: Any, **named: Any) -> None:
        with tamed(rng_at(self.seed, HEAR, self._told)):
            self._tried(method, name, *more, **named)

    def _tried(self, method: str, name: str, *more: Any, **named: Any) -> Any:
        try:
            return getattr(self._user, method)(name, *more, **named)
        except Exception as error:
            error.add_note(f"in {self._name}.{method}, about trial {name}")
            raise


def _written(searcher: Searcher, method: str) -> bool:
    """Whether a user wrote that method of *searcher*."""
    owner = next(cls for cls in type(searcher).__mro__ if method in vars(cls))
    return not owner.__module__.startswith("luthier.tune.")


def _spoken(goals: tuple[Goal, ...]) -> tuple[Any, Any]:
    if not goals:
        return None, None
    if len(goals) == 1:
        return goals[0].metric, goals[0].mode
    return [goal.metric for goal in goals], [goal.mode for goal in goals]


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return *above* laid over *below*, dict by dict."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged
