"""A given list of configs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.policy import ExperimentView, Nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.events import News
    from luthier.core.rng import Rng
    from luthier.core.terms import Config


class Fixed:
    """Proposes *configs* in their order, then nothing.

    >>> Fixed([{"x": 1}]).ask(1, rng=None)
    <Nothing.EXHAUSTED: 'there will never be another'>
    """

    def __init__(self, configs: Sequence[Config]) -> None:
        self.configs = tuple(configs)

    def ask(self, number: int, rng: Rng) -> Config | Nothing:
        """Return the *number*-th config."""
        return self.configs[number] if number < len(self.configs) else Nothing.EXHAUSTED

    def tell(self, news: News, experiment: ExperimentView) -> None:
        """Learn nothing."""
