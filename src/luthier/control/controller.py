"""The controller: decide, store, and only then let others act."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import Conflict, PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luthier.core.engine import Engine
    from luthier.core.events import Event, Observed
    from luthier.core.state import ExperimentState
    from luthier.core.terms import TrialId, Verdict
    from luthier.store.base import EventStore

TRIES = 3


class Controller:
    """Keeps one engine in step with its log.

    Args:
        store: the experiment's log.
        make: builds the engine of an experiment in which nothing has happened yet.

    Attributes:
        engine: decides.
        latest: the last batch that the log held when it was last read whole.  Whoever wrote it may have died before
            it acted on it; on all before it, it had acted.
    """

    engine: Engine
    latest: Sequence[Event]

    def __init__(self, store: EventStore, make: Callable[[], Engine]) -> None:
        self.store, self._make = store, make
        self._length = 0
        self._reload()

    def handle(self, stimulus: Observed) -> tuple[Event, ...]:
        """Return the events that *stimulus* led to, once they are safe.

        Where the engine raises, what it had begun is thrown away and it is built anew from the log, which knows
        nothing of *stimulus*; the stimulus then gets one more chance.

        Raises:
            PolicyError: a searcher, scheduler or stopper raised twice on *stimulus*.
            LuthierError: the store could not write; nothing of *stimulus* counts.
        """
        failed: PolicyError | None = None
        for _ in range(TRIES):
            try:
                events = self.engine.handle(stimulus)
                if events:
                    self._length = self.store.append(events, self._length)
            except Conflict:
                self._reload()
            except PolicyError as error:
                self._reload()
                if failed is not None:
                    raise
                failed = error
            except BaseException:
                self._reload()
                raise
            else:
                return events
        msg = f"the log was changed by somebody else {TRIES} times in a row"
        raise Conflict(msg)

    @property
    def experiment(self) -> ExperimentState:
        """The experiment as the log tells it."""
        return self.engine.experiment

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.engine.finished

    def verdict(self, trial: TrialId, attempt: int) -> Verdict:
        """Say whether the attempt may carry on."""
        return self.engine.verdict(trial, attempt)

    def _reload(self) -> None:
        self.engine, self._length, self.latest = self._make(), 0, ()
        for record in self.store.read():
            for event in record.events:
                self.engine.learn(event)
            self._length += len(record.events)
            self.latest = record.events
