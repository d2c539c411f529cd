"""A density over the unit cube of a space: one kernel per observation, beside the prior.

A kernel is a product over the axes: a truncated Gaussian on a numeric axis, a mass function on a choice.  Where an
axis is not alive in a kernel it is the prior of that axis (uniform, in the unit cube), and an axis that is not alive in
a point takes no part: so the densities of points with different axes stay comparable under the same choices.

Bergstra, Bardenet, Bengio, Kegl: "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011, section 4; Falkner,
Klein, Hutter: "BOHB", ICML 2018, section 3 (multivariate kernels); Watanabe: "Tree-Structured Parzen Estimator", 2023
(arXiv 2304.11127), section 3 (bandwidths, weights).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from luthier.core.space import Axis

    Matrix = npt.NDArray[np.float64]
    Vector = npt.NDArray[np.float64]

_ROOT_2PI = 2.5066282746310002
_WIDEST, _FINEST = 0.5, 0.01  # bandwidths, in units of an axis


class Shape(NamedTuple):
    """The axes of a space, as arrays want them.

    Attributes:
        numeric: which columns are numbers.
        choices: which columns are choices, and how many options each has.
        conditions: (column, column of the parent, option of the parent) of each axis that is not always alive.
        cells: half the width of one value on each numeric axis; 0 where values are dense.
    """

    numeric: tuple[int, ...]
    choices: tuple[tuple[int, int], ...]
    conditions: tuple[tuple[int, int, int], ...]
    cells: tuple[float, ...]


def shape_of(axes: Sequence[Axis]) -> Shape:
    """Return the shape of a space with those *axes*."""
    from luthier.core.space import Categorical, Float, Integer

    numeric, choices, conditions, cells = [], [], [], []
    for axis in axes:
        domain = axis.domain
        if isinstance(domain, Categorical):
            choices.append((axis.number, len(domain.options)))
        else:
            numeric.append(axis.number)
            cell = 0.0
            if isinstance(domain, Integer) and not domain.log:
                cell = 0.5 / domain.count
            elif isinstance(domain, Float) and domain.q and not domain.log:
                cell = 0.5 * domain.q / (domain.upper - domain.lower)
            cells.append(min(cell, _WIDEST))
        if axis.condition is not None:
            conditions.append((axis.number, axis.condition.parent, axis.condition.option))
    return Shape(tuple(numeric), tuple(choices), tuple(conditions), tuple(cells))


def option_of(column: Matrix, options: int) -> npt.NDArray[np.intp]:
    """Return which option each number of a unit *column* stands for; 0 where it is not alive."""
    import numpy as np

    alive = np.where(column == column, column, 0.0)  # noqa: PLR0124 (what is not alive is NaN; a third of the time)
    chosen: npt.NDArray[np.intp] = np.minimum(alive * options, options - 1).astype(np.intp)
    return chosen


def spread(rows: Matrix, least: Vector) -> Matrix:
    """Return one bandwidth per axis, by Scott's rule on the lesser of deviation and interquartile range."""
    import numpy as np

    n, d = rows.shape
    ordered = np.sort(rows, axis=0)  # NaN last
    lives = ~np.isnan(ordered)
    known = np.maximum(lives.sum(axis=0), 1)
    values = np.where(lives, ordered, 0.0)
    away = np.where(lives, values - values.sum(axis=0) / known, 0.0)
    deviation = np.sqrt((away * away).sum(axis=0) / np.maximum(known - 1, 1))
    across = (_quantile(values, known, 0.75) - _quantile(values, known, 0.25)) / 1.34
    width = 1.059 * np.where(across > 0, np.minimum(deviation, across), deviation) * known ** (-1 / (d + 4))
    width = np.where(known > 1, np.clip(width, least, _WIDEST), _WIDEST)
    return np.broadcast_to(width, (n, d))


def _quantile(ordered: Matrix, known: npt.NDArray[np.intp], share: float) -> Vector:
    """Return a quantile of each column, of which the first *known* values count, with linear interpolation."""
    import numpy as np

    at = (known - 1) * share
    low = at.astype(np.intp)
    column = np.arange(len(known))
    below, above = ordered[low, column], ordered[np.minimum(low + 1, known - 1), column]
    quantile: Vector = below + (above - below) * (at - low)
    return quantile


def gaps(rows: Matrix, least: Vector) -> Matrix:
    """Return one bandwidth per observation and axis: how far the farther of its two neighbours is."""
    import numpy as np

    n, d = rows.shape
    order = np.argsort(rows, axis=0)  # NaN last
    column = np.arange(d)
    around = np.empty((n + 2, d))
    around[0], around[-1] = 0.0, 1.0
    around[1:-1] = rows[order, column]
    np.copyto(around, 1.0, where=np.isnan(around))
    apart = np.diff(around, axis=0)
    width = np.empty((n, d))
    width[order, column] = np.maximum(apart[:-1], apart[1:])
    return np.clip(width, np.maximum(least, 1 / min(100, 2 * n + 2)), 1.0)


