"""The roster: the sweeps that this server keeps in memory, each in step with its log."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from luthier.core import events as ev
from luthier.core.errors import BadArgument
from luthier.server import folding, ingest, log
from luthier.server.hosted import Hosted, Offer
from luthier.server.missing import NotThere
from luthier.server.planning import Plan
from luthier.server.tables import agents, sweeps
from luthier.server.texts import value
from luthier.store.base import Record
from luthier.sweeps.read import read

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection

_FIND = sa.select(sweeps).where(sweeps.c.id == sa.bindparam("sweep")).with_for_update()
LONG = 2000  # events that are read in some hundredths of a second
KEPT = 200  # sweeps in memory at most; those not asked for longest go first


class Roster:
    """Hands out sweeps to the writer's thread, and forgets those whose changes were rolled back.

    Args:
        wake: called after a commit with the agents for which there are new orders.
    """

    def __init__(self, wake: Callable[[Collection[str]], None]) -> None:
        self._wake = wake
        self._kept: OrderedDict[str, Hosted] = OrderedDict()
        self._warm: dict[str, Hosted] = {}  # read beside the writer, and not asked for yet
        self._touched: dict[str, Hosted] = {}  # in this transaction: they hold their sweep's row
        self._due: dict[str, tuple[Hosted, float]] = {}
        self._rung: set[str] = set()

    def of(self, connection: Connection, sweep: str) -> Hosted:
        """Return the sweep of that id, nobody else's for the rest of the transaction, with all that is in its log.

        Raises:
            NotThere: there is none.
        """
        if sweep in self._touched:
            return self._touched[sweep]
        row = connection.execute(_FIND, {"sweep": sweep}).one_or_none()
        if row is None:
            self._kept.pop(sweep, None)
            raise NotThere("sweep", sweep)
        if row.kind != "sweep":
            raise BadArgument("sweep", sweep, "a sweep: this is an experiment, which the process that made it runs")
        hosted = self._kept.get(sweep)
        if hosted is None:
            hosted = self._warm.pop(sweep, None) or _hosted(row)
            known = sa.select(agents.c.id, agents.c.resources, agents.c.count.label("most")).where(
                agents.c.sweep_id == sweep
            )
            for agent in connection.execute(known):
                hosted.offers[agent.id] = Offer(value(agent.resources), agent.most)
        self._touched[sweep] = hosted
        hosted.wanted, hosted.state = row.wanted, row.state
        if hosted.length != row.length:
            hosted.catch_up(connection)
        self._kept[sweep] = hosted
        self._kept.move_to_end(sweep)
        return hosted

    def is_cold(self, sweep: str) -> bool:
        """Return whether *sweep* is not in memory; any thread may ask."""
        return sweep not in self._kept and sweep not in self._warm

    def warm(self, connection: Connection, sweep: str) -> None:
        """Read a long log before the writer needs it, so that nobody waits for that but who asked; in any thread."""
        row = connection.execute(sa.select(sweeps).where(sweeps.c.id == sweep)).one_or_none()
        if row is None or row.kind != "sweep" or row.state == folding.FAILED or row.length < LONG:
            return
        hosted = _hosted(row)
        hosted.catch_up(connection)
        self._warm[sweep] = hosted

    def put(self, hosted: Hosted) -> None:
        """Take in a sweep that was just made; its row is written in this transaction."""
        self._kept[hosted.id] = self._touched[hosted.id] = hosted

    def forget(self, sweep: str) -> None:
        """Let go of a sweep that is deleted in this transaction."""
        self._kept.pop(sweep, None)
        self._warm.pop(sweep, None)
        self._touched.pop(sweep, None)
        self._due.pop(sweep, None)

    def save_later(self, hosted: Hosted, now: float) -> None:
        """Have *hosted* saved at the end of the transaction, once for all that happens to it until then."""
        self._due[hosted.id] = hosted, now

    def committing(self, connection: Connection) -> None:
        """Save what is to be saved in this transaction."""
        for hosted, now in list(self._due.values()):
            self.save(connection, hosted, now)

    def save(self, connection: Connection, hosted: Hosted, now: float | None = None) -> None:
        """Append what *hosted* decided to its log, and write its views."""
        now = time.time() if now is None else now
        self._due.pop(hosted.id, None)
        batches, hosted.unsaved = hosted.unsaved, []
        if batches:
            hosted.length = log.append(connection, hosted.id, batches, hosted.length, now)
        told = ingest.write(connection, hosted)
        about = folding.About(hosted.id, hosted.project, hosted.engine.experiment, hosted.plan.goals)
        folding.fold(connection, about, [Record(0, now, batch) for batch in batches], told)
        finished = folding.write_sweep(connection, hosted, now)
        for batch in batches:
            for event in batch:
                if isinstance(event, ev.Launched):
                    self._rung.add(event.worker)
                elif isinstance(event, ev.Halted):
                    worker = hosted.engine.experiment.trials[event.trial].worker
                    if worker is not None:
                        self._rung.add(worker)
        if finished:
            self._rung.update(hosted.offers)

    def lengths(self) -> dict[str, int]:
        """Return the lengths of the logs of all sweeps in memory, as known here."""
        return {hosted.id: hosted.length for hosted in list(self._kept.values())}

    def budgets(self) -> dict[str, float]:
        """Return how many seconds the sweeps in memory have that are at work and have no more than so many."""
        limited = [hosted for hosted in list(self._kept.values()) if hosted.plan.spec.time_budget_s is not None]
        return {
            hosted.id: hosted.plan.spec.time_budget_s or 0.0
            for hosted in limited
            if not hosted.engine.finished and not hosted.engine.experiment.stopping
        }

    def ring(self, agents: Collection[str]) -> None:
        """Have *agents* look again after the commit."""
        self._rung.update(agents)

    # -- what became of the transaction --------------------------------------------------------------------------------
    def committed(self) -> None:
        """Hear that all is safe: agents may be told."""
        self._touched.clear()
        self._due.clear()
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        rung, self._rung = self._rung, set()
        if rung:
            self._wake(rung)

    def rolled_back(self) -> None:
        """Hear that nothing of it happened: whatever was touched is to be read anew."""
        for sweep in self._touched:
            self._kept.pop(sweep, None)
        self._touched.clear()
        self._due.clear()
        self._rung.clear()


def _hosted(row: Any) -> Hosted:
    return Hosted(row.id, row.project_id, Plan(read(row.config), row.id, row.seed, driven=row.controller is not None))
