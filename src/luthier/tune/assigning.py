"""From a launch to the assignment that a worker gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.callbacks.folders import make_trial_dir
from luthier.core.rng import rng_at
from luthier.worker.assignment import Assignment, Checkpointing

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.core.events import Launched
    from luthier.core.state import TrialState
    from luthier.core.terms import Ref
    from luthier.store.card import ExperimentCard
    from luthier.tune.blueprint import Blueprint

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
        self._checkpointing = Checkpointing(wanted.checkpoint_frequency, wanted.checkpoint_at_end)

    def __call__(self, order: Launched, trial: TrialState) -> Assignment:
        """Return the assignment of *order*, the directory made."""
        path = make_trial_dir(self._dir, trial.label.folder)
        if order.restore is not None and self._bring is not None:
            self._bring(order.restore)
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
            restore=order.restore,
            seed=rng_at(self._card.seed, TRIAL, trial.number).seed32(),
            next_checkpoint=_next_checkpoint(trial),
            checkpointing=self._checkpointing,
        )


def _next_checkpoint(trial: TrialState) -> int:
    """Return the number after that of the trial's newest checkpoint."""
    if not trial.kept:
        return 0
    digits = trial.kept[-1].ref.rpartition("_")[2]
    return int(digits) + 1 if digits.isdigit() else len(trial.kept)
