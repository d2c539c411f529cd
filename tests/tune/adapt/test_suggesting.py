"""Search algorithms that users write with Ray Tune's methods, in a Tuner."""

from __future__ import annotations

import logging
import random
from typing import Any

import pytest

from luthier import tune
from luthier.core.errors import BadArgument, PolicyError
from luthier.core.events import Proposed
from luthier.core.goal import Goal
from luthier.core.space import Float, Space
from luthier.core.terms import TrialId
from luthier.testing.searchers import SearcherContract
from luthier.tune.adapt.suggesting import policy_of
from luthier.tune.search import ConcurrencyLimiter, Searcher
from luthier.tune.search.tpe import TPESearch
from luthier.tune.searching import described

LOSS = (Goal("loss", "min"),)


class Climber(Searcher):
    """Tries near the best so far; keeps state in each method."""

    def __init__(self, metric="loss", mode="min", most=None):
        super().__init__(metric=metric, mode=mode)
        self.rng = random.Random(3)
        self.best: tuple[float, float] = (float("inf"), 0.5)
        self.live: dict[str, dict[str, Any]] = {}
        self.heard: list[tuple[str, str]] = []
        self.most = most

    def suggest(self, trial_id):
        if self.most is not None and len(self.heard) >= self.most:
            return Searcher.FINISHED
        if len(self.live) >= 4:
            return None
        x = min(1.0, max(0.0, self.best[1] + self.rng.gauss(0, 0.1) + random.uniform(0, 0.01)))
        self.live[trial_id] = {"x": x}
        return {"x": x}

    def on_trial_result(self, trial_id, result):
        assert trial_id in self.live
        assert result["config/x"] == self.live[trial_id]["x"]

    def on_trial_complete(self, trial_id, result=None, error=False):
        config = self.live.pop(trial_id)
        self.heard.append((trial_id, "error" if error else "done" if result else "nothing"))
        if result and "loss" in result and result["loss"] < self.best[0]:
            self.best = result["loss"], config["x"]


