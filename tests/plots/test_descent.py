from __future__ import annotations

from luthier.core import events as ev
from luthier.core.goal import Goal
from luthier.core.lineage import Lineage
from luthier.core.terms import Ref, Then, TrialId
from luthier.plots.chronicle import Chronicle, Trial
from luthier.plots.descent import MOST_LANES, lineage

A, B, C = (TrialId(name) for name in "abc")
GOAL = (Goal("loss", "min"),)


def told(*more, trials=(A, B, C)):
    log: list[ev.Event] = [ev.Proposed(t, k, {"lr": k}, {}) for k, t in enumerate(trials)]
    log += [
        ev.Reported(B, 1, 0, {"training_iteration": 4, "loss": 1.0}, Ref("b0")),
        ev.Reported(A, 1, 0, {"training_iteration": 5, "loss": 9.0}),
        ev.Halted(
            A, 1, Then.REQUEUE, "", {"lr": 2}, Ref("b0"), why={"source": "b", "old": {"lr": 0}, "new": {"lr": 2}}
        ),
        ev.Requeued(A, {"lr": 2}, Ref("b0"), {}),
        ev.Reported(A, 2, 0, {"training_iteration": 8, "loss": 0.5}),
        *more,
    ]
    made = [Trial(k, str(t), f"<{t}>", "done", {}, {"loss": 1.0}) for k, t in enumerate(trials)]
    return Chronicle(made, GOAL, lineage=Lineage(log))


def test_lanes_lines_and_arrows():
    figure = lineage(told())
    assert list(figure.layout.yaxis.ticktext) == ["&lt;a&gt;", "&lt;b&gt;", "&lt;c&gt;"]
    lines = [(trace.name, trace.line.dash, list(trace.x), list(trace.y)) for trace in figure.data if trace.text]
    assert ("nobody followed", "dot", [0, 5, None], [0.0, 0.0, None]) in lines  # given up
    assert ("from &lt;b&gt;", "solid", [0, 4, None, 4, 8, None], [1.0, 1.0, None, 0.0, 0.0, None]) in lines
    arrows = next(trace for trace in figure.data if trace.name == "arrows")
    assert (list(arrows.x), list(arrows.y)) == ([4, 4, None], [1, 0, None])
    (head,) = [trace for trace in figure.data if trace.name == "goes on"]
    assert list(head.marker.symbol) == ["triangle-up"] and "goes on from &lt;b&gt; at 4<br>lr 1 -&gt; 2" in head.text[0]


def test_the_way_to_the_best():
    best = next(trace for trace in lineage(told()).data if trace.name == "way to the best")
    assert (list(best.x), list(best.y)) == ([4, 8, None, 0, 4, None], [0.0, 0.0, None, 1.0, 1.0, None])
    worse = ev.Reported(A, 2, 1, {"training_iteration": 9, "loss": float("nan")})
    best = next(trace for trace in lineage(told(worse)).data if trace.name == "way to the best")
    assert list(best.x) == [0, 4, None]


def test_of_many_those_are_drawn_that_took_part():
    figure = lineage(told(trials=(*(TrialId(f"x{k}") for k in range(150)), A, B)))
    labels = list(figure.layout.yaxis.ticktext)
    assert len(labels) == MOST_LANES and {"&lt;a&gt;", "&lt;b&gt;"} <= set(labels)
    assert f"{MOST_LANES} of 152 lanes drawn" in figure.layout.meta["note"]


def test_nobody():
    assert lineage(Chronicle(goals=GOAL)).layout.meta["blank"] == "No trial went on from another one."