class Parzen:
    """A mixture of kernels around *rows*, and of the prior.

    Args:
        shape: what the columns of *rows* mean.
        rows: one observation each, in the unit cube; NaN where an axis is not alive.
        weights: one per row, and last the prior's; of any sum.
        own_width: whether each observation has bandwidths of its own (by its neighbours), or all share one per axis.
        least: the least bandwidth, in units of an axis.
    """

    def __init__(self, shape: Shape, rows: Matrix, weights: Vector, *, own_width: bool, least: float = _FINEST) -> None:
        import numpy as np

        self.shape, self.rows, self.weights = shape, rows, weights / weights.sum()
        numbers = rows[:, shape.numeric]
        floor = np.maximum(least, shape.cells) if shape.numeric else np.empty(0)
        self._alive = ~np.isnan(numbers)
        self._means = np.where(self._alive, numbers, 0.5)
        self._widths = (gaps if own_width else spread)(numbers, floor) if shape.numeric else numbers
        self._options = [
            np.where(np.isnan(rows[:, column]), options, option_of(rows[:, column], options))
            for column, options in shape.choices
        ]  # the last: not alive
        self._smooth = 1 / (len(rows) + 1)  # of the prior in each mass function, beside the 1 of the observation

    def widened(self, factor: float) -> Parzen:
        """Return one whose kernels are *factor* times as wide; to draw from."""
        from copy import copy

        wide = copy(self)
        wide._widths, wide._smooth = self._widths * factor, min(self._smooth * factor, 1.0)  # noqa: SLF001
        return wide

    def sample(self, count: int, rng: np.random.Generator, mixing: float = 0.0) -> Matrix:
        """Return *count* points; axes that are not alive in them are NaN.

        Args:
            count: how many.
            rng: chance.
            mixing: share of the points whose axes come each from a kernel of its own.
        """
        import numpy as np
        from scipy.special import ndtr, ndtri

        shape, n = self.shape, len(self.rows)
        d = len(shape.numeric) + len(shape.choices)
        edges = np.cumsum(self.weights)
        kernel = np.repeat(np.searchsorted(edges, rng.random((count, 1))), d, axis=1)
        if mixing:
            mixed = rng.random((count, 1)) < mixing
            kernel = np.where(mixed, np.searchsorted(edges, rng.random((count, d))), kernel)
        kernel = np.minimum(kernel, n)  # the weights' sum may fall short of 1 by rounding
        u = rng.random((count, d))
        points = np.empty((count, self.rows.shape[1]))
        if shape.numeric:
            m = len(shape.numeric)
            of, column = np.minimum(kernel[:, :m], n - 1), np.arange(m)
            mean, width = self._means[of, column], self._widths[of, column]
            low, high = ndtr(-mean / width), ndtr((1 - mean) / width)
            drawn = mean + width * ndtri(low + (high - low) * u[:, :m])
            from_prior = (kernel[:, :m] == n) | ~self._alive[of, column]
            points[:, shape.numeric] = np.clip(np.where(from_prior, u[:, :m], drawn), 0, 1)
        for k, (column_, options) in enumerate(shape.choices, len(shape.numeric)):
            of = np.minimum(kernel[:, k], n - 1)
            known = self.rows[of, column_]
            own = 1 / (1 + options * self._smooth)  # the share that is not the prior's
            v = u[:, k]
            anew = (kernel[:, k] == n) | np.isnan(known) | (v >= own)
            again = np.where((kernel[:, k] == n) | np.isnan(known), v, (v - own) / (1 - own))
            points[:, column_] = np.where(anew, (option_of(again, options) + 0.5) / options, known)
        for column_, parent, option in shape.conditions:  # parents come first
            above = points[:, parent]
            size = next(options for c, options in shape.choices if c == parent)
            points[np.isnan(above) | (option_of(above, size) != option), column_] = np.nan
        return points

    def log_density(self, points: Matrix) -> Vector:
        """Return the logarithm of the density at each of *points*, up to what does not depend on the kernels."""
        import numpy as np

        n, shape = len(self.rows), self.shape
        terms = np.zeros((len(points), n + 1))
        if shape.numeric:
            self._add_numbers(terms, points[:, shape.numeric])
        for k, (column, options) in enumerate(shape.choices):
            self._add_choice(terms, points[:, column], self._options[k], options)
        with np.errstate(divide="ignore"):
            terms += np.log(self.weights)
        most = terms.max(axis=1, keepdims=True)
        terms -= most
        np.exp(terms, out=terms)
        density: Vector = np.log(terms.sum(axis=1)) + most[:, 0]
        return density

    def _add_numbers(self, terms: Matrix, points: Matrix) -> None:
        import numpy as np
        from scipy.special import ndtr

        mean, width = self._means, self._widths
        inverse = np.where(self._alive, 1 / (width * width), 0.0)
        inside = np.log((ndtr((1 - mean) / width) - ndtr(-mean / width)) * (width * _ROOT_2PI))
        lives = ~np.isnan(points)
        x = np.where(lives, points, 0.0)
        there = lives.astype(np.float64)
        pull = mean * inverse
        offset = np.where(self._alive, 0.5 * mean * pull + inside, 0.0)
        terms[:, :-1] += x @ pull.T - (0.5 * x * x) @ inverse.T - there @ offset.T

    def _add_choice(self, terms: Matrix, points: Vector, of: npt.NDArray[np.intp], options: int) -> None:
        import numpy as np

        whole = 1 + options * self._smooth
        table = np.full((options + 1, options + 1), np.log(self._smooth / whole))  # the last: not alive
        table[np.arange(options), np.arange(options)] = np.log((1 + self._smooth) / whole)
        table[:options, options] = -np.log(options)
        table[options] = 0.0
        at = np.where(np.isnan(points), options, option_of(points, options))
        terms[:, :-1] += table[:, of][at]  # few rows are gathered, then repeated: much quicker than all at once
        terms[:, -1] += table[at, options]
