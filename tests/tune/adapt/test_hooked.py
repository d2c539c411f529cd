"""User-written schedulers with Ray's hooks: what they hear, what they may order, what comes of their answers."""

from __future__ import annotations

import random
from collections import defaultdict
from copy import deepcopy
from typing import Any

import pytest

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument, LuthierError, PolicyError
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.terms import Status, WorkerId
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.testing.guards import GuardedScheduler
from luthier.testing.schedulers import SchedulerContract
from luthier.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    ResourceChangingScheduler,
    TrialScheduler,
    create_scheduler,
)
from luthier.tune.trial import Trial

LOSS = Goal("loss", "min")
TIME = "training_iteration"


class Halving(FIFOScheduler):
    """Synchronous halving as users of Ray write it: pause all at the rung, stop the worse half, go on with the rest."""

    def __init__(self, size=4):
        self.size, self.rung, self.arrived, self.going = size, 1, {}, set()

    def on_trial_add(self, tune_controller, trial):
        self.going.add(trial)

    def on_trial_result(self, tune_controller, trial, result):
        if result[TIME] < self.rung or trial in self.arrived:
            return self.CONTINUE
        self.arrived[trial] = result.get("loss", float("inf"))
        return self.PAUSE if len(self.going) > 1 else self.CONTINUE

    def forget(self, tune_controller, trial, result=None):
        self.going.discard(trial)
        self.arrived.pop(trial, None)

    on_trial_complete = on_trial_error = on_trial_remove = forget

    def choose_trial_to_run(self, tune_controller):
        for status in (Trial.PENDING, Trial.PAUSED):
            trials = [t for t in tune_controller.get_trials() if t.status == status]
            if trials:
                return min(trials, key=lambda t: self.arrived.get(t, 0))
        return None


class Plain(TrialScheduler):
    """As the documentation of Ray shows one: all hooks, not a word of super()."""

    def __init__(self):
        self.heard = []

    def on_trial_add(self, tune_controller, trial):
        self.heard.append(("add", trial.trial_id))

    def on_trial_error(self, tune_controller, trial):
        self.heard.append(("error", trial.trial_id))

    def on_trial_result(self, tune_controller, trial, result):
        self.heard.append(("result", trial.trial_id, result[TIME]))
        return TrialScheduler.STOP if result[TIME] >= 5 else TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller, trial, result):
        self.heard.append(("complete", trial.trial_id, result[TIME]))

    def on_trial_remove(self, tune_controller, trial):
        self.heard.append(("remove", trial.trial_id))

    def choose_trial_to_run(self, tune_controller):
        for trial in tune_controller.get_trials():
            if trial.status in (Trial.PENDING, Trial.PAUSED):
                return trial
        return None

    def debug_string(self):
        return "plain"


class Patient(ASHAScheduler):
    """ASHA that spares a trial whose x is small."""

    def on_trial_result(self, tune_controller, trial, result):
        said = super().on_trial_result(tune_controller, trial, result)
        return self.CONTINUE if said == self.STOP and trial.config["x"] < 0.2 and result[TIME] < 9 else said


class Groups(TrialScheduler):
    """A scheduler for each group of trials: schedulers that hold schedulers, whose hooks they call."""

    def __init__(self, scheduler):
        super().__init__()
        self.schedulers: Any = defaultdict(lambda: deepcopy(scheduler))

    def of(self, trial):
        return self.schedulers[trial.config["x"] < 0.5]

    def on_trial_add(self, tune_controller, trial):
        self.of(trial).on_trial_add(tune_controller, trial)

    def on_trial_error(self, tune_controller, trial):
        self.of(trial).on_trial_error(tune_controller, trial)

    def on_trial_result(self, tune_controller, trial, result):
        return self.of(trial).on_trial_result(tune_controller, trial, result)

    def on_trial_complete(self, tune_controller, trial, result):
        self.of(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller, trial):
        self.of(trial).on_trial_remove(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller):
        schedulers = list(self.schedulers.values())
        random.shuffle(schedulers)
        return next(filter(None, (s.choose_trial_to_run(tune_controller) for s in schedulers)), None)


class Dice(FIFOScheduler):
    """Stops by chance, from the generator that everybody shares."""

    def on_trial_result(self, tune_controller, trial, result):
        if trial.trial_id.endswith("00000"):
            return self.CONTINUE
        return self.STOP if random.random() < 0.2 else self.CONTINUE


