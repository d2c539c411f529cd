"""Differential evolution without generations, for mixed and conditional spaces.

Storn, Price: "Differential Evolution", Journal of Global Optimization 11, 1997; a child is drawn from a parent towards
one of the best, and along the difference of two others (Zhang, Sanderson: "JADE", IEEE Transactions on Evolutionary
Computation 13 (5), 2009, equation 6).  Choices are inherited or, now and then, drawn anew.  The population is the best
of all that was told, so that there is nothing to wait for when trials end at different times.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core.arguments import share, whole
from luthier.core.space import Categorical, Space
from luthier.search.dominance import best_of
from luthier.search.observations import Observations
from luthier.search.sobol import Sobol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.events import News
    from luthier.core.policy import ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config
    from luthier.search.known import Known

_TRIES = 16


class Evolution:
    """Breeds configs from the best that were tried.

    A proposal takes the same time however many trials there were; with several goals the best are those that others
    dominate least.

    Args:
        space: what to search; grids are choices here.
        population: how many of the best breed, at least 4.
        mutation: how often an axis is drawn anew, in [0, 1]; once per child and half where None.
        seed: of the points before there is a population.
        known: configs that were evaluated elsewhere.

    Raises:
        BadArgument: for an argument out of its range.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.core.space import Float
    >>> 0 <= Evolution({"x": Float(0, 1)}).ask(0, rng_at(7, 0))["x"] <= 1
    True
    """

    def __init__(
        self,
        space: Space | Mapping[str, Any],
        population: int = 20,
        mutation: float | None = None,
        seed: int = 0,
        known: Sequence[Known] = (),
    ) -> None:
        self.space = space if isinstance(space, Space) else Space(space)
        self.population = whole("population", population, 4)  # a parent, a good one, and two others
        self.mutation = 0.5 / max(1, len(self.space)) if mutation is None else share("mutation", mutation)
        self.seen = Observations(self.space, known)
        self._spread = Sobol(len(self.space), seed)
        self._options = [len(a.domain.options) if isinstance(a.domain, Categorical) else 0 for a in self.space.axes]

    def __repr__(self) -> str:
        return f"Evolution({self.population}, {self.mutation}, {self.seen!r})"

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear what happened."""
        self.seen.tell(news, experiment)

    def ask(self, number: int, rng: Rng) -> Config:
        """Return the *number*-th config."""
        seen, space = self.seen, self.space
        count = min(self.population, len(seen.ranked))
        if len(seen) < self.population // 2 or count < 4 or not space.axes:  # noqa: PLR2004 (as above)
            config = space.decode(self._spread.point(number), rng)
            return seen.unlike([config], rng) if space.axes else config
        numbers = best_of(seen.vectors, count) if seen.vectors else [place.number for place in seen.ranked[:count]]
        parents = seen.rows(numbers).tolist()
        children = (self._child(parents, rng.split(again)) for again in range(_TRIES))
        return seen.unlike((space.decode(child, rng.split(again)) for again, child in enumerate(children)), rng)

    def _child(self, parents: list[list[float]], rng: Rng) -> list[float]:
        """Return a point; NaN where it is to be drawn."""
        n = len(parents)
        own = parents[int(n * rng.random() ** 1.5)]
        good = parents[rng.below(max(2, n // 5))]
        one, two = parents[rng.below(n)], parents[rng.below(n)]
        toward, along = rng.uniform(0.2, 1.0), rng.uniform(0.3, 0.9)
        crossing = 0.2 if rng.random() < 0.35 else 0.9  # noqa: PLR2004 (few axes, for functions that are sums; or most)
        forced = rng.below(len(own))
        child = list(own)
        for k, options in enumerate(self._options):
            if k != forced and rng.random() >= crossing:
                continue
            if rng.random() < self.mutation:
                child[k] = math.nan
            elif options:
                donor = (own, good, one)[rng.below(3)][k]
                child[k] = own[k] if math.isnan(donor) else donor
            elif not math.isnan(own[k]):
                step = 0.0 if math.isnan(good[k]) else toward * (good[k] - own[k])
                if not (math.isnan(one[k]) or math.isnan(two[k])):
                    step += along * (one[k] - two[k])
                child[k] = _inside(own[k], own[k] + step, rng)
        if child == own:  # a twin of its parent
            child[forced] = math.nan
        return child


def _inside(start: float, end: float, rng: Rng) -> float:
    """Return *end*, or where it is beyond a bound some point between *start* and the bound."""
    if end < 0:
        return start * rng.random()
    return 1 - (1 - start) * rng.random() if end > 1 else end
