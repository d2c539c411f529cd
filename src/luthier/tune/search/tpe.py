"""The tree-structured Parzen estimator, our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.search.tpe import Tpe
from luthier.tune.search.space_searcher import SpaceSearcher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.core.space import Space
    from luthier.search.known import Known


class TPESearch(SpaceSearcher):
    """Tree-structured Parzen estimator (TPE): multivariate, for mixed and conditional spaces and several metrics.

    Args:
        space: what to search; the Tuner's ``param_space`` where None.
        metric: what is optimised, or a list of such; the Tuner's where None.
        mode: ``"min"`` or ``"max"``, or a list with one for each metric.
        points_to_evaluate: configs to be tried first.
        evaluated_rewards: values of *points_to_evaluate* where they are known.
        n_initial_points: trials drawn at random before there is a model.
        gamma: share of the trials that are modelled as good ones.
        n_candidates: points compared for each proposal.
        prior_weight: what the space's own distribution weighs beside an average observation.
        seed: where chance starts.

    Raises:
        BadArgument: for an argument out of its range.

    Source: Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011, section 4.

    >>> from luthier import tune
    >>> search = TPESearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min", seed=7)
    >>> config = search.suggest("first")
    >>> search.on_trial_complete("first", {"loss": config["x"] ** 2})
    >>> 0 <= search.suggest("second")["x"] <= 1
    True
    """

    def __init__(  # noqa: PLR0917 (as all search algorithms: what is common first)
        self,
        space: Mapping[str, Any] | None = None,
        metric: str | Sequence[str] | None = None,
        mode: str | Sequence[str] | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        evaluated_rewards: Sequence[Any] | None = None,
        n_initial_points: int = 8,
        gamma: float = 0.15,
        n_candidates: int = 32,
        prior_weight: float = 1.0,
        seed: object = None,
    ) -> None:
        super().__init__(space, metric, mode, points_to_evaluate, evaluated_rewards, seed)
        self.n_initial_points, self.gamma = n_initial_points, gamma
        self.n_candidates, self.prior_weight = n_candidates, prior_weight
        Tpe({}, n_initial_points, gamma, n_candidates, prior_weight)  # bad numbers are refused where they were written

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Tpe:
        """Return the policy."""
        return Tpe(space, self.n_initial_points, self.gamma, self.n_candidates, self.prior_weight, known)
