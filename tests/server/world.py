"""Agents without processes, over the server's functions: messages get lost and come twice, agents and servers die."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from luthier.server import exchange, sweeping, wire
from luthier.server.missing import NotThere
from luthier.server.roster import Roster
from luthier.server.tables import agents, history, runs, sweeps
from luthier.server.writer import Writer
from luthier.sweeps.read import read

LEASE_S = 300.0


@dataclass
class Work:
    """A run that an agent is at."""

    run: str
    attempt: int
    config: dict[str, Any]
    steps: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    halted: bool = False


@dataclass
class Walker:
    """One agent."""

    id: str
    slots: int
    work: dict[str, Work] = field(default_factory=dict)
    outbox: list[Any] = field(default_factory=list)
    gone: bool = False


class World:
    """A server (or several) and its agents, in virtual time."""

    def __init__(self, engine: sa.Engine, config: str, seed: int, servers: int = 1, steps: int = 3) -> None:
        self.engine, self.chance, self.now, self.steps = engine, random.Random(seed), 1000.0, steps
        self.servers = [self._server() for _ in range(servers)]
        self.sweep = self.write(lambda c, r: sweeping.create(c, r, read(config), "p", None, self.now))
        self.walkers: list[Walker] = []
        self.begun: Counter[tuple[str, int]] = Counter()
        self.told: dict[tuple[str, int], int] = {}

    def _server(self) -> tuple[Roster, Writer]:
        roster = Roster(lambda _agents: None)
        return roster, Writer(self.engine, roster)

    def write(self, work: Any) -> Any:
        """Do *work* on one of the servers."""
        roster, writer = self.chance.choice(self.servers)
        return writer.do(lambda c: work(c, roster))

    def restart(self) -> None:
        """Let one server die, with all that it has in memory, and another take its place."""
        place = self.chance.randrange(len(self.servers))
        self.servers[place][1].close()
        self.servers[place] = self._server()

    def close(self) -> None:
        for _, writer in self.servers:
            writer.close()

    def join(self, slots: int = 1, count: int | None = None) -> Walker:
        wish = wire.Registration(name="w", resources={"slot": slots}, count=count)
        found = self.write(lambda c, r: exchange.register(c, r, self.sweep, wish, LEASE_S, self.now))
        walker = Walker(found["agent"], slots)
        self.walkers.append(walker)
        return walker

    def lose(self, walker: Walker) -> None:
        """Let the lease of *walker*, whom nobody hears of any more, be over."""
        walker.gone = True
        self.write(lambda c, r: exchange.part_with(c, r, walker.id, exchange.LOST, self.now))

    def leave(self, walker: Walker) -> None:
        walker.gone = True
        self.write(lambda c, r: exchange.leave(c, r, walker.id, self.now))

    def change(self, state: str) -> None:
        self.write(lambda c, r: sweeping.change_state(c, r, self.sweep, state, self.now, "ann"))

    def talk(self, walker: Walker, *, deaf: bool = False) -> wire.Reply | None:
        """Let *walker* tell what it has and hear what to do; *deaf*: the reply gets lost."""
        told = wire.Exchange(
            [wire.Holding(work.run, work.attempt) for work in walker.work.values()], list(walker.outbox)
        )
        told = wire.EXCHANGE.decode(msgspec.json.encode(told))
        self.now += 0.01
        try:
            reply: wire.Reply = self.write(lambda c, r: exchange.exchange(c, r, walker.id, told, self.now))
        except NotThere:
            walker.gone, walker.work = True, {}
            return None
        if deaf:
            return None
        walker.outbox.clear()
        assert reply.accepted == len(told.said)
        for order in msgspec.json.decode(msgspec.json.encode(reply.orders)):
            self._obey(walker, order)
        if reply.exit:
            assert not walker.work, "an agent that holds a run was sent away"
            walker.gone = True
        return reply

    def _obey(self, walker: Walker, order: dict[str, Any]) -> None:
        key = (order["run"], order["attempt"])
        if order["is"] == "run":
            assert order["run"] not in walker.work
            self.begun[key] += 1
            walker.work[order["run"]] = Work(*key, order["params"], self.steps)
            assert len(walker.work) <= walker.slots
            walker.outbox.append(wire.Started(*key))
        else:
            work = walker.work.get(order["run"])
            if work is not None and work.attempt == order["attempt"]:
                work.halted = True

    def work(self, walker: Walker, *, fail: bool = False) -> None:
        """Let each run of *walker* get one step further."""
        for work in list(walker.work.values()):
            key = (work.run, work.attempt)
            if work.halted or fail or len(work.rows) == work.steps:
                outcome = "halted" if work.halted else "failed" if fail else "finished"
                walker.outbox.append(wire.Exited(*key, outcome, code=0, error="boom" if fail else ""))
                del walker.work[work.run]
                continue
            x = work.config.get("x", 1)
            row = {"loss": float(x) / (1 + len(work.rows)), "other": len(work.rows)}
            walker.outbox.append(wire.Rows(*key, len(work.rows), [row]))
            work.rows.append(row)
            self.told[key] = len(work.rows)

    def run(self, rounds: int = 10_000) -> None:
        """Let all work to the end of the sweep, without any trouble."""
        for _ in range(rounds):
            here = [walker for walker in self.walkers if not walker.gone]
            if not here:
                return
            for walker in here:
                self.talk(walker)
                self.work(walker)
        raise AssertionError(f"not at its end after {rounds} rounds: {self.state()}")

    # -- what the database says ----------------------------------------------------------------------------------------
    def rows(self, table: sa.Table) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(table)))

    def state(self) -> Any:
        return next(row for row in self.rows(sweeps) if row.id == self.sweep)

    def runs(self) -> list[Any]:
        return sorted((row for row in self.rows(runs) if row.sweep_id == self.sweep), key=lambda row: row.number)

    def agents(self) -> list[Any]:
        return self.rows(agents)

    def check(self) -> None:
        """Check what must be true whatever happened."""
        found = self.runs()
        assert [row.number for row in found] == list(range(len(found)))
        stored = Counter((row.run_id, row.attempt) for row in self.rows(history))
        for row in found:
            assert stored[row.id, row.attempt] == row.rows
            if row.state == "finished":
                assert row.rows == self.steps, (row.id, row.rows)
        holders = [run for walker in self.walkers if not walker.gone for run in walker.work.values() if not run.halted]
        held = Counter((work.run, work.attempt) for work in holders)
        assert max(held.values(), default=1) == 1, "two agents are at the same attempt"
