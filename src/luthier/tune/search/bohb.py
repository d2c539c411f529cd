"""BOHB's search algorithm under Ray Tune's name and arguments; the model is our own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from luthier.core.arguments import whole
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.search.bohb import Bohb
from luthier.search.grids import refuse_grids
from luthier.search.limit import Limit
from luthier.tune.search.space_searcher import SpaceSearcher, only_goal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler
    from luthier.core.policy import Searcher as Policy
    from luthier.core.space import Space
    from luthier.search.known import Known
    from luthier.tune.configs import TuneConfig

log = logging.getLogger("luthier")

_SETTINGS = (
    "min_points_in_model",
    "top_n_percent",
    "num_samples",
    "random_fraction",
    "bandwidth_factor",
    "min_bandwidth",
)


class TuneBOHB(SpaceSearcher):
    """BOHB: a model of what is good at the largest budget of which enough is known; goes with ``HyperBandForBOHB``.

    Args:
        space: what to search, also as a ``ConfigSpace.ConfigurationSpace``; the Tuner's ``param_space`` where None.
        bohb_config: settings of the model by name: ``min_points_in_model``, ``top_n_percent`` (15), ``num_samples``
            (64), ``random_fraction`` (1/3), ``bandwidth_factor`` (3), ``min_bandwidth`` (1e-3).
        metric: what is optimised; the Tuner's where None.
        mode: ``"min"`` or ``"max"``.
        points_to_evaluate: configs to be tried first.
        seed: where chance starts.
        max_concurrent: how many trials may be under way; 0 for no limit.

    Raises:
        BadArgument: for an argument that cannot be used.

    Source: Falkner, Klein, Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018.

    >>> from luthier import tune
    >>> search = TuneBOHB({"x": tune.uniform(0, 1)}, metric="loss", mode="min", seed=7)
    >>> 0 <= search.suggest("first")["x"] <= 1
    True
    """

    def __init__(
        self,
        space: Mapping[str, Any] | Any = None,
        bohb_config: Mapping[str, Any] | None = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        seed: object = None,
        max_concurrent: int = 0,
    ) -> None:
        super().__init__(space, metric, mode, points_to_evaluate, None, seed)
        settings = {} if bohb_config is None else bohb_config
        if not isinstance(settings, dict):
            raise BadArgumentType("bohb_config", bohb_config, f"a dict with some of {', '.join(_SETTINGS)}")
        for name in settings:
            if name not in _SETTINGS:
                raise BadArgument(
                    "bohb_config", bohb_config, f"some of {', '.join(_SETTINGS)}", f"no {name!r} is known"
                )
        self.bohb_config, self.max_concurrent = dict(settings), max(0, whole("max_concurrent", max_concurrent, -1))
        self.budgets: tuple[float, ...] = ()
        self.time_attr = "training_iteration"
        Bohb({}, **self.bohb_config)  # bad numbers are refused where they were written

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Have at most that many trials under way."""
        self.max_concurrent = max_concurrent
        return True

    def review(self, tuning: TuneConfig, scheduler: Scheduler) -> None:
        """Learn the budgets of *scheduler*; warn where it has none."""
        budgets = getattr(scheduler, "budgets", None)
        if budgets:
            self.budgets, self.time_attr = tuple(budgets), getattr(scheduler, "time_attr", self.time_attr)
        else:
            log.warning(
                "TuneBOHB is made for HyperBandForBOHB, which compares trials at budgets. %s does not: each trial "
                "counts with its last result.",
                type(scheduler).__name__,
            )

    def converted(self, space: Any) -> Space:
        """Return *space* as one of ours."""
        if type(space).__module__.partition(".")[0] == "ConfigSpace":
            from luthier.tune.search.configspace import space_of

            return space_of(space)
        return super().converted(space)

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Policy:
        """Return the policy.

        Raises:
            BadArgument: there are several metrics, or a grid.
        """
        only_goal(goals, type(self).__name__)
        refuse_grids(space, type(self).__name__)
        found = Bohb(space, self.budgets, self.time_attr, known=known, **self.bohb_config)
        return Limit(found, self.max_concurrent) if self.max_concurrent > 0 else found
