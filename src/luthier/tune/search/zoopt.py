"""ZOOpt as a search algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.arguments import share, whole
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Space
from luthier.search.distinct import Distinct
from luthier.search.library import Library
from luthier.tune.installed import demand
from luthier.tune.search.space_searcher import SpaceSearcher, only_goal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.search.known import Known

_ALGORITHMS = ("asracos", "sracos")
_DEFAULTS: Mapping[str, Any] = {"exploration_rate": 0.01, "uncertain_bits": None}  # of zoopt.Parameter


class ZOOptSearch(SpaceSearcher):
    """ZOOpt's sequential classification-based search (SRACOS): what tells the few best points from the rest.

    Args:
        algo: ``"asracos"`` or ``"sracos"``, which are the same: it is told of trials as they end.
        budget: how many trials there will be, from which ZOOpt chooses the size of its model; the Tuner's
            ``num_samples`` where None.
        dim_dict: what to search: a dict of ZOOpt's dimensions or of our domains; the Tuner's ``param_space`` where
            None.
        metric: what is optimised; the Tuner's where None.
        mode: ``"min"`` or ``"max"``.
        points_to_evaluate: configs, or parts of such, to be tried first.
        parallel_num: how many trials may run at a time.
        evaluated_rewards: values of *points_to_evaluate* where they are known.
        seed: where chance starts.
        **kwargs: of ``zoopt.Parameter``: ``exploration_rate`` (0.01), ``uncertain_bits`` (ZOOpt's choice).

    Raises:
        MissingLibrary: ZOOpt is not installed.
        BadArgument: for an argument that cannot be used.

    Source: Hu, Qian, Yu, "Sequential classification-based optimization for direct policy search", AAAI 2017.

    >>> from luthier import tune
    >>> search = ZOOptSearch(budget=20, dim_dict={"x": tune.uniform(0, 1)}, metric="loss", mode="min", seed=7)
    >>> 0 <= search.suggest("first")["x"] <= 1
    True
    """

    num_samples: int | None = None

    def __init__(  # noqa: PLR0917 (the order is Ray's)
        self,
        algo: str = "asracos",
        budget: int | None = None,
        dim_dict: Mapping[str, Any] | None = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        parallel_num: int = 1,
        evaluated_rewards: Sequence[Any] | None = None,
        seed: object = None,
        **kwargs: Any,
    ) -> None:
        demand("ZOOptSearch", "zoopt", "zoopt")
        if not isinstance(algo, str) or algo.lower() not in _ALGORITHMS:
            raise BadArgument("algo", algo, "'asracos' or 'sracos'")
        for name, value in kwargs.items():
            if name not in _DEFAULTS:
                raise BadArgument(name, value, f"one of {', '.join(_DEFAULTS)}", "ZOOptSearch has no such thing")
        options = {**_DEFAULTS, **kwargs}
        options["exploration_rate"] = share("exploration_rate", options["exploration_rate"])
        if options["uncertain_bits"] is not None:
            options["uncertain_bits"] = whole("uncertain_bits", options["uncertain_bits"], 1)
        if dim_dict is not None and not isinstance(dim_dict, (dict, Space)):
            raise BadArgumentType("dim_dict", dim_dict, "a dict of dimensions or of domains")
        self.budget = None if budget is None else whole("budget", budget, 1)
        self.parallel_num, self.options = whole("parallel_num", parallel_num, 1), options
        super().__init__(dim_dict, metric, mode, points_to_evaluate, evaluated_rewards, seed)

    def expect(self, num_samples: int) -> None:
        """Hear how many trials there will be."""
        self.num_samples = num_samples if num_samples > 0 else None

    def converted(self, space: Mapping[str, Any]) -> Space:
        """Return *space*, which may hold dimensions of ZOOpt's, as a space of ours."""
        from luthier.search.zoopt import converted

        return space if isinstance(space, Space) else converted(space)

    def set_search_properties(
        self,
        metric: str | Sequence[str] | None,
        mode: str | Sequence[str] | None,
        config: Mapping[str, Any],
        **spec: Any,
    ) -> bool:
        """Take over what is not said yet; return whether anything was new."""
        if self.space is None and config:
            self.space = Space(dict(config))  # tuples in it are no dimensions
            config = {}
        return super().set_search_properties(metric, mode, config, **spec)

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Library:
        """Return the policy."""
        from luthier.search.flat_axes import FlatAxes
        from luthier.search.zoopt import ZooptStudy

        only_goal(goals, "ZOOptSearch")
        budget = self.num_samples if self.budget is None else self.budget
        if budget is None:
            raise BadArgument("budget", None, "how many trials there will be, here or as num_samples")
        study = ZooptStudy(FlatAxes(space, "ZOOpt"), budget, known, **self.options)
        return Library(Distinct(study, space), seed, len(self.points_to_evaluate), self.parallel_num)
