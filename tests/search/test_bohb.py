"""BOHB's model: its laws, what it observes, and that it learns."""

from __future__ import annotations

import math
import statistics
from typing import Any, ClassVar

import pytest

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Integer, Space
from luthier.core.terms import Outcome, WorkerId
from luthier.schedulers.fifo import Fifo
from luthier.schedulers.hb_bohb import HyperbandForBohb
from luthier.search.bohb import Bohb
from luthier.search.known import Known
from luthier.search.variants import Variants
from luthier.simulation.world import World
from luthier.testing.searchers import SearcherContract

LOSS = (Goal("loss", "min"),)
LINE = Space({"x": Float(0, 1)})
MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "width": Integer(8, 512, log=True),
        "drop": Float(0, 0.9, q=0.1),
        "model": Categorical(["linear", {"kind": "net", "depth": Integer(1, 8), "act": Categorical(["relu", "tanh"])}]),
        "constant": 3,
    }
)


class TestMixed(SearcherContract):
    space = MIXED

    def make(self):
        return Bohb(MIXED, (1, 2))


class TestNoBudgets(SearcherContract):
    space = LINE

    def make(self):
        return Bohb(LINE)


class TestOnePoint(SearcherContract):
    space = Space({"x": 3})
    adaptive = False
    waived: ClassVar = frozenset({"test_the_seed_matters_and_concurrency_only_to_those_who_learn"})  # no chance in it

    def make(self):
        return Bohb(self.space, (1,))


class TestOneOption(SearcherContract):
    space = Space({"x": Categorical([5]), "y": Integer(2, 2)})

    def make(self):
        return Bohb(self.space, (1,))


class TestWide(SearcherContract):
    space = Space({f"x{i}": Float(0, 1) if i % 2 else Integer(0, 9) for i in range(200)})

    def make(self):
        return Bohb(self.space, (1,), num_samples=4)


def played(searcher, scheduler=None, loss=None, trials=150, workers=4, steps=27, seed=1, goals=LOSS):
    engine = Engine(Limits(num_trials=trials, seed=seed, max_failures=0), searcher, scheduler or Fifo(), goals)
    world = World(engine, loss or (lambda c, step: c["x"] + 1 / step), length=steps, workers=workers)
    world.run()
    return engine, world


def bowl(config, step):
    far = sum((config[f"x{i}"] - 0.3) ** 2 for i in range(4))
    return far + 1 / step


def test_it_learns_from_short_trials():
    """Median over 8 seeds of the best of a band: below half of what random configs give."""
    space = Space({f"x{i}": Float(0, 1) for i in range(4)})
    regret: dict[str, list[float]] = {"bohb": [], "random": []}
    for seed in range(8):
        for name, found in regret.items():
            scheduler = HyperbandForBohb(max_t=27)
            searcher: Any = Bohb(space, scheduler.budgets) if name == "bohb" else Variants(space, -1)
            engine, _ = played(searcher, scheduler, bowl, seed=seed)
            scores = [t.score for t in engine.experiment.trials.values() if t.score is not None]
            found.append(min(scores) - 1 / 27)
    assert statistics.median(regret["bohb"]) < 0.5 * statistics.median(regret["random"])


def test_trials_are_observed_at_the_budgets_they_reached():
    scheduler = HyperbandForBohb(max_t=9)
    searcher = Bohb(LINE, scheduler.budgets)
    engine, _ = played(searcher, scheduler, trials=17, steps=9)
    observed = {budget: {place for _, place in ranked} for budget, ranked in searcher._ranked.items()}
    assert observed[1.0] == {0, 1, 2, 3, 4, 5, 6, 7, 8} | {t.number for t in engine.experiment.trials.values()}
    assert observed[9.0] < observed[3.0] < observed[1.0]
    for budget, ranked in searcher._ranked.items():
        for score, place in ranked:
            trial = next(t for t in engine.experiment.trials.values() if t.number == place)
            assert score == pytest.approx(trial.config["x"] + 1 / budget)


