"""Nevergrad's optimizers as a search algorithm."""

from __future__ import annotations

from copy import deepcopy
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Space
from luthier.search.library import Library
from luthier.tune.installed import demand
from luthier.tune.search.space_searcher import SpaceSearcher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler
    from luthier.core.rng import Rng
    from luthier.core.terms import Config
    from luthier.search.known import Known
    from luthier.search.nevergrad_space import Native
    from luthier.tune.configs import TuneConfig

_BUDGET = 100  # trials, where nobody says how many there will be
_WORKERS = 2  # more than one, where nobody says how many: those for one cannot be asked twice


class NevergradSearch(SpaceSearcher):
    """Nevergrad: any of its optimizers.

    Each proposal's chance comes from the experiment's seed.

    Args:
        optimizer: an optimizer of Nevergrad's: its name (``"CMA"``), its class or configuration
            (``ng.optimizers.CMA``), or one that is made already; ``"NGOpt"``, which chooses among the others, where
            None.
        optimizer_kwargs: what it is made with: ``budget``, the number of trials (the Tuner's ``num_samples`` where it
            is left out, 100 where there is none), and ``num_workers``, how many run at a time
            (``max_concurrent_trials``, else 2).
        space: what to search: domains of ours, a parametrization of Nevergrad's (``ng.p.Dict``, or
            ``ng.p.Instrumentation`` of keywords), or, with an optimizer that is made already, the names of its numbers;
            the Tuner's ``param_space`` where None.
        metric: what is optimised, or a list of such; the Tuner's where None.
        mode: ``"min"`` or ``"max"``, or a list with one for each metric.
        points_to_evaluate: configs, or parts of such, to be tried first.
        evaluated_rewards: values of *points_to_evaluate* where they are known.
        seed: where chance starts.

    Raises:
        MissingLibrary: Nevergrad is not installed.
        BadArgument: for an argument that cannot be used.

    Source: Rapin and Teytaud, "Nevergrad - a gradient-free optimization platform", 2018.
    """

    def __init__(
        self,
        optimizer: Any = None,
        optimizer_kwargs: Mapping[str, Any] | None = None,
        space: Mapping[str, Any] | Any = None,
        metric: str | Sequence[str] | None = None,
        mode: str | Sequence[str] | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        evaluated_rewards: Sequence[Any] | None = None,
        seed: object = None,
    ) -> None:
        demand("NevergradSearch", "nevergrad", "nevergrad")
        from nevergrad import p
        from nevergrad.optimization import Optimizer

        made = isinstance(optimizer, Optimizer)
        self.optimizer: Any = optimizer if made else _factory(optimizer)
        if optimizer_kwargs is not None and not isinstance(optimizer_kwargs, dict):
            raise BadArgumentType("optimizer_kwargs", optimizer_kwargs, "a dict, such as {'budget': 100}")
        self.optimizer_kwargs = dict(optimizer_kwargs or {})
        if made and self.optimizer_kwargs:
            raise BadArgument("optimizer_kwargs", optimizer_kwargs, "None: the optimizer is made already")
        listed = isinstance(space, (list, tuple)) and all(isinstance(name, str) for name in space)
        if made and space is not None and not listed:
            raise BadArgument("space", space, "a list of names, or None: the optimizer has a parametrization already")
        if not made and space is not None and not isinstance(space, (dict, Space, p.Parameter)):
            raise BadArgumentType("space", space, "a dict of domains, or a parametrization such as ng.p.Dict(...)")
        self.names = list(space) if listed and made else None
        theirs = space if isinstance(space, p.Parameter) else None
        self.parametrization: Any = optimizer.parametrization if made else theirs
        self._budget, self._workers = _BUDGET, _WORKERS
        given: Any = {} if self.parametrization is not None else space
        super().__init__(given, metric, mode, points_to_evaluate, evaluated_rewards, seed)
        self._copied()
        if self.parametrization is not None:
            self._native(Space({}))

    def expect(self, num_samples: int) -> None:
        """Hear how many trials there will be."""
        if num_samples > 0:
            self._budget = num_samples

    def review(self, tuning: TuneConfig, scheduler: Scheduler) -> None:
        """Hear how many trials run at a time."""
        if tuning.max_concurrent_trials:
            self._workers = tuning.max_concurrent_trials

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Hear how many trials run at a time; that there are no more is left to who says so."""
        self._workers = max_concurrent
        return False

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Library:
        """Return the policy."""
        from luthier.search.nevergrad import NevergradStudy
        from luthier.search.nevergrad_space import Axes

        if self.parametrization is None:
            study = NevergradStudy(Axes(space), self._made, seed, known)
        else:
            copied = self._copied()
            study = NevergradStudy(self._native(space, copied), lambda p: copied or self._made(p), seed, known)
        return Library(study, seed, len(self.points_to_evaluate), 1 if study.sequential else None)

    def point(self, space: Space, point: dict[str, Any], argument: str) -> Any:
        """Return what completes *point*."""
        if self.parametrization is None:
            return super().point(space, point, argument)
        self.checked(space, point, argument)
        return _Completed(self._native(space), point)

    def checked(self, space: Space, point: dict[str, Any], argument: str = "points_to_evaluate") -> None:
        """Complain of a point, whose value is known, that is not of the space."""
        if self.parametrization is None:
            super().checked(space, point)
            return
        if strange := self._native(space).strange(point):
            raise BadArgument(argument, point, "values of what the parametrization names", f"it has no {strange[0]!r}")

    def _native(self, space: Space, optimizer: Any = None) -> Native:
        from luthier.search.nevergrad_space import Native

        own = self.parametrization.copy() if optimizer is None else optimizer.parametrization
        return Native(own, self.names, space.description)

    def _made(self, parametrization: Any) -> Any:
        """Return an optimizer of *parametrization*."""
        alone = bool(getattr(self.optimizer, "no_parallelization", False))
        arguments = {"budget": self._budget, "num_workers": 1 if alone else self._workers, **self.optimizer_kwargs}
        return self.optimizer(parametrization, **arguments)

    def _copied(self) -> Any:
        """Return an optimizer like the one that was given, which stays as it is; None where a class was."""
        from nevergrad.optimization import Optimizer

        if not isinstance(self.optimizer, Optimizer):
            return None
        try:
            return deepcopy(self.optimizer)
        except (ValueError, TypeError) as error:
            wanted = "its class, with optimizer_kwargs"
            raise BadArgument("optimizer", self.optimizer, wanted, f"this one cannot be copied: {error}") from error


def _factory(optimizer: Any) -> Any:
    """Return what makes the optimizer that a user means.

    Raises:
        BadArgument: there is none.
    """
    import nevergrad
    from nevergrad.optimization import Optimizer
    from nevergrad.optimization.base import ConfiguredOptimizer

    known = nevergrad.optimizers.registry
    name = "NGOpt" if optimizer is None else optimizer
    if isinstance(name, str):
        if name not in known:
            near = get_close_matches(name, list(known), 1)
            raise BadArgument("optimizer", name, "a name in ng.optimizers.registry" + "".join(f": {n}?" for n in near))
        return known[name]
    if not isinstance(name, ConfiguredOptimizer) and not (isinstance(name, type) and issubclass(name, Optimizer)):
        raise BadArgumentType("optimizer", optimizer, "an optimizer of Nevergrad's, such as ng.optimizers.CMA or 'CMA'")
    return name


class _Completed:
    """A point of a parametrization."""

    def __init__(self, walk: Native, point: dict[str, Any]) -> None:
        self.walk, self.point = walk, point

    def sample(self, rng: Rng) -> Config:
        """Return the point; what it leaves open is drawn."""
        return self.walk.completed(self.point, rng)
