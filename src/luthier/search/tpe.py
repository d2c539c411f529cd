"""Tree-structured Parzen estimator (TPE): tries where good trials are dense, and bad ones are not.

Bergstra, Bardenet, Bengio, Kegl: "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011, section 4.  Kernels are
multivariate (Falkner, Klein, Hutter: "BOHB", ICML 2018, section 3.1), good trials weigh by rank (Watanabe, 2023, arXiv
2304.11127, section 3.2), trials that run count as bad ones (a constant liar: Ginsbourger et al., 2010, section 4).
"""

from __future__ import annotations

import math
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.arguments import amount, check, more_than, whole
from luthier.core.space import Space
from luthier.core.threads import one_thread
from luthier.search.dominance import best_of
from luthier.search.observations import Observations, Place
from luthier.search.parzen import Parzen, option_of, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from luthier.core.events import News
    from luthier.core.policy import ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config
    from luthier.search.known import Known

_MOST_GOOD = 25
_MOST_BAD = 300  # a density needs no more
_MIXING = 0.5
_LEAST, _FINEST = 0.05, 0.005
_BRANCHED = 100  # results until when every second proposal stays in one branch; from then on so many by all of them
_FEW = 3  # results of a branch before it has a model


class Branch(NamedTuple):
    """One option of a choice that has axes below it.

    Attributes:
        column: the choice's number among the axes.
        option: which.
        options: how many there are.
    """

    column: int
    option: int
    options: int

    def holds(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Return which of *points*, one per row, are in it."""
        import numpy as np

        chosen = points[:, self.column]
        inside: npt.NDArray[np.bool_] = ~np.isnan(chosen) & (option_of(chosen, self.options) == self.option)
        return inside


class Tpe:
    """Models the good trials and the bad ones, and proposes where the ratio of the two is best.

    The best share *gamma* of the trials (25 at most) are the good ones.  Of *candidates* points drawn from the model
    of the good ones the one with the largest ratio of densities is proposed: Bergstra et al., equation (2).  Where
    there are several goals the good ones are those that others dominate least.  Results of trials that a scheduler
    stopped count after those that came further; failed trials and those without a finite score are bad.

    A choice that has axes below it is won early by the option that needs little tuning.  So while results are few every
    second proposal is made as if one option, each as likely, were all there is: its own best trials are the good ones.

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
        self.space = space if isinstance(space, Space) else Space(space)
        self.startup, self.candidates = whole("startup", startup, 1), whole("candidates", candidates, 1)
        self.gamma, self.prior_weight = amount("gamma", gamma), more_than("prior_weight", prior_weight, 0)
        check("gamma", gamma, 0 < gamma < 1, "a number between 0 and 1")
        self.seen = Observations(self.space, known)
        self._shape = shape_of(self.space.axes)
        parents = {parent for _, parent, _ in self._shape.conditions}
        self._parents = [(column, options) for column, options in self._shape.choices if column in parents]

    def __repr__(self) -> str:
        return f"Tpe({self.startup}, {self.gamma}, {self.candidates}, {self.prior_weight}, {self.seen!r})"

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear what happened."""
        self.seen.tell(news, experiment)

    @one_thread("numpy")
    def ask(self, number: int, rng: Rng) -> Config:
        """Return the *number*-th config."""
        if not self.space.axes:
            return self.space.sample(rng)
        if len(self.seen) < self.startup or not self.seen.ranked:
            return self.seen.unlike([self.space.sample(rng)], rng)
        chance, seen = rng.numpy(), self.seen
        branch = self._branch(number, chance)
        ranked, failed, pending = seen.ranked, list(seen.bad), list(seen.pending)
        if branch is not None:
            inside = branch.holds(seen.rows([place.number for place in ranked]))
            ranked = list(compress(ranked, inside))
            failed, pending = (list(compress(some, branch.holds(seen.rows(some)))) for some in (failed, pending))
            if len(ranked) < _FEW:
                return seen.unlike(self._decoded(self._start(branch), rng), rng)
        good, bad = self._split(ranked, failed, pending, chance)
        points = good.sample(self.candidates, chance, _MIXING)
        if branch is not None:
            points = points[branch.holds(points)]
            if not len(points):
                return seen.unlike(self._decoded(self._start(branch), rng), rng)
        ratio = good.log_density(points) - bad.log_density(points)
        return seen.unlike(self._decoded(points[(-ratio).argsort(kind="stable")], rng), rng)

    def _decoded(self, points: npt.NDArray[np.float64], rng: Rng) -> Iterator[Config]:
        """Yield the configs at *points*; what is NaN is drawn."""
        for place, point in enumerate(points):
            yield self.space.decode(point.tolist(), rng.split(place))

    def _branch(self, number: int, chance: np.random.Generator) -> Branch | None:
        """Return to which branch the *number*-th proposal is confined, if it is."""
        if not self._parents or number % 2 == 0 or chance.random() * len(self.seen) >= _BRANCHED:
            return None
        column, options = self._parents[int(chance.integers(len(self._parents)))]
        return Branch(column, int(chance.integers(options)), options)

    def _start(self, branch: Branch) -> npt.NDArray[np.float64]:
        """Return points, (candidates, axes), of which only *branch* is known, and what it takes to get there."""
        import numpy as np

        points = np.full((self.candidates, len(self.space)), np.nan)
        points[:, branch.column] = (branch.option + 0.5) / branch.options
        sizes = dict(self._shape.choices)
        for column, parent, option in reversed(self._shape.conditions):  # parents come first
            if not np.isnan(points[0, column]):
                points[:, parent] = (option + 0.5) / sizes[parent]
        return points

    def _split(
        self, ranked: list[Place], failed: list[int], pending: list[int], chance: np.random.Generator
    ) -> tuple[Parzen, Parzen]:
        """Return the models of the good ones of *ranked*, and of all others."""
        import numpy as np

        seen, told, never = self.seen, len(ranked) + len(failed), [*failed, *pending]
        count = min(max(1, math.ceil(self.gamma * told)), _MOST_GOOD, len(ranked))
        if seen.vectors:
            whole = len(ranked) == len(seen.ranked)
            vectors = seen.vectors if whole else {place.number: seen.vectors[place.number] for place in ranked}
            good = best_of(vectors, count)
            chosen = set(good)
            behind = [place for place in ranked if place.number not in chosen]
        else:
            good, behind = [place.number for place in ranked[:count]], ranked[count:]
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
