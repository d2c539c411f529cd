"""The older way to report: ``from luthier.air import session``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.worker.context import get_context, get_trial_dir, get_trial_id, get_trial_name, get_trial_resources
from luthier.worker.notices import deprecated
from luthier.worker.session import get_checkpoint
from luthier.worker.session import report as _report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luthier.checkpoints.base import Checkpoint

__all__ = [
    "get_checkpoint",
    "get_experiment_name",
    "get_trial_dir",
    "get_trial_id",
    "get_trial_name",
    "get_trial_resources",
    "report",
]


def report(metrics: Mapping[str, Any], *, checkpoint: Checkpoint | None = None) -> None:
    """Report *metrics*, and a *checkpoint* if there is one (the older spelling of ``tune.report``).

    Raises:
        BadArgumentType: *metrics* is no dict, or *checkpoint* no checkpoint.

    >>> def trainable(config):
    ...     report({"loss": config["x"] ** 2})
    """
    deprecated("session.report({...})", "tune.report({...})", stacklevel=4)
    _report(metrics, checkpoint=checkpoint)


def get_experiment_name() -> str | None:
    """Return the experiment's name (the older spelling of ``get_context().get_experiment_name()``)."""
    return get_context().get_experiment_name()