class TestHalving(SchedulerContract):
    def make(self):
        return Halving().policy(LOSS)


class TestPatient(SchedulerContract):
    def make(self):
        return Patient(max_t=9, reduction_factor=3).policy(LOSS)


class TestGroups(SchedulerContract):
    def make(self):
        return Groups(ASHAScheduler(max_t=9, reduction_factor=3)).policy(LOSS)


class TestDice(SchedulerContract):
    def make(self):
        return Dice().policy(LOSS)


class TestResizedHalving(SchedulerContract):
    def make(self):
        return ResourceChangingScheduler(Halving()).policy(LOSS)


def played(scheduler: Any, trials=3, workers=1, length=8, *, retries=0, guarded=True, **rates):
    policy = scheduler.policy(LOSS)
    limits = Limits(num_trials=trials, seed=1, max_failures=retries, prefix="t")
    judge = GuardedScheduler(policy) if guarded else policy
    engine = Engine(limits, Fixed([{"x": i / trials} for i in range(trials)]), judge, (LOSS,))
    world = World(engine, lambda c, t: c["x"] + 1 / t, 1.0, length, [{"cpu": float(workers)}], **rates)
    world.run(reports=2_000)
    assert engine.finished
    return policy, world


def launches(world):
    return [e.trial for e in world.log if isinstance(e, ev.Launched)]


def test_hooks_are_called_in_rays_order():
    policy, _ = played(Plain(), trials=2)
    told = [("result", "t_00000", i) for i in range(1, 6)]
    assert policy._scheduler.heard[:7] == [("add", "t_00000"), *told, ("complete", "t_00000", 5)]
    assert [h[0] for h in policy._scheduler.heard].count("complete") == 2


def test_a_trial_that_is_done_by_itself_completes():
    policy, _ = played(Plain(), trials=1, length=3)
    assert policy._scheduler.heard[-1] == ("complete", "t_00000", 3)


def test_a_failed_trial_is_added_again_if_it_is_tried_again_and_not_else():
    for retries, lives in ((0, 1), (3, 4)):
        policy, _ = played(Plain(), trials=1, retries=retries, failure_rate=1.0)
        assert policy._scheduler.heard == [("add", "t_00000"), ("error", "t_00000")] * lives


def test_removed_is_who_was_stopped_before_it_ran():
    class Impatient(Plain):
        def on_trial_result(self, tune_controller, trial, result):
            super().on_trial_result(tune_controller, trial, result)
            for other in tune_controller.get_live_trials():
                if other != trial:
                    tune_controller.stop_trial(other)
                    assert other.is_finished() and other not in tune_controller.get_live_trials()
                    tune_controller.stop_trial(other)  # once more is nothing
            return self.CONTINUE

    policy = Impatient().policy(LOSS)
    engine = Engine(Limits(num_trials=2, prefix="t"), Fixed([{"x": 0}, {"x": 1}]), policy, (LOSS,))
    engine.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 2.0}))
    engine.handle(ev.WorkerLost(WorkerId("w"), on_purpose=True))
    engine.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 1.0}))
    [running] = engine.experiment.having(Status.RUNNING)
    events = engine.handle(ev.Reported(running, 2, 0, {"loss": 1.0, TIME: 1}))
    [ended] = [e for e in events if isinstance(e, ev.Ended)]
    assert ended.reason == "Impatient asked to stop it" and ended.why == {"scheduler": "Impatient"}
    assert policy._scheduler.heard[-1] == ("remove", ended.trial)  # type: ignore[attr-defined]


def test_reasons_are_told():
    _, world = played(Plain(), trials=1)
    [halted] = [e for e in world.log if isinstance(e, ev.Halted)]
    assert halted.reason == "Plain.on_trial_result asked to stop it"
    assert halted.why == {"scheduler": "Plain", "metric": "loss", "value": 0.2, "time_attr": TIME, "time": 5}


def test_super_is_what_the_class_below_does_and_says_why():
    class Own(ASHAScheduler):
        def on_trial_result(self, tune_controller, trial, result):
            return super().on_trial_result(tune_controller, trial, result)

    arguments = {"max_t": 8, "reduction_factor": 2, "grace_period": 1}
    _, ours = played(Own(**arguments), trials=9, workers=2)  # type: ignore[arg-type]
    _, plain = played(ASHAScheduler(**arguments), trials=9, workers=2)  # type: ignore[arg-type]
    assert repr(ours.log) == repr(plain.log)
    assert any(e.why and "cutoff" in e.why for e in ours.log if isinstance(e, ev.Halted))


