"""Scikit-optimize as a search algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.arguments import whole
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.rng import rng_at
from luthier.core.space import Space
from luthier.search.distinct import Distinct
from luthier.search.known import Known
from luthier.search.library import Library
from luthier.search.optuna_space import nested
from luthier.tune.installed import demand
from luthier.tune.search.space_searcher import SpaceSearcher, only_goal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal


class SkOptSearch(SpaceSearcher):
    """Bayesian optimization by scikit-optimize: by Gaussian processes, or by trees.

    Args:
        optimizer: a ``skopt.Optimizer``, whose arguments are taken over and whose points are known; one over our axes,
            by Gaussian processes, where None.
        space: what to search: our domains, or scikit-optimize's ranges ``{"x": (0.0, 1.0), "n": (1, 9)}`` and lists of
            options; with *optimizer* the names of its dimensions; the Tuner's ``param_space`` where None.
        metric: what is optimised; the Tuner's where None.
        mode: ``"min"`` or ``"max"``.
        points_to_evaluate: configs, or parts of such, to be tried first; or lists of values, in the order of names.
        evaluated_rewards: values of *points_to_evaluate* where they are known.
        convert_to_python: taken for compatibility; values are Python's, never numpy's.
        seed: where chance starts; the *optimizer*'s ``random_state`` where None, else the Tuner's.
        n_initial_points: trials that have ended before there is a model; the *optimizer*'s where None, else 10.

    Raises:
        MissingLibrary: scikit-optimize is not installed.
        BadArgument: for an argument that cannot be used.

    Source: the ``scikit-optimize`` package's documentation, ``skopt.Optimizer``.

    >>> from luthier import tune
    >>> search = SkOptSearch(space={"x": tune.uniform(0, 1)}, metric="loss", mode="min", seed=7)
    >>> 0 <= search.suggest("first")["x"] <= 1
    True
    """

    def __init__(  # noqa: PLR0917 (the order is Ray's)
        self,
        optimizer: Any = None,
        space: Sequence[str] | Mapping[str, Any] | None = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]] | None = None,
        evaluated_rewards: Sequence[Any] | None = None,
        convert_to_python: bool = True,
        seed: object = None,
        n_initial_points: int | None = None,
    ) -> None:
        demand("SkOptSearch", "skopt", "skopt", "0.10", "scikit-optimize")
        self.arguments: dict[str, Any] | None = None
        self.names: list[str] = []
        self.told: list[tuple[list[Any], float]] = []
        self.convert_to_python = convert_to_python
        self.n_initial_points = None if n_initial_points is None else whole("n_initial_points", n_initial_points, 1)
        given: Any = space
        if optimizer is not None:
            given, seed = self._taken(optimizer, space, seed)
        elif space is not None and not isinstance(space, (dict, Space)):
            raise BadArgumentType("space", space, "a dict of ranges or domains; names only with an optimizer")
        else:
            self.names = [str(name) for name in space or ()] if isinstance(space, dict) else []
        super().__init__(given, metric, mode, self._by_name(points_to_evaluate), evaluated_rewards, seed)

    def converted(self, space: Mapping[str, Any]) -> Space:
        """Return *space*, in which there may be ranges, as a space of ours."""
        from luthier.search.skopt_space import converted

        return space if isinstance(space, Space) else converted(space)

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Library:
        """Return the policy."""
        from luthier.search.skopt import SkOptStudy
        from luthier.search.skopt_space import Dimensions

        only_goal(goals, "SkOptSearch")
        if self.arguments is None:
            study = SkOptStudy(space, known, startup=self.n_initial_points)
        else:
            dimensions, chance = Dimensions(space, self.names), rng_at(seed)
            told = [Known(dimensions.config(values, chance), (score,)) for values, score in self.told]
            known = [*told, *known]
            study = SkOptStudy(space, known, self.arguments, self.names, self.n_initial_points, seed)
        return Library(Distinct(study, space), seed, len(self.points_to_evaluate))

    def set_search_properties(
        self,
        metric: str | Sequence[str] | None,
        mode: str | Sequence[str] | None,
        config: Mapping[str, Any],
        **spec: Any,
    ) -> bool:
        """Take over what is not said yet; return whether anything was new."""
        if self.space is None and config:
            self.space = Space(dict(config))  # tuples in it are no ranges
            config = {}
        return super().set_search_properties(metric, mode, config, **spec)

    def _taken(self, optimizer: Any, names: Any, seed: object) -> tuple[Space, object]:
        """Take over what *optimizer* was made with and told; return its space and its seed."""
        import skopt

        from luthier.search.skopt_space import named

        if not isinstance(optimizer, skopt.Optimizer):
            raise BadArgumentType("optimizer", optimizer, "a skopt.Optimizer")
        dimensions = optimizer.space.dimensions
        if names is None and all(dimension.name for dimension in dimensions):
            names = [dimension.name for dimension in dimensions]
        if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
            raise BadArgumentType("space", names, "with an optimizer, the names of its dimensions in a list")
        if len(set(names)) != len(dimensions) or len(names) != len(dimensions):
            raise BadArgument("space", names, f"a name for each of the optimizer's {len(dimensions)} dimensions")
        arguments = dict(optimizer.specs["args"])
        if "ps" in arguments["acq_func"]:
            wanted = "another acq_func: how long a trial took is not told"
            raise BadArgument("optimizer.acq_func", arguments["acq_func"], wanted)
        chance = arguments.pop("random_state")
        self.names, self.arguments = list(names), arguments
        self.told = list(zip(optimizer.Xi, map(float, optimizer.yi), strict=True))
        return named(dimensions, names), chance if seed is None else seed

    def _by_name(self, points: Any) -> Any:
        """Return *points* as dicts."""
        if not isinstance(points, (list, tuple)):
            return points
        found: list[Any] = []
        for point in points:
            if isinstance(point, (list, tuple)):
                if len(point) != len(self.names):
                    wanted = f"a value for each of {', '.join(self.names) or 'the names in space='}"
                    raise BadArgument("points_to_evaluate", point, wanted)
                found.append(nested(dict(zip(self.names, point, strict=True))))
            else:
                found.append(point)
        return found
