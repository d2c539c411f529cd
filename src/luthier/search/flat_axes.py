"""A space's axes side by side, for libraries that know neither conditions nor our distributions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from luthier.core.errors import BadArgument
from luthier.core.space import Axis, Categorical
from luthier.search.distinct import size
from luthier.search.grids import refuse_grids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.rng import Rng
    from luthier.core.space import Space
    from luthier.core.terms import Config


_EDGE = 1e-3  # of a normal distribution, at either end: about three standard deviations from its middle


class Part(NamedTuple):
    """One thing that a library is asked for.

    Attributes:
        axis: what it is in our space.
        options: how many options it has, numbered from 0; None for a place in [0, 1].
    """

    axis: Axis
    options: int | None

    def value(self, u: float) -> float:
        """Return the library's value for the place *u*; what is not alive (NaN) goes to the middle, or option 0."""
        domain = self.axis.domain
        if isinstance(domain, Categorical):
            return 0 if math.isnan(u) else domain.pick(u)
        if domain.endless:
            u = (u - _EDGE) / (1 - 2 * _EDGE)
        return 0.5 if math.isnan(u) else min(max(u, 0.0), 1.0)

    def unit(self, value: float) -> float:
        """Return the place of the library's *value*."""
        domain = self.axis.domain
        if isinstance(domain, Categorical):
            return domain.middle(min(max(int(value), 0), len(domain.options) - 1))
        u = min(max(float(value), 0.0), 1.0)
        return _EDGE + u * (1 - 2 * _EDGE) if domain.endless else u


class Points(Protocol):
    """How a config comes from a library's values, and the way back.

    Attributes:
        parts: what the library is asked for; nothing where there is but one config.
    """

    parts: Sequence[Any]

    def config(self, values: Sequence[Any], rng: Rng) -> Config:
        """Return the config at *values*, one for each part; *rng* is for what is computed."""

    def values(self, config: Config) -> list[Any] | None:
        """Return the library's values of *config*; None if it is not of this space."""


class FlatAxes:
    """All axes of *space*, also those that are not alive, which are then passed over.

    Numbers are places in [0, 1], which our domains map: bounds, scales, rounding and distributions stay exact.  (Those
    without an end do so at about three standard deviations: optimisers like corners, and 0 would be eight away.)
    Options go by their numbers.  An axis with one value is nobody's to choose.

    Args:
        space: what is searched.
        who: the library, for complaints.

    Raises:
        BadArgument: an axis is a grid.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.core.space import Categorical, Float, Space
    >>> axes = FlatAxes(Space({"x": Float(0, 10), "kind": Categorical(["a", "b"])}), "It")
    >>> axes.config([0.25, 1], rng_at(0)), axes.values({"x": 2.5, "kind": "b"})
    ({'x': 2.5, 'kind': 'b'}, [0.25, 1])
    """

    def __init__(self, space: Space, who: str) -> None:
        refuse_grids(space, who)
        self.space = space
        self.parts: Sequence[Part] = [
            Part(axis, len(axis.domain.options) if isinstance(axis.domain, Categorical) else None)
            for axis in space.axes
            if size(axis.domain) > 1
        ]

    def config(self, values: Sequence[float], rng: Rng) -> Config:
        """Return the config at *values*, one for each part; *rng* is for what is computed."""
        units = [0.5] * len(self.space.axes)
        for part, value in zip(self.parts, values, strict=True):
            units[part.axis.number] = part.unit(value)
        return self.space.decode(units, rng)

    def values(self, config: Config) -> list[float] | None:
        """Return the library's values of *config*; None if it is not of this space."""
        try:
            units = self.space.encode(config)
        except BadArgument:
            return None
        return [part.value(units[part.axis.number]) for part in self.parts]
