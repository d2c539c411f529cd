"""Scripts written for Ray Tune run with their imports changed, and nothing else."""

from __future__ import annotations

import json
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
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=110, check=False
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


KERAS = """
from ray import tune
from ray.tune.search.hyperopt import HyperOptSearch
import keras


def objective(config):  # 1
    model = keras.models.Sequential()
    model.add(keras.layers.Dense(784, activation=config["activation"]))
    model.add(keras.layers.Dense(10, activation="softmax"))

    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    # model.fit(...)
    # loss, accuracy = model.evaluate(...)
    return {"accuracy": accuracy}


search_space = {"activation": tune.choice(["relu", "tanh"])}  # 2
algo = HyperOptSearch()

tuner = tune.Tuner(  # 3
    objective,
    tune_config=tune.TuneConfig(
        metric="accuracy",
        mode="max",
        search_alg=algo,
    ),
    param_space=search_space,
)
results = tuner.fit()
"""
# What the page leaves out, in the place that its comments name.
FIT = """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x, y = x / 16.0, keras.utils.to_categorical(y)
    model.fit(x[:1200], y[:1200], epochs=3, verbose=0)
    loss, accuracy = model.evaluate(x[1200:], y[1200:], verbose=0)
"""
PYTORCH = """
import torch
from ray import tune
from ray.tune.search.optuna import OptunaSearch


def objective(config):  # 1
    train_loader, test_loader = load_data()  # Load some data
    model = ConvNet().to("cpu")  # Create a PyTorch conv net
    optimizer = torch.optim.SGD(  # Tune the optimizer
        model.parameters(), lr=config["lr"], momentum=config["momentum"]
    )

    while True:
        train_epoch(model, optimizer, train_loader)  # Train the model
        acc = test(model, test_loader)  # Compute test accuracy
        tune.report({"mean_accuracy": acc})  # Report to Tune


search_space = {"lr": tune.loguniform(1e-4, 1e-2), "momentum": tune.uniform(0.1, 0.9)}
algo = OptunaSearch()  # 2

tuner = tune.Tuner(  # 3
    objective,
    tune_config=tune.TuneConfig(
        metric="mean_accuracy",
        mode="max",
        search_alg=algo,
    ),
    run_config=tune.RunConfig(
        stop={"training_iteration": 5},
    ),
    param_space=search_space,
)
results = tuner.fit()
print("Best config is:", results.get_best_result().config)
"""
# What the page names and leaves out.
NETWORK = """
import torch


class ConvNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.out = torch.nn.Conv2d(1, 6, 3), torch.nn.Linear(6 * 3 * 3, 10)

    def forward(self, x):
        return self.out(torch.nn.functional.max_pool2d(torch.relu(self.conv(x)), 2).flatten(1))


def load_data():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    data = torch.utils.data.TensorDataset(torch.tensor(x / 16.0).float().reshape(-1, 1, 8, 8), torch.tensor(y))
    parts = torch.utils.data.Subset(data, range(1200)), torch.utils.data.Subset(data, range(1200, len(data)))
    return [torch.utils.data.DataLoader(part, batch_size=64) for part in parts]


def train_epoch(model, optimizer, loader):
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def test(model, loader):
    with torch.no_grad():
        return sum((model(x).argmax(1) == y).sum().item() for x, y in loader) / len(loader.dataset)
"""


def fitted(script: str) -> str:
    """Return the Keras script with a fit in it, in the place of its comments."""
    lines = [line for line in script.splitlines() if "model.fit(" not in line]
    (place,) = (i for i, line in enumerate(lines) if "model.evaluate(" in line)
    return "\n".join([*lines[:place], FIT, *lines[place + 1 :]]).replace("from ray", "from luthier")


def see_keras(storage: Path) -> None:
    (result,) = next(iter(storage.iterdir())).glob("objective_*/result.json")
    assert json.loads(result.read_text())["accuracy"] > 0.8


def test_keras_and_hyperopt(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    run(fitted(KERAS), tmp_path / "results")
    see_keras(tmp_path / "results")


def test_pytorch_and_optuna(tmp_path):
    out = run(NETWORK + PYTORCH.replace("from ray", "from luthier"), tmp_path)
    assert re.search(r"^Best config is: \{'lr': 0\.0.*'momentum': 0\..*\}$", out, re.MULTILINE)
    (result,) = next(iter(tmp_path.iterdir())).glob("objective_*/result.json")
    assert len(result.read_text().splitlines()) == 5


@pytest.mark.skipif(not PAGES.is_dir(), reason="the pages are not part of the repository")
def test_the_pages_own_networks(tmp_path, monkeypatch):
    """Both scripts as they stand on the page, with what it leaves out, where the page is at hand."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    page = next(p.read_text() for p in PAGES.iterdir() if "def objective(config):" in p.read_text())
    blocks = re.findall(r"```\n(.*?)```", page, re.DOTALL)
    (keras,) = [block for block in blocks if "import keras" in block]
    (torch,) = [block for block in blocks if "import torch" in block]
    run(fitted(keras), tmp_path / "keras_results")
    see_keras(tmp_path / "keras_results")
    assert "Best config is:" in run(NETWORK + torch.replace("from ray", "from luthier"), tmp_path / "torch_results")
