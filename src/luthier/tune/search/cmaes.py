"""CMA-ES, our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.search.cmaes import Cmaes
from luthier.tune.search.space_searcher import SpaceSearcher, only_goal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.core.space import Space
    from luthier.search.known import Known


class CMAESSearch(SpaceSearcher):
    """CMA-ES: a normal distribution that learns where to go; for numbers, one metric, and many evaluations.

    Integers and choices are taken along; where most of the space is choices, evolution or TPE serve better.

    Args:
        space: what to search; the Tuner's ``param_space`` where None.
        metric: what is optimised; the Tuner's where None.
        mode: ``"min"`` or ``"max"``.
        points_to_evaluate: configs to be tried first.
        evaluated_rewards: values of *points_to_evaluate* where they are known.
        sigma: spread at the start, in units of an axis.
        population_size: results per step, at least 4; by the number of axes where None.
        seed: where chance starts.

    Raises:
        BadArgument: for an argument out of its range, and for several metrics.

    Source: Hansen: "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772.

    >>> from luthier import tune
    >>> search = CMAESSearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min", seed=7)
    >>> config = search.suggest("first")
    >>> search.on_trial_complete("first", {"loss": config["x"] ** 2})
    >>> 0 <= search.suggest("second")["x"] <= 1
    True
    """

    def __init__(
        self,
        space: Mapping[str, Any] | None = None,
        metric: str | Sequence[str] | None = None,
        mode: str | Sequence[str] | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        evaluated_rewards: Sequence[Any] | None = None,
        sigma: float = 0.25,
        population_size: int | None = None,
        seed: object = None,
    ) -> None:
        super().__init__(space, metric, mode, points_to_evaluate, evaluated_rewards, seed)
        self.sigma, self.population_size = sigma, population_size
        Cmaes({}, sigma, population_size)  # bad numbers are refused where they were written

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Cmaes:
        """Return the policy."""
        only_goal(goals, type(self).__name__)
        return Cmaes(space, self.sigma, self.population_size, seed, known)