class Counting(TPESearch):
    """A search algorithm of ours with a method of its own."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.ends = 0

    def on_trial_complete(self, trial_id, result=None, error=False):
        self.ends += 1
        super().on_trial_complete(trial_id, result, error)


class TestClimber(SearcherContract):
    replayable = False
    space = Space({"x": Float(0, 1), "c": 3})

    def make(self):
        return policy_of(Climber(), Space({"c": 3}), LOSS, 11)


class TestSubclassOfOurs(SearcherContract):
    replayable = False
    space = Space({"x": Float(0, 1)})

    def make(self):
        return policy_of(Counting(n_initial_points=3), self.space, LOSS, 11)


class TestLimited(SearcherContract):
    replayable = False

    def make(self):
        return policy_of(ConcurrencyLimiter(Climber(), 2), None, LOSS, 11)


def train(config):
    for step in range(1, 3):
        tune.report({"loss": (config["x"] - 0.25) ** 2 + 0.1 / step})


def fitted(tmp_path, search_alg, train=train, param_space=None, name=None, **tuning):
    config = tune.TuneConfig(**({"num_samples": 12, "seed": 5} | tuning), search_alg=search_alg)
    run = tune.RunConfig(name=name, storage_path=tmp_path, verbose=0, executor="inline")
    return tune.Tuner(train, param_space=param_space, tune_config=config, run_config=run).fit()


def test_it_searches_and_the_object_stays_as_it_was(tmp_path):
    climber = Climber()
    grid = fitted(tmp_path, climber, num_samples=40)
    assert len(grid) == 40
    assert grid.get_best_result().metrics["loss"] < 0.055
    assert not climber.heard


def test_ids_are_those_of_the_trials_and_constants_go_in(tmp_path):
    seen = []

    class Asking(Climber):
        def suggest(self, trial_id):
            found = super().suggest(trial_id)
            return found if found is None else {**found, "asked": trial_id, "deep": {"b": 2}}

        def on_trial_result(self, trial_id, result):
            seen.append(trial_id == result["trial_id"] == result["config/asked"])

    grid = fitted(tmp_path, Asking(), param_space={"c": 3, "deep": {"a": 1}}, num_samples=3)
    assert all(result.config["c"] == 3 and result.config["deep"] == {"a": 1, "b": 2} for result in grid)
    assert seen == [True] * 6


def test_finished_is_the_end(tmp_path):
    assert len(fitted(tmp_path, Climber(most=3), num_samples=-1)) == 3


def test_failed_trials_are_told_as_that(tmp_path):
    heard = []

    class Listening(Climber):
        def on_trial_complete(self, trial_id, result=None, error=False):
            super().on_trial_complete(trial_id, result, error)
            heard.append((result is None, error))

    def falls(config):
        if config["c"]:
            raise ValueError("no")

    grid = fitted(tmp_path, Listening(), train=falls, param_space={"c": 1}, num_samples=2)
    assert len(grid.errors) == 2
    assert heard == [(True, True)] * 2


def test_it_takes_over_metric_mode_and_space(tmp_path):
    class Taking(Searcher):
        def set_search_properties(self, metric, mode, config, **spec):
            self.space, self.told = config, (metric, mode)
            return True

        def suggest(self, trial_id):
            assert self.told == ("loss", "min")
            return {"x": self.space["x"]}  # a domain is drawn from

    grid = fitted(tmp_path, Taking(), param_space={"x": tune.uniform(0, 1)}, metric="loss", mode="min")
    assert len({result.config["x"] for result in grid}) == 12


def test_a_space_that_nobody_takes_is_refused(tmp_path):
    with pytest.raises(BadArgument, match=r"set_search_properties returned False.*Climber alone"):
        fitted(tmp_path, Climber(), param_space={"x": tune.uniform(0, 1)})
    assert not list(tmp_path.iterdir())


def test_an_error_names_the_method_and_shows_where(tmp_path):
    class Broken(Climber):
        def on_trial_complete(self, trial_id, result=None, error=False):
            raise KeyError("gone")

    with pytest.raises(PolicyError, match=r"Broken raised KeyError on Ended: 'gone'") as caught:
        fitted(tmp_path, Broken())
    cause = caught.value.__cause__
    assert isinstance(cause, KeyError)
    assert cause.__notes__[0].startswith("in Broken.on_trial_complete, about trial ")


@pytest.mark.parametrize("answer", [[1], "finished", 3])
def test_what_is_no_config_is_explained(tmp_path, answer):
    class Odd(Searcher):
        def suggest(self, trial_id):
            return answer

    with pytest.raises(PolicyError, match=r"Odd.suggest returned .*: it must return a dict, None or 'FINISHED'"):
        fitted(tmp_path, Odd())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [(3, "a search algorithm"), (TPESearch, "an object: TPESearch"), (type("X", (), {"suggest": print})(), "inherits")],
)
def test_other_things_are_refused(wrong, says):
    with pytest.raises(BadArgument, match=f"search_alg=.*{says}"):
        described(wrong)


def test_what_cannot_be_copied_is_refused(tmp_path):
    climber = Climber()
    climber.rng = (n for n in range(3))  # type: ignore[assignment]
    with pytest.raises(BadArgument, match=r"copy\.deepcopy"):
        fitted(tmp_path, climber)


def test_one_that_goes_by_a_clock_is_warned_of(tmp_path, caplog):
    ticks = iter(range(1000))

    class Ticking(Searcher):
        def suggest(self, trial_id):
            return {"x": next(ticks) / 1000}

    policy: Any = policy_of(Ticking(), None, LOSS, 1)

    with caplog.at_level(logging.WARNING):
        for number in range(3):
            policy.tell(Proposed(TrialId(f"t_{number:05d}"), number, {"x": 0.5}, {}), None)
    assert len(caplog.records) == 1
    assert "The log is believed" in caplog.text


def test_a_subclass_of_a_limiter_runs_with_its_own_methods(tmp_path):
    class Noisy(ConcurrencyLimiter):
        def suggest(self, trial_id):
            found = super().suggest(trial_id)
            return {**found, "noisy": True} if isinstance(found, dict) else found

    grid = fitted(tmp_path, Noisy(TPESearch({"x": tune.uniform(0, 1)}, "loss", "min"), 2), num_samples=6)
    assert all(result.config["noisy"] for result in grid)
