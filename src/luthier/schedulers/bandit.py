"""A Gaussian process over time, and the choice of the point that promises most: the bandit of PB2.

Parker-Holder, Nguyen, Roberts: "Provably Efficient Online Hyperparameter Optimization with Population-Based Bandits",
NeurIPS 2020 (arXiv 2002.02518): the time-varying kernel of Bogunovic, Scarlett, Cevher: "Time-Varying Gaussian Process
Bandit Optimization", AISTATS 2016, and the upper confidence bound of a batch of Desautels, Krause, Burdick:
"Parallelizing Exploration-Exploitation Tradeoffs in Gaussian Process Bandit Optimization", JMLR 2014: points that are
being tried count as known where the variance is concerned, and are unknown where the mean is.

Rows are points: the first column is time (in rounds), the others lie about in [0, 1].
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.threads import one_thread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

C1, C2 = 0.2, 0.4  # beta = C1 + log(C2 * n): what the authors' experiments use
CLIP = 2.0  # of standardised values
MOST_FITTED = 200  # the latest points, by which the parameters are chosen: each look at them costs their number cubed
CANDIDATES, AROUND, TURNS = 512, 96, 4


class Parameters(NamedTuple):
    """Of the kernel, and of the noise.

    Attributes:
        variance: of the function.
        lengthscale: how far apart points are that say little about each other.
        epsilon: how much is forgotten per round, 0 to 1.
        noise: variance of the noise.
    """

    variance: float = 1.0
    lengthscale: float = 0.5
    epsilon: float = 0.05
    noise: float = 0.1


BOUNDS = ((0.05, 20.0), (0.05, 5.0), (1e-4, 0.5), (1e-4, 2.0))  # of the parameters, in their order
STARTS = (Parameters(), Parameters(1.0, 0.2, 0.01, 0.5), Parameters(1.0, 1.5, 0.2, 0.02))


def kernel(A: Array, B: Array, p: Parameters) -> Array:
    """Return the covariances of the rows of *A* (n, d) with those of *B* (m, d), shape (n, m), without noise.

    ``variance * exp(-|x - x'|**2 / (2 * lengthscale**2)) * (1 - epsilon)**(|t - t'| / 2)``.

    >>> import numpy as np
    >>> kernel(np.array([[0.0, 0.0]]), np.array([[2.0, 0.0]]), Parameters(epsilon=0.1)).tolist()
    [[0.9]]
    """
    squares, apart = _distances(A, B)
    return _covariance(squares, apart, p)


class Surface:
    """What is known of the function after the points *X* (n, d) had the values *y* (n,).

    Raises:
        numpy.linalg.LinAlgError: the covariances are not positive definite even with some more noise.

    >>> import numpy as np
    >>> mean, sd = Surface(np.array([[0.0, 0.5]]), np.array([1.0]), Parameters(noise=1.0))(np.array([[0.0, 0.5]]))
    >>> round(float(mean[0]), 4), round(float(sd[0]), 4)
    (0.5, 0.7071)
    """

    def __init__(self, X: Array, y: Array, p: Parameters) -> None:
        self.X, self.p = X, p
        self._factor = _cholesky(kernel(X, X, p), p.noise)
        self._weights = _solved(self._factor, y)

    def __call__(self, at: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation (of the function, without noise) at the rows of *at*: each (m,)."""
        import numpy as np
        from scipy.linalg import solve_triangular

        covariances = kernel(at, self.X, self.p)
        half = solve_triangular(self._factor, covariances.T, lower=True, check_finite=False)
        variance = self.p.variance - np.einsum("ij,ij->j", half, half)
        return covariances @ self._weights, np.sqrt(np.maximum(variance, 0.0))


def evidence(X: Array, y: Array, p: Parameters) -> tuple[float, Array]:
    """Return the log marginal likelihood, and its gradient by the logarithms of *p* (4,).

    Rasmussen, Williams: "Gaussian Processes for Machine Learning", 2006, equations 5.8 and 5.9.
    """
    return _evidence(*_distances(X, X), y, p)


def fitted(X: Array, y: Array) -> Parameters:
    """Return the parameters of the greatest likelihood within their bounds, of three searches from fixed starts.

    Of more than :data:`MOST_FITTED` points the last ones count.
    """
    import numpy as np
    from scipy.optimize import minimize

    squares, apart = _distances(X[-MOST_FITTED:], X[-MOST_FITTED:])
    y = y[-MOST_FITTED:]

    def cost(logs: Array) -> tuple[float, Array]:
        try:
            value, gradient = _evidence(squares, apart, y, Parameters(*np.exp(logs).tolist()))
        except np.linalg.LinAlgError:
            return 1e10, np.zeros(len(logs))
        return -value, -gradient

    bounds = np.log(np.array(BOUNDS))
    options = {"maxiter": 40}
    found = [minimize(cost, np.log(s), jac=True, method="L-BFGS-B", bounds=bounds, options=options) for s in STARTS]
    best = min(found, key=lambda result: float(result.fun))
    return Parameters(*np.exp(best.x).tolist())


