"""PB2: what its bandit learns, and what comes of it in virtual worlds."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from benchmarks.regret.populations import outcome
from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument, PolicyError
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Integer
from luthier.core.state import ExperimentState, evolve
from luthier.core.terms import Ref, Status, TrialId
from luthier.schedulers.pb2 import Bandit, Pb2, axes_of
from luthier.schedulers.registry import create_scheduler
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.testing.schedulers import SchedulerContract

TIME = "training_iteration"


def pb2(**arguments: Any) -> Pb2:
    given = {"time_attr": TIME, "perturbation_interval": 2, "require_attrs": False, **arguments}
    return Pb2(given.pop("hyperparam_bounds", {"x": [0.0, 1.0]}), **given)


class KeepsConfigs(SchedulerContract):
    """The contract's configs are what its law says is never changed except by a decision; its sizes are small."""

    def make(self) -> Pb2:
        return pb2()


class TestContract(KeepsConfigs):
    pass


class TestContractSynch(KeepsConfigs):
    def make(self) -> Pb2:
        return pb2(synch=True, population=12)


def played(scheduler: Any, configs: list[Any], curve: Any, workers: int = 4, length: int = 12, **more: Any) -> World:
    limits = Limits(num_trials=len(configs), seed=2, max_failures=1, elastic=True)
    engine = Engine(limits, Fixed(configs), scheduler, (Goal("loss", "min"),))
    world = World(engine, curve, length=length, workers=workers, **more)
    world.run(reports=5_000)
    assert engine.finished
    return world


def exploits(world: World) -> list[ev.Halted]:
    return [e for e in world.log if isinstance(e, ev.Halted) and e.config is not None]


CONFIGS = [{"x": i / 7, "n": i, "name": "a"} for i in range(8)]


def slope(config, step):
    return (config["x"] - 0.6) ** 2 * 10 + 1 / step


# -- what it chooses ---------------------------------------------------------------------------------------------------


def test_choices_are_within_bounds_and_integers_stay_integers():
    bounds = {"x": [0.2, 0.7], "n": [1, 5]}
    found = exploits(played(pb2(hyperparam_bounds=bounds), CONFIGS, slope))
    chosen = [e.config for e in found if "bandit" in str(e.why["operations"])]
    assert len(chosen) > 5
    for config in chosen:
        assert 0.2 <= config["x"] <= 0.7 and config["n"] in {1, 2, 3, 4, 5} and type(config["n"]) is int
        assert config["name"] == "a"
    assert all(e.why["source"] and e.why["new"].keys() <= {"x", "n"} for e in found)


def test_a_domain_gives_its_scale():
    bounds = {"x": Float(1e-6, 1.0, log=True), "n": Integer(2, 4)}
    configs = [{"x": 10.0**-i, "n": 2} for i in range(6)]
    found = exploits(played(pb2(hyperparam_bounds=bounds), configs, lambda c, step: abs(c["x"] - 1e-4) + 1 / step))
    values = [e.config for e in found if "bandit" in str(e.why["operations"])]
    assert values and all(1e-6 <= v["x"] <= 1 and v["n"] in {2, 3, 4} for v in values)
    assert any(v["x"] < 0.01 for v in values)  # of a linear scale that would be one in a hundred


def test_nested_bounds():
    configs = [{"net": {"x": i / 7, "depth": 2}} for i in range(8)]
    world = played(pb2(hyperparam_bounds={"net": {"x": [0.0, 1.0]}}), configs, lambda c, step: slope(c["net"], step))
    changed = [e for e in exploits(world) if "bandit" in e.why["operations"]["net/x"]]
    assert changed and all(e.config["net"]["depth"] == 2 for e in changed)


def test_before_anything_is_known_values_are_drawn_between_the_bounds():
    found = exploits(played(pb2(hyperparam_bounds={"x": [2.0, 3.0]}), CONFIGS, slope))
    drawn = [e for e in found if e.why["operations"] == {"x": "drawn (nothing is known yet)"}]
    assert drawn and all(2 <= e.config["x"] <= 3 for e in drawn)
    assert len({e.config["x"] for e in drawn}) == len(drawn)  # copies that stay alike would teach nothing


