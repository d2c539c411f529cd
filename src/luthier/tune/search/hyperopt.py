"""HyperOpt as a search algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.arguments import more_than, whole
from luthier.core.errors import BadArgumentType
from luthier.core.space import Space, fixed
from luthier.search.distinct import Distinct
from luthier.search.library import Library
from luthier.tune.installed import demand
from luthier.tune.search.space_searcher import SpaceSearcher, only_goal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.core.rng import Rng
    from luthier.core.terms import Config
    from luthier.search.known import Known


class HyperOptSearch(SpaceSearcher):
    """HyperOpt's tree-structured Parzen estimator.

    Args:
        space: what to search: ``hp.*`` or our domains, in dicts and lists nested as you like, or ``hp.choice`` between
            dicts; the Tuner's ``param_space`` where None.
        metric: what is optimised; the Tuner's where None.
        mode: ``"min"`` or ``"max"``.
        points_to_evaluate: configs, or parts of such, to be tried first; of a choice the option, not its number.
        n_initial_points: trials drawn at random before there is a model.
        random_state_seed: where chance starts.
        gamma: how many trials count as good ones: ``ceil(gamma * sqrt(number of trials))``, 25 at most.
        evaluated_rewards: values of *points_to_evaluate* where they are known.

    Raises:
        MissingLibrary: HyperOpt is not installed.
        BadArgument: for an argument that cannot be used.

    Source: Bergstra et al., "Making a science of model search", ICML 2013.

    >>> from luthier import tune
    >>> search = HyperOptSearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min", random_state_seed=7)
    >>> 0 <= search.suggest("first")["x"] <= 1
    True
    """

    def __init__(
        self,
        space: Mapping[str, Any] | Any = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        n_initial_points: int = 20,
        random_state_seed: object = None,
        gamma: float = 0.25,
        evaluated_rewards: Sequence[Any] | None = None,
    ) -> None:
        demand("HyperOptSearch", "hyperopt", "hyperopt")
        from luthier.search.hyperopt_space import is_expression

        if space is not None and not isinstance(space, (dict, Space)) and not is_expression(space):
            raise BadArgumentType("space", space, "a dict of hp.* or of domains, or hp.choice between dicts")
        self.n_initial_points = whole("n_initial_points", n_initial_points, 1)
        self.gamma = more_than("gamma", gamma, 0)
        super().__init__(space, metric, mode, points_to_evaluate, evaluated_rewards, random_state_seed)

    def converted(self, space: Mapping[str, Any]) -> Space:
        """Return *space*, which may hold ``hp.*``, as a space of ours."""
        from luthier.search.hyperopt_space import converted

        return space if isinstance(space, Space) else converted(space)

    def own_space(self, given: Space | None) -> Space:
        """Return the space to search; constants of the Tuner's go into each option of a choice at the top."""
        if self.space is None or not self._is_root(self.space) or given is None or given.axes or not given.description:
            return super().own_space(given)
        from luthier.search.hp import HpChoice
        from luthier.search.hyperopt_space import ROOT

        choice = self.space.description[ROOT]
        options = [{**given.description, **option} for option in choice.options]
        return Space({ROOT: HpChoice(choice.label, options, choice.weights)})

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Library:
        """Return the policy."""
        from luthier.search.hyperopt import HyperOptStudy

        only_goal(goals, type(self).__name__)
        root = self._is_root(space)
        study = HyperOptStudy(space, known, self.n_initial_points, self.gamma, root=root)
        return Library(study if root else Distinct(study, space), seed, len(self.points_to_evaluate))

    def point(self, space: Space, point: dict[str, Any], argument: str) -> Any:
        """Return what completes *point*."""
        if not self._is_root(space):
            return super().point(space, point, argument)
        from luthier.search.hyperopt_space import ROOT

        return _Below(fixed(space, {ROOT: point}, argument))

    def checked(self, space: Space, point: dict[str, Any]) -> None:
        """Complain of a point, whose value is known, that is not of the space."""
        from luthier.search.hyperopt_space import ROOT

        super().checked(space, {ROOT: point} if self._is_root(space) else point)

    @staticmethod
    def _is_root(space: Space) -> bool:
        from luthier.search.hyperopt_space import ROOT

        return list(space.description) == [ROOT]


class _Below:
    """What lies under the one key of a space."""

    def __init__(self, space: Space) -> None:
        self.space = space

    def sample(self, rng: Rng) -> Config:
        """Return a config."""
        (config,) = self.space.sample(rng).values()
        return dict(config)
