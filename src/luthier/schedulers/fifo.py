"""First in, first out; nothing is ever stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.events import Stalled
from luthier.core.policy import Resume
from luthier.core.terms import Status

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from luthier.core.events import News
    from luthier.core.policy import Decision, ExperimentView
    from luthier.core.rng import Rng
    from luthier.core.terms import TrialId

LEFT_BEHIND = "was paused by another scheduler; nothing else is left to run"  # why such a trial goes on


class Fifo:
    """Lets every trial run to its end, in the order in which they were proposed.

    >>> Fifo().pick(["t_00000", "t_00001"], experiment=None)
    't_00000'
    """

    def decide(self, news: News, experiment: ExperimentView, rng: Rng) -> Sequence[Decision]:
        """Return nothing: all carry on; and whoever was paused by somebody else does, when nothing else can run."""
        return left_behind(experiment) if isinstance(news, Stalled) else ()

    def pick(self, waiting: Iterable[TrialId], experiment: ExperimentView) -> TrialId | None:
        """Return the first that waits."""
        return next(iter(waiting), None)


def left_behind(experiment: ExperimentView, known: Container[TrialId] = ()) -> list[Decision]:
    """Let the paused trials go on that are not *known*: the scheduler that they wait for is gone.

    An experiment that goes on with another scheduler has them.  One who pauses trials passes its own as *known*.
    """
    return [Resume(trial, LEFT_BEHIND) for trial in experiment.having(Status.PAUSED) if trial not in known]
