"""The service behind the routes: the database, its one writer, the sweeps at work, the leases of agents."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from luthier.core.errors import PolicyError
from luthier.server import exchange, sweeping
from luthier.server.bells import Bells
from luthier.server.database import reading
from luthier.server.folding import ENDED, FAILED
from luthier.server.ingest import Unreadable
from luthier.server.missing import NotThere
from luthier.server.roster import Roster
from luthier.server.tables import agents, runs, sweeps
from luthier.server.writer import Closed, Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from luthier.server.wire import Exchange, Reply

T = TypeVar("T")
LONGEST_WAIT_S = 25.0  # proxies end what is silent for longer
JUMP_S = 1.0  # by more than that clocks are set, not slewed
KNOWN = 10_000  # agents of which it is remembered where they belong
LOOK_S = 0.5  # how often to look for what other servers did
log = logging.getLogger("luthier.server")


class Service:
    """All that the routes need.

    Args:
        engine: of the database, whose tables are there.
        files: the directory for what runs upload.
        lease_s: how long an agent may be silent.
    """

    def __init__(self, engine: Engine, files: Path, lease_s: float = 300.0) -> None:
        self.engine, self.files, self.lease_s = engine, files, lease_s
        self.bells = Bells()
        self.roster = Roster(self.bells.ring)
        self.writer = Writer(engine, self.roster, harmless=(NotThere, Unreadable))
        self.watches: list[Callable[[float], None]] = []  # called now and then with the time
        self._known: dict[str, tuple[str, float]] = {}  # agents' sweeps and leases, which never change
        self._warming: dict[str, asyncio.Future[None]] = {}  # sweeps that are being read
        self._started = time.time()
        self._ahead = self._started - time.monotonic()
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._watching, name="luthier-leases", daemon=True)
        self._watch.start()

    def hasten(self) -> None:
        """Have those go who wait here: the server is about to close."""
        self._closing.set()
        self.bells.ring(self.bells.waiting())

    def close(self) -> None:
        """Finish what was begun, and let go of the database."""
        self.hasten()
        self._watch.join()
        self.writer.close()
        self.engine.dispose()

    @property
    def closing(self) -> bool:
        """Whether the service goes down: who waits should not."""
        return self._closing.is_set()

    async def write(self, work: Callable[[Connection], T], sweep: str = "") -> T:
        """Do *work*, which changes *sweep*, in the writer's thread; return its result once it is safe.

        A sweep whose policy raises twice on the same stimulus ends there: it cannot be decided any more.
        """
        if sweep and self.roster.is_cold(sweep):
            await self._warmed(sweep)
        try:
            return await asyncio.wrap_future(self.writer.submit(work, sweep))
        except PolicyError:
            try:
                return await asyncio.wrap_future(self.writer.submit(work, sweep))
            except PolicyError as error:
                log.exception("sweep %s failed", sweep)
                reason = f"{error}"
                await asyncio.wrap_future(self.writer.submit(lambda c: _fail(c, sweep, reason), sweep))
                raise

    async def leave(self, agent: str) -> None:
        """Let *agent* go; its runs go to others."""
        sweep, _ = await asyncio.get_running_loop().run_in_executor(None, self._belongs, agent)
        work = lambda c: exchange.leave(c, self.roster, agent, time.time())  # noqa: E731 (a line is enough)
        try:
            await self.write(work, sweep)
        except PolicyError:  # the sweep has failed by that, and is left without a decision
            await self.write(work)

    async def change_run(self, run: str, work: Callable[[Connection], None]) -> None:
        """Do *work*, which changes *run*, and what is decided in its sweep."""
        await self.write(work, await asyncio.get_running_loop().run_in_executor(None, self._sweep_of, run))

    async def _warmed(self, sweep: str) -> None:
        """Have *sweep* read into memory, once for all who wait for it, while the writer serves others."""
        reading_it = self._warming.get(sweep)
        if reading_it is None:
            reading_it = asyncio.get_running_loop().run_in_executor(None, self._warm, sweep)
            self._warming[sweep] = reading_it
            reading_it.add_done_callback(lambda _done: self._warming.pop(sweep, None))
        await asyncio.shield(reading_it)

    def _warm(self, sweep: str) -> None:
        try:
            with reading(self.engine) as connection:
                self.roster.warm(connection, sweep)
        except Exception as error:  # noqa: BLE001 (whatever it is, the writer meets it, too, and tells who asked)
            log.debug("sweep %s could not be read beforehand: %s", sweep, error)

    async def exchange(self, agent: str, told: Exchange) -> Reply:
        """Take what *agent* tells; answer at once, or when there are orders, or after the time that it gives."""
        loop = asyncio.get_running_loop()
        if agent not in self._known:
            belongs = await loop.run_in_executor(None, self._belongs, agent)
            while len(self._known) >= KNOWN:
                del self._known[next(iter(self._known))]  # whoever came first; it is read again if it is still here
            self._known[agent] = belongs
        sweep, lease_s = self._known[agent]
        end = loop.time() + min(told.wait_s, LONGEST_WAIT_S, lease_s / 3)
        bell = self.bells.hang(agent)
        try:
            reply = await self._exchange(agent, sweep, told)
            idle = type(told)(holding=told.holding)
            while not (reply.orders or reply.exit or told.holding or self.closing):
                left = end - loop.time()
                if left <= 0:
                    break
                try:
                    await asyncio.wait_for(bell.wait(), left)
                except TimeoutError:
                    break
                bell.clear()
                reply = await self._exchange(agent, sweep, idle, len(told.said))
            return reply
        finally:
            self.bells.take_down(agent)

    async def _exchange(self, agent: str, sweep: str, told: Exchange, accepted: int | None = None) -> Reply:
        work = lambda c: exchange.exchange(c, self.roster, agent, told, time.time())  # noqa: E731 (a line is enough)
        reply = await self.write(work, sweep)
        if accepted is not None:
            reply.accepted = accepted
        return reply

    def _belongs(self, agent: str) -> tuple[str, float]:
        """Return the sweep of *agent* and its lease."""
        with reading(self.engine) as connection:
            chosen = sa.select(agents.c.sweep_id, agents.c.lease_s).where(agents.c.id == agent)
            row = connection.execute(chosen).one_or_none()
        if row is None:
            raise NotThere("agent", agent)
        return row.sweep_id, row.lease_s

    def _sweep_of(self, run: str) -> str:
        """Return the sweep of *run*; nothing where it has none, or where there is no such run."""
        with reading(self.engine) as connection:
            return connection.execute(sa.select(runs.c.sweep_id).where(runs.c.id == run)).scalar_one_or_none() or ""

    # -- time ----------------------------------------------------------------------------------------------------------
    def _watching(self) -> None:
        """See what time brings: leases that are over, and what other servers appended."""
        while not self._closing.wait(min(LOOK_S, self.lease_s / 5)):
            try:
                self._mind_the_clock()
                self._look()
                self._expire(time.time())
                for sweep in self.roster.budgets():
                    self._decide(functools.partial(self._end_in_time, sweep=sweep), sweep)
                for watch in self.watches:
                    watch(time.time())
            except Closed:
                return
            except Exception:
                log.exception("leases could not be looked at; once more in %g s", LOOK_S)

    def _mind_the_clock(self) -> None:
        """Count every lease anew where the clock was set, or the machine slept: the agents were not silent."""
        ahead = time.time() - time.monotonic()
        if ahead - self._ahead > JUMP_S:
            log.warning("the clock went %.0f s forward: every lease counts from now on", ahead - self._ahead)
            self._started = time.time()
        self._ahead = ahead

    def _decide(self, work: Callable[[Connection], None], sweep: str) -> None:
        """Do what time brings to *sweep*, as :meth:`write` does; whatever it raises keeps no other sweep waiting."""
        for again in (True, False):
            try:
                self.writer.do(work, sweep)
            except Closed:
                raise
            except PolicyError as error:
                if not again:
                    log.exception("sweep %s failed", sweep)
                    self.writer.do(functools.partial(_fail, sweep=sweep, reason=f"{error}"), sweep)
            except Exception:
                log.exception("what time brings to sweep %s could not be done", sweep)
                return
            else:
                return

    def _look(self) -> None:
        waiting = self.bells.waiting()
        if not waiting:
            return
        known = self.roster.lengths()
        with reading(self.engine) as connection:
            chosen = (
                sa.select(agents.c.id, sweeps.c.id.label("sweep"), sweeps.c.length, sweeps.c.state)
                .join(sweeps, sweeps.c.id == agents.c.sweep_id, isouter=True)
                .where(agents.c.id.in_(waiting))
            )
            found = {row.id: row for row in connection.execute(chosen)}
        changed = [
            agent
            for agent in waiting
            if agent not in found or known.get(found[agent].sweep) != found[agent].length or found[agent].state in ENDED
        ]
        self.bells.ring(changed)

    def _expire(self, now: float) -> None:
        """Part with the agents that were silent for longer than their lease; every lease counts from our start anew."""
        with reading(self.engine) as connection:
            chosen = sa.select(agents.c.id, agents.c.sweep_id, agents.c.heartbeat_at, agents.c.lease_s).where(
                agents.c.state == exchange.HERE, agents.c.heartbeat_at < now - exchange.SHORTEST_LEASE_S
            )
            silent = [
                row for row in connection.execute(chosen) if max(row.heartbeat_at, self._started) + row.lease_s < now
            ]
        for row in silent:
            self._decide(functools.partial(self._part_with, row=row, now=now), row.sweep_id)

    def _end_in_time(self, connection: Connection, sweep: str) -> None:
        sweeping.end_in_time(connection, self.roster, sweep, time.time())

    def _part_with(self, connection: Connection, row: Any, now: float) -> None:
        chosen = sa.select(agents.c.heartbeat_at).where(agents.c.id == row.id, agents.c.state == exchange.HERE)
        if connection.execute(chosen).scalar_one_or_none() == row.heartbeat_at:  # still not heard of
            log.info("agent %s was silent for %g s: its runs go to others", row.id, row.lease_s)
            exchange.part_with(connection, self.roster, row.id, exchange.LOST, now)


def _fail(connection: Connection, sweep: str, reason: str) -> None:
    now = time.time()
    values = {"state": FAILED, "reason": reason, "ended_at": now, "updated_at": now}
    connection.execute(sa.update(sweeps).where(sweeps.c.id == sweep).values(**values))
