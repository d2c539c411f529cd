"""All that an experiment is made of, checked before any trial starts."""

from __future__ import annotations

import copy
import logging
import math
import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument, BadArgumentType, NotStorable
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.resources import checked, fits, spelled, total
from luthier.core.rng import rng_at
from luthier.core.space import Space
from luthier.store.values import to_json
from luthier.tune.adapt import callbacks, reporting
from luthier.tune.adapt.stopping import stopping
from luthier.tune.adapt.suggesting import christen
from luthier.tune.configs import CLUSTERS, RunConfig, TuneConfig
from luthier.tune.goals import goals_of
from luthier.tune.logger.wandb_words import withheld
from luthier.tune.registry import check, resolve, trainable_name
from luthier.tune.schedulers import create_scheduler
from luthier.tune.schedulers.trial_scheduler import FIFOScheduler, TrialScheduler
from luthier.tune.search.basic_variant import BasicVariantGenerator
from luthier.tune.search.foreign import refuse_foreign
from luthier.tune.search.searcher import Searcher as UserSearcher
from luthier.tune.search.searcher import spoken_goals
from luthier.tune.search.space_searcher import SpaceSearcher
from luthier.tune.searching import described, searcher_of
from luthier.tune.stopper.timeout import timeout_of
from luthier.worker.resources import request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luthier.callbacks.base import Recalling
    from luthier.core.engine import Naming, Request
    from luthier.core.policy import Scheduler, Searcher
    from luthier.worker.saving import SaveRule

log = logging.getLogger("luthier")


