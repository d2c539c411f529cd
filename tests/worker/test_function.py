from __future__ import annotations

import asyncio
import functools

import numpy as np
import pytest

from luthier.core.errors import BadArgument
from luthier.core.terms import Outcome, Verdict
from luthier.worker.function import check_trainable
from luthier.worker.session import report
from luthier.worker.trainable import Trainable


class Objective:
    def __call__(self, config):
        return config["x"]

    def method(self, config):
        return config["x"]

    @staticmethod
    def static(config):
        return config["x"]


class Steps(Trainable):
    def step(self):
        return {"done": True}


def two(config, more):
    return config["x"] + more


@pytest.mark.parametrize(
    "trainable",
    [
        lambda config: config["x"],
        lambda config, *args, **kwargs: config["x"],
        lambda config, more=1: config["x"],
        lambda *args: args[0]["x"],
        functools.partial(two, more=0),
        Objective(),
        Objective().method,
        Objective.static,
        functools.lru_cache(lambda config: config["x"]),
    ],
)
def test_what_can_be_run(run, trainable):
    check_trainable(trainable)
    if not isinstance(trainable, functools._lru_cache_wrapper):
        exited, channel = run(trainable, {"x": 2})
        assert exited.outcome is Outcome.FINISHED, exited.error
        assert [m["_metric"] for m in channel.metrics] == [2]


@pytest.mark.parametrize(
    ("trainable", "said"),
    [
        (3, "an object of type int"),
        ("train.py", "an object of type str"),
        (None, "an object of type NoneType"),
        (lambda: 1, "no room for the config"),
        (two, "two(config, more): missing a required argument: 'more'"),
        (two, "tune.with_parameters"),
        (lambda config, reporter, more: 1, "missing a required argument"),
        (lambda *, config: 1, "config"),
        (Objective, "no subclass of Trainable"),
        (Trainable, "defines step()"),
        (type("Stepless", (Trainable,), {}), "defines step()"),
    ],
)
def test_what_cannot_be_run(trainable, said):
    with pytest.raises(BadArgument) as caught:
        check_trainable(trainable)
    assert "trainable=" in str(caught.value)
    assert said in str(caught.value)


def test_classes_can_be_run():
    check_trainable(Steps)


def reporting_and(last):
    def trainable(config):
        report({"i": 0})
        return last

    return trainable


@pytest.mark.parametrize(
    ("trainable", "reported"),
    [
        (lambda config: {"a": 1}, [{"a": 1}]),
        (lambda config: 0, [{"_metric": 0}]),
        (lambda config: np.float32(0.5), [{"_metric": 0.5}]),
        (lambda config: np.array(2), [{"_metric": 2}]),
        (lambda config: None, []),
        (lambda config: {}, []),
        (reporting_and({"a": 1}), [{"i": 0}, {"a": 1}]),
        (reporting_and(3), [{"i": 0}, {"_metric": 3}]),
        (reporting_and(None), [{"i": 0}]),
    ],
)
def test_what_is_returned(run, trainable, reported):
    exited, channel = run(trainable)
    assert exited.outcome is Outcome.FINISHED, exited.error
    assert len(channel.metrics) == len(reported)
    for got, wanted in zip(channel.metrics, reported, strict=True):
        assert got.items() >= wanted.items()


@pytest.mark.parametrize("value", ["loss", [1, 2], object(), np.arange(3)])
@pytest.mark.parametrize("how", ["returned", "yielded"])
def test_what_cannot_be_returned(run, value, how):
    def generator(config):
        yield value

    exited, channel = run((lambda config: value) if how == "returned" else generator)
    assert exited.outcome is Outcome.ERROR
    assert channel.reports == []
    assert f"TypeError: the trainable {how}" in exited.error
    assert f"of type {type(value).__name__}" in exited.error


def test_generators(run):
    closed = []

    def generator(config):
        try:
            yield {"i": 0}
            yield 1.5
            yield None
            report({"i": 2})
            return {"i": 3}
        finally:
            closed.append(True)

    exited, channel = run(generator)
    assert exited.outcome is Outcome.FINISHED
    assert [m.get("i", m.get("_metric")) for m in channel.metrics] == [0, 1.5, 2, 3]
    exited, channel = run(functools.partial(generator), verdicts=[Verdict.HALT])
    assert exited.outcome is Outcome.HALTED
    assert len(channel.metrics) == 1
    assert closed == [True, True]


def test_async_functions(run):
    async def trainable(config):
        for i in range(2):
            await asyncio.sleep(0)
            report({"i": i})
        return {"i": "end"}

    async def generator(config):
        for i in range(3):
            await asyncio.sleep(0)
            yield {"i": i}

    assert [m["i"] for m in run(trainable)[1].metrics] == [0, 1, "end"]
    assert [m["i"] for m in run(generator)[1].metrics] == [0, 1, 2]
    for each in (trainable, generator):
        exited, channel = run(each, verdicts=[Verdict.CONTINUE, Verdict.HALT])
        assert exited.outcome is Outcome.HALTED, exited.error
        assert len(channel.metrics) == 2


def test_the_old_reporter(run):
    def trainable(config, reporter):
        reporter(loss=config["x"])
        reporter(0.5, acc=1)

    check_trainable(trainable)
    with pytest.warns(DeprecationWarning, match="reporter"):
        exited, channel = run(trainable, {"x": 2})
    assert exited.outcome is Outcome.FINISHED, exited.error
    assert channel.metrics[0]["loss"] == 2
    assert channel.metrics[1].items() >= {"_metric": 0.5, "acc": 1}.items()


@pytest.mark.parametrize("required", [True, False])
def test_the_old_checkpoint_argument(run, tmp_path, required):
    def with_default(config, checkpoint_dir=None):
        return {"dir": checkpoint_dir}

    def without(config, checkpoint_dir):
        return {"dir": checkpoint_dir}

    trainable = without if required else with_default
    check_trainable(trainable)
    stored = tmp_path / "experiment" / "t_0" / "checkpoint_000000"
    with pytest.warns(DeprecationWarning, match="get_checkpoint"):
        _, channel = run(trainable)
    assert channel.metrics[0]["dir"] is None
    stored.mkdir(parents=True)
    _, channel = run(trainable, restore="t_0/checkpoint_000000")
    assert channel.metrics[0]["dir"] == str(stored)
