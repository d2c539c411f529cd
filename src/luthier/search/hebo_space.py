"""Spaces as HEBO has them: ours as a design space, and design spaces that users write."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Categorical, Domain, Integer, Space
from luthier.core.space.domain import is_number
from luthier.search.flat_axes import FlatAxes, Part
from luthier.search.optuna_space import nested

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.rng import Rng
    from luthier.core.terms import Config

_EXACT = 1 << 20  # whole numbers up to that many go by their numbers: HEBO computes in 32 bits


class Para(Domain):
    """A number as one of HEBO's own parameters has it.

    Args:
        para: the parameter, of any type that HEBO or its user knows.
    """

    __slots__ = ("count", "para", "start", "width")

    def __init__(self, para: Any) -> None:
        self.para = para
        self.start, self.width = float(para.opt_lb), float(para.opt_ub) - float(para.opt_lb)
        self.count = round(self.width) + 1 if para.is_discrete_after_transform else 0

    def from_unit(self, u: float) -> Any:
        """Return the number at *u*, clipped to [0, 1]."""
        import numpy as np

        u = min(max(u, 0.0), 1.0)
        place = min(int(u * self.count), self.count - 1) if self.count else u * self.width
        return self.para.inverse_transform(np.array([self.start + place])).tolist()[0]

    def to_unit(self, value: Any) -> float:
        """Return where *value* lies in [0, 1]."""
        import numpy as np

        if not is_number(value) and not isinstance(value, bool):
            raise BadArgumentType("value", value, "a number")
        with np.errstate(all="ignore"):  # what has no logarithm is beyond the lower end
            place = float(self.para.transform(np.array([float(value)]))[0]) - self.start
        place = 0.0 if math.isnan(place) else min(max(place, 0.0), self.width)
        return (round(place) + 0.5) / self.count if self.count else place / self.width

    def __contains__(self, value: object) -> bool:
        if not is_number(value) and not isinstance(value, bool):
            return False
        given: Any = value
        return abs(float(self.from_unit(self.to_unit(given))) - float(given)) <= 1e-6 * max(1.0, abs(float(given)))

    def _parts(self) -> tuple[object, ...]:
        return (type(self.para).__name__, self.para.name, self.start, self.width)

    def __reduce__(self) -> Any:
        return Para, (self.para,)


def converted(design: Any) -> Space:
    """Return HEBO's *design* space as a space of ours; a name ``a/b`` is ``b`` in a dict ``a``."""
    return Space(nested({name: _domain(design.paras[name]) for name in design.para_names}))


def _domain(para: Any) -> Domain:
    if para.is_categorical:
        return Categorical(list(para.categories))
    found = Para(para)
    return found if found.width > 0 else Categorical([found.from_unit(0)])


class _Column:
    """One of HEBO's parameters, by name, and how its values are those of a part."""

    def __init__(self, part: Part) -> None:
        self.part, self.axis = part, part.axis
        self.name = str(part.axis.number)
        domain = part.axis.domain
        self.count = 0
        if isinstance(domain, Para) or (isinstance(domain, Integer) and not domain.log and domain.count <= _EXACT):
            self.count = domain.count

    def para(self, design: Any) -> Any:
        """Return the parameter, of a type that *design* knows."""
        if isinstance(self.axis.domain, Para):
            return self.axis.domain.para
        what: dict[str, Any] = {"type": "num", "lb": 0.0, "ub": 1.0}
        if self.part.options is not None:
            what = {"type": "cat", "categories": list(range(self.part.options))}
        elif self.count:
            what = {"type": "int", "lb": 0, "ub": self.count - 1}
        return design.para_types[what["type"]]({"name": self.name, **what})

    def value(self, u: float) -> Any:
        """Return HEBO's value for the place *u*; what is not alive (NaN) goes to the middle, or to option 0."""
        if isinstance(self.axis.domain, Para):
            return self.axis.domain.from_unit(0.5 if math.isnan(u) else u)
        if self.count and self.part.options is None:
            return self.count // 2 if math.isnan(u) else min(int(u * self.count), self.count - 1)
        return self.part.value(u)

    def unit(self, value: Any) -> float:
        """Return the place of HEBO's *value*."""
        if isinstance(self.axis.domain, Para):
            return self.axis.domain.to_unit(value)
        if self.count and self.part.options is None:
            return (min(max(int(value), 0), self.count - 1) + 0.5) / self.count
        return self.part.unit(value)


class Columns:
    """All axes of *space*, flattened: those that are not alive are asked for, too, and passed over.

    Raises:
        BadArgument: an axis is a grid.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.parts: Sequence[_Column] = [_Column(part) for part in FlatAxes(space, "HEBO").parts]

    def config(self, values: Sequence[Any], rng: Rng) -> Config:
        """Return the config at *values*, one for each part."""
        units = [0.5] * len(self.space.axes)
        for part, value in zip(self.parts, values, strict=True):
            units[part.axis.number] = part.unit(value)
        return self.space.decode(units, rng)

    def values(self, config: Config) -> list[Any] | None:
        """Return HEBO's values of *config*; None if it is not of this space."""
        try:
            units = self.space.encode(config)
        except BadArgument:
            return None
        return [part.value(units[part.axis.number]) for part in self.parts]

    def design(self) -> Any:
        """Return the design space, its parameters named by the numbers of their axes."""
        from hebo.design_space.design_space import DesignSpace

        found = DesignSpace()
        for part in self.parts:
            para = found.paras[part.name] = part.para(found)
            (found.enum_names if para.is_categorical else found.numeric_names).append(part.name)
        found.para_names = found.numeric_names + found.enum_names
        return found
