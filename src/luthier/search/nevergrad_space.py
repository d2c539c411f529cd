"""Spaces as Nevergrad has them: ours as a parametrization, and parametrizations that users write."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from luthier.core.errors import BadArgument
from luthier.core.rng import rng_at
from luthier.core.space import Axis, Categorical, Integer, fresh
from luthier.search.distinct import size
from luthier.search.flat_axes import Part
from luthier.search.grids import refuse_grids
from luthier.search.optuna_space import nested

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.rng import Rng
    from luthier.core.space import Space
    from luthier.core.terms import Config

_OPTION = "option"
_MANY = 1000  # options beyond which a choice is a whole number: Nevergrad keeps a weight for each
_WIDE = 1 << 31  # whole numbers beyond that are a place


class Walk(Protocol):
    """How a config comes from a candidate of Nevergrad's, and the way back.

    Attributes:
        parametrization: what Nevergrad searches; None where there is but one config.
        size: how many configs there are.
    """

    parametrization: Any
    size: float

    def config(self, candidate: Any, rng: Rng) -> Config:
        """Return the config that *candidate* (None where there is no parametrization) stands for."""

    def candidate(self, config: Config) -> Any:
        """Return a candidate with the values of *config*; None if it is not of this space."""

    def drawn(self, rng: Rng) -> Config:
        """Return a random config."""


class _Branch(NamedTuple):
    """An axis as Nevergrad has it, and what lies under it: one tuple for each option, empty where nothing does."""

    axis: Axis
    part: Part
    whole: int  # how many whole numbers; 0 for a place or a choice
    under: tuple[tuple[_Branch, ...], ...]


class Axes:
    """All axes of *space* as one ``ng.p.Dict``: conditional where the space is.

    Numbers are places in [0, 1], which our domains map, and whole numbers go by their numbers from 0; so bounds, scales
    and rounding stay exact.  A choice is an ``ng.p.Choice``, between dicts where its options hold axes.  An axis with
    one value is nobody's to choose.

    Raises:
        BadArgument: an axis is a grid.
    """

    def __init__(self, space: Space) -> None:
        refuse_grids(space, "Nevergrad")
        self.space = space
        self.size = math.prod(size(axis.domain) for axis in space.axes)
        self._branches = self._under(None)
        made = _made(self._branches)
        self.parametrization: Any = _dict(made) if made else None

    def config(self, candidate: Any, rng: Rng) -> Config:
        """Return the config that *candidate* stands for."""
        units = [math.nan] * len(self.space.axes)
        _read(self._branches, {} if candidate is None else candidate.value, units)
        return self.space.decode(units, rng)

    def candidate(self, config: Config) -> Any:
        """Return a candidate with the values of *config*; None if it is not of this space."""
        try:
            units = self.space.encode(config)
        except BadArgument:
            return None
        return self.parametrization.spawn_child(new_value=_values(self._branches, units))

    def drawn(self, rng: Rng) -> Config:
        """Return a random config."""
        return self.space.sample(rng)

    def _under(self, where: tuple[int, int] | None) -> tuple[_Branch, ...]:
        found = []
        for axis in self.space.axes:
            if (None if axis.condition is None else (axis.condition.parent, axis.condition.option)) != where:
                continue
            domain, options, count = axis.domain, None, 0
            under: tuple[tuple[_Branch, ...], ...] = ()
            if isinstance(domain, Categorical):
                options = len(domain.options)
                count = options if options > _MANY else 0
                parents = any(a.condition is not None and a.condition.parent == axis.number for a in self.space.axes)
                under = tuple(self._under((axis.number, k)) for k in range(options)) if parents else ()
            elif isinstance(domain, Integer) and not domain.log and domain.count <= _WIDE:
                count = domain.count
            found.append(_Branch(axis, Part(axis, options), count, under))
        return tuple(found)


def _made(branches: Sequence[_Branch]) -> dict[str, Any]:
    """Return the parameters of *branches*, by the numbers of their axes."""
    from nevergrad import p

    found: dict[str, Any] = {}
    for axis, part, whole, under in branches:
        if size(axis.domain) == 1:
            found |= _made(under[0]) if under else {}
        elif under:
            found[str(axis.number)] = p.Choice([_dict({_OPTION: k, **_made(each)}) for k, each in enumerate(under)])
        elif whole:
            found[str(axis.number)] = p.Scalar(lower=-0.5, upper=whole - 0.5).set_integer_casting()
        elif part.options is not None:
            found[str(axis.number)] = p.Choice(part.options)
        else:
            found[str(axis.number)] = p.Scalar(lower=0.0, upper=1.0)
    return found


def _dict(parameters: dict[str, Any]) -> Any:
    from nevergrad import p

    return p.Dict(**parameters)


def _read(branches: Sequence[_Branch], values: Mapping[str, Any], units: list[float]) -> None:
    """Write the places that *values* stand for into *units*."""
    for axis, part, whole, under in branches:
        value: Any = 0 if size(axis.domain) == 1 else values[str(axis.number)]
        if under:
            option, inside = (0, values) if size(axis.domain) == 1 else (value[_OPTION], value)
            units[axis.number] = part.unit(option)
            _read(under[option], inside, units)
        elif whole and part.options is None:
            units[axis.number] = (min(max(int(value), 0), whole - 1) + 0.5) / whole
        else:
            units[axis.number] = part.unit(value)


def _values(branches: Sequence[_Branch], units: Sequence[float]) -> dict[str, Any]:
    """Return Nevergrad's values for the places *units*."""
    found: dict[str, Any] = {}
    for axis, part, whole, under in branches:
        u, name = units[axis.number], str(axis.number)
        if under:
            option = int(part.value(u))
            inside = _values(under[option], units)
            found |= inside if len(under) == 1 else {name: {_OPTION: option, **inside}}
        elif size(axis.domain) == 1:
            continue
        elif whole and part.options is None:
            found[name] = min(int(u * whole), whole - 1)
        else:
            found[name] = part.value(u)
    return found


