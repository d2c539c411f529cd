"""Aim: a run for each trial in a repository on disk."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.tune.installed import demand
from luthier.tune.logger.tracked import plain, written
from luthier.tune.logger.tracker import Tracker, for_each

if TYPE_CHECKING:
    from luthier.tune.logger.tracked import Reading, Tracked


class AimLoggerCallback(Tracker):
    """Writes each trial into an Aim repository, for ``aim up``: parameters and numeric metrics.

    An experiment that is restored goes on with the same runs.

    Args:
        repo: the repository's directory or a ``Repo``; the experiment's own directory where None.
        experiment_name: the runs' experiment; the name of the experiment where None.
        metrics: which metrics to write, nested ones as ``"a/b"``; all where None.
        aim_run_kwargs: for ``aim.Run``.

    Raises:
        MissingLibrary: Aim is not installed.
        BadArgument: *metrics* is empty.

    >>> from luthier.core.errors import MissingLibrary
    >>> try:
    ...     callback = AimLoggerCallback(metrics=["loss"])
    ... except MissingLibrary as error:
    ...     assert "pip install 'luthier[aim]'" in str(error)
    """

    _passing = Tracker._passing | {"_open"}  # noqa: SLF001 (a subclass)

    def __init__(
        self,
        repo: Any = None,
        experiment_name: str | None = None,
        metrics: list[str] | None = None,
        **aim_run_kwargs: Any,
    ) -> None:
        if metrics is not None and not metrics:
            raise BadArgument("metrics", metrics, "names of metrics, or None for all")
        demand("AimLoggerCallback", "aim", "aim", later=True)
        self._repo, self._name = repo, experiment_name
        self._metrics = None if metrics is None else frozenset(metrics)
        quiet = {"system_tracking_interval": None, "log_system_params": False, "capture_terminal_logs": False}
        self._kwargs = {**quiet, **aim_run_kwargs}
        self._hashes: dict[str, str] = {}

    def setup(
        self, stop: Any = None, num_samples: int | None = None, total_num_samples: int | None = None, **info: Any
    ) -> None:
        """Begin anew."""
        self._open: dict[str, Any] = {}
        super().setup(stop, num_samples, total_num_samples, **info)

    def get_state(self) -> dict[str, Any] | None:
        """Return which run is which trial's."""
        return {"hashes": dict(self._hashes)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`get_state` returned."""
        self._hashes = dict(state["hashes"])

    # -- in the thread -------------------------------------------------------------------------------------------------
    def begin(self, trial: Tracked, known: bool) -> None:
        """Begin a run, or go on with it."""
        run = self._run(trial)
        run["hparams"] = {name: plain(value) for name, value in trial.config.items()}

    def result(self, trial: Tracked, reading: Reading) -> None:
        """Write the numbers; Aim knows none that is infinite or none at all."""
        run = self._run(trial)

        def track(name: str) -> None:
            run.track(numbers[name], name=written(name), step=reading.step)

        wanted = reading.numbers if self._metrics is None else self._metrics
        numbers = {name: value for name, value in reading.numbers.items() if math.isfinite(value)}
        for_each(track, [name for name in numbers if name in wanted])

    def end(self, trial: Tracked, failed: bool) -> None:
        """End a run."""
        run = self._run(trial)
        run["status"] = "failed" if failed else "finished"
        self._open.pop(trial.trial_id).close()

    def left(self, unfinished: list[Tracked]) -> None:
        """End the runs that are left."""
        for trial in unfinished:
            run = self._open.pop(trial.trial_id, None)
            if run is not None:
                run["status"] = "interrupted"
                run.close()
                self._gets_on()

    def _run(self, trial: Tracked) -> Any:
        run = self._open.get(trial.trial_id)
        if run is None:
            from aim import Run  # type: ignore[attr-defined, unused-ignore]

            where = self._repo or trial.experiment_dir
            again = self._hashes.get(trial.key)
            run = Run(again, repo=where, experiment=self._name or trial.experiment, **self._kwargs)
            self._open[trial.trial_id] = run
            self._hashes[trial.key] = run.hash
            run.name = trial.name
            run["trial_id"], run["trial_log_dir"] = trial.trial_id, trial.folder
        return run
