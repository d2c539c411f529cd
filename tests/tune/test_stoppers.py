"""Stoppers by themselves, in a Tuner, and after a restart."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier import tune
from luthier.core import events as ev
from luthier.core.errors import BadArgument, BadArgumentType, PolicyError
from luthier.core.rng import rng_at
from luthier.core.terms import Label, TrialId
from luthier.schedulers.fifo import Fifo
from luthier.tune import stopper as stoppers
from luthier.tune.adapt.stopping import stopping
from luthier.tune.stopper import (
    CombinedStopper,
    ExperimentPlateauStopper,
    FunctionStopper,
    MaximumIterationStopper,
    NoopStopper,
    TimeoutStopper,
    TrialPlateauStopper,
)
from luthier.tune.stopper.deviation import deviation
from luthier.tune.stopper.timeout import timeout_of
from tests.tune.restoring import cut, events, inline, length, stepping, told
from tests.tune.test_restore import clocked

ANY: Any = stoppers  # mistakes that mypy would find
FINITE = st.floats(-1e100, 1e100)


def answers(stopper, *values, metric="loss"):
    return [stopper("t", {metric: value} if value is not None else {}) for value in values]


# -- by themselves -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "argument"),
    [
        (lambda: ANY.MaximumIterationStopper(0), "max_iter"),
        (lambda: ANY.MaximumIterationStopper("3"), "max_iter"),
        (lambda: ANY.TimeoutStopper("3"), "timeout"),
        (lambda: ANY.TimeoutStopper(-1), "timeout"),
        (lambda: ANY.TimeoutStopper(math.nan), "timeout"),
        (lambda: ANY.TimeoutStopper(True), "timeout"),
        (lambda: ANY.FunctionStopper(3), "function"),
        (lambda: ANY.CombinedStopper(NoopStopper(), len), r"stoppers\[1\]"),
        (lambda: ANY.TrialPlateauStopper(""), "metric"),
        (lambda: ANY.TrialPlateauStopper("loss", std=0), "std"),
        (lambda: ANY.TrialPlateauStopper("loss", num_results=0), "num_results"),
        (lambda: ANY.TrialPlateauStopper("loss", grace_period=1.5), "grace_period"),
        (lambda: ANY.TrialPlateauStopper("loss", metric_threshold=0), "mode"),
        (lambda: ANY.TrialPlateauStopper("loss", metric_threshold="low", mode="min"), "metric_threshold"),
        (lambda: ANY.TrialPlateauStopper("loss", mode="lowest"), "mode"),
        (lambda: ANY.ExperimentPlateauStopper("loss", mode="lowest"), "mode"),
        (lambda: ANY.ExperimentPlateauStopper("loss", top=1), "top"),
        (lambda: ANY.ExperimentPlateauStopper("loss", std=-1), "std"),
        (lambda: ANY.ExperimentPlateauStopper("loss", patience=-1), "patience"),
        (lambda: ANY.ExperimentPlateauStopper(None), "metric"),
    ],
)
def test_bad_arguments_are_named(made, argument):
    with pytest.raises(BadArgument, match=f"^{argument}="):
        made()


@given(st.lists(FINITE, min_size=1, max_size=200))
def test_deviations_are_numpy_s(numbers):
    found, theirs = deviation(numbers), float(np.std(numbers))
    alike = found == pytest.approx(theirs, rel=1e-14, abs=0)  # one may round the last digit differently
    assert alike or (theirs <= 1e-15 * abs(numbers[0]) and found == 0.0)  # numbers that are all equal


def test_deviations_of_what_is_not_finite():
    for odd in (math.nan, math.inf, -math.inf):
        assert math.isnan(deviation([1.0, odd, 2.0])) and math.isnan(deviation([1.0, odd] * 100))


def test_a_trial_that_rests():
    stopper = TrialPlateauStopper("loss", std=0.1, num_results=3, grace_period=5)
    assert answers(stopper, 1.0, 0.5, 0.5, 0.5, 0.5, 0.9, 0.5) == [False] * 4 + [True, False, False]
    assert stopper.reason == "loss rests: std 0 of 3 results is below 0.1"
    assert answers(stopper, 0.5, 0.5) == [False, True]
    assert not stopper("another", {"loss": 0.5}) and not stopper.stop_all()


@pytest.mark.parametrize("odd", [None, math.nan, math.inf, "text"])
def test_a_trial_with_an_odd_result_among_its_last_does_not_rest(odd):
    stopper = TrialPlateauStopper("loss", num_results=2, grace_period=0)
    assert answers(stopper, 0.5, 0.5, odd, 0.5, 0.5) == [False, True, False, False, True]


def test_a_threshold_of_zero_is_one():
    stopper = TrialPlateauStopper("loss", num_results=2, grace_period=0, metric_threshold=0, mode="min")
    assert answers(stopper, 0.5, 0.5, -0.5, -0.5) == [False, False, False, True]
    stopper = TrialPlateauStopper("loss", num_results=2, grace_period=0, metric_threshold=0, mode="max")
    assert answers(stopper, -0.5, -0.5, 0.5, 0.5) == [False, False, False, True]


def test_an_experiment_that_rests():
    stopper = ExperimentPlateauStopper("eval/acc", std=0.05, top=2, mode="max", patience=2)
    values = [0.1, 0.8, 0.1, None, 0.82, math.nan, 0.2]
    found = [stopper("t", {"eval": {"acc": v}} if v is not None else {}) for v in values]
    assert found == [False] * 5 + [True, True] and stopper.stop_all()
    assert "the best 2 of eval/acc rest" in stopper.reason
    assert not stopper("t", {"eval": {"acc": 0.99}}) and not stopper.stop_all()


def test_combined_asks_all_and_says_who_said_so():
    class Own(tune.Stopper):
        def __call__(self, trial_id, result):
            return True

    counting = MaximumIterationStopper(2)
    stopper = CombinedStopper(Own(), counting)
    assert stopper("t", {}) and stopper.reason == "Own said so"
    assert stopper("t", {}) and stopper.reason == "Own said so; 2 results"
    assert not stopper.stop_all() and not CombinedStopper()("t", {})


def test_what_is_a_function():
    assert FunctionStopper.is_valid_function(lambda trial_id, result: True)
    assert not FunctionStopper.is_valid_function(NoopStopper()) and not FunctionStopper.is_valid_function({})

    class Like:
        def __call__(self, trial_id, result): ...
        def stop_all(self): ...

    with pytest.raises(BadArgument, match="a subclass of"):
        FunctionStopper.is_valid_function(Like())


def test_a_timeout_runs_from_when_it_is_first_asked_and_not_while_it_is_stored(monkeypatch):
    clock = 5.0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    stopper = TimeoutStopper(timedelta(seconds=10))
    clock = 100.0
    assert not stopper.stop_all()
    clock = 106.0
    assert not stopper.stop_all()
    for other in (pickle.loads(pickle.dumps(stopper)), copy.deepcopy(stopper)):
        clock = 1000.0
        assert not other.stop_all()
        clock = 1003.9
        assert not other.stop_all()
        clock = 1004.0
        assert other.stop_all() and not other("t", {})


def test_the_least_timeout_counts():
    assert timeout_of(CombinedStopper(TimeoutStopper(9), CombinedStopper(TimeoutStopper(3)), NoopStopper())) == 3
    assert timeout_of({"a": 3}) == timeout_of(None) == timeout_of(CombinedStopper()) == math.inf


def test_names_are_where_scripts_look_for_them_and_numpy_stays_out():
    statement = (
        "import sys; from luthier.tune.stopper import *; from luthier.tune.stopper.trial_plateau import "
        "TrialPlateauStopper; from luthier.tune.stopper.timeout import TimeoutStopper; from luthier import tune; "
        "s = tune.stopper.TrialPlateauStopper('a', grace_period=0); [s('t', {'a': 1.0}) for _ in range(9)]; "
        "ExperimentPlateauStopper, CombinedStopper, MaximumIterationStopper, FunctionStopper, NoopStopper, Stopper; "
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", statement], check=True, timeout=60)


# -- in a Tuner --------------------------------------------------------------------------------------------------------


def settling(config):
    for step in range(1, 30):
        tune.report({"eval": {"loss": config["x"] + 0.5**step}})


def tuner(path, stop, **tuning):
    return tune.Tuner(
        settling,
        param_space={"x": tune.grid_search([0.0, 1.0])},
        tune_config=tune.TuneConfig(**tuning),
        run_config=inline(path, stop=stop),
    )


def steps(grid):
    return [result.metrics["training_iteration"] for result in grid]


def test_trials_end_where_they_rest_and_the_log_says_why(tmp_path):
    grid = tuner(tmp_path, TrialPlateauStopper("eval/loss", std=0.01)).fit()
    assert steps(grid) == [9, 9]
    (_, end) = events(grid.experiment_path, ev.Halted)
    assert end.reason.startswith("TrialPlateauStopper: eval/loss rests: std 0.00") and end.why
    assert end.why == {"stopper": "TrialPlateauStopper"}


def test_the_experiment_ends_where_it_rests(tmp_path):
    grid = tuner(tmp_path, ExperimentPlateauStopper("eval/loss", std=0.01, top=3)).fit()
    assert steps(grid) == [7]
    (end,) = events(grid.experiment_path, ev.StopRequested)
    assert end.reason.startswith("ExperimentPlateauStopper: the best 3 of eval/loss rest")


def test_a_dict_says_why_in_names_and_values(tmp_path):
    grid = tuner(tmp_path, {"training_iteration": 3}).fit()
    (end, _) = events(grid.experiment_path, ev.Halted)
    assert end.reason == "training_iteration >= 3"
    assert end.why == {"metric": "training_iteration", "value": 3.0, "cutoff": 3.0}


@pytest.mark.parametrize("combined", [False, True])
def test_a_timeout_ends_it_with_no_result_in_sight(tmp_path, combined):
    def silent(config):
        time.sleep(60)

    stopper = TimeoutStopper(0.5)
    grid = tune.Tuner(
        silent,
        run_config=tune.RunConfig(
            storage_path=tmp_path,
            verbose=0,
            grace_s=0.1,
            stop=CombinedStopper(stopper, NoopStopper()) if combined else stopper,
        ),
    ).fit()
    (end,) = events(grid.experiment_path, ev.StopRequested)
    assert end.reason == "the time budget of 0.5 s is used up"


# -- after a restart ---------------------------------------------------------------------------------------------------


def test_a_timeout_counts_what_the_driver_of_before_used(tmp_path):
    path = tune.Tuner(
        stepping,
        param_space={"x": tune.grid_search([1, 2, 3])},
        run_config=inline(tmp_path / "a", stop=TimeoutStopper(1000)),
    ).fit().experiment_path  # fmt: skip
    for used, found in ((1000.5, [3]), (500.0, [10, 10, 10])):
        again = cut(path, tmp_path / f"{used}", 4)
        clocked(again, used)
        assert [r.metrics["step"] for r in tune.Tuner.restore(again, stepping).fit() if r.metrics] == found
    longer = inline(tmp_path, stop=TimeoutStopper(2000))
    grid = tune.Tuner.restore(tmp_path / "1000.5", stepping, run_config=longer).fit()
    assert [r.metrics["step"] for r in grid] == [10, 10, 10]


@pytest.mark.parametrize(
    "stop",
    [
        MaximumIterationStopper(7),
        TrialPlateauStopper("loss", std=0.03),
        CombinedStopper(TrialPlateauStopper("loss", std=0.01), ExperimentPlateauStopper("loss", std=0.02, top=4)),
    ],
    ids=lambda stop: type(stop).__name__,
)
def test_they_know_what_they_knew(tmp_path, stop):
    path = tune.Tuner(
        stepping, param_space={"x": tune.grid_search([2, 1, 3])}, run_config=inline(tmp_path / "a", stop=stop)
    ).fit().experiment_path  # fmt: skip
    decided = [(e.trial, e.reason) for e in events(path, ev.Ended)]
    assert any(reason for _, reason in decided)
    for at in range(1, length(path), 5):
        again = cut(path, tmp_path / str(at), at)
        tune.Tuner.restore(again, stepping).fit()
        assert [(e.trial, e.reason) for e in events(again, ev.Ended)] == decided, at
        assert told(again) == told(path), at


def test_what_is_no_stopper_is_refused_before_anything_runs(tmp_path):
    for stop in (3, [MaximumIterationStopper(3)], "loss"):
        with pytest.raises(BadArgumentType, match=r"^stop="):
            tuner(tmp_path, stop).fit()


# -- what is the user's own is told as such ----------------------------------------------------------------------------
@pytest.mark.parametrize("function", [lambda *a: True, lambda a, b, c=1: True, lambda trial_id, result: True, max])
def test_functions_that_can_be_called_with_two_are_taken(function):
    assert FunctionStopper(function).function_name


class Broken(tune.Stopper):
    def __call__(self, trial_id, result):
        return result["no such metric"]

    def stop_all(self):
        return False


def broken(trial_id, result):
    return result["no such metric"]


@pytest.mark.parametrize("stop", [Broken(), broken])
def test_what_a_stop_condition_raises_is_told_with_its_name(stop):
    trial = SimpleNamespace(id="t", label=Label("t", "t", "t"), config={})
    policy = stopping(stop, Fifo())
    engine: Any = SimpleNamespace(trial=lambda _: trial)
    name = "Broken" if isinstance(stop, Broken) else "broken"
    with pytest.raises(
        PolicyError, match=f"the stop condition {name} raised KeyError on a result of trial t"
    ) as raised:
        policy.decide(ev.Reported(TrialId("t"), 1, 0, {"loss": 1.0}), engine, rng_at(0))
    assert isinstance(raised.value.__cause__, KeyError)
    assert type(policy).__name__ == "Fifo"  # whom the engine complains about if the scheduler raises
