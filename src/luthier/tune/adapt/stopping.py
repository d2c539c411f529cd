"""User-written stop conditions, in the core's form."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.errors import BadArgument, BadArgumentType, PolicyError
from luthier.core.goal import lookup, number
from luthier.core.policy import Finish, Stop
from luthier.schedulers.deferred import about, deferred, makings
from luthier.tune.stopper import FunctionStopper, Stopper
from luthier.worker.trainable import fresh_copy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from luthier.core.policy import Decision, ExperimentView, Scheduler
    from luthier.core.rng import Rng
    from luthier.core.terms import Metrics, TrialId, Why


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

    def why(self, metrics: Metrics) -> Why | None:
        """Return the same in names and values."""
        for metric, threshold in self._thresholds.items():
            value = number(lookup(metrics, metric))
            if value is not None and value >= threshold:
                return {"metric": metric, "value": value, "cutoff": threshold}
        return None


class Stopping:
    """A scheduler with a stop condition before it."""

    def __init__(self, condition: Thresholds | Stopper, scheduler: Scheduler) -> None:
        self._condition, self._scheduler = condition, scheduler

    def decide(self, news: ev.News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return the scheduler's decisions, and a stop where the condition holds."""
        decisions = self._scheduler.decide(news, experiment, rng)
        if not isinstance(news, ev.Reported):
            return decisions
        condition = self._condition
        why: Why | None = None
        if isinstance(condition, Thresholds):
            reason, finish = condition.reached(news.metrics), ""
            why = condition.why(news.metrics) if reason else None
        else:
            result = result_for_users(news, experiment)
            with _blaming(condition, news):
                reason = _said(condition, "said so") if condition(news.trial, result) else ""
                finish = _said(condition, "stopped all trials") if condition.stop_all() else ""
            why = {"stopper": type(condition).__name__}
        if reason:
            others = [making for making in makings(decisions) if about(making) != news.trial]
            decisions = deferred([*others, Stop(news.trial, reason, why)])
        if finish:
            decisions = deferred([*makings(decisions), Finish(finish)])
        return decisions

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return what the scheduler picks."""
        return self._scheduler.pick(waiting, experiment)


@contextlib.contextmanager
def _blaming(stopper: Stopper, news: ev.Reported) -> Iterator[None]:
    """Let what *stopper* raises be told with its name, after the traceback that leads to the user's line."""
    try:
        yield
    except Exception as error:
        name = stopper.function_name if isinstance(stopper, FunctionStopper) else type(stopper).__name__
        msg = f"the stop condition {name} raised {type(error).__name__} on a result of trial {news.trial}: {error}"
        raise PolicyError(msg) from error


def _before(scheduler: Scheduler, condition: Thresholds | Stopper) -> Scheduler:
    kind: type[Stopping] = type(type(scheduler).__name__, (Stopping,), {"__doc__": Stopping.__doc__})
    return kind(condition, scheduler)  # complaints about the scheduler then name it


def _said(stopper: Stopper, otherwise: str) -> str:
    """Return in words what *stopper* said."""
    name, reason = type(stopper).__name__, getattr(stopper, "reason", "")
    return f"{name}: {reason}" if isinstance(reason, str) and reason else f"{name} {otherwise}"


def result_for_users(news: ev.Reported, experiment: ExperimentView) -> dict[str, Any]:
    """Return the result as Ray hands it to users' functions: the metrics, and what trial they come from."""
    trial = experiment.trial(news.trial)
    result = {**news.metrics, "trial_id": trial.id, "experiment_tag": trial.label.tag, "config": trial.config}
    theirs: dict[str, Any] = fresh_copy(result)  # to change as they like
    return theirs


def stopping(stop: object, scheduler: Scheduler) -> Scheduler:
    """Return *scheduler* with the condition *stop* (a dict, a function, a :class:`Stopper`, or None) before it.

    Raises:
        BadArgument: *stop* is none of these, or a function that cannot be called with a trial's id and a result.
    """
    if stop is None:
        return scheduler
    if isinstance(stop, Stopper):
        return _before(scheduler, stop)
    if isinstance(stop, dict):
        return _before(scheduler, Thresholds(stop)) if stop else scheduler
    if isinstance(stop, type) and hasattr(stop, "stop_all"):
        raise BadArgument("stop", stop, f"an instance, {stop.__name__}(...)", "this is the class")
    if callable(stop) and FunctionStopper.is_valid_function(stop):
        return _before(scheduler, FunctionStopper(stop))
    if hasattr(stop, "stop_all"):
        raise BadArgument("stop", stop, "a subclass of luthier.tune.Stopper")
    raise BadArgumentType("stop", stop, "a dict of thresholds, a function (trial_id, result) -> bool, or a Stopper")
