"""Sweeps written in Python, in Ray Tune's words.

>>> from luthier.sweeps.config import tune
>>> from luthier.sweeps.config.hyperopt import hp
>>> from luthier.sweeps.config.tune.suggest.hyperopt import HyperOptSearch
>>> search = HyperOptSearch({"width": hp.uniform("width", 0, 20)}, metric="loss", mode="min")
>>> sweep = tune.run("train.py", search_alg=search, num_samples=10)
>>> sweep["program"], sweep["tune"]["num_samples"]
('train.py', 10)
"""

from __future__ import annotations

from luthier.sweeps.config.sweep_config import SweepConfig

__all__ = ["SweepConfig"]