@one_thread("numpy", "scipy.linalg")
def chosen(X: Array, y: Array, pending: Array, context: Array, dice: np.random.Generator) -> tuple[Array, float]:
    """Return the point of [0, 1]**k of the greatest upper confidence bound, and that bound.

    Args:
        X: what was tried, shape (n, c + k), n at least 1: c columns of context (time first), then k of choice.
        y: what came of it, shape (n,), greater is better; values that are not finite are as bad as values get.
        pending: what is being tried, shape (m, c + k).
        context: what cannot be chosen, shape (c,).
        dice: for the candidates.
    """
    import numpy as np

    c, k = len(context), X.shape[1] - len(context)
    y = standardised(y)
    p = fitted(X, y)
    surface = Surface(X, y, p)
    # The variance does not depend on the values: what is pending counts as if its value were known.
    known = Surface(np.vstack([X, pending]), np.concatenate([y, np.zeros(len(pending))]), p) if len(pending) else None
    reach = math.sqrt(C1 + max(0.0, math.log(C2 * len(X))))

    def promise(points: Array) -> Array:
        at = np.hstack([np.broadcast_to(context, (len(points), c)), points])
        mean, sd = surface(at)
        return mean + reach * (sd if known is None else known(at)[1])

    points = dice.uniform(size=(CANDIDATES, k))
    bounds = promise(points)
    for turn in range(TURNS):  # closer and closer around the best
        centres = points[np.argsort(-bounds, kind="stable")[:8]]
        near = centres[np.arange(AROUND) % len(centres)] + dice.normal(scale=0.15 * 0.4**turn, size=(AROUND, k))
        near = np.clip(near, 0.0, 1.0)
        points, bounds = np.vstack([centres, near]), np.concatenate([promise(centres), promise(near)])
    best = int(np.argmax(bounds))
    return points[best], float(bounds[best])


def levelled(rounds: Array, y: Array) -> Array:
    """Return *y* as multiples of their usual size around the same round; what is not finite stays so.

    Trainings bring less and less: without this, only the first rounds would tell good from bad.  The paper has none of
    it.

    >>> import numpy as np
    >>> levelled(np.array([0.0, 0.0, 99.0]), np.array([3.0, -1.0, 0.01])).tolist()
    [1.5, -0.5, 1.0]
    """
    import numpy as np

    near = np.exp(-0.5 * np.abs(rounds[:, None] - rounds[None, :]))
    finite = np.isfinite(y)
    usual = near @ np.where(finite, np.abs(np.where(finite, y, 0.0)), 0.0) / np.maximum(near @ finite, 1e-300)
    return np.where(finite, np.where(finite, y, 0.0) / np.maximum(usual, 1e-300), y)


def standardised(y: Array) -> Array:
    """Return *y* with mean 0 and deviation 1, within 2 of 0; what is not finite is -2.

    >>> import numpy as np
    >>> standardised(np.array([1.0, 3.0, -np.inf])).tolist()
    [-1.0, 1.0, -2.0]
    """
    import numpy as np

    finite = np.isfinite(y)
    if not finite.any():
        return np.full(len(y), -CLIP) if len(y) else y
    mean, sd = y[finite].mean(), y[finite].std()
    scaled = np.where(finite, (np.where(finite, y, mean) - mean) / (sd if sd > 0 else 1.0), -CLIP)
    return np.clip(scaled, -CLIP, CLIP)


def _distances(A: Array, B: Array) -> tuple[Array, Array]:
    import numpy as np

    squares = np.zeros((len(A), len(B)))
    for i in range(1, A.shape[1]):
        squares += (A[:, i, None] - B[None, :, i]) ** 2
    return squares, np.abs(A[:, 0, None] - B[None, :, 0])


def _covariance(squares: Array, apart: Array, p: Parameters) -> Array:
    import numpy as np

    return p.variance * np.exp(-squares / (2.0 * p.lengthscale**2) + apart * (0.5 * math.log1p(-p.epsilon)))


def _evidence(squares: Array, apart: Array, y: Array, p: Parameters) -> tuple[float, Array]:
    import numpy as np

    K = _covariance(squares, apart, p)
    factor = _cholesky(K, p.noise)
    inverse = _solved(factor, np.eye(len(y)))
    weights = inverse @ y
    value = -0.5 * y @ weights - np.log(np.diag(factor)).sum() - 0.5 * len(y) * math.log(2 * math.pi)
    outer = np.outer(weights, weights) - inverse  # eq. 5.9: half the trace of this times the derivative
    scaled = outer * K
    forgets = -0.5 * p.epsilon / (1.0 - p.epsilon)
    by = [
        scaled.sum(),
        (scaled * squares).sum() / p.lengthscale**2,
        forgets * (scaled * apart).sum(),
        p.noise * np.trace(outer),
    ]
    return float(value), 0.5 * np.array(by)


def _cholesky(K: Array, noise: float) -> Array:
    import numpy as np

    for jitter in (0.0, 1e-8, 1e-5, 1e-3):
        try:
            return np.asarray(np.linalg.cholesky(K + (noise + jitter) * np.eye(len(K))), dtype=np.float64)
        except np.linalg.LinAlgError:
            continue
    msg = "the covariances are not positive definite"
    raise np.linalg.LinAlgError(msg)


def _solved(factor: Array, right: Array) -> Any:
    from scipy.linalg import cho_solve

    return cho_solve((factor, True), right, check_finite=False)
