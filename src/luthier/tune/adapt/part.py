"""What a scheduler's description stands for while its hooks are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.policy import Exploit, Pause, Resize, Stop
from luthier.schedulers.deferred import Promise, makings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.events import News
    from luthier.core.policy import ExperimentView, Scheduler
    from luthier.core.rng import Rng
    from luthier.core.terms import TrialId
    from luthier.schedulers.deferred import Making

CONTINUE, PAUSE, STOP, NOOP = "CONTINUE", "PAUSE", "STOP", "NOOP"


class Part:
    """A policy, and the trials that it was told of.

    Attributes:
        number: 0 for the scheduler that is run, which has the chance of the news; others have some of their own.
    """

    def __init__(self, policy: Scheduler, number: int) -> None:
        self.policy, self.number = policy, number
        self.trials: dict[TrialId, None] = {}

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Making]:
        """Return what the policy decides; what is still to be made stays so."""
        return makings(self.policy.decide(news, experiment, rng.split(self.number) if self.number else rng))


def spoken(mine: Sequence[Making]) -> str:
    """Return the word with which a hook gives the answer *mine*, which is about the trial in the news.

    >>> spoken([])
    'CONTINUE'
    """
    if any(isinstance(making, Stop) for making in mine):
        return STOP
    if any(isinstance(making, Pause) for making in mine):
        return PAUSE
    return NOOP if any(isinstance(making, Exploit | Promise | Resize) for making in mine) else CONTINUE
