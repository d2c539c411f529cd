"""Experiments with several metrics: what a Tuner takes, what it writes, and the Pareto front."""

from __future__ import annotations

import pytest

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.store.card import ExperimentCard
from luthier.tune import ExperimentAnalysis
from luthier.tune.error import NoResult
from luthier.tune.schedulers import ASHAScheduler, FIFOScheduler
from luthier.tune.search.tpe import TPESearch
from tests.tune.restoring import cut, inline, length

GOALS = {"metric": ["acc", "latency"], "mode": ["max", "min"]}
SPACE = {"width": tune.grid_search([1, 2, 3, 4, 5, 6])}


def train(config):
    width = config["width"]
    tune.report({"acc": min(width, 4) / 4, "latency": width * 10.0, "other": -width})


def tuner(tmp_path, space=SPACE, function=train, verbose=0, **tuning):
    config = tune.TuneConfig(**{**GOALS, **tuning})
    return tune.Tuner(function, param_space=space, tune_config=config, run_config=inline(tmp_path, verbose=verbose))


def widths(results):
    return [result.config["width"] for result in results]


def test_the_front(tmp_path):
    grid = tuner(tmp_path).fit()
    assert widths(grid.pareto_front()) == [4, 3, 2, 1]
    assert widths(grid.pareto_front(["acc", "other"], "max")) == [4, 3, 2, 1]
    assert widths(grid.pareto_front("latency", "max")) == [6]
    assert widths(grid.pareto_front("acc", "max")) == [4, 5, 6]


def test_trials_without_a_finite_value_are_not_on_it(tmp_path):
    def odd(config):
        width = config["width"]
        if width == 1:
            raise RuntimeError
        tune.report({"acc": float("nan") if width == 2 else width, "latency": float("inf") if width == 6 else 1.0})
        if width == 3:
            tune.report({"acc": 9.0})

    grid = tuner(tmp_path, function=odd).fit()
    assert widths(grid.pareto_front()) == [5]
    with pytest.raises(NoResult, match="nothing"):
        grid.pareto_front(["acc", "nothing"], "max")
    with pytest.raises(BadArgument, match="mode"):
        grid.pareto_front(["acc", "latency"])


def test_one_of_several_must_be_named(tmp_path):
    grid = tuner(tmp_path).fit()
    with pytest.raises(BadArgument, match="acc, latency"):
        grid.get_best_result()
    assert grid.get_best_result("latency").config["width"] == 1
    assert grid.get_best_result("acc").config["width"] == 4
    assert grid.get_best_result("other", "max").config["width"] == 1
    with pytest.raises(BadArgument, match="mode"):
        grid.get_best_result("other")
    assert len(grid.get_dataframe("latency")) == 6
    analysis = ExperimentAnalysis(grid.experiment_path)
    with pytest.raises(BadArgument, match="acc, latency"):
        _ = analysis.best_config
    assert analysis.get_best_config("latency", "min") == {"width": 1}
    assert ExperimentAnalysis(grid.experiment_path, default_metric="latency").best_config == {"width": 1}


def test_no_goal_has_no_front(tmp_path):
    grid = tuner(tmp_path, metric=None, mode=None).fit()
    with pytest.raises(BadArgument, match="metric"):
        grid.pareto_front()


@pytest.mark.parametrize("search_alg", ["tpe", "optuna"])
def test_restored_it_goes_on_with_all_goals(tmp_path, search_alg):
    space = {"width": tune.randint(1, 50)}
    whole = tuner(tmp_path / "a", space, num_samples=16, search_alg=search_alg, seed=3).fit()
    card = ExperimentCard.read(whole.experiment_path)
    assert (card.metrics, card.modes) == (["acc", "latency"], ["max", "min"])
    for part in (0.3, 0.6, 0.9):
        broken = cut(whole.experiment_path, tmp_path / f"b{part}", int(part * length(whole.experiment_path)))
        again = tune.Tuner.restore(str(broken), train, run_config=tune.RunConfig(verbose=0, executor="inline")).fit()
        assert widths(again) == widths(whole)
        assert widths(again.pareto_front()) == widths(whole.pareto_front())
    more = tune.TuneConfig(num_samples=18, metric=("acc", "latency"), mode=["max", "min"])
    assert len(tune.Tuner.restore(whole.experiment_path, train, tune_config=more).fit()) == 18
    with pytest.raises(BadArgument, match=r"tune_config\.metric"):
        tune.Tuner.restore(whole.experiment_path, train, tune_config=tune.TuneConfig(metric="acc", mode="max"))


def test_schedulers_that_compare_need_a_metric_of_their_own(tmp_path):
    with pytest.raises(BadArgument, match=r"AsyncHyperBand|ASHA"):
        tuner(tmp_path, scheduler=ASHAScheduler())
    assert len(tuner(tmp_path / "1", scheduler=FIFOScheduler()).fit()) == 6
    assert len(tuner(tmp_path / "2", scheduler=ASHAScheduler(metric="acc", mode="max")).fit()) == 6


@pytest.mark.parametrize(
    "tuning",
    [
        {"scheduler": ASHAScheduler(metric="acc", mode="max")},
        {"scheduler": ASHAScheduler(metric="acc", mode="max"), "metric": None, "mode": None},
        {
            "scheduler": ASHAScheduler(metric="acc", mode="max"), "metric": None, "mode": None,
            "search_alg": TPESearch(metric="latency", mode="min"),
        },
    ],
)  # fmt: skip
def test_restored_a_scheduler_keeps_the_goal_of_its_own(tmp_path, tuning):
    space = {"width": tune.choice([1, 2, 3, 4, 5, 6])}
    whole = tuner(tmp_path, space, num_samples=4, **tuning).fit()
    again = tune.Tuner.restore(whole.experiment_path, train, tune_config=tune.TuneConfig(num_samples=6)).fit()
    assert len(again) == 6
    card, before = (ExperimentCard.read(grid.experiment_path) for grid in (again, whole))
    assert (card.metrics, card.modes) == (before.metrics, before.modes)


def test_what_the_console_says(tmp_path, capsys):
    tuner(tmp_path, verbose=1).fit()
    said = capsys.readouterr()
    text = said.out + said.err
    assert "for the best 'acc' (max), 'latency' (min)" in text
    assert "4 trials on the Pareto front of acc (max) and latency (min)" in text
    assert "Best:" not in text.split("Finished")[1]


@pytest.mark.parametrize(
    ("tuning", "named"),
    [
        ({"mode": ["max"], "metric": ["acc", "acc"]}, "metric"),
        ({"mode": ["max", "min", "min"]}, "mode"),
        ({"mode": ["max", "up"]}, "mode"),
        ({"mode": []}, "mode"),
        ({"metric": []}, "metric"),
        ({"metric": ["acc", 3]}, "metric"),
    ],
)
def test_bad_goals_are_named(tuning, named):
    with pytest.raises(BadArgument, match=named):
        tune.TuneConfig(**{**GOALS, **tuning})
