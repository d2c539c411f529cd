"""Luthier: hyperparameter tuning with Ray Tune's interface, on an event-sourced core.

Nothing is imported here, so that ``import luthier`` costs nothing; start from :mod:`luthier.tune`.
"""

from __future__ import annotations

__version__ = "0.1.0"
