"""A trial as a scheduler's hooks see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from luthier.core.errors import BadArgumentType
from luthier.core.terms import SPOKEN, TrialId
from luthier.tune.trial import Trial
from luthier.worker.trainable import fresh_copy

if TYPE_CHECKING:
    from luthier.worker.bundles import PlacementGroupFactory

OFFERED = (
    "trial_id, number, config, set_config, evaluated_params, experiment_tag, status, is_finished, last_result, "
    "checkpoint, num_failures, placement_group_factory, trainable_name, local_path"
)


class ScheduledTrial(Trial):
    """A trial in Ray Tune's words, as it stands now: what has just been ordered counts as done.

    Two of the same trial are equal, and may be keys.  It can be asked only while a hook runs.
    """

    def __init__(self, trial: TrialId, controller: Any, experiment_dir: str) -> None:
        self.trial_id: str = trial
        self.trainable_name, self.experiment_dir = "", experiment_dir
        self._id, self._controller = trial, controller

    @property
    def _state(self) -> Any:  # type: ignore[override]  # the one of this moment
        return self._controller.view(self._id)

    @property
    def trial_name(self) -> str:
        """What it is called."""
        return str(self._state.label.name)

    @property
    def config(self) -> dict[str, Any]:
        """A copy of its config; :meth:`set_config` gives it another."""
        config: dict[str, Any] = fresh_copy(self._controller.config(self._id))
        return config

    def set_config(self, new_config: dict[str, Any]) -> None:
        """Have the trial go on with *new_config* once it is resumed; to be given before it is paused.

        Raises:
            BadArgumentType: it is no dict.
        """
        if not isinstance(new_config, dict):
            raise BadArgumentType("new_config", new_config, "a dict of hyperparameters")
        self._controller.configure(self._id, fresh_copy(new_config))

    @property
    def status(self) -> str:
        """``PENDING``, ``RUNNING``, ``PAUSED``, ``TERMINATED`` or ``ERROR``."""
        ordered: str | None = self._controller.ordered(self._id)
        return ordered or SPOKEN[self._state.status]

    def is_finished(self) -> bool:
        """Whether it has come to its end, or was told to."""
        return self.status in (self.TERMINATED, self.ERROR)

    @property
    def last_result(self) -> dict[str, Any]:
        """A copy of its last result, the one that is just being told included; empty before the first."""
        result: dict[str, Any] = fresh_copy(super().last_result)
        return result

    @property
    def placement_group_factory(self) -> PlacementGroupFactory:
        """What it asks for, or holds while it runs."""
        held: PlacementGroupFactory = self._controller.holding(self._id)
        return held

    def __deepcopy__(self, memo: dict[int, Any]) -> ScheduledTrial:
        return self  # there is one of each trial

    def __repr__(self) -> str:
        return f"Trial({self.trial_id!r})"

    def __str__(self) -> str:
        return self.trial_id

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"trial.{name} is not there: a scheduler's hooks may use {OFFERED}", name=name, obj=self)
