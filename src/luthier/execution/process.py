"""Trials in processes of their own on this machine."""

from __future__ import annotations

import math
import sys
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from luthier.checkpoints.local import forget
from luthier.core.errors import BadArgument, BadArgumentType, LuthierError, NotStorable
from luthier.core.events import Exited, Forgotten, Halted, Launched, Reported, WorkerJoined
from luthier.core.resources import checked
from luthier.core.terms import Outcome, Then, Verdict, WorkerId
from luthier.execution.crew import Crew, Gone
from luthier.execution.devices import Devices, gpu_ids, machine_resources
from luthier.execution.environment import threads_of
from luthier.execution.nursery import unloadable
from luthier.execution.obituary import obituary
from luthier.execution.stack import stack_in
from luthier.execution.transcript import Transcript
from luthier.worker.frames import VERDICT_BYTES, encode_assignment
from luthier.worker.picklable import pickled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from luthier.core.events import Observed, Order
    from luthier.core.terms import TrialId
    from luthier.execution.base import Handler
    from luthier.execution.child import Child
    from luthier.execution.nursery import Start
    from luthier.execution.surroundings import Surroundings
    from luthier.worker.assignment import Assignment

_CARE = 0.25  # seconds between two looks at what trials print
_WHERE = 0.5  # seconds that a process has to write where it stands
_STRAGGLERS = 16  # processes that may be ending while their trials count as ended already
_REST = 5.0  # seconds for killed processes to be gone when closing


