"""A Gaussian process over points of a unit cube: what is likely between the points that were tried.

The covariance is that of a function with main effects and interactions: a Matern 5/2 kernel over all axes, with a
length per axis (Rasmussen, Williams: "Gaussian Processes for Machine Learning", 2006, equation 4.17), beside the mean
of Matern kernels over one axis each (Duvenaud, Nickisch, Rasmussen: "Additive Gaussian Processes", NeurIPS 2011,
section 2), and a bowl: a kernel of polynomials of degree 2 (Rasmussen, Williams, section 4.2.2).  Any two options of a
choice are equally far apart.  The parameters are those of the greatest posterior density; lengths are expected to grow
with the root of the number of axes (Hvarfner, Hellsten, Nardi: "Vanilla Bayesian Optimization Performs Great in High
Dimensions", ICML 2024, section 5).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

_ROOT5 = math.sqrt(5.0)
_TURNS = 30  # of the search for parameters
_LENGTH, _EFFECT, _NOISE, _CURVE = (0.03, 100.0), (1e-4, 100.0), (1e-8, 1.0), (1e-6, 1e4)
_JITTER = 1e-9


class Surface:
    """A Gaussian process after the points *X* had the values *y*.

    Args:
        X: one row per point, in [0, 1]; choices as the number of their option.  Shape (n, d).
        y: values, with a mean about 0 and a deviation about 1, shape (n,).
        choices: which columns of *X* are choices, shape (d,).
        fitted: how many rows, from the first, choose the parameters.

    Attributes:
        logs: logarithms of the parameters: a length per axis, a length per main effect, the variance of the
            interactions, those of the main effects, of the noise, and of the bowl.  Shape (2 d + 4,).
        means: what is expected at the points *X*, without their noise.

    Raises:
        numpy.linalg.LinAlgError: the covariances are not positive definite.

    >>> import numpy as np
    >>> surface = Surface(np.array([[0.1], [0.5], [0.9]]), np.array([1.0, -1.0, 1.0]), np.array([False]))
    >>> mean, sd = surface(np.array([[0.5], [0.3]]))
    >>> bool(sd[0] < sd[1])
    True
    """

    def __init__(self, X: Array, y: Array, choices: Flags, fitted: int = 200) -> None:
        self.choices = choices
        self.logs = fit(X[:fitted], y[:fitted], choices)
        self._settle(X, y)

    def _settle(self, X: Array, y: Array) -> None:
        import numpy as np
        from scipy.linalg import cho_solve

        self.X, self.y = X, y
        d = X.shape[1]
        lengths = np.exp(-self.logs[: 2 * d])
        self._scales, self._sides = lengths[:d], lengths[d:]
        self._joint, self._main, noise, self._curve = np.exp(self.logs[2 * d :])
        self._around = around(X, self.choices)
        covariance = self._covariance(X)
        covariance[np.diag_indices(len(X))] += noise + _JITTER
        self._factor = np.linalg.cholesky(covariance)
        self._weights = cho_solve((self._factor, True), y, check_finite=False)
        self.means = y - noise * self._weights

    def believing(self, more: Array) -> Surface:
        """Return the surface if the points *more* had the values that are expected of them.

        Ginsbourger, Le Riche, Carraro: "Kriging Is Well-Suited to Parallelize Optimization", 2010, section 4.2.
        """
        import numpy as np

        other = object.__new__(Surface)
        other.choices, other.logs = self.choices, self.logs
        other._settle(np.vstack([self.X, more]), np.concatenate([self.y, self(more)[0]]))
        return other

    def _steps(self, at: Array) -> Array:
        """Return the differences of the rows of *at* from all points, (m, n, d); 1 for unlike options."""
        import numpy as np

        steps = at[:, None, :] - self.X[None, :, :]
        steps[:, :, self.choices] = steps[:, :, self.choices] != 0
        return np.asarray(steps)

    def _covariance(self, at: Array) -> Array:
        import numpy as np

        steps = self._steps(at)
        r = _ROOT5 * np.sqrt((steps * self._scales) ** 2 @ np.ones(steps.shape[2]))
        s = _ROOT5 * np.abs(steps) * self._sides
        near = (self._main / steps.shape[2]) * ((1 + s + s * s / 3) * np.exp(-s)).sum(axis=2)
        bent = self._curve * (around(at, self.choices) @ self._around.T) ** 2
        covariance: Array = self._joint * (1 + r + r * r / 3) * np.exp(-r) + near + bent
        return covariance

    def __call__(self, at: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation (of the function, without noise) at the rows of *at*: each (m,)."""
        import numpy as np
        from scipy.linalg import solve_triangular

        k = self._covariance(at)
        half = solve_triangular(self._factor, k.T, lower=True, check_finite=False)
        own = (around(at, self.choices) ** 2).sum(axis=1)
        variance = self._joint + self._main + self._curve * own * own - (half * half).sum(axis=0)
        return k @ self._weights, np.sqrt(np.maximum(variance, 1e-16))

    def slope(self, at: Array) -> tuple[float, float, Array, Array]:
        """Return mean and standard deviation at one point (d,), and the gradients of both, (d,); 0 for choices."""
        import numpy as np
        from scipy.linalg import lapack

        steps = self._steps(at[None])[0]
        d = steps.shape[1]
        r = _ROOT5 * np.sqrt(((steps * self._scales) ** 2).sum(axis=1))
        s = _ROOT5 * np.abs(steps) * self._sides
        e, f = np.exp(-r), np.exp(-s)
        k = self._joint * (1 + r + r * r / 3) * e + (self._main / d) * ((1 + s + s * s / 3) * f).sum(axis=1)
        moved = (self._joint * (1 + r) * e)[:, None] * (self._scales**2)
        moved = -(5 / 3) * steps * (moved + (self._main / d) * self._sides**2 * (1 + s) * f)
        moved[:, self.choices] = 0
        here = around(at[None], self.choices)[0]
        across = self._around @ here
        k += self._curve * across**2
        share = 2 / math.sqrt(1 + d)  # how fast a coordinate of the bowl grows with one of the cube
        moved += (2 * share * self._curve * across)[:, None] * self._around[:, 1:]
        turned, _ = lapack.dpotrs(self._factor, k, lower=1)
        own = float(here @ here)
        sd = math.sqrt(max(self._joint + self._main + self._curve * own * own - float(k @ turned), 1e-16))
        by_sd = (2 * share * self._curve * own * here[1:] - turned @ moved) / sd
        return float(k @ self._weights), sd, self._weights @ moved, by_sd


