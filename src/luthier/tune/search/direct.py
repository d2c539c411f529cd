"""A search without a Tuner: somebody asks for configs, and tells what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core import events as ev
from luthier.core.engine import ASK
from luthier.core.errors import BadArgument
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.state import ExperimentState, evolve
from luthier.core.terms import HELD, Outcome, Status, TrialId, WorkerId
from luthier.store.base import Record
from luthier.store.codec import decode, encode

if TYPE_CHECKING:
    from luthier.core.goal import Goal
    from luthier.core.policy import Searcher

_WORKER = WorkerId("direct")


class Direct:
    """Drives *searcher* by hand.

    Args:
        searcher: a policy that has heard nothing yet.
        goals: what is optimised.
        seed: where chance starts.
    """

    def __init__(self, searcher: Searcher, goals: tuple[Goal, ...], seed: int) -> None:
        self.searcher, self.seed = searcher, seed
        self.experiment = ExperimentState(goals)
        self.log: list[ev.Event] = []
        self._learn(ev.WorkerJoined(_WORKER, {}))

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the config of a new trial, None, or ``"FINISHED"``.

        Raises:
            BadArgument: a trial of that id was suggested before.
        """
        trial, number = TrialId(trial_id), len(self.experiment)
        if trial in self.experiment.trials:
            raise BadArgument("trial_id", trial_id, "the id of a new trial")
        config = self.searcher.ask(number, rng_at(self.seed, ASK, number))
        if isinstance(config, Nothing):
            return "FINISHED" if config is Nothing.EXHAUSTED else None
        self._learn(ev.Proposed(trial, number, config, {}))
        self._learn(ev.Launched(trial, 1, _WORKER, config, {}))
        return config

    def result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Hear of a result on the way; one of an unknown trial, or of one that has ended, is passed over."""
        state = self.experiment.trials.get(TrialId(trial_id))
        if state is not None and state.status in HELD:
            self._learn(ev.Reported(state.id, 1, state.seq + 1, dict(result)))

    def complete(
        self, trial_id: str, result: dict[str, Any] | None, error: bool, ending: ev.Ended | None = None
    ) -> None:
        """Hear of a trial's end; *ending* says how it came, where more is known than whether it was an error."""
        state = self.experiment.trials.get(TrialId(trial_id))
        if state is None or state.status not in HELD:
            return
        if result is not None and result != state.metrics:
            self.result(trial_id, result)
        self._learn(ev.Exited(state.id, 1, Outcome.ERROR if error else Outcome.FINISHED))
        if ending is None or error:
            self._learn(ev.Ended(state.id, Status.FAILED if error else Status.DONE))
        else:
            self._learn(ev.Ended(state.id, ending.status, ending.reason, ending.why))

    def save(self, path: str) -> None:
        """Write the log to *path*: one line of JSON."""
        with open(path, "wb") as file:
            file.write(encode(Record(0, 0.0, tuple(self.log))))

    def restore(self, path: str) -> None:
        """Hear all that :meth:`save` wrote to *path*.

        Raises:
            CorruptLog: that is no such file.
        """
        with open(path, "rb") as file:
            events = decode(file.read()).events
        for event in events[1:]:
            self._learn(event)

    def _learn(self, event: ev.Event) -> None:
        self.log.append(event)
        evolve(self.experiment, event)
        if isinstance(event, (ev.Proposed, ev.Reported, ev.Exited, ev.Ended)):
            self.searcher.tell(event, self.experiment)
