"""A restored experiment decides as one that was never broken off: for every prefix of a log, the rest follows."""

from __future__ import annotations

import pytest

from luthier import tune
from luthier.control.controller import Controller
from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.store.card import ExperimentCard
from luthier.store.jsonl import JsonlStore
from luthier.store.memory import MemoryStore
from luthier.tune.history import History
from luthier.tune.naming import Naming
from luthier.tune.schedulers import ASHAScheduler, FIFOScheduler, HyperBandForBOHB, HyperBandScheduler


class Patience(tune.Stopper):
    """Counts all that it is told: a stopper that would decide otherwise if it had missed anything."""

    def __init__(self, most):
        self.total, self.most = 0, most

    def __call__(self, trial_id, result):
        self.total += 1
        return self.total % 7 == 0

    def stop_all(self):
        return self.total >= self.most


def train(config):
    for step in range(1, 9):
        tune.report({"loss": abs(config["x"] - 0.3) + 1 / step})
        if config["fails"] == 0 and step == 5:
            raise RuntimeError("step 5")


SPACE = {"x": tune.uniform(0, 1), "fails": tune.randint(0, 4), "kind": tune.grid_search(["a", "b"])}


def recorded(storage, scheduler, most, restarts):
    """Run an experiment, broken off and extended so many times; return the Tuner and the log."""
    config = tune.TuneConfig(metric="loss", mode="min", num_samples=4, scheduler=scheduler, seed=11)
    run = tune.RunConfig(
        storage_path=storage,
        name="e",
        verbose=0,
        executor="inline",
        stop=Patience(most),
        failure_config=tune.FailureConfig(max_failures=1),
    )
    tuner = tune.Tuner(train, param_space=SPACE, tune_config=config, run_config=run)
    path = tuner.fit().experiment_path
    for more in range(restarts):
        again = tune.TuneConfig(num_samples=5 + more)
        stop = tune.RunConfig(stop=Patience(most * 10), failure_config=tune.FailureConfig(max_failures=1))
        tuner = tune.Tuner.restore(path, train, resume_errored=True, tune_config=again, run_config=stop)
        tuner.fit()
    return tuner, ExperimentCard.read(path), list(JsonlStore(path, readonly=True).read())


SCHEDULERS = [
    FIFOScheduler(),
    ASHAScheduler(grace_period=1, reduction_factor=2, max_t=8),
    HyperBandScheduler(max_t=8, reduction_factor=2),
    HyperBandForBOHB(max_t=8, reduction_factor=3),
]


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda scheduler: type(scheduler).__name__)
@pytest.mark.parametrize(("most", "restarts"), [(10**6, 0), (25, 0)])
def test_every_prefix_of_a_log_leads_to_the_rest_of_it(tmp_path, scheduler, most, restarts):
    tuner, card, records = recorded(tmp_path, scheduler, most, restarts)
    make = maker(tuner, card)
    batches = [record.events for record in records]
    for at in range(len(batches) + 1):
        engine = Engine.replay(make, [event for batch in batches[:at] for event in batch])
        for batch in batches[at:]:
            stimulus = batch[0]
            assert isinstance(stimulus, ev.Observed)
            assert repr(engine.handle(stimulus)) == repr(batch), f"after {at} batches"
        assert engine.finished


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda scheduler: type(scheduler).__name__)
def test_nor_does_it_matter_how_often_it_is_broken_off(tmp_path, scheduler):
    """The same through the controller, rebuilt before every stimulus, of a log that was reopened and extended."""
    tuner, card, records = recorded(tmp_path, scheduler, 25, restarts=2)
    reopened = [n for n, record in enumerate(records) if isinstance(record.events[0], ev.Reopened)]
    assert len(reopened) == 2
    make, store = maker(tuner, card), MemoryStore()
    for record in records[: reopened[-1]]:  # earlier sessions went by other rules: they are believed
        store.append(record.events, record.first)
    for record in records[reopened[-1] :]:
        controller = Controller(store, make)
        assert repr(controller.handle(record.events[0])) == repr(record.events)


def maker(tuner, card):
    blueprint = tuner._blueprint
    history = History(lambda: ())

    def make():
        naming = Naming(card.trainable, blueprint.space, "", None, None, history)
        return blueprint.engine(blueprint.limits(card.seed, card.prefix), naming)()

    return make
