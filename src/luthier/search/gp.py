"""Bayesian optimisation: a Gaussian process of what was seen, and the point that promises the greatest improvement.

Mockus, Tiesis, Zilinskas: "The Application of Bayesian Methods for Seeking the Extremum", 1978 (expected improvement);
Ament, Daulton, Eriksson, Balandat, Bakshy: "Unexpected Improvements to Expected Improvement for Bayesian Optimization",
NeurIPS 2023, section 4 (its logarithm, which still has a slope where it vanishes); Eriksson et al.: "Scalable Global
Optimization via Local Bayesian Optimization", NeurIPS 2019 (a box around the best point, whose sides follow the lengths
of the model); Ginsbourger, Le Riche, Carraro, 2010 (trials that run count with what is expected of them).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core.arguments import whole
from luthier.core.space import Categorical, Space
from luthier.core.threads import one_thread
from luthier.search.gaussian import Surface
from luthier.search.observations import Observations
from luthier.search.sobol import Sobol

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

_MOST = 300  # points that a model is made of: its cost is their number cubed
_FITTED = 120  # of them, those that choose its parameters
_TURN = 2  # each so many-th proposal stays close to the best
_NEAR, _FAR, _CLIMBS, _STEPS = 192, 320, 3, 40
_STEEP = 20  # times how far the median is above the best: what is worse counts as that
_TWIN = 1e-9  # points closer than that are the same one
_LEAST_REACH = 1e-3  # of a box around the best, in units of an axis
_DEEP = 1e4  # standard deviations, from where the leading term of a tail is enough


class Gp:
    """Models the scores by a Gaussian process and proposes the point of the greatest expected improvement.

    For few evaluations that cost much: a proposal takes about 0.1 s after 100 results in 6 axes.

    Args:
        space: what to search; grids are choices here.
        startup: trials spread evenly before there is a model, at least 1; by the number of axes where None.
        seed: of the points before there is a model.
        known: configs that were evaluated elsewhere.

    Raises:
        BadArgument: for an argument out of its range.

    >>> from luthier.core.rng import rng_at
    >>> from luthier.core.space import Float
    >>> 0 <= Gp({"x": Float(0, 1)}).ask(0, rng_at(7, 0))["x"] <= 1
    True
    """

    def __init__(
        self,
        space: Space | Mapping[str, Any],
        startup: int | None = None,
        seed: int = 0,
        known: Sequence[Known] = (),
    ) -> None:
        self.space = space if isinstance(space, Space) else Space(space)
        self.startup = min(4 + len(self.space), 16) if startup is None else whole("startup", startup, 1)
        self.seen = Observations(self.space, known)
        self._spread = Sobol(len(self.space), seed)
        self._options = [len(a.domain.options) if isinstance(a.domain, Categorical) else 0 for a in self.space.axes]

    def __repr__(self) -> str:
        return f"Gp({self.startup}, {self.seen!r})"

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Hear what happened."""
        self.seen.tell(news, experiment)

    @one_thread("numpy", "scipy.linalg")
    def ask(self, number: int, rng: Rng) -> Config:
        """Return the *number*-th config."""
        import numpy as np

        if not self.space.axes:
            return self.space.sample(rng)
        if len(self.seen) < self.startup or not self.seen.ranked:
            return self.seen.unlike([self.space.decode(self._first(number), rng)], rng)
        local = number % _TURN == 1 and len(self.seen.ranked) >= 2 * self.startup
        numbers, y = self._values(local=local)
        chance = rng.numpy()
        X = self._features(self.seen.rows(numbers))
        low, wide = np.zeros(len(self.space)), np.ones(len(self.space))
        if local:  # a box around the best is the cube
            low, wide = self._box(X)
        try:
            surface = Surface((X - low) / wide, y, np.array(self._options) > 0, _FITTED)
            if self.seen.pending:
                pending = self._features(self.seen.rows(list(self.seen.pending)[-_MOST:]))
                surface = surface.believing((pending - low) / wide)
        except np.linalg.LinAlgError:  # the values say nothing that fits
            return self.seen.unlike([self.space.sample(rng)], rng)
        return self._new(low + self._candidates(surface, chance) * wide, rng)

    def _first(self, number: int) -> list[float]:
        """Return the *number*-th point before there is a model: the middle of the bounds, then others."""
        spread = self._spread.point(number)
        if number:
            return spread
        return [u if options else 0.5 for u, options in zip(spread, self._options, strict=True)]

    def _values(self, *, local: bool) -> tuple[list[int], Array]:
        """Return the trials to be modelled, best and others mixed, and how good they were: about normal."""
        import numpy as np

        seen = self.seen
        numbers = [place.number for place in seen.ranked]
        scores = np.array([place.score for place in seen.ranked], dtype=np.float64)
        scores /= max(float(np.abs(scores).max()), 1e-300)  # or differences of large ones would be infinite
        full = [k for k, place in enumerate(seen.ranked) if place.early == -math.inf]
        # Stopped trials come after those that came further: a score from half way is not better than any of these.
        if 0 < len(full) < len(scores):
            scores = np.maximum(scores, scores[: len(full)].max())
        if local:  # the best of them as they are: a logarithm has an edge just where the bottom is
            d = len(self.space)
            bowl = (d + 1) * (d + 2) // 2  # so many numbers describe one
            count = max(2 * self.startup, len(scores) // 4, min(bowl + bowl // 3, len(scores) // 2))
            few = scores[:count]
            return numbers[:count], scaled(np.minimum(few, few[0] + _STEEP * (np.median(few) - few[0])))
        bad = list(seen.bad)
        numbers += bad
        scores = np.concatenate([scores, np.full(len(bad), scores.max())])
        if len(numbers) > _MOST:
            best, rest = _MOST // 2, sorted(range(_MOST // 2, len(numbers)), key=lambda k: -numbers[k])
            keep = [*range(best), *rest[: _MOST - best]]
            numbers, scores = [numbers[k] for k in keep], scores[keep]
        y = warped(scores)
        order = np.argsort(np.array(numbers) % 3 == 0, kind="stable") if len(numbers) > _FITTED else slice(None)
        return np.array(numbers)[order].tolist(), y[order]

    def _features(self, rows: Array) -> Array:
        """Return points of the cube as the model has them: choices by option, 0.5 (or no option) where not alive."""
        import numpy as np

        X = rows.copy()
        for column, options in enumerate(self._options):
            if options:
                values = X[:, column]
                X[:, column] = np.where(np.isnan(values), -1, np.clip(np.floor(values * options), 0, options - 1))
            else:
                np.copyto(X[:, column], 0.5, where=np.isnan(X[:, column]))
        return X

    def _alive(self, X: Array) -> Array:
        """Return the points *X* with what is not alive in them put to its place."""
        for axis in self.space.axes:  # parents come first
            if axis.condition is not None:
                dead = X[:, axis.condition.parent] != axis.condition.option
                X[dead, axis.number] = -1 if self._options[axis.number] else 0.5
        return X

    def _box(self, X: Array) -> tuple[Array, Array]:
        """Return the lowest corner and the sides of a box around the first of *X*, as wide as the others are apart."""
        import numpy as np

        reach = np.maximum(2 * np.abs(X[: len(X) // 2] - X[0]).mean(axis=0), _LEAST_REACH)
        low, high = np.clip(X[0] - reach, 0, 1), np.clip(X[0] + reach, 0, 1)
        numeric = np.array(self._options) == 0
        return np.where(numeric, low, 0.0), np.where(numeric, high - low, 1.0)

    def _candidates(self, surface: Surface, chance: np.random.Generator) -> Array:
        """Return points, the most promising first."""
        import numpy as np

        best = surface.X[np.argsort(surface.means, kind="stable")]
        target = float(surface.means.min())
        points = self._drawn(best, chance)
        mean, sd = surface(points)
        points = points[np.argsort(-log_improvement((target - mean) / sd, sd), kind="stable")]
        if all(self._options):
            return points
        found = [self._climbed(surface, start, target) for start in points[:_CLIMBS]]
        found.sort(key=lambda one: -one[0])
        return np.vstack([*(top for _, top in found), points])

    def _drawn(self, best: Array, chance: np.random.Generator) -> Array:
        """Return random points: some anywhere, some close to one of the *best*."""
        import numpy as np

        options = np.array(self._options)
        numeric, d = options == 0, len(options)
        far = chance.random((_FAR, d))
        centre = best[chance.integers(0, min(len(best), 5), _NEAR)]
        width = 10.0 ** chance.uniform(-3, -0.5, (_NEAR, 1))
        near = centre + width * chance.normal(size=(_NEAR, d))
        near = np.where(chance.random((_NEAR, d)) < max(1.5 / d, 0.3), near, centre)
        for column in np.flatnonzero(options):
            far[:, column] = np.floor(far[:, column] * options[column])
            other = chance.integers(0, options[column], _NEAR)
            changed = (chance.random(_NEAR) < 1 / max(2, d)) | (centre[:, column] < 0)
            near[:, column] = np.where(changed, other, centre[:, column])
        near[:, numeric] = np.clip(near, 0, 1)[:, numeric]
        return self._alive(np.vstack([near, far]))

    def _climbed(self, surface: Surface, start: Array, target: float) -> tuple[float, Array]:
        """Return the greatest improvement that can be reached from *start* without another choice, and where it is."""
        import numpy as np
        from scipy.optimize import minimize

        numeric = [k for k, options in enumerate(self._options) if not options]
        at = start.copy()

        def cost(x: Array) -> tuple[float, Array]:
            at[numeric] = x
            mean, sd, by_mean, by_sd = surface.slope(at)
            z = (target - mean) / sd
            up, spread = slopes(z)
            value = float(log_improvement(np.array([z]), np.array([sd]))[0])
            return -value, (up * by_mean - spread * by_sd)[numeric] / sd

        bounds = [(0.0, 1.0) if self._lives(start, k) else (start[k], start[k]) for k in numeric]
        options = {"maxiter": _STEPS}
        climbed = minimize(cost, start[numeric], jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        top = start.copy()
        top[numeric] = climbed.x
        return -float(climbed.fun), top

    def _lives(self, point: Array, column: int) -> bool:
        condition = self.space.axes[column].condition
        return condition is None or bool(point[condition.parent] == condition.option)

    def _new(self, points: Array, rng: Rng) -> Config:
        """Return the config of the first of *points* that is not next to one that was tried."""
        import numpy as np

        options, seen = np.array(self._options), self.seen
        tried = self._features(seen.rows([*(place.number for place in seen.ranked), *seen.bad, *seen.pending]))

        def apart() -> Iterator[Config]:
            for place, point in enumerate(points):
                units = np.where(options > 0, (point + 0.5) / np.maximum(options, 1), point)
                config = self.space.decode(units.tolist(), rng.split(place))
                row = self._features(np.array([self.space.encode(config)]))  # as it is, rounded
                if not (np.abs(tried - row).max(axis=1) < _TWIN).any():
                    yield config
            yield self.space.sample(rng)

        return seen.unlike(apart(), rng)


def warped(scores: Array) -> Array:
    """Return *scores* with mean 0 and deviation 1, on the scale on which they are most like a normal sample.

    The scale is ``log(score - best + shift)``, for the likeliest of some shifts, or as it is: scores that span orders
    of magnitude would otherwise be all alike but for the worst (Box, Cox: "An Analysis of Transformations", 1964,
    section 3).

    >>> import numpy as np
    >>> warped(np.array([4.0, 0.0, 3.0])).round(2).tolist()
    [0.98, -1.37, 0.39]
    """
    import numpy as np

    n, largest = len(scores), max(float(np.abs(scores).max()), 1e-300)
    above = scores / largest - scores.min() / largest
    if not above.max() > 0:
        return np.zeros(n)
    above /= above.max()
    shifts = np.maximum(np.quantile(above, [0.1, 0.2, 0.35, 0.5, 0.75, 1.0]), 1e-9)
    likely, chosen = -n * math.log(float(above.std())), above
    for shift in shifts:
        logs = np.log(above + shift)
        found = -n * math.log(max(float(logs.std()), 1e-300)) - float(logs.sum())
        if n > 3 and found > likely:  # noqa: PLR2004 (no shape is seen in three)
            likely, chosen = found, logs
    return scaled(chosen)


def scaled(values: Array) -> Array:
    """Return *values* with mean 0 and deviation 1; all 0 where they are alike.

    >>> import numpy as np
    >>> scaled(np.array([4.0, 2.0])).tolist(), scaled(np.ones(2)).tolist()
    ([1.0, -1.0], [0.0, 0.0])
    """
    import numpy as np

    values = values / max(float(np.abs(values).max()), 1e-300)  # or the squares of large ones would be infinite
    away = values - values.mean()
    deviation = float(away.std())
    return away / deviation if deviation > 1e-15 else np.zeros(len(away))  # noqa: PLR2004 (as good as nothing)


def log_improvement(z: Array, sd: Array) -> Array:
    """Return the logarithm of ``sd * (pdf(z) + z * cdf(z))``, without underflow: Ament et al., equation 9.

    >>> import numpy as np
    >>> log_improvement(np.array([0.0, -50.0]), np.ones(2)).round(2).tolist()
    [-0.92, -1258.74]
    """
    import numpy as np
    from scipy.special import erfcx, ndtr

    high = np.maximum(z, -1.0)
    near = np.log(np.exp(-0.5 * high * high) / math.sqrt(2 * math.pi) + high * ndtr(high))
    low = np.minimum(z, -1.0)
    rest = np.where(low > -_DEEP, 1 + low * math.sqrt(math.pi / 2) * erfcx(-low / math.sqrt(2)), 0)
    far = np.log(np.where(rest > 1 / _DEEP**3, rest, 1 / (low * low))) - 0.5 * low * low - 0.5 * math.log(2 * math.pi)
    found: Array = np.where(z > -1, near, far) + np.log(sd)
    return found


def slopes(z: float) -> tuple[float, float]:
    """Return ``cdf(z) / h(z)`` and ``pdf(z) / h(z)``, where ``h(z) = pdf(z) + z * cdf(z)``.

    >>> up, spread = slopes(0.0)
    >>> round(up, 3), round(spread, 3)
    (1.253, 1.0)
    """
    from scipy.special import erfcx

    if z < -_DEEP / 10:  # the leading terms of both are enough from there on
        return -z, z * z
    ratio = math.sqrt(math.pi / 2) * float(erfcx(-z / math.sqrt(2)))  # cdf / pdf
    return (ratio / (1 + z * ratio), 1 / (1 + z * ratio)) if z < 25 else (1 / z, 0.0)  # noqa: PLR2004 (the same)
