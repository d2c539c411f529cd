"""Bayesian optimisation, at Ray Tune's older path."""

from __future__ import annotations

from luthier.tune.search.bayesopt import BayesOptSearch

__all__ = ["BayesOptSearch"]
