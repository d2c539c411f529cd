"""Trials that grow into what others leave, under Ray Tune's names and arguments."""

from __future__ import annotations

import copy
import math
import warnings
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import WORST, Goal
from luthier.schedulers.shares import KINDS, Growth, steps_in
from luthier.tune.adapt.strangers import refuse_strangers
from luthier.tune.schedulers.trial_scheduler import FIFOScheduler, TrialScheduler
from luthier.worker.bundles import PlacementGroupFactory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luthier.core.policy import Scheduler
    from luthier.schedulers.shares import Bundles


def _amounts(argument: str, given: object) -> dict[str, float]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise BadArgumentType(argument, given, "a dict such as {'CPU': 1}")
    for kind, amount in given.items():
        if kind not in KINDS:
            raise BadArgument(argument, given, "amounts of CPU and GPU only", f"there is {kind!r} in it")
        if isinstance(amount, bool) or not isinstance(amount, (int, float)):
            raise BadArgumentType(f"{argument}[{kind!r}]", amount, "a number")
        if not 0 <= amount < math.inf:
            raise BadArgument(f"{argument}[{kind!r}]", amount, "a finite number >= 0")
    return dict(given)


class DistributeResources:
    """Shares all CPUs and GPUs alike between the trials that have not come to their end.

    A trial never has less than it began with.  Where trials have more than there is (a machine went), those that
    report give back.  Called by :class:`ResourceChangingScheduler` at each result; a function of your own may call it,
    and a subclass may override ``_validate``, ``_get_total_available_resources``, ``_get_used_cpus_and_gpus`` and
    ``_get_new_added_bundles``.

    Args:
        add_bundles: whether a trial grows by whole bundles beside its own, instead of one larger bundle.
        increase_by: what a trial grows by at a time, as ``{"CPU": 2}``; where not given, one CPU, or one GPU where
            trials begin with one, or with *add_bundles* its last bundle.
        increase_by_times: how many such steps a trial may have beyond what it began with; any number where below 1.
        reserve_resources: what is left alone, as ``{"CPU": 1}``.

    Raises:
        BadArgument: an argument cannot be used.

    >>> DistributeResources(increase_by={"CPU": 2}, increase_by_times=3).increase_by_times
    3
    """

    def __init__(
        self,
        add_bundles: bool = False,
        increase_by: dict[str, float] | None = None,
        increase_by_times: int = -1,
        reserve_resources: dict[str, float] | None = None,
    ) -> None:
        refuse_strangers(self, "resources_allocation_function", "a class that overrides what is offered, or a function")
        if not isinstance(add_bundles, bool):
            raise BadArgumentType("add_bundles", add_bundles, "True or False")
        if isinstance(increase_by_times, bool) or not isinstance(increase_by_times, int):
            raise BadArgumentType("increase_by_times", increase_by_times, "a whole number, or -1 for any number")
        self.add_bundles, self.increase_by_times = add_bundles, increase_by_times
        self.increase_by = _amounts("increase_by", increase_by)
        if self.increase_by and not any(self.increase_by.values()):
            raise BadArgument("increase_by", increase_by, "an amount > 0 of CPU or GPU, e.g. {'CPU': 1}")
        self.reserve_resources = _amounts("reserve_resources", reserve_resources)

    def __call__(
        self, tune_controller: Any, trial: Any, result: Mapping[str, Any], scheduler: Any
    ) -> PlacementGroupFactory | None:
        """Return what *trial*, which reported *result*, is to have; None to leave it what it has."""
        base: PlacementGroupFactory = scheduler.base_trial_resources
        if not self._validate(base, result):
            return None
        live, bundles = list(tune_controller.get_live_trials()), base.bundles
        step = self.increase_by or self._unit(bundles)
        total = self._get_total_available_resources(tune_controller)
        used = [self._get_used_cpus_and_gpus(t) for t in live]
        sums = (sum(cpus for cpus, _ in used), sum(gpus for _, gpus in used))
        added = self._get_new_added_bundles(trial, live, bundles, step, *total, *sums)
        return PlacementGroupFactory(self._growth(step).together(bundles, added), base.strategy)

    def _validate(self, base_trial_resource: PlacementGroupFactory, result: Mapping[str, Any]) -> bool:
        """Return whether to go on, instead of leaving the trial what it has."""
        if not self.add_bundles and len(base_trial_resource.bundles) > 1:
            given = base_trial_resource.bundles
            raise BadArgument(
                "add_bundles", self.add_bundles, "True", f"trials begin with more than one bundle: {given}"
            )
        return bool(result.get("training_iteration", 1) >= 1)

    def _get_total_available_resources(self, tune_controller: Any) -> tuple[float, float]:
        """Return how many CPUs and GPUs there are to share, in use or not."""
        updater, reserve = tune_controller._resource_updater, self.reserve_resources  # noqa: SLF001 (Ray's name for it)
        return updater.get_num_cpus() - reserve.get("CPU", 0), updater.get_num_gpus() - reserve.get("GPU", 0)

    def _get_used_cpus_and_gpus(self, t: Any) -> tuple[float, float]:
        """Return how many CPUs and GPUs the trial *t* has."""
        needed = t.placement_group_factory.required_resources
        return needed.get("CPU", 0), needed.get("GPU", 0)

    def _get_new_added_bundles(
        self,
        trial: Any,
        all_trials: Sequence[Any],
        base_bundles: Bundles,
        increase_by: dict[str, float],
        total_available_cpus: float,
        total_available_gpus: float,
        used_cpus: float,
        used_gpus: float,
    ) -> Bundles:
        """Return what *trial* is to have beyond *base_bundles*."""
        growth = self._growth(increase_by)
        total = {"CPU": total_available_cpus, "GPU": total_available_gpus}
        free = {"CPU": total_available_cpus - used_cpus, "GPU": total_available_gpus - used_gpus}
        added = growth.added(trial.placement_group_factory.bundles, base_bundles)
        return growth.moved(added, free, growth.fair(len(all_trials), base_bundles, total))

    def _unit(self, bundles: Bundles) -> dict[str, float]:
        if self.add_bundles:
            unit = {kind: bundles[-1][kind] for kind in KINDS if bundles[-1].get(kind)}
            if not unit:
                raise BadArgument("increase_by", None, "what a trial is to grow by", f"trials begin with {bundles}")
            return unit
        return {"GPU": 1.0} if bundles and bundles[0].get("GPU") else {"CPU": 1.0}

    def _growth(self, step: dict[str, float]) -> Growth:
        return Growth(step, self.increase_by_times if self.increase_by_times > 0 else None, self.add_bundles)


