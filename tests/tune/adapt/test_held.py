"""Schedulers below others: whole answers, what they ask of an experiment, and decisions that stay unmade."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from luthier import tune
from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.terms import Status
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.tune.adapt.stopping import stopping
from luthier.tune.schedulers import (
    PB2,
    MedianStoppingRule,
    PopulationBasedTraining,
    ResourceChangingScheduler,
    TrialScheduler,
)
from luthier.tune.schedulers.resource_changing_scheduler import DistributeResources

LOSS = Goal("loss", "min")
TIME = "training_iteration"


class Forwards(TrialScheduler):
    """Passes results on, as a subclass of what it is mixed with."""

    def on_trial_result(self, tune_controller, trial, result):
        return super().on_trial_result(tune_controller, trial, result)


class OwnPbt(Forwards, PopulationBasedTraining):
    pass


class OwnMedian(Forwards, MedianStoppingRule):
    pass


class OwnResizing(Forwards, ResourceChangingScheduler):
    pass


class Holds(TrialScheduler):
    """Holds another scheduler and passes everything on."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def on_trial_add(self, tune_controller, trial):
        self.inner.on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller, trial, result):
        return self.inner.on_trial_result(tune_controller, trial, result)


def pbt(kind: Any = PopulationBasedTraining, **more):
    given = {"hyperparam_mutations": {"x": tune.uniform(0, 1)}, "perturbation_interval": 2, "quantile_fraction": 0.5}
    return kind(time_attr=TIME, **given | more)


def engine_of(policy, trials):
    configs = [{"x": i / trials, "y": i} for i in range(trials)]
    return Engine(Limits(num_trials=trials, seed=1, prefix="t"), Fixed(configs), policy, (LOSS,))


def played(policy, trials=4, workers=2, cpu=1.0, length=8, curve=lambda c, t: c["x"] + 1 / t, **rates):
    engine = engine_of(policy, trials)
    world = World(engine, curve, 1.0, length, [{"cpu": cpu}] * workers, **rates)
    world.run(reports=2_000)
    assert engine.finished
    return world


@pytest.mark.parametrize(("trials", "workers"), [(2, 1), (4, 2), (5, 3)])
@pytest.mark.parametrize("synch", [False, True])
def test_no_trial_of_an_own_population_is_lost(trials, workers, synch):
    made = pbt(OwnPbt, synch=synch)
    world = played(made.policy(LOSS, population=trials), trials, workers)
    assert {t.status for t in world.engine.experiment.trials.values()} == {Status.DONE}
    assert any(isinstance(e, ev.Halted) for e in world.log)


def test_a_population_below_super_does_what_it_does_by_itself():
    own, plain = (played(pbt(kind).policy(LOSS, population=4)) for kind in (OwnPbt, PopulationBasedTraining))
    assert repr(own.log) == repr(plain.log)


def test_who_makes_way_below_super_comes_back():
    given: Any = {"time_attr": TIME, "grace_period": 1, "min_samples_required": 3, "min_time_slice": 1}
    lossy: Any = {"trials": 3, "loss_rate": 0.2, "seed": 1, "save_every": 1}
    own, plain = (played(kind(**given).policy(LOSS), **lossy) for kind in (OwnMedian, MedianStoppingRule))
    assert repr(own.log) == repr(plain.log)
    assert any(isinstance(e, ev.Halted) and "yields" in e.reason for e in own.log)


def test_an_answer_that_is_changed_is_none_of_supers():
    class Never(PopulationBasedTraining):
        def on_trial_result(self, tune_controller, trial, result):
            super().on_trial_result(tune_controller, trial, result)
            return self.CONTINUE

    world = played(pbt(Never).policy(LOSS))
    assert not any(isinstance(e, ev.Halted) for e in world.log)


