"""Functions with a minimum of 0: well-known ones, moved where it lies in the middle, and two with choices.

The well-known ones are as in Surjanovic, Bingham: "Virtual Library of Simulation Experiments", Simon Fraser University.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from luthier.core.space import Categorical, Float, Integer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.terms import Config

_HARTMANN_A = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
_HARTMANN_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)
_SHEKEL_C = (
    (4, 1, 8, 6, 3, 2, 5, 8, 6, 7),
    (4, 1, 8, 6, 7, 9, 3, 1, 2, 3.6),
    (4, 1, 8, 6, 3, 2, 5, 8, 6, 7),
    (4, 1, 8, 6, 7, 9, 3, 1, 2, 3.6),
)
_SHEKEL_B = (0.1, 0.2, 0.2, 0.4, 0.4, 0.6, 0.3, 0.7, 0.5, 0.5)


def box(d: int, low: float, high: float) -> dict[str, Float]:
    """Return *d* axes from *low* to *high*."""
    return {f"x{i}": Float(low, high) for i in range(d)}


def at(config: Config) -> list[float]:
    """Return the coordinates of a config of such a box."""
    return [float(config[f"x{i}"]) for i in range(len(config))]


def branin(c: Config) -> float:
    """Three minima; x0 in [-5, 10], x1 in [0, 15]."""
    x, y = c["x0"], c["x1"]
    bent = (y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6) ** 2
    return float(bent + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - 0.39788735772973816)


def hartmann6(c: Config) -> float:
    """Six minima in the unit cube."""
    x, total = at(c), 0.0
    for weight, a, p in zip((1.0, 1.2, 3.0, 3.2), _HARTMANN_A, _HARTMANN_P, strict=True):
        total += weight * math.exp(-sum(k * (u - v) ** 2 for k, u, v in zip(a, x, p, strict=True)))
    return 3.3223680115 - total


def ackley(c: Config) -> float:
    """Many minima in a funnel, in [-32.768, 32.768]; at -5.3 is the least."""
    x = [v + 5.3 for v in at(c)]
    d = len(x)
    far, wave = math.sqrt(sum(v * v for v in x) / d), sum(math.cos(2 * math.pi * v) for v in x) / d
    return -20 * math.exp(-0.2 * far) - math.exp(wave) + 20 + math.e


def rosenbrock(c: Config) -> float:
    """A narrow bent valley, in [-5, 10]."""
    x = at(c)
    return sum(100 * (v - u * u) ** 2 + (1 - u) ** 2 for u, v in pairwise(x))


def levy(c: Config) -> float:
    """Many minima, in [-10, 10]; at -0.7 is the least."""
    w = [1 + (v + 1.7 - 1) / 4 for v in at(c)]
    sums = sum((u - 1) ** 2 * (1 + 10 * math.sin(math.pi * u + 1) ** 2) for u in w[:-1])
    last = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return math.sin(math.pi * w[0]) ** 2 + sums + last


def shekel(c: Config) -> float:
    """Ten holes in a plane, in [0, 10]."""
    x, total = at(c), 0.0
    for j, least in enumerate(_SHEKEL_B):
        total += 1 / (least + sum((v - row[j]) ** 2 for v, row in zip(x, _SHEKEL_C, strict=True)))
    return 10.5364431535 - total


def dixon_price(c: Config) -> float:
    """A bent valley whose axes matter more and more, in [-10, 10]."""
    x = at(c)
    return (x[0] - 1) ** 2 + sum(i * (2 * v * v - u) ** 2 for i, (u, v) in enumerate(pairwise(x), 2))


MODELS: dict[str, Any] = {
    "share": Float(0.1, 1.0),
    "scaling": Categorical(["none", "standard", "robust"]),
    "model": Categorical(
        [
            {
                "kind": "net",
                "lr": Float(1e-5, 1.0, log=True),
                "width": Integer(8, 512, log=True),
                "layers": Integer(1, 6),
                "act": Categorical(["tanh", "relu", "gelu"]),
            },
            {"kind": "kernel", "C": Float(1e-3, 1e3, log=True), "gamma": Float(1e-5, 10.0, log=True)},
            {"kind": "forest", "depth": Integer(1, 30), "leaf": Integer(1, 64, log=True), "subset": Float(0.1, 1.0)},
        ]
    ),
}


def models(c: Config) -> float:
    """Three models that share two axes and have others of their own; the first one is the best, if it is tuned."""
    m, kind = c["model"], c["model"]["kind"]
    loss: float = 0.4 * (c["share"] - 0.85) ** 2
    if kind == "net":
        wide = math.log2(m["width"] / 91)
        loss += 0.06 * (math.log10(m["lr"]) + 2.6 + 0.15 * wide) ** 2 + 0.012 * wide**2
        loss += 0.03 * abs(m["layers"] - 3) + {"tanh": 0.06, "relu": 0.0, "gelu": 0.015}[m["act"]]
        return loss + {"none": 0.25, "standard": 0.0, "robust": 0.02}[c["scaling"]]
    if kind == "kernel":
        hard = math.log10(m["C"]) - 1.2
        loss += 0.12 + 0.02 * hard**2 + 0.03 * (math.log10(m["gamma"]) + 2.1 + 0.5 * hard) ** 2
        return loss + {"none": 0.2, "standard": 0.0, "robust": 0.01}[c["scaling"]]
    loss += 0.09 + 0.0006 * (m["depth"] - 17) ** 2 + 0.005 * math.log2(m["leaf"] / 3) ** 2
    loss += 0.1 * (m["subset"] - 0.4) ** 2
    return loss


TRAINING: dict[str, Any] = {
    "batch": Categorical([16, 32, 64, 128, 256]),
    "epochs": Integer(2, 40),
    "smoothing": Float(0.0, 0.5, q=0.05),
    "optimiser": Categorical(
        [
            {"name": "sgd", "lr": Float(1e-4, 10.0, log=True), "momentum": Float(0.0, 0.99)},
            {"name": "adam", "lr": Float(1e-6, 1.0, log=True), "decay": Float(1e-8, 1e-1, log=True)},
            "lbfgs",
        ]
    ),
    "schedule": Categorical(["constant", "cosine", {"name": "step", "every": Integer(1, 20), "by": Float(0.05, 0.95)}]),
}


def training(c: Config) -> float:
    """A training: the learning rate goes with the batch, the schedule with the epochs; two choices have conditions."""
    steps = math.log2(c["batch"] / 64)
    loss: float = 0.08 * math.sqrt(abs(c["smoothing"] - 0.1)) + 0.5 * (1 - c["epochs"] / 40) ** 2
    loss += {-2.0: 0.05, -1.0: 0.01, 0.0: 0.0, 1.0: 0.03, 2.0: 0.08}[steps]
    how = c["optimiser"]
    if how == "lbfgs":
        loss += 0.35
    elif how["name"] == "adam":
        loss += 0.05 + 0.05 * (math.log10(how["lr"]) + 2.8 - 0.15 * steps) ** 2
        loss += 0.01 * (math.log10(how["decay"]) + 4) ** 2
    else:
        fast = math.log10(how["lr"] / (1 - how["momentum"])) - 0.3 * steps
        loss += 0.08 * fast**2 + 0.15 * (how["momentum"] - 0.9) ** 2
    if c["schedule"] == "constant":
        return loss + 0.06
    if c["schedule"] == "cosine":
        return loss
    every, by = c["schedule"]["every"], c["schedule"]["by"]
    loss += 0.02 + 0.02 * math.log2(every / 8) ** 2 + 0.1 * (by - 0.3) ** 2
    return loss


def cube(sides: Sequence[tuple[float, float]]) -> dict[str, Float]:
    """Return an axis for each of *sides*."""
    return {f"x{i}": Float(*side) for i, side in enumerate(sides)}