def test_results_may_be_changed_on_the_way_to_super():
    class Inverted(ASHAScheduler):
        def on_trial_result(self, tune_controller, trial, result):
            return super().on_trial_result(tune_controller, trial, {**result, "loss": -result["loss"]})

    arguments = {"max_t": 4, "reduction_factor": 2}
    _, world = played(Inverted(**arguments), trials=4, length=4)  # type: ignore[arg-type]
    reached = {t.number: t.metrics[TIME] for t in world.engine.experiment.trials.values()}
    assert reached == {0: 4, 1: 4, 2: 4, 3: 4}  # ever worse, so ever better


def test_a_paused_trial_comes_back_after_those_that_wait():
    class Slices(FIFOScheduler):
        def on_trial_result(self, tune_controller, trial, result):
            return self.PAUSE if result[TIME] == 2 else self.CONTINUE

    _, world = played(Slices(), trials=3, length=4)
    assert launches(world) == ["t_00000", "t_00001", "t_00002"] * 2
    assert all(t.metrics[TIME] == 4 for t in world.engine.experiment.trials.values())


def test_what_a_hook_paused_waits_until_it_is_chosen():
    class Never(FIFOScheduler):
        def on_trial_result(self, tune_controller, trial, result):
            return self.PAUSE

        def choose_trial_to_run(self, tune_controller):
            return None

    _, world = played(Never(), trials=2, length=4)
    assert launches(world) == ["t_00000", "t_00001"]


def test_a_trial_may_be_stopped_when_it_has_failed():
    class Strict(FIFOScheduler):
        def on_trial_error(self, tune_controller, trial):
            tune_controller.stop_trial(trial)

    _, world = played(Strict(), trials=4, length=9, retries=3, failure_rate=0.3)
    states = world.engine.experiment.trials.values()
    assert any(t.failures for t in states)
    assert all(t.status is (Status.STOPPED if t.failures else Status.DONE) and t.attempt == 1 for t in states)


def test_what_is_chosen_goes_first():
    class Last(FIFOScheduler):
        def on_trial_result(self, tune_controller, trial, result):
            return self.PAUSE if result[TIME] == 1 else self.CONTINUE

        def choose_trial_to_run(self, tune_controller):
            ready = [t for t in tune_controller.get_trials() if t.status in ("PENDING", "PAUSED")]
            return ready[-1] if ready else None

    _, world = played(Last(), trials=3, length=2)
    assert launches(world) == ["t_00000", "t_00001", "t_00002", "t_00002", "t_00001", "t_00000"]


def test_a_trial_may_be_given_another_config_before_it_is_paused():
    class Halves(FIFOScheduler):
        def on_trial_result(self, tune_controller, trial, result):
            if result[TIME] != 2:
                return self.CONTINUE
            trial.set_config({"x": trial.config["x"] / 2})
            tune_controller.pause_trial(trial, should_checkpoint=False)
            assert trial.status == "PAUSED"
            return self.NOOP

    _, world = played(Halves(), trials=2, length=4)
    [*_, last] = [e for e in world.log if isinstance(e, ev.Requeued)]
    assert last.config == {"x": 0.25} and last.restore == "t_00001.1@2"
    assert last.why is not None and last.why["old"] == {"x": 0.5} and last.why["new"] == {"x": 0.25}


def test_what_hooks_may_see():
    seen: dict[str, Any] = {}

    class Looks(FIFOScheduler):
        def on_trial_result(self, tune_controller, trial, result):
            seen.update(
                id=trial.trial_id, status=trial.status, config=trial.config, last=trial.last_result, flat=dict(result),
                params=trial.evaluated_params, held=trial.placement_group_factory.required_resources,
                cpus=tune_controller._resource_updater.get_num_cpus(), found=tune_controller.get_trial("t_00000"),
                room=tune_controller.has_resources_for_trial(trial), nobody=tune_controller.get_trial("nobody"),
                trial=trial, tag=trial.experiment_tag, checkpoint=trial.checkpoint,
            )  # fmt: skip
            trial.config["x"] = 7
            return self.CONTINUE

    _, world = played(Looks(), trials=1, workers=3, length=1, guarded=False)
    assert (seen["id"], seen["status"], seen["config"]) == ("t_00000", "RUNNING", {"x": 0.0})
    assert seen["last"]["loss"] == 1.0 and seen["last"]["trial_id"] == "t_00000" and seen["flat"]["config/x"] == 0.0
    assert seen["params"] == {"x": 0.0} and seen["held"] == {"CPU": 1.0} and seen["cpus"] == 3.0
    assert seen["found"] is seen["trial"] and seen["nobody"] is None and seen["room"]
    assert isinstance(seen["trial"], Trial) and seen["checkpoint"].path.endswith("t_00000.1@1")
    assert world.engine.experiment.trials[seen["id"]].config == {"x": 0.0}
    with pytest.raises(LuthierError, match="only while a hook"):
        _ = seen["trial"].status


