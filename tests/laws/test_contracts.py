"""The contract suites for searchers and schedulers: what is registered passes, what is broken does not."""

from __future__ import annotations

import random
from typing import Any, ClassVar

import pytest

from luthier.core.errors import PolicyError
from luthier.core.events import Reported
from luthier.core.policy import Nothing, Pause, Stop
from luthier.core.space import Float, Grid, Space
from luthier.core.terms import TrialId
from luthier.schedulers.asha import Asha
from luthier.schedulers.fifo import Fifo
from luthier.schedulers.hb_bohb import HyperbandForBohb
from luthier.schedulers.hyperband import Hyperband
from luthier.schedulers.hyperband_stopping import HyperbandStopping
from luthier.schedulers.median import MedianRule
from luthier.schedulers.pasha import Pasha
from luthier.schedulers.promotion import AshaPromotion
from luthier.search.fixed import Fixed
from luthier.search.variants import Variants
from luthier.testing.schedulers import SchedulerContract
from luthier.testing.searchers import SearcherContract
from luthier.testing.views import ReadOnly, Written
from tests.laws import policies
from tests.laws.policies import Chaos, Evolution, Halving, Holder, Pbt, Random, Resizer, Shy

SPACE = Space({"x": Float(0.0, 1.0), "kind": Grid([0, 1])})


class TestFixed(SearcherContract):
    adaptive: ClassVar[bool] = False

    def make(self):
        return Fixed([{"x": i / 50} for i in range(50)])


class TestVariants(SearcherContract):
    adaptive: ClassVar[bool] = False
    space: ClassVar[Any] = SPACE

    def make(self):
        return Variants(SPACE, -1, [{"x": 0.25}])


class TestRandom(SearcherContract):
    adaptive: ClassVar[bool] = False

    def make(self):
        return Random()


class TestEvolution(SearcherContract):
    def make(self):
        return Evolution()


class TestShy(SearcherContract):
    def make(self):
        return Shy(most=40)


class TestFifo(SchedulerContract):
    def make(self):
        return Fifo()


class TestAsha(SchedulerContract):
    def make(self):
        return Asha(max_t=9, reduction_factor=3)


class TestAshaInBrackets(SchedulerContract):
    def make(self):
        return Asha(max_t=9, reduction_factor=2, brackets=3, stop_last_trials=False)


class TestHyperband(SchedulerContract):
    def make(self):
        return Hyperband(max_t=9)


class TestHyperbandThatLetsTheLastRun(SchedulerContract):
    steps: ClassVar[int] = 12

    def make(self):
        return Hyperband(max_t=9, reduction_factor=2, stop_last_trials=False)


class TestHyperbandForBohb(SchedulerContract):
    def make(self):
        return HyperbandForBohb(max_t=9)


class TestHyperbandStopping(SchedulerContract):
    def make(self):
        return HyperbandStopping(min_iter=1, eta=2)


class TestHyperbandStoppingThatIsNotStrict(SchedulerContract):
    def make(self):
        return HyperbandStopping(max_iter=9, s=2, strict=False)


class TestMedian(SchedulerContract):
    def make(self):
        return MedianRule("training_iteration", grace_period=2)


class TestMedianThatPutsOff(SchedulerContract):
    def make(self):
        return MedianRule("training_iteration", grace_period=1, min_samples_required=2, hard_stop=False)


class TestAshaPromotion(SchedulerContract):
    def make(self):
        return AshaPromotion(max_t=9, reduction_factor=3)


class TestAshaPromotionOfHalves(SchedulerContract):
    def make(self):
        return AshaPromotion(max_t=9, reduction_factor=1.5, grace_period=0.5)


class TestPasha(SchedulerContract):
    waived: ClassVar[frozenset[str]] = frozenset(
        {"reaches the end"}
    )  # rankings are stable here: that is what it spares

    def make(self):
        return Pasha(max_t=9, reduction_factor=3)


class TestHalving(SchedulerContract):
    def make(self):
        return Halving(size=6, eta=3, max_t=9)


class TestPbt(SchedulerContract):
    def make(self):
        return Pbt()


class TestResizer(SchedulerContract):
    def make(self):
        return Resizer(sizes=({"cpu": 1.0}, {"cpu": 0.5}))  # what the contract's workers have


class TestHolder(SchedulerContract):
    def make(self):
        return Holder(stubborn=True)


class TestChaos(SchedulerContract):
    waived: ClassVar[frozenset[str]] = frozenset({"reaches the end"})  # it may finish or stop everything

    def make(self):
        return Chaos()

    def test_a_kind_world_ends_and_somebody_reaches_the_end(self):
        """It may end the experiment before all trials are born."""


# -- what is broken ----------------------------------------------------------------------------------------------------


class Counts(Random):
    asked = 0

    def ask(self, number, rng):
        self.asked += 1
        return {"x": self.asked}


class CountsOnceItLearnt(Counts):
    told = 0

    def ask(self, number, rng):
        return super().ask(number, rng) if self.told >= 10 else {"x": number}

    def tell(self, news, experiment):
        self.told += isinstance(news, Reported)


class Dices(Random):
    def ask(self, number, rng):
        return {"x": random.random()}


class Scribbles(Random):
    def tell(self, news, experiment):
        if isinstance(news, Reported):
            experiment.trial(news.trial).config["x"] = 0


