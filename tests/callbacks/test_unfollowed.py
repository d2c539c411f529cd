from __future__ import annotations

import pytest

from luthier.callbacks.unfollowed import UnfollowedWatch
from tests.callbacks.story import Story


@pytest.fixture
def warned(caplog, tmp_path):
    caplog.set_level("WARNING", "luthier")

    def warned(reports, due=3.0):
        caplog.clear()
        story = Story(tmp_path, UnfollowedWatch("far", due, "nothing happens"))
        trial = story.start(0)
        for k, (at, saves) in enumerate(reports):
            story.report(trial, f"c{k}" if saves else None, far=at)
        return [record.getMessage() for record in caplog.records]

    return warned


def test_a_trial_that_is_due_and_has_saved_nothing(warned):
    (said,) = warned([(1, False), (2, False), (3, False), (4, False)])
    assert "has come to far=3 without saving a checkpoint: nothing happens." in said
    assert "tune.report(metrics, checkpoint=...)" in said


def test_a_trial_that_saved_one(warned):
    assert warned([(1, True), (2, False), (3, False)]) == []
    assert warned([(1, False), (2, False), (3, True)]) == []


def test_results_without_the_time(warned):
    assert warned([(None, False), ("late", False)]) == []
