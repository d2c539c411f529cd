"""Domains of other libraries in a ``param_space``: read by the search algorithm of that library, else refused."""

from __future__ import annotations

import logging

import ConfigSpace
import optuna
import pytest
from hyperopt import hp

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.tune import search
from luthier.tune.search import ConcurrencyLimiter, Searcher
from luthier.tune.search.hyperopt import HyperOptSearch
from luthier.tune.search.tpe import TPESearch
from tests.tune.restoring import inline

HP = {
    "x": hp.uniform("x", 0, 1),
    "model": {"kind": hp.choice("kind", [{"depth": hp.quniform("depth", 1, 5, 1)}, 3])},
    "list": [1, {"rate": hp.lognormal("rate", 0, 1)}],
}
OPTUNA = {"x": optuna.distributions.FloatDistribution(0, 1), "n": optuna.distributions.IntDistribution(1, 9, step=2)}


def train(config):
    tune.report({"loss": config["x"] ** 2})


def fitted(path, space, search_alg):
    config = tune.TuneConfig(metric="loss", mode="min", num_samples=6, search_alg=search_alg, seed=1)
    return tune.Tuner(train, param_space=space, tune_config=config, run_config=inline(path)).fit()


@pytest.mark.parametrize(
    "search_alg", ["hyperopt", ConcurrencyLimiter(HyperOptSearch(), 2)], ids=["hyperopt", "limited"]
)
def test_hyperopts_are_drawn(tmp_path, search_alg):
    results = fitted(tmp_path, HP, search_alg)
    restored = tune.Tuner.restore(results.experiment_path, train, tune_config=tune.TuneConfig(num_samples=8)).fit()
    configs = [result.config for result in restored]
    assert len({config["x"] for config in configs}) == 8
    assert all(config["list"][1]["rate"] > 0 for config in configs)
    kinds = [config["model"]["kind"] for config in configs]
    assert all(kind == 3 or kind["depth"] in (1, 2, 3, 4, 5) for kind in kinds)


def test_optunas_are_drawn(tmp_path):
    configs = [result.config for result in fitted(tmp_path, OPTUNA, "optuna")]
    assert len({config["x"] for config in configs}) == 6
    assert {config["n"] for config in configs} <= {1, 3, 5, 7, 9}


class Own(Searcher):
    def suggest(self, trial_id):
        return {}


@pytest.mark.parametrize(
    ("space", "search_alg", "named"),
    [
        (HP, None, r"param_space\['x'\].*BasicVariantGenerator does not read domains of hyperopt.*HyperOptSearch"),
        (HP, "tpe", "TPESearch does not read"),
        (HP, "optuna", "OptunaSearch does not read"),
        (HP, Own(), "Own does not read"),
        ({"a": [1, (2, HP["x"])]}, "tpe", r"param_space\['a'\]\[1\]\[1\]"),
        (OPTUNA, "hyperopt", "HyperOptSearch does not read domains of optuna"),
        ({"x": ConfigSpace.Float("x", (0, 1))}, "bohb", "of ConfigSpace.*takes a whole ConfigurationSpace"),
    ],
)
def test_others_refuse_them(tmp_path, space, search_alg, named):
    with pytest.raises(BadArgument, match=named):
        fitted(tmp_path, space, search_alg)
    assert not list(tmp_path.iterdir())


def test_a_space_of_its_own_is_looked_at_too():
    with pytest.raises(BadArgument, match="TPESearch does not read domains of hyperopt"):
        TPESearch(HP)


def test_names_and_what_they_take(caplog):
    assert search.SEARCH_ALG_IMPORT["hyperopt"]() is HyperOptSearch
    assert search.create_searcher is tune.create_searcher
    with caplog.at_level(logging.WARNING):
        basic = search.create_searcher("random", metric="loss", mode="min", max_concurrent=3)
    assert basic.max_concurrent == 3 and not caplog.text
    made = search.create_searcher("TPE", metric="loss", n_startup=3)
    assert made.metric == "loss"
    assert "TPESearch does not take n_startup, which has no effect; it takes space, metric, mode" in caplog.text
    with pytest.raises(AttributeError, match=r"luthier\.tune\.search.*nonsense"):
        _ = search.nonsense