class ProcessExecutor:
    """Runs each trial in a process of its own.

    On Linux that is a fork of a template, which has imported the trainable's modules once; where forking is unsafe (the
    modules start threads, or CUDA) and on other systems it is a fresh interpreter.  Neither trials nor what they start
    outlive the driver, however it ends.  (Windows and macOS are provided for, but nobody has tested them so far; there,
    what a trial itself has started may outlive a driver that is killed.)

    Args:
        trainable: what a trial runs; must be picklable by cloudpickle.
        experiment_dir: checkpoints are removed below it, and nowhere else.
        resources: what this machine is to offer; all that it has where None.
        reuse: whether a process takes a further trial when its last one has not failed.
        start: ``fork``, ``spawn``, or ``auto`` for fork where that is possible.
        echo: whether what trials print is printed here too, after their names.
        grace: seconds that a trial has to let go once it was ordered to; then it is asked by SIGTERM, which raises in
            it as ``report`` would, and two seconds later it is killed.
        patience: the same for a trial that is to go on later, whose work since its last checkpoint would be lost: it
            has so long to come to its next report.
        transcript_limit: bytes that a trial's ``stdout`` and ``stderr`` may have each (the end is kept); None for any.
        env: added to the environment of trials.
        start_timeout: seconds that loading the trainable may take in the process that trials are forked from; None for
            no limit.
        behalf: of whom it runs trials, if not of this process: reports come with what had to be pickled still so.

    Raises:
        BadArgument: an argument is unusable; for a trainable that cannot be pickled, the text names the culprit.
    """

    def __init__(  # noqa: PLR0913 (one choice each, by keyword)
        self,
        trainable: Any,
        *,
        experiment_dir: str | Path,
        resources: Mapping[str, float] | None = None,
        reuse: bool = False,
        start: Literal["auto", "fork", "spawn", "direct"] = "auto",
        echo: bool = False,
        grace: float = 10.0,
        patience: float = 600.0,
        transcript_limit: int | None = 100 << 20,
        env: Mapping[str, str] | None = None,
        start_timeout: float | None = 600.0,
        behalf: Surroundings | None = None,
    ) -> None:
        if not callable(trainable):
            raise BadArgumentType("trainable", trainable, "a function or a class that a trial can run")
        if not grace >= 0:
            raise BadArgument("grace", grace, "seconds >= 0")
        if not patience >= 0:
            raise BadArgument("patience", patience, "seconds >= 0")
        if start_timeout is not None and not start_timeout > 0:
            raise BadArgument("start_timeout", start_timeout, "seconds > 0, or None for no limit")
        if transcript_limit is not None and transcript_limit < 1:
            raise BadArgument("transcript_limit", transcript_limit, "bytes >= 1, or None for no limit")
        self._trainable = trainable  # what travels with it may lie in files that live as long as it does
        self._experiment_dir = str(experiment_dir)
        self._resources = machine_resources() if resources is None else checked(resources, "resources")
        self._reuse, self._echo, self._limit = reuse, echo, transcript_limit
        self._grace = {Then.STOP: grace, Then.PAUSE: max(grace, patience), Then.REQUEUE: max(grace, patience)}
        ids = gpu_ids()
        wanted = math.ceil(self._resources.get("gpu", 0.0))
        self._has_gpus = bool(ids or wanted)
        self._devices = Devices(ids[:wanted] if len(ids) >= wanted else [str(i) for i in range(wanted)])
        to_load, environ = math.inf if start_timeout is None else start_timeout, dict(env or {})
        self._crew = Crew(pickled(trainable), _start_of(start), environ, reuse=reuse, patience=to_load, behalf=behalf)
        self._attempts: dict[TrialId, Child] = {}  # those that have not ended
        self._idle: dict[tuple[int, tuple[str, ...] | None], list[Child]] = {}
        self._waiting: deque[Assignment] = deque()  # for devices
        self._events: list[Observed] = []
        self._care = math.inf  # when to look at transcripts
        self._fatal: LuthierError | None = None
        self._closed = False

    def join(self, handler: Handler) -> Sequence[WorkerJoined]:
        """Return the one worker that there is: this machine."""
        return [WorkerJoined(WorkerId("local"), dict(self._resources))]

    # -- orders --------------------------------------------------------------------------------------------------------
    def carry_out(self, order: Order, assignment: Assignment | None = None) -> None:
        """Start an attempt, tell one to let go, or remove a checkpoint; does not wait."""
        match order:
            case Launched():
                if assignment is None:
                    raise LuthierError(f"{order!r} came without its assignment")
                self._place(assignment)
            case Halted(trial, attempt, then):
                self._halt(trial, attempt, self._grace[then])
            case Forgotten(_, checkpoint):
                forget(checkpoint, self._experiment_dir)

    def answer(self, trial: TrialId, attempt: int, verdict: Verdict) -> None:
        """Give the verdict to the attempt that waits for it."""
        child = self._running(trial, attempt)
        if child is not None:
            self._crew.send(child, VERDICT_BYTES[verdict])

    def _place(self, assignment: Assignment) -> None:
        """Launch as soon as there are devices for it: fractions of GPUs may leave gaps that nothing fits."""
        if self._has_gpus and "gpu" not in assignment.devices:
            ids = self._devices.take(_holder(assignment), assignment.resources.get("gpu", 0.0))
            if ids is None:
                self._waiting.append(assignment)
                return
            assignment = msgspec.structs.replace(assignment, devices={**assignment.devices, "gpu": ids})
        self._launch(assignment)

    def _launch(self, assignment: Assignment) -> None:
        try:
            frame = encode_assignment(assignment)
        except NotStorable as error:
            self._end(assignment, Exited(assignment.trial, assignment.attempt, Outcome.ERROR, str(error)))
            return
        gpus = assignment.devices.get("gpu")
        threads, seen = threads_of(assignment.resources), None if gpus is None else tuple(gpus)
        child = self._spare(threads, seen) if self._idle else None
        if child is None:
            try:
                child = self._crew.bear(threads, seen)
            except OSError as error:
                self._put_off(assignment, error)
                return
        child.assignment = assignment
        child.transcript = Transcript(assignment.trial_dir, assignment.name, self._limit, echo=self._echo)
        self._attempts[assignment.trial] = child
        self._crew.send(child, frame)
        if self._care == math.inf:
            self._care = monotonic() + _CARE

    def _put_off(self, assignment: Assignment, error: OSError) -> None:
        """Launch later, when other processes are gone; without any, nothing can ever be launched."""
        if not self._crew.children:
            raise LuthierError(
                f"no trial can be started: {error.strerror}. Raise the limit (ulimit -n for open files, ulimit -u for "
                "processes), or let fewer experiments run at once."
            ) from error
        self._waiting.append(assignment)

    def _spare(self, threads: int, gpus: tuple[str, ...] | None) -> Child | None:
        """Return a process that waits for such an assignment, or None; then let one go that waits for another kind."""
        waiting = self._idle.get((threads, gpus))
        if waiting:
            child = waiting.pop()
            if not waiting:
                del self._idle[threads, gpus]
            return child
        other = next((key for key in self._idle if gpus and set(gpus) & set(key[1] or ())), next(iter(self._idle)))
        for child in self._idle.pop(other):
            self._crew.dismiss(child)
            self._crew.press(child, self._grace[Then.STOP])
        return None

    def _halt(self, trial: TrialId, attempt: int, grace: float) -> None:
        for assignment in self._waiting:
            if (assignment.trial, assignment.attempt) == (trial, attempt):
                self._waiting.remove(assignment)
                self._events.append(Exited(trial, attempt, Outcome.HALTED))
                return
        child = self._running(trial, attempt)
        if child is None or child.assignment is None:
            return
        if self._crew.cancel(child):
            self._end(child.assignment, Exited(trial, attempt, Outcome.HALTED))
        else:
            child.halted = True
            self._crew.press(child, grace)

    def give_up(self, trial: TrialId, attempt: int, reason: str) -> bool:
        """See :meth:`Executor.give_up <luthier.execution.base.Executor.give_up>`; the error shows where it hung."""
        child = self._running(trial, attempt)
        if child is None:
            return not any((a.trial, a.attempt) == (trial, attempt) for a in self._waiting)
        if not child.born:
            return False
        if child.held is None and not child.given_up:
            child.given_up = reason
            child.mark = 0 if child.transcript is None else child.transcript.size_of_stderr()
            self._crew.ask_where(child)
            self._crew.press(child, _WHERE)
        return True

    def _running(self, trial: TrialId, attempt: int) -> Child | None:
        child = self._attempts.get(trial)
        if child is None or child.assignment is None or child.assignment.attempt != attempt:
            return None
        return child

    # -- what comes back -----------------------------------------------------------------------------------------------
    def poll(self, timeout: float | None) -> Sequence[Observed]:
        """Wait up to *timeout* seconds and return what trials reported and which of them ended.

        Raises:
            LuthierError: no trial can be started at all; the text says why.
        """
        until = math.inf if timeout is None else monotonic() + timeout
        while not self._closed:
            if self._fatal is None:
                self._look(until)
            if self._fatal is not None:
                raise self._fatal
            if self._events or self._crew.woken or (until < math.inf and monotonic() >= until):
                self._crew.woken = False
                events, self._events = self._events, []
                return events
        return ()

    def wake(self) -> None:
        """Make a waiting :meth:`poll` return; may be called from any thread or signal handler."""
        self._crew.wake()

    def _look(self, until: float) -> None:
        """Wait for what comes first and take it."""
        try:
            happened = self._crew.look(0.0 if self._events or self._fatal else min(until, self._care))
        except LuthierError as error:
            self._fatal = error
            return
        for child, what in happened:
            if what.__class__ is Reported:
                if child.assignment is not None and child.held is None:
                    self._events.append(what)  # type: ignore[arg-type,unused-ignore]  # it is one
            elif isinstance(what, Exited):
                if child.assignment is not None and child.held is None:
                    self._exited(child, child.assignment, what)
            elif isinstance(what, Gone):
                self._gone(child, what)
            else:
                self._fatal = unloadable(what.traceback)  # type: ignore[union-attr]  # an Unloadable
        if self._care < math.inf and monotonic() >= self._care:
            self._attend()

    def _exited(self, child: Child, assignment: Assignment, event: Exited) -> None:
        if child.given_up and not child.halted and (child.pressed or event.outcome is Outcome.HALTED):
            event = msgspec.structs.replace(event, outcome=Outcome.ERROR, error=_overdue(child))
        elif child.pressed and event.outcome is Outcome.ERROR:  # it was no longer asked kindly
            event = msgspec.structs.replace(event, outcome=Outcome.HALTED)
        child.given_up = ""
        if child.transcript is not None:
            child.transcript.attend(last=True)
        if self._reuse and not (child.pressed or self._closed or event.outcome is Outcome.ERROR):
            child.deadline = math.inf
            self._idle.setdefault((child.threads, child.gpus), []).append(child)
        else:
            self._crew.press(child, self._grace[Then.STOP])
            leaving = sum(c.assignment is None for c in self._crew.children.values())
            if child.gpus or leaving >= _STRAGGLERS:
                child.held = event  # the memory of a device is free when the process is gone
                return
        child.assignment = None
        self._end(assignment, event)

    def _gone(self, child: Child, gone: Gone) -> None:
        for key, waiting in list(self._idle.items()):
            if child in waiting:
                waiting.remove(child)
                if not waiting:
                    del self._idle[key]
        assignment = child.assignment
        if assignment is None:
            self._place_waiting()
            return
        event = child.held
        if event is None:
            if child.transcript is not None:
                child.transcript.attend(last=True)
            attempt = (assignment.trial, assignment.attempt)
            if child.pressed and child.halted:
                event = Exited(*attempt, Outcome.HALTED, "it did not let go in time and was killed")
            elif gone.lost and not child.given_up:
                event = Exited(*attempt, Outcome.LOST, gone.reason)
            else:
                event = Exited(*attempt, Outcome.ERROR, _overdue(child) if child.given_up else _reason(child, gone))
        child.assignment = None
        self._end(assignment, event)

    def _end(self, assignment: Assignment, event: Exited) -> None:
        """Tell the end of an attempt, and give what it held to whom it was wanted by."""
        self._events.append(event)
        self._attempts.pop(assignment.trial, None)
        self._devices.give_back(_holder(assignment))
        self._place_waiting()

    def _place_waiting(self) -> None:
        for _ in range(len(self._waiting)):
            self._place(self._waiting.popleft())

    def _attend(self) -> None:
        """Look at what the running trials have printed."""
        self._care = math.inf
        for child in self._attempts.values():
            if child.transcript is not None:
                child.transcript.attend()
                self._care = monotonic() + _CARE

    # -- the end -------------------------------------------------------------------------------------------------------
    def close(self, grace: float) -> None:
        """End what still runs: halt it at its next report, ask it after *grace* seconds, then kill it.

        With a grace of 0 all is killed at once.
        """
        if self._closed:
            return
        self._closed = True
        self._waiting.clear()
        try:
            if grace > 0 and self._fatal is None:
                self._see_off(grace)
        finally:
            self._crew.close()

    def _see_off(self, grace: float) -> None:
        for child in list(self._crew.children.values()):
            if not self._crew.cancel(child):
                child.halted = True
                self._crew.dismiss(child)  # whoever reports into the void is told to halt
                self._crew.press(child, grace)
        until = monotonic() + grace + _REST
        while self._crew.children and self._fatal is None and monotonic() < until:
            self._look(until)


def _holder(assignment: Assignment) -> str:
    return f"{assignment.trial}/{assignment.attempt}"


def _reason(child: Child, gone: Gone) -> str:
    if gone.status is None:
        return gone.reason
    if child.pressed:
        return "the trial's process closed its connection to the driver without a result, and was killed"
    return obituary(gone.status, gone.peak, None if child.transcript is None else child.transcript.stderr)


def _overdue(child: Child) -> str:
    """Return why an attempt was given up, and where its process stood."""
    stack = "" if child.transcript is None else stack_in(child.transcript.stderr, child.mark)
    return f"{child.given_up}\nThere it stood, the innermost call first:\n{stack}" if stack else child.given_up


def _start_of(start: str) -> Start:
    """Return how processes are started here."""
    here = sys.platform.startswith("linux")
    match start:
        case "auto":
            return "fork" if here else "direct"
        case "spawn":
            return "spawn" if here else "direct"
        case "fork" if here:
            return "fork"
        case "direct":
            return "direct"
    raise BadArgument("start", start, "'auto', 'fork' (on Linux) or 'spawn'")
