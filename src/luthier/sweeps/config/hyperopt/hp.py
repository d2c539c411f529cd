"""HyperOpt's twelve functions for search spaces, as a sweep's file says them.

Each has a label, by which HyperOpt knows it, and each label stands for one hyperparameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.sweeps.config.written import written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.sweeps.calls import Call

__all__ = [
    "choice",
    "lognormal",
    "loguniform",
    "normal",
    "pchoice",
    "qlognormal",
    "qloguniform",
    "qnormal",
    "quniform",
    "randint",
    "uniform",
    "uniformint",
]


def choice(label: str, options: Sequence[Any]) -> Call:
    """Choose one of *options*, which may be dicts with hyperparameters of their own.

    >>> choice("activation", ["relu", "tanh"])
    hyperopt.hp.choice('activation', ['relu', 'tanh'])
    """
    return written("hyperopt.hp.choice", label, options)


def pchoice(label: str, p_options: Sequence[tuple[float, Any]]) -> Call:
    """Choose one option of *p_options*, pairs of a probability and an option.

    >>> pchoice("kind", [(0.9, "adam"), (0.1, "sgd")])
    hyperopt.hp.pchoice('kind', [(0.9, 'adam'), (0.1, 'sgd')])
    """
    return written("hyperopt.hp.pchoice", label, p_options)


def randint(label: str, low: int, high: int | None = None) -> Call:
    """Choose a whole number from *low* up to, not including, *high*; with one number, from 0 up to that.

    >>> randint("seed", 100)
    hyperopt.hp.randint('seed', 100)
    """
    return written("hyperopt.hp.randint", label, *([low] if high is None else [low, high]))


def uniform(label: str, low: float, high: float) -> Call:
    """Choose a number from *low* to *high*.

    >>> uniform("width", 0, 20)
    hyperopt.hp.uniform('width', 0, 20)
    """
    return written("hyperopt.hp.uniform", label, low, high)


def uniformint(label: str, low: float, high: float) -> Call:
    """Choose a whole number from *low* to *high*, both included; the two ends are half as likely."""
    return written("hyperopt.hp.uniformint", label, low, high)


def quniform(label: str, low: float, high: float, q: float) -> Call:
    """Choose ``round(x / q) * q`` of a number *x* from *low* to *high*."""
    return written("hyperopt.hp.quniform", label, low, high, q)


def loguniform(label: str, low: float, high: float) -> Call:
    """Choose ``exp(x)`` of a number *x* from *low* to *high*, which are logarithms.

    >>> loguniform("lr", -9.2, -2.3)
    hyperopt.hp.loguniform('lr', -9.2, -2.3)
    """
    return written("hyperopt.hp.loguniform", label, low, high)


def qloguniform(label: str, low: float, high: float, q: float) -> Call:
    """Choose ``round(exp(x) / q) * q`` of a number *x* from *low* to *high*, which are logarithms."""
    return written("hyperopt.hp.qloguniform", label, low, high, q)


def normal(label: str, mu: float, sigma: float) -> Call:
    """Choose a normally distributed number."""
    return written("hyperopt.hp.normal", label, mu, sigma)


def qnormal(label: str, mu: float, sigma: float, q: float) -> Call:
    """Choose ``round(x / q) * q`` of a normally distributed number *x*."""
    return written("hyperopt.hp.qnormal", label, mu, sigma, q)


def lognormal(label: str, mu: float, sigma: float) -> Call:
    """Choose ``exp(x)`` of a normally distributed number *x*."""
    return written("hyperopt.hp.lognormal", label, mu, sigma)


def qlognormal(label: str, mu: float, sigma: float, q: float) -> Call:
    """Choose ``round(exp(x) / q) * q`` of a normally distributed number *x*."""
    return written("hyperopt.hp.qlognormal", label, mu, sigma, q)
