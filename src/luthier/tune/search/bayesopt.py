"""The library bayesian-optimization as a search algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.arguments import at_least, share, whole
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Space
from luthier.search.distinct import Distinct
from luthier.search.library import Library
from luthier.tune.installed import demand
from luthier.tune.search.space_searcher import SpaceSearcher, only_goal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.search.bayesopt import Utility
    from luthier.search.known import Known

_OLDER = "older ones cannot be told where chance starts, and those before 2 have no acquisition functions"
_KINDS = ("ucb", "ei", "poi")


class BayesOptSearch(SpaceSearcher):
    """Bayesian optimization with a Gaussian process, by the library bayesian-optimization.

    Args:
        space: what to search: our domains, or the library's bounds ``{"x": (0, 10), "n": (1, 9, int)}``; the Tuner's
            ``param_space`` where None.
        metric: what is optimised; the Tuner's where None.
        mode: ``"min"`` or ``"max"``.
        points_to_evaluate: configs, or parts of such, to be tried first.
        utility_kwargs: what is maximised to find the next point: ``kind`` (``"ucb"``, ``"ei"`` or ``"poi"``),
            ``kappa``, ``xi``, ``kappa_decay``, ``kappa_decay_delay``; where None
            ``{"kind": "ucb", "kappa": 2.576, "xi": 0.0}``.
        random_state: where chance starts; None for the Tuner's seed.
        random_search_steps: trials that have ended before there is a model; until then configs are drawn at random.
        verbose: taken for compatibility; nothing is printed.
        patience: how often one proposal of the model may be of what was tried already; then the search has converged,
            and is over.
        skip_duplicate: whether what was tried is not tried again; if it is, the search is never over.
        analysis: an earlier experiment that is known from the start, in any form that ``add_evaluated_trials`` takes.
        repeat_float_precision: decimals by which configs are told apart (of a float, or of its place between the
            bounds, where that is finer).
        evaluated_rewards: values of *points_to_evaluate* where they are known.

    Raises:
        MissingLibrary: bayesian-optimization is not installed, or is older than 3.
        BadArgument: for an argument that cannot be used.

    Source: Snoek et al., "Practical Bayesian optimization of machine learning algorithms", NeurIPS 2012.

    >>> from luthier import tune
    >>> search = BayesOptSearch({"x": tune.uniform(0, 1)}, metric="loss", mode="min")
    >>> 0 <= search.suggest("first")["x"] <= 1
    True
    """

    def __init__(  # noqa: PLR0917 (the order is Ray's)
        self,
        space: Mapping[str, Any] | None = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        utility_kwargs: Mapping[str, Any] | None = None,
        random_state: object = 42,
        random_search_steps: int = 10,
        verbose: int = 0,
        patience: int = 5,
        skip_duplicate: bool = True,
        analysis: Any = None,
        repeat_float_precision: int = 5,
        evaluated_rewards: Sequence[Any] | None = None,
    ) -> None:
        demand("BayesOptSearch", "bayes_opt", "bayesopt", "3.0", "bayesian-optimization", _OLDER)
        if space is not None and not isinstance(space, (dict, Space)):
            raise BadArgumentType("space", space, "a dict of domains, or of bounds such as {'x': (0, 10)}")
        self.utility = _utility(utility_kwargs)
        self.random_search_steps = whole("random_search_steps", random_search_steps, 1)
        self.patience = whole("patience", patience, 1)
        self.repeat_float_precision = whole("repeat_float_precision", repeat_float_precision, 0)
        self.skip_duplicate, self.analysis, self.verbose = bool(skip_duplicate), analysis, verbose
        super().__init__(space, metric, mode, points_to_evaluate, evaluated_rewards, random_state)

    def converted(self, space: Mapping[str, Any]) -> Space:
        """Return *space*, in which there may be bounds, as a space of ours."""
        from luthier.search.bayesopt_space import converted

        return space if isinstance(space, Space) else converted(space)

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Library:
        """Return the policy."""
        from luthier.search.bayesopt import BayesOptStudy

        only_goal(goals, "BayesOptSearch")
        patience = self.patience if self.skip_duplicate else 0
        known = [*known, *self._analysed(space, goals[0])]
        steps, digits = self.random_search_steps, self.repeat_float_precision
        study = BayesOptStudy(space, known, self.utility, steps, patience, digits)
        return Library(study if patience else Distinct(study, space), seed, len(self.points_to_evaluate))

    def set_search_properties(
        self,
        metric: str | Sequence[str] | None,
        mode: str | Sequence[str] | None,
        config: Mapping[str, Any],
        **spec: Any,
    ) -> bool:
        """Take over what is not said yet; return whether anything was new."""
        if self.space is None and config:
            self.space = Space(dict(config))  # tuples in it are no bounds
            config = {}
        return super().set_search_properties(metric, mode, config, **spec)

    def _analysed(self, space: Space, goal: Goal) -> list[Known]:
        """Return the trials of the earlier experiment that are of *space*."""
        if self.analysis is None:
            return []
        from luthier.tune.search.earlier import evaluated

        found = evaluated(self.analysis, goal.metric)
        fitting = [self._scored((goal,), *one) for one in found if one.config in space]
        if not fitting:
            raise BadArgument("analysis", found[0].config, "trials whose configs are of this space")
        return fitting


def _utility(given: Mapping[str, Any] | None) -> Utility:
    from luthier.search.bayesopt import Utility

    if given is None:
        return Utility()
    if not isinstance(given, dict):
        raise BadArgumentType("utility_kwargs", given, "a dict such as {'kind': 'ei', 'xi': 0.01}")
    unknown = set(given) - set(Utility._fields)
    if unknown:
        raise BadArgument("utility_kwargs", given, f"only {', '.join(Utility._fields)}")
    found = Utility(**given)
    if found.kind not in _KINDS:
        raise BadArgument("utility_kwargs['kind']", found.kind, f"one of {', '.join(_KINDS)}")
    return Utility(
        found.kind,
        at_least("utility_kwargs['kappa']", found.kappa, 0),
        at_least("utility_kwargs['xi']", found.xi, 0),
        share("utility_kwargs['kappa_decay']", found.kappa_decay),
        whole("utility_kwargs['kappa_decay_delay']", found.kappa_decay_delay, 0),
    )
