"""MLflow: a run for each trial, within one for the experiment."""

from __future__ import annotations

import functools
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec

from luthier.core.errors import BadArgumentType
from luthier.tune.installed import demand
from luthier.tune.logger.clerk import Again
from luthier.tune.logger.mlflow_contact import contact
from luthier.tune.logger.mlflow_runs import Run, Runs, add_params
from luthier.tune.logger.mlflow_session import setup_mlflow
from luthier.tune.logger.mlflow_words import MOST_METRICS, changes, metrics_of, params_of, passes
from luthier.tune.logger.tracker import Tracker, for_each

if TYPE_CHECKING:
    from collections.abc import Callable

    from luthier.tune.logger.tracked import Reading, Tracked
    from luthier.tune.trial import Trial

__all__ = ["MLflowLoggerCallback", "setup_mlflow"]

P = ParamSpec("P")

_HELD = 100_000  # metrics of one run that are held back where MLflow is not to be reached


_REFUSALS = 6  # times that a note is refused by an MLflow that answers otherwise, after which it is left out


def _patiently(work: Callable[P, None]) -> Callable[P, None]:
    """Have *work* done again later where MLflow is not to be reached."""

    @functools.wraps(work)
    def tried(*arguments: P.args, **named: P.kwargs) -> None:
        try:
            work(*arguments, **named)
        except Again:
            raise
        except Exception as error:
            if passes(error) and arguments[0]._may_pass():  # type: ignore[attr-defined]  # noqa: SLF001 (its method)
                raise Again from error
            raise

    return tried


