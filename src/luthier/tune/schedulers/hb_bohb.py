"""BOHB's HyperBand under Ray Tune's name and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.tune.schedulers.hyperband import HyperBandScheduler

if TYPE_CHECKING:
    from luthier.schedulers.hyperband import Hyperband


class HyperBandForBOHB(HyperBandScheduler):
    """HyperBand that begins with the bracket that halves most, and serves brackets one after another.

    Arguments are those of :class:`HyperBandScheduler`.

    Source: Falkner et al., "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018.

    >>> HyperBandForBOHB(metric="loss", mode="min").build(None).budgets
    (1, 3, 9, 27, 81)
    """

    def _policy(self) -> type[Hyperband]:
        from luthier.schedulers.hb_bohb import HyperbandForBohb

        return HyperbandForBohb