def driven(searcher, *stories, goals=LOSS):
    """Tell *searcher* of one trial after the other: its config, its results, and its end."""
    engine = Engine(Limits(max_failures=0, max_concurrent=1), searcher, Fifo(), goals)
    engine.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 1}))
    for results, outcome in stories:
        trial = next(t for t in engine.experiment.trials.values() if not t.status.final)
        for seq, metrics in enumerate(results):
            engine.handle(ev.Reported(trial.id, 1, seq, metrics))
        engine.handle(ev.Exited(trial.id, 1, outcome, "it fell"))
    return engine


def at(searcher):
    return {budget: [score for score, _ in ranked] for budget, ranked in searcher._ranked.items()}


def test_a_budget_that_is_jumped_over_is_not_observed_and_one_that_is_passed_is():
    searcher = Bohb(LINE, (1, 3, 9), "epoch")
    driven(searcher, ([{"epoch": 4, "loss": 0.5}, {"epoch": 5, "loss": 0.1}], Outcome.FINISHED))
    assert at(searcher) == {3.0: [0.5]}


def test_failures_are_the_worst_at_the_budget_they_were_on_the_way_to():
    searcher = Bohb(LINE, (1, 3, 9), "epoch")
    driven(
        searcher,
        ([], Outcome.ERROR),
        ([{"epoch": 3, "loss": 0.5}], Outcome.ERROR),
        ([{"epoch": 1, "loss": math.nan}], Outcome.FINISHED),
        ([{"epoch": 9, "loss": 0.25}], Outcome.ERROR),
    )
    assert at(searcher) == {1.0: [math.inf, math.inf], 3.0: [0.5], 9.0: [0.25, math.inf]}


def test_without_budgets_the_last_result_counts():
    searcher = Bohb(LINE)
    driven(searcher, ([{"loss": 2.0}, {"loss": 0.5}], Outcome.FINISHED), ([], Outcome.ERROR), ([], Outcome.FINISHED))
    assert at(searcher) == {0.0: [0.5, math.inf]}


def test_a_result_may_name_its_budget():
    searcher = Bohb(LINE)
    driven(searcher, ([{"hyperband_info": {"budget": 3}, "loss": 0.5}, {"loss": 0.1}], Outcome.FINISHED))
    assert at(searcher) == {3.0: [0.5]}


def test_the_model_is_of_the_largest_budget_with_enough():
    """At budget 1 large x is good, at budget 9 small x; two axes' worth and two more are needed."""

    def proposals(at_9):
        known = [Known({"x": k / 20}, (1 - k / 20,), 1.0) for k in range(21)]
        known += [Known({"x": k / 20}, (k / 20,)) for k in range(at_9)]
        searcher = Bohb(LINE, (1, 3, 9), known=known, random_fraction=0)
        return statistics.median(searcher.ask(n, rng_at(5, n))["x"] for n in range(41))

    assert proposals(2) > 0.75
    assert proposals(6) < 0.5


def test_a_third_is_drawn_at_random():
    known = [Known({"x": 0.5 + k / 1000}, (float(k),)) for k in range(40)]
    searcher = Bohb(LINE, (1,), known=known)
    far = sum(abs(searcher.ask(n, rng_at(5, n))["x"] - 0.52) > 0.1 for n in range(600))
    assert 0.8 / 3 * 0.8 * 600 < far < 0.8 / 3 * 1.2 * 600


def test_a_small_space_is_walked_without_repeats():
    space = Space({"a": Categorical(range(4)), "b": Integer(1, 5)})
    engine, _ = played(Bohb(space, (1,)), loss=lambda c, _: c["a"] * c["b"], trials=20, steps=1)
    assert len({tuple(t.config.values()) for t in engine.experiment.trials.values()}) >= 19


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("min_points_in_model", 0),
        ("top_n_percent", 100),
        ("num_samples", 1.5),
        ("random_fraction", 1.5),
        ("bandwidth_factor", 0),
        ("min_bandwidth", "thin"),
    ],
)
def test_bad_arguments_are_named(name, given):
    with pytest.raises(BadArgument, match=name):
        Bohb(LINE, **{name: given})
