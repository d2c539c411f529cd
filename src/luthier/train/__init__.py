"""What scripts for ``tune`` import from ``ray.train``: ``from luthier import train, tune``.

Trials are tuned here, models are not trained on many machines: of ``ray.train`` there is what such scripts use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.checkpoints.base import Checkpoint
from luthier.tune.configs import CheckpointConfig, FailureConfig, RunConfig, SyncConfig
from luthier.tune.result import Result
from luthier.worker.context import get_context
from luthier.worker.notices import deprecated
from luthier.worker.session import get_checkpoint
from luthier.worker.session import report as _report

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Checkpoint",
    "CheckpointConfig",
    "FailureConfig",
    "Result",
    "RunConfig",
    "SyncConfig",
    "get_checkpoint",
    "get_context",
    "report",
]


def report(metrics: Mapping[str, Any], *, checkpoint: Checkpoint | None = None) -> None:
    """Report *metrics*, and a *checkpoint* if there is one (the older spelling of ``tune.report``).

    Raises:
        BadArgumentType: *metrics* is no dict, or *checkpoint* no checkpoint.

    >>> def trainable(config):
    ...     report({"loss": config["x"] ** 2})
    """
    deprecated("train.report({...})", "tune.report({...})", stacklevel=4)
    _report(metrics, checkpoint=checkpoint)