def around(X: Array, choices: Flags) -> Array:
    """Return the coordinates whose squared products are the bowl's covariances: 1 and the way from the middle.

    Scaled so that the variance at a corner is 1; choices are left out.

    >>> import numpy as np
    >>> (around(np.array([[1.0, 0.0, 2.0]]), np.array([False, False, True])) * 2).tolist()
    [[1.0, 1.0, -1.0, 0.0]]
    """
    import numpy as np

    n, d = X.shape
    found = np.ones((n, d + 1))
    found[:, 1:] = np.where(choices, 0.0, 2 * X - 1)
    return found / math.sqrt(1 + d)


def fit(X: Array, y: Array, choices: Flags) -> Array:
    """Return the logarithms of the parameters of the greatest posterior density: the best of two searches.

    They start where the prior is greatest, and where main effects are all there is: the result depends on *X* and *y*
    alone.
    """
    import numpy as np
    from scipy.optimize import minimize

    n, d = X.shape
    steps = X[:, None, :] - X[None, :, :]
    steps[:, :, choices] = steps[:, :, choices] != 0
    upper = np.triu_indices(n, 1)
    gaps = np.ascontiguousarray(np.abs(steps[upper]).T)  # (d, pairs): all of it is symmetric
    bowl = (around(X, choices) @ around(X, choices).T) ** 2
    middle = np.full(2 * d + 4, math.log(0.5) + 0.5 * math.log(d))
    middle[d:] = [*[math.log(0.4)] * d, -0.7, -0.7, -9.0, -1.0]
    width = np.array([*[1.2] * (2 * d), 1.5, 1.5, 3.0, 2.0])
    bounds = [*[_LENGTH] * (2 * d), _EFFECT, _EFFECT, _NOISE, _CURVE]

    def cost(logs: Array) -> tuple[float, Array]:
        off = (logs - middle) / width
        try:
            value, gradient = _evidence(gaps, bowl, upper, y, logs)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros(len(logs))
        return 0.5 * float(off @ off) - value, off / width - gradient

    apart = middle.copy()
    apart[2 * d :] = [-2.5, 0.0, -9.0, 1.0]
    found = [
        minimize(cost, s, jac=True, method="L-BFGS-B", bounds=np.log(bounds), options={"maxiter": _TURNS})
        for s in (middle, apart)
    ]
    best: Array = min(found, key=lambda result: float(result.fun)).x
    return best


def _evidence(
    gaps: Array, bowl: Array, upper: tuple[npt.NDArray[np.intp], ...], y: Array, logs: Array
) -> tuple[float, Array]:
    """Return the log marginal likelihood, and its gradient by *logs*: Rasmussen, Williams, equations 5.8 and 5.9."""
    import numpy as np
    from scipy.linalg import lapack

    d, n = len(gaps), len(y)
    joint, main, noise, curve = np.exp(logs[2 * d :])
    squares = gaps * gaps
    inverse = np.exp(-2 * logs[:d])
    r = _ROOT5 * np.sqrt(inverse @ squares)
    e = np.exp(-r)
    one = (1 + r + r * r / 3) * e
    s = gaps * (_ROOT5 * np.exp(-logs[d : 2 * d]))[:, None]
    f = np.exp(-s)
    f *= 1 + s
    each = f.sum(axis=0)
    bent = s * s
    g = np.exp(-s)
    each = (each + (bent * g).sum(axis=0) / 3) / d
    covariance = np.empty((n, n))
    covariance[upper] = joint * one + main * each
    covariance.T[upper] = covariance[upper]
    covariance[np.diag_indices(n)] = joint + main + noise + _JITTER
    covariance += curve * bowl
    factor, info = lapack.dpotrf(covariance, lower=1, clean=1, overwrite_a=1)
    if info:
        raise np.linalg.LinAlgError
    turned, _ = lapack.dpotri(factor, lower=1)
    turned = turned + turned.T
    turned[np.diag_indices(n)] *= 0.5
    weights = turned @ y
    value = -0.5 * float(y @ weights) - float(np.log(factor.diagonal()).sum())
    pull = np.outer(weights, weights) - turned
    pulls, own = pull[upper], float(np.trace(pull))  # each pair counts twice, and the half takes it back
    by_length = (squares @ (pulls * (joint * 5 / 3) * (1 + r) * e)) * inverse
    by_side = (bent * f) @ pulls * (main / (3 * d))
    by_joint = joint * (float(pulls @ one) + own / 2)
    by_main = main * (float(pulls @ each) + own / 2)
    by_curve = 0.5 * curve * float((pull * bowl).sum())
    return value, np.concatenate([by_length, by_side, [by_joint, by_main, 0.5 * noise * own, by_curve]])
