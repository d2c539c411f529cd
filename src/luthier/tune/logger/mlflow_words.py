"""What MLflow lets names, values and tags be."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from luthier.core.goal import number
from luthier.tune.logger.tracked import written

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NAME, LONGEST_VALUE = 250, 6000  # MLflow's own limits
MOST_METRICS, MOST_PARAMS = 1000, 100  # in one request
_PASSING = frozenset({"INTERNAL_ERROR", "REQUEST_LIMIT_EXCEEDED", "TEMPORARILY_UNAVAILABLE"})
_REFUSED = re.compile(r"[^\w.\- :/]")


def name_of(given: object) -> str:
    """Return *given* as the name of a metric, parameter or tag.

    >>> [name_of("loss/train"), name_of("a@b"), name_of("//a/../b"), name_of("")]
    ['loss/train', 'a_b', 'a/_/b', '_']
    """
    parts = [part for part in _REFUSED.sub("_", str(given)).split("/") if part]
    return "/".join("_" if set(part) <= {"."} else part for part in parts)[:LONGEST_NAME].rstrip("/") or "_"


def tags_of(given: Mapping[Any, Any]) -> dict[str, str]:
    """Return *given* as tags.

    >>> tags_of({"team": 7})
    {'team': '7'}
    """
    return {name_of(name): written(value, LONGEST_VALUE) for name, value in given.items()}


def params_of(config: dict[str, Any]) -> dict[str, str]:
    """Return a flattened *config* as parameters.

    >>> params_of({"model/lr": 0.1, "layers": (1, 2)})
    {'model/lr': '0.1', 'layers': '(1, 2)'}
    """
    return {name_of(name): written(value, LONGEST_VALUE) for name, value in config.items()}


def metrics_of(values: dict[str, float]) -> dict[str, float]:
    """Return *values* as metrics: no number is larger than what a database holds."""
    largest = 1.7976931348623157e308
    return {
        name_of(name): math.copysign(largest, value) if math.isinf(value) else value for name, value in values.items()
    }


def changes(before: dict[str, str], now: dict[str, Any]) -> tuple[dict[str, str], dict[str, str], dict[str, float]]:
    """Return what to say about a trial that goes on with the config *now*: MLflow's parameters never change.

    Args:
        before: the parameters that MLflow has.
        now: the flattened config.

    Returns:
        New parameters, tags for those that have changed (``config/lr``), and metrics for the numbers among these.

    >>> changes({"lr": "0.1"}, {"lr": 0.2, "new": 1})
    ({'new': '1'}, {'config/lr': '0.2'}, {'config/lr': 0.2})
    """
    params = params_of(now)
    new = {name: value for name, value in params.items() if name not in before}
    changed = {name: value for name, value in params.items() if before.get(name, value) != value}
    numbers = {name_of(name): found for name, value in now.items() if (found := number(value)) is not None}
    tags = {name_of(f"config/{name}"): value for name, value in changed.items()}
    return new, tags, {name_of(f"config/{name}"): numbers[name] for name in changed if name in numbers}


def passes(error: Exception) -> bool:
    """Return whether what MLflow raised may go away by itself: a server or a database that is not to be reached.

    >>> passes(ConnectionError("refused")), passes(ValueError("no such metric"))
    (True, False)
    """
    code = getattr(error, "error_code", None)
    if isinstance(code, str):
        return code in _PASSING
    return isinstance(error, OSError) or type(error).__name__ in ("OperationalError", "DatabaseError")
