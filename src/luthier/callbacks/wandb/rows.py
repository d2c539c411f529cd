"""What W&B is told of results and configs: only what it can show."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from luthier.store.values import Opaque

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

ABOUT_THE_TRIAL = ("trial_id", "experiment_tag", "node_ip", "hostname", "pid")  # they go with the config
UNTOLD = frozenset({*ABOUT_THE_TRIAL, "date", "done", "should_checkpoint", "checkpoint_dir_name", "config"})
_PLAIN = (bool, int, float, str)
_LONGEST = 1000  # numbers of a list that are told
_IMAGE, _IMAGES, _VIDEOS = 3, 4, 5  # axes of an array
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_DEEPEST = 20


def flat(nested: Mapping[Any, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values in *nested*, under their names joined by ``/``.

    >>> dict(flat({"a": 1, "b": {"c": 2}}))
    {'a': 1, 'b/c': 2}
    """
    for name, value in nested.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{before}{name}/")
        else:
            yield f"{before}{name}", value


def row_of(metrics: Mapping[str, Any], excludes: Collection[str] = (), **media: Any) -> dict[str, Any]:
    """Return *metrics* as a row of a run's history.

    Numbers, texts and lists of numbers are told; arrays of three axes as images, of five as videos.  A name in
    *excludes* stands for all that is below it, too.

    >>> row_of({"loss": 0.5, "done": False, "layers": {"a": 1}, "model": object()}, ["layers"])
    {'loss': 0.5}
    """
    row: dict[str, Any] = {}
    for name, value in flat({name: value for name, value in metrics.items() if name not in UNTOLD}):
        if excludes and any(name == other or name.startswith(f"{other}/") for other in excludes):
            continue
        if isinstance(value, _PLAIN) or (shown := _shown(value, **media)) is not None:
            row[name] = value if isinstance(value, _PLAIN) else shown
    return row


def config_of(config: Mapping[Any, Any]) -> dict[str, Any]:
    """Return *config* as JSON can say it; what JSON cannot say becomes a text.

    >>> config_of({"lr": 0.1, 3: (1, {2}), "f": int, "worst": float("inf")})
    {'lr': 0.1, '3': [1, [2]], 'f': "<class 'int'>", 'worst': 'inf'}
    """
    return {str(name): _sayable(value, 0) for name, value in config.items()}


def _sayable(value: Any, depth: int) -> Any:
    if value is None or type(value) in _PLAIN:
        return value if type(value) is not float or math.isfinite(value) else str(value)  # W&B makes None of that
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, dict):
        return {str(name): _sayable(part, depth + 1) for name, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [_sayable(part, depth + 1) for part in value]
        return sorted(parts, key=str) if isinstance(value, (set, frozenset)) else parts
    if isinstance(value, Opaque):
        return _ADDRESS.sub("", value.shows) or f"<{value.type}>"
    if hasattr(value, "tolist") and getattr(value, "size", _LONGEST + 1) <= _LONGEST:
        return _sayable(value.tolist(), depth + 1)
    try:
        return _ADDRESS.sub("", str(value))[:_LONGEST]
    except Exception:  # noqa: BLE001 (somebody's own __str__)
        return f"<{type(value).__module__}.{type(value).__qualname__}>"


def _shown(value: Any, **media: Mapping[str, Any]) -> Any:
    """Return what W&B can show of *value*, or None."""
    if isinstance(value, (list, tuple)):
        plain = len(value) <= _LONGEST and all(isinstance(part, (int, float)) for part in value)
        return list(value) if value and plain else None
    axes, size = getattr(value, "ndim", None), getattr(value, "size", 0)
    if axes is None or not hasattr(value, "tolist"):
        return None
    if axes >= _IMAGE:
        return _seen(value, axes, **media)
    if size == 1:
        return value.item()
    return value.tolist() if axes == 1 and value.dtype.kind in "biuf" and 0 < size <= _LONGEST else None


def _seen(value: Any, axes: int, image: Mapping[str, Any] | None = None, video: Mapping[str, Any] | None = None) -> Any:
    """Return an array of that many *axes* as what can be looked at, or None."""
    import wandb

    try:
        if axes == _IMAGE:
            return wandb.Image(value, **(image or {}))
        if axes == _IMAGES:
            return [wandb.Image(one, **(image or {})) for one in value]
        return [wandb.Video(one, **(video or {})) for one in value] if axes == _VIDEOS else None
    except Exception:  # noqa: BLE001 (no picture after all, or a library for it is missing: the numbers count)
        return None


def later_step(iteration: object, last: int) -> int:
    """Return the step of the next row: the training iteration, or where that has gone back the step after *last*.

    W&B drops rows whose step is not above the last one.

    >>> later_step(7, 3), later_step(3, 7), later_step(None, 7)
    (7, 8, 8)
    """
    if isinstance(iteration, (int, float)) and math.isfinite(iteration) and last < iteration < 1 << 53:
        return int(iteration)
    return last + 1
