"""Start for loggers that write for a tracker: hooks only take notes, a thread does the work."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from luthier.tune.logger.clerk import Clerk
from luthier.tune.logger.logger import LoggerCallback
from luthier.tune.logger.tracked import Reading, Tracked, reading, tracked, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from luthier.tune.trial import Trial

T = TypeVar("T")

log = logging.getLogger("luthier")


def for_each(work: Callable[[T], object], things: Iterable[T]) -> None:
    """Do *work* for each of *things*, for the others too where it fails for one; raise what it raised first.

    >>> for_each(print, ["a", "b"])
    a
    b
    """
    failure: BaseException | None = None
    for thing in things:
        try:
            work(thing)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a tracker's library raises)
            failure = failure or error
    if failure is not None:
        raise failure


class Tracker(LoggerCallback):
    """Start for loggers that talk to somebody who may be slow, or away.

    The experiment never waits for what they do, and what fails is told once and forgotten.  At the end of the
    experiment there are *patience_s* seconds for what is left, counted from the last thing that was done.

    A tracker overrides :meth:`begin`, :meth:`result`, :meth:`saved`, :meth:`end`, :meth:`left` and :meth:`flush`, which
    are called in a thread of its own, in the order in which things happened.

    Attributes:
        patience_s: seconds to wait at the end of the experiment without anything done.

    >>> class Lines(Tracker):
    ...     def result(self, trial, reading):
    ...         print(trial.trial_id, reading.step, reading.numbers)
    """

    patience_s = 30.0

    _passing = frozenset({"_clerk", "_over", "_running"})  # what is not written down with the experiment
    _clerk: Clerk | None = None
    _complained = False

    # -- what trackers override ----------------------------------------------------------------------------------------
    def begin(self, trial: Tracked, known: bool) -> None:
        """Hear that an attempt begins; *known* where an earlier one was seen by this object."""

    def result(self, trial: Tracked, reading: Reading) -> None:
        """Hear a result."""

    def saved(self, trial: Tracked, checkpoint: str) -> None:
        """Hear of a *checkpoint*: its directory, which may be gone by now."""

    def end(self, trial: Tracked, failed: bool) -> None:
        """Hear that a trial has come to its end: well or stopped, or *failed* for good."""

    def left(self, unfinished: list[Tracked]) -> None:
        """Hear that the experiment ends, or was interrupted and left these trials *unfinished*."""

    def flush(self) -> None:
        """Write what is held back: nothing more is there to be done at the moment."""

    # -- hooks ---------------------------------------------------------------------------------------------------------
    def setup(
        self, stop: Any = None, num_samples: int | None = None, total_num_samples: int | None = None, **info: Any
    ) -> None:
        """Start the thread."""
        self._running: dict[str, Tracked] = {}
        self._over: list[tuple[Tracked, bool]] = []
        self._complained = False
        self._clerk = Clerk(f"luthier-{type(self).__name__}", self.flush, self._complain)

    def log_trial_start(self, trial: Trial) -> None:
        """Note that an attempt begins."""
        self._ready()
        known = trial.trial_id in self._running
        now = self._running[trial.trial_id] = tracked(trial)
        self._post(self.begin, now, known)

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        """Note a result."""
        self._post(self.result, self._of(trial), reading(result), needed=False)

    def log_trial_save(self, trial: Trial) -> None:
        """Note a checkpoint."""
        if type(self).saved is not Tracker.saved and trial.checkpoint is not None:
            self._post(self.saved, self._of(trial), trial.checkpoint.path)

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:
        """Note that a trial has come to its end; told once the files in its directory are written."""
        now = self._of(trial)
        self._running.pop(trial.trial_id, None)
        self._over.append((now, failed))

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Tell what has come to its end in the step before."""
        if self._clerk is not None and self._over:
            over, self._over = self._over, []
            for trial, failed in over:
                self._post(self.end, trial, failed)

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """Wait a while for what is left to do, and tell what could not be done."""
        clerk = self._clerk
        if clerk is None:
            return
        self.on_step_begin(0, trials)
        unfinished, self._running = list(self._running.values()), {}
        clerk.post(self.left, unfinished)
        done = clerk.finish(self.patience_s)
        self._clerk = None
        name = type(self).__name__
        if not done:
            log.warning("%s: what is left is not waited for any more; the experiment's results are complete.", name)
        elif clerk.failed > 1 or clerk.dropped:
            log.warning("%s: %d notes could not be logged.", name, clerk.failed + clerk.dropped)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in self._passing}

    # -- their thread --------------------------------------------------------------------------------------------------
    def _of(self, trial: Trial) -> Tracked:
        self._ready()
        known = self._running.get(trial.trial_id)
        if known is None:  # it ends without having run, or nobody called setup
            known = self._running[trial.trial_id] = tracked(trial)
            self._post(self.begin, known, False)  # noqa: FBT003 (the hook's own)
        return known

    def _post(self, work: Any, *arguments: Any, needed: bool = True) -> None:
        assert self._clerk is not None  # noqa: S101 (set by setup)
        self._clerk.post(work, *arguments, needed=needed)

    def _ready(self) -> None:
        if self._clerk is None:
            self.setup()

    def _gets_on(self) -> None:
        """Say, within work that takes long, that it gets on."""
        if self._clerk is not None:
            self._clerk.moved()

    def _complain(self, error: BaseException) -> None:
        if not self._complained:
            self._complained = True
            said = written(error).strip().split("\n", 1)[0][:300]
            text = "%s: %s: %s (the experiment goes on; this is said once)"
            log.warning(text, type(self).__name__, type(error).__name__, said)
