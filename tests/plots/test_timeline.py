from __future__ import annotations

import random
from itertools import pairwise

from luthier.plots.chronicle import Chronicle, Span
from luthier.plots.timeline import MOST_LANES, laid, timeline
from tests.plots.made import chronicle


def spans(*given: Span, end: float = 100.0) -> Chronicle:
    found = chronicle([{}] * (1 + max((span.trial for span in given), default=0)), loss=[1.0] * 0 or [None] * 99)
    found.spans, found.started, found.updated = list(given), 0.0, end
    return found


def bars(figure):
    return {trace.name: sorted(zip(trace.base, trace.x, trace.y, trace.text, strict=True)) for trace in figure.data}


def test_a_worker_has_a_lane_for_each_trial_at_one_time():
    found = spans(
        Span(0, 1, "a", 10.0, 30.0, "done"),
        Span(1, 1, "a", 20.0, 40.0, "failed"),
        Span(2, 1, "a", 30.0, 35.0, "done"),  # where the first one was
        Span(3, 1, "<b>", 10.0, None, "running"),
    )
    figure = timeline(found)
    assert list(figure.layout.yaxis.ticktext) == ["a 1", "a 2", "&lt;b&gt;"]
    drawn = bars(figure)
    assert [(base, x, y) for base, x, y, _ in drawn["done"]] == [(0, 20, 0), (20, 5, 0)]
    assert [(base, x, y) for base, x, y, _ in drawn["failed"]] == [(10, 20, 1)]
    assert [(base, x, y) for base, x, y, _ in drawn["running"]] == [(0, 90, 2)]  # until the log's end
    assert drawn["failed"][0][3] == "trial_1<br>failed, 20 s"
    assert figure.layout.xaxis.title.text == "seconds since the first launch"
    assert "4 attempts in 1 min 30 s" in figure.layout.meta["note"]


def test_no_two_in_a_lane_overlap():
    chance = random.Random(5)
    given = []
    for k in range(300):
        start = chance.random() * 100
        given.append(Span(k, 1, chance.choice("abc"), start, start + chance.random() * 9, "done"))
    _, lanes = laid(given, 200.0)
    assert sum(map(len, lanes)) == 300
    for lane in lanes:
        assert all(one.end is not None and one.end <= other.start for one, other in pairwise(lane))
    most = max(
        sum(s.start <= at.start < (s.end or 0) and s.worker == "a" for s in given) for at in given if at.worker == "a"
    )
    assert sum(lane[0].worker == "a" for lane in lanes) == most


def test_units_fit_the_whole():
    hours = spans(Span(0, 1, "a", 0.0, 7200.0, "done"), Span(0, 2, "a", 7200.0, 10800.0, "done"), end=10800.0)
    figure = timeline(hours)
    assert figure.layout.xaxis.title.text == "hours since the first launch"
    assert [(base, x) for base, x, *_ in bars(figure)["done"]] == [(0, 2), (2, 1)]
    assert "attempt 2" in figure.data[0].text[1]


def test_thousands_are_drawn_as_fewer_bars_of_the_same_length():
    given = [Span(0, 1, "a", k * 1.0, k + 1.0, "failed" if 4000 <= k < 5000 else "done") for k in range(10_000)]
    figure = timeline(spans(*given, end=10_000.0))
    drawn = bars(figure)
    assert sum(map(len, drawn.values())) < 1500
    total = sum(x for found in drawn.values() for _, x, *_ in found)
    assert abs(total * 3600 - 10_000) < 1
    failed = sum(x for _, x, *_ in drawn["failed"]) * 3600
    assert abs(failed - 1000) < 60
    assert "too narrow" in figure.layout.meta["note"] and "attempts<br>mostly done" in figure.data[0].text[0]


def test_more_workers_than_lanes():
    figure = timeline(spans(*(Span(0, 1, f"w{k}", 0.0, 50.0, "done") for k in range(100)), end=50.0))
    assert len(figure.data[0].x) == MOST_LANES and f"{MOST_LANES} of 100 lanes drawn" in figure.layout.meta["note"]
