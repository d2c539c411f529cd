"""The search algorithms of Luthier, for sweeps, at Ray Tune's older place."""

from __future__ import annotations

from luthier.sweeps.config.policy_class import publish
from luthier.sweeps.policies import SEARCHERS

__all__ = publish(__name__, SEARCHERS)  # noqa: PLE0605 (a list; see there)
