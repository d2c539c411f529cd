"""The script of the pages on sweeps of Ray Tune with W&B's own ``wandb.sweep``, and W&B's own agents."""

from __future__ import annotations

import signal

import pytest

from tests.server.wandb.conftest import wait_for
from tests.sweeps.config.test_seed_tables import SCRIPT

REAL = SCRIPT.replace("import luthier\n", "import wandb\n").replace("luthier.sweep(", "wandb.sweep(")
TRAIN = """
import argparse, os, wandb

arguments = argparse.ArgumentParser()
arguments.add_argument("--width", type=float)
arguments.add_argument("--height", type=float)
arguments.add_argument("--activation")
given = arguments.parse_args()
with wandb.init(settings=wandb.Settings(x_disable_stats=True)) as run:
    assert given.width == run.config.width and given.activation == run.config.activation
    run.summary["gpu"] = os.environ.get("CUDA_VISIBLE_DEVICES")
    for step in range(3):
        run.log({"mean_loss": (0.1 + given.width * step / 100) ** -1 + given.height * 0.1})
"""


def made(place, script):
    """Run the script of the page; return the id of the sweep that it has made."""
    (place.directory / "train.py").write_text(TRAIN)
    printed = place.script(script)
    assert (place.directory / "sweep-hyperopt.yaml").exists()
    return printed.partition("Create sweep with ID: ")[2].split()[0]


def completed(place, sweep, count):
    """Return the runs of a sweep that is at its end, *count* of them and each one another point."""
    found = place.get(f"/sweeps/{sweep}")
    assert (found["state"], found["counts"]) == ("FINISHED", {"finished": count})
    runs = [place.get(f"/runs/{sweep}_{number:05d}") for number in range(count)]
    points = {tuple(run["config"][name] for name in ("width", "height", "activation")) for run in runs}
    assert len(points) == count, "each proposal is a new one"
    assert all(0 <= width <= 20 and -100 <= height <= 100 for width, height, _ in points)
    assert {activation for _, _, activation in points} <= {"relu", "tanh"}
    assert [run["rows"] for run in runs] == [3] * count
    return runs


def test_the_pages_script_is_taken_by_wandb_sweep_and_run_by_an_agent_for_each_gpu(place):
    sweep = made(place, REAL.replace("num_samples=10", "num_samples=2"))
    agents = place.start(
        "-m", "luthier", "agent", sweep, "--wandb", "--gpus", "0,1", "--count", "2",
        LUTHIER_SERVER=place.url, LUTHIER_API_KEY=place.key, XDG_RUNTIME_DIR=str(place.directory), WANDB_BASE_URL="",
    )  # fmt: skip
    printed = place.ended(agents)
    assert "agent 0 (gpu 0) | wandb: Starting wandb agent" in printed and "2 finished" in printed, printed
    assert {run["summary"]["gpu"] for run in completed(place, sweep, 2)} == {"0", "1"}, printed


@pytest.mark.slow
def test_the_pages_script_as_it_stands_and_three_agents_complete_its_runs(place):
    sweep = made(place, REAL)
    agents = [place.start("-m", "wandb", "agent", sweep) for _ in range(3)]
    printed = [place.ended(agent) for agent in agents]
    completed(place, sweep, 10)
    shares = [agent["launched"] for agent in place.get(f"/sweeps/{sweep}")["agents"]]
    assert len(shares) == 3 and min(shares) > 0 and sum(shares) == 10, (shares, printed)


LONG = """
import time, wandb
with wandb.init() as run:
    for step in range(600):
        run.log({"loss": step})
        time.sleep(0.1)
"""


@pytest.mark.slow
def test_ctrl_c_ends_w_and_bs_agents_and_all_that_their_runs_have_logged_is_there(place):
    (place.directory / "long.py").write_text(LONG)
    config = "program: long.py\nmethod: grid\nmetric: {name: loss}\nparameters: {x: {values: [1, 2]}}\n"
    sweep = place.post("/api/v1/sweeps", config=config).json()["sweep"]
    environ = {"LUTHIER_SERVER": place.url, "LUTHIER_API_KEY": place.key}
    options = ("--wandb", "--gpus", "none", "--concurrency", "2", "--grace", "30")
    agents = place.start("-m", "luthier", "agent", sweep, *options, **environ)
    runs = [f"/runs/{sweep}_0000{number}" for number in range(2)]
    wait_for(lambda: place.get(f"/sweeps/{sweep}")["counts"].get("running") == 2)
    wait_for(lambda: all(place.get(run)["rows"] > 3 for run in runs))
    agents.send_signal(signal.SIGINT)
    printed = place.ended(agents, 130)
    assert "interrupted" in printed and "agent 1 | " in printed, printed
    for run in map(place.get, runs):
        assert (run["state"], run["exit_code"]) == ("failed", 1), printed
        assert run["summary"]["loss"] == run["rows"] - 1
