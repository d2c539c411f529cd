"""Population based bandits: PBT whose new configs a Gaussian process chooses, by what they promise to bring next.

Parker-Holder, Nguyen, Roberts: "Provably Efficient Online Hyperparameter Optimization with Population-Based Bandits",
NeurIPS 2020 (arXiv 2002.02518), algorithm 1.  Who goes on from whom is :class:`~luthier.schedulers.pbt.Pbt`'s business;
the Gaussian process is in :mod:`luthier.schedulers.bandit`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.arguments import amount, check, whole
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.events import Ended, Exited, Reported
from luthier.core.goal import WORST, lookup, number
from luthier.core.space import Float, Integer, fresh
from luthier.core.space.domain import is_number
from luthier.core.terms import Status
from luthier.schedulers.arguments import goal_in, own_goal
from luthier.schedulers.explore import Explored
from luthier.schedulers.pbt import WHO, Pbt

if TYPE_CHECKING:
    from luthier.core.events import News
    from luthier.core.goal import Goal, Score
    from luthier.core.policy import ExperimentView, TrialView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config, Metrics, TrialId
    from luthier.schedulers.deferred import Promise
    from luthier.schedulers.explore import Custom
    from luthier.schedulers.pbt import Member

MOST_PENDING = 200
CONTEXT = 2  # columns of what cannot be chosen: time, and the score before
LIVE = (Status.RUNNING, Status.HALTING, Status.PENDING, Status.PAUSED)


class Point(NamedTuple):
    """How far a trial was, and how good."""

    time: float
    score: float


class Axis(NamedTuple):
    """A hyperparameter that is chosen: where it is in a config, and its bounds; *domain* where it has a scale."""

    path: tuple[str, ...]
    low: float
    high: float
    domain: Float | Integer | None = None

    @property
    def name(self) -> str:
        """Its name, nested ones joined by ``/``."""
        return "/".join(self.path)

    def unit(self, value: float) -> float:
        """Return where *value* lies between the bounds: 0 to 1."""
        if self.domain is not None:
            return self.domain.to_unit(min(max(value, self.low), self.high))
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5

    def value(self, unit: float, like: Any) -> float:
        """Return the value at *unit*; an integer where *like* is one."""
        if self.domain is not None:
            return self.domain.from_unit(unit)
        found = min(max(self.low + unit * (self.high - self.low), self.low), self.high)
        if isinstance(like, int) and not isinstance(like, bool):
            return min(max(round(found), math.ceil(self.low)), math.floor(self.high))
        return found


class Bandit:
    """Chooses the hyperparameters by what a Gaussian process promises of them.

    An observation is an interval of one trial: when it ended (in intervals), the score before it, the hyperparameters
    that it was trained with, and how much better it became per unit of time, as a multiple of what was usual then.  A
    trial that goes on from another one starts its interval with that one's score when it saved the checkpoint.  What
    other trials are being trained with counts as being tried.

    While there are fewer than two observations new values are drawn at random between the bounds: copies that stayed
    alike would teach nothing.

    Args:
        bounds: hyperparameter to ``[low, high]``, or to a dict of the same for nested ones.  A domain of floats or
            integers will do too: the bandit then goes by its scale, which may be logarithmic.
        time_attr: metric that says how far a trial is.
        interval: what one round is in units of *time_attr*.
        goal: what scores are read by; the experiment's first goal where None.
        window: how many observations count, the last ones.
        custom: ``(config, rng) -> config``, applied last.

    Raises:
        BadArgument: bounds that are missing, or none.
    """

    def __init__(
        self,
        bounds: Mapping[str, Any],
        time_attr: str = "time_total_s",
        interval: float = 60.0,
        goal: Goal | None = None,
        window: int = 1000,
        custom: Custom | None = None,
    ) -> None:
        self.axes = axes_of(bounds)
        self.time_attr, self.interval, self.goal = time_attr, interval, own_goal(goal)
        self._custom = custom
        # Observations, oldest first: time, score before, the values of the axes, gain per unit of time.
        self._seen: deque[tuple[float, ...]] = deque(maxlen=whole("window", window, 2))
        self._since: dict[TrialId, Point] = {}  # where the interval of each trial began
        self._saved: dict[TrialId, Point] = {}  # where each trial was when it last saved a checkpoint

    def __repr__(self) -> str:
        axes = ", ".join(f"{a.name} in [{a.low:g}, {a.high:g}]" for a in self.axes)
        last = f", the last {self._seen[-1]}" if self._seen else ""
        return f"{type(self).__name__}({axes}; {len(self._seen)} intervals{last}; {self._since}; {self._saved})"

    # -- what it hears -------------------------------------------------------------------------------------------------
    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Note how good each checkpoint is."""
        if isinstance(news, Reported):
            if news.checkpoint is not None:
                self._save(news.trial, news.metrics, experiment)
        elif isinstance(news, Exited):
            if news.checkpoint is not None:
                self._save(news.trial, experiment.trial(news.trial).metrics, experiment)
        elif isinstance(news, Ended):
            self._since.pop(news.trial, None)
            self._saved.pop(news.trial, None)

    def record(self, trial: TrialId, time: float, score: Score, experiment: ExperimentView) -> None:
        """Learn what the interval brought that *trial* has come to the end of."""
        before = self._since.get(trial)
        self._since[trial] = Point(time, score)
        if before is None or time <= before.time or not math.isfinite(before.score):
            return
        values = self._values(experiment.trial(trial).config)
        self._seen.append((time, before.score, *values, (before.score - score) / (time - before.time)))

    def follow(self, target: TrialId, source: TrialId) -> None:
        """Hear that *target* goes on from the last checkpoint of *source*: its next interval begins there."""
        at = self._saved.get(source)
        if at is None:
            self._since.pop(target, None)
        else:
            self._since[target] = at

    def _save(self, trial: TrialId, metrics: Metrics, experiment: ExperimentView) -> None:
        time, score = number(lookup(metrics, self.time_attr)), self._goal(experiment).score(metrics)
        if time is None or score is None:
            self._saved.pop(trial, None)
        else:
            self._saved[trial] = Point(time, score)

    def _goal(self, experiment: ExperimentView) -> Goal:
        return goal_in(self.goal, experiment, WHO)

    # -- what it chooses -----------------------------------------------------------------------------------------------
    def __call__(self, target: TrialView, source: TrialView, experiment: ExperimentView, rng: Rng) -> Explored:
        """Return the config of *source* with what the bandit chooses.

        Raises:
            BadArgument: the config lacks what is to be chosen, or *custom* returned no dict.
        """
        config: Config = fresh(dict(source.config))
        operations: dict[str, str] = {}
        if len(self._seen) < 2:  # noqa: PLR2004 (one point has no deviation)
            self._values(config)  # it holds all that is to be drawn
            units, how = [rng.random() for _ in self.axes], "drawn (nothing is known yet)"
        else:
            units, bound = self._choose(target, source, experiment, rng)
            how = f"bandit (bound {bound:.3g})"
        for axis, unit in zip(self.axes, units, strict=True):
            inner = config
            for part in axis.path[:-1]:
                inner = inner[part]
            inner[axis.path[-1]] = axis.value(unit, inner[axis.path[-1]])
            operations[axis.name] = how
        if self._custom is not None:
            found = self._custom(config, rng.split(0))
            if not isinstance(found, dict):
                raise BadArgumentType("what custom_explore_fn returned", found, "the config, a dict")
            config = found
        return Explored(config, operations)

    def _choose(
        self, target: TrialView, source: TrialView, experiment: ExperimentView, rng: Rng
    ) -> tuple[list[float], float]:
        import numpy as np

        from luthier.schedulers.bandit import chosen, levelled

        begins = self._saved.get(source.id) or self._since[source.id]
        others = [
            (at, self._values(experiment.trial(trial).goes_on_with))
            for status in LIVE
            for trial in experiment.having(status)
            if trial != target.id and (at := self._since.get(trial)) is not None and at.score < WORST
        ][-MOST_PENDING:]
        seen = np.array(self._seen)
        context = np.array([begins.time + self.interval, begins.score])
        rows = [(at.time + self.interval, at.score, *values) for at, values in others]
        pending = np.array(rows).reshape(len(rows), CONTEXT + len(self.axes))
        X = seen[:, :-1]
        low, high = X[:, 1].min(), X[:, 1].max()
        for points in (X, pending, context[None, :]):
            points[:, 0] /= self.interval
            points[:, 1] = np.clip((points[:, 1] - low) / (high - low) if high > low else 0.5, -1.0, 2.0)
        for points in (X, pending):
            for column, axis in enumerate(self.axes, CONTEXT):
                points[:, column] = [axis.unit(value) for value in points[:, column]]
        units, bound = chosen(X, levelled(X[:, 0], seen[:, -1]), pending, context, rng.numpy())
        return units.tolist(), bound

    def _values(self, config: Config) -> list[float]:
        found = []
        for axis in self.axes:
            value: Any = config
            for part in axis.path:
                if not isinstance(value, Mapping) or part not in value:
                    raise BadArgument(axis.name, config, "a config that holds it", "it is in hyperparam_bounds")
                value = value[part]
            if not is_number(value):
                raise BadArgumentType(axis.name, value, "a number", "it is in hyperparam_bounds")
            found.append(float(value))
        return found


