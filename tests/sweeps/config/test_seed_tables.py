"""What W&B's page on sweeps with Ray Tune planned or promised, row by row; and its script."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from luthier.core import events as ev
from luthier.core.goal import Goal
from luthier.core.space import Space
from luthier.core.terms import WorkerId
from luthier.server.planning import Plan
from luthier.sweeps.config import SweepConfig, tune
from luthier.sweeps.config.hyperopt import hp
from luthier.sweeps.config.tune import schedulers, search
from luthier.tune import create_scheduler

SPACE = {"width": tune.uniform(0, 20), "height": tune.uniform(-100, 100)}
GOAL: dict[str, Any] = {"metric": "mean_loss", "mode": "min"}

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


def first(spec: Any) -> Any:
    """Return the config of the first run that a server makes of *spec*."""
    events = Plan(spec, "abcd1234", 3).engine().handle(ev.WorkerJoined(WorkerId("agent"), {"slot": 1.0}))
    (config,) = [event.config for event in events if isinstance(event, ev.Launched)]
    return config


@pytest.mark.parametrize("row", SEARCH_ALGORITHMS)
def test_search_algorithms(row, tmp_path):
    made = SEARCH_ALGORITHMS[row]()
    config = {"width": tune.grid_search([1, 2]), "height": 3} if "space" not in made.kwargs else {}
    spec = saved(tune.run("train.py", search_alg=made, num_samples=4, config=config), tmp_path)
    assert spec.parameters.keys() == {"width", "height"}
    if row in ELSEWHERE:
        assert spec.search.arguments == {"optimizer": "OnePlusOne", "optimizer_kwargs": {"budget": 20}}
        return
    assert spec.goals == (() if spec.search.name == "random" else (Goal("mean_loss", "min"),))
    assert first(spec) in Space(spec.parameters)


@pytest.mark.parametrize("row", HYPEROPT)
def test_functions_of_hyperopt(row, tmp_path):
    made = search.HyperOptSearch({"h": HYPEROPT[row]()}, **GOAL)
    spec = saved(tune.run("train.py", search_alg=made, num_samples=4), tmp_path)
    config = first(spec)
    assert config in Space(spec.parameters)
    assert config.keys() == {"h"}


@pytest.mark.parametrize("row", SCHEDULERS)
def test_schedulers(row, tmp_path):
    made = SCHEDULERS[row]()
    spec = saved(tune.run("train.py", config=SPACE, scheduler=made, num_samples=4), tmp_path)
    assert spec.goals == (Goal("mean_loss", "min"),)
    assert type(create_scheduler(spec.scheduler.name, **spec.scheduler.arguments)).__name__ == type(made).__name__
    assert first(spec) in Space(spec.parameters)


SCRIPT = """
import luthier
from luthier.sweeps.config import SweepConfig, tune
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
    assert first(saved_spec).keys() == {"width", "height", "activation"}


OTHERS: dict[str, Any] = {
    "tpe": lambda: search.TPESearch(SPACE, **GOAL, points_to_evaluate=[{"width": 3.5, "height": 7.5}]),
    "optuna": lambda: search.OptunaSearch(SPACE, **GOAL),
    "zoopt": lambda: search.ZOOptSearch(budget=9, dim_dict=SPACE, **GOAL),
    "gp": lambda: search.GPSearch(SPACE, **GOAL),
    "cmaes": lambda: search.CMAESSearch(SPACE, **GOAL),
    "evolution": lambda: search.EvolutionSearch(SPACE, **GOAL),
    "quasirandom": lambda: search.QuasiRandomSearch(SPACE, **GOAL),
    "auto": lambda: search.AutoSearch(SPACE, **GOAL),
    "limited": lambda: search.ConcurrencyLimiter(search.TPESearch(SPACE, **GOAL), 2),
    "repeated": lambda: search.Repeater(search.TPESearch(SPACE, **GOAL), 2),
    "one choice": lambda: search.HyperOptSearch(
        hp.choice("root", [{"width": hp.uniform("w", 0, 1), "height": 1}, {"width": 2, "height": 2}]), **GOAL
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_search_algorithms_that_the_page_does_not_have(name, tmp_path):
    spec = saved(tune.run("train.py", search_alg=OTHERS[name](), num_samples=4, config={"epochs": 3}), tmp_path)
    config = first(spec)
    assert config.keys() - {"__trial_index__"} == {"width", "height", "epochs"}
    if name == "tpe":
        assert config == {"width": 3.5, "height": 7.5, "epochs": 3}


MORE_SCHEDULERS: dict[str, Any] = {
    "FIFO": schedulers.FIFOScheduler,
    "ASHA": lambda: schedulers.ASHAScheduler(max_t=9),
    "promotion": lambda: schedulers.ASHAPromotionScheduler(max_t=9),
    "PASHA": lambda: schedulers.PASHAScheduler(max_t=9),
    "PB2": lambda: schedulers.PB2("training_iteration", hyperparam_bounds={"width": [0, 20], "height": [-100, 100]}),
    "W&B's": lambda: schedulers.HyperBandStopping(min_iter=3),
    "growing": lambda: schedulers.ResourceChangingScheduler(schedulers.ASHAScheduler(max_t=9)),
}


@pytest.mark.parametrize("name", MORE_SCHEDULERS)
def test_schedulers_that_the_page_does_not_have(name, tmp_path):
    made = tune.run("train.py", config=SPACE, scheduler=MORE_SCHEDULERS[name](), num_samples=4, **GOAL)
    assert first(saved(made, tmp_path)) in Space(made.spec.parameters)
