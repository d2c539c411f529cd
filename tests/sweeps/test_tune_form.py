"""Files with ``tune`` in them, to what a sweep is to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.space import Categorical, Float, Grid, Space, described
from luthier.search.hp import Hp, HpChoice
from luthier.server.planning import Plan
from luthier.sweeps.config import SweepConfig
from luthier.sweeps.read import read as read_any
from luthier.sweeps.spec import COMMAND, Named
from luthier.sweeps.tune_form import read

OLDER = Path(__file__).parent / "older"
X = {"tune.uniform": [0, 1]}


def spec(top: dict[str, Any] | None = None, /, **run: Any):
    return read({"program": "train.py", **(top or {}), "tune": run})


def search(title: str, **arguments: Any):
    return spec(search_alg={title: {"space": {"x": X}, **arguments}})


# -- files of the first client -----------------------------------------------------------------------------------------
def test_the_first_clients_file():
    found = SweepConfig.load(OLDER / "hyperopt.yaml").spec
    assert found.parameters == {
        "activation": HpChoice("activation", ["relu", "tanh"]),
        "height": Hp("height", "uniform", (-100, 100)),
        "width": Hp("width", "uniform", (0, 20)),
    }
    assert found.search == Named("hyperopt")
    assert found.scheduler == Named("asha")
    assert found.goals == (Goal("mean_loss", "min"),)
    assert (found.name, found.program, found.command) == ("hyperopt_2101011200", "train-tune.py", COMMAND)
    assert (found.num_samples, found.seed, found.stop, found.local) == (10, 4255243645, {"x": 1.0}, True)
    assert found.settings == {"agent_command_config_args": False, "agent_report_interval": 0}
    assert found.warnings == ()


def test_random_search_of_the_first_client():
    found = SweepConfig.load(OLDER / "random.yaml").spec
    assert found.parameters == {"lr": Float(1e-4, 0.1, log=True), "momentum": Float(0.1, 0.9)}
    assert (found.search, found.scheduler, found.goals) == (Named("random"), None, ())
    assert (found.seed, found.resources) == (7, {"cpu": 2.0})
    assert found.warnings == ("tune.verbose has no effect: the server keeps the results",)


def test_what_the_first_client_wrote_but_never_understood():
    found = SweepConfig.load(OLDER / "nested.yaml").spec
    space = Space(found.parameters)
    assert [axis.name for axis in space.axes] == ["lr", "depth", "optimizer", "optimizer[0]/b"]
    assert space.axes[3].domain == Hp("b", "uniform", (0, 1))
    assert space.axes[0].domain == Float(1e-4, 0.1, log=True)
    assert space.axes[1].domain == Hp("depth", "loguniform", (0, 3))
    assert found.parameters["layers"] == {"sizes": [32, 16], "dropout": {"rate": 0.1}}
    assert found.goals == (Goal("accuracy", "max"),)
    assert found.points == ({"lr": 0.01, "optimizer": {"t": "sgd"}},)
    assert (found.seed, found.max_concurrent, found.num_samples) == (11, 4, None)
    assert found.search == Named("hyperopt", {"n_initial_points": 5})


@pytest.mark.parametrize("path", sorted(OLDER.iterdir()), ids=lambda path: path.stem)
def test_older_files_can_be_written_again(path, tmp_path):
    first = SweepConfig.load(path)
    first.save(tmp_path / "again.yaml")
    again = SweepConfig.load(tmp_path / "again.yaml")
    assert again == first
    assert again.spec.parameters == first.spec.parameters


# -- what a file says --------------------------------------------------------------------------------------------------
def test_what_is_said_beside_tune():
    top = {
        "description": "why", "project": "p", "entity": "me", "command": ["python", "${program}", 3], "run_cap": 5,
        "controller": {"type": "cloud"}, "environment": {"A": 1}, "output_metrics": True,
    }  # fmt: skip
    found = spec(top)
    assert (found.description, found.project, found.entity) == ("why", "p", "me")
    assert (found.command, found.run_cap, found.local) == (("python", "${program}", "3"), 5, False)
    assert (found.environment, found.output_metrics) == ({"A": "1"}, True)


def test_what_is_said_of_runs():
    found = spec(
        metric="loss", mode="min", stop={"training_iteration": 9}, num_samples=4, max_failures=-1, seed=3,
        max_concurrent_trials=2, time_budget_s=60,
        resources_per_trial={"CPU": 2, "gpu": 0.5, "custom_resources": {"s": 1}},
    )  # fmt: skip
    assert (found.goals, found.stop, found.num_samples) == ((Goal("loss", "min"),), {"training_iteration": 9.0}, 4)
    assert (found.max_failures, found.max_concurrent, found.time_budget_s) == (-1, 2, 60.0)
    assert (found.resources, found.seed) == ({"cpu": 2.0, "gpu": 0.5, "s": 1.0}, 3)


def test_the_text_is_what_was_given():
    mapping = {"program": "t.py", "tune": {"num_samples": 1}}
    assert read(mapping, "# mine").text == "# mine"
    assert yaml.safe_load(read(mapping).text) == mapping


def test_the_program_and_the_name_may_stand_in_tune():
    found = read({"tune": {"run_or_experiment": "train.py", "name": "first"}})
    assert (found.program, found.name) == ("train.py", "first")


@pytest.mark.parametrize(("given", "meant"), [(None, None), (-1, None), (3, 3)])
def test_samples_without_end(given, meant):
    assert spec(config={"x": X}, num_samples=given).num_samples == meant


def test_a_grid_is_walked_once_unless_more_is_asked():
    grid = {"x": {"tune.grid_search": [[1, 2]]}}
    assert spec(config=grid).num_samples == 1
    assert spec(config=grid, num_samples=-1).num_samples is None
    assert spec(config={"x": {"grid_search": [1, 2]}}).num_samples == 1
    assert spec(config=grid, search_alg="tpe").num_samples is None
    assert Space(spec(config=grid).parameters).axes[0].domain == Grid([1, 2])


def test_where_seeds_come_from():
    assert spec(_wandb={"seed": 5}).seed == 5
    assert spec(_wandb={"seed": 5}, seed=6).seed == 6
    found = spec(_wandb={"seed": 5}, search_alg={"hyperopt.HyperOptSearch": {"random_state_seed": 7}})
    assert (found.seed, found.search) == (7, Named("hyperopt"))
    assert search("bayesopt.BayesOptSearch", random_state=8).seed == 8
    assert spec().seed is None


# -- search algorithms -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "said",
    [
        "hyperopt", "HyperOpt", "HyperOptSearch", "hyperopt.HyperOptSearch", {"HyperOptSearch": None},
        {"hyperopt.HyperOptSearch": []}, {"ray.tune.suggest.hyperopt.HyperOptSearch": {}},
    ],
)  # fmt: skip
def test_ways_to_name_a_search_algorithm(said):
    assert spec(search_alg=said).search == Named("hyperopt")


def test_arguments_of_a_search_algorithm():
    found = search("tpe.TPESearch", metric="loss", mode="max", gamma=0.5, points_to_evaluate=[{"x": 0.5}], seed=2)
    assert found.parameters == {"x": Float(0.0, 1.0)}
    assert found.search == Named("tpe", {"gamma": 0.5})
    assert (found.goals, found.points, found.seed) == ((Goal("loss", "max"),), ({"x": 0.5},), 2)
    in_order = spec(search_alg={"tpe.TPESearch": [{"x": X}, "loss", "min"]})
    assert (in_order.parameters, in_order.goals) == ({"x": Float(0.0, 1.0)}, (Goal("loss", "min"),))


def test_several_goals():
    found = search("tpe.TPESearch", metric=["loss", "size"], mode=["min", "max"])
    assert found.goals == (Goal("loss", "min"), Goal("size", "max"))
    assert search("tpe.TPESearch", metric=["loss", "size"], mode="min").goals[1] == Goal("size", "min")


def test_points_whose_values_are_known_are_not_tried():
    points = [{"x": 0.5}]
    found = search("tpe.TPESearch", points_to_evaluate=points, evaluated_rewards=[1.0])
    assert found.points == ()
    assert found.search.arguments == {"points_to_evaluate": points, "evaluated_rewards": [1.0]}


def test_limits_and_repeats():
    inner = {"tpe.TPESearch": {"space": {"x": X}, "metric": "loss", "mode": "min"}}
    found = spec(search_alg={"ConcurrencyLimiter": {"searcher": {"Repeater": [inner, 3]}, "max_concurrent": 2}})
    assert (found.search, found.repeats, found.max_concurrent) == (Named("tpe"), 3, 2)
    assert found.goals == (Goal("loss", "min"),)
    assert search("hyperopt.HyperOptSearch", max_concurrent=4).max_concurrent == 4
    assert spec(search_alg={"BasicVariantGenerator": {"max_concurrent": 4}}).max_concurrent == 4
    assert search("hebo.HEBOSearch", max_concurrent=4).search == Named("hebo", {"max_concurrent": 4})


def test_samples_count_repeats_as_tune_counts_them():
    repeated = {"Repeater": {"searcher": {"tpe.TPESearch": [{"x": X}]}, "repeat": 3}}
    assert spec(search_alg=repeated, num_samples=15).num_samples == 5
    odd = spec(search_alg=repeated, num_samples=16)
    assert odd.num_samples == 5
    assert "the Repeater makes 3 of each config" in odd.warnings[0]


def test_the_space_of_a_search_with_constants_beside_it():
    found = spec(config={"epochs": 3, "opt": {"a": 1}}, search_alg={"tpe.TPESearch": [{"x": X}]})
    assert found.parameters == {"epochs": 3, "opt": {"a": 1}, "x": Float(0.0, 1.0)}


def test_one_choice_as_a_space():
    options = [{"k": "a", "c": {"hp.uniform": ["c", 0, 1]}}, {"k": "b"}]
    found = spec(config={"n": 3}, search_alg={"HyperOptSearch": {"space": {"hp.choice": ["root", options]}}})
    meant = [{"k": "a", "c": Hp("c", "uniform", (0, 1))}, {"k": "b"}]
    assert found.parameters == {"n": 3}
    assert found.search == Named("hyperopt", {"space": {"": HpChoice("root", meant)}})


def test_spaces_in_a_librarys_own_words():
    bounds = spec(search_alg={"BayesOptSearch": [{"x": [0, 10], "k": ["a", "b"]}]})
    assert bounds.parameters == {"x": Float(0.0, 10.0), "k": Categorical(["a", "b"])}
    ax = spec(search_alg={"AxSearch": [[{"name": "x", "type": "range", "bounds": [0.0, 1.0]}]]})
    assert ax.parameters == {"x": Float(0.0, 1.0)}
    zoopt = spec(search_alg={"ZOOptSearch": {"dim_dict": {"x": [1, [0, 1], 0.01]}}})
    assert zoopt.parameters == {"x": Float(0.0, 1.0, q=0.01)}


# -- schedulers --------------------------------------------------------------------------------------------------------
def test_arguments_of_a_scheduler():
    found = spec(scheduler={"HyperBandScheduler": {"max_t": 27, "metric": "loss", "mode": "min"}})
    assert found.scheduler == Named("hyperband", {"max_t": 27})
    assert found.goals == (Goal("loss", "min"),)
    assert spec(scheduler={"AsyncHyperBandScheduler": {"reward_attr": "acc"}}).goals == (Goal("acc", "max"),)
    assert spec(scheduler="median_stopping_rule").scheduler == Named("median_stopping_rule")
    assert spec(scheduler={"FIFOScheduler": []}).scheduler is None


def test_a_scheduler_with_another_metric_than_the_search():
    run = {"search_alg": {"tpe.TPESearch": [{"x": X}, "loss", "min"]}}
    said = spec(**run, scheduler={"ASHAScheduler": {"metric": "acc", "mode": "max"}})
    assert said.goals == (Goal("loss", "min"),)
    assert said.scheduler == Named("asha", {"metric": "acc", "mode": "max"})
    again = spec(**run, scheduler={"ASHAScheduler": {"metric": "loss", "mode": "min"}})
    assert again.scheduler == Named("asha")
    assert Plan(said, "abcd1234", 1).goals == Plan(again, "abcd1234", 1).goals == (Goal("loss", "min"),)
    several = {"tpe.TPESearch": [{"x": X}, ["loss", "size"], "min"]}
    by_one = spec(search_alg=several, scheduler={"ASHAScheduler": {"metric": "loss", "mode": "min"}})
    assert by_one.scheduler == Named("asha", {"metric": "loss", "mode": "min"})
    assert len(Plan(by_one, "abcd1234", 1).goals) == 2


def test_domains_in_a_schedulers_arguments():
    mutations = {"lr": {"tune.loguniform": [0.001, 1]}, "b": [1, 2], "net": {"w": {"tune.choice": [[8, 16]]}}}
    found = spec(scheduler={"PopulationBasedTraining": {"time_attr": "t", "hyperparam_mutations": mutations}})
    assert found.scheduler is not None
    assert found.scheduler.arguments["hyperparam_mutations"] == {
        "lr": described(tune.loguniform(0.001, 1)), "b": [1, 2], "net": {"w": Categorical([8, 16])},
    }  # fmt: skip


def test_a_scheduler_around_another_one():
    found = spec(scheduler={"ResourceChangingScheduler": [{"ASHAScheduler": {"metric": "a", "mode": "max"}}]})
    assert found.scheduler == Named("resource_changing", {"base_scheduler": Named("asha")})
    assert found.goals == (Goal("a", "max"),)


# -- what cannot be used -----------------------------------------------------------------------------------------------
LABELS = {"a": {"hp.uniform": ["w", 0, 1]}, "b": {"hp.uniform": ["w", 0, 2]}}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"num_sampels": 3}, r"tune.num_sampels=3 .*give 'num_samples'"),
    ({"num_samples": 0}, "tune.num_samples=0"),
    ({"config": [1]}, "tune.config"),
    ({"config": X}, "tune.config.*a mapping"),
    ({"config": {"x": {"tune.unifrom": [0, 1]}}}, r"tune.config.x.tune.unifrom=.*'tune.uniform'"),
    ({"config": {"x": {"os.system": ["ls"]}}}, r"config.x.os.system=.*nothing has that name"),
    ({"config": {"x": {"eval": "1 + 1"}}}, "text is not run as code"),
    ({"config": {"a": [{"b": {"tune.uniform": [3, 1]}}]}}, r"config.a\[0\].b.tune.uniform: upper=1"),
    ({"config": LABELS}, "label.*'w'.*another one has this label"),
    ({"config": {"y": X}, "search_alg": {"TPESearch": [{"x": X}]}}, "a space of its own"),
    ({"search_alg": "hyperop"}, "tune.search_alg='hyperop' .*'hyperopt'"),
    ({"search_alg": {"hyperopt.HyperOptSerch": {}}}, "'HyperOptSearch'"),
    ({"search_alg": {"subprocess.HyperOptSearch": {}}}, "there is no such module; give hyperopt.HyperOptSearch"),
    ({"search_alg": {"TPESearch": {"gama": 1}}}, r"search_alg.TPESearch.gama=1.*'gamma'"),
    ({"search_alg": {"TPESearch": 3}}, "a list of arguments"),
    ({"search_alg": [1]}, "search_alg="),
    ({"search_alg": {"TPESearch": {"space": 3}}}, "TPESearch.space=3"),
    ({"search_alg": {"TPESearch": {"space": {"hp.choice": ["r", [{"a": 1}]]}}}}, "TPESearch.space=HpChoice"),
    ({"search_alg": {"HyperOptSearch": {"space": {"hp.choice": ["r", [1]]}}}}, "configs are mappings"),
    ({"search_alg": {"TPESearch": {"points_to_evaluate": {"x": 1}}}}, "a list of configs"),
    ({"search_alg": {"TPESearch": {"points_to_evaluate": [{"x": X}]}}}, "of values and not of domains"),
    ({"search_alg": {"TPESearch": {"seed": -1}}}, "TPESearch.seed=-1"),
    ({"search_alg": {"TPESearch": {"mode": "min"}}}, "TPESearch.metric=None"),
    ({"search_alg": {"TPESearch": {"metric": "a", "mode": "up"}}}, "mode='up'"),
    ({"search_alg": {"TPESearch": {"metric": ["a", "a"], "mode": "min"}}}, "different metrics"),
    ({"search_alg": {"TPESearch": {"metric": ["a", "b"], "mode": ["min"] * 3}}}, "for each of 2 metrics"),
    ({"search_alg": {"TPESearch": {"metric": 3, "mode": "min"}}}, "metric=3"),
    ({"search_alg": {"OptunaSearch": {"storage": "sqlite:///x"}}}, "OptunaSearch.storage=.*the server keeps"),
    ({"search_alg": {"BayesOptSearch": {"analysis": "/etc"}}}, "analysis='/etc'"),
    ({"search_alg": {"SkOptSearch": {"optimizer": "gp"}}}, "SkOptSearch.optimizer"),
    ({"search_alg": {"Repeater": {"searcher": "random", "repeat": 0}}}, "repeat=0"),
    ({"search_alg": {"Repeater": {"repeat": 2}}}, "'searcher' is missing"),
    ({"search_alg": {"Repeater": {"searcher": {}}}}, "searcher={}"),
    ({"search_alg": {"Repeater": {"searcher": "tpe", "set_index": False}}}, "set_index=False"),
    ({"search_alg": {"ConcurrencyLimiter": {"searcher": "tpe", "max_concurrent": 2, "batch": True}}}, "batch=True"),
    ({"search_alg": {"TPESearch": {"metric": "a", "mode": "min"}}, "metric": "b", "mode": "min"}, "tune.metric='b'"),
    ({"scheduler": "ash"}, "tune.scheduler='ash' .*'asha'"),
    ({"scheduler": {"TPESearch": {}}}, "tune.scheduler="),
    ({"scheduler": {"ASHAScheduler": {"max_T": 3}}}, r"ASHAScheduler.max_T=3.*'max_t'"),
    ({"scheduler": {"PopulationBasedTraining": {"custom_explore_fn": "f"}}}, "custom_explore_fn='f'"),
    ({"scheduler": {"PopulationBasedTrainingReplay": ["/etc/passwd"]}}, "a server reads no file"),
    ({"scheduler": {"ASHAScheduler": {"metric": "a", "mode": "min"}}, "metric": "b", "mode": "min"}, "tune.metric='b'"),
    ({"scheduler": {"ASHAScheduler": {"metric": ["a", "b"], "mode": "min"}}}, "schedulers compare runs by one"),
    ({"mode": "min"}, "tune.metric=None"),
    ({"stop": [1]}, "tune.stop"),
    ({"stop": {"loss": "low"}}, "tune.stop.loss='low'"),
    ({"max_failures": -2}, "tune.max_failures=-2"),
    ({"time_budget_s": 0}, "tune.time_budget_s=0"),
    ({"max_concurrent_trials": -1}, "max_concurrent_trials=-1"),
    ({"max_concurrent_trials": 2, "search_alg": {"HyperOptSearch": {"max_concurrent": 3}}}, "one limit"),
    ({"resources_per_trial": 2}, "resources_per_trial=2"),
    ({"resources_per_trial": {"gpu": -1}}, "gpu"),
    ({"resources_per_trial": {"extra_cpu": 1}}, "extra_cpu"),
    ({"seed": "a"}, "tune.seed='a'"),
    ({"run_or_experiment": 3}, "tune.run_or_experiment=3"),
]


@pytest.mark.parametrize(("run", "complaint"), WRONG, ids=[complaint for _, complaint in WRONG])
def test_what_cannot_be_used_is_named(run, complaint):
    with pytest.raises(BadArgument, match=complaint):
        read({"tune": run})


@pytest.mark.parametrize(
    ("top", "complaint"),
    [
        ({"programme": "x"}, "programme='x' .*'program'"),
        ({"method": "random"}, "method='random'"),
        ({"parameters": {}}, "parameters="),
        ({"controller": {"type": "other"}}, "controller="),
        ({"controller": "local"}, "controller="),
        ({"settings": [1]}, "settings="),
        ({"settings": {"a": {"os.name": [1]}}}, "settings.a.os.name"),
        ({"command": "python"}, "command="),
        ({"run_cap": 0}, "run_cap=0"),
        ({"output_metrics": "yes"}, "output_metrics="),
        ({"name": 3}, "name=3"),
        ({"tune": [1]}, "tune="),
        ({"tune": None}, "tune=None"),
    ],
)
def test_what_cannot_be_used_beside_tune_is_named(top, complaint):
    with pytest.raises(BadArgument, match=complaint):
        read({"tune": {}, **top})


def test_a_metric_without_a_mode_was_maximised():
    found = search("hyperopt.HyperOptSearch", metric="acc")
    assert found.goals == (Goal("acc", "max"),)
    assert "mode is missing" in found.warnings[0]


def test_a_file_is_read_by_its_words():
    text = "program: t.py\ntune:\n  config:\n    x: {tune.loguniform: [1e-4, 1e-1]}\n    on: yes\n"
    found = read_any(text)
    assert found.parameters == {"x": Float(1e-4, 0.1, log=True), "on": True}
    assert found.text == text
    assert "line 5: yes stands for true" in found.warnings[0]
