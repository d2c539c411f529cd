"""Configs whose scores are known before an experiment begins."""

from __future__ import annotations

from typing import NamedTuple

from luthier.core.goal import Score
from luthier.core.terms import Config


class Known(NamedTuple):
    """One config that was evaluated elsewhere.

    Attributes:
        config: a config of the space.
        scores: lower is better, one for each goal; None where it failed.
    """

    config: Config
    scores: tuple[Score, ...] | None
