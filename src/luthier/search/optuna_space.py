"""Spaces as Optuna walks them: axis by axis, or by a user's function."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Protocol

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Categorical, Domain, Float, Integer, Space, described, fresh
from luthier.search.grids import refuse_grids
from luthier.search.stepped import Stepped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

    from luthier.core.rng import Rng
    from luthier.core.terms import Config

    Params = tuple[dict[str, Any], dict[str, BaseDistribution]]

_PLAIN = (type(None), bool, int, float, str)  # what Optuna can write into any storage


class Walk(Protocol):
    """How a config comes from a trial of Optuna's, and the way back."""

    def drawn(self, trial: BaseTrial, rng: Rng) -> Config:
        """Return the config that *trial* suggests."""

    def params(self, config: Config) -> Params | None:
        """Return Optuna's parameters of *config* and their distributions; None if it is not of this space."""


class Axes:
    """Walks the axes of *space*; those under a choice only where their option was chosen.

    Raises:
        BadArgument: an axis is a grid.
    """

    def __init__(self, space: Space) -> None:
        refuse_grids(space, "Optuna")
        self.space = space
        self._scales = [_Scale(axis.name, axis.domain) for axis in space.axes]

    def drawn(self, trial: BaseTrial, rng: Rng) -> Config:
        """Return the config that *trial* suggests."""
        units, chosen = [math.nan] * len(self._scales), dict[int, int]()
        for axis, scale in zip(self.space.axes, self._scales, strict=True):
            if axis.condition is not None and chosen.get(axis.condition.parent) != axis.condition.option:
                continue
            u = units[axis.number] = scale.unit(scale.suggested(trial))
            if isinstance(axis.domain, Categorical):
                chosen[axis.number] = axis.domain.pick(u)
        return self.space.decode(units, rng)

    def params(self, config: Config) -> Params | None:
        """Return Optuna's parameters of *config*."""
        try:
            units = self.space.encode(config)
        except BadArgument:
            return None
        alive = [(scale, u) for scale, u in zip(self._scales, units, strict=True) if not math.isnan(u)]
        return {s.name: s.param(u) for s, u in alive}, {s.name: s.distribution for s, _ in alive}


