"""Trials as actors of a Ray cluster."""

from __future__ import annotations

import contextlib
import math
import os
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.checkpoints.local import forget
from luthier.core.errors import BadArgument, BadArgumentType, LuthierError, NotStorable
from luthier.core.events import Exited, Forgotten, Halted, Launched, Reported, WorkerJoined, WorkerLost
from luthier.core.resources import shape
from luthier.core.terms import Outcome, Then, Verdict
from luthier.execution.luggage import pack_checkpoint, unpack_what_came_with
from luthier.execution.nursery import unloadable
from luthier.execution.ray.cast import Cast
from luthier.execution.ray.cluster import Cluster
from luthier.execution.ray.ending import ending
from luthier.execution.ray.placement import placement
from luthier.execution.ray.roster import Roster
from luthier.execution.stack import users_stack
from luthier.execution.transcript import Transcript
from luthier.worker.frames import HEAD, VERDICT_BYTES, Unloadable, decode, encode_assignment
from luthier.worker.resources import bundles_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from luthier.core.events import Observed, Order
    from luthier.core.terms import TrialId
    from luthier.execution.base import Handler
    from luthier.execution.ray.hand import Hand
    from luthier.worker.assignment import Assignment

_CARE = 0.25  # seconds between two looks at what trials print
_WHERE = 1.0  # seconds that an actor has to say where it stands
_REST = 5.0  # seconds for killed actors to be gone when closing


