"""W&B's own client with sweeps of ours: sweeps, agents, states, and runs that are stopped early."""

from __future__ import annotations

import json

import pytest

from luthier.server.wandb import lookout
from tests.server.wandb.conftest import Place, wait_for

TRAIN = """
import wandb
def train():
    with wandb.init() as run:
        for step in range(3):
            run.log({"loss": run.config.lr * 10 + step})
if __name__ == "__main__":
    train()
"""
BUILT = """
import wandb
from train import train
from luthier.sweeps.config import tune
from luthier.sweeps.config.hyperopt import hp
from luthier.sweeps.config.tune.suggest.hyperopt import HyperOptSearch
from luthier.sweeps.config.tune.schedulers import AsyncHyperBandScheduler
search = HyperOptSearch({"lr": hp.uniform("lr", 1, 2)}, metric="loss", mode="min")
stopping = AsyncHyperBandScheduler(metric="loss", mode="min", max_t=3)
sweep = wandb.sweep(tune.run("train.py", search_alg=search, scheduler=stopping, num_samples=2), project="built")
wandb.agent(sweep, function=train)
print("SWEEP", sweep)
print("BEST", wandb.Api().sweep(f"luthier/built/{sweep}").best_run().summary["loss"])
"""


def runs_of(place, sweep):
    told = place.asked("SweepWithRuns", sweep=sweep, specs='{"keys": ["_step", "loss"]}')["data"]["project"]["sweep"]
    runs = [edge["node"] for edge in told["runs"]["edges"]]
    for run in runs:
        run["config"] = {name: part["value"] for name, part in json.loads(run["config"]).items() if name != "_wandb"}
    return told, runs


def test_a_sweep_built_in_python_is_run_by_an_agent_that_calls_a_function(place):
    (place.directory / "train.py").write_text(TRAIN)
    printed = place.script(BUILT)
    told, runs = runs_of(place, printed.partition("SWEEP ")[2].split()[0])
    assert (told["state"], told["method"], len(runs)) == ("FINISHED", "hyperopt", 2)
    assert f"{place.url}/luthier/built/sweeps/{told['id']}" in printed
    best = min(run["config"]["lr"] for run in runs) * 10 + 2
    assert float(printed.partition("BEST ")[2].split()[0]) == best
    for run in runs:
        assert (run["state"], run["exitcode"]) == ("finished", 0)
        assert 1 <= run["config"]["lr"] <= 2
        assert run["sampledHistory"] == [[{"_step": i, "loss": run["config"]["lr"] * 10 + i} for i in range(3)]]


LONG = """
import time, wandb
run = wandb.init()
for step in range(600 if run.config.x == 1 else 2):
    run.log({"loss": step})
    time.sleep(0.1)
"""
GRID = "program: long.py\nmethod: grid\nmetric: {name: loss}\nparameters: {x: {values: [1, 2]}}\n"


@pytest.mark.slow
def test_a_run_that_is_stopped_makes_room_for_the_next(place, monkeypatch):
    """``wandb agent`` with a bare id; its program is ended by SIGTERM, without a word."""
    monkeypatch.setattr(lookout, "GENTLE_S", 0.0)
    (place.directory / "long.py").write_text(LONG)
    sweep = place.post("/api/v1/sweeps", config=GRID).json()["sweep"]
    agent = place.start("-m", "wandb", "agent", sweep)
    wait_for(lambda: any(run["sampledHistory"][0] for run in runs_of(place, sweep)[1]))
    assert place.post(f"/api/v1/runs/{sweep}_00000/stop").is_success
    printed = place.ended(agent)
    told, runs = runs_of(place, sweep)
    assert [(run["config"]["x"], run["state"]) for run in runs] == [(1, "killed"), (2, "finished")], printed
    assert told["state"] == "FINISHED"
    stopped = place.get(f"/runs/{sweep}_00000")
    assert 0 < stopped["rows"] < 600 and "stopped by" in stopped["reason"]


PARALLEL = """
import pathlib, sys, wandb
from train import train
if len(sys.argv) == 1:
    points = {"lr": {"values": [1, 2, 3, 4, 5, 6]}, "net": {"parameters": {"depth": {"value": 2}}}}
    goal = {"name": "loss", "goal": "minimize"}
    sweep = {"method": "grid", "name": "points", "program": "train.py", "metric": goal, "parameters": points}
    found = wandb.sweep({**sweep, "run_cap": 5}, project="grids")
    pathlib.Path("sweep.tmp").write_text(found)
    pathlib.Path("sweep.tmp").rename("sweep.txt")
else:
    found = sys.argv[1]
wandb.agent(found, function=train)
"""


@pytest.mark.slow
def test_three_agents_share_a_grid_without_a_point_twice(place):
    """Two that call a function and one from the command line; each ends by itself when there is nothing more to do."""
    (place.directory / "train.py").write_text(TRAIN)
    (place.directory / "agent.py").write_text(PARALLEL)
    agents = [place.start("agent.py")]
    noted = place.directory / "sweep.txt"
    wait_for(noted.exists)
    sweep = noted.read_text()
    agents += [place.start("agent.py", sweep), place.start("-m", "wandb", "agent", f"luthier/grids/{sweep}")]
    printed = [place.ended(agent) for agent in agents]
    told, runs = runs_of(place, sweep)
    assert (told["state"], told["displayName"]) == ("FINISHED", "points"), printed
    assert sorted(run["config"]["lr"] for run in runs) == [1, 2, 3, 4, 5], "as many as run_cap says, each once"
    assert {run["state"] for run in runs} == {"finished"}, "\n".join(printed)
    assert all(run["config"]["net"] == {"depth": 2} for run in runs)
    assert place.get(f"/sweeps/{sweep}")["best_value"] == 10.0


