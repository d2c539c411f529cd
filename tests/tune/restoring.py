"""What the tests of restoring share: experiments, and ways to break them off."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from luthier import tune
from luthier.core import events as ev
from luthier.tune.past import events_of


def inline(storage: Path, **more: Any) -> tune.RunConfig:
    return tune.RunConfig(**{"storage_path": storage, "verbose": 0, "executor": "inline", "name": "e", **more})


def cut(source: str | Path, target: Path, records: int) -> Path:
    """Copy an experiment as it was when its driver was killed after so many records."""
    shutil.copytree(source, target)
    (segment,) = (target / "events").glob("events-*.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[:records]))
    return target


def length(path: str | Path) -> int:
    (segment,) = (Path(path) / "events").glob("events-*.jsonl")
    return len(segment.read_bytes().splitlines())


def events(path: str | Path, *kinds: type[ev.Event]) -> list[Any]:
    return [event for event in events_of(str(path)) if not kinds or isinstance(event, kinds)]


def stepping(config):
    """Ten steps, a checkpoint each; goes on where it was."""
    import json
    import tempfile

    checkpoint = tune.get_checkpoint()
    step = 0
    if checkpoint is not None:
        with checkpoint.as_directory() as folder:
            step = json.loads(Path(folder, "step.json").read_text())["step"]
    while step < config.get("steps", 10):
        step += 1
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "step.json").write_text(json.dumps({"step": step}))
            tune.report(
                {"loss": config["x"] + 1 / step, "step": step}, checkpoint=tune.Checkpoint.from_directory(folder)
            )


def told(path: str | Path, key: str = "step") -> dict[str, list[Any]]:
    """Return what was acknowledged: each trial's steps."""
    steps: dict[str, list[Any]] = {}
    for event in events(path, ev.Reported):
        steps.setdefault(event.trial, []).append(event.metrics[key])
    return steps
