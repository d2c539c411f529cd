"""TuneBOHB as users have it: with its scheduler, by hand, and over spaces of ConfigSpace."""

from __future__ import annotations

import math
from typing import Any

import ConfigSpace as cs  # noqa: N813 (as its users do)
import pytest

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.core.rng import rng_at
from luthier.tune.schedulers import HyperBandForBOHB
from luthier.tune.search.bohb import TuneBOHB
from luthier.tune.search.configspace import space_of
from luthier.tune.searching import create_searcher

SPACE = {"x": tune.uniform(0, 1), "model": tune.choice(["a", {"depth": tune.randint(1, 9)}])}


def search(**more: Any) -> Any:
    arguments: dict[str, Any] = {"space": SPACE, "metric": "loss", "mode": "min", "seed": 7}
    return TuneBOHB(**(arguments | more))


def train(config):
    for step in range(1, 10):
        tune.report({"loss": (config["x"] - 0.3) ** 2 + 1 / step})


def fitted(tmp_path, search_alg, scheduler=None, **tuning):
    config = tune.TuneConfig(**({"num_samples": 17, "seed": 5} | tuning), search_alg=search_alg, scheduler=scheduler)
    run = tune.RunConfig(storage_path=tmp_path, verbose=0, executor="inline")
    return tune.Tuner(train, tune_config=config, run_config=run).fit()


def test_with_its_scheduler_it_learns_the_budgets_and_says_nothing(tmp_path, caplog):
    grid = fitted(tmp_path, search(), HyperBandForBOHB(max_t=9, metric="loss", mode="min"))
    assert len(grid) == 17
    assert "TuneBOHB" not in caplog.text


def test_with_another_scheduler_it_warns(tmp_path, caplog):
    fitted(tmp_path, search(), num_samples=3)
    assert caplog.text.count("TuneBOHB is made for HyperBandForBOHB") == 1


def test_by_hand_results_name_their_budget():
    one = search()
    for k in range(30):
        config = one.suggest(f"t{k}")
        loss = {"loss": abs(config["x"] - 0.8), "hyperband_info": {"budget": 3}}
        one.on_trial_result(f"t{k}", loss)
        one.on_trial_complete(f"t{k}", loss)
    xs = sorted(one.suggest(f"n{k}")["x"] for k in range(21))
    assert abs(xs[10] - 0.8) < 0.15


def test_points_seed_limit_and_name():
    one = create_searcher("bohb", space=SPACE, metric="loss", mode="max", max_concurrent=2, seed=3,
                          points_to_evaluate=[{"x": 0.25}])  # fmt: skip
    assert one.suggest("a")["x"] == 0.25
    assert isinstance(one.suggest("b"), dict)
    assert one.suggest("c") is None
    assert search().suggest("a") == search().suggest("a") != search(seed=8).suggest("a")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"mode": "up"}, "mode"),
        ({"bohb_config": {"top": 3}}, "bohb_config"),
        ({"bohb_config": [1]}, "bohb_config"),
        ({"bohb_config": {"num_samples": 0}}, "num_samples"),
        ({"max_concurrent": "2"}, "max_concurrent"),
        ({"points_to_evaluate": {"x": 1}}, "points_to_evaluate"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(BadArgument, match=named):
        search(**arguments)


def test_several_metrics_and_grids_are_refused():
    with pytest.raises(BadArgument, match=r"metric.*TuneBOHB"):
        search(metric=["a", "b"], mode=["min", "max"]).suggest("t")
    with pytest.raises(BadArgument, match=r"param_space\['x'\].*grid"):
        search(space={"x": tune.grid_search([1, 2])}).suggest("t")


# -- spaces of ConfigSpace ---------------------------------------------------------------------------------------------
def test_conversion_by_sampling():
    space = space_of(
        cs.ConfigurationSpace(
            {
                "float": cs.Float("float", (0.5, 2.0)),
                "log": cs.Float("log", (1e-4, 1e-1), log=True),
                "int": cs.Integer("int", (2, 5)),
                "logint": cs.Integer("logint", (1, 1024), log=True),
                "choice": cs.Categorical("choice", ["a", "b", "c"]),
                "order": cs.Categorical("order", [1, 10, 100], ordered=True),
                "constant": cs.Constant("constant", 3),
            }
        )
    )
    configs = [space.sample(rng_at(5, n)) for n in range(2000)]

    def column(name):
        return [config[name] for config in configs]

    assert all(type(v) is float and 0.5 <= v <= 2 for v in column("float"))
    assert abs(sum(column("float")) / 2000 - 1.25) < 0.03
    assert all(1e-4 <= v <= 1e-1 for v in column("log"))
    assert abs(sum(map(math.log10, column("log"))) / 2000 + 2.5) < 0.06
    assert {type(v) for v in column("int")} == {int}
    assert set(column("int")) == {2, 3, 4, 5}
    assert abs(sum(v <= 32 for v in column("logint")) / 2000 - math.log(32.5 / 0.5) / math.log(1024.5 / 0.5)) < 0.06
    assert set(column("choice")) == {"a", "b", "c"}
    assert {type(v) for v in column("choice")} == {str}
    assert set(column("order")) == {1, 10, 100}
    assert set(column("constant")) == {3}


def test_a_configuration_space_is_searched():
    one = search(space=cs.ConfigurationSpace({"x": (0.0, 1.0), "kind": ["a", "b"]}))
    config = one.suggest("t")
    assert 0 <= config["x"] <= 1
    assert config["kind"] in ("a", "b")


def test_what_cannot_be_converted_is_refused():
    space = cs.ConfigurationSpace({"kind": ["a", "b"], "x": (0.0, 1.0)})
    space.add(cs.EqualsCondition(space["x"], space["kind"], "a"))
    with pytest.raises(BadArgument, match="its conditions cannot be converted"):
        search(space=space)
    for odd in (
        cs.Float("x", (0, 1), distribution=cs.Normal(0.5, 0.1)),
        cs.Categorical("x", ["a", "b"], weights=[1, 3]),
    ):
        with pytest.raises(BadArgument, match="cannot be converted"):
            search(space=cs.ConfigurationSpace({"x": odd}))
