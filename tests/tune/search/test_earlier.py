"""What search algorithms learn from an earlier experiment."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.tune.schedulers import ASHAScheduler
from luthier.tune.search import ConcurrencyLimiter, Searcher
from luthier.tune.search.bohb import TuneBOHB
from luthier.tune.search.tpe import TPESearch

SPACE = {"x": tune.uniform(0, 1), "model": {"depth": tune.randint(1, 9)}}


def train(config):
    if config["x"] > 0.9:
        raise ValueError("too far")
    for step in range(1, 10):
        tune.report({"loss": abs(config["x"] - 0.7) + 1 / step, "nan": math.nan})


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    path = tmp_path_factory.mktemp("earlier")
    config = tune.TuneConfig(
        metric="loss", mode="min", num_samples=30, seed=5, scheduler=ASHAScheduler(max_t=9, reduction_factor=3)
    )
    run = tune.RunConfig(storage_path=path, name="e", verbose=0, executor="inline")
    return tune.Tuner(train, param_space=SPACE, tune_config=config, run_config=run).fit()


def search(kind=TPESearch, **more) -> Any:
    return kind(SPACE, metric="loss", mode="min", seed=7, **more)


SOURCES = {
    "path": lambda grid: grid.experiment_path,
    "grid": lambda grid: grid,
    "analysis": lambda grid: tune.ExperimentAnalysis(grid.experiment_path),
    "trials": lambda grid: tune.ExperimentAnalysis(grid.experiment_path).trials,
    "results": list,
}


@pytest.mark.parametrize("source", SOURCES)
def test_values_failures_and_rungs_are_learnt(before, source):
    searcher = search()
    searcher.add_evaluated_trials(SOURCES[source](before), "loss")
    seen = searcher.build(None, searcher.own_goals(())).seen
    assert len(seen.bad) == sum(result.error is not None for result in before) > 0
    assert len(seen) == 30
    assert {1.0, 3.0} >= {-place.early for place in seen.ranked if place.early > -math.inf} != set()
    best = before.get_best_result().metrics["loss"]
    assert seen.ranked[0].score == pytest.approx(best)


def test_a_table_will_do(before):
    searcher = search()
    searcher.add_evaluated_trials(before.get_dataframe(), "loss")
    seen = searcher.build(None, searcher.own_goals(())).seen
    assert len(seen.ranked) == sum("loss" in (result.metrics or {}) for result in before)


@pytest.mark.parametrize("kind", [TPESearch, TuneBOHB])
def test_it_begins_where_the_other_ended(before, kind):
    searcher = search(kind)
    searcher.add_evaluated_trials(before, "loss")
    xs = sorted(searcher.suggest(f"t{k}")["x"] for k in range(15))
    assert abs(xs[7] - 0.7) < 0.2


def test_bohb_learns_of_stopped_ones_at_their_budget(before):
    searcher = search(TuneBOHB)
    searcher.budgets = (1.0, 3.0, 9.0)
    searcher.add_evaluated_trials(before, "loss")
    policy = searcher.build(None, searcher.own_goals(()))
    assert set(policy._ranked) == {1.0, 3.0, 9.0}


def test_saved_and_restored_it_still_knows(tmp_path, before):
    one, two = search(), search()
    for searcher in (one, two):
        searcher.add_evaluated_trials(before, "loss")
    for k in range(5):
        config = one.suggest(f"t{k}")
        one.on_trial_complete(f"t{k}", {"loss": config["x"]})
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert [one.suggest(f"n{k}") for k in range(5)] == [two.suggest(f"n{k}") for k in range(5)]
    with pytest.raises(RuntimeError, match="too late"):
        one.add_evaluated_trials(before, "loss")


def test_a_limiter_passes_it_on(before):
    limiter: Any = ConcurrencyLimiter(search(), 2)
    limiter.add_evaluated_trials(before, "loss")
    assert len(limiter.searcher.earlier) == 30


def test_a_users_own_hears_point_by_point(before):
    class Noting(Searcher):
        points: list[Any] = []  # noqa: RUF012

        def add_evaluated_point(self, parameters, value, error=False, pruned=False, intermediate_values=None):
            self.points.append((parameters["x"], error, pruned))

    Noting().add_evaluated_trials(before, "loss")
    assert len(Noting.points) == 30
    assert {(error, pruned) for _, error, pruned in Noting.points} == {(False, False), (True, False), (False, True)}


@pytest.mark.parametrize(
    ("source", "metric", "named"),
    [
        (lambda _: 3, "loss", "trials_or_analysis"),
        (lambda _: ["x"], "loss", "trials_or_analysis"),
        (lambda grid: grid, "lost", "metric"),
        (lambda grid: grid, "nan", "metric"),
        (lambda grid: grid, None, "metric"),
        (lambda grid: grid.get_dataframe()[["loss"]], "loss", "trials_or_analysis"),
    ],
)
def test_what_cannot_be_used_is_named(before, source, metric, named):
    with pytest.raises(BadArgument, match=f"^{named}="):
        search().add_evaluated_trials(source(before), metric)


def test_trials_of_another_space_are_refused(before):
    searcher = TPESearch({"y": tune.uniform(0, 1)}, metric="loss", mode="min")
    searcher.add_evaluated_trials(before, "loss")
    with pytest.raises(BadArgument, match="of this space"):
        searcher.suggest("t")


def test_several_metrics_are_named_in_a_list():
    found = {}
    for metrics in ("size", ["loss", "size"]):
        searcher: Any = TPESearch(SPACE, metric=["loss", "size"], mode=["min", "max"], seed=7)
        searcher.add_evaluated_trials(TABLE, metrics)
        found[str(metrics)] = searcher
    with pytest.raises(BadArgument, match="2 metrics, loss, size"):
        found["size"].suggest("t")
    both = found["['loss', 'size']"]
    seen = both.build(None, both.own_goals(())).seen
    assert sorted(seen.vectors.values()) == [(0.1, -3.0), (0.2, -4.0)]
    assert len(seen.bad) == 1  # one lacks its size


TABLE = pd.DataFrame(
    {
        "loss": [0.1, 0.2, 0.3],
        "size": [3.0, 4.0, math.nan],
        "config/x": [0.1, 0.2, 0.3],
        "config/model/depth": [1, 2, 3],
    }
)


def test_whole_numbers_stay_so_in_a_table_where_some_are_missing():
    table = TABLE.assign(**{"config/other": [1.0, math.nan, 3.0], "config/half": [0.5, math.nan, 1.0]})
    searcher = search()
    searcher.add_evaluated_trials(table, "loss")
    configs = [config for config, _, _ in searcher.earlier]
    assert [repr(config.get("other")) for config in configs] == ["1", "None", "3"]
    assert [repr(config.get("half")) for config in configs] == ["0.5", "None", "1.0"]
