from __future__ import annotations

from typing import Any

import pytest

from luthier.core.terms import Verdict
from luthier.worker.assignment import Checkpointing
from luthier.worker.saving import SaveRule
from luthier.worker.session import current
from luthier.worker.trainable import Trainable

ITERATION = "training_iteration"


class Counter(Trainable):
    def setup(self, config):
        self.count = 0

    def step(self):
        self.count += 1
        far = {"deep": {"far": 10 * self.count}} if self.count != 2 else {}
        return {"done": self.count >= 9, **far}

    def save_checkpoint(self, checkpoint_dir):
        return {"count": self.count}

    def load_checkpoint(self, checkpoint):
        self.count = checkpoint["count"]


class Forgetful(Trainable):
    count = 0

    def step(self):
        self.count += 1
        return {"done": self.count >= 3}


def saved_at(run, cls=Counter, frequency=0, verdicts=(), restore=None, attempt=1, **rule):
    """Return the iterations whose reports came with a checkpoint."""
    checkpointing = Checkpointing(frequency=frequency, at_end=False, rule=SaveRule(**rule))
    given: dict[str, Any] = {"checkpointing": checkpointing}
    if restore is not None:
        given |= {"restore": restore, "attempt": attempt, "next_checkpoint": 9}
    _, channel = run(cls, verdicts=verdicts, **given)
    return [r.metrics[ITERATION] for r in channel.reports if r.checkpoint is not None]


@pytest.mark.parametrize(
    ("rule", "saved"),
    [
        ({"time_attr": ITERATION, "interval": 3}, [3, 6, 9]),
        ({"time_attr": ITERATION, "interval": 2.5}, [3, 6, 9]),
        ({"time_attr": ITERATION, "interval": 3, "start": 4}, [4, 7]),
        ({"time_attr": "deep/far", "interval": 20}, [3, 5, 7, 9]),  # the second result lacks it
        ({"time_attr": ITERATION, "at": (2, 2, 4.5)}, [2, 5]),
        ({"time_attr": ITERATION}, []),
        ({"time_attr": "unknown", "interval": 1}, []),
    ],
)
def test_when_it_is_saved(run, rule, saved):
    assert saved_at(run, **rule) == saved


def test_beside_a_frequency(run):
    assert saved_at(run, time_attr=ITERATION, interval=3, frequency=4) == [3, 4, 6, 8, 9]


def test_who_cannot_save_is_not_asked(run):
    assert saved_at(run, Forgetful, time_attr=ITERATION, interval=1) == []


def test_an_attempt_that_goes_on_keeps_the_rhythm_of_the_checkpoint(run):
    """Also where that was saved for another reason than the rule's, in between."""
    stops = [Verdict.CONTINUE] * 3 + [Verdict.HALT]
    assert saved_at(run, time_attr=ITERATION, interval=3, frequency=4, verdicts=stops) == [3, 4]
    again = saved_at(run, time_attr=ITERATION, interval=3, restore="t_0/checkpoint_000001", attempt=2)
    assert again == [6, 9]
    again = saved_at(run, time_attr=ITERATION, at=(3, 8), restore="t_0/checkpoint_000001", attempt=3)
    assert again == [8]


def test_reports_of_functions_are_their_own(run):
    def trainable(config):
        for _ in range(3):
            current().report({})

    _, channel = run(trainable, checkpointing=Checkpointing(rule=SaveRule(ITERATION, 1)))
    assert [r.checkpoint for r in channel.reports] == [None] * 3
