"""The Gaussian process: its slopes, and what it makes of values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from luthier.search.gaussian import Surface, _evidence, around
from luthier.search.gp import log_improvement, slopes, warped

CHOICES = np.array([False, False, True, False])


def sample(n=40, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.random((n, 4))
    X[:, 2] = rng.integers(0, 3, n)
    y = np.sin(4 * X[:, 0]) + X[:, 1] * X[:, 3] + 0.5 * (X[:, 2] == 1)
    return X, (y - y.mean()) / y.std()


def test_the_gradient_of_the_evidence_is_its_gradient():
    X, y = sample()
    steps = X[:, None] - X[None]
    steps[:, :, 2] = steps[:, :, 2] != 0
    upper = np.triu_indices(len(y), 1)
    gaps = np.abs(steps[upper]).T
    bowl = (around(X, CHOICES) @ around(X, CHOICES).T) ** 2
    logs = np.random.default_rng(1).normal(size=12) * 0.3
    logs[-2] = -4.0
    _, gradient = _evidence(gaps, bowl, upper, y, logs)
    for k in range(12):
        step = 1e-5 * np.eye(12)[k]
        slope = (
            _evidence(gaps, bowl, upper, y, logs + step)[0] - _evidence(gaps, bowl, upper, y, logs - step)[0]
        ) / 2e-5
        assert gradient[k] == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_the_evidence_is_that_of_the_normal_density():
    X, y = sample(8)
    surface = Surface(X, y, CHOICES)
    upper = np.triu_indices(8, 1)
    steps = X[:, None] - X[None]
    steps[:, :, 2] = steps[:, :, 2] != 0
    bowl = (around(X, CHOICES) @ around(X, CHOICES).T) ** 2
    value, _ = _evidence(np.abs(steps[upper]).T, bowl, upper, y, surface.logs)
    covariance = surface._factor @ surface._factor.T
    density = -0.5 * y @ np.linalg.solve(covariance, y) - 0.5 * np.linalg.slogdet(covariance)[1]
    assert value == pytest.approx(density, rel=1e-5)


def test_it_predicts_what_it_did_not_see():
    X, y = sample(60)
    surface = Surface(X[:50], y[:50], CHOICES)
    mean, sd = surface(X[50:])
    assert np.sqrt(np.mean((mean - y[50:]) ** 2)) < 0.1
    assert (np.abs(mean - y[50:]) < 5 * sd + 0.01).all()
    assert np.allclose(surface.means, surface(X[:50])[0], atol=1e-6)


def test_slopes_of_mean_and_deviation():
    X, y = sample()
    surface = Surface(X, y, CHOICES)
    at = np.array([0.31, 0.62, 1.0, 0.17])
    mean, sd, by_mean, by_sd = surface.slope(at)
    assert (mean, sd) == pytest.approx([float(one[0]) for one in surface(at[None])])
    for k in (0, 1, 3):
        step = 1e-4 * np.eye(4)[k]
        (above, wide), (below, narrow) = surface((at + step)[None]), surface((at - step)[None])
        assert by_mean[k] == pytest.approx((above - below)[0] / 2e-4, rel=1e-3, abs=1e-4)
        assert by_sd[k] == pytest.approx((wide - narrow)[0] / 2e-4, rel=1e-3, abs=1e-4)
    assert by_mean[2] == by_sd[2] == 0


def test_what_is_believed_is_known_and_changes_no_expectation():
    X, y = sample()
    surface = Surface(X, y, CHOICES)
    at = np.array([[0.9, 0.9, 2.0, 0.95]])
    believing = surface.believing(at)
    assert believing(at)[1] < 0.2 * surface(at)[1]
    assert believing(X[:5] + 0.01 * ~CHOICES)[0] == pytest.approx(surface(X[:5] + 0.01 * ~CHOICES)[0], abs=1e-3)


@pytest.mark.parametrize("z", [-3.0, -1.0, -0.999, 0.0, 0.7, 4.0])
def test_improvement_is_the_expected_one(z):
    expected, _ = quad(lambda t: (z - t) * norm.pdf(t), -np.inf, z)
    assert log_improvement(np.array([z]), np.array([2.0]))[0] == pytest.approx(math.log(2 * expected), abs=1e-6)


def test_improvement_goes_down_smoothly_where_there_is_none():
    z = -np.logspace(-1, 8, 400)
    values = log_improvement(z, np.ones(400))
    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("z", [-500.0, -26.0, -24.0, -3.0, 0.0, 2.0, 24.0])
def test_slopes_of_improvement(z):
    up, spread = slopes(z)
    step = 1e-5 * max(1.0, abs(z))
    above, below = log_improvement(np.array([z + step, z - step]), np.ones(2))
    assert up == pytest.approx((above - below) / (2 * step), rel=2e-3)
    assert spread == pytest.approx(1 - z * up, rel=2e-2, abs=1e-6)  # of the logarithm, by that of the deviation


def test_warping_keeps_order_and_tells_apart_what_spans_magnitudes():
    scores = 10.0 ** np.linspace(-2, 6, 50)
    values = warped(scores)
    assert (np.diff(values) > 0).all()
    assert values[25] - values[0] > 0.5
    linear = (scores - scores.mean()) / scores.std()
    assert linear[25] - linear[0] < 0.01


@pytest.mark.parametrize("scores", [[1.0, 1.0], [0.0, 1e308], [-1e308, 1e308, 0.0], [5e-324, 0.0], [3.0]])
def test_warping_survives_the_ends_of_the_numbers(scores):
    values = warped(np.array(scores))
    assert np.isfinite(values).all()
