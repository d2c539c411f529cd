"""The script of the pages on sweeps of Ray Tune, with only its imports changed, on a server with three agents."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from luthier.core import events as ev
from luthier.core.terms import Outcome, TrialId, WorkerId
from luthier.server.planning import Plan
from luthier.sweeps.client import Client
from luthier.sweeps.read import read
from tests.sweeps.config.test_seed_tables import SCRIPT

TRAIN = """
import argparse, time

import luthier

arguments = argparse.ArgumentParser()
arguments.add_argument("--width", type=float)
arguments.add_argument("--height", type=float)
arguments.add_argument("--activation")
given = arguments.parse_args()
for step in range(3):
    luthier.log({"mean_loss": (0.1 + given.width * step / 100) ** -1 + given.height * 0.1})
    time.sleep(0.1)
"""


@pytest.fixture
def server(tmp_path):
    ready = tmp_path / "ready.json"
    place = ["--database-url", f"sqlite:///{tmp_path}/server.db", "--files", str(tmp_path / "files")]
    command = [sys.executable, "-m", "luthier", "server", "--port", "0", *place, "--ready-file", str(ready)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not ready.exists():
            assert process.poll() is None, "the server did not start"
            time.sleep(0.02)
        yield json.loads(ready.read_text())["url"]
    finally:
        process.terminate()
        process.wait(20)


def test_the_pages_script_runs_and_three_agents_complete_its_runs(server, tmp_path):
    (tmp_path / "train.py").write_text(TRAIN)
    environment = {**os.environ, "LUTHIER_SERVER": server}
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, check=True, timeout=60)
    assert read((tmp_path / "sweep-hyperopt.yaml").read_text()).search.name == "hyperopt"
    with Client(server) as client:
        (sweep,) = client.sweeps()
        agent = [sys.executable, "-m", "luthier", "agent", sweep["id"], "--quiet"]
        agents = [subprocess.Popen(agent, cwd=tmp_path, env=environment) for _ in range(3)]
        assert [process.wait(100) for process in agents] == [0, 0, 0]
        found = client.sweep(sweep["id"])
        runs = client.runs(sweep["id"])["rows"]
    assert (found["state"], found["counts"]) == ("FINISHED", {"finished": 10})
    points = {(row["config/width"], row["config/height"], row["config/activation"]) for row in runs}
    assert len(points) == 10, "each proposal is a new one"
    assert all(0 <= width <= 20 and -100 <= height <= 100 for width, height, _ in points)
    assert {activation for _, _, activation in points} <= {"relu", "tanh"}
    assert all(row["rows"] == 3 for row in runs)
    assert len({row["agent_id"] for row in runs}) == 3, "each agent had its share"


def proposed_after(spec, values):
    """Return the config that is proposed once the runs before it have reported *values*, one each."""
    engine = Plan(spec, "abcd1234", 3).engine()
    engine.handle(ev.WorkerJoined(WorkerId("w"), {"slot": 1}))
    for number, value in enumerate(values):
        trial = TrialId(f"abcd1234_{number:05d}")
        engine.handle(ev.Reported(trial, 1, 0, {"mean_loss": value}))
        engine.handle(ev.Exited(trial, 1, Outcome.FINISHED))
    return engine.experiment.trials[TrialId(f"abcd1234_{len(values):05d}")].config


def test_proposals_of_hyperopt_use_all_results():
    """Each result alone, had it been the best of all (the worst where it is good), would have led elsewhere."""
    made: dict[str, object] = {}
    exec(SCRIPT.partition("# Save")[0], made)
    spec = read(str(made["tune_config"]).replace("num_samples: 10", "num_samples: 40"))
    values = [float(n * 7 % 25) for n in range(25)]
    proposed = proposed_after(spec, values)
    assert proposed_after(spec, values) == proposed
    for n, value in enumerate(values):
        other = [*values[:n], 1e6 if value < 2 else -1e6, *values[n + 1 :]]
        assert proposed_after(spec, other) != proposed, n