class Pb2(Pbt):
    """Population based training with a bandit's choices: see :class:`~luthier.schedulers.pbt.Pbt` and :class:`Bandit`.

    Args:
        hyperparam_bounds: hyperparameter to ``[low, high]``, or to a dict of the same for nested ones.
        time_attr: as for ``Pbt``.
        goal: as for ``Pbt``.
        perturbation_interval: as for ``Pbt``.
        quantile_fraction: as for ``Pbt``.
        require_attrs: as for ``Pbt``.
        synch: as for ``Pbt``.
        population: as for ``Pbt``.
        custom: ``(config, rng) -> config``, applied last.

    Raises:
        BadArgument: for an argument out of its range.

    >>> Pb2({"lr": [0.001, 0.1]}, "training_iteration", perturbation_interval=5)
    Pb2(every 5 of training_iteration)
    """

    def __init__(
        self,
        hyperparam_bounds: Mapping[str, Any],
        time_attr: str = "time_total_s",
        goal: Goal | None = None,
        perturbation_interval: float = 60.0,
        quantile_fraction: float = 0.25,
        require_attrs: bool = True,
        *,
        synch: bool = False,
        population: int | None = None,
        custom: Custom | None = None,
    ) -> None:
        self.bandit = Bandit(hyperparam_bounds, time_attr, perturbation_interval, goal, custom=custom)
        super().__init__(
            self.bandit, time_attr, goal, perturbation_interval,
            quantile_fraction=quantile_fraction, require_attrs=require_attrs, synch=synch, population=population,
        )  # fmt: skip

    def _exploit(self, member: Member, source: Member, experiment: ExperimentView, rng: Rng) -> Promise:
        promise = super()._exploit(member, source, experiment, rng)
        self.bandit.follow(member.id, source.id)
        return promise


