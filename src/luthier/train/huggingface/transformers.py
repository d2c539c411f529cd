"""Transformers in a trial, as scripts for ``ray.train`` name it."""

from __future__ import annotations

from typing import TypeVar

from luthier.tune.integration.transformers import TuneReportCheckpointCallback as RayTrainReportCallback

__all__ = ["RayTrainReportCallback", "prepare_trainer"]

T = TypeVar("T")


def prepare_trainer(trainer: T) -> T:
    """Return *trainer* as it is: there is nothing to prepare where it trains in its trial's own process.

    >>> prepare_trainer("any trainer")
    'any trainer'
    """
    return trainer
