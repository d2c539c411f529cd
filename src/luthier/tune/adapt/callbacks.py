"""User-written callbacks with Ray's hooks, as a listener."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.errors import BadArgumentType
from luthier.core.terms import Outcome, Status
from luthier.tune.adapt.roster import Roster
from luthier.tune.callback import Callback
from luthier.tune.checkpoint import Checkpoint
from luthier.tune.trial import row
from luthier.worker.trainable import fresh_copy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.state import ExperimentState
    from luthier.core.terms import Ref
    from luthier.tune.history import History

log = logging.getLogger("luthier")


def check(callbacks: Sequence[object]) -> None:
    """Refuse what are no callbacks.

    Raises:
        BadArgumentType: they are no list, or one of them is not of a subclass of :class:`~luthier.tune.Callback`.
    """
    if not isinstance(callbacks, Iterable):
        raise BadArgumentType("callbacks", callbacks, "a list of objects of subclasses of luthier.tune.Callback")
    for i, callback in enumerate(callbacks):
        if not isinstance(callback, Callback):
            raise BadArgumentType(f"callbacks[{i}]", callback, "an object of a subclass of luthier.tune.Callback")


class Callbacks:
    """Calls users' hooks as things happen.  What a hook raises is logged, once for each hook, and forgotten.

    Args:
        callbacks: the users' objects.
        experiment_dir: the experiment's directory.
        trainable_name: name of what is trained.
        history: the experiment's results.
    """

    def __init__(
        self, callbacks: Sequence[Callback], experiment_dir: str, trainable_name: str, history: History
    ) -> None:
        self._callbacks = tuple(callbacks)
        self._dir = experiment_dir
        self._roster = Roster(experiment_dir, trainable_name, history)
        self._trials = self._roster.trials
        self._broken: set[tuple[int, str]] = set()
        self._iteration = 0
        self._failed: set[str] = set()

    def setup(self, **facts: Any) -> None:
        """Tell that the experiment is about to begin."""
        for callback in self._callbacks:
            callback.experiment_dir = self._dir
        self._call("setup", **facts)

    def on_events(self, events: Sequence[ev.Event], experiment: ExperimentState) -> None:
        """Call the hooks that belong to *events*."""
        self._iteration += 1
        self._roster.notice(experiment)
        self._call("on_step_begin", iteration=self._iteration, trials=self._trials)
        for event in events:
            self._on_event(event, experiment)
        self._call("on_step_end", iteration=self._iteration, trials=self._trials)

    def on_tick(self, now: float) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Tell that the experiment is over."""
        self._call("on_experiment_end", trials=self._trials)

    def _on_event(self, event: ev.Event, experiment: ExperimentState) -> None:
        match event:
            case ev.Launched(trial, _, _, _, _, restore):
                self._tell("on_trial_start", trial)
                if restore is not None:
                    self._tell("on_trial_restore", trial)
            case ev.Reported(trial, _, _, metrics, checkpoint):
                state = experiment.trials[trial]
                result = fresh_copy({**row(state, metrics), "done": state.order is not None})  # theirs to change
                self._tell("on_trial_result", trial, result=result)
                if checkpoint is not None:
                    self._saved(trial, checkpoint)
            case ev.Exited(trial, _, outcome, _, checkpoint):
                if checkpoint is not None:
                    self._saved(trial, checkpoint)
                self._failed.discard(trial)
                if outcome is Outcome.ERROR:
                    self._failed.add(trial)
            case ev.Requeued(trial) if trial in self._failed:
                self._failed.discard(trial)
                self._tell("on_trial_recover", trial)
            case ev.Ended(trial, status):
                self._tell("on_trial_error" if status is Status.FAILED else "on_trial_complete", trial)

    def _saved(self, trial: str, checkpoint: Ref) -> None:
        self._tell("on_trial_save", trial)
        self._tell("on_checkpoint", trial, checkpoint=Checkpoint(f"{self._dir}/{checkpoint}"))

    def _tell(self, hook: str, trial: str, **more: Any) -> None:
        self._call(hook, iteration=self._iteration, trials=self._trials, trial=self._roster.by_id[trial], **more)

    def _call(self, hook: str, **arguments: Any) -> None:
        for i, callback in enumerate(self._callbacks):
            if getattr(type(callback), hook) is getattr(Callback, hook):
                continue
            try:
                getattr(callback, hook)(**arguments)
            except Exception:
                if (i, hook) not in self._broken:
                    self._broken.add((i, hook))
                    log.exception("%s.%s raised; the experiment goes on", type(callback).__name__, hook)
