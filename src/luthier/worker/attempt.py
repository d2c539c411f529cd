"""One attempt at a trial, from its assignment to its exit."""

from __future__ import annotations

import bdb
import inspect
import shutil
import sys
from typing import TYPE_CHECKING, Any

from luthier.core.events import Exited
from luthier.core.terms import Outcome, Verdict
from luthier.worker.failure import record_failure
from luthier.worker.function import run_function
from luthier.worker.halting import Halted
from luthier.worker.seeding import seeded
from luthier.worker.session import Session, opened
from luthier.worker.traceback import users_traceback
from luthier.worker.trainable import ADDED, Trainable, fresh_copy

if TYPE_CHECKING:
    from luthier.core.terms import Ref
    from luthier.worker.assignment import Assignment
    from luthier.worker.channel import Channel
    from luthier.worker.saving import SaveRule

    End = tuple[Outcome, Ref | None]

_INTERRUPTS = (KeyboardInterrupt, bdb.BdbQuit)


def run_attempt(trainable: Any, assignment: Assignment, channel: Channel, *, interactive: bool = False) -> Exited:
    """Run one attempt of *trainable* to its end; return how it ended.

    What the trainable raises is told in what is returned, and left in the trial's directory (``error.txt``,
    ``error.pkl``); that holds for ``sys.exit`` too.  With *interactive*, a Ctrl-C and leaving the debugger go up to
    the caller instead, for then the process is the user's own; without, a KeyboardInterrupt is an error like others.

    >>> from luthier.core.terms import TrialId
    >>> from luthier.worker.assignment import Assignment
    >>> given = Assignment(TrialId("t"), 1, 0, {"x": 3}, {}, "t", "", "", "e", "")
    >>> class Deaf:
    ...     def tell(self, report):
    ...         return Verdict.CONTINUE
    >>> run_attempt(lambda config: {"loss": config["x"]}, given, Deaf())
    Exited(trial='t', attempt=1, outcome=<Outcome.FINISHED: 'finished'>, error='', checkpoint=None)
    """
    runner = Runner(trainable, interactive=interactive)
    try:
        return runner.run(assignment, channel)
    finally:
        runner.close()


class Runner:
    """Runs attempts in turn, in this process.

    Args:
        trainable: a function or a subclass of Trainable.
        reuse: whether an instance of a class is kept for the next attempt; it is asked by ``reset_config`` whether it
            can be, and replaced if not.  It never outlives a failure.
        interactive: see :func:`run_attempt`.
    """

    def __init__(self, trainable: Any, *, reuse: bool = False, interactive: bool = False) -> None:
        self._trainable, self._reuse, self._interactive = trainable, reuse, interactive
        self._instance: Trainable | None = None

    def run(self, assignment: Assignment, channel: Channel) -> Exited:
        """Run one attempt to its end; return how it ended."""
        session = Session(assignment, channel)
        with opened(session), seeded(assignment.seed, restore=self._interactive):
            try:
                session.check()
                outcome, checkpoint = self._run(session)
                error = ""
            except Halted:
                outcome, checkpoint, error = Outcome.HALTED, session.take_pending(), ""
            except BaseException as problem:
                self.close()
                if self._interactive and isinstance(problem, _INTERRUPTS):
                    raise
                outcome, checkpoint, error = Outcome.ERROR, None, users_traceback(problem)
                record_failure(assignment.trial_dir, error, problem)
            if not self._reuse:
                self.close()
            _closed(session, outcome)
        return Exited(assignment.trial, assignment.attempt, outcome, error, checkpoint)

    def close(self) -> None:
        """Let go of the instance that is kept, if there is one; its ``cleanup`` may fail, which is said on stderr."""
        instance, self._instance = self._instance, None
        if instance is None:
            return
        try:
            instance.stop()
        except BaseException as problem:
            if self._interactive and isinstance(problem, _INTERRUPTS):
                raise
            sys.stderr.write(f"{type(instance).__name__}.cleanup() failed:\n{users_traceback(problem)}")

    def _run(self, session: Session) -> End:
        if inspect.isclass(self._trainable):
            session.passive = True
            return self._step(self._ready(session), session)
        run_function(self._trainable, fresh_copy(session.assignment.config), session)
        return (Outcome.HALTED if session.ordered else Outcome.FINISHED), session.take_pending()

    # -- classes -------------------------------------------------------------------------------------------------------
    def _ready(self, session: Session) -> Trainable:
        """Return an instance that stands where the assignment begins."""
        config = fresh_copy(session.assignment.config)
        instance = self._instance
        if instance is None or not instance.reset(config):
            self.close()
            instance = self._trainable(config=config)
        self._instance = instance
        instance.start_from(session.checkpoint, session.progress)
        return instance

    def _step(self, instance: Trainable, session: Session) -> End:
        given = session.assignment.checkpointing
        can_save = type(instance).save_checkpoint is not Trainable.save_checkpoint
        at_end = can_save if given.at_end is None else given.at_end
        while True:
            result = instance.train()
            ref: Ref | None = None
            due = bool(given.frequency) and instance.iteration % given.frequency == 0
            due = (can_save and _wanted(given.rule, result, session)) or due
            if result.get("should_checkpoint") or due:
                ref = self._save(instance, session)
            reported = {name: value for name, value in result.items() if name not in ADDED}
            reported.pop("should_checkpoint", None)
            verdict = session.deliver(reported, ref)
            done = bool(result.get("done"))
            if not done and verdict is Verdict.CONTINUE:
                continue
            if ref is None and (at_end or (not done and verdict is Verdict.SAVE_AND_HALT and can_save)):
                return (Outcome.FINISHED if done else Outcome.HALTED), self._save(instance, session)
            return (Outcome.FINISHED if done else Outcome.HALTED), None

    def _save(self, instance: Trainable, session: Session) -> Ref:
        folder = session.fresh_directory()
        try:
            instance.save(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return session.adopt(folder)


def _closed(session: Session, outcome: Outcome) -> None:
    """Call what wants to know how the attempt has ended; what it raises is said on stderr."""
    for close in session.closing:
        try:
            close(outcome)
        except Exception as problem:  # noqa: BLE001 (others' code; the attempt has ended as it has)
            sys.stderr.write(f"at the end of the trial:\n{users_traceback(problem)}")


def _wanted(rule: SaveRule | None, result: dict[str, Any], session: Session) -> bool:
    """Return whether the scheduler wants *result* to come with a checkpoint; that is noted in the progress."""
    now = None if rule is None else rule.due(result, session.progress.looked_at)
    if now is not None:
        session.progress.looked_at = now
    return now is not None
