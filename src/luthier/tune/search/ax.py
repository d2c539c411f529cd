"""Ax as a search algorithm."""

from __future__ import annotations

import logging
import warnings
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType, MissingLibrary
from luthier.core.goal import Goal
from luthier.core.space import Space
from luthier.search.distinct import Distinct
from luthier.search.library import Library
from luthier.tune.installed import demand
from luthier.tune.search.space_searcher import SpaceSearcher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.search.ax import Lent
    from luthier.search.ax_parameters import AxParameters
    from luthier.search.known import Known


class AxSearch(SpaceSearcher):
    """Ax: quasi-random points first, then Bayesian optimisation over BoTorch.

    Each proposal's chance comes from the experiment's seed.

    Args:
        space: what to search: a list of Ax's parameters, or a dict of our domains; the Tuner's ``param_space`` where
            None.
        metric: what is optimised, or a list of such; the Tuner's where None.
        mode: ``"min"`` or ``"max"``, or a list with one for each metric.
        points_to_evaluate: configs, or parts of such, to be tried first.
        parameter_constraints: such as ``"x3 >= x4"`` or ``"x3 + x4 >= 2"``: on numbers that are always there.
        outcome_constraints: such as ``"size <= 3"``, on metrics besides those optimised; trials must report them.
        ax_client: an ``AxClient``; it hears of the trials, and what it knows already counts.  Where it has an
            experiment, that says what *space*, *metric*, *mode* and constraints would say.
        evaluated_rewards: values of *points_to_evaluate* where they are known.
        seed: where chance starts; ``random_seed`` where None.
        **ax_kwargs: for a new ``AxClient``: ``enforce_sequential_optimization=False`` (no waiting for results),
            ``generation_strategy``, ``torch_device``, ``verbose_logging=True`` (it is quiet otherwise) ...

    Raises:
        MissingLibrary: Ax is not installed.
        BadArgument: for an argument that cannot be used.

    Source: Balandat et al., "BoTorch: a framework for efficient Monte-Carlo Bayesian optimization", NeurIPS 2020.

    >>> from luthier import tune
    >>> search = AxSearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min", seed=7)
    >>> 0 <= search.suggest("first")["x"] <= 1
    True
    """

    def __init__(  # noqa: PLR0917 (the order is Ray's)
        self,
        space: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        metric: str | Sequence[str] | None = None,
        mode: str | Sequence[str] | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        parameter_constraints: Sequence[str] | None = None,
        outcome_constraints: Sequence[str] | None = None,
        ax_client: Any = None,
        evaluated_rewards: Sequence[Any] | None = None,
        seed: object = None,
        **ax_kwargs: Any,
    ) -> None:
        _there()
        from luthier.search.ax import Lent

        for name, constraints in (
            ("parameter_constraints", parameter_constraints),
            ("outcome_constraints", outcome_constraints),
        ):
            if constraints is not None and (
                not isinstance(constraints, (list, tuple)) or not all(isinstance(text, str) for text in constraints)
            ):
                raise BadArgumentType(name, constraints, "a list of texts such as 'x + y <= 2'")
        if space is not None and not isinstance(space, (dict, list, tuple, Space)):
            raise BadArgumentType("space", space, "a list of Ax's parameters, or a dict of domains")
        self.ax_kwargs = _checked(ax_kwargs)
        seed = self.ax_kwargs.pop("random_seed", None) if seed is None else seed
        self.aloud = bool(self.ax_kwargs.get("verbose_logging", False))
        self.parameter_constraints = list(parameter_constraints or ())
        self.outcome_constraints = list(outcome_constraints or ())
        self.given: list[dict[str, Any]] | None = None  # parameters in Ax's own words
        self.lent: Lent | None = None
        if ax_client is not None:
            self.lent = Lent(_client(ax_client))
            if self._has_experiment(ax_client):
                said = {"space": space, "metric": metric, "mode": mode}
                said |= {"parameter_constraints": parameter_constraints, "outcome_constraints": outcome_constraints}
                for name, value in said.items():
                    if value is not None:
                        raise BadArgument(name, value, "nothing: the experiment of ax_client says it")
                space, metric, mode = self._of_experiment(ax_client.experiment)
        super().__init__(space, metric, mode, points_to_evaluate, evaluated_rewards, seed)  # type: ignore[arg-type]
        if self.outcome_constraints and self.known:
            wanted = "no outcome_constraints: what these points measured is not known"
            raise BadArgument("evaluated_rewards", evaluated_rewards, wanted)

    @staticmethod
    def _has_experiment(client: Any) -> bool:
        return client._experiment is not None  # noqa: SLF001 (AxClient.experiment raises; what, is for Ax to choose)

    def _of_experiment(self, experiment: Any) -> tuple[Any, list[str], list[str]]:
        """Return the space, the metrics and the modes of the user's own experiment."""
        from luthier.search.ax_parameters import described

        optimised = experiment.optimization_config
        if optimised is None:
            raise BadArgument("ax_client", experiment, "an experiment with objectives")
        weights = optimised.objective.metric_weights
        constraints = optimised.outcome_constraints
        self.outcome_constraints = [metric for each in constraints for metric in each.metric_names]
        return (
            described(experiment.search_space.parameters),
            [metric for metric, _ in weights],
            ["min" if weight < 0 else "max" for _, weight in weights],
        )

    def converted(self, space: Any) -> Space:
        """Return *space*, which may be a list of Ax's parameters, as a space of ours."""
        from luthier.search.ax_parameters import converted

        if isinstance(space, (list, tuple)):
            found = converted(space)
            self.given = [dict(spec) for spec in space]
            return found
        return super().converted(space)

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Library:
        """Return the policy."""
        from luthier.search.ax import AxStudy
        from luthier.search.ax_parameters import AxParameters

        parameters = AxParameters(space, self.given)
        names = self._constrained(parameters, goals) if parameters.parts else []
        taken = {goal.metric for goal in goals}
        measured = tuple(Goal(name, "min") for name in dict.fromkeys(names) if name not in taken)
        opened = partial(self._opened, parameters, goals)
        study: Any = AxStudy(parameters, goals, seed, opened, measured, known, aloud=self.aloud)
        free = not self.parameter_constraints  # points drawn from the space might break them
        return Library(Distinct(study, space) if free else study, seed, len(self.points_to_evaluate), also=measured)

    def _opened(self, parameters: AxParameters, goals: tuple[Goal, ...]) -> Any:
        """Return a client with the experiment."""
        from luthier.search.ax import client_of

        client = None if self.lent is None else self.lent.opened()
        if client is not None and self._has_experiment(client):
            return client
        constraints = (self.parameter_constraints, self.outcome_constraints)
        return client_of(parameters.specs, goals, self.ax_kwargs, *constraints, client)

    def _constrained(self, parameters: AxParameters, goals: tuple[Goal, ...]) -> list[str]:
        """Return the metrics that outcomes are constrained by; complain of what Ax cannot read, before any trial."""
        from ax.exceptions.core import AxError

        from luthier.search.ax import Quiet, client_of

        if self.lent is not None and self._has_experiment(self.lent.client):
            return self.outcome_constraints
        constraints = (self.parameter_constraints, self.outcome_constraints)
        try:
            with Quiet(aloud=self.aloud):
                experiment = client_of(parameters.specs, goals, self.ax_kwargs, *constraints).experiment
        except (AxError, ValueError, KeyError, TypeError, AssertionError) as error:
            said = "; ".join(self.parameter_constraints + self.outcome_constraints)
            wanted = "what AxClient.create_experiment() takes"
            why = (str(error) or repr(error)).partition("\n")[0].rstrip(".")
            raise BadArgument("space and constraints", said, wanted, why) from error
        for text, constraint in zip(
            self.parameter_constraints, experiment.search_space.parameter_constraints, strict=False
        ):
            parameters.fits(constraint.constraint_dict, text)
        return [name for each in experiment.optimization_config.outcome_constraints for name in each.metric_names]

    def __deepcopy__(self, memo: dict[int, Any]) -> SpaceSearcher:
        """Return a copy that tells the same client."""
        memo[id(self.lent)] = self.lent
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state, with Ax's own objects pickled in it: they are not to be loaded before Ax is imported."""
        import cloudpickle

        return {**self.__dict__, "ax_kwargs": None, "lent": cloudpickle.dumps((self.ax_kwargs, self.lent))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over *state*.

        Raises:
            MissingLibrary: Ax is not installed.
        """
        import cloudpickle

        _there()
        self.__dict__.update(state)
        self.ax_kwargs, self.lent = cloudpickle.loads(state["lent"])


def _there() -> None:
    """See to it that Ax can be imported; what it says of itself meanwhile is kept back.

    Raises:
        MissingLibrary: it is not installed, or so new that ``AxClient`` is gone.
    """
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            demand("AxSearch", "ax", "ax")
            demand("AxSearch", "ax.service.ax_client", "ax")
    except MissingLibrary as error:
        raise MissingLibrary("AxSearch", "ax-platform<1.4", "ax") from error.__cause__
    finally:
        logging.disable(before)


def _client(given: Any) -> Any:
    from ax.service.ax_client import AxClient

    if not isinstance(given, AxClient):
        raise BadArgumentType("ax_client", given, "an AxClient of ax.service.ax_client")
    return given


def _checked(ax_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return arguments for ``AxClient``."""
    from ax.service.ax_client import AxClient

    known = [name for name in signature(AxClient.__init__).parameters if name != "self"]
    for name, value in ax_kwargs.items():
        if name not in known:
            raise BadArgument(name, value, f"one of {', '.join(known)}", "AxClient has no such argument")
        if name == "db_settings" and value is not None:
            raise BadArgument(name, value, "nothing: the experiment's own log is where its trials are kept")
    return dict(ax_kwargs)