class _Scale:
    """One axis and its distribution: Optuna's own where it has one; else uniform in [0, 1], for our domain to map."""

    def __init__(self, name: str, domain: Domain) -> None:
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        self.name, self.domain = name, domain
        self.distribution: BaseDistribution
        self.places: tuple[Any, ...] | None = None
        self.as_it_is = True
        if isinstance(domain, Float):
            step = None if domain.log else domain.q  # Optuna cannot do both: we round
            self.distribution = FloatDistribution(domain.lower, domain.upper, log=domain.log, step=step)
        elif isinstance(domain, Integer):
            low, high = (-(-domain.lower // domain.q) * domain.q, domain.upper // domain.q * domain.q)
            self.distribution = IntDistribution(low, high, log=domain.log, step=1 if domain.log else domain.q)
        elif isinstance(domain, Stepped) and domain.integer:
            self.distribution = IntDistribution(int(domain.lower), int(domain.upper), step=int(domain.step))
        elif isinstance(domain, Stepped):
            self.distribution = FloatDistribution(domain.lower, domain.upper, step=domain.step)
        elif isinstance(domain, Categorical):
            options = tuple(domain.options)
            self.places = options if _told_apart(options) else tuple(range(len(options)))
            self.distribution = CategoricalDistribution(self.places)
        else:
            self.as_it_is = False
            self.distribution = FloatDistribution(0.0, 1.0)

    def suggested(self, trial: BaseTrial) -> Any:
        """Return what *trial* suggests."""
        d: Any = self.distribution
        if self.places is not None:
            return trial.suggest_categorical(self.name, self.places)
        if type(d).__name__ == "IntDistribution":
            return trial.suggest_int(self.name, d.low, d.high, step=d.step, log=d.log)
        return trial.suggest_float(self.name, d.low, d.high, step=d.step, log=d.log)

    def unit(self, value: Any) -> float:
        """Return where *value*, of Optuna's, lies on the axis."""
        if self.places is not None:
            assert isinstance(self.domain, Categorical)  # noqa: S101 (for the type checker)
            return self.domain.middle(int(self.distribution.to_internal_repr(value)))
        return self.domain.to_unit(value) if self.as_it_is else float(value)

    def param(self, u: float) -> Any:
        """Return Optuna's value for the place *u*."""
        if self.places is not None:
            assert isinstance(self.domain, Categorical)  # noqa: S101 (for the type checker)
            return self.places[self.domain.pick(u)]
        return self.domain.from_unit(u) if self.as_it_is else u


def _told_apart(options: tuple[Any, ...]) -> bool:
    """Whether Optuna can take *options* for what they are."""
    if not all(isinstance(option, _PLAIN) and option == option for option in options):  # noqa: PLR0124 (NaN)
        return False
    return len(set(options)) == len(options)  # True is 1 there


class Defined:
    """Walks by a user's *function*, which calls ``trial.suggest_...`` and may return constants in a dict.

    Args:
        function: takes a trial of Optuna's.
        constants: what is in each config besides.
    """

    def __init__(self, function: Callable[[Any], Any], constants: Mapping[str, Any]) -> None:
        self.function, self.constants = function, dict(constants)

    def drawn(self, trial: BaseTrial, rng: Rng) -> Config:
        """Return the config: what was suggested, and what the function returned."""
        captor = _Captor(trial)
        returned = self.function(captor)
        if returned is not None and not (isinstance(returned, dict) and all(isinstance(key, str) for key in returned)):
            wanted = "a function that returns None, or a dict of constants with text keys"
            raise BadArgumentType("space", self.function, wanted, f"it returned {returned!r:.100}")
        return nested({**fresh(self.constants), **captor.values, **(returned or {})})

    def params(self, config: Config) -> Params | None:
        """Return Optuna's parameters of *config*: what the function asks for when it is given its values."""
        import optuna

        trial = optuna.trial.FixedTrial(flat(config))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of values out of range: they are as others wanted them
                self.function(trial)
        except Exception:  # noqa: BLE001 (the function asks for what is not there, whatever it makes of that)
            return None
        return trial.params, trial.distributions

    def completed(self, point: Mapping[str, Any], rng: Rng) -> Config:
        """Return a config with *point*, which may be a part of one, in it; the rest is drawn at random."""
        import optuna

        sampler = optuna.samplers.RandomSampler(seed=rng.seed32())
        study = quietly(lambda: optuna.create_study(sampler=sampler))
        study.enqueue_trial(flat(point))
        config = self.drawn(study.ask(), rng)
        return {**config, **{key: value for key, value in point.items() if key not in config}}


class _Captor:
    """Stands for *trial*, and remembers what it suggests."""

    def __init__(self, trial: BaseTrial) -> None:
        self.values: dict[str, Any] = {}
        self._trial = trial

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._trial, name)
        if not name.startswith("suggest_"):
            return found

        def suggest(name: str, *arguments: Any, **named: Any) -> Any:
            value = self.values[name] = found(name, *arguments, **named)
            return value

        return suggest


def quietly(make: Callable[[], Any]) -> Any:
    """Return what *make* returns; Optuna's logger says nothing of less than a warning meanwhile."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        return make()
    finally:
        optuna.logging.set_verbosity(before)


def converted(space: Mapping[str, Any]) -> Space:
    """Return *space*, which may hold distributions of Optuna's, as a space of ours.

    Raises:
        BadArgument: it holds what is no distribution of today's Optuna.
    """
    holds: list[str] = []
    found = _described(dict(space), "space", holds)
    return Space(nested(found) if holds else found)


def _described(node: Any, where: str, holds: list[str]) -> Any:
    if type(node).__module__.startswith("optuna."):
        holds.append(where)
        return _domain(node, where)
    if isinstance(node, dict):
        return {key: _described(item, f"{where}[{key!r}]", holds) for key, item in node.items()}
    if isinstance(node, (list, tuple)) and type(node) in (list, tuple) and described(node) is None:
        return type(node)(_described(item, f"{where}[{i}]", holds) for i, item in enumerate(node))
    return node


def _domain(distribution: Any, where: str) -> Domain:
    d, kind = distribution, type(distribution).__name__
    if kind == "CategoricalDistribution":
        return Categorical(d.choices)
    if kind == "FloatDistribution":
        if d.low == d.high:
            return Categorical([d.low])
        return Stepped(d.low, d.high, d.step) if d.step is not None else Float(d.low, d.high, log=d.log)
    if kind == "IntDistribution":
        return Stepped(d.low, d.high, d.step, integer=True) if d.step != 1 else Integer(d.low, d.high, log=d.log)
    wanted = "FloatDistribution, IntDistribution or CategoricalDistribution"
    raise BadArgumentType(where, distribution, wanted)


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return *flat* with a dict inside for each ``/`` in its keys.

    >>> nested({"a": 1, "b/c": 2})
    {'a': 1, 'b': {'c': 2}}
    """
    found: dict[str, Any] = {}
    for key, value in flat.items():
        *above, last = key.split("/")
        here = found
        for part in above:
            inner = here.setdefault(part, {})
            if not isinstance(inner, dict):
                raise BadArgument("space", sorted(flat), "names that do not hold each other", f"{part!r} holds a value")
            here = inner
        here[last] = value
    return found


def flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return *config* with the keys of the dicts in it joined by ``/``.

    >>> flat({"a": 1, "b": {"c": 2}})
    {'a': 1, 'b/c': 2}
    """
    found: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{above}{key}"
        if isinstance(value, dict) and value:
            found |= flat(value, f"{name}/")
        else:
            found[name] = value
    return found