class MLflowLoggerCallback(Tracker):
    """Tells MLflow of each trial: parameters, every numeric metric, how it ended, and its files if wanted.

    The experiment is one run, and in it each trial is one (MLflow shows them nested).  An experiment that is restored
    goes on with the same runs.  A trial that ends well or is stopped is ``FINISHED``, one that failed ``FAILED``, and
    one that an interrupt left unfinished ``KILLED``.  Parameters that change later (population based training) become
    tags and metrics called ``config/...``, as MLflow's parameters never change.

    Args:
        tracking_uri: where MLflow keeps runs, e.g. ``"sqlite:///mlflow.db"`` or ``"http://localhost:5000"``; MLflow's
            own default where None.
        registry_uri: where MLflow keeps models.
        experiment_name: the experiment at MLflow, made where it is missing; ``$MLFLOW_EXPERIMENT_NAME`` or the name of
            the experiment where None.
        tags: of every run.
        tracking_token: for a server that asks for one (``$MLFLOW_TRACKING_TOKEN``); never written to disk.
        save_artifact: whether all that is in a trial's directory, checkpoints too, is stored at MLflow at its end.
        log_params_on_trial_end: whether parameters are told at the end of a trial, not at its beginning.

    Raises:
        MissingLibrary: MLflow is not installed.
        BadArgumentType: *tags* is no dict.

    >>> callback = MLflowLoggerCallback("sqlite:///mlflow.db", experiment_name="digits")
    """

    _passing = Tracker._passing | {"_runs", "_client", "_held", "tracking_token"}  # noqa: SLF001 (a subclass)

    def __init__(
        self,
        tracking_uri: str | None = None,
        *,
        registry_uri: str | None = None,
        experiment_name: str | None = None,
        tags: dict[str, Any] | None = None,
        tracking_token: str | None = None,
        save_artifact: bool = False,
        log_params_on_trial_end: bool = False,
    ) -> None:
        if tags is not None and not isinstance(tags, dict):
            raise BadArgumentType("tags", tags, "a dict of texts")
        demand("MLflowLoggerCallback", "mlflow", "mlflow", later=True)
        self.tracking_uri, self.registry_uri = tracking_uri, registry_uri
        self.experiment_name, self.tags = experiment_name, tags
        self.tracking_token = tracking_token
        self.should_save_artifact, self.log_params_on_trial_end = save_artifact, log_params_on_trial_end

    def setup(
        self, stop: Any = None, num_samples: int | None = None, total_num_samples: int | None = None, **info: Any
    ) -> None:
        """Begin anew."""
        token = getattr(self, "tracking_token", None)
        if token:
            os.environ["MLFLOW_TRACKING_TOKEN"] = token
        self._client: Any = None
        self._runs: Runs | None = None
        self._held: dict[str, list[Any]] = {}
        self._finished: dict[str, bool] = {}
        self._refused = 0  # times in a row that MLflow was there, and would not take a note
        super().setup(stop, num_samples, total_num_samples, **info)

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """Note which trials have ended, among them those of which MLflow may not know it."""
        self._finished = {trial.trial_id: trial.status == trial.ERROR for trial in trials if trial.is_finished()}
        super().on_experiment_end(trials, **info)

    # -- in the thread -------------------------------------------------------------------------------------------------
    @_patiently
    def begin(self, trial: Tracked, known: bool) -> None:
        """Begin a run, or go on with it."""
        run = self._run(trial)
        if run.status != "RUNNING":
            self._client.update_run(run.id, status="RUNNING")
            run.status = "RUNNING"
        if self.log_params_on_trial_end and not run.params:
            return
        new, tags, metrics = changes({**run.params, **_plain(run.changed)}, trial.config)
        add_params(self._client, run, new)
        for name, value in tags.items():
            self._client.set_tag(run.id, name, value)
        run.changed.update(tags)
        self._hold(run, metrics, step=0, at=time.time())

    @_patiently
    def result(self, trial: Tracked, reading: Reading) -> None:
        """Take the numbers; they are told in batches."""
        self._hold(self._run(trial), reading.numbers, reading.step, reading.at or time.time())

    @_patiently
    def end(self, trial: Tracked, failed: bool) -> None:
        """End a run."""
        run = self._run(trial)
        steps: list[Callable[[], None]] = [partial(self._write, run.id)]
        if self.log_params_on_trial_end:
            steps.append(partial(add_params, self._client, run, params_of(trial.config)))
        if self.should_save_artifact:
            steps.append(partial(self._save, run, trial.folder))
        steps.append(partial(self._terminate, run, "FAILED" if failed else "FINISHED"))
        for_each(_do, steps)

    @_patiently
    def left(self, unfinished: list[Tracked]) -> None:
        """End the runs that are left, and the experiment's own."""
        if self._runs is None:
            return
        steps: list[Callable[[], None]] = [self.flush]
        steps += [partial(self._terminate, self._run(trial), "KILLED") for trial in unfinished]
        for trial_id, run in self._runs:
            if run.status == "RUNNING" and trial_id in self._finished:  # an earlier driver did not come to say it
                steps.append(partial(self._terminate, run, "FAILED" if self._finished[trial_id] else "FINISHED"))
        over = "KILLED" if unfinished else "FINISHED"
        steps.append(partial(self._client.set_terminated, self._runs.parent, over))
        for_each(_do, steps)

    def flush(self) -> None:
        """Tell the metrics that were held back."""
        for_each(self._write, list(self._held))

    def _may_pass(self) -> bool:
        """Return whether to try again what MLflow refused: not where it answers otherwise, many times."""
        try:
            self._client.search_experiments(max_results=1)
        except Exception:  # noqa: BLE001 (it is away)
            self._refused = 0
            return True
        self._refused += 1
        if self._refused < _REFUSALS:
            return True
        self._refused = 0
        return False

    def _run(self, trial: Tracked) -> Run:
        if self._runs is None:
            try:
                self._client = contact(self.tracking_uri, self.registry_uri, ())
                name = self.experiment_name or os.environ.get("MLFLOW_EXPERIMENT_NAME")
                self._runs = Runs(self._client, name, trial, self.tags or {})
            except Exception as error:
                raise Again from error
        return self._runs.of(trial)

    def _hold(self, run: Run, values: dict[str, float], step: int, at: float) -> None:
        from mlflow.entities import Metric

        held = self._held.setdefault(run.id, [])
        held += [Metric(name, value, int(at * 1000), step) for name, value in metrics_of(values).items()]
        if len(held) >= MOST_METRICS:
            self._write(run.id)

    def _write(self, run_id: str) -> None:
        held = self._held.get(run_id, [])
        del held[: max(0, len(held) - _HELD)]
        while held:
            self._client.log_batch(run_id, metrics=held[:MOST_METRICS])
            del held[:MOST_METRICS]
            self._gets_on()
        self._held.pop(run_id, None)

    def _save(self, run: Run, folder: str) -> None:
        for inside, _, names in os.walk(folder):
            place = os.path.relpath(inside, folder)
            for name in sorted(names):
                try:
                    self._client.log_artifact(run.id, os.path.join(inside, name), None if place == "." else place)
                except FileNotFoundError:  # a checkpoint that is not kept any more
                    continue
                self._gets_on()

    def _terminate(self, run: Run, status: str) -> None:
        self._client.set_terminated(run.id, status)
        run.status = status


def _do(step: Callable[[], None]) -> None:
    step()


def _plain(tags: dict[str, str]) -> dict[str, str]:
    return {name.removeprefix("config/"): value for name, value in tags.items()}
