"""Population based bandits under Ray Tune's name and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.space import Categorical, Float, Integer, described
from luthier.core.space.domain import is_number
from luthier.tune.schedulers.mutations import custom_of
from luthier.tune.schedulers.pbt import PopulationBasedTraining

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler
    from luthier.core.terms import Config
    from luthier.schedulers.explore import Mutation

__all__ = ["PB2"]


class PB2(PopulationBasedTraining):
    """Trains a population, as :class:`PopulationBasedTraining` does; a Gaussian process chooses the new configs.

    It is made for populations that are too small for random mutations: four trials will do.  Trials must save
    checkpoints.  What ``hyperparam_bounds`` names and ``param_space`` lacks is drawn between the bounds in the
    beginning, as a float; a hyperparameter whose value is an integer stays one.

    Args:
        time_attr: the reported field that says how far a trial is; must grow.
        metric: metric to compare by; the Tuner's where None.
        mode: ``"min"`` or ``"max"``; the Tuner's where None.
        perturbation_interval: how often a trial is looked at, in units of ``time_attr``.
        hyperparam_bounds: hyperparameter to ``[low, high]``, or to a dict of the same for nested ones.  Beyond Ray
            Tune, ``tune.uniform``, ``tune.loguniform``, ``tune.randint`` and ``tune.lograndint`` will do too: the
            bandit then goes by their scale.
        quantile_fraction: share of the population that is replaced, and share that replaces it; 0 to 0.5.
        log_config: whether ``pbt_policy_<trial_id>.txt`` and ``pbt_global.txt`` are written.
        require_attrs: whether results without ``time_attr`` or the metric are an error.
        synch: whether all trials wait for each other at each interval.
        custom_explore_fn: gets the chosen config and returns the one to use.

    Raises:
        BadArgument: an argument that cannot be used.

    Source: Parker-Holder, Nguyen, Roberts, "Provably Efficient Online Hyperparameter Optimization with Population-Based
    Bandits", NeurIPS 2020 (arXiv 2002.02518).

    >>> PB2(metric="loss", mode="min", hyperparam_bounds={"lr": [0.001, 0.1]}).quantile_fraction
    0.25
    """

    def __init__(  # noqa: PLR0917 (Ray Tune's)
        self,
        time_attr: str = "time_total_s",
        metric: str | None = None,
        mode: str | None = None,
        perturbation_interval: float = 60.0,
        hyperparam_bounds: Mapping[str, Any] | None = None,
        quantile_fraction: float = 0.25,
        log_config: bool = True,
        require_attrs: bool = True,
        synch: bool = False,
        custom_explore_fn: Callable[[Config], Config] | None = None,
    ) -> None:
        if hyperparam_bounds is None:
            raise BadArgument("hyperparam_bounds", None, "a dict of hyperparameter to [low, high]")
        self.hyperparam_bounds = hyperparam_bounds
        super().__init__(
            time_attr, metric, mode, perturbation_interval,
            quantile_fraction=quantile_fraction,
            custom_explore_fn=custom_explore_fn,
            log_config=log_config,
            require_attrs=require_attrs,
            synch=synch,
        )  # fmt: skip

    def _mutations(self) -> dict[str, Mutation]:
        return _filling(_bounds(self.hyperparam_bounds))

    def furnished(self, param_space: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the search space with the hyperparameters that it lacks.

        Raises:
            BadArgument: what the bandit is to choose is no number there.
        """
        _check_numbers(param_space, self.hyperparam_bounds)
        return super().furnished(param_space)

    def _make(self, goal: Goal | None, population: int | None) -> Scheduler:
        from luthier.schedulers.pb2 import Pb2

        return Pb2(
            _bounds(self.hyperparam_bounds),
            time_attr=self.time_attr,
            goal=goal,
            perturbation_interval=self.perturbation_interval,
            quantile_fraction=self.quantile_fraction,
            require_attrs=self.require_attrs,
            synch=self.synch,
            population=population,
            custom=None if self.custom_explore_fn is None else custom_of(self.custom_explore_fn),
        )


def _bounds(given: Any) -> Any:
    """Return *given* with the core's domains for tune's; what is wrong is for the policy to refuse."""
    if not isinstance(given, Mapping):
        return given
    found = {}
    for name, value in given.items():
        domain = described(value, f"hyperparam_bounds[{name!r}]")
        found[name] = value if domain is None else domain
        if domain is None and isinstance(value, Mapping):
            found[name] = _bounds(value)
    return found


def _check_numbers(space: Mapping[str, Any], bounds: Mapping[str, Any], where: str = "") -> None:
    """See that what *space* has between *bounds* are numbers, as far as can be seen."""
    for name in bounds.keys() & space.keys():
        value, place = space[name], f"{where}[{name!r}]"
        domain = described(value, f"param_space{place}")
        if isinstance(bounds[name], Mapping):
            if domain is None and isinstance(value, Mapping):
                _check_numbers(value, bounds[name], place)
            continue  # else it is refused where the space is filled
        options = domain.options if isinstance(domain, Categorical) else (value,) if domain is None else ()
        for option in () if isinstance(options, range) else options:
            if not is_number(option) and described(option) is None:
                why = f"PB2 chooses it by numbers: it is in hyperparam_bounds, and {option!r} is none"
                raise BadArgument(f"param_space{place}", value, "numbers, or take it out of hyperparam_bounds", why)


def _filling(bounds: Mapping[str, Any]) -> dict[str, Mutation]:
    """Return domains between *bounds*, which have been checked."""
    found: dict[str, Mutation] = {}
    for name, value in bounds.items():
        if isinstance(value, Mapping):
            found[name] = _filling(value)
        elif isinstance(value, (Float, Integer)):
            found[name] = value
        else:
            low, high = value
            found[name] = Float(low, high) if low < high else Categorical([float(low)])
    return found
