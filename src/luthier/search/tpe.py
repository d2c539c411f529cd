"""Tree-structured Parzen estimator (TPE): tries where good trials are dense, and bad ones are not.

Bergstra, Bardenet, Bengio, Kegl: "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011, section 4.  Kernels are
multivariate (Falkner, Klein, Hutter: "BOHB", ICML 2018, section 3.1), good trials weigh by rank (Watanabe, 2023, arXiv
2304.11127, section 3.2), trials that run count as bad ones (a constant liar: Ginsbourger et al., 2010, section 4).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.space import Space
from luthier.search.dominance import best_of
from luthier.search.observations import Observations
from luthier.search.parzen import Parzen, shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from luthier.core.events import News
    from luthier.core.policy import ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config
    from luthier.search.known import Known

_MOST_GOOD = 25
_MOST_BAD = 500  # a density needs no more
_MIXING = 0.5
_LEAST, _FINEST = 0.05, 0.005


class Tpe:
    """Models the good trials and the bad ones, and proposes where the ratio of the two is best.

    The best share *gamma* of the trials (25 at most) are the good ones.  Of *candidates* points drawn from the model
    of the good ones the one with the largest ratio of densities is proposed: Bergstra et al., equation (2).  Where
    there are several goals the good ones are those that others dominate least.  Results of trials that a scheduler
    stopped count after those that came further; failed trials and those without a finite score are bad.

    Args:
        space: what to search; grids are choices here.
        startup: trials drawn at random before there is a model, at least 1.
        gamma: share of the trials that are good, in (0, 1).
        candidates: how many points are compared for each proposal, at least 1.
        prior_weight: what the prior weighs beside an average observation, above 0.
        known: configs that were evaluated elsewhere.

    Raises:
        BadArgument: for an argument out of its range.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.core.space import Float
    >>> searcher = Tpe({"x": Float(0, 1)})
    >>> 0 <= searcher.ask(0, rng_at(7, 0))["x"] <= 1
    True
    """

    def __init__(
        self,
        space: Space | Mapping[str, Any],
        startup: int = 8,
        gamma: float = 0.15,
        candidates: int = 32,
        prior_weight: float = 1.0,
        known: Sequence[Known] = (),
    ) -> None:
        for name, whole in (("startup", startup), ("candidates", candidates)):
            if isinstance(whole, bool) or not isinstance(whole, int):
                raise BadArgumentType(name, whole, "a whole number")
            if whole < 1:
                raise BadArgument(name, whole, "a whole number above 0")
        for name, number in (("gamma", gamma), ("prior_weight", prior_weight)):
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                raise BadArgumentType(name, number, "a number")
        if not 0 < gamma < 1:
            raise BadArgument("gamma", gamma, "a number between 0 and 1")
        if not 0 < prior_weight < math.inf:
            raise BadArgument("prior_weight", prior_weight, "a finite number above 0")
        self.space = space if isinstance(space, Space) else Space(space)
        self.startup, self.gamma, self.candidates, self.prior_weight = startup, gamma, candidates, prior_weight
        self.seen = Observations(self.space, known)
        self._shape = shape_of(self.space.axes)

    def __repr__(self) -> str:
        return f"Tpe({self.startup}, {self.gamma}, {self.candidates}, {self.prior_weight}, {self.seen!r})"

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear what happened."""
        self.seen.tell(news, experiment)

    def ask(self, number: int, rng: Rng) -> Config:
        """Return the *number*-th config."""
        if not self.space.axes:
            return self.space.sample(rng)
        if len(self.seen) < self.startup or not self.seen.ranked:
            return self.seen.unlike([self.space.sample(rng)], rng)
        chance = rng.numpy()
        good, bad = self._split(chance)
        points = good.sample(self.candidates, chance, _MIXING)
        ratio = good.log_density(points) - bad.log_density(points)
        order = (-ratio).argsort(kind="stable")
        found = (self.space.decode(points[k].tolist(), rng.split(place)) for place, k in enumerate(order))
        return self.seen.unlike(found, rng)

    def _split(self, chance: np.random.Generator) -> tuple[Parzen, Parzen]:
        import numpy as np

        seen, told = self.seen, len(self.seen)
        count = min(max(1, math.ceil(self.gamma * told)), _MOST_GOOD, len(seen.ranked))
        if seen.vectors:
            good = best_of(seen.vectors, count)
            chosen = set(good)
            behind = [place for place in seen.ranked if place.number not in chosen]
        else:
            good, behind = [place.number for place in seen.ranked[:count]], seen.ranked[count:]
        never = [*seen.bad, *seen.pending]
        total = len(behind) + len(never)
        some = range(total) if total <= _MOST_BAD else np.unique(chance.integers(0, total, _MOST_BAD)).tolist()
        bad = [behind[k].number if k < len(behind) else never[k - len(behind)] for k in some]
        rank = np.log(count + 1) - np.log(np.arange(1, count + 1))
        weights = np.append(rank / rank.sum() * count, self.prior_weight)
        least = min(_LEAST, max(_FINEST, 100 * _LEAST / told))
        return (
            Parzen(self._shape, seen.rows(good), weights, own_width=False, least=least),
            Parzen(self._shape, seen.rows(bad), np.append(np.ones(len(bad)), self.prior_weight), own_width=True),
        )
