"""A trial as users see it: in Ray Tune's words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from luthier.core.goal import number
from luthier.core.terms import SPOKEN
from luthier.store.rows import date
from luthier.tune.flat import flattened
from luthier.worker.bundles import PlacementGroupFactory
from luthier.worker.trainable import fresh_copy

if TYPE_CHECKING:
    from luthier.core.state import TrialState
    from luthier.tune.checkpoint import Checkpoint
    from luthier.tune.history import History


class Trial:
    """One trial; reads along with the experiment, changes nothing.

    Attributes:
        trial_id: its id.
        trainable_name: name of what is trained.
        experiment_dir: the experiment's directory.
    """

    PENDING, RUNNING, PAUSED, TERMINATED, ERROR = "PENDING", "RUNNING", "PAUSED", "TERMINATED", "ERROR"

    def __init__(self, state: TrialState, experiment_dir: str, trainable_name: str, history: History) -> None:
        self._state, self._history = state, history
        self.trial_id: str = state.id
        self.trainable_name, self.experiment_dir = trainable_name, experiment_dir

    @property
    def number(self) -> int:
        """Its number in the experiment, from 0."""
        return self._state.number

    @property
    def config(self) -> dict[str, Any]:
        """Its config: a copy, which may be changed without anything else."""
        config: dict[str, Any] = fresh_copy(self._state.config)
        return config

    @property
    def evaluated_params(self) -> dict[str, Any]:
        """Its config, flattened: ``{"model/lr": 0.1}``."""
        return flattened(self._state.config)

    @property
    def experiment_tag(self) -> str:
        """Its number and parameters in a few characters."""
        return self._state.label.tag

    @property
    def status(self) -> str:
        """``PENDING``, ``RUNNING``, ``PAUSED``, ``TERMINATED`` or ``ERROR``."""
        return SPOKEN[self._state.status]

    @property
    def last_result(self) -> dict[str, Any]:
        """Its last result, a copy; empty before the first."""
        result: dict[str, Any] = fresh_copy(last_row(self._state))
        return result

    @property
    def metric_analysis(self) -> dict[str, dict[str, float]]:
        """For each numeric metric its max, min, avg, last, last-5-avg and last-10-avg."""
        return self._history.analysis(self._state.id)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Its last checkpoint."""
        from luthier.tune.checkpoint import checkpoint_of

        ref = self._state.checkpoint
        return None if ref is None else checkpoint_of(self.experiment_dir, ref)

    @property
    def placement_group_factory(self) -> PlacementGroupFactory:
        """What it asks for, or holds while it runs: one bundle."""
        return PlacementGroupFactory.holding(self._state.resources)

    @property
    def local_path(self) -> str:
        """Its directory."""
        return os.path.join(self.experiment_dir, self._state.label.folder)

    path = local_path
    logdir = local_path

    @property
    def num_failures(self) -> int:
        """How many of its attempts failed."""
        return self._state.failures

    @property
    def error_file(self) -> str | None:
        """The file with its errors, if there is one."""
        from luthier.tune.bringing import bring_files

        path = os.path.join(self.local_path, "error.txt")
        if self._state.failures:
            bring_files(self.experiment_dir, [f"{self._state.label.folder}/error.txt"])
        return path if os.path.exists(path) else None

    def is_finished(self) -> bool:
        """Whether it has come to its end."""
        return self._state.status.final

    def __str__(self) -> str:
        return self._state.label.name

    def __repr__(self) -> str:
        return f"Trial({self.trial_id!r}, {self.status}, {self.config!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trial) and (other.trial_id, other.experiment_dir) == (
            self.trial_id,
            self.experiment_dir,
        )

    def __hash__(self) -> int:
        return hash((self.trial_id, self.experiment_dir))


def last_row(state: TrialState) -> dict[str, Any]:
    """Return the trial's last result as Ray's; empty if it never reported."""
    metrics = state.metrics
    return row(state, metrics, done=state.status.final) if metrics else {}


def row(
    state: TrialState, metrics: dict[str, Any], *, done: bool = False, config: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return *metrics* of the trial as Ray's result: with what the trial is, and whether it is *done* or says so.

    *config* is what they were reported under; the trial's present one where None.
    """
    whole = dict(metrics)
    whole.setdefault("checkpoint_dir_name", None)
    whole["done"] = done or bool(metrics.get("done"))
    moment = number(metrics.get("timestamp"))
    if "date" not in metrics and moment is not None and 0 <= moment < 1 << 37:  # a time that calendars know
        whole["date"] = date(moment)
    config = state.config if config is None else config
    return {**whole, "trial_id": state.id, "experiment_tag": state.label.tag, "config": config}
