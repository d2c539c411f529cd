"""Population based training under Ray Tune's name and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.schedulers.mutations import custom_of, filled, mutations_of
from luthier.tune.schedulers.pbt_replay import PopulationBasedTrainingReplay
from luthier.tune.schedulers.saved_class import check_saves
from luthier.tune.schedulers.trial_scheduler import TrialScheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luthier.callbacks.base import Recalling
    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler
    from luthier.core.terms import Config
    from luthier.schedulers.explore import Explore, Mutation
    from luthier.worker.saving import SaveRule

__all__ = ["PopulationBasedTraining", "PopulationBasedTrainingReplay"]


class PopulationBasedTraining(TrialScheduler):
    """Trains a population: at intervals the worst go on from the checkpoints of the best, with mutated configs.

    Trials must save checkpoints: a function reports them, a class (with ``save_checkpoint`` and ``load_checkpoint``) is
    asked for one whenever the scheduler looks at it.  What ``hyperparam_mutations`` names and ``param_space`` lacks is
    drawn from there in the beginning.

    Args:
        time_attr: the reported field that says how far a trial is; must grow.
        metric: metric to compare by; the Tuner's where None.
        mode: ``"min"`` or ``"max"``; the Tuner's where None.
        perturbation_interval: how often a trial is looked at, in units of ``time_attr``.
        burn_in_period: before this nothing happens.
        hyperparam_mutations: hyperparameter to what it may become: a list (a mutation goes to a neighbour), a domain
            or a function without arguments (a number is multiplied by one of ``perturbation_factors``), or a dict of
            these for nested ones.
        quantile_fraction: share of the population that is replaced, and share that replaces it; 0 to 0.5.
        resample_probability: how likely a hyperparameter is drawn anew rather than perturbed.
        perturbation_factors: what numbers are multiplied by, one of them at random.
        custom_explore_fn: gets the mutated config and returns the one to use.
        log_config: whether ``pbt_policy_<trial_id>.txt`` and ``pbt_global.txt`` are written.
        require_attrs: whether results without ``time_attr`` or the metric are an error.
        synch: whether all trials wait for each other at each interval.

    Raises:
        BadArgument: an argument that cannot be used.

    Source: Jaderberg et al., "Population Based Training of Neural Networks", 2017 (arXiv 1711.09846).

    >>> PopulationBasedTraining(metric="loss", mode="min", hyperparam_mutations={"lr": [0.1, 0.01]}).quantile_fraction
    0.25
    """

    def __init__(  # noqa: PLR0917 (Ray Tune's)
        self,
        time_attr: str = "time_total_s",
        metric: str | None = None,
        mode: str | None = None,
        perturbation_interval: float = 60.0,
        burn_in_period: float = 0.0,
        hyperparam_mutations: Mapping[str, Any] | None = None,
        quantile_fraction: float = 0.25,
        resample_probability: float = 0.25,
        perturbation_factors: Sequence[float] = (1.2, 0.8),
        custom_explore_fn: Callable[[Config], Config] | None = None,
        log_config: bool = True,
        require_attrs: bool = True,
        synch: bool = False,
    ) -> None:
        super().__init__(metric, mode)
        if custom_explore_fn is not None and not callable(custom_explore_fn):
            raise BadArgumentType("custom_explore_fn", custom_explore_fn, "a function from config to config")
        self.time_attr, self.perturbation_interval = time_attr, perturbation_interval
        self.burn_in_period = burn_in_period
        self.hyperparam_mutations = {} if hyperparam_mutations is None else hyperparam_mutations
        self.quantile_fraction, self.resample_probability = quantile_fraction, resample_probability
        self.perturbation_factors, self.custom_explore_fn = perturbation_factors, custom_explore_fn
        self.log_config, self.require_attrs, self.synch = log_config, require_attrs, synch
        self._make(None, None)  # what is wrong is refused here, where it was written

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy, for as many trials as will come.

        Raises:
            BadArgument: nobody said what to compare by.
        """
        return self.build_for(inherited, None)

    def build_for(self, inherited: Goal | None, population: int | None) -> Scheduler:
        """Return the policy for *population* trials.

        Raises:
            BadArgument: nobody said what to compare by.
        """
        goal = self.goal(inherited)
        if goal is None:
            name = type(self).__name__
            raise BadArgument(
                "metric", None, "metric and mode, in TuneConfig or in the scheduler", f"{name} needs them"
            )
        return self._make(goal, population)

    def furnished(self, param_space: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the search space with the hyperparameters that it lacks."""
        return filled(param_space, self._mutations())

    def check_trainable(self, trainable: Any) -> None:
        """See that a class can save itself.

        Raises:
            BadArgument: it cannot.
        """
        check_saves(trainable, type(self).__name__)

    def save_rule(self) -> SaveRule:
        """Return when class trainables save themselves: whenever they are looked at."""
        from luthier.worker.saving import SaveRule

        return SaveRule(self.time_attr, float(self.perturbation_interval), float(self.burn_in_period))

    def listeners(self, directory: str) -> Sequence[Recalling]:
        """Return what writes the schedules, and what warns where nothing can be handed over."""
        from luthier.callbacks.policy_files import PolicyFiles
        from luthier.callbacks.unfollowed import UnfollowedWatch

        due = float(max(self.perturbation_interval, self.burn_in_period))
        watch = UnfollowedWatch(self.time_attr, due, "no other trial can go on from it, and it never changes course")
        return (watch, PolicyFiles(directory)) if self.log_config else (watch,)

    # -- for those that explore in another way -------------------------------------------------------------------------
    def _mutations(self) -> dict[str, Mutation]:
        """Return what is mutated, and what a search space that lacks it is filled with."""
        return mutations_of(self.hyperparam_mutations)

    def _explore(self) -> Explore:
        """Return what makes the new configs; called once for each policy."""
        from luthier.schedulers.explore import Mutations

        custom = None if self.custom_explore_fn is None else custom_of(self.custom_explore_fn)
        return Mutations(self._mutations(), self.resample_probability, self.perturbation_factors, custom)

    def _make(self, goal: Goal | None, population: int | None) -> Scheduler:
        from luthier.schedulers.pbt import Pbt

        return Pbt(
            self._explore(),
            time_attr=self.time_attr,
            goal=goal,
            perturbation_interval=self.perturbation_interval,
            burn_in_period=self.burn_in_period,
            quantile_fraction=self.quantile_fraction,
            require_attrs=self.require_attrs,
            synch=self.synch,
            population=population,
        )
