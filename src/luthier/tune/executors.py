"""From ``RunConfig(executor=...)`` to the executor."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luthier.execution.base import Executor
    from luthier.tune.blueprint import Blueprint

PATIENCE_S = 600.0  # for a trial that is to be paused, to come to its next report, where no report_timeout_s is given


def executor_of(blueprint: Blueprint, directory: str) -> Executor:
    """Return what runs the trials of *blueprint*, an experiment in *directory*.

    Raises:
        BadArgument: the trainable cannot be pickled.
        LuthierError: a library that this takes is missing, or its cluster cannot be reached.
    """
    run = blueprint.run
    assert run.failure_config is not None  # noqa: S101 (set by RunConfig)
    patience = run.failure_config.report_timeout_s or PATIENCE_S
    reuse = blueprint.tune.reuse_actors
    if run.executor == "inline":
        from luthier.execution.inline import InlineExecutor

        os.environ.update(blueprint.secrets)
        return InlineExecutor(blueprint.trainable, blueprint.capacity, experiment_dir=directory, reuse=reuse)
    if run.executor == "ray":
        from luthier.execution.ray.executor import RayExecutor

        return RayExecutor(
            blueprint.trainable,
            experiment_dir=directory,
            options=run.executor_options,
            reuse=reuse,
            echo=run.echo,
            grace=run.grace_s,
            patience=patience,
            env=blueprint.secrets,
        )
    if run.executor == "dask":
        from luthier.execution.dask.executor import DaskExecutor

        return DaskExecutor(
            blueprint.trainable,
            experiment_dir=directory,
            options=run.executor_options,
            reuse=reuse,
            start=run.start_method,
            echo=run.echo,
            grace=run.grace_s,
            patience=patience,
            start_timeout=run.failure_config.start_timeout_s,
            env=blueprint.secrets,
        )
    from luthier.execution.process import ProcessExecutor

    return ProcessExecutor(
        blueprint.trainable,
        experiment_dir=directory,
        resources=blueprint.capacity,
        reuse=reuse,
        start=run.start_method,
        echo=run.echo,
        grace=run.grace_s,
        patience=patience,
        start_timeout=run.failure_config.start_timeout_s,
        env=blueprint.secrets,
    )