class DistributeResourcesToTopJob(DistributeResources):
    """Gives all that is free to the best trial (or to the next best, where that has its limit).

    Trials that were the best before keep what they have.

    Args:
        add_bundles: as in :class:`DistributeResources`.
        increase_by: as there.
        increase_by_times: as there.
        reserve_resources: as there.
        metric: what makes a trial the best; the scheduler's or the Tuner's where None.
        mode: ``"min"`` or ``"max"``; the scheduler's or the Tuner's where None.

    Raises:
        BadArgument: an argument cannot be used.

    >>> DistributeResourcesToTopJob(metric="loss", mode="min").mode
    'min'
    """

    def __init__(
        self,
        add_bundles: bool = False,
        increase_by: dict[str, float] | None = None,
        increase_by_times: int = -1,
        reserve_resources: dict[str, float] | None = None,
        metric: str | None = None,
        mode: str | None = None,
    ) -> None:
        super().__init__(add_bundles, increase_by, increase_by_times, reserve_resources)
        if mode not in (None, "min", "max"):
            raise BadArgument("mode", mode, "'min' or 'max'")
        self.metric, self.mode = metric, mode

    def _get_new_added_bundles(
        self,
        trial: Any,
        all_trials: Sequence[Any],
        base_bundles: Bundles,
        increase_by: dict[str, float],
        total_available_cpus: float,
        total_available_gpus: float,
        used_cpus: float,
        used_gpus: float,
    ) -> Bundles:
        """Return what *trial* is to have beyond *base_bundles*."""
        assert self.metric is not None  # noqa: S101 (the scheduler has seen to it)
        assert self.mode is not None  # noqa: S101 (as above)
        growth, goal = self._growth(increase_by), Goal(self.metric, self.mode)
        free = {"CPU": total_available_cpus - used_cpus, "GPU": total_available_gpus - used_gpus}

        def added(t: Any) -> Bundles:
            return growth.added(t.placement_group_factory.bundles, base_bundles)

        def score(t: Any) -> float:
            found = goal.score(t.last_result)
            return WORST if found is None else found

        ranked = sorted(all_trials, key=score)
        best = next((t for t in ranked if growth.below_limit(added(t))), ranked[0])
        grows = trial.trial_id == best.trial_id or steps_in(free, increase_by) < 0  # then each gives back
        return growth.moved(added(trial), free) if grows else added(trial)


