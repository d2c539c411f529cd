"""The search algorithms and schedulers that a sweep may ask for: what they are called, and what they take.

They themselves are above (:mod:`luthier.tune.search`, :mod:`luthier.tune.schedulers`); a test keeps the two alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from luthier.sweeps.signatures import signature_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from inspect import Signature


@dataclass(frozen=True)
class Policy:
    """A class of Luthier's that chooses or judges.

    Attributes:
        title: the name of the class.
        module: where in ``suggest``, ``search`` or ``schedulers`` it is.
        name: what ``create_searcher`` or ``create_scheduler`` know it by; None for what stands around another one.
        takes: its arguments, as in its definition.
        about: what it is, in a sentence.
        older: arguments that earlier versions took, by name.
        space: which argument is the search space.
        seed: which argument says where chance starts.
    """

    title: str
    module: str
    name: str | None
    takes: str
    about: str
    older: str = ""
    space: str = "space"
    seed: str = "seed"

    @cached_property
    def signature(self) -> Signature:
        """What it takes, older arguments too."""
        if not self.older:
            return signature_of(self.takes)
        plain, rest, more = self.takes.partition(", **")
        return signature_of(f"{plain}, *, {self.older}{rest}{more}")

    @property
    def written(self) -> str:
        """What it is called in a file."""
        return self.title if self.module in _SCHEDULER_MODULES else f"{self.module}.{self.title}"


_GOAL = "metric=None, mode=None"
_SPACE = f"space=None, {_GOAL}, points_to_evaluate=None"
_OURS = f"{_SPACE}, evaluated_rewards=None"
_LIMIT = "max_concurrent=None, reward_attr=None"
_TIME = f"time_attr='training_iteration', {_GOAL}"
_SECONDS = f"time_attr='time_total_s', {_GOAL}"
_RUNGS = f"{_TIME}, max_t=100, grace_period=1, reduction_factor=4"

SEARCHERS: tuple[Policy, ...] = (
    Policy(
        "BasicVariantGenerator",
        "basic_variant",
        "random",
        "points_to_evaluate=None, max_concurrent=0, constant_grid_search=False, random_state=None",
        "Random and grid search: what is done where nothing else is asked for.",
        space="",
        seed="random_state",
    ),
    Policy(
        "HyperOptSearch",
        "hyperopt",
        "hyperopt",
        f"{_SPACE}, n_initial_points=20, random_state_seed=None, gamma=0.25, evaluated_rewards=None",
        "HyperOpt's tree-structured Parzen estimator.",
        _LIMIT,
        seed="random_state_seed",
    ),
    Policy(
        "TPESearch",
        "tpe",
        "tpe",
        f"{_OURS}, n_initial_points=8, gamma=0.15, n_candidates=32, prior_weight=1.0, seed=None",
        "A tree-structured Parzen estimator of Luthier's own.",
    ),
    Policy(
        "OptunaSearch",
        "optuna",
        "optuna",
        f"{_SPACE}, sampler=None, study_name=None, storage=None, seed=None, evaluated_rewards=None",
        "Optuna, with its own choice of a sampler.",
    ),
    Policy(
        "BayesOptSearch",
        "bayesopt",
        "bayesopt",
        f"{_SPACE}, utility_kwargs=None, random_state=42, random_search_steps=10, verbose=0, patience=5, "
        "skip_duplicate=True, analysis=None, repeat_float_precision=5, evaluated_rewards=None",
        "Bayesian optimization with a Gaussian process, by the library bayesian-optimization.",
        _LIMIT,
        seed="random_state",
    ),
    Policy(
        "SkOptSearch",
        "skopt",
        "skopt",
        f"optimizer=None, {_OURS}, convert_to_python=True, seed=None, n_initial_points=None",
        "scikit-optimize.",
        _LIMIT,
    ),
    Policy(
        "NevergradSearch",
        "nevergrad",
        "nevergrad",
        f"optimizer=None, optimizer_kwargs=None, {_OURS}, seed=None",
        "Nevergrad: any of its optimizers, by name.",
        _LIMIT,
    ),
    Policy(
        "AxSearch",
        "ax",
        "ax",
        f"{_SPACE}, parameter_constraints=None, outcome_constraints=None, ax_client=None, evaluated_rewards=None, "
        "seed=None, **ax_kwargs",
        "Ax: Bayesian optimization over BoTorch.",
        _LIMIT,
    ),
    Policy(
        "HEBOSearch",
        "hebo",
        "hebo",
        f"{_OURS}, random_state_seed=None, max_concurrent=8, **kwargs",
        "HEBO.",
        seed="random_state_seed",
    ),
    Policy(
        "ZOOptSearch",
        "zoopt",
        "zoopt",
        f"algo='asracos', budget=None, dim_dict=None, {_GOAL}, points_to_evaluate=None, parallel_num=1, "
        "evaluated_rewards=None, seed=None, **kwargs",
        "ZOOpt's classification-based search.",
        space="dim_dict",
    ),
    Policy(
        "TuneBOHB",
        "bohb",
        "bohb",
        f"space=None, bohb_config=None, {_GOAL}, points_to_evaluate=None, seed=None, max_concurrent=0",
        "BOHB's model; to be used with the scheduler HyperBandForBOHB.",
    ),
    Policy(
        "GPSearch", "gp", "gp", f"{_OURS}, n_initial_points=None, seed=None", "A Gaussian process of Luthier's own."
    ),
    Policy("CMAESSearch", "cmaes", "cmaes", f"{_OURS}, sigma=0.25, population_size=None, seed=None", "CMA-ES."),
    Policy(
        "EvolutionSearch",
        "evolution",
        "evolution",
        f"{_OURS}, population_size=20, mutation_rate=None, seed=None",
        "Evolution, for one metric or several.",
    ),
    Policy(
        "QuasiRandomSearch", "quasirandom", "quasirandom", f"{_OURS}, seed=None", "Points that cover the space evenly."
    ),
    Policy("AutoSearch", "auto", "auto", f"{_OURS}, seed=None", "The search that suits the space and the budget."),
    Policy(
        "ConcurrencyLimiter",
        "concurrency_limiter",
        None,
        "searcher, max_concurrent, batch=False",
        "At most so many runs of another search algorithm at a time, on all agents together.",
    ),
    Policy("Repeater", "repeater", None, "searcher, repeat=1, set_index=True", "Each config several times."),
)

SCHEDULERS: tuple[Policy, ...] = (
    Policy("FIFOScheduler", "trial_scheduler", "fifo", "", "Every run goes on to its end."),
    Policy(
        "AsyncHyperBandScheduler",
        "async_hyperband",
        "asha",
        f"{_RUNGS}, brackets=1, stop_last_trials=True",
        "Asynchronous successive halving: a run that is worse than most at a rung is stopped.",
        "reward_attr=None",
    ),
    Policy(
        "ASHAScheduler",
        "async_hyperband",
        "asha",
        f"{_RUNGS}, brackets=1, stop_last_trials=True",
        "Asynchronous successive halving: a run that is worse than most at a rung is stopped.",
        "reward_attr=None",
    ),
    Policy(
        "HyperBandScheduler",
        "hyperband",
        "hyperband",
        f"{_TIME}, max_t=81, reduction_factor=3, stop_last_trials=True",
        "HyperBand: runs are paused until all of a bracket came, then the better ones go on.",
        "reward_attr=None",
    ),
    Policy(
        "HyperBandStopping",
        "hyperband_stopping",
        "hyperband_stopping",
        f"{_GOAL}, min_iter=None, max_iter=None, s=None, eta=3, strict=True",
        "Stops runs that are behind at Hyperband's bands, as early_terminate of W&B's sweeps does.",
    ),
    Policy(
        "HyperBandForBOHB",
        "hb_bohb",
        "hb_bohb",
        f"{_TIME}, max_t=81, reduction_factor=3, stop_last_trials=True",
        "HyperBand for the search algorithm TuneBOHB.",
    ),
    Policy(
        "MedianStoppingRule",
        "median_stopping_rule",
        "median_stopping_rule",
        f"{_SECONDS}, grace_period=60.0, min_samples_required=3, min_time_slice=0, hard_stop=True",
        "A run that is worse than the median of the others is stopped.",
        "reward_attr=None",
    ),
    Policy(
        "ASHAPromotionScheduler",
        "promotion",
        "asha_promotion",
        _RUNGS,
        "Asynchronous successive halving that pauses runs, and promotes them when they turn out to be good.",
    ),
    Policy(
        "PASHAScheduler", "pasha", "pasha", f"{_RUNGS}, noise_quantile=0.9", "Promotion to rungs that grow as needed."
    ),
    Policy(
        "PopulationBasedTraining",
        "pbt",
        "pbt",
        f"{_SECONDS}, perturbation_interval=60.0, burn_in_period=0.0, hyperparam_mutations=None, "
        "quantile_fraction=0.25, resample_probability=0.25, perturbation_factors=(1.2, 0.8), custom_explore_fn=None, "
        "log_config=True, require_attrs=True, synch=False",
        "A population: the worst go on from the checkpoints of the best, with mutated configs.",
        "reward_attr=None",
    ),
    Policy(
        "PopulationBasedTrainingReplay",
        "pbt",
        "pbt_replay",
        "policy_file",
        "One run by the schedule that a trial of a population followed.",
    ),
    Policy(
        "PB2",
        "pb2",
        "pb2",
        f"{_SECONDS}, perturbation_interval=60.0, hyperparam_bounds=None, quantile_fraction=0.25, log_config=True, "
        "require_attrs=True, synch=False, custom_explore_fn=None",
        "A small population whose hyperparameters a Gaussian process chooses.",
    ),
    Policy(
        "ResourceChangingScheduler",
        "resource_changing_scheduler",
        "resource_changing",
        "base_scheduler=None, resources_allocation_function=None",
        "Runs grow into what others leave, under another scheduler.",
    ),
)
_SCHEDULER_MODULES = frozenset(policy.module for policy in SCHEDULERS)

# Names that files may give instead of a class, with no arguments: those of luthier.tune.
SEARCHER_NAMES: Mapping[str, str] = {
    **{policy.name: policy.name for policy in SEARCHERS if policy.name},
    "variant_generator": "random",
    "grid": "random",
    "sobol": "quasirandom",
}
SCHEDULER_NAMES: Mapping[str, str] = {
    **{policy.name: policy.name for policy in SCHEDULERS if policy.name},
    "async_hyperband": "asha",
    "asynchyperband": "asha",
    "medianstopping": "median_stopping_rule",
}
