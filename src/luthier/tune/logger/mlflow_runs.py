"""The runs of one experiment at an MLflow server, and which trial is which of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.errors import BadArgument
from luthier.tune.logger.mlflow_words import MOST_PARAMS, tags_of
from luthier.tune.logger.tracked import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.tune.logger.tracked import Tracked

EXPERIMENT_TAG, TRIAL_TAG, PARENT_TAG = "luthier.experiment", "luthier.trial", "mlflow.parentRunId"


class Run(msgspec.Struct):
    """One trial's run.

    Attributes:
        id: the run's id.
        status: what MLflow says of it, e.g. ``"RUNNING"``.
        params: its parameters.
        changed: those that have changed since, as tags.
    """

    id: str
    status: str
    params: dict[str, str]
    changed: dict[str, str] = {}


class Runs:
    """The runs of one experiment: a parent, and in it one for each trial.

    Whose they are is in their tags, so that an experiment that goes on later, or elsewhere, finds them again.

    Args:
        client: an ``MlflowClient``.
        experiment: name of the experiment at MLflow; made where it is missing.
        trial: a trial of the experiment.
        tags: of all runs.

    Attributes:
        parent: id of the parent run.

    Raises:
        Exception: MLflow's own, where the server is away or refuses.
    """

    def __init__(self, client: Any, experiment: str | None, trial: Tracked, tags: dict[str, str]) -> None:
        self._client, self._tags = client, tags_of(tags)
        self._place = find_experiment(client, os.environ.get("MLFLOW_EXPERIMENT_ID"), experiment or trial.experiment)
        key = key_of(trial)
        self._known: dict[str, Run] = {}
        found = self._search(f"tags.`{EXPERIMENT_TAG}` = '{key}'")
        parent = next((run for run in found if PARENT_TAG not in run.data.tags), None)
        if parent is None:
            told = {**self._tags, EXPERIMENT_TAG: key, "luthier.path": written(trial.experiment_dir)}
            made = client.create_run(self._place, tags=told, run_name=written(trial.experiment))
            self.parent: str = made.info.run_id
            return
        self.parent = parent.info.run_id
        client.update_run(self.parent, status="RUNNING")
        for run in found:
            if TRIAL_TAG in run.data.tags:
                changed = {n: v for n, v in run.data.tags.items() if n.startswith("config/")}
                known = Run(run.info.run_id, run.info.status, dict(run.data.params), changed)
                self._known[run.data.tags[TRIAL_TAG]] = known

    def __iter__(self) -> Iterator[tuple[str, Run]]:
        return iter(self._known.items())

    def of(self, trial: Tracked) -> Run:
        """Return the run of *trial*; a new one, without parameters yet, where it has none."""
        run = self._known.get(trial.trial_id)
        if run is None:
            tags = {
                **self._tags,
                "trial_name": written(trial.name),
                EXPERIMENT_TAG: key_of(trial),
                TRIAL_TAG: trial.trial_id,
                PARENT_TAG: self.parent,
            }
            made = self._client.create_run(self._place, tags=tags, run_name=written(trial.name))
            run = self._known[trial.trial_id] = Run(made.info.run_id, "RUNNING", {})
        return run

    def _search(self, asked: str) -> list[Any]:
        found: list[Any] = []
        token: str | None = None
        while True:
            page = self._client.search_runs([self._place], asked, max_results=1000, page_token=token)
            found += page
            token = page.token
            if not token:
                return found


def key_of(trial: Tracked) -> str:
    """Return what tells the experiment of *trial* from others, as a text that a filter can hold."""
    prefix = trial.trial_id.partition("_")[0]
    return f"{trial.experiment}-{prefix}".replace("'", "_").replace("\\", "_")


def find_experiment(
    client: Any, given: str | None, name: str, *, create: bool = True, artifacts: str | None = None
) -> str | None:
    """Return the id of an experiment at MLflow: the *given* one if there is such, or the one of that *name*.

    Returns:
        None where there is none and none is to be made.

    Raises:
        BadArgument: it was deleted.
    """
    from mlflow.exceptions import MlflowException

    if given is not None:
        try:
            return str(client.get_experiment(given).experiment_id)
        except MlflowException:
            pass
    found = client.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage == "deleted":
        number = found.experiment_id
        wanted = f"another, or bring it back: mlflow experiments restore --experiment-id {number}"
        raise BadArgument("experiment_name", name, wanted, "it was deleted at MLflow")
    if found is not None:
        return str(found.experiment_id)
    if not create:
        return None
    try:
        return str(client.create_experiment(name, artifact_location=artifacts))
    except MlflowException:  # somebody else was faster
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def add_params(client: Any, run: Run, params: dict[str, str]) -> None:
    """Tell MLflow *params* of a run."""
    from mlflow.entities import Param

    items = list(params.items())
    for start in range(0, len(items), MOST_PARAMS):
        client.log_batch(run.id, params=[Param(*item) for item in items[start : start + MOST_PARAMS]])
    run.params.update(params)
