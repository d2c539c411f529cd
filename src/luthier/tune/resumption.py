"""Taking an experiment up again: what its log calls for, and what its user wants beyond that."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from luthier.core import events as ev
from luthier.core.terms import Status
from luthier.tune.resume_config import ResumeConfig, ResumeType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.control.controller import Controller
    from luthier.core.state import ExperimentState
    from luthier.core.terms import TrialId
    from luthier.store.sessions import Sessions

log = logging.getLogger("luthier")

_UNFINISHED = (Status.PENDING, Status.RUNNING, Status.HALTING, Status.PAUSED)


@dataclass(frozen=True)
class Resumption:
    """How an experiment goes on.

    Attributes:
        config: which trials go on.
        changes: what is new about the experiment, in words; such as ``num_samples 10 -> 20``.
        lifts: whether that lets an experiment go on that was stopped or is through.
    """

    config: ResumeConfig = field(default_factory=ResumeConfig)
    changes: tuple[str, ...] = ()
    lifts: bool = False

    def take_up(
        self, controller: Controller, sessions: Sessions, num_trials: int | None, due: Sequence[ev.StopRequested] = ()
    ) -> None:
        """Settle what the driver of before left behind, and reopen the experiment where there is a reason to.

        Nothing is recorded where nothing has happened yet, nor where the experiment is through and stays so.

        Args:
            controller: of the experiment; no worker has joined yet.
            sessions: what the drivers of before did.
            num_trials: how many trials there are to be; None for no limit.
            due: the end of the time budget, if it is used up already.
        """
        s = controller.experiment
        if not (s.trials or s.workers or s.stopping or s.enqueued):
            return
        onward, anew, ended = self._chosen(s)
        wanted = bool(onward or anew)
        if due and wanted:
            log.warning("%s: give a longer time_budget_s for trials to run once more.", due[0].reason)
            onward, anew, wanted = [], [], False
        lifts = (self.lifts and not due) or wanted
        if controller.finished and not lifts:
            return
        if lifts and self.config.unfinished is not ResumeType.SKIP:  # nor are those cut short by what is taken back
            once_more = anew if self.config.unfinished is ResumeType.RESTART else onward
            once_more += [t for t in _cut_short(s, sessions) if t not in {*onward, *anew}]
        controller.handle(
            ev.Reopened(
                num_trials=-1 if num_trials is None and s.num_trials is not None else num_trials,
                rerun=tuple(onward),
                lost=tuple(s.workers),
                ended=tuple(ended),
                stopping=s.stopping and not lifts,
                note="; ".join(self.changes),
            )
        )
        if anew:
            controller.handle(ev.Reopened(rerun=tuple(anew), from_scratch=True))
        for stimulus in due:
            controller.handle(stimulus)

    def _chosen(self, s: ExperimentState) -> tuple[list[TrialId], list[TrialId], list[TrialId]]:
        """Return who goes on though it has ended, who begins anew, and who does not go on."""
        onward: list[TrialId] = []
        anew: list[TrialId] = []
        ended: list[TrialId] = []
        kinds = (
            (self.config.finished, (Status.DONE, Status.STOPPED)),
            (self.config.errored, (Status.FAILED,)),
            (self.config.unfinished, _UNFINISHED),
        )
        for wish, statuses in kinds:
            found = [t.id for t in s.trials.values() if t.status in statuses] if wish is not ResumeType.SKIP else []
            if wish is ResumeType.RESTART:
                anew += found
            elif statuses is not _UNFINISHED:
                onward += found
            elif wish is ResumeType.SKIP:
                ended = [t.id for t in s.trials.values() if t.status in _UNFINISHED]
        return onward, anew, ended


def _cut_short(s: ExperimentState, sessions: Sessions) -> list[TrialId]:
    """Return the trials that end, or are about to, only because the whole experiment was asked to."""
    halting = (s.trials[t] for t in s.by_status[Status.HALTING])
    return [*sessions.cut_short, *(t.id for t in halting if t.order and t.order.reason in sessions.reasons)]
