"""Sweeps built in Python."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import luthier.tune
from luthier.core.errors import BadArgument, BadArgumentType, BadSweep
from luthier.core.goal import Goal
from luthier.core.rng import rng_at
from luthier.core.space import Float, Space
from luthier.sweeps.config import SweepConfig, tune
from luthier.sweeps.config.hyperopt import hp
from luthier.sweeps.config.tune.schedulers import (
    AsyncHyperBandScheduler,
    PopulationBasedTraining,
    PopulationBasedTrainingReplay,
    ResourceChangingScheduler,
)
from luthier.sweeps.config.tune.search import BayesOptSearch, ConcurrencyLimiter, Repeater, SkOptSearch, TPESearch
from luthier.sweeps.config.tune.suggest.hyperopt import HyperOptSearch
from luthier.sweeps.spec import Named
from luthier.tune.search.hyperopt import HyperOptSearch as RunsItself

X = {"x": tune.uniform(0, 1)}


def wide(**more: Any) -> SweepConfig:
    search = HyperOptSearch({"width": hp.uniform("width", 0, 20)}, metric="mean_loss", mode="min")
    return tune.run("train.py", search_alg=search, num_samples=10, seed=7, **more)


def test_the_encoding_is_the_first_clients():
    found = wide(scheduler=AsyncHyperBandScheduler(metric="mean_loss", mode="min"), stop={"x": 1})
    assert found["program"] == "train.py"
    said = dict(found["tune"])
    assert said.pop("_wandb")["versions"].keys() == {"luthier"}
    assert said == {
        "run_or_experiment": "train.py",
        "search_alg": {
            "hyperopt.HyperOptSearch": {
                "space": {"width": {"hyperopt.hp.uniform": ["width", 0, 20]}},
                "metric": "mean_loss",
                "mode": "min",
            }
        },
        "scheduler": {"AsyncHyperBandScheduler": {"metric": "mean_loss", "mode": "min"}},
        "num_samples": 10,
        "stop": {"x": 1},
        "seed": 7,
    }


def test_chance_is_drawn_once_and_written_down():
    one, two = tune.run("train.py"), tune.run("train.py")
    assert one["tune"]["_wandb"]["seed"] != two["tune"]["_wandb"]["seed"]
    assert one.spec.seed == one["tune"]["_wandb"]["seed"]
    assert wide().spec.seed == 7


def test_saved_and_loaded(tmp_path):
    found = wide()
    assert found.set(local=True, name="first", settings={"a": 1}) is found
    found.save(tmp_path / "x.yaml")
    text = (tmp_path / "x.yaml").read_text("utf-8")
    assert text == str(found)
    assert text.startswith("name: first\nprogram: train.py\ncontroller: {type: local}\nsettings: {a: 1}\ntune:\n")
    again = SweepConfig.load(str(tmp_path / "x.yaml"))
    assert again == found == yaml.safe_load(text)
    assert again.spec == found.spec
    assert (found.spec.name, found.spec.local, found.spec.settings) == ("first", True, {"a": 1})


def test_settings_need_no_name():
    assert wide().set(settings={"a": 1})["settings"] == {"a": 1}
    assert wide().set_local().set_name("n").set_settings({})["name"] == "n"
    assert "controller" not in wide().set(local=True).set(local=False)


def test_what_is_set_is_looked_at():
    with pytest.raises(BadArgumentType, match="name=3"):
        wide().set(name=3)  # type: ignore[arg-type]
    with pytest.raises(BadArgumentType, match="settings="):
        wide().set(settings=[1])  # type: ignore[arg-type]
    with pytest.raises(BadArgumentType, match=r"settings\['a'\]"):
        wide().set(settings={"a": print})
    with pytest.raises(TypeError, match="nane"):
        wide().set(nane="x")  # type: ignore[call-arg]


def test_what_was_spoilt_by_hand_is_not_saved(tmp_path):
    found = wide()
    found["tune"]["num_sampels"] = 3
    with pytest.raises(BadArgument, match="num_samples"):
        found.save(tmp_path / "x.yaml")
    assert not (tmp_path / "x.yaml").exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[1, 2]", "it holds"),
        ("a: [", "no YAML"),
        ("tune: 3", "line 1: tune=3"),
        ("program: t.py\ntune:\n  num_sampels: 3\n", "line 3: .*'num_samples'"),
        ("tune:\n  config:\n    x:\n      tune.unifrom: [0, 1]\n", "line 4: tune.config.x.tune.unifrom"),
        ("tune:\n  search_alg:\n    tpe.TPESearch:\n      mode: min\n      gama: 1\n", "line 5: .*'gamma'"),
        ("tune:\n  config:\n    x:\n    - hp.uniform: {args: [x], kwargs: {low: 1, high: 0}}\n", "line 4: .*high"),
        ("method: grid\nparameters: {a: {values: [1]}}\n", "not in the words of tune.run"),
    ],
)
def test_what_is_no_sweep_is_not_loaded(tmp_path, text, complaint):
    (tmp_path / "x.yaml").write_text(text, "utf-8")
    with pytest.raises((BadArgument, BadSweep), match=complaint):
        SweepConfig.load(tmp_path / "x.yaml")


def test_all_that_the_first_client_never_wrote():
    found = tune.run(
        Path("code") / "train.py",
        name="wide",
        config={"lr": tune.loguniform(1e-4, 0.1), "net": {"sizes": [64, 32], "env": {"os.name": ["posix"]}}},
        stop={"training_iteration": 9},
        resources_per_trial={"cpu": 2, "gpu": 0.5},
        metric="loss",
        mode="min",
        max_failures=3,
        max_concurrent_trials=4,
        time_budget_s=timedelta(minutes=1),
    ).spec
    assert (found.program, found.name) == ("code/train.py", "wide")
    assert found.parameters["net"] == {"sizes": [64, 32], "env": {"os.name": ["posix"]}}
    assert (found.goals, found.stop) == ((Goal("loss", "min"),), {"training_iteration": 9.0})
    assert (found.max_failures, found.max_concurrent, found.time_budget_s) == (3, 4, 60.0)
    assert found.resources == {"cpu": 2.0, "gpu": 0.5}


def test_a_function_has_no_program():
    found = tune.run(None, config=X)
    assert "program" not in found
    assert found.spec.program is None


def test_policies_by_name():
    found = tune.run("t.py", config=X, search_alg="tpe", scheduler="asha", metric="loss", mode="min").spec
    assert (found.search, found.scheduler) == (Named("tpe"), Named("asha"))


def test_policies_around_others():
    inner = Repeater(TPESearch(X, metric="loss", mode="min"), repeat=3)
    growing = ResourceChangingScheduler(AsyncHyperBandScheduler(max_t=9))
    found = tune.run("t.py", search_alg=ConcurrencyLimiter(inner, 2), scheduler=growing).spec
    assert (found.search.name, found.repeats, found.max_concurrent) == ("tpe", 3, 2)
    assert found.scheduler == Named("resource_changing", {"base_scheduler": Named("asha", {"max_t": 9})})


def test_populations():
    mutations = {"lr": tune.loguniform(1e-4, 1), "batch": [16, 32]}
    population = PopulationBasedTraining("epoch", "loss", "min", hyperparam_mutations=mutations)
    found = tune.run("t.py", config={"lr": 0.1}, scheduler=population).spec
    assert found.scheduler is not None
    assert found.scheduler.arguments["hyperparam_mutations"]["lr"] == Float(1e-4, 1, log=True)


def test_a_schedule_goes_into_the_file(tmp_path):
    lines = [["0", "1", 2, 3, {"lr": 0.1, "a": {"b.c": [1]}}, {"lr": 0.2}], ["0", "0", 4, 5, {"lr": 0.2}, {"lr": 0.3}]]
    path = tmp_path / "pbt_policy_0.txt"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    found = tune.run("t.py", scheduler=PopulationBasedTrainingReplay(path)).spec
    assert found.scheduler == Named("pbt_replay", {"policy_file": lines})
    made: Any = luthier.tune.create_scheduler("pbt_replay", **found.scheduler.arguments)
    meant: Any = luthier.tune.create_scheduler("pbt_replay", policy_file=str(path))
    assert made.config == meant.config == {"lr": 0.1, "a": {"b.c": [1]}}
    assert made._schedule == meant._schedule
    with pytest.raises(BadArgument, match="policy_file"):
        PopulationBasedTrainingReplay(tmp_path / "none.txt")


def test_domains_of_the_library_are_written_too():
    found = tune.run("t.py", config={"x": luthier.tune.uniform(0, 1), "g": luthier.tune.grid_search([1, 2])}).spec
    assert Space(found.parameters).sample(rng_at(3)).keys() == {"x", "g"}
    assert found.parameters["x"] == Float(0, 1)


def test_expressions_of_hyperopt_are_written_too():
    from hyperopt import hp as theirs

    space = {
        "lr": theirs.loguniform("lr", -9, 0),
        "opt": theirs.choice("opt", ["sgd", {"b": theirs.uniform("b", 0, 1)}]),
    }
    one = tune.run("t.py", search_alg=HyperOptSearch(space, metric="loss", mode="min")).spec
    two = tune.run("t.py", search_alg="hyperopt", config=space, metric="loss", mode="min").spec
    assert one.parameters == two.parameters
    assert [axis.name for axis in Space(one.parameters).axes] == ["lr", "opt", "opt[1]/b"]


def test_a_librarys_own_words_are_written_in_ours():
    bounds = tune.run("t.py", search_alg=BayesOptSearch({"x": (0, 10)}, metric="a", mode="min"))
    assert bounds["tune"]["search_alg"]["bayesopt.BayesOptSearch"]["space"] == {"x": {"tune.uniform": [0.0, 10.0]}}
    ranges = tune.run("t.py", search_alg=SkOptSearch(space={"n": (1, 9), "k": [1, 2]}, metric="a", mode="min"))
    said = ranges["tune"]["search_alg"]["skopt.SkOptSearch"]["space"]
    assert said == {"n": {"tune.randint": [1, 10]}, "k": {"tune.choice": [[1, 2]]}}


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: tune.run("t.py", num_sampels=3), r"tune.run.num_sampels=3.*give 'num_samples'"),
        (lambda: tune.run("t.py", verbose=1), r"tune.run.verbose=1 cannot be used: the server keeps the results"),
        (lambda: tune.run("t.py", checkpoint_freq=1), "the program saves its own checkpoints"),
        (lambda: tune.run("t.py", num_samples=0), "num_samples=0"),
        (lambda: tune.run("t.py", metric="loss"), "tune.run.mode=None"),
        (lambda: tune.run(print), "luthier.agent"),  # type: ignore[arg-type]
        (lambda: tune.run(3), "run_or_experiment=3"),  # type: ignore[arg-type]
        (lambda: tune.run("t.py", config={"f": lambda: 3}), r"tune.run.config\['f'\].*a function cannot be written"),
        (lambda: tune.run("t.py", stop=lambda trial, result: True), "tune.run.stop"),  # type: ignore[arg-type]
        (
            lambda: tune.run("t.py", search_alg=HyperOptSearch),
            r"that is the class; give an object: HyperOptSearch\(...\)",
        ),
        (
            lambda: tune.run("t.py", search_alg=RunsItself()),
            "HyperOptSearch of luthier.sweeps.config.tune.search.hyperopt",
        ),
        (lambda: tune.run("t.py", search_alg="hyperop"), "'hyperopt'"),
        (lambda: tune.run("t.py", search_alg=AsyncHyperBandScheduler()), "tune.search_alg="),
        (lambda: tune.run("t.py", scheduler=TPESearch()), "tune.scheduler="),
        (lambda: tune.run("t.py", scheduler=object()), "one of luthier.sweeps.config.tune.schedulers, or a name"),
        (lambda: HyperOptSearch(spaces={}), r"HyperOptSearch.spaces=.*give 'space'"),
        (lambda: HyperOptSearch({}, "loss"), "HyperOptSearch.mode=None"),
        (lambda: TPESearch({"x": print}), r"tpe.TPESearch.space\['x'\]"),
        (lambda: TPESearch([1]), "TPESearch.space"),
        (lambda: Repeater(RunsItself()), "Repeater.searcher="),
        (lambda: ConcurrencyLimiter(TPESearch()), "'max_concurrent' is missing"),
        (lambda: AsyncHyperBandScheduler(max_T=3), "'max_t'"),
        (lambda: PopulationBasedTraining(custom_explore_fn=print), "custom_explore_fn=|a function cannot be written"),
    ],
)
def test_what_cannot_be_used_is_named(build, complaint):
    with pytest.raises(BadArgument, match=complaint):
        build()


def test_arguments_without_a_value_are_not_written():
    assert "verbose" not in tune.run("t.py", verbose=None)["tune"]
    assert HyperOptSearch(gamma=None).kwargs == {}


def test_building_loads_little():
    code = "from luthier.sweeps.config import tune; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    heavy = {"numpy", "pandas", "yaml", "hyperopt", "optuna", "luthier.tune"}
    assert not heavy & set(done.stdout.split())
