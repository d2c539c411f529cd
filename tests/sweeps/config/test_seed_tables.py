"""What W&B's page on sweeps with Ray Tune planned or promised, row by row; and its script."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from luthier.core.goal import Goal
from luthier.core.rng import rng_at
from luthier.core.space import Space
from luthier.sweeps.config import tune
from luthier.sweeps.config.hyperopt import hp
from luthier.sweeps.config.sweep_config import SweepConfig
from luthier.sweeps.config.tune import schedulers, search
from luthier.tune import create_scheduler, create_searcher

SPACE = {"width": tune.uniform(0, 20), "height": tune.uniform(-100, 100)}
GOAL = {"metric": "mean_loss", "mode": "min"}

SEARCH_ALGORITHMS: dict[str, Any] = {
    "HyperOpt": lambda: search.HyperOptSearch(SPACE, **GOAL),
    "Grid Search": lambda: search.BasicVariantGenerator(constant_grid_search=True),
    "Random Search": search.BasicVariantGenerator,
    "BayesOpt": lambda: search.BayesOptSearch(SPACE, **GOAL, utility_kwargs={"kind": "ei", "xi": 0.1}),
    "Nevergrad": lambda: search.NevergradSearch("OnePlusOne", {"budget": 20}, SPACE, **GOAL),
    "Scikit-Optimize": lambda: search.SkOptSearch(space=SPACE, **GOAL),
    "Ax": lambda: search.AxSearch(SPACE, **GOAL, parameter_constraints=["width + height <= 50"]),
    "BOHB": lambda: search.TuneBOHB(SPACE, **GOAL),
}
ELSEWHERE = {"Nevergrad"}  # its library wants older ones of others: tests/pinned
HYPEROPT: dict[str, Any] = {
    "hp.choice": lambda: hp.choice("h", ["relu", "tanh"]),
    "hp.randint": lambda: hp.randint("h", 5),
    "hp.pchoice": lambda: hp.pchoice("h", [(0.2, "relu"), (0.8, "tanh")]),
    "hp.uniform": lambda: hp.uniform("h", -1, 1),
    "hp.uniformint": lambda: hp.uniformint("h", 1, 5),
    "hp.quniform": lambda: hp.quniform("h", 0, 10, 2),
    "hp.loguniform": lambda: hp.loguniform("h", -9, 0),
    "hp.qloguniform": lambda: hp.qloguniform("h", 0, 5, 2),
    "hp.normal": lambda: hp.normal("h", 0, 1),
    "hp.qnormal": lambda: hp.qnormal("h", 0, 10, 2),
    "hp.lognormal": lambda: hp.lognormal("h", 0, 1),
    "hp.qlognormal": lambda: hp.qlognormal("h", 0, 2, 1),
}
SCHEDULERS: dict[str, Any] = {
    "Population Based Training (PBT)": lambda: schedulers.PopulationBasedTraining(
        "training_iteration", **GOAL, perturbation_interval=2, hyperparam_mutations=SPACE
    ),
    "Asynchronous HyperBand": lambda: schedulers.AsyncHyperBandScheduler(**GOAL, max_t=9, reduction_factor=3),
    "HyperBand": lambda: schedulers.HyperBandScheduler(**GOAL, max_t=27),
    "HyperBand (BOHB)": lambda: schedulers.HyperBandForBOHB(**GOAL, max_t=27),
    "Median Stopping Rule": lambda: schedulers.MedianStoppingRule(**GOAL, grace_period=3),
}


def saved(sweep: SweepConfig, tmp_path) -> Any:
    """Return what a sweep is to do, once it was written into a file and read again."""
    sweep.save(tmp_path / "sweep.yaml")
    return SweepConfig.load(tmp_path / "sweep.yaml").spec


@pytest.mark.parametrize("row", SEARCH_ALGORITHMS)
def test_search_algorithms(row, tmp_path):
    made = SEARCH_ALGORITHMS[row]()
    config = {"width": tune.grid_search([1, 2]), "height": 3} if "space" not in made.kwargs else {}
    spec = saved(tune.run("train.py", search_alg=made, num_samples=4, config=config), tmp_path)
    assert spec.parameters.keys() == {"width", "height"}
    if row in ELSEWHERE:
        assert spec.search.arguments == {"optimizer": "OnePlusOne", "optimizer_kwargs": {"budget": 20}}
        return
    described = create_searcher(spec.search.name, **spec.search.arguments)
    if spec.search.name == "random":
        searcher = described.build(Space(spec.parameters), spec.num_samples, 3)
    else:
        assert spec.goals == (Goal("mean_loss", "min"),)
        searcher = described.build(Space(spec.parameters), spec.goals, 3)
    assert searcher.ask(0, rng_at(3)) in Space(spec.parameters)


@pytest.mark.parametrize("row", HYPEROPT)
def test_functions_of_hyperopt(row, tmp_path):
    made = search.HyperOptSearch({"h": HYPEROPT[row]()}, **GOAL)
    spec = saved(tune.run("train.py", search_alg=made, num_samples=4), tmp_path)
    searcher = create_searcher(spec.search.name).build(Space(spec.parameters), spec.goals, 3)
    config = searcher.ask(0, rng_at(3))
    assert config in Space(spec.parameters)
    assert config.keys() == {"h"}


@pytest.mark.parametrize("row", SCHEDULERS)
def test_schedulers(row, tmp_path):
    made = SCHEDULERS[row]()
    spec = saved(tune.run("train.py", config=SPACE, scheduler=made, num_samples=4), tmp_path)
    assert spec.goals == (Goal("mean_loss", "min"),)
    described = create_scheduler(spec.scheduler.name, **spec.scheduler.arguments)
    assert type(described).__name__ == type(made).__name__
    assert described.build(spec.goals[0]).decide is not None


SCRIPT = """
import luthier
from luthier.sweeps.config import tune
from luthier.sweeps.config.tune.suggest.hyperopt import HyperOptSearch
from luthier.sweeps.config.hyperopt import hp

tune_config = tune.run(
    "train.py",
    search_alg=HyperOptSearch(
        dict(
            width=hp.uniform("width", 0, 20),
            height=hp.uniform("height", -100, 100),
            activation=hp.choice("activation", ["relu", "tanh"])),
        metric="mean_loss",
        mode="min"),
    num_samples=10)

# Save sweep as yaml config file
tune_config.save("sweep-hyperopt.yaml")

# Create the sweep
luthier.sweep(tune_config)
"""


def test_the_script(tmp_path, monkeypatch):
    created: list[Any] = []
    monkeypatch.chdir(tmp_path)
    names = {"luthier": SimpleNamespace(sweep=created.append)}  # what the last line needs is the server's
    exec(SCRIPT.replace("import luthier\n", ""), names)
    saved_spec = SweepConfig.load("sweep-hyperopt.yaml").spec
    assert created[0].spec == saved_spec
    assert saved_spec.num_samples == 10
    searcher = create_searcher(saved_spec.search.name).build(
        Space(saved_spec.parameters), saved_spec.goals, saved_spec.seed
    )
    configs = [searcher.ask(k, rng_at(1)) for k in range(2)]
    assert all(config.keys() == {"width", "height", "activation"} for config in configs)
