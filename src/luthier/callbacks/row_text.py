"""Result rows as lines of JSON and as cells of a table, encoded once and quickly.

A line says what :func:`luthier.store.rows.result_row` says.  What is the same in all rows of an attempt (trial, tag,
config) is encoded once and spliced in.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.callbacks.spelling import flat
from luthier.core.goal import number
from luthier.core.native import native, native_dict
from luthier.store.rows import TrialFacts, date, result_row
from luthier.store.values import finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luthier.core.events import Reported

_encode = msgspec.json.Encoder().encode
# Keys that a row gets from us; where a report brings one of them along, its row is made the long way.
_OURS = frozenset({"date", "trial_id", "experiment_tag", "config"})
_NO_CHECKPOINT = b',"checkpoint_dir_name":null}\n'
_UNSPOKEN = (TypeError, ValueError, OverflowError, UnicodeEncodeError, RecursionError)
_LATEST = 1 << 37  # a time that calendars know


def plain(value: Any) -> Any:  # noqa: PLR0911 (one line for each kind of value)
    """Return *value* as JSON can say it: numbers and arrays of numpy as numbers and lists, anything strange as text.

    >>> plain({"a": (1, 2), 3: {4}, "path": object})
    {'a': [1, 2], '3': '{4}', 'path': "<class 'object'>"}
    """
    if native(value):
        return value
    if isinstance(value, dict):
        return {k if type(k) is str else str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, str):
        return str(value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        found = value.tolist()  # numbers of Python's own
        return found if native(found) else plain(found) if isinstance(found, list) else str(found)
    if isinstance(value, (int, float)) and not hasattr(value, "name"):  # their subclasses, but for enums
        return int(value) if isinstance(value, int) else float(value)
    if getattr(value, "ndim", None) == 0:  # a tensor of one number
        found = number(value)
        if found is not None:
            return found
    try:
        return str(value)
    except Exception:  # noqa: BLE001 (a broken __str__ must not cost the row)
        return f"<{type(value).__name__}>"


def json_text(value: Any) -> bytes:
    """Return *value* (as :func:`plain` gives it) as JSON on one line; NaN and infinities as Python's ``json`` has them.

    >>> json_text({"a": 1.5, "b": float("nan")})
    b'{"a":1.5,"b":NaN}'
    """
    try:
        text = _encode(value)
        if b"null" not in text or finite(value):
            return text
    except _UNSPOKEN:
        pass
    return json.dumps(value, separators=(",", ":"), default=str).encode("ascii")


class RowText:
    """Encodes the reports of one attempt.

    >>> from luthier.core.events import Reported
    >>> text = RowText("t0", {"lr": 0.1}, "0_lr=0.1")
    >>> row, cells = text.encode(Reported("t0", 1, 0, {"loss": 0.5, "timestamp": 0}))
    >>> json.loads(row)["config"], cells["loss"]
    ({'lr': 0.1}, 0.5)
    """

    __slots__ = ("_facts", "_fixed", "_names", "_table")

    def __init__(self, trial: str, config: Mapping[str, Any], tag: str) -> None:
        told = plain(dict(config))
        self._facts = TrialFacts(trial, told, tag)  # type: ignore[arg-type]
        fixed = json_text({"trial_id": trial, "experiment_tag": tag, "config": told})
        self._fixed = b'","' + fixed[2:-1]
        self._names: dict[str, str | None] = {"trial_id": trial, "experiment_tag": tag}
        self._table = {**self._names, "checkpoint_dir_name": None, "should_checkpoint": None}

    def encode(self, event: Reported, at: float | None = None) -> tuple[bytes, dict[str, Any]]:
        """Return *event* as a line of JSON and as a flat dict of cells.

        Args:
            event: the report.
            at: when it was stored; only looked at where the report itself does not know.
        """
        metrics = event.metrics
        if not native_dict(metrics):
            metrics = plain(metrics)
        moment = metrics.get("timestamp")
        if (
            (moment.__class__ is not int and moment.__class__ is not float)
            or not 0 <= moment < _LATEST
            or not _OURS.isdisjoint(metrics)
        ):
            return self._long(event, metrics, at)
        saved = metrics.get("checkpoint_dir_name")  # workers say so themselves
        if event.checkpoint is None:
            if saved is not None or "should_checkpoint" in metrics:
                return self._long(event, metrics, at)
            end, table = _NO_CHECKPOINT, self._table
        elif saved == checkpoint_name(event.checkpoint) and metrics.get("should_checkpoint") is True:
            end, table = b"}\n", self._names
        else:
            return self._long(event, metrics, at)
        day = date(moment)
        line = json_text(metrics)[:-1] + b',"date":"' + day.encode() + self._fixed + end
        cells = dict(flat(metrics)) if dict in map(type, metrics.values()) else metrics
        return line, {**cells, "date": day, **table}

    def _long(self, event: Reported, metrics: dict[str, Any], at: float | None) -> tuple[bytes, dict[str, Any]]:
        moment = metrics.get("timestamp")
        known = moment.__class__ in (int, float) and 0 <= moment < _LATEST
        row = result_row(msgspec.structs.replace(event, metrics=metrics), self._facts, None if known else at)
        return json_text(row) + b"\n", cells_of(row)


def checkpoint_name(ref: str) -> str:
    """Return the name of the directory that a checkpoint's reference ends with."""
    return ref.replace("\\", "/").rstrip("/").rpartition("/")[2]


def cells_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as cells: flattened by slashes, without the config, always with both columns about checkpoints."""
    found = dict(flat({name: value for name, value in row.items() if name != "config"}))
    found.setdefault("should_checkpoint", None)
    return found
