"""A forest of regression trees over the parameters, and what it says about which of them matter.

Hutter, Hoos, Leyton-Brown: "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014, section 3
(functional ANOVA of a forest, Algorithm 2); Breiman: "Random Forests", Machine Learning 45, 2001, section 10
(importance by permutation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.errors import MissingLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from luthier.plots.column import Column

    Vector = npt.NDArray[np.float64]
    Matrix = npt.NDArray[np.float64]

TREES, MOST_TRIALS, ROUNDS = 64, 1500, 3
_SEED = 20140621


class Axis(msgspec.Struct, frozen=True):
    """A parameter among the features of a forest.

    Attributes:
        features: which features it is: one for a number, one for each option of a choice; then one for its absence,
            where some trials lack it.
        options: how many options there are; 0 for a number.
        absent: the share of trials that lack it.
    """

    features: tuple[int, ...]
    options: int
    absent: float


class Importance(msgspec.Struct, frozen=True):
    """What a forest says about parameters.

    Attributes:
        fanova: share of the variance of the forest's prediction, over the whole space, that each parameter explains by
            itself; what is missing to 1 are interactions.
        permutation: how much of R² on trials that it has not seen the forest loses where the parameter's values are
            shuffled; not below 0.
        r2: R² of the forest on trials that it has not seen; NaN where there are too few.
        trials: how many trials it was grown from.
    """

    fanova: list[float]
    permutation: list[float]
    r2: float
    trials: int


def importance(columns: Sequence[Column], values: Vector) -> Importance:
    """Return how much each of *columns* matters for *values*.

    Numbers are taken in the scale of their axis, from the smallest to the largest that was tried.  A conditional
    parameter's absence is one more value of it, as likely as it was among the trials.  Values far from all others are
    drawn in to three times the distance between the quartiles.  Of more than 1 500 trials, 1 500 by chance count; the
    chance is the same each time.

    Args:
        columns: the parameters; shape of each: (trials,).
        values: of the metric; shape (trials,), all finite.

    Raises:
        MissingLibrary: scikit-learn is not installed.

    >>> import numpy as np; from luthier.plots.column import column
    >>> x = np.random.default_rng(0).random((200, 2))
    >>> found = importance([column("a", x[:, 0]), column("b", x[:, 1])], 2 * x[:, 0])
    >>> found.fanova[0] > 0.95, found.fanova[1] < 0.05
    (True, True)
    """
    import numpy as np

    chance = np.random.default_rng(_SEED)
    some = np.arange(len(values))
    if len(some) > MOST_TRIALS:
        some = np.sort(chance.choice(some, MOST_TRIALS, replace=False))
    features, axes = encoded(columns, some)
    target = _drawn_in(values[some])
    whole = _grown(features, target)
    shares = [shares_of(tree.tree_, axes) for tree in whole.estimators_]
    known = [share for share in shares if share is not None]
    fanova = np.mean(known, axis=0) if known else np.zeros(len(axes))
    drops, r2 = _permuted(features, axes, target, chance)
    return Importance(fanova.tolist(), drops.tolist(), r2, len(some))


def encoded(columns: Sequence[Column], some: npt.NDArray[np.intp]) -> tuple[Matrix, list[Axis]]:
    """Return the features of *some* trials, shape (trials, features), and where each column is among them."""
    import numpy as np

    parts: list[Vector] = []
    axes = []
    for column in columns:
        places = column.places[some]
        gone = np.isnan(places)
        first = len(parts)
        options = len(column.options) if column.kind == "category" else 0
        if options:
            parts += [(places == option).astype(np.float64) for option in range(options)]
        else:
            parts.append(np.where(gone, 0.5, column.units[some]))
        if gone.any():
            parts.append(gone.astype(np.float64))
        axes.append(Axis(tuple(range(first, len(parts))), options, float(gone.mean())))
    return np.column_stack(parts), axes


def shares_of(tree: Any, axes: Sequence[Axis]) -> Vector | None:
    """Return the share of a tree's variance that each of *axes* explains alone; None for a tree without variance.

    A tree is a sum over its leaves, and a leaf is a box: for each axis a set of cells.  So the mean over any set of
    axes is a sum of products of sizes, and exact.

    Args:
        tree: ``tree_`` of a regressor of scikit-learn's.
        axes: the axes of the space that it was grown in.
    """
    import numpy as np

    low, high, leaf_values = _boxes(tree)
    insides, sizes = zip(*(_cells(tree, axis, low, high) for axis in axes), strict=True)
    covered = np.array([inside @ size for inside, size in zip(insides, sizes, strict=True)])  # (axes, leaves)
    weights = covered.prod(axis=0)
    mean = weights @ leaf_values
    variance = float(weights @ (leaf_values - mean) ** 2)
    if not variance > 1e-12 * max(1.0, float(mean) ** 2):
        return None
    shares = []
    for k in range(len(axes)):
        others = np.delete(covered, k, axis=0).prod(axis=0)
        marginal = (others * leaf_values) @ insides[k]  # the mean over all other axes, in each cell of this one
        shares.append(float(sizes[k] @ (marginal - mean) ** 2) / variance)
    return np.array(shares)


def _boxes(tree: Any) -> tuple[Matrix, Matrix, Vector]:
    """Return of each leaf the bounds (low < x <= high) in each feature, and its value."""
    import numpy as np

    count = tree.node_count
    low, high = np.full((count, tree.n_features), -np.inf), np.full((count, tree.n_features), np.inf)
    for node in range(count):  # children come after their parents
        left, right = tree.children_left[node], tree.children_right[node]
        if left < 0:
            continue
        feature, at = tree.feature[node], tree.threshold[node]
        low[left], high[left] = low[node], high[node]
        low[right], high[right] = low[node], high[node]
        high[left, feature], low[right, feature] = at, at
    leaves = tree.children_left < 0
    return low[leaves], high[leaves], tree.value[leaves].reshape(-1)


def _cells(tree: Any, axis: Axis, low: Matrix, high: Matrix) -> tuple[Matrix, Vector]:
    """Return which cells of *axis* each leaf covers, shape (leaves, cells), and how much of the axis each cell is."""
    import numpy as np

    width = len(axis.features)
    if axis.options:
        points = np.eye(axis.options, width)
        sizes = np.full(axis.options, (1.0 - axis.absent) / axis.options)
    else:
        cuts = tree.threshold[tree.feature == axis.features[0]]
        edges = np.unique(np.concatenate([[0.0], cuts[(cuts > 0) & (cuts < 1)], [1.0]]))
        points = np.zeros((len(edges) - 1, width))
        points[:, 0] = (edges[1:] + edges[:-1]) / 2
        sizes = np.diff(edges) * (1.0 - axis.absent)
    if axis.absent:
        gone = np.zeros((1, width))
        gone[0, -1] = 1.0
        if not axis.options:
            gone[0, 0] = 0.5
        points, sizes = np.concatenate([points, gone]), np.append(sizes, axis.absent)
    inside = np.ones((len(low), len(points)), dtype=bool)
    for place, feature in enumerate(axis.features):
        inside &= (low[:, feature, None] < points[None, :, place]) & (points[None, :, place] <= high[:, feature, None])
    return inside.astype(np.float64), sizes


def _grown(features: Matrix, target: Vector) -> Any:
    try:
        from sklearn.ensemble import RandomForestRegressor
    except ImportError as error:
        raise MissingLibrary("The importance of parameters", "scikit-learn", "plot") from error
    forest = RandomForestRegressor(
        TREES, min_samples_leaf=max(2, min(10, len(target) // 100)), random_state=_SEED % 2**31, n_jobs=1
    )
    return forest.fit(features, target)


def _permuted(
    features: Matrix, axes: Sequence[Axis], target: Vector, chance: np.random.Generator
) -> tuple[Vector, float]:
    """Return how much of R² each axis is worth, and R²: halves of the trials foretell each other."""
    import numpy as np

    order = chance.permutation(len(target))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    drops, scores = np.zeros(len(axes)), []
    total = float(np.var(target))
    if len(target) < 8 or total <= 0:
        return drops, float("nan")
    for seen, unseen in (halves, halves[::-1]):
        forest = _grown(features[seen], target[seen])
        error = float(np.mean((forest.predict(features[unseen]) - target[unseen]) ** 2))
        scores.append(1.0 - error / total)
        for k, axis in enumerate(axes):
            worse = 0.0
            for _ in range(ROUNDS):
                shuffled = features[unseen].copy()
                rows = chance.permutation(len(unseen))
                shuffled[:, list(axis.features)] = features[unseen][rows][:, list(axis.features)]
                worse += float(np.mean((forest.predict(shuffled) - target[unseen]) ** 2)) / ROUNDS
            drops[k] += (worse - error) / total / 2
    return np.maximum(drops, 0.0), float(np.mean(scores))


def _drawn_in(values: Vector) -> Vector:
    import numpy as np

    low, high = np.quantile(values, [0.25, 0.75])
    reach = 3 * (high - low)
    return np.clip(values, low - reach, high + reach) if reach > 0 else values
