"""The search algorithm that suits the space and the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.search.auto import Auto, Choice
from luthier.tune.search.space_searcher import SpaceSearcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.goal import Goal
    from luthier.core.space import Space
    from luthier.search.known import Known


class AutoSearch(SpaceSearcher):
    """Asks the search algorithm that suits the space and the number of results, and says which and why.

    A Gaussian process while results are few; after that CMA-ES where there are only numbers, TPE where there are
    choices or conditions, evolution after thousands of results; TPE where there are several metrics.

    Args:
        space: what to search; the Tuner's ``param_space`` where None.
        metric: what is optimised, or a list of such; the Tuner's where None.
        mode: ``"min"`` or ``"max"``, or a list with one for each metric.
        points_to_evaluate: configs to be tried first.
        evaluated_rewards: values of *points_to_evaluate* where they are known.
        seed: where chance starts.

    Raises:
        BadArgument: for an argument that cannot be used.

    >>> from luthier import tune
    >>> search = AutoSearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min", seed=7)
    >>> config = search.suggest("first")
    >>> search.on_trial_complete("first", {"loss": config["x"] ** 2})
    >>> 0 <= search.suggest("second")["x"] <= 1
    True
    """

    budget: int | None = None

    @property
    def choice(self) -> Choice | None:
        """Who is asked now, and why; None before a search by hand has begun.

        >>> from luthier import tune
        >>> search = AutoSearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min")
        >>> _ = search.suggest("first")
        >>> str(search.choice)
        'gp: 1 axis, fewer than 200 results'
        """
        searcher: Any = None if self._direct is None else self._direct.searcher
        searcher = getattr(searcher, "searcher", searcher)  # behind the points that are given
        return None if searcher is None else searcher.choice

    def expect(self, num_samples: int) -> None:
        """Hear how many trials there will be."""
        self.budget = num_samples if num_samples > 0 else None

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Auto:
        """Return the policy."""
        return Auto(space, self.budget, seed, known, len(goals))