class Edits(Random):
    def tell(self, news, experiment):
        if isinstance(news, Reported):
            news.metrics["seen"] = True


class Flickers(Random):
    def ask(self, number, rng):
        return Nothing.EXHAUSTED if number == 9 else {"x": number}


class Outside(Random):
    def ask(self, number, rng):
        return {"x": 2.0}


class Fragile(Random):
    def tell(self, news, experiment):
        if isinstance(news, Reported):
            news.metrics["loss"]


class RemembersAsking(Random):
    def __init__(self):
        self.given = [0.0] * 99

    def ask(self, number, rng):
        return {"x": number}

    def tell(self, news, experiment):
        self.given[0] += id(self) % 1000 + random.SystemRandom().random()


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Counts, "test_ask_is_pure_in_every_phase"),
        (CountsOnceItLearnt, "test_ask_is_pure_in_every_phase"),
        (Dices, "test_ask_is_pure_in_every_phase"),
        (Scribbles, "test_news_never_change_a_config"),
        (Edits, "test_news_never_change_a_config"),
        (Flickers, "test_exhausted_is_for_ever"),
        (Outside, "test_configs_are_what_the_space_holds"),
        (Fragile, "test_bad_results_are_survived"),
        (RemembersAsking, "test_the_same_history_gives_the_same_answers"),
    ],
)
def test_broken_searchers_are_noticed(broken, test):
    suite = type("Suite", (SearcherContract,), {"make": lambda self: broken(), "space": SPACE})()
    with pytest.raises((AssertionError, PolicyError)):
        getattr(suite, test)()


class Rolls(Fifo):
    def decide(self, news, experiment, rng):
        random.random()
        return ()


class StopsNobody(Fifo):
    def decide(self, news, experiment, rng):
        return [Stop(TrialId("nobody"))] if isinstance(news, Reported) else ()


class StopsAll(Fifo):
    def decide(self, news, experiment, rng):
        return [Stop(news.trial)] if isinstance(news, Reported) else ()


class PausesAll(StopsAll):
    def decide(self, news, experiment, rng):
        return [Pause(news.trial)] if isinstance(news, Reported) else ()


class Writes(Fifo):
    def decide(self, news, experiment, rng):
        experiment.stopping = False
        return ()


class PicksWildly(Fifo):
    def pick(self, waiting, experiment):
        return TrialId("nobody")


class PicksAnother(Fifo):
    turn = 0

    def pick(self, waiting, experiment):
        self.turn += 1
        return list(waiting)[self.turn % 2 - 1]


class NeedsLoss(Fifo):
    def decide(self, news, experiment, rng):
        return [Stop(news.trial)] if isinstance(news, Reported) and news.metrics["loss"] > 9 else ()


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Rolls, "test_a_restart_changes_nothing"),
        (StopsNobody, "test_a_restart_changes_nothing"),
        (StopsAll, "test_a_kind_world_ends_and_somebody_reaches_the_end"),
        (PausesAll, "test_a_kind_world_ends_and_somebody_reaches_the_end"),
        (Writes, "test_the_same_history_gives_the_same_scheduler"),
        (PicksWildly, "test_its_picks_are_of_what_is_offered"),
        (PicksAnother, "test_its_picks_are_of_what_is_offered"),
        (NeedsLoss, "test_bad_results_are_survived"),
    ],
)
def test_broken_schedulers_are_noticed(broken, test):
    suite = type("Suite", (SchedulerContract,), {"make": lambda self: broken()})()
    with pytest.raises((AssertionError, PolicyError)):
        getattr(suite, test)()


def test_a_suite_must_say_what_it_tests():
    for suite in (SearcherContract(), SchedulerContract()):
        with pytest.raises(NotImplementedError):
            suite.make()


def test_a_waived_test_is_not_run():
    named = {"test_ask_is_pure_in_every_phase", "test_the_seed_matters_and_concurrency_only_to_those_who_learn"}
    suite = type("Suite", (SearcherContract,), {"make": lambda self: Counts(), "waived": frozenset(named)})()
    for name in named:
        getattr(suite, name)()


def test_views_are_not_written():
    from luthier.core.events import Proposed
    from luthier.core.state import ExperimentState, evolve

    state = ExperimentState()
    evolve(state, Proposed(TrialId("t"), 0, {"x": [1], "y": {"z": 1}}, {"cpu": 1.0}))
    view: Any = ReadOnly(state)
    trial = view.trial("t")
    assert trial.config == {"x": [1], "y": {"z": 1}} and len(view) == 1 and trial.number == 0 and "t" in repr(view)

    def delete(thing):
        del thing.status

    for write in (
        lambda: setattr(view, "stopping", True),
        lambda: setattr(trial, "score", 1.0),
        lambda: delete(trial),
        lambda: trial.config.update(x=2),
        lambda: trial.config["x"].append(2),
        lambda: trial.config["y"].pop("z"),
        trial.resources.clear,
        lambda: view.trials.pop("t"),
    ):
        with pytest.raises(Written):
            write()
    import copy

    mine = copy.deepcopy(trial.config)
    mine["x"].append(2)
    assert trial.config["x"] == [1]


def test_every_test_policy_is_in_the_laws():
    assert len(policies.SEARCHERS) >= 6 and len(policies.SCHEDULERS) >= 10