class RayExecutor:
    """Runs each trial in an actor of its own; the nodes of the cluster are its workers.

    Where trials ask for several bundles (:class:`~luthier.tune.PlacementGroupFactory`) the whole cluster is one worker,
    and Ray spreads the bundles over its nodes.

    Ray gives processes and resources; what is decided, stored and restored is decided here.  Actors belong to this
    process: Ray ends them when it is gone, however it ended.

    Args:
        trainable: what a trial runs; must be picklable by cloudpickle.
        experiment_dir: the experiment's directory.  From nodes that do not see it, files are fetched: checkpoints with
            their report, and all else when the attempt is over.
        options: arguments of ``ray.init``, used where this process is not connected yet.
        reuse: whether an actor takes a further trial when its last one has not failed.
        echo: whether what trials print is printed here too, after their names.
        grace: seconds that a trial has to let go once it was ordered to; then ``Halted`` is raised in it, and two
            seconds later it is killed.
        patience: the same for a trial that is to go on later.
        transcript_limit: bytes that a trial's ``stdout`` and ``stderr`` may have each (the end is kept); None for any.
        env: added to the environment of trials.

    Raises:
        BadArgument: an argument is unusable; for a trainable that cannot be pickled, the text names the culprit.
        LuthierError: Ray is not installed, or cannot be connected to.
    """

    def __init__(  # noqa: PLR0913 (one choice each, by keyword)
        self,
        trainable: Any,
        *,
        experiment_dir: str | Path,
        options: Mapping[str, Any] | None = None,
        reuse: bool = False,
        echo: bool = False,
        grace: float = 10.0,
        patience: float = 600.0,
        transcript_limit: int | None = 100 << 20,
        env: Mapping[str, str] | None = None,
    ) -> None:
        if not callable(trainable):
            raise BadArgumentType("trainable", trainable, "a function or a class that a trial can run")
        if not grace >= 0:
            raise BadArgument("grace", grace, "seconds >= 0")
        self._cluster = Cluster(options)
        self._ray = self._cluster.ray
        self._trainable = trainable
        self._roster = Roster(self._cluster, spread=bundles_of(trainable, None) is not None)
        self._experiment_dir = str(experiment_dir)
        self._reuse, self._echo, self._limit = reuse, echo, transcript_limit
        self._grace = {Then.STOP: grace, Then.PAUSE: max(grace, patience), Then.REQUEUE: max(grace, patience)}
        self._marker = os.path.join(os.path.abspath(experiment_dir), f".seen_{os.urandom(8).hex()}")
        try:
            self._cast = Cast(
                self._ray, trainable, dict(env or {}), reuse=reuse, gpus=self._roster.has_gpus, marker=self._marker
            )
        except BaseException:
            self._cluster.close()
            raise
        self._attempts: dict[TrialId, Hand] = {}  # those that have not ended
        self._idle: list[Hand] = []
        self._events: list[Observed] = []
        self._woken = self._closed = False
        self._care = math.inf  # when to look at transcripts
        self._fatal: LuthierError | None = None

    def join(self, handler: Handler) -> Sequence[WorkerJoined]:
        """Return the nodes that there are; or the cluster as one, where trials ask for bundles that it may spread."""
        os.makedirs(os.path.dirname(self._marker), exist_ok=True)
        with open(self._marker, "wb"):
            pass
        return [event for event in self._roster.look() if isinstance(event, WorkerJoined)]

    # -- orders --------------------------------------------------------------------------------------------------------
    def carry_out(self, order: Order, assignment: Assignment | None = None) -> None:
        """Start an attempt, tell one to let go, or remove a checkpoint; does not wait."""
        match order:
            case Launched():
                if assignment is None:
                    raise LuthierError(f"{order!r} came without its assignment")
                self._launch(order.worker, assignment)
            case Halted(trial, attempt, then):
                self._halt(trial, attempt, self._grace[then])
            case Forgotten(_, checkpoint):
                forget(checkpoint, self._experiment_dir)

    def expect(self, requests: Sequence[Mapping[str, float]]) -> None:
        """Hear what trials ask for that wait for room: the cluster's autoscaler is told, while they do."""
        self._cast.demand.expect(requests)

    def answer(self, trial: TrialId, attempt: int, verdict: Verdict) -> None:
        """Give the verdict to the attempt that waits for it."""
        hand = self._running(trial, attempt)
        if hand is not None:
            self._cast.answer(hand, VERDICT_BYTES[verdict])

    def _launch(self, node: str, assignment: Assignment) -> None:
        try:
            payload = bytes(encode_assignment(assignment)[HEAD:])
            hand = self._spare(node, assignment) or self._hired(node, assignment)
        except (NotStorable, ValueError) as error:  # a config that cannot be pickled, or 1.5 GPUs
            self._events.append(Exited(assignment.trial, assignment.attempt, Outcome.ERROR, str(error)))
            return
        hand.assignment, hand.served = assignment, hand.served + 1
        hand.halted = hand.spoke = False
        hand.given_up = hand.stack = ""
        hand.transcript = None
        if self._echo or self._limit is not None:
            hand.transcript = Transcript(assignment.trial_dir, assignment.name, self._limit, echo=self._echo)
            self._care = min(self._care, monotonic() + _CARE)
        self._attempts[assignment.trial] = hand
        hand.first = payload
        if hand.born:
            self._play(hand)

    def _play(self, hand: Hand) -> None:
        """Send an actor what it is to do, with the checkpoint to go on from if it cannot see that."""
        assignment, payload, hand.first = hand.assignment, hand.first, b""
        if assignment is None or not payload:
            return
        luggage = b""
        if hand.apart and assignment.restore is not None:
            luggage = pack_checkpoint(assignment.restore, self._experiment_dir)
        self._cast.call(hand, "play", payload, luggage)

    def _hired(self, node: str, assignment: Assignment) -> Hand:
        bundles = bundles_of(self._trainable, assignment.config)
        if bundles is not None and dict(bundles) != assignment.resources:  # a scheduler has resized it
            bundles = None
        return self._cast.hire(node, placement(self._ray, assignment, node, bundles), shape(assignment.resources))

    def _spare(self, node: str, assignment: Assignment) -> Hand | None:
        """Return an actor that waits for such an attempt, or None; those of another kind there make room for it."""
        wanted = shape(assignment.resources)
        for hand in list(self._idle):
            if hand.node == node:
                self._idle.remove(hand)
                if hand.shape == wanted:
                    return hand
                self._cast.dismiss(hand, self._grace[Then.STOP])
        return None

    def _halt(self, trial: TrialId, attempt: int, grace: float) -> None:
        hand = self._running(trial, attempt)
        if hand is None or hand.assignment is None:
            return
        hand.halted = True
        if hand.born:
            self._cast.press(hand, grace)
        else:
            self._cast.remove(hand)
            self._end(hand, Exited(trial, attempt, Outcome.HALTED))

    def give_up(self, trial: TrialId, attempt: int, reason: str) -> bool:
        """See :meth:`Executor.give_up <luthier.execution.base.Executor.give_up>`; the error shows where it hung."""
        hand = self._running(trial, attempt)
        if hand is None:
            return True
        if not hand.born:
            return False
        if not hand.given_up:
            hand.given_up = reason
            self._cast.call(hand, "where")
            self._cast.press(hand, _WHERE)
        return True

    def _running(self, trial: TrialId, attempt: int) -> Hand | None:
        hand = self._attempts.get(trial)
        if hand is None or hand.assignment is None or hand.assignment.attempt != attempt:
            return None
        return hand

    # -- what comes back -----------------------------------------------------------------------------------------------
    def poll(self, timeout: float | None) -> Sequence[Observed]:
        """Wait up to *timeout* seconds and return what trials reported, which of them ended, and which nodes came.

        Raises:
            LuthierError: no trial can be started at all; the text says why.
        """
        until = math.inf if timeout is None else monotonic() + timeout
        while not self._closed:
            if self._fatal is None:
                self._look(until)
            if self._fatal is not None:
                raise self._fatal
            if self._events or self._woken or monotonic() >= until:
                self._woken = False
                events, self._events = self._events, []
                return events
        return ()

    def wake(self) -> None:
        """Make a waiting :meth:`poll` return; may be called from any thread or signal handler."""
        self._cast.wake()

    def _look(self, until: float) -> None:
        """Wait for what comes first and take it."""
        if monotonic() >= self._roster.due:
            self._look_at_nodes()
        for heard in self._cast.look(0.0 if self._events else min(until, self._care, self._roster.due)):
            if heard is None:
                self._woken = True
            else:
                self._take(*heard)
        if self._care < math.inf and monotonic() >= self._care:
            self._attend()

    def _look_at_nodes(self) -> None:
        """Tell which nodes came and which are gone, with what was on them."""
        try:
            news = self._roster.look()
        except LuthierError as error:
            self._fatal = error
            return
        for event in news:
            if isinstance(event, WorkerLost):
                for hand in [hand for hand in self._cast.hands if hand.node == event.worker]:
                    self._drop(hand)
        self._events += news

    def _drop(self, hand: Hand) -> None:
        """Forget an actor that went with its node, and its attempt with it."""
        self._cast.forget(hand)
        if hand in self._idle:
            self._idle.remove(hand)
        if hand.assignment is not None:
            self._attempts.pop(hand.assignment.trial, None)
            hand.assignment = None

    def _take(self, hand: Hand, method: str, said: Any) -> None:
        if hand not in self._cast.hands:
            return
        if isinstance(said, self._ray.exceptions.RayActorError) or (method == "ready" and isinstance(said, Exception)):
            self._gone(hand, said)
        elif isinstance(said, BaseException):
            if method in ("play", "advance"):  # our own code has failed there
                self._fail(hand, str(said))
        elif method == "where":
            hand.stack = users_stack(said)
            self._cast.press(hand, 0.0)
        elif method == "ready":
            hand.born, hand.apart = True, bool(said[1])
            if said[0]:
                self._heed(hand, decode(said[0]))
            self._play(hand)
        elif method in ("play", "advance"):
            event, hand.wire = decode(said[0]), said[2] if said[2:] else None
            try:
                if said[1] and hand.assignment is not None:
                    unpack_what_came_with(event, said[1], hand.assignment)
            except OSError as error:  # no room, say
                self._fail(hand, f"what the trial has saved could not be fetched: {error}")
            else:
                self._heed(hand, event)

    def _fail(self, hand: Hand, why: str) -> None:
        """End an attempt that cannot go on."""
        if hand.assignment is not None:
            self._cast.dismiss(hand, 0.0)
            self._end(hand, Exited(hand.assignment.trial, hand.assignment.attempt, Outcome.ERROR, why))

    def _heed(self, hand: Hand, event: Reported | Exited | Unloadable) -> None:
        assignment, hand.spoke = hand.assignment, True
        if isinstance(event, Unloadable):
            self._fatal = unloadable(event.traceback)
        elif assignment is None or (event.trial, event.attempt) != (assignment.trial, assignment.attempt):
            return
        elif isinstance(event, Reported):
            if self._closed:
                self._cast.answer(hand, VERDICT_BYTES[Verdict.HALT])
            else:
                self._events.append(event)
        else:
            self._exited(hand, event)

    def _exited(self, hand: Hand, event: Exited) -> None:
        if hand.given_up and not hand.halted and (hand.pressed or event.outcome is Outcome.HALTED):
            event = msgspec.structs.replace(event, outcome=Outcome.ERROR, error=hand.overdue)
        elif hand.pressed and event.outcome is Outcome.ERROR:  # it was no longer asked kindly
            event = msgspec.structs.replace(event, outcome=Outcome.HALTED)
        if self._reuse and not (hand.pressed or self._closed or event.outcome is Outcome.ERROR):
            hand.deadline = math.inf
            self._idle.append(hand)
        else:
            self._cast.dismiss(hand, self._grace[Then.STOP])
        self._end(hand, event)

    def _gone(self, hand: Hand, error: BaseException) -> None:
        """An actor is no more, or cannot be reached."""
        self._look_at_nodes()  # perhaps its node is gone
        if hand not in self._cast.hands:
            return
        self._cast.remove(hand)
        if hand in self._idle:
            self._idle.remove(hand)
        if (assignment := hand.assignment) is None:
            return
        attempt, end = (assignment.trial, assignment.attempt), ending(error, hand)
        if hand.halted and hand.pressed:
            event = Exited(*attempt, Outcome.HALTED, "it did not let go in time and was killed")
        elif hand.given_up:
            event = Exited(*attempt, Outcome.ERROR, hand.overdue)
        else:
            event = Exited(*attempt, *end)
        self._end(hand, event)

    def _end(self, hand: Hand, event: Exited) -> None:
        """Tell the end of an attempt."""
        if hand.transcript is not None:
            hand.transcript.attend(last=True)
        hand.assignment = hand.transcript = None
        self._attempts.pop(event.trial, None)
        self._events.append(event)

    def _attend(self) -> None:
        """Look at what the running trials have printed."""
        self._care = math.inf
        for hand in self._attempts.values():
            if hand.transcript is not None:
                hand.transcript.attend()
                self._care = monotonic() + _CARE

    # -- the end -------------------------------------------------------------------------------------------------------
    def close(self, grace: float) -> None:
        """End what still runs: halt it at its next report, ask it after *grace* seconds, then kill it.

        With a grace of 0 all is killed at once.  A connection to Ray that was made here ends.
        """
        if self._closed:
            return
        self._closed = True
        self._cast.demand.expect(())
        try:
            if grace > 0 and self._fatal is None:
                self._see_off(grace)
        finally:
            self._cast.close()
            self._cluster.close()
            with contextlib.suppress(OSError):
                os.unlink(self._marker)

    def _see_off(self, grace: float) -> None:
        for hand in list(self._cast.hands):
            if hand.assignment is None:
                if not hand.pressed:
                    self._cast.dismiss(hand, grace)
            elif hand.born:
                hand.halted = True
                self._cast.press(hand, grace)
            else:
                self._cast.remove(hand)
        until = monotonic() + grace + _REST
        while self._cast.hands and self._fatal is None and monotonic() < until:
            self._events.clear()
            self._look(until)
