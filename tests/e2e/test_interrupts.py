"""Ctrl-C and SIGTERM, on a real script."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from luthier import tune
from luthier.tune.past import Past

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import os, time
from typing import TYPE_CHECKING

from luthier import tune

def slow(config):
    step = 0
    while True:
        step += 1
        time.sleep(0.02)
        tune.report({"step": step})

grid = tune.Tuner(slow, tune_config=tune.TuneConfig(num_samples=4),
                  run_config=tune.RunConfig(name="slow")).fit()
print("after:", len(grid), [r.metrics.get("step", 0) > 0 for r in grid][:1])
"""
STUBBORN = """
import time
from typing import TYPE_CHECKING

from luthier import tune

def stubborn(config):
    tune.report({"step": 0})
    while True:
        time.sleep(0.05)

tune.Tuner(stubborn, run_config=tune.RunConfig(name="slow", grace_s=60)).fit()
"""


def start(script: str, storage: Path) -> subprocess.Popen[str]:
    env = {**os.environ, "LUTHIER_STORAGE_PATH": str(storage), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while not any(storage.glob("slow/slow_*/result.json")) and not any(storage.glob("slow/stubborn_*/result.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    process = start(SCRIPT, tmp_path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "after: " in out
    assert re.search(r"Interrupted .*", out)
    command = re.search(r"Tuner\.restore\('(.*)', trainable\)\.fit\(\)", out)
    assert command
    past = Past(command[1])
    steps = [t.metrics["step"] for t in past.experiment.trials.values() if t.metrics]
    assert steps
    assert all(t.status.value == "pending" for t in past.experiment.trials.values())

    def slow(config):
        tune.report({"step": -1})

    grid = tune.Tuner.restore(command[1], slow).fit()
    assert (len(grid), grid.num_terminated) == (4, 4)
    assert [result.metrics["step"] for result in grid] == [-1] * 4


def test_ctrl_c_twice_ends_at_once(tmp_path):
    process = start(STUBBORN, tmp_path)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None  # it waits for the trial to let go
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode != 0
    assert [t.metrics["step"] for t in Past(tmp_path / "slow").experiment.trials.values()] == [0]


def test_sigterm_saves_too(tmp_path):
    process = start(SCRIPT, tmp_path)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Tuner.restore" in out
    assert "after:" not in out


def test_fit_works_in_a_thread(tmp_path):
    import threading

    results = []

    def objective(config):
        return {"loss": 1.0}

    def fit():
        results.append(tune.Tuner(objective, run_config=tune.RunConfig(storage_path=tmp_path, verbose=0)).fit())

    thread = threading.Thread(target=fit)
    thread.start()
    thread.join(60)
    assert results[0][0].metrics["loss"] == 1.0
