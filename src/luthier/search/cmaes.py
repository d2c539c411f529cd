"""CMA-ES: evolution by a normal distribution that learns where it should go, how far, and in which directions.

Hansen: "The CMA Evolution Strategy: A Tutorial", 2016 (arXiv 1604.00772), whose are the numbers of equations below.
Axes that have few values keep a least spread, so that these can still be told apart (Hamano, Saito, Nomura, Shirakawa:
"CMA-ES with Margin", GECCO 2022, section 4, made simpler); when a search has come to rest another one starts, with
twice the population (Auger, Hansen: "A Restart CMA Evolution Strategy with Increasing Population Size", CEC 2005).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core.arguments import more_than, whole
from luthier.core.events import Ended
from luthier.core.goal import WORST
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Integer, Space
from luthier.core.threads import one_thread
from luthier.search.observations import Observations, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from luthier.core.events import News
    from luthier.core.policy import ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import Config
    from luthier.search.known import Known

    Array = npt.NDArray[np.float64]

_FULL_UP_TO = 100  # coordinates; beyond, each has a variance and there are no covariances
_TRIES = 8  # for a point within the bounds
_DRAWS = 16  # for one that was not tried
_RESTART = 0xC3A  # stream of the places where searches start


class Cmaes:
    """Draws configs around a mean that moves to the better half of what was tried.

    Numbers live in the unit cube; a choice has one coordinate per option, the largest is chosen.  Conditional axes are
    always part of the distribution, those that are not alive count as if they were at its mean.  Trials may end in any
    order: whenever there is one population of results, of whichever configs, the distribution learns.  Of several
    goals the first one counts.

    Args:
        space: what to search; grids are choices here.
        sigma: spread at the start, in units of an axis, above 0.
        population: results per step, at least 4; by the number of coordinates where None (equation 48).
        seed: of the places where later searches start.
        known: configs that were evaluated elsewhere; the search starts at the best.

    Raises:
        BadArgument: for an argument out of its range.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.core.space import Float
    >>> 0 <= Cmaes({"x": Float(0, 1)}).ask(0, rng_at(7, 0))["x"] <= 1
    True
    """

    def __init__(
        self,
        space: Space | Mapping[str, Any],
        sigma: float = 0.25,
        population: int | None = None,
        seed: int = 0,
        known: Sequence[Known] = (),
    ) -> None:
        size = None if population is None else whole("population", population, 4)  # a better half of two
        self.space = space if isinstance(space, Space) else Space(space)
        self.sigma0, self.seed, self.restarts = more_than("sigma", sigma, 0), seed, 0
        self._widths, self._floors = _layout(self.space)
        self.d = sum(self._widths)
        self.size0 = size or 4 + int(3 * math.log(max(self.d, 1)))
        self.seen = Observations(self.space, known)
        self.told: list[int] = []  # numbers of the trials that ended since the last step
        start = [0.5] * len(self.space)
        if self.seen.ranked:
            best = self.seen.rows([self.seen.ranked[0].number])[0].tolist()
            start = [0.5 if math.isnan(u) else u for u in best]
        if self.d:
            self._begin(start)

    def __repr__(self) -> str:
        return f"Cmaes({self.sigma0}, {self.size0}, {self.restarts} restarts, {len(self.told)} told)"

    # -- asking --------------------------------------------------------------------------------------------------------
    def ask(self, number: int, rng: Rng) -> Config:
        """Return the *number*-th config."""
        if not self.d:
            return self.space.sample(rng)
        import numpy as np

        chance = rng.numpy()

        def drawn() -> Iterator[Config]:
            for again in range(_DRAWS):
                y = np.zeros(self.d)
                for _ in range(_TRIES):
                    y = self.mean + self.sigma * self._stretched(chance.standard_normal(self.d))  # equation 40
                    if ((y >= 0) & (y <= 1)).all():
                        break
                yield self.space.decode(self._point(y), rng.split(again) if again else rng)

        return self.seen.unlike(drawn(), rng)

    def _stretched(self, z: Array) -> Array:
        return self.axes @ (self.scales * z) if self.full else self.scales * z

    def _point(self, y: Array) -> list[float]:
        """Return the coordinates *y* as a point of the cube."""
        point, at = [], 0
        for width in self._widths:
            here = y[at : at + width]
            point.append(float(min(max(here[0], 0.0), 1.0)) if width == 1 else (int(here.argmax()) + 0.5) / width)
            at += width
        return point

    def _coordinates(self, point: list[float]) -> Array:
        """Return a point of the cube as coordinates; the mean's where an axis is not alive."""
        import numpy as np

        found, at = self.mean.copy(), 0
        for u, width in zip(point, self._widths, strict=True):
            if not math.isnan(u):
                found[at : at + width] = u if width == 1 else 0.0
                if width > 1:
                    found[at + min(int(u * width), width - 1)] = 1.0
            at += width
        return np.asarray(found)

    # -- learning ------------------------------------------------------------------------------------------------------
    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear what happened."""
        self.seen.tell(news, experiment)
        if not isinstance(news, Ended) or not self.d:
            return
        number = experiment.trial(news.trial).number
        if number in self.seen.bad or self.seen.place(number) is not None:  # of this space
            self.told.append(number)
            if len(self.told) >= self.size:
                self._step()

    def _begin(self, start: list[float]) -> None:
        import numpy as np

        d = self.d
        self.size = self.size0 << min(self.restarts, 6)
        self.full = d <= _FULL_UP_TO
        half = self.size // 2
        raw = math.log((self.size + 1) / 2) - np.log(np.arange(1, half + 1))  # equation 49, the positive ones
        self.weights = raw / raw.sum()
        self.mass = float(1 / (self.weights**2).sum())
        mass = self.mass
        self.c_sigma = (mass + 2) / (d + mass + 5)  # equation 55
        self.damping = 1 + 2 * max(0.0, math.sqrt((mass - 1) / (d + 1)) - 1) + self.c_sigma
        self.c_path = (4 + mass / d) / (d + 4 + 2 * mass / d)  # equation 56
        faster = 1.0 if self.full else (d + 2) / 3  # Ros, Hansen, 2008: without covariances there is less to learn
        self.c_one = min(1.0, faster * 2 / ((d + 1.3) ** 2 + mass))  # equation 57
        self.c_mass = min(1 - self.c_one, faster * 2 * (mass - 2 + 1 / mass) / ((d + 2) ** 2 + mass))  # equation 58
        self.usual = math.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d))
        self.sigma, self.steps = self.sigma0, 0
        self.mean = np.full(d, 0.5)
        self.mean = self._coordinates(start)
        for at, width in self._blocks():
            if width > 1:
                self.mean[at : at + width] = 0.5 if self.restarts == 0 else self.mean[at : at + width] * 0.5 + 0.25
        self.path, self.path_sigma = np.zeros(d), np.zeros(d)
        self.spread = np.eye(d) if self.full else np.ones(d)
        self.axes, self.scales = (np.eye(d) if self.full else np.ones(0)), np.ones(d)
        self.best = WORST
        self.idle = 0

    def _blocks(self) -> list[tuple[int, int]]:
        ends = [0]
        for width in self._widths:
            ends.append(ends[-1] + width)
        return list(zip(ends[:-1], self._widths, strict=True))

    @one_thread("numpy")
    def _step(self) -> None:
        """Learn from one population."""
        import numpy as np

        never = Place(math.inf, WORST, 0)
        told, self.told = [(self.seen.place(number) or never, number) for number in self.told], []
        told.sort()
        d = self.d
        rows = self.seen.rows([number for _, number in told[: len(self.weights)]])
        y = np.array([self._coordinates(row.tolist()) for row in rows])
        y = (y - self.mean) / self.sigma
        whitened = (y @ self.axes if self.full else y) / self.scales
        # Points that others chose may be far away: shortened to what is likely (Hansen: "Injecting External Solutions
        # Into CMA-ES", 2011, equation 4).
        long = np.sqrt((whitened**2).sum(axis=1))
        y *= np.minimum(1.0, (math.sqrt(d) + 2 * d / (d + 2)) / np.maximum(long, 1e-12))[:, None]
        step = self.weights @ y
        self.mean = np.clip(self.mean + self.sigma * step, 0.0, 1.0)  # equation 42
        white = (step @ self.axes if self.full else step) / self.scales
        white = self.axes @ white if self.full else white
        c = self.c_sigma
        self.path_sigma = (1 - c) * self.path_sigma + math.sqrt(c * (2 - c) * self.mass) * white  # equation 43
        length = float(np.sqrt((self.path_sigma**2).sum()))
        self.sigma *= math.exp(min(1.0, c / self.damping * (length / self.usual - 1)))  # equation 44
        self.steps += 1
        calm = length / math.sqrt(1 - (1 - c) ** (2 * self.steps)) < (1.4 + 2 / (d + 1)) * self.usual
        c = self.c_path
        self.path = (1 - c) * self.path + (math.sqrt(c * (2 - c) * self.mass) * step if calm else 0.0)  # equation 45
        keep = 1 - self.c_one - self.c_mass + (0.0 if calm else self.c_one * c * (2 - c))
        if self.full:
            ranked = (y.T * self.weights) @ y
            self.spread = keep * self.spread + self.c_one * np.outer(self.path, self.path) + self.c_mass * ranked
        else:
            ranked = self.weights @ (y * y)
            self.spread = keep * self.spread + self.c_one * self.path**2 + self.c_mass * ranked  # equation 47
        self._widen()
        self._rest([place.score for place, _ in told if place.score < WORST])

    def _widen(self) -> None:
        """Keep each axis as wide as its values are apart, and take the distribution's axes anew."""
        import numpy as np

        self.sigma = min(self.sigma, 1.0)
        variances = np.diag(self.spread) if self.full else self.spread
        least = (self._floors / self.sigma) ** 2
        more = np.maximum(least - variances, 0.0)
        if self.full:
            self.spread = (self.spread + self.spread.T) / 2
            self.spread[np.diag_indices(self.d)] += more
            values, self.axes = np.linalg.eigh(self.spread)
            self.scales = np.sqrt(np.maximum(values, 1e-14))
        else:
            self.spread = self.spread + more
            self.scales = np.sqrt(np.maximum(self.spread, 1e-14))

    def _rest(self, scores: list[float]) -> None:
        """Start another search if this one has come to rest."""
        import numpy as np

        best = min(scores, default=WORST)
        self.idle = 0 if best < self.best else self.idle + 1
        self.best = min(self.best, best)
        wide = self.sigma * float(np.sqrt(np.diag(self.spread) if self.full else self.spread).max())
        patience = 40 + math.ceil(30 * self.d / self.size)
        flat = len(scores) > 1 and max(scores) - best <= 1e-12 * max(1.0, abs(best))
        if wide < 1e-7 or self.idle >= patience or (flat and self.steps > 1 and not self._floors.any()):  # noqa: PLR2004
            self.restarts += 1
            place = rng_at(self.seed, _RESTART, self.restarts)
            self._begin([place.random() for _ in self._widths])


def _layout(space: Space) -> tuple[list[int], Array]:
    """Return how many coordinates each axis has, and how little each coordinate may spread."""
    import numpy as np

    widths: list[int] = []
    floors: list[float] = []
    for axis in space.axes:
        domain = axis.domain
        width = len(domain.options) if isinstance(domain, Categorical) else 1
        least = 0.0
        if isinstance(domain, Categorical):
            least = 0.2 if width > 1 else 0.0
        elif isinstance(domain, Integer):
            least = 0.3 / domain.count if domain.count > 1 else 0.0
        elif isinstance(domain, Float) and domain.q and not domain.log:
            least = 0.3 * domain.q / (domain.upper - domain.lower)
        widths.append(width)
        floors += [min(least, 0.2)] * width
    return widths, np.array(floors)
