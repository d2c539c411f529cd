"""ASHA by promotion against its rule as it is written down; PASHA's ranking and noise by hand."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.errors import BadArgument, PolicyError
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.terms import Outcome, Status, Then, WorkerId
from luthier.schedulers.pasha import Pasha, crossed
from luthier.schedulers.promotion import AshaPromotion
from luthier.search.fixed import Fixed
from luthier.simulation.world import World
from luthier.tune.schedulers import ASHAPromotionScheduler, PASHAScheduler, create_scheduler

TIME = "training_iteration"


def played(policy, losses, workers=3, trials=20, length=30, **world):
    """Return the world at its end; trial i has ``losses(i, step)``."""
    engine = Engine(
        Limits(num_trials=trials, seed=2), Fixed([{"i": i} for i in range(trials)]), policy, (Goal("loss", "min"),)
    )
    found = World(engine, lambda config, step: losses(config["i"], step), 1.0, length, workers, **world)
    found.run(reports=10_000)
    assert engine.finished
    return found


def far(world):
    """Return how far each trial came."""
    most: dict[str, int] = defaultdict(int)
    for event in world.log:
        if isinstance(event, ev.Reported):
            most[event.trial] = max(most[event.trial], event.metrics[TIME])
    return most


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5]) | st.floats(-9, 9), min_size=9, max_size=9), min_size=30),
    st.sampled_from([(9, 1, 3), (8, 1, 2), (9, 2, 1.5), (5, 5, 2), (7, 1, 2.5)]),
    st.sampled_from([1, 2, 5, 40]),
    st.integers(1, 30),
)
def test_it_decides_as_algorithm_2_does(table, shape, workers, trials):
    max_t, grace, factor = shape
    world = played(
        AshaPromotion(max_t=max_t, grace_period=grace, reduction_factor=factor),
        lambda i, step: table[i][step - 1], workers, trials, 9,
    )  # fmt: skip
    rungs = [r for k in range(9) if (r := grace * factor**k) < max_t]
    number = {t.id: t.number for t in world.engine.experiment.trials.values()}
    came: dict[float, list[tuple[float, int, str]]] = {r: [] for r in rungs}
    waits: dict[str, float] = {}  # trial -> its rung

    def best(rung):
        return sorted(came[rung])[: math.floor(len(came[rung]) / factor)]

    at: dict[str, int] = defaultdict(int)  # how many rungs a trial came to
    settled = True
    for event in world.log:
        if isinstance(event, ev.Reported):
            assert settled, "who may be promoted is, with the result that makes it so"
            now, trial = event.metrics[TIME], event.trial
            if now >= max_t or at[trial] == len(rungs) or now < rungs[at[trial]]:
                continue
            while at[trial] + 1 < len(rungs) and rungs[at[trial] + 1] <= now:
                at[trial] += 1
            rung = rungs[at[trial]]
            at[trial] += 1
            came[rung].append((event.metrics["loss"], number[trial], trial))
            if trial not in {t for _, _, t in best(rung)}:
                waits[trial] = rung
            settled = not any(t in waits for r in rungs for _, _, t in best(r) if waits.get(t) == r)
        elif isinstance(event, ev.Halted) and event.then is Then.PAUSE:
            assert waits[event.trial] == event.why["rung"]
        elif isinstance(event, (ev.Requeued, ev.Halted)) and "promoted" in event.reason:
            rung = waits.pop(event.trial)
            assert event.trial in {t for _, _, t in best(rung)} and event.why["rung"] == rung
            settled = not any(t in waits for r in rungs for _, _, t in best(r) if waits.get(t) == r)
        elif isinstance(event, ev.Requeued) and event.reason:
            assert "nothing else can run" in event.reason
            rung = waits.pop(event.trial)
            assert rung == max([rung, *waits.values()])
            settled = True
        elif isinstance(event, ev.Ended):
            waits.pop(event.trial, None)
    assert settled and max(far(world).values()) >= min(max_t, 9)


def test_a_late_bloomer_is_promoted_after_all():
    """The first to come waits; as worse ones come it goes on.  ASHA that stops would have let the first pass."""
    world = played(AshaPromotion(max_t=9, reduction_factor=3), lambda i, step: [0.1, 0.5, 0.9, 0.8][i], 1, 4)
    told = [
        (type(e).__name__, e.reason)
        for e in world.log
        if getattr(e, "trial", None) == "t_00000" and getattr(e, "why", None)
    ]
    assert told == [
        ("Halted", "rung 1: loss 0.1 is rank 1 of 1, waits"),
        ("Requeued", "promoted from rung 1: rank 1 of 3"),
        ("Halted", "rung 3: loss 0.1 is rank 1 of 1, waits"),
        ("Requeued", "nothing else can run: the best at rung 3 goes on (rank 1 of 1)"),
        ("Halted", "reached max_t: training_iteration is 9 of 9"),
    ]
    others = [e.reason for e in world.log if isinstance(e, ev.Ended) and "never promoted" in e.reason]
    assert sorted(others) == [f"rung 1: never promoted, rank {rank} of 4" for rank in (2, 3, 4)]


def test_who_may_go_on_does_not_let_go_of_its_worker():
    world = played(AshaPromotion(max_t=4, reduction_factor=2), lambda i, step: -i, 1, 8)
    halted = {e.trial for e in world.log if isinstance(e, ev.Halted) and e.then is Then.PAUSE}
    attempts = {t.id: t.attempt for t in world.engine.experiment.trials.values()}
    assert attempts["t_00003"] == 1 and "t_00003" not in halted


def test_free_workers_go_to_the_highest_rung_first():
    policy = AshaPromotion(max_t=9, reduction_factor=3)
    engine = Engine(Limits(num_trials=40, seed=1), Fixed([{"i": i} for i in range(40)]), policy, (Goal("loss", "min"),))
    world = World(engine, lambda config, step: config["i"] / (1 + step), 1.0, 9, 8)
    world.run(reports=24)
    for worker in list(engine.experiment.workers):
        world.tell(ev.WorkerLost(worker, on_purpose=True))
    waiting = [*engine.experiment.having(Status.PENDING)]
    ranks = {t: policy._ready[t] for t in waiting if t in policy._ready}
    assert policy.pick(waiting, engine.experiment) == (min(ranks, key=lambda t: ranks[t]) if ranks else waiting[0])
    policy._ready = {t: (-2 + n % 2, policy._landings[0].came[n]) for n, t in enumerate(reversed(waiting[:4]))}
    best = min(policy._ready, key=lambda t: policy._ready[t])
    for offered in (waiting, dict.fromkeys(waiting).keys(), iter(waiting)):
        assert policy.pick(offered, engine.experiment) == best
    assert policy.pick([t for t in waiting if t not in policy._ready][:1], engine.experiment) == waiting[4]


def test_nan_stops_at_its_rung_and_counts_as_one_that_came():
    world = played(AshaPromotion(max_t=4, reduction_factor=2), lambda i, step: math.nan if i else 1.0, 1, 2)
    assert [e.reason for e in world.log if isinstance(e, ev.Halted) and e.then is Then.STOP] == [
        "rung 1: loss is inf or no number",
        "reached max_t: training_iteration is 4 of 4",
    ]
    assert any(isinstance(e, ev.Requeued) and "rank 1 of 2" in e.reason for e in world.log)


def test_late_results_change_nothing():
    policy = AshaPromotion(max_t=9, reduction_factor=2)
    engine = Engine(Limits(num_trials=3), Fixed([{"i": i} for i in range(3)]), policy, (Goal("loss", "min"),))
    engine.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 3.0}))
    good, bad, other = engine.experiment.trials

    def report(trial, step, loss):
        t = engine.experiment.trials[trial]
        return engine.handle(ev.Reported(trial, t.attempt, t.seq + 1, {TIME: step, "loss": loss}))

    report(good, 1, 0.5)
    report(bad, 1, math.nan)  # which makes two, of which the better goes on
    assert engine.experiment.trials[good].order.then is Then.REQUEUE
    assert engine.experiment.trials[bad].order.then is Then.STOP
    report(other, 1, 0.7)
    assert engine.experiment.trials[other].order.then is Then.PAUSE
    before = repr(policy._landings), dict(policy._held)
    for late in (good, bad, other):
        for step in (2, 4):
            assert len(report(late, step, 0.1)) == 1
    assert (repr(policy._landings), policy._held) == before
    for trial in (other, bad, good):
        engine.handle(ev.Exited(trial, 1, Outcome.HALTED))
    assert engine.experiment.trials[other].status is Status.PAUSED
    assert engine.experiment.trials[good].status is Status.RUNNING


def test_pasha_goes_no_further_while_rankings_are_stable():
    stable = played(Pasha(max_t=27, reduction_factor=3), lambda i, step: i + 1 / step, trials=60)
    assert max(far(stable).values()) == 3
    asha = played(AshaPromotion(max_t=27, reduction_factor=3), lambda i, step: i + 1 / step, trials=60)
    assert max(far(asha).values()) == 27 and stable.reports < asha.reports


def test_pasha_goes_on_where_rankings_change():
    # Who is ahead at one rung is behind at the next.
    world = played(
        Pasha(max_t=27, reduction_factor=3), lambda i, step: i * (-1) ** round(math.log(step, 3)), trials=200
    )
    assert max(far(world).values()) == 27
    tops = [e.why["top"] for e in world.log if isinstance(e, (ev.Halted, ev.Requeued)) and e.why and "top" in e.why]
    assert tops == sorted(tops) and set(tops) == {3, 9, 27}


def test_pasha_takes_noise_for_noise():
    """Trials that keep overtaking each other are equals: their rankings do not count."""

    def noisy(i, step):
        return i // 10 + 0.01 * math.sin(12.9898 * (1 + i) * step)

    policy = Pasha(max_t=81, grace_period=3, reduction_factor=3)
    world = played(policy, noisy, trials=120, length=81)
    assert 0 < policy._epsilon < 0.1
    strict = Pasha(max_t=81, grace_period=3, reduction_factor=3, noise_quantile=0)
    assert max(far(world).values()) <= max(far(played(strict, noisy, trials=120, length=81)).values())


def test_curves_that_cross_twice_are_noise():
    assert crossed({1: 1.0, 2: 3.0, 3: 1.0}, {1: 2.0, 2: 2.0, 3: 1.5}, [3, 2, 1]) == 0.5
    assert crossed({1: 1.0, 2: 3.0}, {1: 2.0, 2: 2.0}, [2, 1]) is None
    assert crossed({1: 1.0, 2: 3.0, 3: 4.0}, {1: 2.0, 2: 2.0, 3: 1.0}, [3, 2, 1]) is None
    assert crossed({0.5: 1.0, 1.5: 2.0, 9: 1.0}, {1: 1.0, 2: 2.0, 9: 3.0}, [9, 1.5, 0.5]) is None


@pytest.mark.parametrize("make", [AshaPromotion, Pasha, ASHAPromotionScheduler, PASHAScheduler])
@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("max_t", 0), ("max_t", math.nan), ("max_t", "9"), ("grace_period", 0), ("grace_period", 101),
        ("reduction_factor", 1), ("reduction_factor", math.inf), ("time_attr", ""),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(make, argument, given):
    bad: dict[str, Any] = {argument: given}
    with pytest.raises(BadArgument, match=f"^{argument}="):
        make(**bad)
    with pytest.raises(BadArgument, match=r"^noise_quantile="):
        Pasha(noise_quantile=1.5)


@pytest.mark.parametrize("name", ["asha_promotion", "pasha"])
def test_they_have_names_and_need_a_metric(name):
    scheduler = create_scheduler(name, metric="loss", mode="max", max_t=8, reduction_factor=2)
    assert scheduler.build(None).goal == Goal("loss", "max")  # type: ignore[attr-defined]
    with pytest.raises(BadArgument, match=r"^metric="):
        create_scheduler(name).build(None)
    policy: Any = {"asha_promotion": AshaPromotion, "pasha": Pasha}[name]()
    with pytest.raises(PolicyError, match=f"{type(policy).__name__} raised BadArgument on Proposed: metric=None"):
        Engine(Limits(), Fixed([{"x": 1}]), policy).handle(ev.WorkerJoined("w", {"cpu": 1.0}))  # type: ignore[arg-type]
