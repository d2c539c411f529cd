"""A sweep that is kept in memory: its engine, at some length of its log."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core import events as ev
from luthier.core.terms import WorkerId
from luthier.server import log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from luthier.server.planning import Plan

SLOT = "slot"
NOTHING: dict[str, float] = {SLOT: 0.0}  # what an agent offers while it is to get no run


class Offer(msgspec.Struct, frozen=True):
    """What an agent has, and how many runs it wants to start at most."""

    resources: dict[str, float]
    count: int | None = None


class Hosted:
    """One sweep at work.

    Args:
        sweep: its id.
        project: the id of its project.
        plan: what decides.

    Attributes:
        wanted: the state that its users want: RUNNING, PAUSED, FINISHED or CANCELED.
        offers: the agents that were here, and what they have.
        launched: how many runs each agent started.
        best: the best value that any run reported, with that run's id.
        state: as the database has it.
        unsaved: what was decided in this transaction, and not written yet.
        tails: how far the runs go of which agents told something in this transaction.
        rows: history of theirs that is not written yet.
        lines: output, likewise.
    """

    def __init__(self, sweep: str, project: int, plan: Plan) -> None:
        self.id, self.project, self.plan = sweep, project, plan
        self.engine = plan.engine()
        self.length = 0
        self.wanted = "RUNNING"
        self.offers: dict[str, Offer] = {}
        self.launched: dict[str, int] = {}
        self.best: tuple[float, str] | None = None
        self.state = "PENDING"
        self.unsaved: list[tuple[ev.Event, ...]] = []
        self.tails: dict[str, Any] = {}
        self.rows: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []

    def catch_up(self, connection: Connection) -> None:
        """Learn what others have appended to the log."""
        for record in log.read(connection, self.id, self.length):
            for event in record.events:
                self.engine.learn(event)
            self._note(record.events)
            self.length = record.end

    def handle(self, stimulus: ev.Observed) -> tuple[ev.Event, ...]:
        """Return what follows from *stimulus*; it waits in ``unsaved`` to be stored.

        Raises:
            PolicyError: a policy raised; the engine is spoilt and must be thrown away.
        """
        if isinstance(stimulus, ev.Exited):
            self._make_room_for_no_more(stimulus)
        return self._handle(stimulus)

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen; what is driven from elsewhere waits for more until its users end it."""
        waits = self.plan.driven and self.wanted in {"RUNNING", "PAUSED"} and not self.engine.experiment.stopping
        return self.engine.finished and not waits

    def join(self, agent: str) -> None:
        """State what *agent* offers now."""
        self._handle(ev.WorkerJoined(WorkerId(agent), self.capacity(agent)))

    def capacity(self, agent: str, leaving: int = 0) -> dict[str, float]:
        """Return what *agent* offers, once *leaving* of its runs have ended."""
        offer = self.offers[agent]
        if self.wanted == "PAUSED":
            return NOTHING
        slots = offer.resources.get(SLOT, 1.0)
        if offer.count is not None:
            slots = min(slots, offer.count - self.launched.get(agent, 0) + len(self.held(agent)) - leaving)
        return {**offer.resources, SLOT: float(slots)} if slots > 0 else NOTHING

    def held(self, agent: str) -> dict[Any, None]:
        """Return the runs that *agent* holds, by what was decided."""
        worker = self.engine.experiment.workers.get(WorkerId(agent))
        return {} if worker is None else worker.held

    def launches(self, agent: str) -> bool:
        """Return whether a run that is not written yet was given to *agent*."""
        return any(
            isinstance(event, ev.Launched) and event.worker == agent for batch in self.unsaved for event in batch
        )

    def used_up(self, agent: str) -> bool:
        """Return whether *agent* has started all the runs that it wants to."""
        count = self.offers[agent].count
        return count is not None and self.launched.get(agent, 0) >= count

    def _make_room_for_no_more(self, exited: ev.Exited) -> None:
        """Before a run ends: see to it that its agent gets no more runs than it wants."""
        trial = self.engine.experiment.trials.get(exited.trial)
        agent = None if trial is None or trial.attempt != exited.attempt else trial.worker
        if agent is None or agent not in self.offers or self.offers[agent].count is None:
            return
        worker = self.engine.experiment.workers.get(agent)
        offered = self.capacity(agent, leaving=1)
        if worker is not None and worker.resources != offered:
            self._handle(ev.WorkerJoined(agent, offered))

    def _handle(self, stimulus: ev.Observed) -> tuple[ev.Event, ...]:
        events = self.engine.handle(stimulus)
        if events:
            self.unsaved.append(events)
            self._note(events)
        return events

    def _note(self, events: Iterable[ev.Event]) -> None:
        for event in events:
            if isinstance(event, ev.Launched):
                self.launched[event.worker] = self.launched.get(event.worker, 0) + 1
            elif isinstance(event, ev.Reported) and self.plan.goals:
                goal = self.plan.goals[0]
                score = goal.score(event.metrics)
                if score is not None and math.isfinite(score) and (self.best is None or score < self.best[0]):
                    self.best = (score, event.trial)
