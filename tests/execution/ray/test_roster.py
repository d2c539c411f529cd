from __future__ import annotations

from typing import Any

import pytest

from luthier.core.errors import LuthierError
from luthier.core.events import WorkerJoined, WorkerLost
from luthier.core.terms import WorkerId
from luthier.execution.ray.roster import Roster

A, B = WorkerId("a"), WorkerId("b")


class Nodes:
    def __init__(self, **nodes: dict[str, float]) -> None:
        self.now: dict[str, dict[str, float]] | None = dict(nodes)

    def nodes(self) -> dict[str, dict[str, float]]:
        if self.now is None:
            raise ConnectionError("no answer")
        return self.now


def roster(nodes: Any, *, spread: bool = False) -> Roster:
    return Roster(nodes, spread=spread)


def test_only_what_is_new_is_told():
    nodes = Nodes(a={"cpu": 2.0})
    made = roster(nodes)
    assert made.look() == [WorkerJoined(A, {"cpu": 2.0})]
    assert made.look() == []
    nodes.now = {"a": {"cpu": 2.0, "gpu": 1.0}, "b": {"cpu": 1.0}}
    assert made.look() == [WorkerJoined(A, {"cpu": 2.0, "gpu": 1.0}), WorkerJoined(B, {"cpu": 1.0})]
    assert made.has_gpus
    nodes.now = {"b": {"cpu": 1.0}}
    assert made.look() == [WorkerLost(A)]


def test_a_cluster_as_one_worker_states_anew_what_it_has():
    nodes = Nodes(a={"cpu": 2.0}, b={"cpu": 1.0})
    made = roster(nodes, spread=True)
    everything = WorkerId("ray")
    assert made.look() == [WorkerJoined(everything, {"cpu": 3.0})]
    nodes.now = {"b": {"cpu": 1.0}}
    assert made.look() == [WorkerJoined(everything, {"cpu": 1.0})]
    nodes.now = {}
    assert made.look() == [WorkerLost(everything)]


def test_a_cluster_that_does_not_answer_is_told():
    nodes = Nodes()
    nodes.now = None
    with pytest.raises(LuthierError, match="does not answer any more: no answer"):
        roster(nodes).look()
