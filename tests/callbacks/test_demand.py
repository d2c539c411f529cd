"""What is told of trials that wait, and when nothing is."""

from __future__ import annotations

from typing import Any

from luthier.callbacks.demand import DemandWatch
from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.limits import Limits
from luthier.core.terms import Outcome
from luthier.schedulers.fifo import Fifo
from luthier.search.fixed import Fixed

ONE = {"cpu": 1.0}


class Case:
    """An engine, and what a watch has told of it."""

    def __init__(self, configs=5, total=5, request=None, **limits):
        request = request or ONE
        self.engine = Engine(
            Limits(elastic=True, **limits), Fixed([{"n": i} for i in range(configs)]), Fifo(), (), request
        )
        self.told: list[Any] = []
        self.watch = DemandWatch(self.told.append, request, total, limits.get("max_concurrent"))

    def hear(self, stimulus):
        events = self.engine.handle(stimulus)
        self.watch.on_events(events, self.engine.experiment)
        return events

    def join(self, name="a", **resources):
        return self.hear(ev.WorkerJoined(name, {"cpu": 2.0} | resources))

    def exit(self, number):
        trial = list(self.engine.experiment.trials)[number]
        return self.hear(ev.Exited(trial, 1, Outcome.FINISHED))


def test_all_that_are_to_come_wait():
    case = Case()
    case.join()
    assert case.told[-1] == [ONE] * 3
    case.exit(0)
    assert case.told[-1] == [ONE] * 2
    case.join("b", cpu=4.0)
    assert case.told[-1] == []
    told = len(case.told)
    case.hear(ev.Reported(list(case.engine.experiment.trials)[1], 1, 0, {"loss": 1.0}))
    assert len(case.told) == told


def test_nothing_waits_that_may_not_run():
    case = Case(max_concurrent=3)
    case.join()
    assert case.told[-1] == [ONE]
    case.hear(ev.StopRequested("enough"))
    assert case.told[-1] == []


def test_a_cluster_without_anything_is_asked_for_what_trials_want():
    case = Case(request={"cpu": 2.0, "gpu": 1.0})
    case.join(cpu=0.0, memory=1e9)
    assert case.told[-1] == [{"cpu": 2.0, "gpu": 1.0}] * 4


def test_of_many_the_next_four_wait_or_as_many_as_run():
    case = Case(configs=200, total=None)
    case.join()
    assert len(case.told[-1]) == 4
    case.join("b", cpu=48.0)
    assert len(case.told[-1]) == 50


def test_what_depends_on_the_config_is_as_it_was_last():
    case = Case(request=lambda config: {"cpu": config["n"] + 1.0})
    case.join(cpu=4.0)
    assert case.told[-1] == [{"cpu": 3.0}] * 3  # 1 and 2 run
