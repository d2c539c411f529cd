"""Differential evolution, our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.search.evolution import Evolution
from luthier.tune.search.space_searcher import SpaceSearcher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.core.space import Space
    from luthier.search.known import Known


class EvolutionSearch(SpaceSearcher):
    """Differential evolution for mixed and conditional spaces, one or several metrics, many evaluations.

    A proposal costs next to nothing, however many trials there were.

    Args:
        space: what to search; the Tuner's ``param_space`` where None.
        metric: what is optimised, or a list of such; the Tuner's where None.
        mode: ``"min"`` or ``"max"``, or a list with one for each metric.
        points_to_evaluate: configs to be tried first.
        evaluated_rewards: values of *points_to_evaluate* where they are known.
        population_size: how many of the best breed, at least 4.
        mutation_rate: how often an axis is drawn anew, in [0, 1]; half an axis per child where None.
        seed: where chance starts.

    Raises:
        BadArgument: for an argument out of its range.

    Source: Storn, Price: "Differential Evolution", Journal of Global Optimization 11, 1997.

    >>> from luthier import tune
    >>> search = EvolutionSearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min", seed=7)
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
        population_size: int = 20,
        mutation_rate: float | None = None,
        seed: object = None,
    ) -> None:
        super().__init__(space, metric, mode, points_to_evaluate, evaluated_rewards, seed)
        self.population_size, self.mutation_rate = population_size, mutation_rate
        Evolution({}, population_size, mutation_rate)  # bad numbers are refused where they were written

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Evolution:
        """Return the policy."""
        return Evolution(space, self.population_size, self.mutation_rate, seed, known)
