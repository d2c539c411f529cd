from __future__ import annotations

from luthier.control.deadlines import Deadlines


def test_without_a_budget_only_the_tick_counts():
    deadlines = Deadlines(None, 0.0, 0.5)
    assert (deadlines.wait(1e9), deadlines.due(1e9)) == (0.5, [])


def test_the_budget_is_due_once():
    deadlines = Deadlines(10.0, 100.0, 0.5)
    assert deadlines.wait(105.0) == 0.5
    assert deadlines.wait(109.8) < 0.5
    assert deadlines.due(109.9) == []
    assert len(deadlines.due(110.0)) == 1
    assert (deadlines.due(111.0), deadlines.wait(111.0)) == ([], 0.5)
