"""User-written stop conditions, in the core's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import lookup, number
from luthier.core.policy import Decision, Finish, Stop
from luthier.tune.stopper import FunctionStopper, Stopper

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from luthier.core.policy import ExperimentView, Scheduler
    from luthier.core.rng import Rng
    from luthier.core.terms import Metrics, TrialId


class Thresholds:
    """Stops a trial as soon as one of its metrics reaches its threshold.

    >>> Thresholds({"training_iteration": 5}).reached({"training_iteration": 5})
    'training_iteration >= 5'
    """

    def __init__(self, thresholds: Mapping[str, Any]) -> None:
        self._thresholds: dict[str, float] = {}
        for metric, threshold in thresholds.items():
            value = number(threshold)
            if value is None:
                raise BadArgumentType(f"stop[{metric!r}]", threshold, "a number")
            self._thresholds[metric] = value

    def reached(self, metrics: Metrics) -> str:
        """Return which threshold *metrics* reach, or an empty text."""
        for metric, threshold in self._thresholds.items():
            value = number(lookup(metrics, metric))
            if value is not None and value >= threshold:
                return f"{metric} >= {threshold:g}"
        return ""


class Stopping:
    """A scheduler with a stop condition before it."""

    def __init__(self, condition: Thresholds | Stopper, scheduler: Scheduler) -> None:
        self._condition, self._scheduler = condition, scheduler

    def decide(self, news: ev.News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return the scheduler's decisions, and a stop where the condition holds."""
        decisions = self._scheduler.decide(news, experiment, rng)
        if not isinstance(news, ev.Reported):
            return decisions
        if isinstance(self._condition, Thresholds):
            reason = self._condition.reached(news.metrics)
            stop_all = False
        else:
            name = type(self._condition).__name__
            result = result_for_users(news, experiment)
            reason = f"{name} said so" if self._condition(news.trial, result) else ""
            stop_all = self._condition.stop_all()
        if reason:
            others = [d for d in decisions if isinstance(d, Finish) or d.trial != news.trial]
            decisions = [*others, Stop(news.trial, reason)]
        if stop_all:
            decisions = [*decisions, Finish(f"{type(self._condition).__name__} stopped all trials")]
        return decisions

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return what the scheduler picks."""
        return self._scheduler.pick(waiting, experiment)


def result_for_users(news: ev.Reported, experiment: ExperimentView) -> dict[str, Any]:
    """Return the result as Ray hands it to users' functions: the metrics, and what trial they come from."""
    trial = experiment.trial(news.trial)
    return {**news.metrics, "trial_id": trial.id, "experiment_tag": trial.label.tag, "config": trial.config}


def stopping(stop: object, scheduler: Scheduler) -> Scheduler:
    """Return *scheduler* with the condition *stop* (a dict, a function, a :class:`Stopper`, or None) before it.

    Raises:
        BadArgument: *stop* is none of these.
    """
    if stop is None:
        return scheduler
    if isinstance(stop, Stopper):
        return Stopping(stop, scheduler)
    if isinstance(stop, dict):
        return Stopping(Thresholds(stop), scheduler) if stop else scheduler
    if hasattr(stop, "stop_all"):
        raise BadArgument("stop", stop, "a subclass of luthier.tune.Stopper")
    if callable(stop):
        return Stopping(FunctionStopper(stop), scheduler)
    raise BadArgumentType("stop", stop, "a dict of thresholds, a function (trial_id, result) -> bool, or a Stopper")
