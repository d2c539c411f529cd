"""``wandb.controller``: W&B's own client says what is tried.

Its search is in a package of its own, ``sweeps``, which wants an older numpy than the rest: what the client needs of it
stands in the test.
"""

from __future__ import annotations

import pytest

from tests.server.wandb.conftest import wait_for
from tests.server.wandb.test_sweeps import TRAIN, runs_of

SWEEPS = """
import enum

class RunState(enum.Enum):
    pending, running, preempting, finished, killed, failed = (
        "pending", "running", "preempting", "finished", "killed", "failed")

class SweepConfig(dict):
    pass

class SweepRun:
    early_terminate_info = None
    def __init__(self, config, name=None, state=None, stopped=False, shouldStop=False, summaryMetrics=None, **more):
        self.name, self.state, self.config, self.more = name, state, config, more
        self.stopped, self.should_stop, self.summary_metrics = stopped, shouldStop, summaryMetrics or {}

def schema_violations_from_proposed_config(config):
    return []

def next_run(config, runs):
    tried = [run.config["lr"]["value"] for run in runs]
    left = [x for x in config["parameters"]["lr"]["values"] if x not in tried]
    return SweepRun(config={"lr": {"value": left[0]}}) if left else None

def stop_runs(config, runs):
    return []
"""
CONTROL = """
import pathlib, wandb
points = {"lr": {"values": [3, 5]}}
config = {"method": "grid", "program": "train.py", "parameters": points, "controller": {"type": "local"},
          "metric": {"name": "loss", "goal": "minimize"}}
sweep = wandb.sweep(config, project="local")
pathlib.Path("sweep.tmp").write_text(sweep)
pathlib.Path("sweep.tmp").rename("sweep.txt")
wandb.controller(sweep, project="local").run(verbose=True)
"""


@pytest.mark.slow
def test_a_local_controller_drives_a_sweep(place):
    (place.directory / "train.py").write_text(TRAIN)
    (place.directory / "sweeps.py").write_text(SWEEPS)
    controller = place.start("-c", CONTROL)
    noted = place.directory / "sweep.txt"
    wait_for(noted.exists)
    sweep = noted.read_text()
    agent = place.start("-m", "wandb", "agent", f"luthier/local/{sweep}")
    printed = place.ended(controller)
    place.ended(agent)
    told, runs = runs_of(place, sweep)
    assert told["state"] == "FINISHED", printed
    assert [(run["config"]["lr"], run["state"]) for run in runs] == [(3, "finished"), (5, "finished")], printed
    assert "Schedule (lr=5)" in printed
