"""Trainings that go on from their checkpoints, and what must hold of an experiment that they made."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from luthier import tune
from luthier.core import events as ev
from luthier.tune.past import events_of

if TYPE_CHECKING:
    from luthier.core.terms import Ref

LEASE_S = 2.0  # an experiment whose driver was killed is taken over from another machine so much later


def stepping(config):
    """Report so many steps, each with a checkpoint that says how far it is."""
    checkpoint, done = tune.get_checkpoint(), 0
    if checkpoint is not None:
        with checkpoint.as_directory() as folder:
            done = json.loads(Path(folder, "state", "step.json").read_text())
    for step in range(done + 1, config["steps"] + 1):
        time.sleep(config.get("pause", 0.0))
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "state").mkdir()
            Path(folder, "state", "step.json").write_text(json.dumps(step))
            Path(folder, "weights").write_bytes(bytes(config.get("size", 100)))
            tune.report({"step": step, "from": done}, checkpoint=tune.Checkpoint.from_directory(folder))


def tuner(storage, *, trainable=stepping, steps=5, trials=2, name="run", executor="process", pause=0.0, **run):
    run.setdefault("checkpoint_config", tune.CheckpointConfig(num_to_keep=1))
    run.setdefault("sync_config", tune.SyncConfig(sync_timeout=60, upload_period_s=0.1, lease_s=LEASE_S))
    return tune.Tuner(
        trainable,
        param_space={"steps": steps, "pause": pause, "x": tune.grid_search(list(range(trials)))},
        run_config=tune.RunConfig(name=name, storage_path=storage, verbose=0, executor=executor, **run),
    )


def assert_complete(directory, *, trials, steps):
    """Every trial ended, every step is there once or more, in order, and none was left out."""
    seen: dict[str, list[int]] = {}
    for event in events_of(str(directory)):
        if isinstance(event, ev.Reported):
            seen.setdefault(event.trial, []).append(event.metrics["step"])
    assert len(seen) == trials
    for told in seen.values():
        assert told[-1] == steps
        assert sorted(set(told)) == list(range(1, steps + 1))


def assert_sound(remote, tmp_path):
    """What *remote* says of itself holds: each checkpoint that its log still needs is there wholly."""
    from luthier.checkpoints.remote import fetch, marker_of
    from luthier.store.fetch import fetch as fetch_log

    copy = tmp_path / f"copy-{time.monotonic_ns()}"
    fetch_log(remote, str(copy))
    needed: dict[Ref, None] = {}
    for event in events_of(str(copy)):
        if isinstance(event, ev.Reported | ev.Exited) and event.checkpoint is not None:
            needed[event.checkpoint] = None
        elif isinstance(event, ev.Forgotten):
            needed.pop(event.checkpoint, None)
    for ref in needed:
        if not fetch(ref, str(copy), remote):
            # A checkpoint may have been forgotten since the log was read; then the log says so by now.
            again = tmp_path / f"copy-{time.monotonic_ns()}"
            fetch_log(remote, str(again))
            gone = {e.checkpoint for e in events_of(str(again)) if isinstance(e, ev.Forgotten)}
            assert ref in gone, f"{marker_of(ref)} is not there"
    return len(needed)
