"""Tuner.restore: what goes on, what comes back, what may be extended, what is refused."""

from __future__ import annotations

import math
import os
import random
import shutil
import threading
from pathlib import Path

import pytest

from luthier import tune
from luthier.core import events as ev
from luthier.core.errors import BadArgument, NotAnExperiment
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore
from luthier.store.sessions import Sessions
from luthier.tune import kit
from luthier.tune.past import Past
from luthier.tune.schedulers import ASHAScheduler
from luthier.tune.search.basic_variant import BasicVariantGenerator
from tests.tune.restoring import cut, events, inline, length, stepping, told

RT = tune.ResumeConfig.ResumeType


def begun(storage, samples=3, space=None, stop=None, **tuning):
    config = tune.TuneConfig(**{"metric": "loss", "mode": "min", "num_samples": samples, "seed": 7, **tuning})
    space = {"x": tune.uniform(0, 1)} if space is None else space
    return tune.Tuner(stepping, param_space=space, tune_config=config, run_config=inline(storage, stop=stop))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An experiment that nobody disturbed."""
    return begun(tmp_path_factory.mktemp("whole")).fit()


def test_killed_anywhere_it_goes_on_without_losing_or_repeating_anything(whole, tmp_path):
    records = length(whole.experiment_path)
    for at in {0, 1, 2, records - 1, records, *random.Random(1).sample(range(records), 6)}:
        path = cut(whole.experiment_path, tmp_path / str(at), at)
        grid = tune.Tuner.restore(path, stepping).fit()
        assert [result.config for result in grid] == [result.config for result in whole], at
        assert told(path) == told(whole.experiment_path), at
        assert (grid.num_terminated, grid.num_errors) == (3, 0)
        assert all(t.losses == 0 for t in Past(path).experiment.trials.values()), "the driver's death is nobody's fault"


def test_a_finished_one_returns_at_once_and_nothing_is_recorded(whole, tmp_path):
    path = shutil.copytree(whole.experiment_path, tmp_path / "copy")
    before = length(path)

    def stepping(config):
        raise AssertionError("no finished trial is run again")

    tuner = tune.Tuner.restore(path, stepping)
    assert [r.metrics["loss"] for r in tuner.get_results()] == [r.metrics["loss"] for r in whole]
    assert len(tuner.fit()) == 3
    assert length(path) == before


def test_unfinished_trials_may_be_left_and_new_ones_still_come(whole, tmp_path):
    path = cut(whole.experiment_path, tmp_path / "e", 5)
    assert [t.status.name for t in Past(path).experiment.trials.values()] == ["RUNNING"]
    grid = tune.Tuner.restore(path, stepping, resume_unfinished=False).fit()
    assert [r.metrics.get("step") for r in grid] == [4, 10, 10]
    assert grid.num_terminated == 3
    assert grid[0].config == whole[0].config
    assert len(told(path)[grid[0].trial_id]) == 4


@pytest.mark.parametrize(
    ("flags", "steps", "attempts"),
    [
        ({}, 6, 1),
        ({"resume_errored": True}, 10, 2),
        ({"restart_errored": True}, 10, 2),
        ({"_resume_config": tune.ResumeConfig(errored="restart")}, 10, 2),
        ({"resume_errored": True, "_resume_config": tune.ResumeConfig()}, 6, 1),
    ],
)
def test_what_failed(tmp_path, flags, steps, attempts):
    def fragile(config):
        checkpoint = tune.get_checkpoint()
        if checkpoint is not None:
            (tmp_path / "went-on").touch()
        step = 0
        while step < 6 or (tmp_path / "fixed").exists():
            step += 1
            if step > 10:
                return
            (tmp_path / "saved").mkdir(exist_ok=True)
            tune.report({"step": step}, checkpoint=tune.Checkpoint.from_directory(tmp_path / "saved"))
        raise RuntimeError("step 7")

    path = tune.Tuner(fragile, run_config=inline(tmp_path)).fit().experiment_path
    (tmp_path / "fixed").touch()
    grid = tune.Tuner.restore(path, fragile, **flags).fit()
    assert grid[0].metrics["step"] == steps
    (trial,) = Past(path).experiment.trials.values()
    assert trial.attempt == attempts
    assert grid.num_errors == (attempts == 1)
    assert (tmp_path / "went-on").exists() == ("resume_errored" in flags and attempts == 2)


def test_finished_and_unfinished_trials_may_begin_anew(whole, tmp_path):
    path = cut(whole.experiment_path, tmp_path / "e", 18)
    statuses = [t.status.name for t in Past(path).experiment.trials.values()]
    assert statuses == ["DONE", "RUNNING"]
    config = tune.ResumeConfig(finished=RT.RESTART, unfinished=RT.RESTART)
    grid = tune.Tuner.restore(path, stepping, _resume_config=config).fit()
    steps = told(path)
    assert steps[grid[0].trial_id] == [*range(1, 11), *range(1, 11)]
    assert steps[grid[1].trial_id][-10:] == list(range(1, 11)) and len(steps[grid[1].trial_id]) > 10
    assert steps[grid[2].trial_id] == list(range(1, 11))


def test_resume_config_takes_words_and_refuses_others():
    assert tune.ResumeConfig("skip", "RESUME", RT.RESTART).unfinished is RT.RESUME
    with pytest.raises(BadArgument, match="errored='again' cannot be used: give one of"):
        tune.ResumeConfig(errored="again")


# -- where it is, and what is given again ------------------------------------------------------------------------------


def test_it_may_have_moved(whole, tmp_path):
    path = cut(whole.experiment_path, tmp_path / "there", 7)
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(path, tmp_path / "elsewhere" / "other name")
    assert tune.Tuner.can_restore(moved)
    assert not tune.Tuner.can_restore(path)
    grid = tune.Tuner.restore(moved, stepping).fit()
    assert grid.experiment_path == str(moved)
    assert [r.metrics["step"] for r in grid] == [10, 10, 10]
    assert all(r.checkpoint.path.startswith(str(moved)) for r in grid)
    assert told(moved) == told(whole.experiment_path)
    assert not path.exists()


def test_can_restore_only_what_restore_can(whole, tmp_path):
    path = shutil.copytree(whole.experiment_path, tmp_path / "e")
    os.unlink(path / "experiment.json")  # killed between the two files
    assert not tune.Tuner.can_restore(path)
    with pytest.raises(NotAnExperiment):
        tune.Tuner.restore(path, stepping)
    with pytest.raises(NotAnExperiment, match="is not there"):
        tune.Tuner.restore(tmp_path / "nowhere", stepping)
    path = shutil.copytree(whole.experiment_path, tmp_path / "f")
    (path / "tuner.pkl").write_bytes(b"nonsense")
    with pytest.raises(NotAnExperiment, match=r"tuner\.pkl cannot be read"):
        tune.Tuner.restore(path, stepping)


def test_other_code_is_fine_another_name_is_not(whole, tmp_path):
    path = cut(whole.experiment_path, tmp_path / "e", 5)

    def another(config):
        pass

    with pytest.raises(BadArgument, match=r"its name is 'another'; other code is fine.*'stepping'"):
        tune.Tuner.restore(path, another)
    another.__name__ = "stepping"
    grid = tune.Tuner.restore(path, another).fit()
    assert [r.metrics.get("step") for r in grid] == [4, None, None]


def test_the_space_may_be_given_again_under_the_same_names(whole, tmp_path, caplog):
    path = cut(whole.experiment_path, tmp_path / "e", 5)
    with pytest.raises(BadArgument, match="it has x, y, and parameters can neither be added nor taken away"):
        tune.Tuner.restore(path, stepping, param_space={"x": 1, "y": 2})
    with pytest.raises(BadArgument, match="grid has 2 points where it had 1"):
        tune.Tuner.restore(path, stepping, param_space={"x": tune.grid_search([1, 2])})
    tune.Tuner.restore(path, stepping, param_space={"x": tune.uniform(0, 1)})
    assert caplog.text == ""
    grid = tune.Tuner.restore(path, stepping, param_space={"x": tune.uniform(5, 6)}).fit()
    assert "new ones are drawn from what is given now" in caplog.text
    assert grid[0].config == whole[0].config
    assert all(5 <= r.config["x"] <= 6 for r in list(grid)[1:])


class Unpicklable:
    def __init__(self):
        self.lock = threading.Lock()


def test_what_could_not_be_pickled_is_asked_for_again(tmp_path, caplog):
    private = Unpicklable()
    space = {"x": tune.sample_from(lambda spec: 0.5 if private.lock is not None else 0), "steps": 2}
    path = begun(tmp_path, space=space).fit().experiment_path
    assert "param_space cannot be pickled" in caplog.text
    with pytest.raises(BadArgument, match=r"param_space=None .* holds what could not be pickled"):
        tune.Tuner.restore(path, stepping)
    with pytest.raises(BadArgument, match="neither be added nor taken away"):
        tune.Tuner.restore(path, stepping, param_space={"z": 1})
    more = tune.TuneConfig(num_samples=5)
    assert len(tune.Tuner.restore(path, stepping, param_space=space, tune_config=more).fit()) == 5

    def stop(trial_id, result):
        return private.lock is None

    storage = tmp_path / "b"
    path = tune.Tuner(stepping, param_space={"x": 1}, run_config=inline(storage, stop=stop)).fit().experiment_path
    with pytest.raises(BadArgument, match="run_config=None"):
        tune.Tuner.restore(path, stepping)
    assert len(tune.Tuner.restore(path, stepping, run_config=inline(storage, stop=stop)).fit()) == 1


# -- what decides comes back -------------------------------------------------------------------------------------------


class Patience(tune.Stopper):
    """Stops a trial at its eighth result, and all of them after so many; counts what it is told."""

    def __init__(self, most=10**9):
        self.seen, self.most, self.total = {}, most, 0

    def __call__(self, trial_id, result):
        assert result["config"] and result["training_iteration"]
        self.total += 1
        self.seen[trial_id] = self.seen.get(trial_id, 0) + 1
        return self.seen[trial_id] >= 8

    def stop_all(self):
        return self.total >= self.most


@pytest.mark.parametrize("most", [10**9, 20])
def test_scheduler_and_stoppers_decide_as_if_nothing_had_been(tmp_path, most):
    scheduler = ASHAScheduler(grace_period=2, reduction_factor=2, max_t=9)
    grid = begun(tmp_path / "a", samples=6, scheduler=scheduler, stop=Patience(most)).fit()
    path = grid.experiment_path
    decided = [(e.trial, e.status, e.reason) for e in events(path, ev.Ended)]
    assert any("Patience" in reason for _, _, reason in decided)
    if most > 20:
        assert any("Patience" not in reason for _, _, reason in decided)
    for at in range(1, length(path), 3):
        again = cut(path, tmp_path / str(at), at)
        tune.Tuner.restore(again, stepping).fit()
        assert [(e.trial, e.status, e.reason) for e in events(again, ev.Ended)] == decided, at
        assert told(again) == told(path), at


def test_an_end_that_was_asked_for_stays(tmp_path):
    path = begun(tmp_path, samples=4, stop=Patience(5)).fit().experiment_path
    before = length(path)
    assert len(tune.Tuner.restore(path, stepping).fit()) == 1
    assert length(path) == before
    # With another stop rule those that were cut short go on, and the others come.
    grid = tune.Tuner.restore(path, stepping, run_config=inline(tmp_path, stop={})).fit()
    assert [r.metrics["step"] for r in grid] == [10] * 4
    assert told(path)[grid[0].trial_id] == list(range(1, 11))


def clocked(path, used, stop="the time budget"):
    """Say how long the driver of before worked: rewrite the times in its log."""
    records = list(JsonlStore(path, readonly=True).read())
    shutil.rmtree(Path(path, "events"))
    Path(path, ".head").unlink(missing_ok=True)
    times = iter([1e9 + used * i / (len(records) - 1) for i in range(len(records))])
    with JsonlStore(path, clock=lambda: next(times)) as store:
        for record in records:
            store.append(record.events, record.first)


def test_what_is_left_of_the_time_budget_is_what_was_not_used(whole, tmp_path):
    path = begun(tmp_path / "a", samples=3, time_budget_s=1000).fit().experiment_path
    for used, steps in ((1000.5, [3]), (500.0, [10, 10, 10])):
        again = cut(path, tmp_path / f"{used}", 4)
        clocked(again, used)
        grid = tune.Tuner.restore(again, stepping).fit()
        assert [r.metrics["step"] for r in grid if r.metrics] == steps
        sessions = Sessions()
        for record in JsonlStore(again, readonly=True).read():
            sessions.add(record)
        assert sessions.count == 2
        assert used <= sessions.used < used + 60
    # It is used up now: nothing starts, whatever is asked for, until there is more of it.
    again = tmp_path / "1000.5"
    rerun = tune.ResumeConfig(finished="resume")
    assert [r.metrics["step"] for r in tune.Tuner.restore(again, stepping, _resume_config=rerun).fit()] == [3]
    longer = tune.TuneConfig(time_budget_s=2000)
    assert [r.metrics["step"] for r in tune.Tuner.restore(again, stepping, tune_config=longer).fit()] == [10, 10, 10]
    assert told(again) == told(path)


def test_a_time_budget_may_be_lifted(tmp_path):
    path = begun(tmp_path, samples=3, time_budget_s=1e-6).fit().experiment_path
    used_up = tune.Tuner.restore(path, stepping).fit()
    assert not [r for r in used_up if r.metrics.get("step") == 10]
    grid = tune.Tuner.restore(path, stepping, tune_config=tune.TuneConfig(time_budget_s=math.inf)).fit()
    assert [r.metrics["step"] for r in grid] == [10, 10, 10]
    (last,) = events(path, ev.Reopened)
    assert last.note == "time_budget_s 1e-06 -> inf"


class Counting(tune.Callback):
    def __init__(self, broken=False):
        self.count, self.broken, self.story = 0, broken, []

    def setup(self, stop=None, num_samples=None, total_num_samples=None, **info):
        self.story.append(f"setup at {self.count}")

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.count += 1

    def get_state(self):
        if self.broken:
            raise LookupError("no state")
        return {"count": self.count}

    def set_state(self, state):
        self.count = state["count"]


def test_callbacks_get_their_state_back_before_setup(tmp_path, caplog):
    run_config = inline(tmp_path, callbacks=[tune.Callback(), Counting(broken=True), Counting()])
    space = {"x": 1, "steps": 4}
    path = tune.Tuner(stepping, param_space=space, run_config=run_config).fit().experiment_path
    assert caplog.text.count("Counting.get_state: LookupError: no state") == 1
    one, two = Counting(), Counting()
    again = [tune.Callback(), one, two]
    more = tune.TuneConfig(num_samples=2)
    restored = tune.Tuner.restore(path, stepping, tune_config=more, run_config=inline(tmp_path, callbacks=again))
    assert len(restored.fit()) == 2
    assert (one.count, two.count) == (4, 8)
    assert two.story == ["setup at 4"]
    Path(path, "callback-states.pkl").write_bytes(b"nonsense")
    tune.Tuner.restore(path, stepping).fit()
    assert "cannot be read, so they begin anew" in caplog.text


def test_states_are_written_as_time_passes(tmp_path):
    from luthier.tune.adapt.callback_states import CallbackStates

    callback = Counting()
    states = CallbackStates([callback], str(tmp_path), period_s=10)
    states.on_tick(100.0)
    callback.count = 3
    states.on_tick(109.0)
    assert not (tmp_path / "callback-states.pkl").exists()
    states.on_tick(110.0)
    again = Counting()
    CallbackStates([again], str(tmp_path)).restore()
    assert again.count == 3


# -- extending ---------------------------------------------------------------------------------------------------------


def test_more_samples_are_those_that_would_have_come(tmp_path):
    all_at_once = begun(tmp_path / "a", samples=6).fit()
    path = begun(tmp_path / "b", samples=2).fit().experiment_path
    assert len(tune.Tuner.restore(path, stepping, tune_config=tune.TuneConfig(num_samples=4)).fit()) == 4
    grid = tune.Tuner.restore(path, stepping, tune_config=tune.TuneConfig(num_samples=6)).fit()
    assert [r.config for r in grid] == [r.config for r in all_at_once]
    assert [e.note for e in events(path, ev.Reopened)] == ["num_samples 2 -> 4", "num_samples 4 -> 6"]
    assert ExperimentCard.read(path).num_samples == 6
    assert len(tune.Tuner.restore(path, stepping).fit()) == 6  # it stays so
    assert told(path) == dict(zip(told(path), told(all_at_once.experiment_path).values(), strict=True))


class Counted:
    """A searcher of one's own, which only the Tuner's num_samples ends."""

    def __init__(self, start=0):
        self.start = start

    def ask(self, number, rng):
        return {"x": self.start + number, "steps": 1}

    def tell(self, news, experiment):
        pass


def test_more_samples_of_a_searcher_of_ones_own(tmp_path):
    path = begun(tmp_path, samples=2, search_alg=Counted(5)).fit().experiment_path
    more = tune.TuneConfig(num_samples=4, search_alg=Counted(5))
    grid = tune.Tuner.restore(path, stepping, tune_config=more).fit()
    assert [r.config["x"] for r in grid] == [5, 6, 7, 8]
    assert Past(path).experiment.num_trials == 4
    endless = tune.Tuner.restore(path, stepping, tune_config=tune.TuneConfig(num_samples=-1, time_budget_s=100))
    assert endless._blueprint.limits(0, "t").num_trials is None
    killed = shutil.copytree(path, tmp_path / "killed")
    assert len(tune.Tuner.restore(killed, stepping).fit()) == 4


def test_other_numbers_and_rules_may_change(tmp_path):
    def fragile(config):
        tune.report({"loss": 1.0})
        raise RuntimeError("always")

    path = tune.Tuner(fragile, run_config=inline(tmp_path)).fit().experiment_path
    patient = inline(tmp_path, failure_config=tune.FailureConfig(max_failures=2))
    again = tune.Tuner.restore(path, fragile, resume_errored=True, run_config=patient)
    assert again.fit().num_errors == 1
    assert len(events(path, ev.Launched)) == 1 + 3
    assert events(path, ev.Reopened)[0].note == "max_failures 0 -> 2"
    narrow = tune.Tuner.restore(path, fragile, tune_config=tune.TuneConfig(max_concurrent_trials=2))
    assert narrow._blueprint.tune.max_concurrent_trials == 2
    assert narrow._blueprint.run.failure_config.max_failures == 2
    assert narrow._blueprint.run.executor == "inline"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"metric": "step"}, "tune_config.metric='step' .*ranked and judged by 'loss'"),
        ({"mode": "max"}, "tune_config.mode='max' .*ranked and judged by 'min'"),
        ({"seed": 8}, "tune_config.seed=8 .*drawn from it"),
        ({"num_samples": 2}, "tune_config.num_samples=2 .*3 were asked for"),
        ({"search_alg": Counted()}, "tune_config.search_alg=.*proposed by BasicVariantGenerator"),
        (
            {"search_alg": BasicVariantGenerator(constant_grid_search=True)},
            "tune_config.search_alg=.*constant_grid_search was False",
        ),
    ],
)
def test_what_may_not_change_is_refused_with_the_reason(whole, tmp_path, given, says):
    path = shutil.copytree(whole.experiment_path, tmp_path / "e")
    before = sorted((p, p.stat().st_mtime_ns) for p in path.rglob("*"))
    with pytest.raises(BadArgument, match=says):
        tune.Tuner.restore(path, stepping, tune_config=tune.TuneConfig(**given))
    assert sorted((p, p.stat().st_mtime_ns) for p in path.rglob("*")) == before
    same = tune.TuneConfig(metric="loss", mode="min", seed=7, search_alg=BasicVariantGenerator())
    assert len(tune.Tuner.restore(path, stepping, tune_config=same).fit()) == 3


def test_what_is_given_must_be_configs(whole):
    with pytest.raises(BadArgument, match=r"tune_config=.*a TuneConfig"):
        tune.Tuner.restore(whole.experiment_path, stepping, tune_config={"num_samples": 4})  # type: ignore[arg-type]


def test_a_failed_fast_experiment_goes_on_once_its_failure_does(tmp_path):
    def picky(config):
        if config["x"] == 1 and not (tmp_path / "fixed").exists():
            raise RuntimeError("no")
        tune.report({"step": config["x"]})

    fast = inline(tmp_path, failure_config=tune.FailureConfig(fail_fast=True))
    path = tune.Tuner(picky, param_space={"x": tune.grid_search([0, 1, 2])}, run_config=fast).fit().experiment_path
    assert len(tune.Tuner.restore(path, picky).fit()) == 2
    (tmp_path / "fixed").touch()
    grid = tune.Tuner.restore(path, picky, resume_errored=True).fit()
    assert [r.metrics["step"] for r in grid] == [0, 1, 2]


def test_the_kit_keeps_a_trainable_of_any_kind(tmp_path):
    table = list(range(100_000))
    big = tune.with_parameters(lambda config, table: {"loss": len(table)}, table=table)
    path = tune.Tuner(big, run_config=inline(tmp_path)).fit().experiment_path
    assert kit.TRAINABLE not in kit.load(path)
    kept = kit.load(path, (kit.TRAINABLE,))[kit.TRAINABLE]
    assert kept({}) == {"loss": 100_000}
    assert kit.save(path, {kit.TRAINABLE: b"x" * (17 << 20), "other": 1}) == [kit.TRAINABLE]
    assert kit.load(path) == {"other": 1}
