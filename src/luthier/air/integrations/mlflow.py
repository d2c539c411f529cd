"""MLflow, at the path that scripts import it from."""

from __future__ import annotations

from luthier.tune.logger.mlflow import MLflowLoggerCallback, setup_mlflow

__all__ = ["MLflowLoggerCallback", "setup_mlflow"]
