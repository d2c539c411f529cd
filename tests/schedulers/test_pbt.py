"""Population based training: who goes on from whom, and when; against an oracle that sorts everything each time."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument, PolicyError
from luthier.core.events import (
    Ended,
    Exited,
    Halted,
    Launched,
    Paused,
    Proposed,
    Reported,
    Requeued,
    Stalled,
    StopRequested,
    WorkerJoined,
)
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.lineage import Lineage
from luthier.core.policy import Exploit, Pause, Resume, Stop
from luthier.core.terms import Outcome, Ref, Status, Then, WorkerId
from luthier.schedulers.explore import Explored, Mutations
from luthier.schedulers.pbt import Pbt, changes
from luthier.schedulers.ranking import Ranking
from luthier.schedulers.registry import create_scheduler
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.testing.schedulers import SchedulerContract

TIME = "training_iteration"
NAN = math.nan


class Marking:
    """Explores by noting in the config whom it came from; remembers what it was told, and draws nothing."""

    def __init__(self, *, raises=False):
        self.heard, self.recorded, self.raises = [], [], raises

    def tell(self, news, experiment):
        self.heard.append(type(news).__name__)

    def record(self, trial, time, score, experiment):
        self.recorded.append((trial, time, score))

    def __call__(self, target, source, experiment, rng):
        if self.raises:
            raise RuntimeError("user's own")
        return Explored({**source.config, "from": source.number, "now": target.number}, {"from": "taken"})


def pbt(explore=None, **arguments):
    given = {"time_attr": TIME, "perturbation_interval": 2, "require_attrs": False, **arguments}
    return Pbt(explore or Marking(), **given)


def engine_of(scheduler, trials, **limits):
    configs = [{"x": number / trials} for number in range(trials)]
    given = Limits(**{"num_trials": trials, "seed": 3, "max_failures": 1, **limits})
    return Engine(given, Fixed(configs), scheduler, (Goal("loss", "min"),))


def played(scheduler, trials, workers, curve=lambda config, step: config["x"] + 1 / step, length=9, **world):
    engine = engine_of(scheduler, trials)
    w = World(engine, curve, length=length, workers=workers, **world)
    w.run(reports=5_000)
    assert engine.finished
    return engine, w


def count(world, kind):
    return sum(isinstance(event, kind) for event in world.log)


def exploits(world):
    return Lineage(world.log).handovers


# -- the contract ----------------------------------------------------------------------------------------------------
class KeepsConfigs(Mutations):
    """The contract's configs must stay what they are."""

    def __init__(self):
        super().__init__({}, custom=lambda config, rng: config)


class TestContract(SchedulerContract):
    def make(self):
        return pbt(KeepsConfigs())


class TestContractSynch(SchedulerContract):
    def make(self):
        return pbt(KeepsConfigs(), synch=True)


class TestContractOfAKnownPopulation(SchedulerContract):
    """For 12 trials; where there are more or fewer it is wrong about that, and must end all the same."""

    def make(self):
        return pbt(KeepsConfigs(), population=12)


class TestContractOfAKnownPopulationSynch(SchedulerContract):
    def make(self):
        return pbt(KeepsConfigs(), population=12, synch=True, perturbation_interval=3, burn_in_period=4)


class TestContractHalf(SchedulerContract):
    def make(self):
        return pbt(KeepsConfigs(), quantile_fraction=0.5, perturbation_interval=1)


# -- the ranking -----------------------------------------------------------------------------------------------------
changes_of_scores = st.lists(
    st.tuples(st.integers(0, 9), st.none() | st.sampled_from([0.0, 1.0, 2.0, math.inf]) | st.floats(-9, 9)), max_size=60
)


