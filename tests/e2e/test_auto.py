"""What ``auto`` chose, why, and each change of its mind: in the log, where one looks at it, and at the end."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from luthier import tune
from luthier.cli.commands import luthier
from luthier.core import events as ev
from luthier.search import auto
from luthier.tune.search import ConcurrencyLimiter
from luthier.tune.search.auto import AutoSearch
from tests.tune.restoring import cut, events, inline, length

FIRST = {"by": "gp", "because": "2 axes, fewer than 6 results"}
THEN = {"by": "cmaes", "because": "numbers only, 6 results or more"}
SPACE = {"x": tune.uniform(0, 1), "n": tune.randint(0, 1000)}


def train(config):
    tune.report({"loss": config["x"]})


def fitted(path, search_alg="auto", **more):
    tuning = {"metric": "loss", "mode": "min", "num_samples": 10, "seed": 1, "search_alg": search_alg, **more}
    run = inline(path, verbose=1)
    return tune.Tuner(train, param_space=SPACE, tune_config=tune.TuneConfig(**tuning), run_config=run).fit()


def shown(path, *options):
    done = CliRunner().invoke(luthier, ["show", str(path), *options], prog_name="luthier")
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(auto, "GP_TRIALS", 6)
    monkeypatch.setattr(auto, "LITTLE_MORE", 8)


@pytest.mark.parametrize("search_alg", ["auto", lambda: ConcurrencyLimiter(AutoSearch(), 2)], ids=["auto", "limited"])
def test_each_choice_is_told(tmp_path, capsys, search_alg):
    fitted(tmp_path, search_alg if isinstance(search_alg, str) else search_alg())
    whys = [event.why for event in events(tmp_path / "e", ev.Proposed)]
    assert whys == [FIRST] * 6 + [THEN] * 4
    said = capsys.readouterr().out
    both = "gp (2 axes, fewer than 6 results), from trial 6 on cmaes (numbers only, 6 results or more)"
    assert "10 trials, Auto search (gp: 2 axes, fewer than 6 results), for the best 'loss'" in said
    assert said.count("Search: from trial 6 on cmaes (numbers only, 6 results or more)\n") == 1
    assert f"\nChosen by: {both}\n" in said
    assert f"\nchosen by: {both}\n" in shown(tmp_path / "e")
    assert json.loads(shown(tmp_path / "e", "--json"))["choosers"] == [{"from": 0, **FIRST}, {"from": 6, **THEN}]
    assert "by gp: 2 axes, fewer than 6 results" in shown(tmp_path / "e", "--trial", "5")
    assert "by cmaes: numbers only" in shown(tmp_path / "e", "--trial", "6")


def test_a_restored_experiment_says_who_goes_on(tmp_path, capsys):
    fitted(tmp_path)
    for trials, who in ((3, "gp: 2 axes, fewer than 6"), (8, "cmaes: numbers only, 6")):
        whole = tmp_path / "e"
        torn = cut(whole, tmp_path / f"torn{trials}", length(whole) * trials // 10)
        capsys.readouterr()
        tune.Tuner.restore(str(torn), train).fit()
        said = capsys.readouterr().out
        assert f"Auto search ({who} results" in said
        assert said.count("Search: from trial 6") == (trials < 6)
        assert "Chosen by: gp (2 axes, fewer than 6 results), from trial 6 on cmaes" in said
        assert [event.why for event in events(torn, ev.Proposed)] == [FIRST] * 6 + [THEN] * 4


def test_points_that_are_given_and_other_searches_have_no_chooser(tmp_path):
    fitted(tmp_path, AutoSearch(points_to_evaluate=[{"x": 0.5}]), num_samples=2)
    assert [event.why for event in events(tmp_path / "e", ev.Proposed)] == [None, FIRST]
    fitted(tmp_path / "other", "tpe", num_samples=2)
    assert "chosen by" not in shown(tmp_path / "other" / "e")
