"""MLflow, at Ray Tune's older path, and the older way to have a run in a trial."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from luthier.core.errors import BadArgument
from luthier.tune.logger.mlflow import MLflowLoggerCallback, setup_mlflow

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MLflowLoggerCallback", "mlflow_mixin", "setup_mlflow"]

T = TypeVar("T", bound="Callable[..., Any]")


def mlflow_mixin(func: T) -> T:
    """Have an MLflow run in each trial of a function or a ``Trainable`` class: ``mlflow.log_metric`` works inside.

    ``config["mlflow"]`` says where: the arguments of :func:`setup_mlflow`.  The rest of the config are its parameters.

    Raises:
        BadArgument: a config has no ``"mlflow"``.

    >>> @mlflow_mixin
    ... def train(config):
    ...     import mlflow
    ...     mlflow.log_metric("loss", config["lr"])
    """
    if inspect.isclass(func):
        setup = func.setup  # type: ignore[attr-defined]  # of a Trainable

        def begin(self: Any, config: dict[str, Any]) -> None:
            _begin(config)
            setup(self, config)

        return type(func.__name__, (func,), {"setup": begin, "__module__": func.__module__})  # type: ignore[return-value]

    @functools.wraps(func)
    def wrapped(config: dict[str, Any], *more: Any, **named: Any) -> Any:
        _begin(config)
        return func(config, *more, **named)

    return wrapped  # type: ignore[return-value]


def _begin(config: dict[str, Any]) -> None:
    given = config.get("mlflow")
    if not isinstance(given, dict):
        raise BadArgument("config['mlflow']", given, "a dict with the arguments of setup_mlflow, e.g. tracking_uri")
    params = {name: value for name, value in config.items() if name != "mlflow"}
    setup_mlflow(params, **{"create_experiment_if_not_exists": True, **given})