def test_a_custom_explore_function_has_the_last_word():
    scheduler = pb2(custom=lambda config, rng: {**config, "y": config["x"] * 2})
    assert all(e.config["y"] == e.config["x"] * 2 for e in exploits(played(scheduler, CONFIGS, slope)))
    with pytest.raises(PolicyError, match="custom_explore_fn"):
        played(pb2(custom=lambda config, rng: None), CONFIGS, slope)


def test_the_same_seed_gives_the_same_choices():
    one, two = (played(pb2(), CONFIGS, slope).log for _ in range(2))
    assert one == two


# -- what it learns ----------------------------------------------------------------------------------------------------


def state(*configs: Any) -> ExperimentState:
    experiment = ExperimentState(goals=(Goal("loss", "min"),))
    for number, config in enumerate(configs):
        evolve(experiment, ev.Proposed(TrialId(f"t{number}"), number, config, {}))
    return experiment


A, B = TrialId("t0"), TrialId("t1")


def test_an_observation_is_what_an_interval_brought():
    bandit, experiment = Bandit({"x": [0, 1]}, TIME, 5.0), state({"x": 0.25}, {"x": 0.75})
    bandit.record(A, 5.0, 10.0, experiment)
    bandit.record(A, 10.0, 7.5, experiment)
    assert list(bandit._seen) == [(10.0, 10.0, 0.25, 0.5)]


def test_who_goes_on_from_another_begins_where_that_one_saved():
    bandit, experiment = Bandit({"x": [0, 1]}, TIME, 5.0), state({"x": 0.25}, {"x": 0.75})
    bandit.record(A, 5.0, 10.0, experiment)
    bandit.record(B, 5.0, 4.0, experiment)
    bandit.tell(ev.Reported(B, 1, 6, {TIME: 7, "loss": 3.0}, Ref("b@7")), experiment)
    bandit.follow(A, B)
    bandit.record(A, 10.0, 2.4, experiment)
    (seen,) = bandit._seen
    assert seen == pytest.approx((10.0, 3.0, 0.25, 0.2))


def test_what_cannot_be_compared_is_no_observation():
    bandit, experiment = Bandit({"x": [0, 1]}, TIME, 5.0), state({"x": 0.25}, {"x": 0.75})
    for time, score in [(5.0, 1.0), (5.0, 0.5), (4.0, 0.4)]:  # time stood still, and went back
        bandit.record(A, time, score, experiment)
    assert not bandit._seen
    bandit.record(B, 5.0, float("inf"), experiment)  # it was NaN before: nothing to begin from
    bandit.record(B, 10.0, 1.0, experiment)
    assert not bandit._seen
    bandit.record(B, 15.0, float("inf"), experiment)  # it became NaN: as bad as anything gets
    assert [seen[-1] for seen in bandit._seen] == [-float("inf")]


def test_only_the_last_observations_are_kept():
    bandit, experiment = Bandit({"x": [0, 1]}, TIME, 5.0, window=10), state({"x": 0.25})
    for k in range(30):
        bandit.record(A, float(k), float(-k), experiment)
    assert len(bandit._seen) == 10


def test_a_config_without_the_hyperparameter_is_explained():
    with pytest.raises(PolicyError, match="hyperparam_bounds"):
        played(pb2(hyperparam_bounds={"z": [0.0, 1.0]}), CONFIGS, slope)
    with pytest.raises(PolicyError, match="a number"):
        played(pb2(hyperparam_bounds={"name": [0.0, 1.0]}), CONFIGS, slope)


# -- liveness ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("synch", [False, True])
@pytest.mark.parametrize("trials", [1, 2, 3, 8, 20])
@pytest.mark.parametrize(
    "curve",
    [
        lambda c, step: 1.0,
        lambda c, step: float("nan"),
        lambda c, step: float("nan") if c["n"] % 2 else 1 / step,
        lambda c, step: float("-inf") if c["n"] == 1 else step,
        lambda c, step: {} if step % 2 else {"loss": 1 / step},
    ],
    ids=["equal", "nan", "half nan", "infinite", "missing"],
)
def test_any_values_end(synch: bool, trials: int, curve: Any):
    configs = [{"x": i / trials, "n": i} for i in range(trials)]
    for workers in (1, 4):
        world = played(pb2(synch=synch, population=trials), configs, curve, workers, length=6)
        assert all(t.status in {Status.DONE, Status.STOPPED} for t in world.engine.experiment.trials.values())


