"""What decides in a sweep: its description becomes an engine."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import lookup, number
from luthier.core.limits import Limits
from luthier.core.policy import Finish, Nothing
from luthier.core.terms import Config, Label, TrialId
from luthier.schedulers.deferred import deferred, makings
from luthier.search.repeat import Repeat
from luthier.sweeps.spec import Named
from luthier.tune.blueprint import Blueprint
from luthier.tune.configs import RunConfig, TuneConfig
from luthier.tune.schedulers import create_scheduler
from luthier.tune.search.repeater import Repeater
from luthier.tune.searching import create_searcher
from luthier.tune.tags import experiment_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.core.policy import Decision, ExperimentView, Scheduler
    from luthier.core.rng import Rng
    from luthier.sweeps.spec import SweepSpec

LOSSES = 20  # lost agents in a row, without a report in between, that a run survives
TICKS = ("training_iteration", "time_total_s")  # what policies measure time by unless told otherwise
_UNLIMITED = ("random", "grid", "variant_generator")  # they draw for ever, and count by themselves


class Plan:
    """A sweep's description, ready to run.

    Args:
        spec: the sweep.
        sweep: its id, with which the ids of its runs begin.
        seed: where chance starts.
        driven: whether somebody else says what to try.

    Raises:
        BadArgument: something of it cannot be used; the text names the argument, what was given, and what would do.

    >>> from luthier.core.space import Float
    >>> from luthier.sweeps.spec import SweepSpec
    >>> plan = Plan(SweepSpec(text="", parameters={"lr": Float(0.0, 1.0)}, run_cap=2), "abcd1234", 1)
    >>> [type(event).__name__ for event in plan.engine().handle(ev.WorkerJoined("a", {"slot": 1}))]
    ['WorkerJoined', 'Proposed', 'Launched']
    """

    def __init__(self, spec: SweepSpec, sweep: str, seed: int, *, driven: bool = False) -> None:
        self.spec, self.sweep, self.seed, self.driven = spec, sweep, seed, driven
        samples = spec.num_samples
        if not self._walks:
            samples = self._num_trials()  # some search algorithms want to know
        elif samples is None and self._has_grid():
            samples = 1
        self._blueprint = Blueprint(
            _program,
            spec.parameters,
            TuneConfig(
                **({} if _judged_otherwise(spec.scheduler) else _goals(spec)),
                search_alg=_search(spec),
                scheduler=_scheduler(spec.scheduler),
                num_samples=-1 if samples is None else samples,
                seed=seed,
            ),
            RunConfig(stop=dict(spec.stop) or None, resources={"cpu": 1}),
        )
        if spec.target is not None and not self.goals:
            raise BadArgument("metric.target", spec.target, "a metric to compare it with")
        self.heard = self._heard()
        self.limits = Limits(
            num_trials=self._num_trials(),
            max_concurrent=spec.max_concurrent,
            max_failures=spec.max_failures,
            max_losses=LOSSES,
            elastic=True,
            seed=seed,
            prefix=sweep,
        )
        self.engine()  # what is wrong shows now

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What is optimised: as the sweep says, else as its search or scheduler does."""
        return self._blueprint.goals

    @functools.cached_property
    def expected(self) -> int | None:
        """How many runs there will be, if that is known."""
        total = self._blueprint.total()
        if total is not None and self._walks:
            total *= self.spec.repeats
        return min((n for n in (self.limits.num_trials, total) if n is not None), default=None)

    def engine(self) -> Engine:
        """Return an engine to which nothing has happened yet."""
        searcher = self._blueprint.searcher(self.seed, self.sweep)
        if self.driven:
            searcher = _Nobody()
        elif self._walks and self.spec.repeats > 1:
            searcher = Repeat(searcher, self.spec.repeats, seed=self.seed)
        return Engine(
            self.limits,
            searcher,
            self._judge(),
            self.goals,
            {"slot": 1.0, **self.spec.resources},
            self._label,
        )

    def news(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of a logged *row* policies hear; nothing where it holds no metric of theirs."""
        return {name: row[name] for name in row if name.partition("/")[0] in self.heard or name in self.heard}

    # -- the parts -----------------------------------------------------------------------------------------------------
    @property
    def _walks(self) -> bool:
        return self.spec.search.name in _UNLIMITED

    def _has_grid(self) -> bool:
        from luthier.core.space import Space

        return Space(self.spec.parameters).grid_size > 1

    def _num_trials(self) -> int | None:
        spec = self.spec
        samples = None if self._walks or spec.num_samples is None else spec.num_samples * spec.repeats
        return min((n for n in (samples, spec.run_cap) if n is not None), default=None)

    def _judge(self) -> Scheduler:
        judge = self._blueprint.scheduler()
        if self.spec.target is None:
            return judge
        return Target(self.goals[0], self.spec.target, judge)

    def _heard(self) -> frozenset[str]:
        arguments = {} if self.spec.scheduler is None else self.spec.scheduler.arguments
        own = [value for key, value in arguments.items() if key in {"time_attr", "metric"} and isinstance(value, str)]
        named = [*(goal.metric for goal in self.goals), *self.spec.stop, *own]
        return frozenset(named) | frozenset(name.partition("/")[0] for name in named)

    def check(self, config: Config) -> None:
        """See whether *config*, which somebody else proposes, can be tried; its values may be any.

        Raises:
            BadArgument: it has no place for a parameter.
        """
        try:
            self._label(TrialId(""), 0, config)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise BadArgument("config", config, "a value for every parameter of the sweep") from error

    def _label(self, trial: TrialId, number: int, config: Config) -> Label:
        return Label(f"run-{number + 1}", trial, experiment_tag(number, config, self._blueprint.space))


class _Nobody:
    """Proposes nothing: what is tried comes from elsewhere."""

    def ask(self, number: int, rng: Rng) -> Nothing:
        """Return that there is nothing."""
        return Nothing.EXHAUSTED

    def tell(self, news: ev.News, experiment: ExperimentView) -> None:
        """Pass over *news*."""


class Target:
    """Ends the sweep once a run reaches *target*; a scheduler around another one."""

    def __init__(self, goal: Goal, target: float, scheduler: Scheduler) -> None:
        self._goal, self._target, self._scheduler = goal, target, scheduler

    def decide(self, news: ev.News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return the scheduler's decisions, and the end where the target is reached."""
        decisions = self._scheduler.decide(news, experiment, rng)
        if isinstance(news, ev.Reported):
            value = number(lookup(news.metrics, self._goal.metric))
            sign = -1.0 if self._goal.mode == "max" else 1.0
            if value is not None and sign * value <= sign * self._target:
                reason = f"{self._goal.metric} reached {self._target:g}: {value:g} in run {news.trial}"
                return deferred([*makings(decisions), Finish(reason)])
        return decisions

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return what the scheduler picks."""
        return self._scheduler.pick(waiting, experiment)


def _program(config: Config) -> None:
    """Stand for the program that agents run."""


def _said(words: list[str]) -> Any:
    return None if not words else words[0] if len(words) == 1 else words


def _goals(spec: SweepSpec) -> dict[str, Any]:
    return {"metric": _said([goal.metric for goal in spec.goals]), "mode": _said([goal.mode for goal in spec.goals])}


def _judged_otherwise(named: Named | None) -> bool:
    """Return whether the scheduler has a metric of its own, beside what is optimised."""
    if named is None:
        return False
    inner = [given for given in named.arguments.values() if isinstance(given, Named)]
    return "metric" in named.arguments or any(map(_judged_otherwise, inner))


def _search(spec: SweepSpec) -> Any:
    arguments = dict(spec.search.arguments)
    if _judged_otherwise(spec.scheduler) and spec.search.name not in _UNLIMITED:
        arguments |= _goals(spec)
    if spec.points:
        arguments.setdefault("points_to_evaluate", [dict(point) for point in spec.points])
    made = create_searcher(spec.search.name, **arguments)
    return made if spec.repeats == 1 or spec.search.name in _UNLIMITED else Repeater(made, repeat=spec.repeats)


def _scheduler(named: Named | None) -> Any:
    """Return the scheduler; one that stands around another one has it among its arguments."""
    if named is None:
        return None
    made = {name: _scheduler(given) if isinstance(given, Named) else given for name, given in named.arguments.items()}
    return create_scheduler(named.name, **made)
