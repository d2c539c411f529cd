from __future__ import annotations

import itertools
import math
import sys

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from luthier.core.errors import MissingLibrary
from luthier.plots.column import column
from luthier.plots.forest import encoded, importance, shares_of

RNG = np.random.default_rng(3)


def test_shares_of_a_sum_are_those_of_its_variances():
    x = RNG.random((600, 3))
    found = importance([column(name, x[:, k]) for k, name in enumerate("abc")], x[:, 0] + 2 * x[:, 1])
    assert found.fanova == pytest.approx([0.2, 0.8, 0.0], abs=0.05)  # variances of x and 2x: one to four
    assert found.permutation[1] > 2 * found.permutation[0] > 0.1 and found.permutation[2] < 0.01
    assert found.r2 > 0.9 and found.trials == 600


def test_interactions_are_nobodys_own():
    x = RNG.random((800, 2))
    found = importance([column("a", x[:, 0]), column("b", x[:, 1])], np.sign((x[:, 0] - 0.5) * (x[:, 1] - 0.5)))
    assert sum(found.fanova) < 0.2 and min(found.permutation) > 0.5


def brute(tree, axes, grids, sizes):
    """Return the shares by visiting every cell of the space."""
    cells = list(itertools.product(*(range(len(grid)) for grid in grids)))
    points = np.array([np.concatenate([grids[k][c] for k, c in enumerate(cell)]) for cell in cells])
    weights = np.array([math.prod(sizes[k][c] for k, c in enumerate(cell)) for cell in cells])
    values = tree.predict(points)
    mean = weights @ values
    variance = weights @ (values - mean) ** 2
    shares = []
    for k in range(len(axes)):
        own = np.array([cell[k] for cell in cells])
        marginal = [(weights[own == c] @ values[own == c]) / weights[own == c].sum() for c in range(len(grids[k]))]
        shares.append(sum(sizes[k][c] * (m - mean) ** 2 for c, m in enumerate(marginal)) / variance)
    return shares


def test_shares_are_exact_with_choices_and_conditions():
    n = 200
    number = RNG.random(n)
    choice = RNG.choice(["a", "b", "c"], n).tolist()
    some = [float(v) if c == "a" else math.nan for v, c in zip(RNG.random(n), choice, strict=True)]
    columns = [column("number", number), column("choice", choice), column("some", some)]
    features, axes = encoded(columns, np.arange(n))
    assert features.shape == (n, 1 + 3 + 2) and [axis.options for axis in axes] == [0, 3, 0]
    target = number + np.array([{"a": 0.0, "b": 1.0, "c": 3.0}[c] for c in choice]) + np.nan_to_num(np.array(some)) * 2
    tree = DecisionTreeRegressor(max_leaf_nodes=12, random_state=0).fit(features, target)
    cuts = [np.unique(np.r_[0, tree.tree_.threshold[tree.tree_.feature == f], 1]) for f in (0, 4)]
    middles = [(cut[1:] + cut[:-1]) / 2 for cut in cuts]
    gone = axes[2].absent
    grids = [
        middles[0][:, None],
        np.eye(3),
        np.array([*([m, 0.0] for m in middles[1]), [0.5, 1.0]]),
    ]
    sizes = [np.diff(cuts[0]), np.full(3, 1 / 3), np.array([*(np.diff(cuts[1]) * (1 - gone)), gone])]
    # Options and places are laid out as features are: tests see the very space that the shares are of.
    found = shares_of(tree.tree_, axes)
    assert found is not None and found.tolist() == pytest.approx(brute(tree, axes, grids, sizes), abs=1e-6)


def test_one_value_far_off_does_not_decide():
    x = RNG.random((300, 2))
    values = x[:, 0].copy()
    values[7] = 1e9
    found = importance([column("a", x[:, 0]), column("b", x[:, 1])], values)
    assert found.fanova[0] > 0.8


def test_many_trials_are_sampled_and_the_same_each_time():
    x = RNG.random((1700, 2))
    columns = [column("a", x[:, 0]), column("b", x[:, 1])]
    first, second = (importance(columns, x[:, 0]) for _ in range(2))
    assert first.trials == 1500 and first == second


def test_noise_is_told_apart():
    x, noise = RNG.random((200, 2)), RNG.random(200)
    found = importance([column("a", x[:, 0]), column("b", x[:, 1])], noise)
    assert found.r2 < 0.1 and max(found.permutation) < 0.2


def test_too_few_to_test():
    found = importance([column("a", [0.0, 1.0, 2.0, 3.0])], np.array([0.0, 1.0, 2.0, 3.0]))
    assert math.isnan(found.r2) and found.permutation == [0.0]


def test_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(
        MissingLibrary, match=r"importance of parameters needs scikit-learn: pip install 'luthier\[plot"
    ):
        importance([column("a", [0.0, 1.0])], np.array([0.0, 1.0]))
