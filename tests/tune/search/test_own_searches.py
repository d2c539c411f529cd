"""Our own search algorithms as users have them: by name, by hand, in a Tuner that dies and goes on."""

from __future__ import annotations

from typing import Any

import pytest

from luthier import tune
from luthier.core import events as ev
from luthier.core.errors import BadArgument
from luthier.tune.search.auto import AutoSearch
from luthier.tune.search.cmaes import CMAESSearch
from luthier.tune.search.evolution import EvolutionSearch
from luthier.tune.search.gp import GPSearch
from luthier.tune.search.quasirandom import QuasiRandomSearch
from luthier.tune.searching import create_searcher, spoken
from tests.tune.restoring import cut, events, length

SPACE = {
    "x": tune.uniform(0, 1),
    "model": tune.choice(["a", {"depth": tune.randint(1, 9)}]),
    "g": tune.grid_search([1]),
}
ALL: list[Any] = [AutoSearch, CMAESSearch, EvolutionSearch, GPSearch, QuasiRandomSearch]
NAMES = {
    "auto": AutoSearch,
    "cmaes": CMAESSearch,
    "evolution": EvolutionSearch,
    "gp": GPSearch,
    "sobol": QuasiRandomSearch,
    "quasirandom": QuasiRandomSearch,
}


def train(config):
    for step in (1, 2):
        tune.report({"loss": (config["x"] - 0.3) ** 2 + 1 / step, "size": config["x"]})


def run_config(tmp_path, **more):
    return tune.RunConfig(**{"storage_path": tmp_path, "verbose": 0, "executor": "inline", "name": "e", **more})


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_by_its_name(name):
    assert type(create_searcher(name.upper())) is NAMES[name]


@pytest.mark.parametrize("cls", ALL)
def test_by_hand_saved_and_restored_in_the_middle(cls, tmp_path):
    def asked(searcher, first, last):
        configs = []
        for k in range(first, last):
            configs.append(searcher.suggest(f"t{k}"))
            searcher.on_trial_complete(f"t{k}", {"loss": configs[-1]["x"]}, error=k % 5 == 4)
        return configs

    one, two, other = (cls(SPACE, metric="loss", mode="max", seed=seed) for seed in (7, 7, 8))
    before = asked(one, 0, 14)
    one.save(str(tmp_path / "saved"))
    after = asked(one, 14, 20)
    two.restore(str(tmp_path / "saved"))
    assert asked(two, 14, 20) == after
    assert asked(other, 0, 3) != before[:3]


@pytest.mark.parametrize("cls", ALL)
def test_points_to_evaluate_come_first_and_those_with_rewards_are_not_tried(cls):
    first = {"x": 0.25, "model": "a"}
    search = cls(SPACE, metric="loss", mode="min", points_to_evaluate=[first])
    assert search.suggest("t0")["x"] == 0.25
    known = cls(SPACE, metric="loss", mode="min", points_to_evaluate=[{**first, "g": 1}], evaluated_rewards=[0.5])
    assert known.suggest("t0")["x"] != 0.25


@pytest.mark.parametrize("cls", [CMAESSearch, GPSearch])
def test_several_metrics_are_refused_where_one_is_all_it_knows(cls):
    with pytest.raises(BadArgument, match=r"metric.*EvolutionSearch"):
        cls(SPACE, metric=["loss", "size"], mode=["min", "max"]).suggest("t0")


@pytest.mark.parametrize("cls", [AutoSearch, EvolutionSearch, QuasiRandomSearch])
def test_several_metrics(cls, tmp_path):
    search = cls(metric=["loss", "size"], mode=["min", "max"])
    config = tune.TuneConfig(num_samples=25, search_alg=search, seed=1)
    tuner = tune.Tuner(train, param_space=SPACE, tune_config=config, run_config=run_config(tmp_path))
    assert len(tuner.fit()) == 25


@pytest.mark.parametrize(
    ("cls", "arguments", "named"),
    [
        (CMAESSearch, {"sigma": -1}, "sigma"),
        (CMAESSearch, {"population_size": 2}, "population"),
        (EvolutionSearch, {"population_size": 1}, "population"),
        (EvolutionSearch, {"mutation_rate": 7}, "mutation"),
        (GPSearch, {"n_initial_points": 0}, "startup|n_initial_points"),
    ],
)
def test_bad_arguments_are_refused_where_they_are_written(cls, arguments, named):
    with pytest.raises(BadArgument, match=named):
        cls(SPACE, **arguments)


@pytest.mark.parametrize("name", ["auto", "cmaes", "evolution", "gp", "sobol"])
def test_an_experiment_that_was_killed_goes_on_as_if_it_had_not_been(name, tmp_path):
    config = tune.TuneConfig(metric="loss", mode="min", num_samples=16, search_alg=name, seed=1)
    tune.Tuner(train, param_space=SPACE, tune_config=config, run_config=run_config(tmp_path)).fit()
    whole = tmp_path / "e"
    torn = cut(whole, tmp_path / "torn", length(whole) // 2)
    tune.Tuner.restore(str(torn), train).fit()
    assert [e.config for e in events(torn, ev.Proposed)] == [e.config for e in events(whole, ev.Proposed)]
    ended = [e.trial for e in events(torn, ev.Ended)]
    assert len(ended) == len(set(ended)) == 16


def test_auto_says_what_it_chose_and_why(capsys, tmp_path):
    search: Any = AutoSearch(SPACE, metric="loss", mode="min")
    assert getattr(search, "choice") is None  # noqa: B009 (mypy would take it for None from here on)
    search.suggest("t0")
    assert search.choice.name == "gp"
    assert "fewer than 200" in search.choice.why
    config = tune.TuneConfig(metric="loss", mode="min", num_samples=2, search_alg="auto")
    tune.Tuner(train, param_space=SPACE, tune_config=config, run_config=run_config(tmp_path, verbose=1)).fit()
    assert "Auto search (gp: " in capsys.readouterr().out.replace("\n", " ")


def test_what_is_said_of_others():
    from luthier.core.space import Space

    assert spoken(create_searcher("random"), None, Space(SPACE)) == "random search"
    assert spoken(create_searcher("grid"), None, Space({"g": tune.grid_search([1, 2])})) == "grid search"
    assert spoken(GPSearch(), None, Space(SPACE)) == "GP search"
