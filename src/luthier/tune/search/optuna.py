"""Optuna's samplers as a search algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Space
from luthier.search.distinct import Distinct
from luthier.search.library import Library
from luthier.tune.installed import demand
from luthier.tune.search.space_searcher import SpaceSearcher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.core.rng import Rng
    from luthier.core.terms import Config
    from luthier.search.known import Known

_NEEDS = {"CmaEsSampler": ("cmaes", "optuna"), "GPSampler": ("torch", "torch")}  # modules, and extras of ours
_WALKS_ALL = ("GridSampler", "BruteForceSampler")  # these do not repeat themselves


class OptunaSearch(SpaceSearcher):
    """Optuna: its TPE, or any other of its samplers, over an in-memory study or one in a storage.

    Each proposal's chance comes from the experiment's seed, whatever seed *sampler* was made with.

    Args:
        space: what to search: a dict of Optuna's distributions or of our domains, nested as you like; or a function
            that calls ``trial.suggest_...`` and may return a dict of constants; the Tuner's ``param_space`` where None.
        metric: what is optimised, or a list of such; the Tuner's where None.
        mode: ``"min"`` or ``"max"``, or a list with one for each metric.
        points_to_evaluate: configs, or parts of such, to be tried first.
        sampler: a sampler of Optuna's; ``TPESampler(constant_liar=True)`` where None.
        study_name: name of the study in *storage*; ``"optuna"`` where None.
        storage: a storage of Optuna's, or its URL: trials that are in the study already count, and ours can be looked
            at there while they run.  None for memory.
        seed: where chance starts.
        evaluated_rewards: values of *points_to_evaluate* where they are known.

    Raises:
        MissingLibrary: Optuna is not installed.
        BadArgument: for an argument that cannot be used.

    Source: Akiba et al., "Optuna: a next-generation hyperparameter optimization framework", KDD 2019.

    >>> from luthier import tune
    >>> search = OptunaSearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min", seed=7)
    >>> 0 <= search.suggest("first")["x"] <= 1
    True
    """

    def __init__(  # noqa: PLR0917 (the order is Ray's)
        self,
        space: Mapping[str, Any] | Callable[[Any], Any] | None = None,
        metric: str | Sequence[str] | None = None,
        mode: str | Sequence[str] | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        sampler: Any = None,
        study_name: str | None = None,
        storage: Any = None,
        seed: object = None,
        evaluated_rewards: Sequence[Any] | None = None,
    ) -> None:
        demand("OptunaSearch", "optuna", "optuna", "3.6")
        import optuna

        if sampler is not None and not isinstance(sampler, optuna.samplers.BaseSampler):
            raise BadArgumentType("sampler", sampler, "a sampler such as optuna.samplers.TPESampler()")
        if storage is not None and not isinstance(storage, (str, optuna.storages.BaseStorage)):
            raise BadArgumentType("storage", storage, "a storage such as optuna.storages.InMemoryStorage(), or a URL")
        if study_name is not None and not isinstance(study_name, str):
            raise BadArgumentType("study_name", study_name, "text")
        if space is not None and not isinstance(space, (dict, Space)) and not callable(space):
            raise BadArgumentType("space", space, "a dict of distributions or domains, or a function of a trial")
        needs = _NEEDS.get(type(sampler).__name__)
        if needs is not None:
            demand(f"OptunaSearch(sampler={type(sampler).__name__}())", *needs)
        self.sampler, self.storage, self.study_name = sampler, storage, study_name or "optuna"
        self.function = space if callable(space) and not isinstance(space, Space) else None
        given: Any = {} if self.function is not None else space
        super().__init__(given, metric, mode, points_to_evaluate, evaluated_rewards, seed)

    def converted(self, space: Mapping[str, Any]) -> Space:
        """Return *space*, which may hold distributions of Optuna's, as a space of ours."""
        from luthier.search.optuna_space import converted

        return space if isinstance(space, Space) else converted(space)

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Library:
        """Return the policy."""
        from luthier.search.optuna import OptunaStudy
        from luthier.search.optuna_space import Axes, Defined

        first = len(self.points_to_evaluate)
        if self.function is not None:
            walk = Defined(self.function, space.description)
            study = OptunaStudy(walk, goals, seed, known, self.sampler, self.storage, self.study_name)
            return Library(study, seed, first)
        study = OptunaStudy(Axes(space), goals, seed, known, self.sampler, self.storage, self.study_name)
        if type(self.sampler).__name__ in _WALKS_ALL:
            return Library(study, seed, first)
        return Library(Distinct(study, space), seed, first)

    def point(self, space: Space, point: dict[str, Any], argument: str) -> Any:
        """Return what completes *point*."""
        if self.function is None:
            return super().point(space, point, argument)
        return _Completed(self.function, space, point)

    def checked(self, space: Space, point: dict[str, Any]) -> None:
        """Complain of a point, whose value is known, that is not of the space."""
        if self.function is None:
            super().checked(space, point)
            return
        from luthier.search.optuna_space import Defined

        if Defined(self.function, space.description).params(point) is None:
            raise BadArgument("points_to_evaluate", point, "all values that the function in space= asks for")

    def __deepcopy__(self, memo: dict[int, Any]) -> SpaceSearcher:
        """Return a copy that writes to the same storage."""
        memo[id(self.storage)] = self.storage
        return super().__deepcopy__(memo)


class _Completed:
    """A point of a space that a function defines."""

    def __init__(self, function: Callable[[Any], Any], space: Space, point: dict[str, Any]) -> None:
        self.function, self.space, self.point = function, space, point

    def sample(self, rng: Rng) -> Config:
        """Return the point; what it leaves open is drawn."""
        from luthier.search.optuna_space import Defined

        return Defined(self.function, self.space.description).completed(self.point, rng)
