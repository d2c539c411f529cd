"""From a launch to the assignment that a worker gets."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from luthier.callbacks.folders import make_trial_dir
from luthier.checkpoints.local import number_of, path_of, successor
from luthier.core.events import Exited
from luthier.core.rng import rng_at
from luthier.core.terms import Outcome
from luthier.worker.assignment import Assignment, Checkpointing

if TYPE_CHECKING:
    from luthier.core.events import Launched
    from luthier.core.state import ExperimentState, TrialState
    from luthier.core.terms import Ref
    from luthier.store.card import ExperimentCard
    from luthier.tune.blueprint import Blueprint

log = logging.getLogger("luthier")

TRIAL = 2  # stream of randomness; 0 and 1 are the engine's


class Assigning:
    """Makes assignments, and the trials' directories."""

    def __init__(self, blueprint: Blueprint, card: ExperimentCard, directory: str) -> None:
        self._card, self._dir = card, directory
        wanted = blueprint.run.checkpoint_config
        assert wanted is not None  # noqa: S101 (set by RunConfig)
        self._checkpointing = Checkpointing(wanted.checkpoint_frequency, wanted.checkpoint_at_end)

    def __call__(self, order: Launched, trial: TrialState) -> Assignment:
        """Return the assignment of *order*, the directory made."""
        path = make_trial_dir(self._dir, trial.label.folder)
        restore, next_checkpoint = self._there(order.restore), _next_checkpoint(trial)
        if restore is not order.restore and restore is not None and restore.startswith(f"{trial.label.folder}/"):
            next_checkpoint = max(next_checkpoint, number_of(restore) + 1)
        return Assignment(
            trial=trial.id,
            attempt=order.attempt,
            number=trial.number,
            config=order.config,
            resources=order.resources,
            name=trial.label.name,
            tag=trial.label.tag,
            trial_dir=path,
            experiment=self._card.name,
            experiment_dir=self._dir,
            restore=restore,
            seed=rng_at(self._card.seed, TRIAL, trial.number).seed32(),
            next_checkpoint=next_checkpoint,
            checkpointing=self._checkpointing,
        )

    def _there(self, ref: Ref | None) -> Ref | None:
        return ref if ref is None else newer_where_gone(ref, self._dir) or ref  # the trial says what it misses


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


def _next_checkpoint(trial: TrialState) -> int:
    """Return the number after that of the trial's newest checkpoint."""
    if not trial.kept:
        return 0
    digits = trial.kept[-1].ref.rpartition("_")[2]
    return int(digits) + 1 if digits.isdigit() else len(trial.kept)