EARLY = """
import time, wandb
def train():
    with wandb.init() as run:
        for step in range(150):
            run.log({"loss": run.config.level + 1 / (step + 1)})
            time.sleep(0.1)
halving = {"type": "hyperband", "min_iter": 3, "eta": 2}
sweep = wandb.sweep(
    {"method": "grid", "metric": {"name": "loss"}, "early_terminate": halving,
     "parameters": {"level": {"values": [1.0, 2.0, 3.0]}}}, project="early")
print("SWEEP", sweep)
wandb.agent(sweep, function=train)
"""


@pytest.mark.slow
def test_hyperband_stops_what_is_worse(place):
    printed = place.script(EARLY)
    told, runs = runs_of(place, printed.partition("SWEEP ")[2].split()[0])
    assert told["state"] == "FINISHED"
    assert [run["state"] for run in runs] == ["finished", "finished", "killed"], (
        printed
    )  # of two, both are the best half
    assert 0 < len(runs[2]["sampledHistory"][0]) < 150
    assert "worse than the threshold" in place.get(f"/runs/{runs[2]['name']}")["reason"]


@pytest.mark.slow
def test_a_command_line_run_ends_in_order_when_its_client_is_told(place):
    """The stream's answer says so; the client looks every 15 s, and tells all that it has before it ends."""
    (place.directory / "long.py").write_text(LONG)
    sweep = place.post("/api/v1/sweeps", config=GRID).json()["sweep"]
    agent = place.start("-m", "wandb", "agent", sweep)
    wait_for(lambda: any(run["sampledHistory"][0] for run in runs_of(place, sweep)[1]))
    assert place.post(f"/api/v1/runs/{sweep}_00000/stop").is_success
    place.ended(agent)
    run = place.get(f"/runs/{sweep}_00000")
    assert (run["state"], run["exit_code"]) == ("stopped", 255)
    assert "KeyboardInterrupt" in str(place.get(f"/runs/{sweep}_00000/output"))


SCHEDULED = """program: train.py
method: custom
run_cap: 2
metric: {name: loss}
scheduler: {engine: optuna}
parameters: {lr: {min: 1.0, max: 2.0}}
"""


@pytest.mark.slow
def test_a_scheduler_of_the_client_drives_a_sweep(place):
    (place.directory / "train.py").write_text(TRAIN)
    (place.directory / "sweep.yaml").write_text(SCHEDULED)
    printed = place.command("sweep", "--project", "driven", "sweep.yaml")
    sweep = printed.partition("Creating sweep with ID: ")[2].split()[0]
    agent = place.start("-m", "wandb", "agent", f"luthier/driven/{sweep}")
    options = ("--batch-size", "1", "--poll-interval", "1")
    printed = place.command("sweep-scheduler", *options, f"luthier/driven/{sweep}")
    assert "run cap" in printed, printed
    place.ended(agent)
    told, runs = runs_of(place, sweep)
    assert (told["state"], {run["state"] for run in runs}) == ("FINISHED", {"finished"})
    assert 2 <= len(runs) <= 3, "it may have one more in flight"
    assert len({run["config"]["lr"] for run in runs}) == len(runs)


@pytest.mark.slow
def test_a_sweep_is_paused_goes_on_and_outlives_its_server(tmp_path):
    place = Place(tmp_path)
    (tmp_path / "train.py").write_text(TRAIN)
    config = "program: train.py\nmethod: grid\nmetric: {name: loss}\nparameters: {lr: {values: [1, 2, 3, 4]}}\n"
    (tmp_path / "sweep.yaml").write_text(config)
    with place.serving():
        printed = place.command("sweep", "--project", "steered", "sweep.yaml")
        sweep = printed.partition("Creating sweep with ID: ")[2].split()[0] if "Creating" in printed else ""
        sweep = sweep or place.get("/sweeps", project="steered")["items"][0]["id"]
        agent = place.start("-m", "wandb", "agent", f"luthier/steered/{sweep}")
        wait_for(lambda: runs_of(place, sweep)[1])
    with place.serving():
        place.command("sweep", "--pause", f"luthier/steered/{sweep}")
        assert runs_of(place, sweep)[0]["state"] == "PAUSED"
        place.command("sweep", "--resume", f"luthier/steered/{sweep}")
        place.ended(agent)
        told, runs = runs_of(place, sweep)
        assert sorted(run["config"]["lr"] for run in runs if run["state"] == "finished") == [1, 2, 3, 4]
        assert told["state"] == "FINISHED"
        for option, state in [("--stop", "FINISHED"), ("--cancel", "CANCELED")]:
            sweep = place.post("/api/v1/sweeps", config=config, project="steered").json()["sweep"]
            place.command("sweep", option, f"luthier/steered/{sweep}")
            assert runs_of(place, sweep)[0]["state"] == state
    place.close()
