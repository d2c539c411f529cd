"""The Gaussian process against scikit-learn's, and the choice that it makes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel

from luthier.schedulers.bandit import (
    BOUNDS,
    Parameters,
    Surface,
    chosen,
    evidence,
    fitted,
    kernel,
    levelled,
    standardised,
)

P = Parameters(1.7, 0.4, 0.13, 0.05)


class OfTime(Kernel):  # type: ignore[misc]  # scikit-learn has no types
    """(1 - epsilon)**(|t - t'| / 2) of the first column, in scikit-learn's terms."""

    def __init__(self, epsilon: float = 0.1) -> None:
        self.epsilon = epsilon

    def __call__(self, these: Any, those: Any = None, eval_gradient: bool = False) -> Any:
        those = these if those is None else those
        return (1 - self.epsilon) ** (np.abs(these[:, :1] - those[:, 0]) / 2)

    def diag(self, these: Any) -> Any:
        return np.ones(len(these))

    def is_stationary(self) -> bool:
        return True


class OfRest(RBF):  # type: ignore[misc]  # as above
    """RBF of all columns but the first."""

    def __call__(self, these: Any, those: Any = None, eval_gradient: bool = False) -> Any:
        return super().__call__(these[:, 1:], None if those is None else those[:, 1:])

    def diag(self, these: Any) -> Any:
        return super().diag(these[:, 1:])


def theirs(p: Parameters) -> Any:
    return ConstantKernel(p.variance) * OfRest(p.lengthscale) * OfTime(p.epsilon)


def points(n: int, seed: int = 0, d: int = 3) -> tuple[Any, Any]:
    dice = np.random.default_rng(seed)
    X = np.hstack([dice.integers(0, 9, size=(n, 1)).astype(float), dice.uniform(size=(n, d))])
    return X, np.sin(4 * X[:, 1]) + 0.1 * dice.normal(size=n)


def test_the_kernel_is_that_of_the_paper():
    A, B = points(5)[0], points(4, 1)[0]
    for i, a in enumerate(A):
        for j, b in enumerate(B):
            squares = sum((x - y) ** 2 for x, y in zip(a[1:], b[1:], strict=True))
            wanted = 1.7 * math.exp(-squares / (2 * 0.4**2)) * (1 - 0.13) ** (abs(a[0] - b[0]) / 2)
            assert kernel(A, B, P)[i, j] == pytest.approx(wanted, rel=1e-12)
    assert np.allclose(kernel(A, B, P), theirs(P)(A, B), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 30])
def test_the_posterior_is_that_of_scikit_learn(n: int):
    X, y = points(n)
    at = points(12, 2)[0]
    model = GaussianProcessRegressor(theirs(P), alpha=P.noise, optimizer=None).fit(X, y)
    mean, sd = model.predict(at, return_std=True)
    ours, our_sd = Surface(X, y, P)(at)
    assert np.allclose(ours, mean, atol=1e-9) and np.allclose(our_sd, sd, atol=1e-7)
    assert evidence(X, y, P)[0] == pytest.approx(model.log_marginal_likelihood(), rel=1e-9)


def test_the_gradient_of_the_likelihood_is_one():
    X, y = points(25)
    logs = np.log(np.array(P))
    for i in range(4):
        step = np.zeros(4)
        step[i] = 1e-5
        more, less = (evidence(X, y, Parameters(*np.exp(logs + s).tolist()))[0] for s in (step, -step))
        assert evidence(X, y, P)[1][i] == pytest.approx((more - less) / 2e-5, rel=1e-4, abs=1e-6)


def test_parameters_are_found_again():
    dice = np.random.default_rng(3)
    X = np.hstack([np.repeat(np.arange(20.0), 8)[:, None], dice.uniform(size=(160, 1))])
    true = Parameters(1.0, 0.3, 0.1, 0.05)
    K = kernel(X, X, true) + true.noise * np.eye(len(X))
    found = fitted(X, np.linalg.cholesky(K) @ dice.normal(size=len(X)))
    assert found.lengthscale == pytest.approx(0.3, rel=0.4) and found.noise == pytest.approx(0.05, rel=0.5)
    assert 0.02 < found.epsilon < 0.3 and 0.3 < found.variance < 3


def test_parameters_stay_within_their_bounds():
    for X, y in [points(1), points(2), (np.zeros((6, 3)), np.arange(6.0)), (points(9)[0], np.zeros(9))]:
        for value, (low, high) in zip(fitted(X, y), BOUNDS, strict=True):
            assert low * (1 - 1e-9) <= value <= high * (1 + 1e-9)


def test_it_chooses_what_was_best():
    dice = np.random.default_rng(0)
    X = np.hstack([np.repeat(np.arange(10.0), 6)[:, None], np.full((60, 1), 0.5), dice.uniform(size=(60, 2))])
    y = -((X[:, 2] - 0.3) ** 2) - (X[:, 3] - 0.8) ** 2
    point, _ = chosen(X, y, np.empty((0, 4)), np.array([10.0, 0.5]), np.random.default_rng(1))
    assert point == pytest.approx([0.3, 0.8], abs=0.1)


def test_it_goes_with_the_time():
    rounds = np.repeat(np.arange(30.0), 8)
    x = np.random.default_rng(0).uniform(size=240)
    X = np.stack([rounds, np.full(240, 0.5), x], axis=1)
    y = -((x - rounds / 30) ** 2)
    point, _ = chosen(X, y, np.empty((0, 3)), np.array([30.0, 0.5]), np.random.default_rng(1))
    assert point[0] > 0.8


def test_it_keeps_away_from_what_is_being_tried():
    x = np.array([0.0, 0.15, 0.25, 0.5, 0.75, 0.85, 1.0])
    X = np.stack([np.zeros(7), np.full(7, 0.5), x], axis=1)
    y, context = np.array([-1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0]), np.array([1.0, 0.5])
    alone, bound = chosen(X, y, np.empty((0, 3)), context, np.random.default_rng(1))
    crowd = np.array([[1.0, 0.5, alone[0]]] * 5)
    other, lower = chosen(X, y, crowd, context, np.random.default_rng(1))
    assert abs(other[0] - alone[0]) > 0.4 and lower < bound  # the other of two hills


@pytest.mark.parametrize(
    "y", [[0.0, 0.0, 0.0], [-np.inf, 1.0, 2.0], [-np.inf] * 3, [1.0, 1.0, np.nan], [1e308, -1e308, 0]]
)
def test_it_bears_any_values(y: list[float]):
    X = points(3)[0]
    values = levelled(X[:, 0], np.array(y))
    point, bound = chosen(X, values, X[:2], np.array([9.0, 0.1]), np.random.default_rng(1))
    assert point.shape == (2,) and np.all((point >= 0) & (point <= 1)) and math.isfinite(bound)


def test_the_same_dice_give_the_same_choice():
    X, y = points(20)
    one, two = (chosen(X, y, X[:3], X[0, :2], np.random.default_rng(5)) for _ in range(2))
    assert one[0].tolist() == two[0].tolist() and one[1] == two[1]


def test_values_are_standardised_and_levelled():
    assert standardised(np.array([-100.0, *[1.0] * 50]))[0] == -2.0
    assert levelled(np.array([0.0, 0.0]), np.array([2.0, -np.inf])).tolist() == [1.0, -np.inf]
