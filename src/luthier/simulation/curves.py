"""Learning curves from formulas: ``curve(config, step)`` is the metric after that many steps, counted from 1.

They are fast and deterministic, and they have the shapes that real ones have, so that a scheduler can be seen to work
before it is let loose on a real model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.terms import Config, Metrics

    Curve: TypeAlias = Callable[[Config, int], float | Metrics]


class Course(Protocol):
    """A curve with a memory: what a step brings depends on the steps before it, and on the configs they were made with.

    That is what population based training is about, where a trial goes on from another's checkpoint with a new config.
    """

    def advance(self, config: Config, step: int, state: Any) -> tuple[float | Metrics, Any]:
        """Return the metric after *step*, and the state; *state* is that after the step before, None at the start."""


def power_law(config: Config, step: int) -> float:
    """Return a loss that falls like a power of the step: ``floor + step**-0.5``.

    The floor is ``(log10(lr) + 2)**2 / 10 + (momentum - 0.9)**2``: lowest, 0, at ``lr = 0.01`` and ``momentum = 0.9``.

    >>> power_law({"lr": 0.01, "momentum": 0.9}, 4)
    0.5
    """
    floor = (math.log10(config["lr"]) + 2.0) ** 2 / 10.0 + (config.get("momentum", 0.9) - 0.9) ** 2
    return float(floor + step**-0.5)


def exponential(config: Config, step: int) -> float:
    """Return a loss that falls like ``floor + (1 - floor) * exp(-rate * step)``; axes ``floor`` and ``rate``.

    Curves of different rate cross: who is ahead early need not be best in the end.

    >>> exponential({"floor": 0.5, "rate": 0.0}, 10)
    1.0
    """
    floor = config["floor"]
    return float(floor + (1.0 - floor) * math.exp(-config["rate"] * step))


def diverging(config: Config, step: int) -> float:
    """Return :func:`power_law`, but NaN from step ``1 + 0.1 / lr`` on: too high a learning rate blows up, late.

    >>> diverging({"lr": 0.1, "momentum": 0.9}, 2)
    nan
    """
    return math.nan if step >= 1.0 + 0.1 / config["lr"] else power_law(config, step)


def branin(config: Config, step: int) -> float:
    """Return Branin's function of ``x`` in [-5, 10] and ``y`` in [0, 15] plus ``10 / step``; its minimum is 0.397887.

    Dixon and Szegö: "The Global Optimization Problem: An Introduction", 1978.

    >>> round(branin({"x": math.pi, "y": 2.275}, 10**9), 4)
    0.3979
    """
    x, y = config["x"], config["y"]
    ridge = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return float(ridge**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 + 10 / step)


CURVES: dict[str, Curve] = {f.__name__: f for f in (power_law, exponential, diverging, branin)}