class ResourceChangingScheduler(TrialScheduler):
    """Lets another scheduler judge the trials, and gives those that carry on other resources.

    At each result of a trial that the other scheduler lets carry on, *resources_allocation_function* is asked what it
    is to have.  Where that is something else, the trial is restarted with it, from its latest checkpoint; a class
    trainable that can save does so on its way out, a function must report checkpoints, or it begins anew.  Inside the
    trial ``tune.get_context().get_trial_resources()`` (``self.trial_resources`` in a class) says what it holds.

    Args:
        base_scheduler: judges the trials; none is stopped where None.
        resources_allocation_function: ``(tune_controller, trial, result, scheduler)`` that returns a
            PlacementGroupFactory, a dict of resources, or None to leave things as they are.

    Raises:
        BadArgumentType: one of the two is something else.

    >>> scheduler = ResourceChangingScheduler(resources_allocation_function=DistributeResources(increase_by={"CPU": 2}))
    >>> type(scheduler.base_scheduler).__name__
    'FIFOScheduler'
    """

    first: PlacementGroupFactory | None = None

    def __init__(
        self,
        base_scheduler: TrialScheduler | None = None,
        resources_allocation_function: Callable[..., Any] | None = DistributeResources(),  # noqa: B008 (never changed)
    ) -> None:
        super().__init__()
        if base_scheduler is not None and not isinstance(base_scheduler, TrialScheduler):
            raise BadArgumentType("base_scheduler", base_scheduler, "a scheduler of luthier.tune.schedulers")
        if resources_allocation_function is None:
            warnings.warn("resources_allocation_function=None: no trial's resources will change", stacklevel=2)
        elif not callable(resources_allocation_function):
            raise BadArgumentType(
                "resources_allocation_function",
                resources_allocation_function,
                "a function (tune_controller, trial, result, scheduler), or DistributeResources()",
            )
        self.base_scheduler = FIFOScheduler() if base_scheduler is None else base_scheduler
        self.resources_allocation_function = resources_allocation_function

    @property
    def base_trial_resources(self) -> PlacementGroupFactory | None:
        """What the first trial began with; None before there is one."""
        return self.first

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy.

        Raises:
            BadArgument: nobody said what the base scheduler, or the search for the best trial, is to judge by.
        """
        return self._resizing(inherited, "", None)

    def build_for(self, inherited: Goal | None, population: int | None) -> Scheduler:
        """Return the policy for *population* trials, as :meth:`build` does."""
        return self._resizing(inherited, "", population)

    def policy(self, inherited: Goal | None, experiment_dir: str = "", population: int | None = None) -> Scheduler:
        """Return the policy that the Tuner runs; see :meth:`TrialScheduler.policy`."""
        if self.written:
            return super().policy(inherited, experiment_dir, population)
        return self._resizing(inherited, experiment_dir, population)

    def _resizing(self, inherited: Goal | None, experiment_dir: str, population: int | None) -> Scheduler:
        from luthier.schedulers.resizing import Resizing
        from luthier.tune.adapt.allocation import Allocation

        goal = self.goal(inherited)
        base = self.base_scheduler.policy(goal, experiment_dir, population)
        if self.resources_allocation_function is None:
            return base
        function = _own(self.resources_allocation_function)
        if isinstance(function, DistributeResourcesToTopJob):
            own = self.base_scheduler
            function.metric = function.metric or own.metric or (None if goal is None else goal.metric)
            function.mode = function.mode or own.mode or (None if goal is None else goal.mode)
            for argument in ("metric", "mode"):
                if getattr(function, argument) is None:
                    wanted = f"{argument}, here, in the base scheduler or in TuneConfig"
                    raise BadArgument(argument, None, wanted, "DistributeResourcesToTopJob must know the best trial")
        shares = isinstance(function, DistributeResources)
        return Resizing(base, Allocation(function, self, experiment_dir), careful=not shares, alike=shares)


def _own(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return copy.deepcopy(function)
    except Exception:  # noqa: BLE001 (it holds a lock, say: then it is shared)
        return function
