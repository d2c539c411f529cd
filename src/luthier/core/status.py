"""Which event may happen to a trial in which status, and where it leads.

The table is the rule: what is not here cannot happen.  The diagram in the documentation is drawn from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core import events as ev
from luthier.core.terms import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

TRANSITIONS: Mapping[tuple[Status, type[ev.Event]], Status] = {
    (Status.PENDING, ev.Launched): Status.RUNNING,
    (Status.PENDING, ev.Requeued): Status.PENDING,  # only where the experiment was reopened: it begins anew
    (Status.PENDING, ev.Ended): Status.STOPPED,  # or FAILED, as the event says
    (Status.RUNNING, ev.Reported): Status.RUNNING,
    (Status.RUNNING, ev.Halted): Status.HALTING,
    (Status.RUNNING, ev.Exited): Status.EXITED,
    (Status.HALTING, ev.Reported): Status.HALTING,
    (Status.HALTING, ev.Halted): Status.HALTING,
    (Status.HALTING, ev.Exited): Status.EXITED,
    (Status.EXITED, ev.Requeued): Status.PENDING,
    (Status.EXITED, ev.Paused): Status.PAUSED,
    (Status.EXITED, ev.Ended): Status.DONE,  # or STOPPED or FAILED, as the event says
    (Status.PAUSED, ev.Requeued): Status.PENDING,
    (Status.PAUSED, ev.Ended): Status.STOPPED,
    (Status.DONE, ev.Requeued): Status.PENDING,  # these three only where the experiment was reopened
    (Status.STOPPED, ev.Requeued): Status.PENDING,
    (Status.FAILED, ev.Requeued): Status.PENDING,
}
