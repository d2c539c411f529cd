"""What hooks are called upon when they call ``super()``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luthier.core.policy import Scheduler
    from luthier.core.terms import TrialId


class Part:
    """What a description stands for while its hooks are called: a policy, and the trials that it was told of."""

    def __init__(self, policy: Scheduler, number: int) -> None:
        self.policy, self.number = policy, number
        self.trials: dict[TrialId, None] = {}