@pytest.mark.parametrize("synch", [False, True])
def test_failures_and_losses_end(synch: bool):
    played(pb2(synch=synch, population=8), CONFIGS, slope, 3, failure_rate=0.1, loss_rate=0.05, seed=4)


def test_a_rebuilt_one_goes_on_alike_from_anywhere():
    def engine() -> Engine:
        return Engine(Limits(num_trials=8, seed=2), Fixed(CONFIGS), pb2(), (Goal("loss", "min"),))

    whole = World(engine(), slope, length=10, workers=4)
    whole.run()
    for reports in range(0, whole.reports, 9):
        world = World(engine(), slope, length=10, workers=4)
        world.run(reports=reports)
        world.engine = Engine.replay(engine, world.log)
        world.run()
        assert world.log == whole.log, f"a restart after {reports} results changed what followed"


# -- arguments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({}, "at least one"),
        (None, "a dict"),
        ({"x": [1, 0]}, "low <= high"),
        ({"x": [0, 1, 2]}, "a pair"),
        ({"x": 0.5}, "a pair"),
        ({"x": "ab"}, "a pair"),
        ({"x": [0, "1"]}, "a number"),
        ({"x": [0, float("inf")]}, "finite"),
        ({"x": [float("nan"), 1]}, "finite"),
        ({"x": Categorical([1, 2])}, "a pair"),
        ({"net": {}}, "at least one"),
        ({3: [0, 1]}, "strings"),
    ],
)
def test_bad_bounds_are_refused(bounds: Any, said: str):
    with pytest.raises(BadArgument, match=said) as error:
        Pb2(bounds)
    assert "hyperparam_bounds" in str(error.value)


@pytest.mark.parametrize(
    "arguments",
    [{"quantile_fraction": 0.6}, {"perturbation_interval": 0}, {"time_attr": ""}, {"perturbation_interval": "often"}],
)
def test_bad_numbers_are_refused(arguments: Any):
    with pytest.raises(BadArgument, match=next(iter(arguments))):
        Pb2({"x": [0, 1]}, **arguments)


def test_equal_bounds_fix_a_hyperparameter():
    axis = axes_of({"x": [2, 2]})[0]
    assert axis.value(0.9, 1.0) == 2.0 and axis.unit(2.0) == 0.5
    assert create_scheduler("pb2", hyperparam_bounds={"x": [0, 1]}).quantile_fraction == 0.25  # type: ignore[attr-defined]


def test_integers_are_reached_to_both_ends():
    axis = axes_of({"n": [1, 5]})[0]
    assert {axis.value(u / 100, 3) for u in range(101)} == {1, 2, 3, 4, 5}
    assert axes_of({"n": [0.5, 2.5]})[0].value(1.0, 1) == 2 and axes_of({"n": [0.5, 2.5]})[0].value(0.0, 1) == 1


# -- what it is worth --------------------------------------------------------------------------------------------------


def test_four_trials_do_better_than_with_random_mutations_where_the_best_config_moves():
    pbt, bandit = ([outcome("moving optimum", name, 4, seed) for seed in range(6)] for name in ("PBT", "PB2"))
    assert statistics.median(bandit) < statistics.median(pbt)


def test_numbers_of_the_rng_alone_decide():
    experiment = state({"x": 0.2}, {"x": 0.8})
    bandit = Bandit({"x": [0, 1]}, TIME, 1.0)
    for k in range(6):
        bandit.record(A, k, 10.0 - k, experiment)
        bandit.record(B, k, 10.0 - 2 * k, experiment)
    before = repr(vars(bandit))
    one, two = (bandit(experiment.trial(A), experiment.trial(B), experiment, rng_at(1)) for _ in range(2))
    assert one == two and repr(vars(bandit)) == before  # and a call changes nothing
