"""The tree-structured Parzen estimator: its laws, and that it learns."""

from __future__ import annotations

import math
import statistics
from typing import Any, ClassVar

import pytest

from luthier.core import events as ev
from luthier.core.engine import ASK, Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Integer, Normal, Space
from luthier.core.terms import WorkerId
from luthier.schedulers.asha import Asha
from luthier.schedulers.fifo import Fifo
from luthier.search.known import Known
from luthier.search.tpe import Tpe
from luthier.search.variants import Variants
from luthier.simulation.world import World
from luthier.testing.searchers import SearcherContract

MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "width": Integer(8, 512, log=True),
        "decay": Normal(0, 1),
        "drop": Float(0, 0.9, q=0.1),
        "model": Categorical(["linear", {"kind": "net", "depth": Integer(1, 8), "act": Categorical(["relu", "tanh"])}]),
        "constant": 3,
    }
)

LOSS = (Goal("loss", "min"),)


class TestMixed(SearcherContract):
    space = MIXED

    def make(self):
        return Tpe(MIXED, startup=3)


class TestOnePoint(SearcherContract):
    """A space without an axis has one config."""

    space = Space({"x": 3})
    adaptive = False
    waived: ClassVar = frozenset({"test_the_seed_matters_and_concurrency_only_to_those_who_learn"})

    def make(self):
        return Tpe(self.space)


class TestOneOption(SearcherContract):
    space = Space({"x": Categorical([5]), "y": Integer(2, 2)})

    def make(self):
        return Tpe(self.space, startup=1)


class TestWide(SearcherContract):
    space = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})

    def make(self):
        return Tpe(self.space, startup=2, candidates=4)


def played(searcher, loss, trials=60, workers=1, scheduler=None, steps=1, seed=1, goals=LOSS):
    engine = Engine(Limits(num_trials=trials, seed=seed, max_failures=0), searcher, scheduler or Fifo(), goals)
    world = World(engine, loss, length=steps, workers=workers)
    world.run()
    return engine, world


def bowl(config, _step=1):
    here = MIXED.encode(config)
    far = sum((u - 0.3) ** 2 for u in here[:4])
    if config["model"] == "linear":
        return far + 0.5
    return far + (config["model"]["depth"] - 6) ** 2 / 49 + 0.3 * (config["model"]["act"] == "relu")


def test_it_learns_in_a_mixed_and_conditional_space():
    """The median over seeds is well below that of random search: 8 seeds, 60 trials."""
    ours, random = (
        [min(t.score for t in played(make(), bowl, seed=seed)[0].experiment.trials.values()) for seed in range(8)]
        for make in (lambda: Tpe(MIXED), lambda: Variants(MIXED, 60))
    )
    assert statistics.median(ours) < 0.5 * statistics.median(random)


def test_results_of_stopped_trials_count_after_those_that_came_further():
    searcher = Tpe(Space({"x": Float(0, 1)}))
    played(searcher, lambda c, step: c["x"] + 1 / step, 40, 4, Asha(max_t=9, reduction_factor=3), steps=9)
    early = [place.early for place in searcher.seen.ranked]
    assert early == sorted(early)
    assert early[0] == -math.inf
    assert {-1.0, -3.0} <= set(early)
    for rung in set(early):
        scores = [place.score for place in searcher.seen.ranked if place.early == rung]
        assert scores == sorted(scores)


def test_what_runs_is_kept_away_from():
    """Asked for many at a time it does not propose the same point again and again."""
    searcher = Tpe(Space({"x": Float(0, 1)}))
    engine, _ = played(searcher, lambda c, _: (c["x"] - 0.5) ** 2, 100, workers=20)
    xs = [t.config["x"] for t in engine.experiment.trials.values()]
    assert len(set(xs)) == 100
    batch = sorted(xs[40:60])
    assert batch[-1] - batch[0] > 0.05


def test_a_small_space_is_walked_without_repeats():
    space = Space({"a": Categorical(range(4)), "b": Integer(1, 5)})
    engine, _ = played(Tpe(space), lambda c, _: c["a"] * c["b"], 20)
    assert len({tuple(t.config.values()) for t in engine.experiment.trials.values()}) >= 19


def test_failures_and_nan_are_bad_trials():
    searcher = Tpe(Space({"x": Float(0, 1)}))
    engine, _ = played(searcher, lambda c, _: math.nan if c["x"] > 0.5 else c["x"], 60)
    assert len(searcher.seen.bad) + len(searcher.seen.ranked) == 60
    late = [t.config["x"] for t in engine.experiment.trials.values() if t.number >= 30]
    assert sum(x > 0.5 for x in late) < 8


def test_a_front_is_found_where_there_are_two_goals():
    goals = (Goal("loss", "min"), Goal("size", "max"))
    searcher = Tpe(Space({"x": Float(0, 1), "y": Float(0, 1)}))

    def two(config: dict[str, Any], _step: int) -> dict[str, float]:
        return {"loss": config["x"] + config["y"], "size": config["x"] - config["y"]}

    engine, _ = played(searcher, two, 80, goals=goals)
    late = [t.config for t in engine.experiment.trials.values() if t.number >= 40]
    assert statistics.median(config["y"] for config in late) < 0.2  # any x, no y: that is the front
    assert len(searcher.seen.vectors) == 80