@dataclass
class Blueprint:
    """What a user wants, resolved.

    Args:
        trainable: what is trained, or its registered name.
        param_space: the search space as the user wrote it.
        tune: how to tune.
        run: where, how long, and who hears of it.

    Raises:
        BadArgument: something of it cannot be used; nothing was written.
    """

    trainable: Any
    param_space: Mapping[str, Any] | None
    tune: TuneConfig
    run: RunConfig
    secrets: dict[str, str] = field(init=False, repr=False)  # for the environment of trials; nowhere written
    name: str = field(init=False)
    space: Space = field(init=False)
    goals: tuple[Goal, ...] = field(init=False)
    capacity: dict[str, float] = field(init=False)
    request: Request = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.tune, TuneConfig):
            raise BadArgumentType("tune_config", self.tune, "a TuneConfig")
        if not isinstance(self.run, RunConfig):
            raise BadArgumentType("run_config", self.run, "a RunConfig")
        self.param_space, self.secrets = withheld(self.param_space)
        self.name = trainable_name(self.trainable)
        self.trainable = resolve(self.trainable)
        check(self.trainable)
        self.search = described(self.tune.search_alg)
        self.scheduling = _scheduling(self.tune.scheduler)
        self.goals = _goals(self.tune, self.search) or _judged_by(self.scheduling)
        self.space = Space(self._furnished(self._read({} if self.param_space is None else self.param_space)))
        self.capacity = _capacity(self.run)
        self.request = _request(self.trainable, self.capacity, self.run)
        if isinstance(self.search, SpaceSearcher):
            self.search = copy.deepcopy(self.search)  # the user's object stays as it is
            self.search.review(self.tune, self._judge())
        self._try_one_config()
        self.scheduler()
        _check_checkpointing(self.trainable, self.run)
        callbacks.check(self.run.callbacks or ())
        reporting.check(self.run.progress_reporter)

    def _read(self, param_space: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the search space with our domains in place of those of a library that the search algorithm knows."""
        if isinstance(self.search, SpaceSearcher):
            param_space = self.search.read(param_space)
        refuse_foreign(param_space, type(self.search).__name__)
        return param_space

    def _furnished(self, param_space: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the search space with what the scheduler needs in it, which can do with the trainable."""
        made = self.scheduling
        if not isinstance(made, TrialScheduler):
            return param_space
        made.check_trainable(self.trainable)
        return made.furnished(param_space)

    def _try_one_config(self) -> None:
        """Draw a config and let it go: what is wrong with a function in the space shows here, not in an hour."""
        searcher = self.searcher()
        if not isinstance(self.search, BasicVariantGenerator):
            return
        config = searcher.ask(0, rng_at(0))
        if isinstance(config, dict):
            try:
                to_json(config, ("param_space",))
            except NotStorable as error:
                raise BadArgument("param_space", self.param_space, "values that can be pickled", str(error)) from error

    # -- the parts -----------------------------------------------------------------------------------------------------
    def searcher(self, seed: int = 0, prefix: str = "t") -> Searcher:
        """Return a searcher that has heard nothing yet; *prefix* is what ids of trials begin with."""
        plain = isinstance(self.search, UserSearcher) and not isinstance(self.search, SpaceSearcher)
        search = self.search if plain else copy.deepcopy(self.search)  # a user's is copied where it is used
        searcher = searcher_of(search, self.space, self.tune.num_samples, seed, self.goals)
        christen(searcher, prefix)
        return searcher

    def scheduler(self, directory: str = "") -> Scheduler:
        """Return a scheduler that has heard nothing yet, the user's stop condition before it."""
        return stopping(_fresh(self.run.stop), self._judge(directory))

    def _judge(self, directory: str = "") -> Scheduler:
        made = self.scheduling
        if isinstance(made, TrialScheduler):
            return made.policy(_inherited(made, self.goals, self.tune.metric is None), directory, self.total())
        fresh: Scheduler = copy.deepcopy(made)
        return fresh

    def total(self) -> int | None:
        """Return how many trials there will be, where the searcher knows."""
        total = getattr(self.searcher(), "total", None)
        return total if isinstance(total, int) else self._num_trials()

    def save_rule(self) -> SaveRule | None:
        """Return when class trainables are to save themselves for the scheduler."""
        return self.scheduling.save_rule() if isinstance(self.scheduling, TrialScheduler) else None

    def listeners(self, directory: str) -> Sequence[Recalling]:
        """Return whom the scheduler wants to hear what happens."""
        return self.scheduling.listeners(directory) if isinstance(self.scheduling, TrialScheduler) else ()

    def seed(self) -> int:
        """Return the seed: the user's, the searcher's, or one drawn now."""
        if self.tune.seed is not None:
            return self.tune.seed
        own = getattr(self.search, "seed", None)
        return own if isinstance(own, int) else int.from_bytes(os.urandom(4), "little")

    def limits(self, seed: int, prefix: str) -> Limits:
        """Return the numbers that bound the experiment."""
        failure, checkpoint = self.run.failure_config, self.run.checkpoint_config
        assert failure is not None  # noqa: S101 (set by RunConfig)
        assert checkpoint is not None  # noqa: S101 (set by RunConfig)
        return Limits(
            num_trials=self._num_trials(),
            max_concurrent=self.max_concurrent(),
            max_failures=failure.max_failures,
            fail_fast=bool(failure.fail_fast),
            elastic=self.run.executor in CLUSTERS,
            keep=checkpoint.num_to_keep,
            keep_by=checkpoint.checkpoint_score_attribute,
            keep_mode=checkpoint.checkpoint_score_order,
            seed=seed,
            prefix=prefix,
        )

    def _num_trials(self) -> int | None:
        endless = self.tune.num_samples < 0 or isinstance(self.search, BasicVariantGenerator)  # which counts by itself
        return None if endless else self.tune.num_samples

    @property
    def budget_s(self) -> float | None:
        """Seconds that the experiment may take, by ``time_budget_s`` or a ``TimeoutStopper``; None for no limit."""
        budget = self.tune.time_budget_s
        if isinstance(budget, timedelta):
            budget = budget.total_seconds()
        budget = min(math.inf if budget is None else budget, timeout_of(self.run.stop))
        return None if budget == math.inf else budget

    def param_keys(self) -> list[str]:
        """Return the names of the parameters, those in nested dicts joined by ``/``, in order."""
        return keys_of(self.param_space)

    def max_concurrent(self) -> int | None:
        """Return how many trials may run at once, apart from what fits."""
        if self.run.executor == "inline":
            return 1
        ours = isinstance(self.search, (BasicVariantGenerator, SpaceSearcher))
        own = getattr(self.search, "max_concurrent", None) if ours else None
        wishes = [n for n in (self.tune.max_concurrent_trials, own) if n]
        if not wishes and not callable(self.request) and not self.request:
            wishes = [max(1, 4 * int(self.capacity.get("cpu", 1)))]  # trials that ask for nothing fit without end
        return min(wishes) if wishes else None

    def engine(self, limits: Limits, naming: Naming, directory: str = "") -> Callable[[], Engine]:
        """Return what makes the engine of an experiment in *directory*, in which nothing has happened yet."""
        return lambda: Engine(
            limits,
            self.searcher(limits.seed, limits.prefix),
            self.scheduler(directory),
            self.goals,
            self.request,
            naming,
        )

    @property
    def goal(self) -> Goal | None:
        """What trials are ranked by: the first of the goals, which may be the scheduler's own."""
        return self.goals[0] if self.goals else None


def keys_of(param_space: Mapping[str, Any] | None, prefix: str = "") -> list[str]:
    """Return the names of what is in *param_space*, those in nested dicts joined by ``/``, in order.

    >>> keys_of({"lr": 0.1, "model": {"width": 8}, "depth": {"grid_search": [1, 2]}})
    ['depth', 'lr', 'model/width']
    """
    keys: list[str] = []
    for key, value in (param_space or {}).items():
        nested = isinstance(value, dict) and value and set(value) != {"grid_search"}
        keys += keys_of(value, f"{prefix}{key}/") if nested else [f"{prefix}{key}"]
    return sorted(keys)


def _goals(tune: TuneConfig, search: Any) -> tuple[Goal, ...]:
    """Return what is optimised: by the Tuner's words, else by the search algorithm's."""
    if tune.metric is None and tune.mode is None:
        if isinstance(search, SpaceSearcher):
            return search.own_goals(())
        return spoken_goals(search) if isinstance(search, UserSearcher) else ()
    if tune.metric is None:
        raise BadArgument("metric", None, "the name of a reported metric", f"mode is {tune.mode!r}")
    if tune.mode is None:
        raise BadArgument("mode", None, "'min' or 'max'", f"metric is {tune.metric!r}")
    return goals_of(tune.metric, tune.mode)


def _inherited(scheduler: TrialScheduler, goals: tuple[Goal, ...], searched: bool) -> Goal | None:
    """Return the goal that *scheduler* takes over; *searched*: they are not the Tuner's.

    Raises:
        BadArgument: there are several, and it compares trials by one.
    """
    if len(goals) < 2:  # noqa: PLR2004 (several)
        own = searched and _judged_by(scheduler)  # it is the experiment's goal, or beside the search's
        return goals[0] if goals and not own else None
    judge: Any = scheduler
    while getattr(judge, "base_scheduler", None) is not None:
        judge = judge.base_scheduler
    name = type(judge).__name__
    if not isinstance(judge, FIFOScheduler) and getattr(judge, "metric", None) is None:
        wanted = f"metric and mode of its own in {name}(...), or no scheduler"
        raise BadArgument("metric", [goal.metric for goal in goals], wanted, f"{name} compares trials by one metric")
    return None


def _judged_by(scheduler: Any) -> tuple[Goal, ...]:
    """Return what a scheduler that names its own metric and mode judges by."""
    own = isinstance(scheduler, TrialScheduler) and scheduler.metric and scheduler.mode
    return (Goal(scheduler.metric, scheduler.mode),) if own else ()


def _scheduling(scheduler: Any) -> Any:
    if scheduler is None:
        return FIFOScheduler()
    if isinstance(scheduler, str):
        return create_scheduler(scheduler)
    if isinstance(scheduler, TrialScheduler) or (hasattr(scheduler, "decide") and hasattr(scheduler, "pick")):
        return scheduler
    raise BadArgumentType("scheduler", scheduler, "a scheduler of luthier.tune.schedulers, or its name")


def _capacity(run: RunConfig) -> dict[str, float]:
    """Return what this machine offers, the user's own words going before what is found; or what the cluster offers."""
    if run.executor == "ray":
        from luthier.execution.ray.cluster import Cluster

        return total(Cluster(run.executor_options).nodes())
    if run.executor == "dask":
        from luthier.execution.dask.cluster import all_nodes

        return total(all_nodes(run.executor_options))
    from luthier.execution.devices import machine_resources

    given = {} if run.resources is None else checked(run.resources, "resources")
    return {**machine_resources(), **given}


def _request(trainable: Any, capacity: Mapping[str, float], run: RunConfig) -> Request:
    """Return what a trial asks for; a cluster may yet grow to give it, and who waits for that is told.

    Raises:
        BadArgument: this machine, or a cluster that is made for this experiment, can never give it.
    """
    request = request_of(trainable)
    if request is None:
        return {"cpu": 1.0}
    if callable(request) or fits(request, capacity):
        return request
    asks, cluster = f"a trial asks for {spelled(request)}", run.executor in CLUSTERS
    has = spelled({name: capacity.get(name, 0.0) for name in request} if cluster else capacity)
    if not cluster:
        wanted = "less, or say in RunConfig(resources=...) what there is"
        raise BadArgument("resources", request, wanted, f"{asks}, and this machine has {has}")
    options = run.executor_options or {}
    if options.get("address") == "local" or "n_workers" in options:
        wanted = "less, or give that cluster more by executor_options"
        raise BadArgument("resources", request, wanted, f"{asks}, and the cluster of this experiment has {has}")
    log.warning("%s, and the cluster has %s: trials wait until it has more.", asks, has)
    return request


def _check_checkpointing(trainable: Any, run: RunConfig) -> None:
    wanted = run.checkpoint_config
    if wanted is None or isinstance(trainable, type):
        return
    for argument in ("checkpoint_frequency", "checkpoint_at_end"):
        given = getattr(wanted, argument)
        if given:
            raise BadArgument(
                argument, given, "nothing, and pass checkpoint= to tune.report", "it is for Trainable classes only"
            )


def _fresh(stop: Any) -> Any:
    """Return a copy of a stopper, which may count; what cannot be copied is shared."""
    try:
        return copy.deepcopy(stop)
    except Exception:  # noqa: BLE001 (an object with a lock, say)
        return stop
