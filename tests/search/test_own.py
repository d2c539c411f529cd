"""What all our own model-based searchers must do: the laws in several spaces, and that they learn."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Grid, Integer, Normal, Space
from luthier.schedulers.asha import Asha
from luthier.schedulers.fifo import Fifo
from luthier.search.auto import Auto
from luthier.search.cmaes import Cmaes
from luthier.search.evolution import Evolution
from luthier.search.gp import Gp
from luthier.search.known import Known
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
        "grid": Grid([1, 2]),
        "constant": 3,
    }
)
WIDE = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})
NUMBERS = Space({"x": Float(0, 1), "y": Float(0, 1), "z": Integer(1, 9)})
LOSS = (Goal("loss", "min"),)
ALL: list[Any] = [Evolution, Cmaes, Gp, Auto]


class TestEvolution(SearcherContract):
    space = MIXED

    def make(self):
        return Evolution(MIXED, population=8)


class TestCmaes(SearcherContract):
    space = MIXED

    def make(self):
        return Cmaes(MIXED, population=5)


class TestGp(SearcherContract):
    space = MIXED
    most = 20  # ten trials, of which three are given

    def make(self):
        return Gp(MIXED, startup=3)


class TestAuto(SearcherContract):
    space = MIXED
    most = 36  # the Gaussian process begins at 26

    def make(self):
        return Auto(MIXED, budget=60)


class TestAutoThatSwitches(SearcherContract):
    space = NUMBERS

    def make(self):
        return Auto(NUMBERS, gp_trials=12)


class TestWideEvolution(SearcherContract):
    space = WIDE

    def make(self):
        return Evolution(WIDE, population=4)


class TestWideCmaes(SearcherContract):
    space = WIDE

    def make(self):
        return Cmaes(WIDE, population=6)


class TestWideAuto(SearcherContract):
    space = WIDE

    def make(self):
        return Auto(WIDE)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("space", [{}, {"x": 3}, {"x": Categorical([5])}, {"x": Integer(2, 2), "y": Categorical([1])}])
def test_spaces_of_one_point(make, space):
    """There is one config, and it is proposed again and again."""
    engine, _ = played(make(Space(space)), lambda c, _: 1.0, 25)
    assert len({repr(t.config) for t in engine.experiment.trials.values()}) == 1


def test_gp_in_200_axes():
    """Slow, but it goes."""
    searcher = Gp(WIDE, startup=4)
    engine, _ = played(searcher, lambda c, _: c["x0"] + c["x1"], 7)
    assert all(t.config in WIDE for t in engine.experiment.trials.values())


def played(searcher, loss, trials=60, workers=1, scheduler=None, steps=1, seed=1, goals=LOSS):
    engine = Engine(Limits(num_trials=trials, seed=seed, max_failures=0), searcher, scheduler or Fifo(), goals)
    world = World(engine, loss, length=steps, workers=workers)
    world.run()
    return engine, world


def bowl(config, _step=1):
    here = MIXED.encode(config)
    far = sum((u - 0.3) ** 2 for u in here[:4]) + 0.2 * (config["grid"] == 2)
    if config["model"] == "linear":
        return far + 0.5
    return far + (config["model"]["depth"] - 6) ** 2 / 49 + 0.3 * (config["model"]["act"] == "relu")


@pytest.mark.parametrize(("make", "share"), [(Evolution, 0.8), (Cmaes, 0.8), (Gp, 0.3), (Auto, 0.3)])
def test_it_learns_in_a_mixed_and_conditional_space(make, share):
    """The median over 3 seeds is well below that of random search."""
    few = 30 if make in (Gp, Auto) else 80
    ours, random = (
        [
            min(t.score for t in played(one(seed), bowl, few, seed=seed)[0].experiment.trials.values())
            for seed in range(3)
        ]
        for one in (lambda seed: make(MIXED, seed=seed), lambda _: Variants(MIXED, 80))
    )
    assert statistics.median(ours) < share * statistics.median(random)


@pytest.mark.parametrize("make", ALL)
def test_it_finds_the_bottom_of_a_bowl(make):
    def loss(c, _step):
        return (c["x"] - 0.2) ** 2 + 4 * (c["y"] - 0.7 - 0.2 * c["x"]) ** 2 + 0.05 * abs(c["z"] - 4)

    engine, _ = played(make(NUMBERS, seed=3), loss, 60 if make in (Gp, Auto) else 300, workers=3)
    assert min(t.score for t in engine.experiment.trials.values()) < (1e-4 if make in (Gp, Auto) else 3e-3)


@pytest.mark.parametrize("make", ALL)
def test_what_runs_is_kept_away_from(make):
    """Many asked for at a time are many."""
    searcher = make(Space({"x": Float(0, 1)}))
    engine, _ = played(searcher, lambda c, _: (c["x"] - 0.5) ** 2, 60, workers=12)
    assert len({t.config["x"] for t in engine.experiment.trials.values()}) == 60


@pytest.mark.parametrize("make", [Evolution, Gp, Auto])
def test_a_small_space_is_walked_without_repeats(make):
    space = Space({"a": Categorical(range(4)), "b": Integer(1, 5)})
    engine, _ = played(make(space), lambda c, _: c["a"] * c["b"], 20)
    assert len({tuple(t.config.values()) for t in engine.experiment.trials.values()}) >= (18 if make is Gp else 15)


@pytest.mark.parametrize("make", ALL)
def test_failures_and_nan_are_bad_trials(make):
    searcher = make(Space({"x": Float(0, 1)}))
    engine, _ = played(searcher, lambda c, _: math.nan if c["x"] > 0.5 else c["x"], 60)
    late = [t.config["x"] for t in engine.experiment.trials.values() if t.number >= 40]
    assert sum(x > 0.5 for x in late) < 8


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("loss", [lambda c, _: math.nan, lambda c, _: 1.0, lambda c, _: 1e308 * (c["x"] - 0.5)])
def test_values_that_say_nothing_are_survived(make, loss):
    engine, _ = played(make(Space({"x": Float(0, 1), "c": Categorical("ab"[k] for k in range(2))})), loss, 30)
    assert len(engine.experiment) == 30


@pytest.mark.parametrize("make", ALL)
def test_it_goes_along_with_a_scheduler_that_stops(make):
    searcher = make(Space({"x": Float(0, 1)}))
    engine, _ = played(searcher, lambda c, step: c["x"] + 1 / step, 40, 4, Asha(max_t=9, reduction_factor=3), steps=9)
    late = [t.config["x"] for t in engine.experiment.trials.values() if t.number >= 25]
    assert statistics.median(late) < 0.45


@pytest.mark.parametrize("make", ALL)
def test_what_is_known_counts_from_the_start(make):
    known = [Known({"x": x / 60}, (abs(x / 60 - 0.8),)) for x in range(60)] + [Known({"x": 0.1}, None)]
    searcher = make(Space({"x": Float(0, 1)}), known=known)
    xs = [searcher.ask(number, rng_at(5, number))["x"] for number in range(20)]
    assert statistics.median(abs(x - 0.8) for x in xs) < 0.25


@pytest.mark.parametrize("make", [Evolution, Auto])
def test_a_front_is_found_where_there_are_two_goals(make):
    goals = (Goal("loss", "min"), Goal("size", "max"))
    more = {"goals": 2} if make is Auto else {}
    searcher = make(Space({"x": Float(0, 1), "y": Float(0, 1)}), **more)

    def two(config: dict[str, Any], _step: int) -> dict[str, float]:
        return {"loss": config["x"] + config["y"], "size": config["x"] - config["y"]}

    engine, _ = played(searcher, two, 120, goals=goals)
    late = [t.config for t in engine.experiment.trials.values() if t.number >= 60]
    assert statistics.median(config["y"] for config in late) < 0.2  # any x, no y: that is the front
    assert statistics.stdev(config["x"] for config in late) > 0.1


@pytest.mark.parametrize(
    ("make", "arguments", "error"),
    [
        (Evolution, {"population": 3}, BadArgument), (Evolution, {"population": "x"}, BadArgumentType),
        (Evolution, {"mutation": 2}, BadArgument), (Evolution, {"mutation": "x"}, BadArgumentType),
        (Cmaes, {"sigma": 0}, BadArgument), (Cmaes, {"sigma": "x"}, BadArgumentType),
        (Cmaes, {"population": 3}, BadArgument), (Cmaes, {"population": True}, BadArgumentType),
        (Gp, {"startup": 0}, BadArgument), (Gp, {"startup": "x"}, BadArgumentType),
        (Auto, {"budget": 0}, BadArgument), (Auto, {"budget": "x"}, BadArgumentType),
        (Auto, {"gp_trials": -1}, BadArgument), (Auto, {"gp_trials": "x"}, BadArgumentType),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(make, arguments, error):
    with pytest.raises(error, match=next(iter(arguments))):
        make({}, **arguments)