def axes_of(bounds: object, where: str = "hyperparam_bounds", path: tuple[str, ...] = ()) -> list[Axis]:
    """Return the hyperparameters of *bounds*, nested ones too.

    Raises:
        BadArgument: bounds that are missing, no pair, reversed or not finite; the text says which.

    >>> axes_of({"net": {"dropout": [0, 0.5]}})
    [Axis(path=('net', 'dropout'), low=0.0, high=0.5, domain=None)]
    """
    if not isinstance(bounds, Mapping):
        raise BadArgumentType(where, bounds, "a dict of hyperparameter to [low, high]")
    check(where, bounds, bool(bounds), "at least one hyperparameter with its [low, high]")
    found: list[Axis] = []
    for name, pair in bounds.items():
        here, place = (*path, name), f"{where}[{name!r}]"
        if not isinstance(name, str):
            raise BadArgumentType(place, pair, "names that are strings")
        if isinstance(pair, (Float, Integer)):
            found.append(Axis(here, pair.lower, pair.upper, pair))
            continue
        if isinstance(pair, Mapping):
            found += axes_of(pair, place, here)
            continue
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:  # noqa: PLR2004
            raise BadArgumentType(place, pair, "a pair [low, high], or a domain of numbers")
        low, high = (amount(place, bound) for bound in pair)
        check(place, pair, -math.inf < low <= high < math.inf, "finite numbers [low, high] with low <= high")
        found.append(Axis(here, low, high))
    return found
