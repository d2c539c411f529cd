"""Our stoppers answer as Ray's do."""

from __future__ import annotations

import time
from typing import Any

from luthier.tune import stopper as ours


def answered(case, monkeypatch):
    made = [getattr(ours, name)(**arguments) for name, arguments in case["stopper"]]
    stopper: Any = ours.CombinedStopper(*made) if len(made) > 1 else made[0]
    found = []
    for trial, metrics, clock in case["results"]:
        monkeypatch.setattr(time, "monotonic", lambda clock=clock: clock)
        said = stopper(str(trial), metrics)
        assert not said or stopper.reason
        found.append([said, stopper.stop_all()])
    return found


def test_the_same_results_get_the_same_answers(recorded, monkeypatch):
    cases = recorded("stoppers")
    kinds = {name for case in cases for name, _ in case["stopper"]}
    assert len(cases) >= 40 and len(kinds) == 5
    assert sum(said for case in cases for said, _ in case["answers"]) > 30
    assert sum(every for case in cases for _, every in case["answers"]) > 5
    for number, case in enumerate(cases):
        assert answered(case, monkeypatch) == case["answers"], f"case {number}"
