"""From a launch to the assignment that a worker gets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from luthier.callbacks.folders import make_trial_dir
from luthier.checkpoints.flaw import flaw_in
from luthier.checkpoints.local import number_of, path_of
from luthier.core.rng import rng_at
from luthier.tune.leftovers import newer_where_gone
from luthier.worker.assignment import Assignment, Checkpointing

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.events import Launched
    from luthier.core.state import TrialState
    from luthier.core.terms import Ref
    from luthier.store.card import ExperimentCard
    from luthier.tune.blueprint import Blueprint

log = logging.getLogger("luthier")

TRIAL = 2  # stream of randomness; 0 and 1 are the engine's


class Assigning:
    """Makes assignments, and the trials' directories.

    Args:
        blueprint: what is run.
        card: what the experiment is.
        directory: the experiment's directory.
        bring: sees to it that a checkpoint is on this machine, where experiments may live elsewhere.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        card: ExperimentCard,
        directory: str,
        bring: Callable[[Ref], object] | None = None,
    ) -> None:
        self._card, self._dir, self._bring = card, directory, bring
        wanted = blueprint.run.checkpoint_config
        assert wanted is not None  # noqa: S101 (set by RunConfig)
        rule = blueprint.save_rule()
        self._checkpointing = Checkpointing(wanted.checkpoint_frequency, wanted.checkpoint_at_end, rule=rule)

    def __call__(self, order: Launched, trial: TrialState) -> Assignment:
        """Return the assignment of *order*, the directory made."""
        path = make_trial_dir(self._dir, trial.label.folder)
        if order.restore is not None and self._bring is not None:
            self._bring(order.restore)
        restore, next_checkpoint = self._sound(order.restore, trial), _next_checkpoint(trial)
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

    def _sound(self, restore: Ref | None, trial: TrialState) -> Ref | None:
        """Return *restore*, or where that cannot be loaded the trial's newest checkpoint that can; None for none."""
        if restore is not None:
            restore = newer_where_gone(restore, self._dir) or restore
        first = ""
        for ref in () if restore is None else (restore, *(k.ref for k in reversed(trial.kept) if k.ref != restore)):
            flaw = flaw_in(path_of(ref, self._dir))
            if not flaw:
                if first:
                    log.warning("%s: it goes on from the one before, %s.", first, ref)
                return ref
            first = first or f"trial {trial.label.name}: its checkpoint {ref} {flaw}"
        if first:
            log.warning("%s, and there is no other one: it begins again from the start.", first)
        return None


def _next_checkpoint(trial: TrialState) -> int:
    """Return the number after that of the trial's newest checkpoint."""
    if not trial.kept:
        return 0
    digits = trial.kept[-1].ref.rpartition("_")[2]
    return int(digits) + 1 if digits.isdigit() else len(trial.kept)