# -- what is still to be made stays so ---------------------------------------------------------------------------------
@pytest.mark.parametrize("synch", [False, True])
@pytest.mark.parametrize("shape", ["plain", "own", "resizing", "resizing an own", "an own resizing", "held", "stopped"])
def test_a_replay_explores_nothing_and_comes_to_the_same(shape, synch):
    calls = []

    class Explore:
        def __call__(self, config):
            calls.append(config)
            return config

        def __deepcopy__(self, memo):
            return self

    def policy():
        inner = pbt(OwnPbt if "an own" in shape or shape == "own" else PopulationBasedTraining,
                    custom_explore_fn=Explore(), synch=synch)  # fmt: skip
        share = DistributeResources()
        if shape == "an own resizing":
            inner = OwnResizing(pbt(custom_explore_fn=Explore(), synch=synch), share)
        elif shape.startswith("resizing"):
            inner = ResourceChangingScheduler(inner, share)
        elif shape == "held":
            inner = Holds(inner)
        made = inner.policy(LOSS, population=4)
        return stopping(lambda trial_id, result: result[TIME] >= 6, made) if shape == "stopped" else made

    world = played(policy(), workers=2, cpu=4.0)
    assert calls
    made = len(calls)
    again = engine_of(policy(), 4)
    for event in world.log:
        again.learn(event)
    assert len(calls) == made
    assert repr(again.experiment.trials) == repr(world.engine.experiment.trials)


def test_nobody_explores_for_a_trial_that_a_stop_condition_ends():
    def explore(config):
        raise AssertionError

    made = pbt(custom_explore_fn=explore).policy(LOSS, population=4)
    world = played(stopping({TIME: 4}, made), workers=4, curve=lambda c, t: -c["x"])  # at 2 each is the best so far
    assert [e.status for e in world.log if isinstance(e, ev.Ended)] == [Status.STOPPED] * 4


# -- what those that are held ask of an experiment ---------------------------------------------------------------------
class Unsaved(tune.Trainable):
    def step(self):
        return {"loss": 1.0}


@pytest.mark.parametrize("hold", [ResourceChangingScheduler, OwnResizing, Holds, lambda one: Holds([one])])
@pytest.mark.parametrize("inner", [pbt, lambda: pbt(OwnPbt)])
def test_what_is_held_is_asked(hold, inner, tmp_path):
    scheduler, alone = hold(inner()), inner()
    assert repr(scheduler.save_rule()) == repr(alone.save_rule()) and scheduler.save_rule() is not None
    assert set(scheduler.furnished({"y": 1})) == {"x", "y"}
    with pytest.raises(BadArgument, match="save_checkpoint"):
        scheduler.check_trainable(Unsaved)
    kinds = [type(one) for one in scheduler.listeners(str(tmp_path))]
    assert kinds == [type(one) for one in alone.listeners(str(tmp_path))] and kinds


def test_who_holds_nobody_asks_for_nothing(tmp_path):
    scheduler = ResourceChangingScheduler()
    assert scheduler.save_rule() is None and list(scheduler.listeners(str(tmp_path))) == []
    assert scheduler.furnished({"y": 1}) == {"y": 1}
    scheduler.check_trainable(Unsaved)


def test_a_bandit_that_is_held_refuses_what_it_cannot_choose():
    inner = PB2(time_attr=TIME, hyperparam_bounds={"x": [0, 1]})
    with pytest.raises(BadArgument, match=r"param_space\['x'\]"):
        ResourceChangingScheduler(inner).furnished({"x": tune.choice(["a", "b"])})


class Counts(tune.Trainable):
    """Twelve steps; goes on where it was."""

    def setup(self, config):
        self.n, self.x = 0, config["x"]

    def step(self):
        self.n += 1
        return {"loss": self.x + 1 / self.n, "n": self.n, "done": self.n == 12}

    def save_checkpoint(self, checkpoint_dir):
        Path(checkpoint_dir, "n").write_text(str(self.n))

    def load_checkpoint(self, checkpoint):
        self.n = int(Path(checkpoint, "n").read_text())


def test_a_population_whose_resources_change_has_its_files_and_checkpoints(tmp_path):
    results = tune.Tuner(
        Counts,
        param_space={"y": 1},
        tune_config=tune.TuneConfig(
            metric="loss", mode="min", num_samples=4, max_concurrent_trials=2, seed=1,
            scheduler=ResourceChangingScheduler(pbt()),
        ),
        run_config=tune.RunConfig(storage_path=tmp_path, name="e", verbose=0, executor="inline"),
    ).fit()  # fmt: skip
    assert [r.metrics["n"] for r in results] == [12] * 4
    assert Path(tmp_path, "e", "pbt_global.txt").exists()
