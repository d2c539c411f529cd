"""The schedulers of Luthier, for sweeps: a class for each of :mod:`luthier.tune.schedulers`, at the same place."""

from __future__ import annotations

from luthier.sweeps.config.policy_class import publish
from luthier.sweeps.policies import SCHEDULERS

__all__ = publish(__name__, SCHEDULERS)  # noqa: PLE0605 (a list; see there)
