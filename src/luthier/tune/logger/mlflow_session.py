"""An MLflow run within a trial, for those who call MLflow themselves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.core.terms import Outcome
from luthier.tune.flat import flattened
from luthier.tune.installed import demand
from luthier.tune.logger.mlflow_contact import contact
from luthier.tune.logger.mlflow_runs import Run, add_params, find_experiment
from luthier.tune.logger.mlflow_words import changes, tags_of
from luthier.worker.session import current

if TYPE_CHECKING:
    from types import ModuleType

MARK = "luthier.session"  # tag of the runs that trials began themselves


def setup_mlflow(  # noqa: PLR0917 (Ray Tune's)
    config: dict[str, Any] | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
    experiment_id: str | None = None,
    experiment_name: str | None = None,
    tracking_token: str | None = None,
    artifact_location: str | None = None,
    run_name: str | None = None,
    create_experiment_if_not_exists: bool = False,
    tags: dict[str, Any] | None = None,
    rank_zero_only: bool = True,  # noqa: ARG001 (Ray Tune's)
) -> ModuleType:
    """Begin an MLflow run in a trial, or go on with the trial's own, and return the module ``mlflow``.

    The run ends with the attempt: ``FAILED`` where it raised, else ``FINISHED``; a further attempt at the same trial
    goes on with it.

    Args:
        config: told as parameters.
        tracking_uri: where MLflow keeps runs.
        registry_uri: where MLflow keeps models.
        experiment_id: an experiment at MLflow that exists, or ``$MLFLOW_EXPERIMENT_ID``.
        experiment_name: its name, or ``$MLFLOW_EXPERIMENT_NAME``; that of the experiment that runs, which is made where
            it is missing, where neither is given.
        tracking_token: for a server that asks for one.
        artifact_location: where an experiment that is made keeps its artifacts.
        run_name: the run's name; the trial's where None.
        create_experiment_if_not_exists: whether an experiment with a name that was given is made.
        tags: of the run.
        rank_zero_only: accepted so that scripts run.

    Raises:
        MissingLibrary: MLflow is not installed.
        BadArgument: there is no such experiment, and none is to be made.

    >>> def train(config):
    ...     mlflow = setup_mlflow(config, tracking_uri="sqlite:///mlflow.db")
    ...     mlflow.log_metric("loss", 0.5, step=1)
    """
    demand("setup_mlflow", "mlflow", "mlflow", later=True)
    import mlflow

    if tracking_token:
        os.environ["MLFLOW_TRACKING_TOKEN"] = tracking_token
    if tracking_uri is not None:
        mlflow.set_tracking_uri(tracking_uri)
    if registry_uri is not None:
        mlflow.set_registry_uri(registry_uri)
    session = current()
    given = None if session is None else session.assignment
    client = contact(None)
    place = _place(
        client,
        experiment_id or os.environ.get("MLFLOW_EXPERIMENT_ID"),
        experiment_name or os.environ.get("MLFLOW_EXPERIMENT_NAME"),
        None if given is None else given.experiment,
        artifact_location,
        create=create_experiment_if_not_exists,
    )
    mark = "" if given is None else f"{given.experiment}/{given.trial}".replace("'", "_")
    known = _found(client, place, mark) if mark else None
    if mlflow.active_run() is None:
        marks = tags_of(tags or {})
        if mark:
            marks[MARK] = mark
        name = run_name or (None if given is None else given.name) or experiment_name
        mlflow.start_run(None if known is None else known.id, experiment_id=place, run_name=name, tags=marks)
        if session is not None:
            session.closing.append(_end)
    active = mlflow.active_run()
    assert active is not None  # noqa: S101 (it was started)
    run = known or Run(active.info.run_id, "RUNNING", dict(active.data.params))
    new, changed, metrics = changes(run.params, flattened(config or {}))
    add_params(client, run, new)
    if changed:
        mlflow.set_tags(changed)
        mlflow.log_metrics(metrics)
    return mlflow


def _place(
    client: Any, given: str | None, name: str | None, own: str | None, artifacts: str | None, *, create: bool
) -> str:
    wanted = name or own
    found = None
    if wanted is not None:
        found = find_experiment(client, given, wanted, create=create or name is None, artifacts=artifacts)
    elif given is not None:
        found = str(client.get_experiment(given).experiment_id)
    if found is None:
        raise BadArgument(
            "experiment_name", name, "the name of one that exists, or create_experiment_if_not_exists=True"
        )
    return found


def _found(client: Any, place: str, mark: str) -> Run | None:
    """Return the run that an earlier attempt at the trial began."""
    mine = next(iter(client.search_runs([place], f"tags.`{MARK}` = '{mark}'", max_results=1)), None)
    return None if mine is None else Run(mine.info.run_id, mine.info.status, dict(mine.data.params))


def _end(outcome: Outcome) -> None:
    import mlflow

    mlflow.end_run("FAILED" if outcome is Outcome.ERROR else "FINISHED")