class Native:
    """A user's own *parametrization*.

    Args:
        parametrization: an ``ng.p.Dict``, or an ``ng.p.Instrumentation`` of keywords; or an array.
        names: what the numbers of an array are called.
        constants: what is in each config besides.

    Raises:
        BadArgument: it has no names for its values, or names that it does not need.
    """

    size = math.inf

    def __init__(self, parametrization: Any, names: Sequence[str] | None, constants: Mapping[str, Any]) -> None:
        from nevergrad import p

        self.parametrization, self.names, self.constants = parametrization, names, dict(constants)
        value = parametrization.value
        if isinstance(parametrization, p.Instrumentation) and not value[1] and len(value[0]) == 1:
            value = value[0][0]  # one array, by its place
        if isinstance(parametrization, p.Instrumentation) and value and isinstance(value, tuple):
            if value[0]:
                raise BadArgument("space", parametrization, "an ng.p.Instrumentation with keywords only")
            value = value[1]
        if isinstance(value, dict):
            if names is not None:
                raise BadArgument("space", names, "None: the parametrization has names of its own")
        elif names is None:
            raise BadArgument("space", parametrization, "an ng.p.Dict, or a list of names for an optimizer of an array")
        elif len(names) != parametrization.dimension:
            raise BadArgument(
                "space", names, f"{parametrization.dimension} names, one for each number of the optimizer's"
            )

    def config(self, candidate: Any, rng: Rng) -> Config:
        """Return the config that *candidate* stands for."""
        if candidate.kwargs:
            found = dict(candidate.kwargs)
        elif self.names is not None:
            found = dict(zip(self.names, candidate.args[0].ravel(), strict=True))
        else:
            found = dict(candidate.args[0])
        return {**fresh(self.constants), **nested({key: _plain(value) for key, value in found.items()})}

    def candidate(self, config: Config) -> Any:
        """Return a candidate with the values of *config*; None if it is not of this space."""
        from nevergrad import p

        try:
            values: Any = {name: _below(config, name) for name in self._keys()}
            if self.names is not None:
                values = list(values.values())
            if isinstance(self.parametrization, p.Instrumentation):
                values = ((values,), {}) if self.names is not None else ((), values)
            return self.parametrization.spawn_child(new_value=values)
        except Exception:  # noqa: BLE001 (whatever the user's parameters make of a value that is not theirs)
            return None

    def completed(self, point: Mapping[str, Any], rng: Rng) -> Config:
        """Return a config with *point*, which may be a part of one, in it; the rest is drawn at random."""
        return _over(self.drawn(rng), point)

    def drawn(self, rng: Rng) -> Config:
        """Return a random config."""
        import numpy as np

        self.parametrization.random_state.set_state(np.random.RandomState(rng.seed32()).get_state())
        return self.config(self.parametrization.sample(), rng)

    def strange(self, point: Mapping[str, Any]) -> list[str]:
        """Return those names in *point* that no config has."""
        config = self.config(self.parametrization.spawn_child(), rng_at(0))
        return sorted(key for key in point if key not in config)

    def _keys(self) -> list[str]:
        if self.names is not None:
            return list(self.names)
        child = self.parametrization
        return list(child.kwargs or child.args[0])


def _plain(value: Any) -> Any:
    """Return *value* without numpy in it: arrays are lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return type(value)(_plain(item) for item in value) if type(value) in (list, tuple) else value


def _below(config: Mapping[str, Any], name: str) -> Any:
    if name in config:
        return config[name]
    found: Any = config
    for part in name.split("/"):
        found = found[part]
    return found


def _over(config: Config, point: Mapping[str, Any]) -> Config:
    """Return *config* with *point* in it, also further down."""
    return config | {
        key: _over(config[key], value) if isinstance(value, dict) and isinstance(config.get(key), dict) else value
        for key, value in point.items()
    }
