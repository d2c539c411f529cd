"""The driver dies by SIGKILL at a random moment: nothing acknowledged is lost, and nothing of it survives."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from luthier.core import events as ev
from luthier.core.state import ExperimentState, evolve
from luthier.tune.past import Past, events_of
from tests.crash.storm import marked

DRIVER = Path(__file__).with_name("driver.py")


def test_nothing_acknowledged_is_lost_and_nothing_survives(request, tmp_path):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    totals = {"acknowledged": 0, "in the log": 0, "torn": 0}
    for number in range(min(request.config.getoption("--rounds"), 20)):  # the storm does the rest
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, count in one_round(folder, chance.uniform(0.15, 2.0), reuse=number % 2 == 1).items():
            totals[name] += count
    print(totals)
    assert totals["acknowledged"] > 0


def one_round(folder: Path, delay: float, *, reuse: bool) -> dict[str, int]:
    acknowledged = folder / "acknowledged"
    marker = f"luthier-crash-{folder}"
    env = {**os.environ, "ACKNOWLEDGED": str(acknowledged), "CRASH_MARKER": marker}
    driver = subprocess.Popen(
        [sys.executable, str(DRIVER), str(folder), "reuse" if reuse else "fresh"], env=env, stderr=subprocess.PIPE
    )
    time.sleep(delay)
    if driver.poll() is not None:
        raise AssertionError(driver.communicate()[1].decode())
    driver.send_signal(signal.SIGKILL)
    driver.communicate()

    deadline = time.monotonic() + 5
    while left := marked(marker):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.02)

    lines = acknowledged.read_text().splitlines() if acknowledged.exists() else []
    experiment = folder / "killed"
    if not (experiment / "experiment.json").exists():  # killed before it began
        assert lines == []
        return {"acknowledged": 0, "in the log": 0, "torn": 0}
    logged = {(e.trial, e.metrics["step"]) for e in events_of(str(experiment)) if isinstance(e, ev.Reported)}
    told = {(trial, int(step)) for trial, step in (line.split() for line in lines)}
    assert told <= logged
    assert len(logged - told) <= 2  # what was in the air, one report for each trial
    state = ExperimentState()
    for event in events_of(str(experiment)):
        evolve(state, event)
    assert Past(experiment).experiment.trials.keys() == state.trials.keys()
    return {"acknowledged": len(told), "in the log": len(logged), "torn": len(torn(experiment))}


def torn(experiment: Path) -> tuple[object, ...]:
    from luthier.store.jsonl import JsonlStore

    store = JsonlStore(experiment, readonly=True)
    for _ in store.read():
        pass
    return store.torn
