"""The one vocabulary of the system: what was observed, and what was decided.

An event is stored first and acted upon second; the log of events is the experiment.
Fields are only ever added, at the end and with a default: old logs stay readable.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from luthier.core.terms import Config, Label, Metrics, Outcome, Ref, Status, Then, TrialId, Why, WorkerId


class _Event(msgspec.Struct, frozen=True, tag_field="is", tag=True, omit_defaults=True):
    """What all events share: frozen, slotted, compared by value."""


# -- observed: the world told us -------------------------------------------------------------------------------------


class WorkerJoined(_Event, frozen=True):
    """A worker offers *resources*; joining again states anew what it has."""

    worker: WorkerId
    resources: dict[str, float]


class WorkerLost(_Event, frozen=True, gc=False):
    """A worker is gone, and every attempt on it with it; *on_purpose* where that was announced."""

    worker: WorkerId
    on_purpose: bool = False


class Reported(_Event, frozen=True):
    """A trial reported metrics; ``(trial, attempt, seq)`` is the idempotency key, seq counts from 0."""

    trial: TrialId
    attempt: int
    seq: int
    metrics: Metrics
    checkpoint: Ref | None = None


class Exited(_Event, frozen=True, gc=False):
    """An attempt came to an end; *error* is the text to show, *checkpoint* what was saved on the way out."""

    trial: TrialId
    attempt: int
    outcome: Outcome
    error: str = ""
    checkpoint: Ref | None = None


class Enqueued(_Event, frozen=True):
    """Somebody asks for *config* to be tried; it goes before what the searcher proposes."""

    config: Config


class StopRequested(_Event, frozen=True, gc=False):
    """Somebody or something asks the experiment to end."""

    reason: str


class Reopened(_Event, frozen=True):
    """The experiment goes on: with another number of trials (-1 for no limit), and with *rerun* once more.

    Reruns start from their last checkpoint, or anew where *from_scratch*; then *rerun* may name trials that wait or
    pause, too.  *lost* are workers that went with the driver of before, which is nobody's fault.  Trials in *ended*
    are not to go on, if they have not come to their end.  *stopping*: an end that was asked for is still to come.
    *note* says in words what else is new.
    """

    num_trials: int | None = None
    rerun: tuple[TrialId, ...] = ()
    from_scratch: bool = False
    lost: tuple[WorkerId, ...] = ()
    ended: tuple[TrialId, ...] = ()
    stopping: bool = False
    note: str = ""


# -- decided: we told the world --------------------------------------------------------------------------------------


class Proposed(_Event, frozen=True):
    """A trial was born: the *number*-th, counted from 0; *why* says by whom, where the searcher asks others."""

    trial: TrialId
    number: int
    config: Config
    resources: dict[str, float]
    label: Label = Label("", "", "")
    enqueued: bool = False
    why: Why | None = None


class SpaceExhausted(_Event, frozen=True, gc=False):
    """The searcher has nothing more to propose."""

    reason: str = ""


class Stalled(_Event, frozen=True, gc=False):
    """Capacity is idle, something waits, and nobody is about to change that."""


class Launched(_Event, frozen=True):
    """An attempt starts on *worker*; order to carry out."""

    trial: TrialId
    attempt: int
    worker: WorkerId
    config: Config
    resources: dict[str, float]
    restore: Ref | None = None


class Halted(_Event, frozen=True):
    """An attempt is to let go; order to carry out.  *config*, *restore*, *resources*: to go on with, if given.

    *why* says in names and values what *reason* says in words.
    """

    trial: TrialId
    attempt: int
    then: Then
    reason: str
    config: Config | None = None
    restore: Ref | None = None
    resources: dict[str, float] | None = None
    why: Why | None = None


class Requeued(_Event, frozen=True):
    """A trial waits again, to go on from *restore* (from the beginning where that is None)."""

    trial: TrialId
    config: Config
    restore: Ref | None
    resources: dict[str, float]
    reason: str = ""
    why: Why | None = None


class Paused(_Event, frozen=True, gc=False):
    """A trial let go and stays where it is until it is resumed."""

    trial: TrialId


class Ended(_Event, frozen=True):
    """A trial came to its end."""

    trial: TrialId
    status: Status
    reason: str = ""
    why: Why | None = None


class Forgotten(_Event, frozen=True, gc=False):
    """A checkpoint is no longer wanted; order to carry out."""

    trial: TrialId
    checkpoint: Ref


Observed: TypeAlias = WorkerJoined | WorkerLost | Reported | Exited | Enqueued | StopRequested | Reopened
Decided: TypeAlias = Proposed | SpaceExhausted | Stalled | Launched | Halted | Requeued | Paused | Ended | Forgotten
Event: TypeAlias = Observed | Decided
Order: TypeAlias = Launched | Halted | Forgotten
News: TypeAlias = Proposed | Reported | Exited | Ended | Stalled
