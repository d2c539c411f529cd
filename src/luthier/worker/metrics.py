"""Metrics as they are reported: plain Python values of the trial's own, under names that are strings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import NotStorable
from luthier.store.values import to_json
from luthier.worker.notices import warn_once

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGE = 1 << 20  # bytes from which a metric is worth a word
_ATOMS = frozenset({float, int, bool, type(None)})
_NAMES = frozenset({str})


def plain(metrics: Mapping[Any, Any]) -> dict[str, Any]:
    """Return *metrics* with numpy scalars and 0-d tensors as Python numbers, in dicts and lists of their own.

    Arrays stay arrays (copied); names that are no strings become strings, at every depth of dicts.

    Raises:
        NotStorable: a value can neither be written as plain data nor be pickled; the text names it.

    >>> import numpy as np
    >>> plain({"loss": np.float32(0.5), "by_class": {0: np.int64(3)}})
    {'loss': 0.5, 'by_class': {'0': 3}}
    """
    if _ATOMS.issuperset(map(type, metrics.values())) and _NAMES.issuperset(map(type, metrics)):
        return dict(metrics)
    return {
        str(name): value if type(value) in _ATOMS else _not_endless(value, str(name)) for name, value in metrics.items()
    }


def is_scalar(value: object) -> bool:
    """Whether *value* is a number, or a 0-d array or tensor that holds one."""
    if isinstance(value, int | float):
        return True
    return not isinstance(value, str | bytes) and _dimensions(value) == 0 and hasattr(value, "item")


def _dimensions(value: object) -> int | None:
    shape = getattr(value, "shape", None)
    return len(shape) if isinstance(shape, tuple) else None  # torch.Size is a tuple


def _not_endless(value: Any, path: str) -> Any:
    try:
        return _plain(value, path)
    except RecursionError:
        raise NotStorable(
            f"the metric {path!r} cannot be stored: it is nested too deeply, or holds itself. Give a number or a text."
        ) from None


def _plain(value: Any, path: str) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is str or kind is bytes:
        return _weighed(value, len(value), path)
    if isinstance(value, float):  # a number of a class of somebody's own: where it cannot be told, it fails here
        return float(value)
    if isinstance(value, dict):
        return {str(name): _plain(inner, f"{path}/{name}") for name, inner in value.items()}
    if kind is list or kind is tuple:
        return kind([_plain(inner, path) for inner in value])
    if _dimensions(value) == 0 and hasattr(value, "item"):
        number = value.item()
        return number if type(number) is not kind else float(number)  # a long double gives itself
    if kind.__module__ == "numpy" and hasattr(value, "nbytes") and value.dtype.kind in "biufcSUmM":
        return _weighed(value.copy(), value.nbytes, path)
    written = to_json(value, ("metrics", path))  # fails here and now, in the trial, if it cannot be stored
    if isinstance(written, dict) and isinstance(written.get("v"), str):
        _weighed(value, len(written["v"]), path)
    return value


def _weighed(value: Any, size: int, path: str) -> Any:
    if size > LARGE:
        warn_once(
            f"large metric: {path}",
            f"the metric {path!r} has {size / LARGE:.1f} MiB; every report of it is stored. "
            "Put what is large into a checkpoint: report({...}, checkpoint=Checkpoint.from_directory(...))",
            stacklevel=5,
        )
    return value
