"""What one trial came to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from luthier.callbacks.failures import headline
from luthier.core.terms import Status
from luthier.tune.bringing import bring_files
from luthier.tune.checkpoint import checkpoint_of
from luthier.tune.error import NoResult, TuneError
from luthier.tune.flat import flattened
from luthier.tune.result_keys import *  # noqa: F403 (scripts import the names of fields from here)
from luthier.tune.staging import is_url, local_of
from luthier.tune.trial import last_row, row
from luthier.worker.failure import PICKLE_FILE, TEXT_FILE

if TYPE_CHECKING:
    import pandas as pd

    from luthier.checkpoints.base import Checkpoint
    from luthier.core.events import Reported
    from luthier.core.state import TrialState
    from luthier.tune.history import History


class Result:
    """The outcome of one trial.

    Attributes:
        metrics: its last result, with Ray's fields; empty if it never reported.
        config: its config.
        path: its directory on this machine; where the experiment lives elsewhere, files in it may be missing.
        trial_id: its id.
    """

    def __init__(self, state: TrialState, experiment_dir: str, history: History) -> None:
        self._state, self._dir, self._history = state, experiment_dir, history
        self.trial_id: str = state.id
        self.config: dict[str, Any] = state.config
        self.metrics: dict[str, Any] = last_row(state)
        self.path: str = os.path.join(experiment_dir, state.label.folder)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The last checkpoint, or None."""
        ref = self._state.checkpoint
        return None if ref is None else checkpoint_of(self._dir, ref)

    @property
    def best_checkpoints(self) -> list[tuple[Checkpoint, dict[str, Any]]]:
        """The checkpoints that were kept, oldest first, each with the metrics that came with it."""
        came_with = self._history.at_checkpoint
        reports = [(kept.ref, came_with(self._state.id, kept.ref)) for kept in self._state.kept]
        return [
            (checkpoint_of(self._dir, ref), row(self._state, {}) if report is None else self._row(report))
            for ref, report in reports
        ]

    def get_best_checkpoint(self, metric: str, mode: str) -> Checkpoint | None:
        """Return the kept checkpoint whose metrics are best.

        Raises:
            NoResult: none of them came with *metric*.
        """
        from luthier.core.goal import Goal

        goal = Goal(metric, mode)
        if not self.best_checkpoints:
            return None
        scored = [(goal.score(metrics), checkpoint) for checkpoint, metrics in self.best_checkpoints]
        known = [(score, checkpoint) for score, checkpoint in scored if score is not None]
        if not known:
            names = sorted({name for _, metrics in self.best_checkpoints for name in metrics})
            msg = f"No checkpoint came with {metric!r}; there are {', '.join(names)}."
            raise NoResult(msg)
        return min(known, key=lambda pair: pair[0])[1]

    @property
    def error(self) -> Exception | None:
        """The exception that the trial failed with: the very object where it could be kept, else a ``TuneError``."""
        if self._state.status is not Status.FAILED:
            return None
        return load_error(self.path, self._state.reason)

    @property
    def metrics_dataframe(self) -> pd.DataFrame:
        """All results of the trial, a row each, nested names joined by ``/``."""
        import pandas as pd

        rows = [flattened(self._row(report)) for report in self._history.reports(self._state.id)]
        if rows:
            rows[-1]["done"] = self.metrics["done"]
        return pd.DataFrame(rows)

    def _row(self, report: Reported) -> dict[str, Any]:
        config = self._history.config(report, self._state.config)
        return row(self._state, report.metrics, config=config)

    @property
    def filesystem(self) -> None:
        """None: *path* is on the local disk, even where the experiment lives elsewhere."""
        return

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], storage_filesystem: object = None) -> Result:
        """Return the result of the trial whose directory is *path*.

        Raises:
            NoResult: *path* is not a trial's directory.
        """
        from luthier.tune.past import past_of

        given = os.fspath(path)
        full = given.rstrip("/") if is_url(given) or storage_filesystem is not None else os.path.abspath(given)
        past = past_of(local_of(os.path.dirname(full), storage_filesystem))
        state = past.by_folder.get(os.path.basename(full))
        if state is not None:
            return cls(state, past.directory, past.history)
        msg = f"{full} is not the directory of a trial of {past.directory}."
        raise NoResult(msg)

    def __repr__(self) -> str:
        skip = {"config", "trial_id", "experiment_tag"}
        metrics = {k: v for k, v in self.metrics.items() if k not in skip}
        parts = [f"config={self.config!r}", f"metrics={metrics!r}", f"path={self.path!r}"]
        if self._state.status is Status.FAILED:
            parts.append(f"error={headline(self._state.reason)!r}")
        if self.checkpoint is not None:
            parts.append(f"checkpoint={self.checkpoint!r}")
        return f"Result({', '.join(parts)})"


def load_error(trial_dir: str, text: str) -> Exception:
    """Return the exception that the trial's worker kept in *trial_dir*, or a ``TuneError`` with *text*.

    It is fetched where the experiment lives elsewhere and the trial ran on another machine.
    """
    import pickle

    path = os.path.join(trial_dir, PICKLE_FILE)
    directory, folder = os.path.split(trial_dir)
    bring_files(directory, [f"{folder}/{PICKLE_FILE}", f"{folder}/{TEXT_FILE}"])
    try:
        with open(path, "rb") as file:
            error = pickle.load(file)
    except Exception:  # noqa: BLE001 (whatever is wrong with the file: the text is there)
        return TuneError(text)
    if isinstance(error, Exception):
        return error
    wrapped = TuneError(text)
    wrapped.__cause__ = error if isinstance(error, BaseException) else None
    return wrapped