def test_what_is_known_counts_from_the_start():
    space = Space({"x": Float(0, 1)})
    known = [Known({"x": x / 20}, (abs(x / 20 - 0.8),)) for x in range(20)] + [Known({"x": 0.1}, None)]
    searcher = Tpe(space, known=known)
    xs = [searcher.ask(number, rng_at(5, number))["x"] for number in range(20)]
    assert statistics.median(abs(x - 0.8) for x in xs) < 0.1


def test_a_config_of_another_space_is_passed_over():
    searcher = Tpe(Space({"x": Float(0, 1), "c": Categorical("ab"[i] for i in range(2))}), startup=1)
    engine = Engine(Limits(num_trials=6, seed=3), searcher, Fifo(), (Goal("loss", "min"),))
    engine.handle(ev.Enqueued({"z": 1}))
    World(engine, lambda config, _: config.get("x", 0.0), length=1, workers=1).run()
    assert engine.finished
    assert len(searcher.seen) == 5


def test_a_rerun_trial_is_told_once():
    searcher = Tpe(Space({"x": Float(0, 1)}))
    engine, world = played(searcher, lambda c, _: c["x"], 5)
    trial = next(iter(engine.experiment.trials))
    world.tell(ev.Reopened(num_trials=6, rerun=(trial,)))
    world.run()
    assert len(searcher.seen.ranked) == 6
    assert not searcher.seen.pending


@pytest.mark.parametrize(
    "arguments",
    [
        {"startup": 0}, {"startup": 1.5}, {"candidates": 0}, {"gamma": 0}, {"gamma": 1}, {"gamma": "x"},
        {"prior_weight": 0}, {"prior_weight": math.inf},
    ],
)  # fmt: skip
def test_bad_arguments_are_named(arguments):
    with pytest.raises(BadArgument, match=next(iter(arguments))):
        Tpe({}, **arguments)


def test_workers_that_come_late_change_nothing():
    """A proposal depends on the number and on what was told, and on nothing else."""
    one, two = Tpe(MIXED), Tpe(MIXED)
    engine = Engine(Limits(num_trials=9, seed=3), one, Fifo(), (Goal("loss", "min"),))
    engine.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 4}))
    asked = [one.ask(number, rng_at(3, ASK, number)) for number in (8, 4, 6)]
    Engine.replay(lambda: Engine(Limits(num_trials=9, seed=3), two, Fifo()), [])
    assert asked[1] == Tpe(MIXED).ask(4, rng_at(3, ASK, 4))


INNER = {"kind": "inner", "c": Float(0, 1)}
DEEP = {"kind": "deep", "a": Float(0, 1), "b": Float(0, 1), "more": Categorical(["none", INNER])}
PLAIN, ODD = ({"kind": kind, "x": Float(0, 1)} for kind in ("plain", "odd"))  # x does nothing
BRANCHES = Space({"model": Categorical([PLAIN, DEEP, ODD])})


def hard(config, _step=1):
    """The branch that is best when it is tuned is worse than the others before."""
    model = config["model"]
    if model["kind"] != "deep":
        return {"plain": 0.25, "odd": 0.3}[model["kind"]]
    loss = 2 * (model["a"] - 0.2) ** 2 + 2 * (model["b"] - 0.8) ** 2
    return loss + (0.2 if model["more"] == "none" else (model["more"]["c"] - 0.6) ** 2)


def test_a_branch_that_is_hard_to_tune_gets_its_chance():
    """Of each choice with axes below it every option is tried again and again, also inside another's."""
    for seed in range(4):
        engine, _ = played(Tpe(BRANCHES), hard, 80, seed=seed)
        trials = list(engine.experiment.trials.values())
        assert min(t.score for t in trials) < 0.06
        assert sum(t.config["model"]["kind"] == "deep" for t in trials) > 20
        for option in ("plain", "odd"):
            assert sum(t.config["model"]["kind"] == option for t in trials) >= 5


def test_branches_are_tried_less_as_results_come_in():
    def loss(config, _step):
        return config["model"].get("a", 9.0)

    engine, _ = played(Tpe(BRANCHES), loss, 500)
    other = [t.config["model"]["kind"] != "deep" for t in engine.experiment.trials.values()]
    assert sum(other[20:100]) >= 12
    assert sum(other[400:]) < 0.6 * sum(other[:100])


def test_branches_work_with_several_goals_and_failures():
    goals = (Goal("loss", "min"), Goal("size", "max"))

    def two(config, step):
        model = config["model"]
        if model["kind"] == "odd":
            return {"loss": math.nan, "size": 1.0}
        return {"loss": hard(config, step), "size": model.get("a", 1.0)}

    engine, _ = played(Tpe(BRANCHES), two, 70, workers=3, goals=goals)
    assert all(t.config in BRANCHES for t in engine.experiment.trials.values())