@settings(max_examples=150, deadline=None)
@given(changes_of_scores, st.sampled_from([0.0, 0.1, 0.25, 0.34, 0.5]))
def test_the_ranking_is_what_sorting_gives(told, fraction):
    ranking, scores = Ranking(), dict[int, float]()
    for trial, score in told:
        if score is None:
            ranking.drop(trial)
            scores.pop(trial, None)
        else:
            ranking.put(trial, score)
            scores[trial] = score
        order = sorted(scores, key=lambda t: (-scores[t], t))
        n = min(math.ceil(len(order) * fraction), len(order) // 2)
        assert ranking.worst(fraction) == order[:n]
        assert ranking.best(fraction) == order[len(order) - n :]
        assert [ranking.at_bottom(t, fraction) for t in order] == [t in order[:n] for t in order]
        assert [ranking.rank(t) for t in order] == list(range(len(order), 0, -1))
        assert [ranking.nth_best(k) for k in range(len(order))] == order[::-1]
        assert all(ranking.score(t) == scores[t] for t in order) and len(ranking) == len(order)


# -- who goes on from whom -------------------------------------------------------------------------------------------
def test_the_worst_go_on_from_the_best():
    scheduler = pbt()
    _, world = played(scheduler, 8, 8)
    found = exploits(world)
    assert found
    for handover in found:
        why = handover.why
        assert why["rank"] > why["of"] - math.ceil(why["of"] / 4)
        assert (why["metric"], why["time_attr"], why["source"]) == ("loss", TIME, handover.source)
        assert why["time"] % 2 == 0
        assert handover.source_iteration % 2 == 0 or handover.source_iteration >= why["time"]
        assert why["new"]["from"] == int(handover.source.rpartition("_")[2])
        assert handover.restore.startswith(f"{handover.source}.")
        assert handover.source_config["x"] < 0.5 < handover.why["value"]
    assert all(m.time == 8 for m in scheduler._members.values()) or not scheduler._members


def test_a_trial_is_looked_at_once_an_interval_and_not_before_burn_in():
    explore = Marking()
    played(pbt(explore, perturbation_interval=3, burn_in_period=4, quantile_fraction=0), 2, 2, length=12)
    assert [time for trial, time, _ in explore.recorded if trial.endswith("0")] == [4, 7, 10]


def test_explore_hears_everything():
    explore = Marking()
    _, world = played(pbt(explore), 3, 3)
    heard = Counter(explore.heard)
    kinds = (Proposed, Reported, Exited, Ended, Stalled)
    assert heard == {k.__name__: n for k in kinds if (n := count(world, k))}


def test_no_exploitation_with_a_quantile_of_nothing_or_a_population_of_one():
    assert not exploits(played(pbt(quantile_fraction=0.0), 8, 8)[1])
    assert not exploits(played(pbt(quantile_fraction=0.5), 1, 1)[1])


def test_all_equal_values_and_ties():
    _, world = played(pbt(), 8, 8, curve=lambda config, step: 1.0)
    found = exploits(world)
    assert found  # as in Ray: of equals the older are the worse
    assert all(h.target < h.source for h in found if h.iteration == 2)


def test_nan_is_the_worst_and_is_never_followed():
    def curve(config, step):
        return NAN if config["x"] < 0.5 and "from" not in config else config["x"]

    _, world = played(pbt(), 8, 8, curve=curve)
    found = exploits(world)
    assert found
    assert all(math.isinf(h.why["value"]) and h.source_config["x"] >= 0.5 for h in found if h.iteration == 2)
    assert not exploits(played(pbt(), 8, 8, curve=lambda config, step: NAN)[1])


def test_who_saved_no_checkpoint_is_not_followed():
    engine, world = played(pbt(), 8, 8, save_every=0)
    assert not exploits(world)
    assert not count(world, Halted)
    assert all(t.status is Status.DONE for t in engine.experiment.trials.values())


def test_who_has_just_gone_on_from_another_is_not_followed_before_it_saved():
    scheduler = pbt(quantile_fraction=0.5, perturbation_interval=1)
    engine = engine_of(scheduler, 2)
    (_, a, _, b, _) = engine.handle(WorkerJoined(WorkerId("w"), {"cpu": 2}))
    a, b = a.trial, b.trial
    engine.handle(Reported(a, 1, 0, {TIME: 1, "loss": 1.0}, Ref("a/0")))
    events = engine.handle(Reported(b, 1, 0, {TIME: 1, "loss": 2.0}, Ref("b/0")))
    assert [e.restore for e in events if isinstance(e, Halted)] == ["a/0"]
    # b holds a's checkpoint now.  a gets worse than b ever was, but b has nothing of its own to offer
    events = engine.handle(Reported(a, 1, 1, {TIME: 2, "loss": 3.0}, Ref("a/1")))
    assert not any(isinstance(e, Halted) for e in events)
    events = engine.handle(Exited(b, 1, Outcome.HALTED, "", Ref("b/late")))  # of the life that was given up
    assert any(isinstance(e, Launched) and e.restore == "a/0" for e in events)
    events = engine.handle(Reported(a, 1, 2, {TIME: 3, "loss": 3.0}, Ref("a/2")))
    assert not any(isinstance(e, Halted) for e in events)
    engine.handle(Reported(b, 2, 0, {TIME: 2, "loss": 2.5}, Ref("b/1")))
    events = engine.handle(Reported(a, 1, 3, {TIME: 4, "loss": 3.0}, Ref("a/3")))
    assert [(e.trial, e.restore) for e in events if isinstance(e, Halted)] == [(a, "b/1")]


def test_who_is_told_to_stop_is_not_followed():
    """It has come to where trials stop: who took its checkpoint would go past that."""

    class Stopping(Pbt):
        def decide(self, news, experiment, rng):
            decisions = super().decide(news, experiment, rng)
            return [Stop(news.trial, "enough")] if getattr(news, "metrics", {}).get("loss") == 1.0 else decisions

    engine = engine_of(Stopping(Marking(), time_attr=TIME, perturbation_interval=1, quantile_fraction=0.5), 2)
    engine.handle(WorkerJoined(WorkerId("w"), {"cpu": 2}))
    a, b = engine.experiment.trials
    events = engine.handle(Reported(a, 1, 0, {TIME: 1, "loss": 1.0}, Ref("a/0")))
    assert [e.then for e in events if isinstance(e, Halted)] == [Then.STOP]
    events = engine.handle(Reported(b, 1, 0, {TIME: 1, "loss": 2.0}, Ref("b/0")))
    assert [type(e) for e in events] == [Reported]


def test_late_results_change_nothing():
    scheduler = pbt(Marking(), quantile_fraction=0.5, perturbation_interval=1)
    engine = engine_of(scheduler, 2)
    engine.handle(WorkerJoined(WorkerId("w"), {"cpu": 2}))
    a, b = engine.experiment.trials
    engine.handle(Reported(a, 1, 0, {TIME: 1, "loss": 1.0}, Ref("a/0")))
    engine.handle(Reported(b, 1, 0, {TIME: 1, "loss": 2.0}, Ref("b/0")))
    recorded, ranking = list(scheduler.explore.recorded), repr(scheduler._ranking)
    events = engine.handle(Reported(b, 1, 1, {TIME: 2, "loss": 0.1}, Ref("b/1")))  # it was told to let go
    assert [type(e) for e in events] == [Reported]
    assert scheduler.explore.recorded == recorded and repr(scheduler._ranking) == ranking


def test_it_is_looked_at_again_an_interval_after_the_checkpoint_that_it_took():
    explore = Marking()
    _, world = played(pbt(explore, perturbation_interval=4), 4, 4, length=20)
    first = exploits(world)[0]
    later = [time for trial, time, _ in explore.recorded if trial == first.target][1]
    assert later == first.source_iteration + 4


# -- replay ----------------------------------------------------------------------------------------------------------
def test_a_replay_neither_explores_nor_depends_on_it():
    _, world = played(pbt(), 8, 3)
    assert exploits(world)
    again = Engine.replay(lambda: engine_of(pbt(Marking(raises=True)), 8), world.log)
    assert again.finished


def test_what_explore_raises_fails_the_stimulus_with_its_text():
    engine = engine_of(pbt(Marking(raises=True)), 8)
    with pytest.raises(PolicyError, match="explore raised RuntimeError: user's own"):
        World(engine, lambda config, step: config["x"], length=9, workers=8).run()


@pytest.mark.parametrize("synch", [False, True])
@pytest.mark.parametrize("population", [None, 7])
def test_a_restart_at_any_moment_changes_nothing(synch, population):
    def make():
        return engine_of(pbt(synch=synch, population=population), 7)

    def world():
        return World(make(), lambda config, step: config["x"] + 1 / step, length=6, workers=3, failure_rate=0.05)

    whole = world()
    whole.run()
    assert whole.engine.finished and exploits(whole)
    for told in range(0, whole.reports, 3):
        w = world()
        w.run(reports=told)
        w.engine = Engine.replay(make, w.log)
        w.run()
        assert repr(w.log) == repr(whole.log), f"restarted after {told} reports"


# -- more trials than room -------------------------------------------------------------------------------------------
def test_a_population_larger_than_the_room_goes_round():
    scheduler = pbt(population=12, quantile_fraction=0.25)
    _, world = played(scheduler, 12, 3, length=8)
    born = [k for k, event in enumerate(world.log) if isinstance(event, Proposed)]
    ended = next(k for k, event in enumerate(world.log) if isinstance(event, Ended))
    assert max(born) < ended, "some began only when others had ended"
    reports = [e for e in world.log[: max(born)] if isinstance(e, Reported)]
    assert max(e.metrics[TIME] for e in reports) == 2, "one went on although others had not begun"
    assert count(world, Paused) >= 9
    assert not any(isinstance(e, Requeued) and e.restore is None for e in world.log), "work was thrown away"


def test_it_goes_round_fairly_once_all_have_begun():
    scheduler = pbt(population=6, quantile_fraction=0.0)
    _, world = played(scheduler, 6, 1, length=8)
    progress, spread = Counter[str](), 0
    for event in world.log:
        if isinstance(event, Reported):
            progress[event.trial] = event.metrics[TIME]
            spread = max(spread, max(progress.values()) - min(progress[t] for t in world.engine.experiment.trials))
    assert spread <= 2


def test_those_that_are_followed_are_not_kept_from_running_by_their_followers():
    """Of equals the older ones are the worse: they go on from the others again and again, at the same time."""
    for workers in (1, 2, 3):
        for population in (None, 6):
            played(pbt(population=population), 6, workers, curve=lambda config, step: float(step))


def test_a_trial_without_a_checkpoint_keeps_its_place():
    _, world = played(pbt(population=4), 4, 1, save_every=0)
    assert not count(world, Halted)


def test_an_earlier_end_of_proposals_leaves_nobody_behind():
    engine, _ = played(pbt(population=50), 5, 2)
    assert all(t.status is Status.DONE for t in engine.experiment.trials.values())


# -- all at once -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("trials", "workers"), [(8, 8), (8, 3), (8, 1), (2, 1), (1, 1), (3, 8)])
def test_synch_perturbs_all_at_each_milestone(trials, workers):
    explore = Marking()
    scheduler = pbt(explore, synch=True, population=trials, perturbation_interval=3)
    _, world = played(scheduler, trials, workers, length=10)
    for milestone in (3, 6, 9):
        at = [trial for trial, time, _ in explore.recorded if time == milestone]
        assert len(at) == len(set(at)) == trials
    assert {time for _, time, _ in explore.recorded} == {3, 6, 9}
    furthest = Counter[str]()
    for event in world.log:  # nobody is ahead of a milestone that another one has not come to
        if isinstance(event, Reported):
            furthest[event.trial] = event.metrics[TIME]
            least = min(furthest[t] for t in world.engine.experiment.trials)
            assert (event.metrics[TIME] - 1) // 3 <= least // 3
    size = min(math.ceil(trials / 4), trials // 2)
    assert len(exploits(world)) == 3 * size


def test_synch_goes_on_when_one_ends_or_fails_that_the_others_wait_for():
    def curve(config, step):
        return config["x"] + 1 / step

    engine = engine_of(pbt(synch=True, population=4, perturbation_interval=3), 4, max_failures=0)
    world = World(engine, curve, length=lambda config: 2 if config["x"] == 0.25 else 9, workers=4)
    world.run()
    assert engine.finished and not count(world, Stalled)
    engine = engine_of(pbt(synch=True, population=6, perturbation_interval=3), 6, max_failures=0)
    world = World(engine, curve, length=9, workers=6, failure_rate=0.1, seed=4)
    world.run()
    assert engine.finished and {t.status for t in engine.experiment.trials.values()} == {Status.DONE, Status.FAILED}


def test_synch_with_steps_that_overshoot_waits_for_the_first_milestone_that_nobody_has_come_to():
    explore = Marking()
    scheduler = Pbt(explore, "far", synch=True, population=4, perturbation_interval=3, quantile_fraction=0)
    played(scheduler, 4, 4, length=4, curve=lambda config, step: {"loss": config["x"], "far": 10 * step})
    assert [time for _, time, _ in explore.recorded][:16] == [10] * 4 + [20] * 4 + [30] * 4 + [40] * 4


def test_a_request_to_stop_ends_those_that_wait():
    engine = engine_of(pbt(synch=True, population=4, perturbation_interval=2), 4)
    world = World(engine, lambda config, step: config["x"], lambda config, _: 1 + 9 * (config["x"] == 0), 9, 4)
    world.run(until=5)
    assert engine.experiment.having(Status.PAUSED)
    world.tell(StopRequested("enough"))
    world.run()
    assert engine.finished


# -- decisions, said in full -----------------------------------------------------------------------------------------
def test_reasons_are_in_words_and_in_values():
    _, world = played(pbt(), 8, 3)
    halts = [e for e in world.log if isinstance(e, Halted) and e.config is not None]
    assert halts
    for event in halts:
        assert event.why is not None
        assert event.then is Then.REQUEUE
        assert event.why["source"] in event.reason and "lower quantile" in event.reason
        assert set(event.why) == {
            "metric", "value", "time_attr", "time", "rank", "of", "source", "old", "new", "operations",
        }  # fmt: skip


def test_changes_between_configs():
    old, new = {"a": 1, "n": {"b": [1], "c": NAN}, "gone": 2}, {"a": True, "n": {"b": [1], "c": NAN}, "new": 3}
    assert changes(old, new) == ({"a": 1, "gone": 2}, {"a": True, "new": 3})


def test_pick_is_the_least_far_and_the_oldest_of_those():
    scheduler = pbt()
    engine, _ = played(scheduler, 3, 3, length=3)
    for number in range(3):
        scheduler._join(f"t{number}", number)
    scheduler._move(scheduler._members["t0"], 4.0)
    for kind in (list, lambda names: dict.fromkeys(names).keys(), iter):
        assert scheduler.pick(kind(["t0", "t1", "t2"]), engine.experiment) == "t1"
        assert scheduler.pick(kind(["t0", "t2"]), engine.experiment) == "t2"
        assert scheduler.pick(kind(["t0"]), engine.experiment) == "t0"
    assert scheduler.pick([], engine.experiment) is None


# -- what is refused -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("time_attr", ""),
        ("time_attr", 3),
        ("perturbation_interval", 0),
        ("perturbation_interval", -1),
        ("perturbation_interval", "often"),
        ("perturbation_interval", NAN),
        ("burn_in_period", -1),
        ("quantile_fraction", 0.6),
        ("quantile_fraction", -0.1),
        ("population", 0),
        ("goal", "loss"),
    ],
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(BadArgument, match=f"{argument}="):
        pbt(**{argument: value})


@pytest.mark.parametrize(("missing", "left"), [(TIME, "loss"), ("loss", TIME)])
def test_what_results_must_have(missing, left):
    def curve(config, step):
        return {"other": 1.0} if missing == "loss" else {"loss": 1.0}

    engine = engine_of(pbt(require_attrs=True), 2)
    time_attr = "steps" if missing == TIME else TIME
    world = World(engine, curve, length=3, workers=2, time_attr=time_attr)
    with pytest.raises(PolicyError, match=rf"'{missing}' cannot be used: a result lacks it; it has .*; give one of"):
        world.run()
    engine = engine_of(pbt(require_attrs=False), 2)
    World(engine, curve, length=3, workers=2, time_attr=time_attr).run()
    assert engine.finished


def test_there_must_be_something_to_compare_by():
    engine = Engine(Limits(num_trials=2), Fixed([{"x": 1}, {"x": 2}]), pbt())
    with pytest.raises(PolicyError, match="population based training is to compare trials by"):
        engine.handle(WorkerJoined(WorkerId("w"), {"cpu": 1}))


def test_by_name():
    made: Any = create_scheduler("pbt", explore=Marking(), perturbation_interval=3)
    assert repr(made) == "Pbt(every 3 of time_total_s)"
    assert list(made.decide(Stalled(), engine_of(made, 2).experiment, None)) == []


def test_decisions_are_of_the_three_kinds():
    kinds = set[type]()

    class Listening(Pbt):
        def decide(self, news, experiment, rng):
            decisions = list(super().decide(news, experiment, rng))
            kinds.update(map(type, decisions))
            return decisions

    scheduler = Listening(Marking(), TIME, perturbation_interval=2, population=9)
    played(scheduler, 9, 2)
    assert kinds == {Exploit, Pause, Resume}


@pytest.mark.parametrize("synch", [False, True])
@pytest.mark.parametrize("odd", [math.inf, -math.inf, NAN])
def test_a_time_that_is_none_is_passed_over(odd, synch):
    """Trials report it where they would come to a milestone, and are looked at by the next time that is one."""
    explore = Marking()
    scheduler = pbt(explore, time_attr="t", synch=synch, quantile_fraction=0)
    engine = engine_of(scheduler, 3)
    world = World(
        engine,
        lambda config, step: {"loss": config["x"], "t": odd if step % 4 == 2 else float(step)},
        length=9,
        workers=3,
    )
    world.run(reports=500)
    assert engine.finished and {time for _, time, _ in explore.recorded} <= {3.0, 5.0, 7.0, 8.0, 9.0}
    assert {time for _, time, _ in explore.recorded} >= {3.0}


def test_a_time_near_the_greatest_number_is_one():
    scheduler = pbt(time_attr="t", synch=True, perturbation_interval=1e-9)
    engine = engine_of(scheduler, 3)
    World(engine, lambda config, step: {"loss": config["x"], "t": step * 1e307}, length=4, workers=3).run(reports=500)
    assert engine.finished
