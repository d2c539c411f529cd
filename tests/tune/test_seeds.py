"""Scripts written for Ray Tune run with their imports changed, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2].parent / "shared" / "seeds"
QUICKSTART = """
from ray import tune


def objective(config):  # 1
    score = config["a"] ** 2 + config["b"]
    return {"score": score}


search_space = {  # 2
    "a": tune.grid_search([0.001, 0.01, 0.1, 1.0]),
    "b": tune.choice([1, 2, 3]),
}

tuner = tune.Tuner(objective, param_space=search_space)  # 3

results = tuner.fit()
print(results.get_best_result(metric="score", mode="min").config)
"""
REPORTING = """
from ray import tune


def objective(config):
    step = 0
    while True:
        step += 1
        acc = 1 - config["lr"] * config["momentum"] / step
        tune.report({"mean_accuracy": acc})


search_space = {"lr": tune.loguniform(1e-4, 1e-2), "momentum": tune.uniform(0.1, 0.9)}

tuner = tune.Tuner(
    objective,
    tune_config=tune.TuneConfig(
        metric="mean_accuracy",
        mode="max",
    ),
    run_config=tune.RunConfig(
        stop={"training_iteration": 5},
    ),
    param_space=search_space,
)
results = tuner.fit()
print("Best config is:", results.get_best_result().config)
"""


def run(script: str, storage: Path) -> str:
    env = {**os.environ, "LUTHIER_STORAGE_PATH": str(storage)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ported(script: str) -> str:
    assert "from ray import tune" in script
    return script.replace("from ray import tune", "from luthier import tune")


def test_the_quickstart(tmp_path):
    out = run(ported(QUICKSTART), tmp_path)
    assert re.search(r"^\{'a': [0-9.]+, 'b': [123]\}$", out, re.MULTILINE)
    (experiment,) = tmp_path.iterdir()
    assert len(list(experiment.glob("objective_*/result.json"))) == 4


def test_a_function_with_reports(tmp_path):
    out = run(ported(REPORTING), tmp_path)
    assert re.search(r"^Best config is: \{'lr': .*'momentum': .*\}$", out, re.MULTILINE)
    (experiment,) = tmp_path.iterdir()
    (result,) = experiment.glob("objective_*/result.json")
    assert len(result.read_text().splitlines()) == 5


@pytest.mark.skipif(not PAGES.is_dir(), reason="the pages are not part of the repository")
def test_the_pages_own_quickstart(tmp_path):
    """The script as it stands on the page, where the page is at hand."""
    page = next(p.read_text() for p in PAGES.iterdir() if "def objective(config):" in p.read_text())
    (script,) = [block for block in re.findall(r"```\n(.*?)```", page, re.DOTALL) if "grid_search" in block]
    assert "get_best_result" in run(ported(script), tmp_path) or re.search(
        r"'a': ", run(ported(script), tmp_path / "2")
    )
