"""Search spaces: what may be tried, as data.

>>> from luthier.core.rng import rng_at
>>> space = Space({"lr": Float(1e-4, 1e-1, log=True), "batch": Categorical([16, 32])})
>>> config = space.sample(rng_at(7, 0))
>>> config in space, space.decode(space.encode(config)).keys() == config.keys()
(True, True)
"""

from __future__ import annotations

from luthier.core.space.axis import Axis, Condition, Path, spelled
from luthier.core.space.beta import Beta
from luthier.core.space.categorical import Categorical, Grid, Weighted
from luthier.core.space.described import described, holds_domains
from luthier.core.space.domain import Domain
from luthier.core.space.float import Float
from luthier.core.space.function import Function
from luthier.core.space.integer import Integer
from luthier.core.space.likeness import fresh, same
from luthier.core.space.normal import Normal
from luthier.core.space.preset import fixed
from luthier.core.space.rounded import Rounded
from luthier.core.space.space import Space

__all__ = [
    "Axis",
    "Beta",
    "Categorical",
    "Condition",
    "Domain",
    "Float",
    "Function",
    "Grid",
    "Integer",
    "Normal",
    "Path",
    "Rounded",
    "Space",
    "Weighted",
    "described",
    "fixed",
    "fresh",
    "holds_domains",
    "same",
    "spelled",
]
