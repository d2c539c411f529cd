"""The inline executor: trials run in this very thread, one after another."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from luthier.checkpoints.local import forget
from luthier.core.errors import LuthierError
from luthier.core.events import Exited, Forgotten, Halted, Launched, WorkerJoined
from luthier.core.resources import checked
from luthier.core.terms import Outcome, Verdict, WorkerId
from luthier.worker.attempt import Runner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.events import Observed, Order, Reported
    from luthier.core.terms import TrialId
    from luthier.execution.base import Handler
    from luthier.worker.assignment import Assignment

_Key = tuple[str, int]


class InlineExecutor:
    """Runs each trial to its end within :meth:`poll`, for debugging and for objectives that take no time.

    Breakpoints work, nothing is redirected, nothing is copied; a Ctrl-C or leaving the debugger ends the loop.  There
    is no protection either: what crashes the interpreter crashes the experiment.

    Args:
        trainable: a function or a subclass of Trainable.
        resources: what this process is said to have.
        experiment_dir: checkpoints are only ever deleted inside it.
        reuse: whether an instance of a class is kept for the next trial, see :class:`Runner`.

    Attributes:
        concurrency: how many trials it makes sense to launch at once.
    """

    concurrency = 1

    def __init__(
        self, trainable: Any, resources: Mapping[str, float], experiment_dir: str, *, reuse: bool = False
    ) -> None:
        self._resources, self._experiment_dir = checked(resources, "resources"), experiment_dir
        self._runner = Runner(trainable, reuse=reuse, interactive=True)
        self._handler: Handler | None = None
        self._queue: deque[Assignment] = deque()
        self._halted: set[_Key] = set()  # told to let go, and not gone yet
        self._verdicts: dict[_Key, Verdict] = {}
        self._problem: BaseException | None = None  # raised by the loop while it took a report
        self._woken = threading.Event()

    def join(self, handler: Handler) -> Sequence[WorkerJoined]:
        """Return the one worker: this thread."""
        self._handler = handler
        return [WorkerJoined(WorkerId("local"), dict(self._resources))]

    def carry_out(self, order: Order, assignment: Assignment | None = None) -> None:
        """Queue a trial, mark it as halted, or delete a checkpoint."""
        match order:
            case Launched():
                if assignment is None:
                    raise LuthierError(f"{order!r} came without its assignment")
                self._queue.append(assignment)
            case Halted(trial, attempt):
                self._halted.add((trial, attempt))
            case Forgotten(_, checkpoint):
                forget(checkpoint, self._experiment_dir)

    def poll(self, timeout: float | None) -> Sequence[Observed]:
        """Run the next trial to its end and return its exit; with none to run, wait.

        Raises:
            KeyboardInterrupt: the user said so while a trial ran.
        """
        if not self._queue:
            self._woken.wait(timeout)
            self._woken.clear()
            return ()
        assignment = self._queue.popleft()
        key = (assignment.trial, assignment.attempt)
        try:
            if key in self._halted:
                return [Exited(*key, Outcome.HALTED)]
            exited = self._runner.run(assignment, self)
            if self._problem is not None:
                problem, self._problem = self._problem, None
                raise problem
        finally:
            self._halted.discard(key)
        return [exited]

    def tell(self, report: Reported) -> Verdict:
        """Have the loop take *report*, here and now; return its verdict: the channel of the running trial."""
        key = (report.trial, report.attempt)
        if self._handler is None or self._problem is not None:
            return Verdict.HALT
        try:
            self._handler(report)
        except BaseException as problem:  # noqa: BLE001 (it is the loop's, and goes up once the trial has let go)
            self._problem = problem
            return Verdict.HALT
        verdict = self._verdicts.pop(key, Verdict.HALT)
        return Verdict.HALT if verdict is Verdict.CONTINUE and key in self._halted else verdict

    def answer(self, trial: TrialId, attempt: int, verdict: Verdict) -> None:
        """Keep the verdict for the report that waits for it."""
        self._verdicts[trial, attempt] = verdict

    def give_up(self, trial: TrialId, attempt: int, reason: str) -> bool:
        """Do nothing: a thread cannot be ended from outside, least of all one's own."""
        return False

    def wake(self) -> None:
        """Make a :meth:`poll` that has nothing to run return."""
        self._woken.set()

    def close(self, grace: float) -> None:
        """Drop what waits; nothing can be running."""
        self._queue.clear()
        self._handler = None
        self._runner.close()
