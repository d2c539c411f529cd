"""Reads a ``.wandb`` file: the client's own records, in the blocks of a LevelDB log, each with its checksum."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK, _HEAD = 32768, 7
_FULL, _FIRST, _LAST = 1, 2, 4


@dataclass
class Recorded:
    """What one file says of its run."""

    run_id: str = ""
    name: str = ""
    group: str = ""
    project: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    preempting: bool = False
    tags: list[str] = field(default_factory=list)
    job_type: str = ""
    artifacts: list[str] = field(default_factory=list)

    def column(self, name: str) -> list[Any]:
        """Return the values that *name* has, row by row."""
        return [row[name] for row in self.rows if name in row]


def read(path: Path) -> Recorded:
    """Return what the file at *path* says.

    Raises:
        ValueError: it is damaged, or cut short.
    """
    from wandb.proto import wandb_internal_pb2 as pb

    told = Recorded()
    for text in _records(path.read_bytes()):
        record = pb.Record()  # type: ignore[attr-defined]  # made by protobuf
        record.ParseFromString(text)
        match record.WhichOneof("record_type"):
            case "run":
                told.run_id, told.name = record.run.run_id, record.run.display_name
                told.group, told.project = record.run.run_group, record.run.project
                told.tags, told.job_type = list(record.run.tags), record.run.job_type
                _take(record.run.config.update, told.config)
            case "config":
                _take(record.config.update, told.config)
            case "history":
                told.rows.append(_take(record.history.item, {}))
            case "summary":
                _take(record.summary.update, told.summary)
            case "exit":
                told.exit_code = record.exit.exit_code
            case "preempting":
                told.preempting = True
            case "artifact":
                told.artifacts.append(record.artifact.name)
    told.config.pop("_wandb", None)
    return told


def runs_below(directory: Path | str) -> list[Recorded]:
    """Return what all the files below *directory* say, each of them for itself, the older ones first."""
    paths = sorted(Path(directory).glob("**/wandb/offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns)
    return [read(path) for path in paths]


def _take(items: Any, into: dict[str, Any]) -> dict[str, Any]:
    for item in items:
        keys = list(item.nested_key) or [item.key]
        place = into
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = json.loads(item.value_json)
    return into


def _records(text: bytes) -> Iterator[bytes]:
    if text[:4] != b":W&B":
        raise ValueError("this is no .wandb file")
    at, held = 7, b""
    while at + _HEAD <= len(text):
        if _BLOCK - at % _BLOCK < _HEAD:  # too little is left of this block for another head
            at += _BLOCK - at % _BLOCK
            continue
        checksum, size, kind = struct.unpack("<IHB", text[at : at + _HEAD])
        if not size and not kind:
            break
        part = text[at + _HEAD : at + _HEAD + size]
        if len(part) != size or zlib.crc32(bytes([kind]) + part) != checksum:
            raise ValueError(f"the record at byte {at} is damaged")
        held = part if kind in (_FULL, _FIRST) else held + part
        if kind in (_FULL, _LAST):
            yield held
        at += _HEAD + size
