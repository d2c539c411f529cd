"""What the tests here share: real processes, killed in the middle and restored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from luthier import tune
from luthier.core import events as ev
from luthier.tune.past import events_of

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import sys, time
from luthier import tune
{imports}

def train(config):
    time.sleep(0.05)
    tune.report({{"loss": config["x"], "size": -config["x"]}})

space = {{"x": tune.uniform(0, 1), "model": tune.choice(["a", {{"depth": tune.randint(1, 9)}}])}}
tune.Tuner(
    train,
    param_space=space,
    tune_config=tune.TuneConfig({goals}, num_samples=24, search_alg={search}, seed=5, max_concurrent_trials=2),
    run_config=tune.RunConfig(storage_path=sys.argv[1], name="e", verbose=0),
).fit()
"""


def train(config):
    tune.report({"loss": config["x"], "size": -config["x"]})


def killed_in_the_middle(storage: Path, imports: str, search: str, goals: str = "metric='loss', mode='min'") -> Path:
    """Start an experiment of 24 trials, two at a time, and kill its driver after some of them."""
    script = SCRIPT.format(imports=imports, search=search, goals=goals)
    driver = subprocess.Popen([sys.executable, "-c", script, str(storage)], start_new_session=True)
    experiment, deadline = storage / "e", time.monotonic() + 60
    try:
        while len(list(experiment.glob("train_*/result.json"))) < 9:
            assert driver.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    return experiment


def restored(experiment: Path) -> Any:
    """Go on with it in this process, and return the searcher that its last engine had."""
    grid = tune.Tuner.restore(str(experiment), train, run_config=tune.RunConfig(verbose=0)).fit()
    assert len(grid) == 24 and not grid.errors
    ended = [event.trial for event in events_of(str(experiment)) if isinstance(event, ev.Ended)]
    assert len(ended) == len(set(ended)) == 24
    return grid
