"""What each scheduler decides in a world that stays the same: a change of mind is a change of this file's goldens.

To record anew after a change that is meant: ``LUTHIER_GOLDEN=write pytest tests/laws/test_golden_decisions.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.simulation.world import World
from tests.laws.policies import SCHEDULERS, SEARCHERS

GOLDEN = Path(__file__).parents[1] / "golden" / "decisions"


def curve(config, step):
    return abs(config["x"] - 0.3) + 1 / step + (0.2 if config["kind"] == 1 and step > 2 else 0)


def told(event):
    match event:
        case ev.Halted(trial, attempt, then, reason, config, restore):
            return f"{trial} {attempt} halted: {then.value}; {reason}; {config} from {restore}"
        case ev.Requeued(trial, config, restore, resources, reason):
            return f"{trial} waits: {reason}; {config} from {restore} with {resources}"
        case ev.Launched(trial, attempt, worker, _, resources, restore):
            return f"{trial} {attempt} launched on {worker} from {restore} with {resources}"
        case ev.Ended(trial, status, reason):
            return f"{trial} ended: {status.value}; {reason}"
        case ev.Paused(trial):
            return f"{trial} paused"
    return None


@pytest.mark.parametrize("name", SCHEDULERS)
def test_it_decides_as_it_did(name):
    limits = Limits(num_trials=12, max_failures=1, max_losses=5, seed=5)
    engine = Engine(limits, SEARCHERS["fixed"](), SCHEDULERS[name](), (Goal("loss", "min"),))
    cost = lambda config, _step: 1 + config["x"]
    world = World(engine, curve, cost, 9, [{"cpu": 2.0, "gpu": 1.0}] * 2, failure_rate=0.03, loss_rate=0.01)
    world.run(reports=400)
    lines = "".join(f"{line}\n" for line in map(told, world.log) if line is not None)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("LUTHIER_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(lines, "utf-8")
    assert lines.count("launched") >= 6
    assert lines == path.read_text("utf-8")