def failing(hook: Any) -> PolicyError:
    class Mine(FIFOScheduler):
        def on_trial_result(self, tune_controller, trial, result):
            return hook(tune_controller, trial, result)

    with pytest.raises(PolicyError) as raised:
        played(Mine(), trials=1)
    return raised.value


def test_what_is_not_offered_is_named():
    error = failing(lambda controller, trial, result: controller.search_alg)
    assert "tune_controller.search_alg is not there: a scheduler's hooks may use get_trials()" in str(error)
    error = failing(lambda controller, trial, result: trial.run_metadata)
    assert "trial.run_metadata is not there: a scheduler's hooks may use trial_id" in str(error)


def test_users_errors_come_first_with_the_hook_that_raised():
    error = failing(lambda controller, trial, result: result["no such metric"])
    assert isinstance(error.__cause__, KeyError)
    assert error.__cause__.__notes__ == ["in Mine.on_trial_result, about trial t_00000"]


def test_an_answer_that_is_none_is_refused():
    assert "Mine.on_trial_result returned None: it must return TrialScheduler.CONTINUE" in str(failing(lambda *_: None))


def test_choosing_orders_nothing():
    class Orders(FIFOScheduler):
        def choose_trial_to_run(self, tune_controller):
            tune_controller.stop_trial(tune_controller.get_trials()[0])

    with pytest.raises(PolicyError, match="stop_trial was called in choose_trial_to_run, which may only choose"):
        played(Orders())


def test_super_wants_the_controller_that_was_given():
    class Wrong(FIFOScheduler):
        def on_trial_result(self, tune_controller, trial, result):
            return super().on_trial_result(None, trial, result)

    with pytest.raises(PolicyError, match="tune_controller=None cannot be used"):
        played(Wrong())


# -- before anything runs ----------------------------------------------------------------------------------------------
def test_a_class_that_does_nothing_is_refused():
    class Idle(TrialScheduler):
        pass

    with pytest.raises(BadArgument, match="Idle overrides none of them"):
        Idle().policy(None)


def test_inner_methods_of_rays_schedulers_are_refused_and_not_ignored():
    class Tweaked(ASHAScheduler):
        def _get_new_config(self, *_):
            raise AssertionError

        def on_trial_add(self, tune_controller, trial):
            pass

    with pytest.raises(BadArgument, match=r"Tweaked overrides _get_new_config.*nobody would call it"):
        Tweaked().policy(LOSS)


def test_what_cannot_be_copied_is_refused():
    class Stuck(FIFOScheduler):
        def __init__(self):
            self.lines = (line for line in "ab")

        def on_trial_result(self, tune_controller, trial, result):
            return self.CONTINUE

    with pytest.raises(BadArgument, match=r"one that copy\.deepcopy can copy"):
        Stuck().policy(None)


def test_metric_and_mode_come_by_set_search_properties_and_from_one_place():
    class Asks(FIFOScheduler):
        def set_search_properties(self, metric, mode, **spec):
            self.asked = (metric, mode)
            return super().set_search_properties(metric, mode, **spec)

    policy: Any = Asks().policy(LOSS)
    assert policy._scheduler.asked == ("loss", "min")
    assert (policy._scheduler.metric, policy._scheduler._mode) == ("loss", "min")
    with pytest.raises(BadArgument, match="metric and mode in one of the two places"):
        Patient(metric="loss", mode="min").policy(LOSS)
    with pytest.raises(BadArgument, match="metric"):
        Patient().policy(None)
    assert type(Patient(metric="loss", mode="min").policy(None)).__name__ == "Patient"


def test_the_users_own_object_is_left_alone():
    mine = Plain()
    played(mine)
    assert mine.heard == [] and mine.played is None
    assert TrialScheduler.STOP == "STOP" and create_scheduler("fifo").NOOP == "NOOP"
