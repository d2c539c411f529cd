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
        rung: how far it came, where it was stopped early; None where it was let run to its end.
    """

    config: Config
    scores: tuple[Score, ...] | None
    rung: float | None = None
