"""``tune.run`` and Ray Tune's functions for search spaces, which write a sweep instead of running it."""

from __future__ import annotations

from luthier.sweeps.config.tune import schedulers, search, suggest
from luthier.sweeps.config.tune.running import run
from luthier.sweeps.config.tune.sample import (
    choice,
    grid_search,
    lograndint,
    loguniform,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    sample_from,
    uniform,
)

__all__ = [
    "choice",
    "grid_search",
    "lograndint",
    "loguniform",
    "qlograndint",
    "qloguniform",
    "qrandint",
    "qrandn",
    "quniform",
    "randint",
    "randn",
    "run",
    "sample_from",
    "schedulers",
    "search",
    "suggest",
    "uniform",
]
