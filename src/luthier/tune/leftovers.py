"""What those who died left behind: checkpoints that nobody knows of, and those that are gone."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from luthier.checkpoints.local import path_of, successor, tidy
from luthier.core.events import Exited
from luthier.core.terms import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luthier.core.state import ExperimentState, TrialState
    from luthier.core.terms import Ref

log = logging.getLogger("luthier")


def newer_where_gone(ref: Ref, directory: str) -> Ref | None:
    """Return the trial's newest checkpoint after *ref* where *ref* is gone; None where it is there, or none is newer.

    A log that has lost its end may name a checkpoint that was deleted since, for there was a newer one.
    """
    if os.path.isdir(path_of(ref, directory)):
        return None
    newer = successor(ref, directory)
    if newer is not None:
        log.warning("checkpoint %s is gone; its trial goes on from %s, which is newer", ref, newer)
    return newer


def exits_with_newer(experiment: ExperimentState, directory: str) -> list[Exited]:
    """Return the exits of attempts that left a checkpoint behind which the log, for want of its end, does not know."""
    held = [t for worker in experiment.workers for t in experiment.holders(worker) if t.checkpoint is not None]
    newer = [(t, newer_where_gone(t.checkpoint, directory)) for t in held if t.checkpoint is not None]
    return [Exited(t.id, t.attempt, Outcome.LOST, "", ref) for t, ref in newer if ref is not None]


def clear_away(trials: Iterable[TrialState], directory: str) -> None:
    """Delete what *trials*, which nobody runs now, have in *directory* and should not have.

    That is what was being saved or deleted when somebody died, and checkpoints of ours that the log does not name.
    """
    for t in trials:
        kept = [one.ref for one in t.kept]
        there = not kept or os.path.isdir(path_of(kept[-1], directory))  # or a newer one may be needed
        tidy(os.path.join(directory, t.label.folder), kept, ended=t.status.final and there)
