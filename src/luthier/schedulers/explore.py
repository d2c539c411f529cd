"""Explore: from the config of a better trial to the one that a worse trial goes on with.

:class:`Explore` is what :class:`~luthier.schedulers.pbt.Pbt` asks; :class:`Mutations` is the answer of population based
training (Jaderberg et al., "Population Based Training of Neural Networks", 2017, arXiv 1711.09846, section 4.1.2):
resample, or perturb.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from luthier.core.arguments import amount, check, share
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import number
from luthier.core.space import Categorical, Domain, Function, Grid, Space, fresh, same
from luthier.core.space.domain import is_number
from luthier.core.terms import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luthier.core.events import News
    from luthier.core.goal import Score
    from luthier.core.policy import ExperimentView, TrialView
    from luthier.core.rng import Rng
    from luthier.core.terms import TrialId

    Custom: TypeAlias = Callable[[Config, Rng], Config]

Mutation: TypeAlias = "Domain | Function | Sequence[Any] | Mapping[str, Any]"


class Explored(NamedTuple):
    """A new config, and in words what was done to which hyperparameter (nested names joined by ``/``)."""

    config: Config
    operations: dict[str, str]


class Explore(Protocol):
    """Makes the config with which a trial goes on from another one's checkpoint.

    It hears everything and knows nothing else: all knowledge arrives by :meth:`tell` and :meth:`record`, all chance by
    *rng*.  A call changes nothing in it: where an experiment is rebuilt from its log no call is made, since what was
    chosen is in the log.  What was chosen is seen in the views: ``config`` of a trial that has started with it, and
    ``goes_on_with`` of one that is to.
    """

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear any news, before anything is decided about it; *experiment* already shows it."""

    def record(self, trial: TrialId, time: float, score: Score, experiment: ExperimentView) -> None:
        """Hear that *trial* came to the end of an interval at *time*, with *score* (lower is better)."""

    def __call__(self, target: TrialView, source: TrialView, experiment: ExperimentView, rng: Rng) -> Explored:
        """Return the config that *target* is to go on with from the checkpoint of *source*."""
        ...


