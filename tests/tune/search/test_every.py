"""What every search algorithm of the registry does; see ``algorithms.py`` for how each is made."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import tomllib
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from luthier import tune
from luthier.core.errors import BadArgument, MissingLibrary
from luthier.core.space import Beta, Float, Normal, Rounded, Space, Weighted
from luthier.tune.schedulers import ASHAScheduler
from tests.tune.restoring import inline
from tests.tune.search.algorithms import ALGORITHMS, HERE, PATHS, SPACE, class_of, made

SUGGESTING = [name for name in HERE if name != "BasicVariantGenerator"]  # which only a Tuner can ask
LATTICE = {"q": tune.quniform(0, 1, 0.25), "kind": tune.choice(["a", "b"])}
PARTLY = {"model": tune.choice(["a", {"x": tune.uniform(0, 1)}])}
WIDE = {f"x{k}": tune.uniform(0, 1) if k % 2 else tune.randint(0, 9) for k in range(200)}
OF_SWEEPS = {
    "share": Beta(2, 5),
    "size": Normal(1, 0.5, log=True),
    "batch": Rounded(Float(1, 100), 10, whole=True),
    "step": Rounded(Normal(0, 3, log=False), 2, whole=True),
    "kind": Weighted(["a", {"x": Float(0, 1)}], [0.25, 0.75]),
}
SEEDS = {"HyperOptSearch": "random_state_seed", "BayesOptSearch": "random_state"}  # what Ray Tune calls it there


def search(name: str, space: Any = SPACE, *, seed: int = 7, **more: Any) -> Any:
    arguments: dict[str, Any] = {"metric": "loss", "mode": "min", SEEDS.get(name, "seed"): seed}
    return made(name, space=space, **(arguments | more))


def driven(searcher: Any, count: int, loss: Any, first: int = 0, error: Any = lambda k: False) -> list[Any]:
    """Ask and tell, one after the other; a loss of None is no result."""
    configs = []
    for k in range(first, first + count):
        configs.append(searcher.suggest(f"t{k}"))
        value = loss(configs[-1], k)
        searcher.on_trial_complete(f"t{k}", None if value is None else {"loss": value}, error=error(k))
    return configs


def test_none_of_the_registry_is_left_out():
    assert set(ALGORITHMS) == set(PATHS)


@pytest.mark.parametrize("name", SUGGESTING)
@pytest.mark.parametrize(
    ("loss", "error"),
    [
        (lambda c, k: 1.0, False),
        (lambda c, k: math.nan, False),
        (lambda c, k: math.inf, False),
        (lambda c, k: -math.inf, False),
        (lambda c, k: (-1) ** k * 1e300, False),
        (lambda c, k: None, False),
        (lambda c, k: None, True),
        (lambda c, k: c["x"], True),
    ],
    ids=["equal", "nan", "infinite", "minus infinite", "huge", "no result", "failed", "failed after a result"],
)
def test_results_that_say_nothing_are_survived(name, loss, error):
    configs = driven(search(name), 7, loss, error=lambda k: error)
    assert all(config in Space(SPACE) for config in configs)


@pytest.mark.parametrize("name", SUGGESTING)
@pytest.mark.parametrize(
    "space",
    [{}, {"a": 3}, {"a": tune.choice([5]), "b": tune.randint(2, 3)}, WIDE],
    ids=["no", "one", "one each", "200"],
)
def test_spaces_of_any_size(name, space):
    searcher = search(name, space, **({} if space is not WIDE else _drawn(name)))
    configs = driven(searcher, 6, lambda c, k: float(k))
    assert all(config in Space(space) for config in configs)


@pytest.mark.parametrize("name", SUGGESTING)
def test_what_only_sweep_files_have_is_searched_as_well(name):
    configs = driven(search(name, OF_SWEEPS), 8, lambda c, k: c["share"] + c["batch"] / 100)
    assert all(config in Space(OF_SWEEPS) for config in configs)
    assert all(type(config["batch"]) is int for config in configs)


def _drawn(name: str) -> Any:
    """Return arguments for 200 axes: models of so many take libraries seconds."""
    arguments = ALGORITHMS[name].drawn if ALGORITHMS[name].module else {}
    return arguments() if callable(arguments) else dict(arguments or {})


@pytest.mark.parametrize("name", [name for name in SUGGESTING if not ALGORITHMS[name].repeats])
@pytest.mark.parametrize("told", [0, 5])
@pytest.mark.parametrize("space", [LATTICE, PARTLY], ids=["lattice", "partly dense"])
def test_trials_that_run_get_different_configs(name, told, space):
    searcher = search(name, space)
    driven(searcher, told, lambda c, k: float(len(str(c)) % 7))
    running = [repr(searcher.suggest(f"p{k}")) for k in range(8)]
    assert len(set(running)) == 8


@pytest.mark.parametrize("name", SUGGESTING)
def test_nothing_is_tried_twice_where_the_best_lies_on_the_edge(name):
    configs = driven(search(name), 12, lambda c, k: c["x"])
    assert len({repr(config) for config in configs}) == 12


@pytest.mark.parametrize("name", SUGGESTING)
def test_the_seed_decides(name):
    one, two, other = (driven(search(name, seed=seed), 7, lambda c, k: c["x"]) for seed in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize("name", SUGGESTING)
def test_saved_and_restored_in_the_middle_it_goes_on(name, tmp_path):
    one, two = search(name), search(name)
    driven(one, 6, lambda c, k: c["x"], error=lambda k: k == 3)
    running = one.suggest("running")
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    for searcher in (one, two):
        searcher.on_trial_complete("running", {"loss": running["x"]})
    after = [driven(searcher, 3, lambda c, k: c["x"], first=6) for searcher in (one, two)]
    assert after[0] == after[1]


@pytest.mark.parametrize("name", SUGGESTING)
def test_points_come_first_and_what_they_leave_open_is_drawn(name):
    whole = {"x": 0.25, "rate": 1e-3, "model": "a"}
    points = [whole, {"x": 0.5}, {"model": {"depth": 4}}, {}]
    configs = driven(search(name, points_to_evaluate=points), 5, lambda c, k: c["x"])
    assert configs[0] == whole
    assert configs[1]["x"] == 0.5 and configs[2]["model"] == {"depth": 4}
    assert all(config in Space(SPACE) for config in configs)
    with pytest.raises(BadArgument, match=r"points_to_evaluate\[0\]\['y'\]"):
        search(name, points_to_evaluate=[{"y": 1}]).suggest("t")
    searcher = search(name, points_to_evaluate=[{"x": 7.0}])
    with pytest.warns(UserWarning, match="not among the values"):
        assert searcher.suggest("t")["x"] == 7.0


@pytest.mark.parametrize("name", SUGGESTING)
def test_what_was_evaluated_elsewhere_is_not_tried_again(name):
    points: list[Any] = [{"x": k / 10, "rate": 1e-3, "model": "a"} for k in range(6)]
    one, two = search(name), search(name)
    if "evaluated_rewards" in signature(class_of(name)).parameters:
        two = search(name, points_to_evaluate=points, evaluated_rewards=[abs(p["x"] - 0.6) for p in points])
    for point in points:
        one.add_evaluated_point(point, abs(point["x"] - 0.6))
    found = one.suggest("t")
    assert found in Space(SPACE) and found not in points
    assert found == two.suggest("t") or name == "TuneBOHB"
    with pytest.raises(RuntimeError, match="too late"):
        one.add_evaluated_point(points[0], 1.0)


@pytest.mark.parametrize("name", SUGGESTING)
@pytest.mark.parametrize(
    "wrong", [{"x": 0.5}, {"x": 0.5, "rate": 1e-3, "model": "a", "y": 1}, {"x": 0.5, "rate": 1e-3}]
)
def test_what_was_evaluated_is_a_whole_config(name, wrong):
    """Part of one would be passed over, and nobody would know."""
    searcher = search(name)
    searcher.add_evaluated_point(wrong, 1.0)
    with pytest.raises(BadArgument, match="points_to_evaluate"):
        searcher.suggest("t")


@pytest.mark.parametrize("name", SUGGESTING)
def test_several_metrics_are_weighed_or_refused(name):
    searcher = search(name, metric=["loss", "size"], mode=["min", "max"])
    if not ALGORITHMS[name].several:
        with pytest.raises(BadArgument, match=r"metric=.*one metric: .* knows no more"):
            searcher.suggest("t")
        return
    for k in range(7):
        config = searcher.suggest(f"t{k}")
        searcher.on_trial_complete(f"t{k}", {"loss": config["x"], "size": 1 / config["rate"]})


@pytest.mark.parametrize("name", SUGGESTING)
def test_grids_are_choices_to_ours_and_refused_by_libraries(name):
    searcher = search(name, {"g": tune.grid_search([1, 2]), "x": tune.uniform(0, 1)})
    if ALGORITHMS[name].module or name == "TuneBOHB":
        with pytest.raises(BadArgument, match=r"param_space\['g'\].*does not walk grids"):
            searcher.suggest("t")
    else:
        assert {searcher.suggest(f"t{k}")["g"] for k in range(8)} == {1, 2}


# -- in a Tuner --------------------------------------------------------------------------------------------------------
def train(config):
    if config["x"] > 0.9:
        raise ValueError("too far")
    for step in range(1, 5):
        tune.report({"loss": config["x"] + 1 / step, "size": -config["x"]})


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """An experiment of twelve trials: some failed, some were stopped."""
    config = tune.TuneConfig(
        metric="loss", mode="min", num_samples=12, seed=3, scheduler=ASHAScheduler(max_t=4, reduction_factor=2)
    )
    run = inline(tmp_path_factory.mktemp("before"))
    results = tune.Tuner(train, param_space=SPACE, tune_config=config, run_config=run).fit()
    assert results.num_errors
    return results


@pytest.mark.parametrize("name", SUGGESTING)
def test_it_learns_from_an_earlier_experiment(name, before):
    found, table = [], before.get_dataframe()
    for source in (before, before.experiment_path, table):
        searcher = search(name)
        searcher.add_evaluated_trials(source, "loss")
        if source is not table:  # which has no row for those that failed before their first result
            assert len(searcher.earlier) == 12
        assert all(type(config["model"]["depth"]) is int for config, _, _ in searcher.earlier if config["model"] != "a")
        found.append(searcher.suggest("t"))
    assert found[0] == found[1]
    assert all(one in Space(SPACE) and one not in [result.config for result in before] for one in found)


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("scheduler", [None, "asha", "hyperband", "median_stopping_rule"])
def test_goal_and_space_come_from_the_tuner_whatever_the_scheduler(name, scheduler, tmp_path):
    judge = ASHAScheduler(max_t=4, grace_period=1, reduction_factor=2) if scheduler == "asha" else scheduler
    config = tune.TuneConfig(metric="loss", mode="max", num_samples=9, search_alg=made(name), scheduler=judge, seed=3)
    results = tune.Tuner(train, param_space=SPACE, tune_config=config, run_config=inline(tmp_path)).fit()
    assert len(results) == 9
    ended = {result.metrics["training_iteration"] for result in results if result.error is None}
    assert ended == {4} if scheduler is None else ended <= {1, 2, 3, 4}


# -- what is missing ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [name for name in ALGORITHMS if ALGORITHMS[name].module])
def test_a_missing_library_is_named_with_what_to_install(name, monkeypatch):
    algorithm = ALGORITHMS[name]
    monkeypatch.setitem(sys.modules, algorithm.module, None)
    with pytest.raises(MissingLibrary) as caught:
        class_of(name)()
    said = rf"{name} needs {algorithm.module}\S*: pip install 'luthier\[{algorithm.extra}\]'"
    assert re.fullmatch(said, str(caught.value))


def test_every_extra_of_a_library_is_one_of_ours():
    pyproject = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
    extras = pyproject["project"]["optional-dependencies"]
    assert {a.extra for a in ALGORITHMS.values() if a.extra} <= set(extras)


def test_ours_need_no_library():
    """Also where none of the others is there."""
    script = "import sys\n"
    script += f"sys.modules |= dict.fromkeys({sorted(a.module for a in ALGORITHMS.values() if a.module)!r})\n"
    script += "from luthier import tune\nfrom luthier.tune.searching import SEARCH_ALGS, create_searcher\n"
    for name in (name for name in ALGORITHMS if not ALGORITHMS[name].module):
        module, _, noun = PATHS[name].partition(":")
        script += f"from {module} import {noun}\n"
        if name in SUGGESTING:
            script += f"s = {noun}({{'x': tune.uniform(0, 1)}}, metric='loss', mode='min')\n"
            script += "s.suggest('t'); s.on_trial_complete('t', {'loss': 1.0}); s.suggest('u')\n"
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)
