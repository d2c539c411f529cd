"""An experiment goes on with another scheduler: trials that the one before had paused go on, too."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.core.terms import Outcome, Ref, Status, WorkerId
from luthier.schedulers.asha import Asha
from luthier.schedulers.explore import Mutations
from luthier.schedulers.fifo import LEFT_BEHIND, Fifo
from luthier.schedulers.hb_bohb import HyperbandForBohb
from luthier.schedulers.hyperband import Hyperband
from luthier.schedulers.median import MedianRule
from luthier.schedulers.pasha import Pasha
from luthier.schedulers.pbt import Pbt
from luthier.schedulers.promotion import AshaPromotion
from luthier.schedulers.replay import Replay
from luthier.schedulers.resizing import Resizing
from luthier.search.fixed import Fixed

LOSS, TIME = Goal("loss", "min"), "training_iteration"
OTHERS: dict[str, Any] = {
    "fifo": Fifo,
    "asha": lambda: Asha(max_t=9),
    "median": lambda: MedianRule(TIME, hard_stop=True),
    "median, soft": lambda: MedianRule(TIME, hard_stop=False),
    "replay": lambda: Replay([]),
    "resizing": Resizing,
    "hyperband": lambda: Hyperband(max_t=9),
    "hb_bohb": lambda: HyperbandForBohb(max_t=9),
    "promotion": lambda: AshaPromotion(max_t=9),
    "pasha": lambda: Pasha(max_t=9),
    "pbt": lambda: Pbt(Mutations({"x": [1, 2]}), TIME, perturbation_interval=3),
    "pbt, all at once": lambda: Pbt(Mutations({"x": [1, 2]}), TIME, perturbation_interval=3, synch=True),
}


def engine(scheduler):
    return Engine(Limits(num_trials=3, seed=1), Fixed([{"x": x} for x in range(3)]), scheduler, (LOSS,))


@pytest.mark.parametrize("other", OTHERS)
def test_who_was_paused_by_another_scheduler_goes_on(other):
    before = engine(Pbt(Mutations({"x": [1, 2]}), TIME, perturbation_interval=0.5, synch=True))
    log = list(before.handle(ev.WorkerJoined(WorkerId("w"), {"cpu": 3.0})))
    first, second, third = before.experiment.trials
    for trial in (first, second):
        log += before.handle(ev.Reported(trial, 1, 0, {"loss": 1.0, TIME: 0.5}, Ref(f"{trial}/c")))
        log += before.handle(ev.Exited(trial, 1, Outcome.HALTED))
    assert list(before.experiment.having(Status.PAUSED)) == [first, second]
    after = Engine.replay(lambda: engine(OTHERS[other]()), log)
    events = after.handle(ev.Exited(third, 1, Outcome.FINISHED))
    goes_on = {e.trial: e.reason for e in events if isinstance(e, ev.Requeued)}
    assert goes_on == {first: LEFT_BEHIND, second: LEFT_BEHIND}
