"""Quasi-random search: points that leave no large holes, whatever their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.policy import Nothing
from luthier.core.space import Space
from luthier.search.sobol import Sobol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luthier.core.events import News
    from luthier.core.policy import ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config

_MOST = 2**32


class QuasiRandom:
    """Walks a scrambled Sobol sequence: the *number*-th trial is its *number*-th point.

    What is proposed depends on the number and on nothing else: not on results, not on how many run at a time, not on
    restarts.  The first 2**m trials have one in each of 2**m equally likely parts of every axis.  Points cover the
    distribution that an axis is drawn from; functions in the space draw as ever.

    Args:
        space: what to search; grids are choices here.
        seed: of the scrambling.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.core.space import Float
    >>> search = QuasiRandom({"x": Float(0, 4)})
    >>> sorted(int(search.ask(k, rng_at(7, k))["x"]) for k in range(4))
    [0, 1, 2, 3]
    """

    def __init__(self, space: Space | Mapping[str, Any], seed: int = 0) -> None:
        self.space = space if isinstance(space, Space) else Space(space)
        self._points = Sobol(len(self.space), seed)

    def __repr__(self) -> str:
        return f"QuasiRandom({self._points.seed})"

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Pass over what happened."""

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        """Return the *number*-th config."""
        return Nothing.EXHAUSTED if number >= _MOST else self.space.decode(self._points.point(number), rng)
