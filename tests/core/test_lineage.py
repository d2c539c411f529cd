from __future__ import annotations

from typing import Any

from luthier.core import events
from luthier.core.lineage import Lineage
from luthier.core.terms import Label, Outcome, Status, Then

TIME = "training_iteration"
ev: Any = events  # ids are plain strings here


def proposed(*trials):
    return [ev.Proposed(t, n, {"lr": n}, {}, Label(t, t, f"{n}_lr")) for n, t in enumerate(trials)]


def report(trial, at, checkpoint=None, **metrics):
    return ev.Reported(trial, 1, at, {TIME: at, **metrics}, checkpoint)


def order(target, source, restore, then=Then.REQUEUE, **config):
    return ev.Halted(target, 1, then, "", config, restore, why={"source": source, "time": 4.5})


LOG = [
    *proposed("a", "b", "c"),
    report("a", 4, "a/0", loss=1.0),
    report("b", 3, loss=2.0),
    order("b", "a", "a/0", lr=9),
    report("a", 5, "a/1"),
    ev.Exited("b", 1, Outcome.HALTED, "", "b/late"),
    ev.Requeued("b", {"lr": 9}, "a/0", {}),
    report("b", 5, "b/0"),
    report("b", 6),
]


def test_who_went_on_from_whom():
    lineage = Lineage(LOG)
    (found,) = lineage.handovers
    assert (found.target, found.source, found.restore, found.time) == ("b", "a", "a/0", 4.5)
    assert (found.iteration, found.source_iteration) == (3, 4)
    assert (found.source_config, found.config) == ({"lr": 0}, {"lr": 9})
    assert [(x.trial, x.config, x.start, x.end, x.parent, x.over) for x in lineage.lives] == [
        ("a", {"lr": 0}, 0, 5, None, False),
        ("b", {"lr": 1}, 0, 3, None, True),
        ("c", {"lr": 2}, 0, 0, None, False),
        ("b", {"lr": 9}, 4, 6, 0, False),
    ]
    assert lineage.root(lineage.lives[3]).trial == "a"
    assert lineage.label(lineage.trials[1]).tag == "1_lr"


def test_it_is_the_same_in_pieces():
    lineage, found = Lineage(), list[Any]()
    for event in LOG:
        found += lineage.hear([event])
    assert found == Lineage(LOG).handovers == lineage.handovers
    assert lineage.lives == Lineage(LOG).lives


def test_the_parent_is_the_life_that_was_followed_and_not_the_one_after_it():
    log = [
        *LOG,
        order("c", "b", "b/0", lr=7),  # b is ordered away before c has started
        order("b", "a", "a/1", lr=8),
        ev.Requeued("b", {"lr": 8}, "a/1", {}),
        ev.Requeued("c", {"lr": 7}, "b/0", {}),
    ]
    lineage = Lineage(log)
    assert [(x.trial, x.parent) for x in lineage.lives[4:]] == [("b", 0), ("c", 3)]
    assert [(h.target, h.source_iteration) for h in lineage.handovers] == [("b", 4), ("b", 5), ("c", 5)]


def test_what_came_to_nothing_is_not_among_them():
    stop = ev.Halted("b", 1, Then.STOP, "enough")
    for end in ([stop, ev.Ended("b", Status.STOPPED)], [ev.Ended("b", Status.DONE)], [stop]):
        log = [*proposed("a", "b"), report("a", 1, "a/0"), order("b", "a", "a/0", lr=9), *end]
        assert Lineage([*log, ev.Requeued("b", {"lr": 1}, None, {})]).handovers == []


def test_other_restarts_are_none():
    log = [*proposed("a"), ev.Halted("a", 1, Then.REQUEUE, "", resources={"cpu": 2.0}), ev.Requeued("a", {}, None, {})]
    assert Lineage(log).handovers == []
    log = [*proposed("a"), ev.Requeued("a", {}, None, {}, "resumed", {"metric": "loss"})]
    assert Lineage(log).handovers == []


def test_of_one_that_paused():
    why = {"source": "a", "new": {"lr": 9}}
    log = [*proposed("a", "b"), report("a", 2, "a/0"), ev.Requeued("b", {"lr": 9}, "a/0", {}, "", why)]
    assert [(h.target, h.source, h.source_iteration) for h in Lineage(log).handovers] == [("b", "a", 2)]


def test_checkpoints_that_came_with_an_exit_and_counts_that_are_none():
    log = [
        *proposed("a", "b"),
        ev.Reported("a", 1, 0, {}),
        ev.Reported("a", 1, 1, {TIME: float("inf")}),
        ev.Exited("a", 1, Outcome.HALTED, "", "a/end"),
        order("b", "a", "a/end", lr=9),
        ev.Requeued("b", {"lr": 9}, "a/end", {}),
    ]
    assert Lineage(log).handovers[0].source_iteration == 2
