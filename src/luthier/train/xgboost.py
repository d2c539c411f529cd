"""XGBoost in a trial, as scripts for ``ray.train`` name it."""

from __future__ import annotations

from luthier.tune.integration.xgboost import TuneReportCheckpointCallback as RayTrainReportCallback

__all__ = ["RayTrainReportCallback"]