class Mutations:
    """Resamples a hyperparameter with probability *resample_probability*, else perturbs it.

    A number is multiplied by one of *factors* (not clipped to its domain: Ray Tune does not either); an integer is
    rounded and stays one, a truth value stays one.  Of a list the value's left or right neighbour is taken (at an end
    it may stay); a value that is not in the list is resampled.  Options of a choice that are no numbers count as a
    list; any other value that is no number stays as it is.

    Args:
        mutations: hyperparameter to what it is resampled from: a domain, a function (called without an argument, of the
            config), a sequence of options, or a dict of the same for nested ones.
        resample_probability: from 0 to 1.
        factors: what numbers are multiplied by, one of them at random.
        custom: ``(config, rng) -> config``, applied last.

    Raises:
        BadArgument: a mutation that cannot be used, or nothing to mutate.

    >>> from types import SimpleNamespace
    >>> from luthier.core.rng import rng_at
    >>> explore = Mutations({"lr": [0.1, 0.2, 0.4], "width": Categorical([8, 16])}, resample_probability=0.0)
    >>> source = SimpleNamespace(config={"lr": 0.2, "width": 10, "depth": 2})
    >>> explore(source, source, None, rng_at(7))
    Explored(config={'lr': 0.1, 'width': 8, 'depth': 2}, operations={'lr': 'shift left', 'width': '* 0.8'})
    """

    def __init__(
        self,
        mutations: Mapping[str, Mutation],
        resample_probability: float = 0.25,
        factors: Sequence[float] = (1.2, 0.8),
        custom: Custom | None = None,
    ) -> None:
        if not isinstance(mutations, Mapping):
            raise BadArgumentType("hyperparam_mutations", mutations, "a dict of hyperparameter to what it may become")
        if not mutations and custom is None:
            wanted = "at least one hyperparameter, or custom_explore_fn"
            raise BadArgument("hyperparam_mutations", dict(mutations), wanted, "there is nothing to explore")
        for name, mutation in mutations.items():
            _check(mutation, f"hyperparam_mutations[{name!r}]")
        self.mutations = mutations
        self.resample_probability = share("resample_probability", resample_probability)
        try:
            self.factors = () if isinstance(factors, (str, bytes)) else tuple(factors)
        except TypeError:  # not iterable, a numpy array without a dimension among them
            self.factors = ()
        if not self.factors and not isinstance(factors, (tuple, list)):
            raise BadArgumentType("perturbation_factors", factors, "a pair of numbers such as (1.2, 0.8)")
        check("perturbation_factors", factors, bool(self.factors), "at least one factor")
        for factor in self.factors:
            found = amount("perturbation_factors", factor)
            check("perturbation_factors", factors, 0 < found < float("inf"), "finite factors above 0")
        self._custom = custom

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self.mutations)!r})"

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Learn nothing."""

    def record(self, trial: TrialId, time: float, score: Score, experiment: ExperimentView) -> None:
        """Learn nothing."""

    def __call__(self, target: TrialView, source: TrialView, experiment: ExperimentView, rng: Rng) -> Explored:
        """Return the mutated config of *source*.

        Raises:
            BadArgument: the config lacks what is to be mutated, or *custom* returned no dict.
        """
        config: Config = fresh(dict(source.config))
        operations: dict[str, str] = {}
        self._mutate(config, self.mutations, rng, "", operations)
        if self._custom is not None:
            found = self._custom(config, rng.split(0))
            if not isinstance(found, dict):
                raise BadArgumentType("what custom_explore_fn returned", found, "the config, a dict")
            config = found
        return Explored(config, operations)

    def _mutate(
        self, config: Config, mutations: Mapping[str, Mutation], rng: Rng, where: str, operations: dict[str, str]
    ) -> None:
        for name, mutation in mutations.items():
            path = f"{where}{name}"
            if name not in config:
                raise BadArgument(path, config, "a config that holds it", "it is in hyperparam_mutations")
            if isinstance(mutation, Mapping):
                if not isinstance(config[name], dict):
                    raise BadArgumentType(path, config[name], "a dict, as in hyperparam_mutations")
                self._mutate(config[name], mutation, rng, f"{path}/", operations)
            else:
                config[name], operations[path] = self._mutated(config[name], mutation, rng)

    def _mutated(self, value: Any, mutation: Domain | Function | Sequence[Any], rng: Rng) -> tuple[Any, str]:
        """Return what becomes of *value*, and how."""
        resamples = rng.random() < self.resample_probability
        if not isinstance(mutation, (Domain, Function)):
            return self._neighbour(value, mutation, rng, resamples=resamples)
        truth = isinstance(value, bool)
        if isinstance(mutation, Categorical) and not is_number(value) and not truth:
            return self._neighbour(value, mutation.options, rng, resamples=resamples)
        new, operation = value, "kept"
        if resamples:
            new, operation = drawn(mutation, rng), "resample"
        elif is_number(value) or truth:
            factor = rng.choice(self.factors)
            new, operation = value * factor, f"* {factor}"
        if truth:
            return bool(new), operation
        if isinstance(value, int) and (found := number(new)) is not None:
            return round(found), operation
        return new, operation

    @staticmethod
    def _neighbour(value: Any, options: Sequence[Any], rng: Rng, *, resamples: bool) -> tuple[Any, str]:
        at = next((k for k, option in enumerate(options) if same(option, value)), None)
        if resamples or at is None:
            return drawn(options, rng), "resample"
        step = rng.choice((-1, 1))
        to = min(max(at + step, 0), len(options) - 1)
        side = "left" if step < 0 else "right"
        return fresh(options[to]), f"shift {side}" if to != at else f"shift {side} (noop)"


def drawn(mutation: Mutation, rng: Rng) -> Any:
    """Return a value of *mutation*, drawn with *rng*.

    >>> from luthier.core.rng import rng_at
    >>> drawn({"a": [1], "b": {"c": [2]}}, rng_at(7))
    {'a': 1, 'b': {'c': 2}}
    """
    if isinstance(mutation, Mapping):
        return {name: drawn(inner, rng) for name, inner in mutation.items()}
    if not isinstance(mutation, (Domain, Function)):
        return fresh(rng.choice(mutation))
    source = rng.split(rng.bits())
    return Space({"value": mutation}).sample(source)["value"]


def _check(mutation: Mutation, where: str) -> None:
    if isinstance(mutation, Grid):
        raise BadArgument(where, mutation, "a list of options", "a grid cannot be drawn from")
    if isinstance(mutation, Mapping):
        for name, inner in mutation.items():
            _check(inner, f"{where}[{name!r}]")
        check(where, dict(mutation), bool(mutation), "at least one hyperparameter in it")
        return
    if isinstance(mutation, (Domain, Function)):
        return
    if isinstance(mutation, (str, bytes)) or not isinstance(mutation, (list, tuple)):
        raise BadArgumentType(where, mutation, "a list of options, a domain such as tune.uniform(...), or a function")
    check(where, mutation, bool(mutation), "at least one option")
