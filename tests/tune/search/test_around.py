"""ConcurrencyLimiter and Repeater, in a Tuner and by hand."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.tune.search import BasicVariantGenerator, ConcurrencyLimiter, Repeater, Searcher
from luthier.tune.search.bohb import TuneBOHB
from luthier.tune.search.repeater import TRIAL_INDEX
from luthier.tune.search.tpe import TPESearch

SPACE = {"x": tune.uniform(0, 1)}


class Plain(Searcher):
    """Counts up, and keeps what it is told."""

    def __init__(self):
        super().__init__(metric="reward", mode="max")
        self.index = 0
        self.told: list[Any] = []

    def suggest(self, trial_id):
        self.index += 1
        return {"index": self.index}

    def on_trial_complete(self, trial_id, result=None, error=False):
        self.told.append((trial_id, result, error))


def tpe(**more):
    return TPESearch(SPACE, metric="loss", mode="min", seed=7, **more)


def train(config):
    tune.report({"loss": config["x"] + config.get(TRIAL_INDEX, 0)})


def fitted(tmp_path, search_alg, executor="inline", **tuning):
    config = tune.TuneConfig(**({"num_samples": 12, "seed": 5} | tuning), search_alg=search_alg)
    run = tune.RunConfig(storage_path=tmp_path, verbose=0, executor=executor)
    return tune.Tuner(train, tune_config=config, run_config=run).fit()


# -- by hand -----------------------------------------------------------------------------------------------------------
def test_a_limit_by_hand():
    limiter: Any = ConcurrencyLimiter(Plain(), max_concurrent=2)
    assert [limiter.suggest(name) for name in "abc"] == [{"index": 1}, {"index": 2}, None]
    limiter.on_trial_complete("a", {"reward": 1})
    assert limiter.suggest("c") == {"index": 3}
    limiter.on_trial_complete("unknown", {"reward": 1})
    assert limiter.searcher.told == [("a", {"reward": 1}, False)]
    with pytest.raises(BadArgument, match="trial_id"):
        limiter.suggest("c")


def test_a_batch_by_hand():
    limiter: Any = ConcurrencyLimiter(Plain(), 2, batch=True)
    limiter.suggest("a"), limiter.suggest("b")
    limiter.on_trial_complete("b", {"reward": 2})
    assert limiter.suggest("c") is None
    assert limiter.searcher.told == []
    limiter.on_trial_complete("a", error=True)
    assert limiter.searcher.told == [("b", {"reward": 2}, False), ("a", None, True)]
    assert limiter.suggest("c") == {"index": 3}


def test_one_that_limits_itself_is_left_to_it():
    class Own(Plain):
        def set_max_concurrency(self, max_concurrent):
            self.most = max_concurrent
            return True

    limiter: Any = ConcurrencyLimiter(Own(), 1)
    assert limiter.searcher.most == 1
    assert [limiter.suggest(name)["index"] for name in "abc"] == [1, 2, 3]
    limiter.on_trial_complete("x", {"reward": 1})
    assert len(limiter.searcher.told) == 1


def test_repeats_by_hand():
    repeater: Any = Repeater(Plain(), repeat=2)
    configs = [repeater.suggest(name) for name in "abcd"]
    assert configs == [{"index": k, TRIAL_INDEX: i} for k in (1, 2) for i in (0, 1)]
    for name, reward in (("d", 4.0), ("a", 1.0), ("c", math.nan), ("b", 2.0)):
        repeater.on_trial_complete(name, {"reward": reward})
    assert repeater.searcher.told == [("c", {"reward": 4.0}, False), ("a", {"reward": 1.5}, False)]
    assert Repeater(Plain(), 2, set_index=False).suggest("a") == {"index": 1}


def test_a_config_without_any_value_has_failed():
    repeater: Any = Repeater(Plain(), repeat=2)
    repeater.suggest("a"), repeater.suggest("b")
    repeater.on_trial_complete("a", error=True)
    repeater.on_trial_complete("b", {})
    (told,) = repeater.searcher.told
    assert told[2] is True
    assert math.isnan(told[1]["reward"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConcurrencyLimiter(tpe(), 3),
        lambda: Repeater(tpe(), 3),
        lambda: ConcurrencyLimiter(Repeater(tpe(), 2), 3),
        lambda: Repeater(ConcurrencyLimiter(tpe(), 2), 2),
        lambda: Repeater(Plain(), 3),
    ],
)
def test_saved_and_restored_it_goes_on(tmp_path, make):
    one, two = make(), make()
    for k in range(13):
        config = one.suggest(f"t{k}")
        if k % 3 and config is not None:
            one.on_trial_complete(f"t{k}", {"loss": config.get("x", 1), "reward": k})
    one.save(str(tmp_path / "state"))
    two.restore(str(tmp_path / "state"))
    assert [one.suggest(f"n{k}") for k in range(4)] == [two.suggest(f"n{k}") for k in range(4)]
    assert isinstance(copy.deepcopy(one).suggest("t0"), dict)  # a copy has suggested nothing yet


# -- in a Tuner --------------------------------------------------------------------------------------------------------
def test_in_a_tuner_repeats_are_of_one_config(tmp_path):
    grid = fitted(tmp_path, Repeater(tpe(), 3))
    xs = [result.config["x"] for result in grid]
    assert xs[0::3] == xs[1::3] == xs[2::3]
    assert len(set(xs)) == 4
    assert [result.config[TRIAL_INDEX] for result in grid] == [0, 1, 2] * 4


def test_what_is_left_over_is_told(tmp_path, caplog):
    fitted(tmp_path, Repeater(tpe(), 5))
    assert "the last 2 of them will not be heard of" in caplog.text


@pytest.mark.parametrize("batch", [False, True])
def test_in_a_tuner_with_processes_no_more_run_than_that(tmp_path, batch):
    grid = fitted(tmp_path, ConcurrencyLimiter(tpe(), 2, batch), executor="process", num_samples=5)
    assert len(grid) == 5
    assert not grid.errors


def test_a_users_own_is_limited_and_repeated(tmp_path):
    class Halves(Plain):
        def suggest(self, trial_id):
            return {"x": 1 / (1 + super().suggest(trial_id)["index"])}

    grid = fitted(tmp_path, ConcurrencyLimiter(Repeater(Halves(), 2), 2), num_samples=4)
    assert [result.config["x"] for result in grid] == [1 / 2, 1 / 2, 1 / 3, 1 / 3]


# -- refusals ----------------------------------------------------------------------------------------------------------
def test_two_limits_that_differ_are_refused(tmp_path):
    with pytest.raises(BadArgument, match=r"max_concurrent_trials=4 .*ConcurrencyLimiter says 2; give None"):
        fitted(tmp_path, ConcurrencyLimiter(tpe(), 2), max_concurrent_trials=4)
    assert len(fitted(tmp_path, ConcurrencyLimiter(tpe(), 2), max_concurrent_trials=2, num_samples=2)) == 2


@pytest.mark.parametrize("around", [lambda s: ConcurrencyLimiter(s, 2), lambda s: Repeater(s, 2)])
@pytest.mark.parametrize("wrong", [BasicVariantGenerator(), "tpe", None, TPESearch])
def test_what_does_not_suggest_one_after_the_other_is_refused(around, wrong):
    with pytest.raises(BadArgument, match="searcher="):
        around(wrong)


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "2"])
def test_bad_numbers_are_refused(number):
    with pytest.raises(BadArgument, match="max_concurrent"):
        ConcurrencyLimiter(tpe(), number)
    with pytest.raises(BadArgument, match="repeat"):
        Repeater(tpe(), number)


def test_bohbs_own_limit_is_replaced():
    limiter: Any = ConcurrencyLimiter(TuneBOHB(SPACE, metric="loss", mode="min", max_concurrent=9), 1)
    assert limiter.searcher.max_concurrent == 1
    assert [limiter.suggest(name) is None for name in "ab"] == [False, True]
